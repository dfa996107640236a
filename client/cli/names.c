/*
 * names.c -- `farnova mv`, `rm`, `mkdir` and `ln`: the commands that change names.
 */
#include "client/cli/command.h"
#include "client/cli/copy.h"
#include "client/cli/remote.h"
#include "client/cli/report.h"
#include "client/cli/text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const char mv_help[] = "Usage: farnova mv [OPTION]... URL... URL\n"
                              "Rename files on a server; into the last URL if that is a directory.\n\n"
                              "  -n, --no-clobber    fail rather than replace what is there\n"
                              "  -T                  the last URL is the new name, never a directory to move into\n"
                              "      --exchange      let the two files change places\n" REMOTE_HELP;

static const char rm_help[] = "Usage: farnova rm [OPTION]... URL...\n"
                              "Remove files.\n\n"
                              "  -d                  empty directories too\n"
                              "  -f                  no complaint about what is not there\n"
                              "  -r, -R              directories with all that is in them\n"
                              "  -v                  print each name\n" REMOTE_HELP;

static const char mkdir_help[] = "Usage: farnova mkdir [OPTION]... URL...\n"
                                 "Make directories.\n\n"
                                 "  -m MODE             permissions, octal; 0777 less the umask is the default\n"
                                 "  -p                  parents as needed; no complaint if it is there\n" REMOTE_HELP;

static const char ln_help[] =
    "Usage: farnova ln [OPTION]... URL URL\n"
    "       farnova ln -s [OPTION]... TARGET URL\n"
    "Give a file another name (a hard link), or make a symbolic link with the text TARGET.\n\n"
    "  -f                  replace what is there\n"
    "  -s                  a symbolic link\n" REMOTE_HELP;

#define MODE_NOT_GIVEN ((mode_t)-1)

struct names_run {
	struct remote remote;
	bool recursive, force, verbose, directories, parents, symbolic, no_replace, exchange, target_is_name;
	mode_t umask;
};

static int failed(struct names_run *run, const char *what)
{
	report_remote(run->remote.command, what);
	return EXIT_FAILED;
}

static void say(struct names_run *run, const char *what, const char *path)
{
	if (!run->verbose)
		return;
	printf("%s ", what);
	print_name(stdout, path);
	putchar('\n');
}

/* The path without trailing slashes, so that the last component is a name; the caller frees it. */
static char *trimmed(const char *path)
{
	size_t length = strlen(path);

	while (length > 1 && path[length - 1] == '/')
		length--;
	return strndup(path, length);
}

static char *target_within(struct farnova *fs, const char *source, const char *target, bool never)
{
	struct stat st;
	char *name = trimmed(source);

	if (!name || never || farnova_stat(fs, target, &st) || !S_ISDIR(st.st_mode)) {
		free(name);
		return trimmed(target);
	}
	const char *slash = strrchr(name, '/');
	char *path = copy_join(target, slash ? slash + 1 : name);
	free(name);
	return path;
}

/* ---- mv --------------------------------------------------------------------------------------------------------- */

static int move(struct names_run *run, const char *source, const char *destination)
{
	struct farnova *from_fs, *to_fs;
	const char *from, *to;

	int code = remote_open(&run->remote, source, &from_fs, &from);
	if (!code)
		code = remote_open(&run->remote, destination, &to_fs, &to);
	if (code)
		return code;
	if (from_fs != to_fs) {
		report_error("mv", "'%s' and '%s' are on different servers: use `farnova cp -a` and `farnova rm -r`",
		             source, destination);
		return EXIT_FAILED;
	}
	char *old_name = trimmed(from);
	char *new_name = target_within(to_fs, from, to, run->target_is_name || run->exchange);
	unsigned flags = run->exchange ? RENAME_EXCHANGE : run->no_replace ? RENAME_NOREPLACE : 0;
	if (!old_name || !new_name) {
		report_error("mv", "out of memory");
		code = EXIT_FAILED;
	} else if (farnova_rename(from_fs, old_name, new_name, flags)) {
		code = failed(run, source);
	}
	free(old_name);
	free(new_name);
	return code;
}

static int move_all(struct names_run *run, int count, char **urls)
{
	int code = EXIT_OK;

	if (count < 2)
		return report_usage("mv", "what is to be renamed, and what to?");
	if (count > 2 && (run->target_is_name || run->exchange))
		return report_usage("mv", "-T and --exchange take two URLs");
	if (count > 2) {
		struct farnova *fs;
		const char *path;
		struct stat st;
		code = remote_open(&run->remote, urls[count - 1], &fs, &path);
		if (code)
			return code;
		if (farnova_stat(fs, path, &st))
			return failed(run, urls[count - 1]);
		if (!S_ISDIR(st.st_mode)) {
			report_error("mv", "'%s' is no directory", urls[count - 1]);
			return EXIT_FAILED;
		}
	}
	for (int i = 0; i < count - 1; i++) {
		int result = move(run, urls[i], urls[count - 1]);
		if (result > code)
			code = result;
	}
	return code;
}

