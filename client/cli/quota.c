/*
 * quota.c -- `farnova quota`: usage and limits of directory trees.
 */
#include "client/cli/command.h"
#include "client/cli/remote.h"
#include "client/cli/report.h"
#include "client/cli/text.h"
#include "common/json.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

static const char quota_help[] =
    "Usage: farnova quota show [OPTION]... URL...\n"
    "       farnova quota list [OPTION]... URL\n"
    "       farnova quota set [OPTION]... URL\n"
    "Show what the project of a directory uses and may use, list all projects of a file system,\n"
    "or set a project's limits. A project is a number that files carry; what is made in a directory of\n"
    "a project belongs to it. Only the superuser sets anything.\n\n"
    "      --project N     set: all under URL belongs to project N from now on; 0 is none\n"
    "      --size SIZE     set: no more bytes than this, with a suffix K, M, G or T; 0 is no limit\n"
    "      --files N       set: no more files and directories than this; 0 is no limit\n"
    "      --json          show, list: write JSON\n" REMOTE_HELP;

struct quota_run {
	struct remote remote;
	bool as_json, printed;
	struct json json;
	bool set_project, set_size, set_files;
	uint32_t project;
	uint64_t size, files;
};

static int fail(const char *url)
{
	report_remote("quota", url);
	return EXIT_FAILED;
}

/* ---- show ------------------------------------------------------------------------------------------------------- */

static void print_limit(uint64_t used, uint64_t limit, bool bytes)
{
	char text[24];

	printf(" %10s", bytes ? human_size(used, text) : (snprintf(text, sizeof(text), "%" PRIu64, used), text));
	if (!limit)
		printf(" %10s", "-");
	else
		printf(" %10s",
		       bytes ? human_size(limit, text) : (snprintf(text, sizeof(text), "%" PRIu64, limit), text));
}

static void print_quota(struct quota_run *run, const struct farnova_quota *quota, const char *url)
{
	if (run->as_json) {
		json_open(&run->json, NULL, '{');
		json_text(&run->json, "url", url);
		json_number(&run->json, "project", quota->project);
		json_number(&run->json, "bytes", quota->bytes);
		json_number(&run->json, "byte_limit", quota->byte_limit);
		json_number(&run->json, "files", quota->files);
		json_number(&run->json, "file_limit", quota->file_limit);
		json_close(&run->json, '}');
	} else {
		if (!run->printed)
			printf("%10s %10s %10s %10s %10s  %s\n", "Project", "Bytes", "Limit", "Files", "Limit", "URL");
		printf("%10" PRIu32, quota->project);
		print_limit(quota->bytes, quota->byte_limit, true);
		print_limit(quota->files, quota->file_limit, false);
		printf("  ");
		print_name(stdout, url);
		putchar('\n');
	}
	run->printed = true;
}

static int show(struct quota_run *run, struct farnova *fs, const char *url, const char *path)
{
	struct farnova_statx st = {.size = sizeof(st)};
	struct farnova_quota quota;

	if (farnova_statx(fs, path, AT_SYMLINK_NOFOLLOW, &st))
		return fail(url);
	if (st.project == 0) {
		report_error("quota", "%s belongs to no project; give it one with `farnova quota set --project N`",
		             url);
		return EXIT_FAILED;
	}
	if (farnova_quota_get(fs, st.project, &quota))
		return fail(url);
	print_quota(run, &quota, url);
	return EXIT_OK;
}

static int list(struct quota_run *run, struct farnova *fs, const char *url, const char *path)
{
	struct farnova_quota quota;
	uint32_t project = 1;

	while (farnova_quota_next(fs, project, &quota) == 0) {
		print_quota(run, &quota, url);
		if (quota.project == UINT32_MAX)
			return EXIT_OK;
		project = quota.project + 1;
	}
	return errno == ENOENT ? EXIT_OK : fail(url);
}

/* ---- set -------------------------------------------------------------------------------------------------------- */

static int assign(struct quota_run *run, struct farnova *fs, const char *path);

static int assign_names(struct quota_run *run, struct farnova *fs, const char *path)
{
	struct farnova_dir *dir = farnova_opendir(fs, path);
	const struct dirent *entry;
	int code = EXIT_OK;

	if (!dir)
		return fail(path);
	while ((errno = 0, entry = farnova_readdir(dir)) != NULL) {
		char *under;
		int result;

		if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
			continue;
		if (asprintf(&under, "%s/%s", path, entry->d_name) < 0) {
			code = EXIT_FAILED;
			break;
		}
		result = assign(run, fs, under);
		code = result > code ? result : code;
		free(under);
	}
	if (errno)
		code = fail(path);
	farnova_closedir(dir);
	return code;
}

/* Set the directory first, so that new files in it already get the project. */
static int assign(struct quota_run *run, struct farnova *fs, const char *path)
{
	struct stat st;

	if (farnova_setproject(fs, path, run->project) || farnova_lstat(fs, path, &st))
		return fail(path);
	return S_ISDIR(st.st_mode) ? assign_names(run, fs, path) : EXIT_OK;
}

