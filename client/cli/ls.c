/*
 * ls.c -- `farnova ls`: list directories of a server.
 */
#include "client/cli/command.h"
#include "client/cli/remote.h"
#include "client/cli/report.h"
#include "client/cli/text.h"
#include "common/json.h"

#include <errno.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <time.h>

static const char help[] = "Usage: farnova ls [OPTION]... URL...\n"
                           "List directories of a server, sorted by name; a file is listed as itself.\n\n"
                           "  -a                  also names that begin with a dot, with . and ..\n"
                           "  -A                  also names that begin with a dot, without . and ..\n"
                           "  -d                  a directory itself instead of what is in it\n"
                           "  -h                  sizes like 1.5M\n"
                           "  -i                  the inode number first\n"
                           "  -l                  type, mode, links, owner, group, size, time and name\n"
                           "  -R                  directories within directories too\n"
                           "      --json          a JSON array with an object for each file\n" REMOTE_HELP;

struct list_options {
	bool all, almost_all, directory, human, inode, long_format, recursive, as_json;
};

struct listing {
	struct remote remote;
	struct list_options options;
	bool printed; /* there was output before */
	bool failed;
	struct json json;
};

struct entry {
	char *name;
	struct stat st;
};

struct entries {
	struct entry *list;
	size_t count, room;
};

static void free_entries(struct entries *entries)
{
	for (size_t i = 0; i < entries->count; i++)
		free(entries->list[i].name);
	free(entries->list);
}

static int add_entry(struct entries *entries, const char *name, const struct stat *st)
{
	if (entries->count == entries->room) {
		size_t room = entries->room ? 2 * entries->room : 64;
		struct entry *list = reallocarray(entries->list, room, sizeof(*list));
		if (!list)
			return -ENOMEM;
		entries->list = list;
		entries->room = room;
	}
	char *copy = strdup(name);
	if (!copy)
		return -ENOMEM;
	entries->list[entries->count++] = (struct entry){.name = copy, .st = *st};
	return 0;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct entry *)a)->name, ((const struct entry *)b)->name);
}

static void print_owner(uid_t uid, gid_t gid)
{
	const struct passwd *user = getpwuid(uid);
	if (user)
		printf(" %-8s", user->pw_name);
	else
		printf(" %-8u", (unsigned)uid);
	const struct group *group = getgrgid(gid);
	if (group)
		printf(" %-8s", group->gr_name);
	else
		printf(" %-8u", (unsigned)gid);
}

static void print_long(const struct listing *listing, const struct stat *st)
{
	char mode[11], size[24], when[32];
	struct tm tm;

	printf("%s %3lu", mode_text(st->st_mode, mode), (unsigned long)st->st_nlink);
	print_owner(st->st_uid, st->st_gid);
	if (S_ISBLK(st->st_mode) || S_ISCHR(st->st_mode))
		printf(" %5u, %4u", major(st->st_rdev), minor(st->st_rdev));
	else if (listing->options.human)
		printf(" %6s", human_size((uint64_t)st->st_size, size));
	else
		printf(" %11lld", (long long)st->st_size);
	strftime(when, sizeof(when), "%Y-%m-%d %H:%M", localtime_r(&st->st_mtime, &tm));
	printf(" %s ", when);
}

static void print_json_entry(struct json *json, const char *path, const struct stat *st, const char *target)
{
	json_open(json, NULL, '{');
	json_text(json, "path", path);
	json_stat(json, st);
	json_time(json, "mtime", st->st_mtim.tv_sec, st->st_mtim.tv_nsec);
	if (target)
		json_text(json, "target", target);
	json_close(json, '}');
}

/* `path` leads to the file; `name` is what is printed for it. */
static void print_entry(struct listing *listing, struct farnova *fs, const char *path, const char *name,
                        const struct stat *st)
{
	char target[PATH_MAX];
	const char *shown_target = NULL;

	if (S_ISLNK(st->st_mode) && (listing->options.long_format || listing->options.as_json)) {
		ssize_t length = farnova_readlink(fs, path, target, sizeof(target) - 1);
		if (length < 0) {
			report_remote("ls", path);
			listing->failed = true;
		} else {
			target[length] = 0;
			shown_target = target;
		}
	}
	if (listing->options.as_json) {
		print_json_entry(&listing->json, path, st, shown_target);
	} else {
		if (listing->options.inode)
			printf("%8llu ", (unsigned long long)st->st_ino);
		if (listing->options.long_format)
			print_long(listing, st);
		print_name(stdout, name);
		if (shown_target) {
			printf(" -> ");
			print_name(stdout, shown_target);
		}
		putchar('\n');
	}
	listing->printed = true;
}

static char *join(const char *directory, const char *name)
{
	char *path;
	const char *slash = directory[strlen(directory) - 1] == '/' ? "" : "/";

	return asprintf(&path, "%s%s%s", directory, slash, name) < 0 ? NULL : path;
}

/* Whether each file's attributes are needed, or the type from readdir suffices. */
static bool wants_attributes(const struct listing *listing)
{
	return listing->options.long_format || listing->options.as_json || listing->options.inode;
}