/* ---- rm --------------------------------------------------------------------------------------------------------- */

static int remove_path(struct names_run *run, const struct endpoint *endpoint, const char *path);

static int remove_entries(struct names_run *run, const struct endpoint *endpoint, const char *path)
{
	char **names;
	size_t count;
	int code = EXIT_OK;

	int error = endpoint_list(endpoint, path, &names, &count);
	if (error) {
		errno = -error;
		return failed(run, path);
	}
	for (size_t i = 0; i < count; i++) {
		char *child = copy_join(path, names[i]);
		int result = child ? remove_path(run, endpoint, child) : EXIT_FAILED;
		if (result > code)
			code = result;
		free(child);
		free(names[i]);
	}
	free(names);
	return code;
}

static int remove_path(struct names_run *run, const struct endpoint *endpoint, const char *path)
{
	struct stat st;
	int code = EXIT_OK;

	if (endpoint_lstat(endpoint, path, &st))
		return errno == ENOENT && run->force ? EXIT_OK : failed(run, path);
	if (!S_ISDIR(st.st_mode)) {
		if (endpoint_unlink(endpoint, path))
			return errno == ENOENT && run->force ? EXIT_OK : failed(run, path);
		say(run, "removed", path);
		return EXIT_OK;
	}
	if (!run->recursive && !run->directories) {
		report_error("rm", "'%s' is a directory: removed only with -r, or with -d if it is empty", path);
		return EXIT_FAILED;
	}
	if (run->recursive)
		code = remove_entries(run, endpoint, path);
	if (code)
		return code; /* entries that could not be removed were reported, and keep the directory */
	if (endpoint_rmdir(endpoint, path))
		return errno == ENOENT && run->force ? EXIT_OK : failed(run, path);
	say(run, "removed directory", path);
	return EXIT_OK;
}

static int remove_all(struct names_run *run, int count, char **urls)
{
	int code = EXIT_OK;

	for (int i = 0; i < count; i++) {
		struct endpoint endpoint = {0};
		const char *path;
		int result = remote_open(&run->remote, urls[i], &endpoint.fs, &path);
		char *name = result ? NULL : trimmed(path);
		if (name && !strcmp(name, "/")) {
			report_error("rm", "'%s' is the root of the file system, which stays", urls[i]);
			result = EXIT_FAILED;
		} else if (name) {
			result = remove_path(run, &endpoint, name);
		}
		free(name);
		if (result > code)
			code = result;
	}
	return code;
}

/* ---- mkdir ------------------------------------------------------------------------------------------------------ */

static int make_parents(struct names_run *run, struct farnova *fs, char *path)
{
	struct stat st;

	for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = 0;
		int error = farnova_mkdir(fs, path, 0777) && errno != EEXIST ? errno : 0;
		/* EACCES for a parent that the caller may not write does not mean that the directory is missing. */
		if (error && farnova_stat(fs, path, &st) == 0 && S_ISDIR(st.st_mode))
			error = 0;
		if (error)
			return failed(run, path);
		*slash = '/';
	}
	return EXIT_OK;
}

static int make_directories(struct names_run *run, int count, char **urls, mode_t mode)
{
	int code = EXIT_OK;

	for (int i = 0; i < count; i++) {
		struct farnova *fs;
		const char *path;
		struct stat st;
		int result = remote_open(&run->remote, urls[i], &fs, &path);
		char *name = result ? NULL : trimmed(path);
		/* The following components are created in it at once, so the caller needs access whatever the umask
		 * is. */
		if (name)
			farnova_set_umask(fs, run->umask & ~0300u);
		if (name && run->parents)
			result = make_parents(run, fs, name);
		if (name)
			farnova_set_umask(fs, mode == MODE_NOT_GIVEN ? run->umask : 0);
		if (name && !result && farnova_mkdir(fs, name, mode == MODE_NOT_GIVEN ? 0777 : mode)) {
			bool there =
			    errno == EEXIST && run->parents && farnova_stat(fs, name, &st) == 0 && S_ISDIR(st.st_mode);
			if (!there)
				result = failed(run, urls[i]);
		}
		free(name);
		if (result > code)
			code = result;
	}
	return code;
}

/* ---- ln --------------------------------------------------------------------------------------------------------- */