static int set(struct quota_run *run, struct farnova *fs, const char *url, const char *path)
{
	struct farnova_statx st = {.size = sizeof(st)};
	struct farnova_quota quota;
	int code = EXIT_OK;

	if (!run->set_project && !run->set_size && !run->set_files)
		return report_usage("quota", "what to set? Say --project, --size or --files");
	if (run->set_project && run->project == 0 && (run->set_size || run->set_files))
		return report_usage("quota", "project 0 is none and has no limits");
	/* Set the limits first, so that they apply from the first file of the project on. */
	if (run->set_size || run->set_files) {
		if (!run->set_project) {
			if (farnova_statx(fs, path, AT_SYMLINK_NOFOLLOW, &st))
				return fail(url);
			if (st.project == 0)
				return report_usage("quota", "%s belongs to no project: say which with --project", url);
			run->project = st.project;
		}
		if (farnova_quota_get(fs, run->project, &quota) ||
		    farnova_quota_set(fs, run->project, run->set_size ? run->size : quota.byte_limit,
		                      run->set_files ? run->files : quota.file_limit))
			return fail(url);
	}
	if (run->set_project)
		code = assign(run, fs, path);
	return code;
}

/* ---- the command line ------------------------------------------------------------------------------------------- */

static bool parse_number(const char *text, bool suffix, uint64_t max, uint64_t *out)
{
	static const char units[] = "KMGT";
	char *end;

	errno = 0;
	*out = strtoull(text, &end, 10);
	if (!isdigit((unsigned char)text[0]) || errno)
		return false;
	if (suffix && *end && strchr(units, *end)) {
		unsigned shift = 10 * (unsigned)(strchr(units, *end) - units + 1);

		if (*out > UINT64_MAX >> shift)
			return false;
		*out <<= shift;
		end++;
	}
	return !*end && *out <= max;
}

static int take_options(struct quota_run *run, int argc, char **argv)
{
	enum { OPTION_PROJECT = OPTION_COMMAND, OPTION_SIZE, OPTION_FILES };
	static const struct option long_options[] = {REMOTE_LONG_OPTIONS,
	                                             {"project", required_argument, NULL, OPTION_PROJECT},
	                                             {"size", required_argument, NULL, OPTION_SIZE},
	                                             {"files", required_argument, NULL, OPTION_FILES},
	                                             {"json", no_argument, NULL, OPTION_JSON},
	                                             {NULL, 0, NULL, 0}};
	int option, code;

	while ((option = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
		uint64_t number = 0;
		bool good = true;

		if (option == OPTION_PROJECT) {
			good = run->set_project = parse_number(optarg, false, UINT32_MAX, &number);
			run->project = (uint32_t)number;
		} else if (option == OPTION_SIZE) {
			good = run->set_size = parse_number(optarg, true, UINT64_MAX, &run->size);
		} else if (option == OPTION_FILES) {
			good = run->set_files = parse_number(optarg, false, UINT64_MAX, &run->files);
		} else if (option == OPTION_JSON) {
			run->as_json = true;
		} else if ((code = remote_option(&run->remote, option, quota_help)) >= 0) {
			return code;
		}
		if (!good)
			return report_usage("quota", "cannot understand '%s'", optarg);
	}
	return -1;
}

static const struct action {
	const char *word;
	bool one; /* accepts only one URL */
	int (*run)(struct quota_run *run, struct farnova *fs, const char *url, const char *path);
} actions[] = {{"show", false, show}, {"list", true, list}, {"set", true, set}};

static int run_action(struct quota_run *run, const struct action *action, int count, char **urls)
{
	int code = EXIT_OK;

	if (count == 0)
		return report_usage("quota", "which URL?");
	if (action->one && count != 1)
		return report_usage("quota", "`quota %s` takes one URL", action->word);
	run->json = (struct json){stdout, true};
	if (run->as_json)
		json_open(&run->json, NULL, '[');
	for (int i = 0; i < count; i++) {
		struct farnova *fs;
		const char *path;
		int result = remote_open(&run->remote, urls[i], &fs, &path);

		if (!result)
			result = action->run(run, fs, urls[i], path);
		code = result > code ? result : code;
	}
	if (run->as_json) {
		json_close(&run->json, ']');
		putchar('\n');
	}
	return code;
}

int quota_main(int argc, char **argv)
{
	const struct action *action = NULL;
	struct quota_run run = {0};

	remote_init(&run.remote, "quota");
	int code = take_options(&run, argc, argv);
	for (size_t i = 0; optind < argc && i < sizeof(actions) / sizeof(actions[0]); i++)
		if (strcmp(actions[i].word, argv[optind]) == 0)
			action = &actions[i];
	if (code < 0)
		code = action ? run_action(&run, action, argc - optind - 1, argv + optind + 1)
		              : report_usage("quota", "what to do? Say show, list or set");
	remote_done(&run.remote);
	return code;
}