static bool is_dots(const char *name)
{
	return !strcmp(name, ".") || !strcmp(name, "..");
}

static bool wanted(const struct listing *listing, const char *name)
{
	if (is_dots(name))
		return listing->options.all;
	return name[0] != '.' || listing->options.all || listing->options.almost_all;
}

static int read_entries(struct listing *listing, struct farnova *fs, const char *path, struct entries *entries)
{
	struct farnova_dir *dir = farnova_opendir(fs, path);
	struct dirent *found;
	int error = 0;

	if (!dir)
		return -errno;
	while (errno = 0, !error && (found = farnova_readdir(dir))) {
		if (!wanted(listing, found->d_name))
			continue;
		struct stat st = {.st_mode = DTTOIF(found->d_type)};
		if (wants_attributes(listing) || (listing->options.recursive && found->d_type == DT_UNKNOWN)) {
			char *child = join(path, found->d_name);
			if (!child) {
				error = -ENOMEM;
				break;
			}
			int failed = farnova_lstat(fs, child, &st);
			int why = errno;
			if (failed && why != ENOENT) {
				report_remote("ls", child);
				listing->failed = true;
			}
			free(child);
			if (failed)
				continue; /* ENOENT: removed after it was listed, no error */
		}
		error = add_entry(entries, found->d_name, &st);
	}
	if (!error && errno)
		error = -errno;
	farnova_closedir(dir);
	if (entries->count)
		qsort(entries->list, entries->count, sizeof(*entries->list), by_name);
	return error;
}

static void list_directory(struct listing *listing, struct farnova *fs, const char *path, bool titled)
{
	struct entries entries = {0};

	int error = read_entries(listing, fs, path, &entries);
	if (error) {
		errno = -error;
		report_remote("ls", path);
		listing->failed = true;
	}
	if (titled && !listing->options.as_json) {
		if (listing->printed)
			putchar('\n');
		print_name(stdout, path);
		printf(":\n");
		listing->printed = true;
	}
	for (size_t i = 0; i < entries.count; i++) {
		char *child = join(path, entries.list[i].name);
		if (child)
			print_entry(listing, fs, child, entries.list[i].name, &entries.list[i].st);
		free(child);
	}
	for (size_t i = 0; listing->options.recursive && i < entries.count; i++) {
		if (!S_ISDIR(entries.list[i].st.st_mode) || is_dots(entries.list[i].name))
			continue;
		char *child = join(path, entries.list[i].name);
		if (child)
			list_directory(listing, fs, child, true);
		free(child);
	}
	free_entries(&entries);
}

static int list_url(struct listing *listing, const char *url, bool titled)
{
	struct farnova *fs;
	const char *path;
	struct stat st;

	int code = remote_open(&listing->remote, url, &fs, &path);
	if (code)
		return code;
	/* As in ls: a symlink to a directory is listed as the directory unless its own attributes are requested. */
	bool follow = !listing->options.long_format && !listing->options.directory;
	if (follow ? farnova_stat(fs, path, &st) && farnova_lstat(fs, path, &st) : farnova_lstat(fs, path, &st)) {
		report_remote("ls", url);
		return EXIT_FAILED;
	}
	if (S_ISDIR(st.st_mode) && !listing->options.directory)
		list_directory(listing, fs, path, titled || listing->options.recursive);
	else
		print_entry(listing, fs, path, path, &st);
	return EXIT_OK;
}

int ls_main(int argc, char **argv)
{
	static const struct option long_options[] = {
	    REMOTE_LONG_OPTIONS, {"json", no_argument, NULL, OPTION_JSON}, {NULL, 0, NULL, 0}};
	struct listing listing = {.json = {stdout, true}};
	int option, code = EXIT_OK;

	remote_init(&listing.remote, "ls");
	while ((option = getopt_long(argc, argv, "aAdhilR1", long_options, NULL)) != -1) {
		switch (option) {
		case 'a':
			listing.options.all = true;
			break;
		case 'A':
			listing.options.almost_all = true;
			break;
		case 'd':
			listing.options.directory = true;
			break;
		case 'h':
			listing.options.human = true;
			break;
		case 'i':
			listing.options.inode = true;
			break;
		case 'l':
			listing.options.long_format = true;
			break;
		case 'R':
			listing.options.recursive = true;
			break;
		case '1':
			break; /* one name per line is the default */
		case OPTION_JSON:
			listing.options.as_json = true;
			break;
		default:
			if ((code = remote_option(&listing.remote, option, help)) >= 0)
				return code;
		}
	}
	if (optind == argc)
		return report_usage("ls", "which URL is to be listed?");

	code = EXIT_OK;
	if (listing.options.as_json)
		json_open(&listing.json, NULL, '[');
	for (int i = optind; i < argc; i++) {
		int result = list_url(&listing, argv[i], argc - optind > 1);
		if (result > code)
			code = result;
	}
	if (listing.options.as_json) {
		json_close(&listing.json, ']');
		putchar('\n');
	}
	remote_done(&listing.remote);
	return code ? code : listing.failed ? EXIT_FAILED : EXIT_OK;
}
