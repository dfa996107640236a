/*
 * walk.c -- visits the file that a URL names and, if requested, everything below it.
 */
#include "client/cli/walk.h"

#include "client/cli/command.h"
#include "client/cli/copy.h"
#include "client/cli/report.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int worse(int a, int b)
{
	return a > b ? a : b;
}

static int failed(const struct walk *walk, const char *url)
{
	report_remote(walk->remote->command, url);
	return EXIT_FAILED;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static int walk_entries(struct walk *walk, struct farnova *fs, const char *path, const char *url);

static int walk_entry(struct walk *walk, struct farnova *fs, const char *path, const char *url)
{
	struct stat st;

	if (farnova_lstat(fs, path, &st))
		return errno == ENOENT ? EXIT_OK : failed(walk, url); /* it was removed meanwhile */
	int code = walk->visit(walk, fs, path, url, &st);
	return S_ISDIR(st.st_mode) ? worse(code, walk_entries(walk, fs, path, url)) : code;
}

static int walk_entries(struct walk *walk, struct farnova *fs, const char *path, const char *url)
{
	const struct endpoint endpoint = {.fs = fs};
	int code = EXIT_OK;
	char **names;
	size_t count;

	int error = endpoint_list(&endpoint, path, &names, &count);
	if (error) {
		errno = -error;
		return failed(walk, url);
	}
	qsort(names, count, sizeof(*names), by_name);
	for (size_t i = 0; i < count; i++) {
		char *child_path = copy_join(path, names[i]);
		char *child_url = copy_join(url, names[i]);
		if (child_path && child_url) {
			code = worse(code, walk_entry(walk, fs, child_path, child_url));
		} else {
			report_error(walk->remote->command, "out of memory");
			code = EXIT_FAILED;
		}
		free(child_path);
		free(child_url);
		free(names[i]);
	}
	free(names);
	return code;
}

int walk_url(struct walk *walk, const char *url)
{
	struct farnova *fs;
	const char *path;
	struct stat st;

	int code = remote_open(walk->remote, url, &fs, &path);
	if (code)
		return code;
	if (farnova_stat(fs, path, &st))
		return failed(walk, url);
	code = walk->visit(walk, fs, path, url, &st);
	return walk->recursive && S_ISDIR(st.st_mode) ? worse(code, walk_entries(walk, fs, path, url)) : code;
}

int walk_urls(struct walk *walk, char **urls, int count)
{
	int code = EXIT_OK;

	for (int i = 0; i < count; i++)
		code = worse(code, walk_url(walk, urls[i]));
	return code;
}
