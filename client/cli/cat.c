/*
 * cat.c -- `farnova cat`: write files of a server to standard output.
 */
#include "client/cli/command.h"
#include "client/cli/remote.h"
#include "client/cli/report.h"

#include <fcntl.h>
#include <stdlib.h>

#define CHUNK (1024 * 1024)

static const char help[] = "Usage: farnova cat [OPTION]... URL...\n"
                           "Write files of a server to standard output.\n\n" REMOTE_HELP;

static int cat_url(struct remote *remote, const char *url, char *buffer)
{
	struct farnova *fs;
	const char *path;
	ssize_t n;

	int code = remote_open(remote, url, &fs, &path);
	if (code)
		return code;
	struct farnova_file *file = farnova_open(fs, path, O_RDONLY, 0);
	if (!file) {
		report_remote("cat", url);
		return EXIT_FAILED;
	}
	while ((n = farnova_read(file, buffer, CHUNK)) > 0)
		if (fwrite(buffer, 1, (size_t)n, stdout) != (size_t)n)
			break; /* main reports it */
	if (n < 0) {
		report_error("cat", "reading '%s': %s", url, farnova_last_error());
		code = EXIT_FAILED;
	}
	farnova_close(file);
	return code;
}

int cat_main(int argc, char **argv)
{
	static const struct option long_options[] = {REMOTE_LONG_OPTIONS, {NULL, 0, NULL, 0}};
	struct remote remote;
	int option, code;

	remote_init(&remote, "cat");
	while ((option = getopt_long(argc, argv, "", long_options, NULL)) != -1)
		if ((code = remote_option(&remote, option, help)) >= 0)
			return code;
	if (optind == argc)
		return report_usage("cat", "which URL?");

	char *buffer = malloc(CHUNK);
	if (!buffer) {
		report_error("cat", "out of memory");
		return EXIT_FAILED;
	}
	code = EXIT_OK;
	for (int i = optind; i < argc && !ferror(stdout); i++) {
		int result = cat_url(&remote, argv[i], buffer);
		if (result > code)
			code = result;
	}
	free(buffer);
	remote_done(&remote);
	return code;
}