static int make_link(struct names_run *run, const char *target, const char *url)
{
	struct farnova *fs, *target_fs = NULL;
	const char *path, *target_path = target;

	int code = run->symbolic ? EXIT_OK : remote_open(&run->remote, target, &target_fs, &target_path);
	if (!code)
		code = remote_open(&run->remote, url, &fs, &path);
	if (code)
		return code;
	if (target_fs && target_fs != fs) {
		report_error("ln", "'%s' and '%s' are on different servers: a hard link stays on one", target, url);
		return EXIT_FAILED;
	}
	char *name = target_within(fs, target_path, path, false);
	if (!name) {
		report_error("ln", "out of memory");
		return EXIT_FAILED;
	}
	if (run->force && farnova_unlink(fs, name) && errno != ENOENT)
		code = failed(run, url);
	else if (run->symbolic ? farnova_symlink(fs, target, name) : farnova_link(fs, target_path, name))
		code = failed(run, url);
	free(name);
	return code;
}

/* ---- their options ---------------------------------------------------------------------------------------------- */

static int take_mode(struct names_run *run, mode_t *mode)
{
	char *end;
	unsigned long value = strtoul(optarg, &end, 8);

	if (end == optarg || *end || value > 07777)
		return report_usage(run->remote.command, "-m takes octal permissions such as 0755, not '%s'", optarg);
	*mode = (mode_t)value;
	return -1;
}

/* Parse the options in `letters`. Returns -1 to continue, else the exit code. */
static int take_options(struct names_run *run, int argc, char **argv, const char *letters, const char *help,
                        mode_t *mode)
{
	enum { OPTION_EXCHANGE = OPTION_COMMAND };
	static const struct option long_options[] = {REMOTE_LONG_OPTIONS,
	                                             {"exchange", no_argument, NULL, OPTION_EXCHANGE},
	                                             {"no-clobber", no_argument, NULL, 'n'},
	                                             {NULL, 0, NULL, 0}};
	/* --exchange and --no-clobber belong only to mv. */
	static const struct option common_options[] = {REMOTE_LONG_OPTIONS, {NULL, 0, NULL, 0}};
	bool *const flags[256] = {
	    ['d'] = &run->directories, ['f'] = &run->force,      ['r'] = &run->recursive,
	    ['R'] = &run->recursive,   ['v'] = &run->verbose,    ['p'] = &run->parents,
	    ['s'] = &run->symbolic,    ['n'] = &run->no_replace, ['T'] = &run->target_is_name,
	};
	bool is_mv = !strcmp(run->remote.command, "mv");
	int option, code;

	while ((option = getopt_long(argc, argv, letters, is_mv ? long_options : common_options, NULL)) != -1) {
		if (option < 256 && flags[option])
			*flags[option] = true;
		else if (option == OPTION_EXCHANGE)
			run->exchange = true;
		else if (option == 'm' && (code = take_mode(run, mode)) >= 0)
			return code;
		else if (option != 'm' && (code = remote_option(&run->remote, option, help)) >= 0)
			return code;
	}
	if (optind == argc)
		return report_usage(run->remote.command, "which URL?");
	return -1;
}

int mv_main(int argc, char **argv)
{
	struct names_run run = {0};

	remote_init(&run.remote, "mv");
	int code = take_options(&run, argc, argv, "nT", mv_help, NULL);
	if (code < 0)
		code = move_all(&run, argc - optind, argv + optind);
	remote_done(&run.remote);
	return code;
}

int rm_main(int argc, char **argv)
{
	struct names_run run = {0};

	remote_init(&run.remote, "rm");
	int code = take_options(&run, argc, argv, "dfrRv", rm_help, NULL);
	if (code < 0)
		code = remove_all(&run, argc - optind, argv + optind);
	remote_done(&run.remote);
	return code;
}

int mkdir_main(int argc, char **argv)
{
	struct names_run run = {0};

	run.umask = umask(0);
	umask(run.umask);
	mode_t mode = MODE_NOT_GIVEN;
	remote_init(&run.remote, "mkdir");
	int code = take_options(&run, argc, argv, "m:p", mkdir_help, &mode);
	if (code < 0)
		code = make_directories(&run, argc - optind, argv + optind, mode);
	remote_done(&run.remote);
	return code;
}

int ln_main(int argc, char **argv)
{
	struct names_run run = {0};

	remote_init(&run.remote, "ln");
	int code = take_options(&run, argc, argv, "fs", ln_help, NULL);
	if (code < 0)
		code = argc - optind == 2
		           ? make_link(&run, argv[optind], argv[optind + 1])
		           : report_usage("ln", "two arguments are asked for: the target and the new name");
	remote_done(&run.remote);
	return code;
}
