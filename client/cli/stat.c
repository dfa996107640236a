/*
 * stat.c -- `farnova stat`: all attributes of files, and `farnova df`: the space of a file system.
 */
#include "client/cli/attributes.h"
#include "client/cli/command.h"
#include "client/cli/remote.h"
#include "client/cli/report.h"
#include "client/cli/text.h"
#include "common/file_type.h"

#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <time.h>

static const char stat_help[] = "Usage: farnova stat [OPTION]... URL...\n"
                                "Show everything about files; of a symbolic link, about the link.\n\n"
                                "  -L                  follow symbolic links\n"
                                "      --json          a JSON array with an object for each file\n" REMOTE_HELP;

static const char df_help[] = "Usage: farnova df [OPTION]... URL...\n"
                              "Show how full the file systems of servers are.\n\n"
                              "  -h                  sizes like 1.5G instead of KiB\n"
                              "      --json          a JSON array with an object for each server, sizes in bytes\n" //
    REMOTE_HELP;

static void print_time(const char *label, const struct timespec *when)
{
	char text[32], zone[8];
	struct tm tm;

	localtime_r(&when->tv_sec, &tm);
	strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", &tm);
	strftime(zone, sizeof(zone), "%z", &tm);
	printf("%8s: %s.%09ld %s\n", label, text, when->tv_nsec, zone);
}

static void print_stat(const char *url, const struct farnova_statx *all, const char *target)
{
	const struct stat *st = &all->stat;
	char mode[11];

	printf("%8s: ", "File");
	print_name(stdout, url);
	if (*target) {
		printf(" -> ");
		print_name(stdout, target);
	}
	printf("\n%8s: %-12lld %8s: %-8lld %8s: %s\n", "Size", (long long)st->st_size, "Blocks",
	       (long long)st->st_blocks, "Type", file_type_name(st->st_mode));
	printf("%8s: %-12llu %8s: %-8lu", "Inode", (unsigned long long)st->st_ino, "Links",
	       (unsigned long)st->st_nlink);
	if (S_ISBLK(st->st_mode) || S_ISCHR(st->st_mode))
		printf(" %8s: %u,%u", "Device", major(st->st_rdev), minor(st->st_rdev));
	printf("\n%8s: %04o/%s   Uid: %u   Gid: %u\n", "Mode", st->st_mode & 07777, mode_text(st->st_mode, mode),
	       st->st_uid, st->st_gid);
	if (all->flags) {
		printf("%8s: ", "Flags");
		print_flags(stdout, all->flags);
		putchar('\n');
	}
	print_time("Access", &st->st_atim);
	print_time("Modify", &st->st_mtim);
	print_time("Change", &st->st_ctim);
	print_time("Birth", &all->birth);
	if (all->project)
		printf("%8s: %" PRIu32 "\n", "Project", all->project);
}

static void print_stat_json(struct json *json, const char *url, const struct farnova_statx *all, const char *target)
{
	const struct stat *st = &all->stat;

	json_open(json, NULL, '{');
	json_text(json, "url", url);
	json_stat(json, st);
	json_open(json, "rdev", '[');
	json_number(json, NULL, major(st->st_rdev));
	json_number(json, NULL, minor(st->st_rdev));
	json_close(json, ']');
	flags_json(json, "flags", all->flags);
	json_time(json, "atime", st->st_atim.tv_sec, st->st_atim.tv_nsec);
	json_time(json, "mtime", st->st_mtim.tv_sec, st->st_mtim.tv_nsec);
	json_time(json, "ctime", st->st_ctim.tv_sec, st->st_ctim.tv_nsec);
	json_time(json, "btime", all->birth.tv_sec, all->birth.tv_nsec);
	json_number(json, "project", all->project);
	if (*target)
		json_text(json, "target", target);
	json_close(json, '}');
}

struct stat_run {
	struct remote remote;
	bool as_json, follow, human;
	bool printed;
	struct json json;
};

static int stat_url(struct stat_run *run, const char *url)
{
	char target[PATH_MAX] = "";
	struct farnova *fs;
	const char *path;
	struct farnova_statx all = {.size = sizeof(all)};

	int code = remote_open(&run->remote, url, &fs, &path);
	if (code)
		return code;
	if (farnova_statx(fs, path, run->follow ? 0 : AT_SYMLINK_NOFOLLOW, &all)) {
		report_remote("stat", url);
		return EXIT_FAILED;
	}
	if (S_ISLNK(all.stat.st_mode)) {
		ssize_t length = farnova_readlink(fs, path, target, sizeof(target) - 1);
		if (length < 0) {
			report_remote("stat", url);
			return EXIT_FAILED;
		}
		target[length] = 0;
	}
	if (run->as_json) {
		print_stat_json(&run->json, url, &all, target);
	} else {
		if (run->printed)
			putchar('\n');
		print_stat(url, &all, target);
	}
	run->printed = true;
	return EXIT_OK;
}

static int df_url(struct stat_run *run, const char *url)
{
	struct farnova *fs;
	const char *path;
	struct statvfs st;

	int code = remote_open(&run->remote, url, &fs, &path);
	if (code)
		return code;
	if (farnova_statvfs_of(fs, path, &st)) {
		report_remote("df", url);
		return EXIT_FAILED;
	}
	uint64_t size = (uint64_t)st.f_blocks * st.f_frsize, available = (uint64_t)st.f_bavail * st.f_frsize;
	uint64_t used = (uint64_t)(st.f_blocks - st.f_bfree) * st.f_frsize;
	uint64_t inodes = st.f_files - st.f_ffree;
	if (run->as_json) {
		json_open(&run->json, NULL, '{');
		json_text(&run->json, "url", url);
		json_number(&run->json, "size", size);
		json_number(&run->json, "used", used);
		json_number(&run->json, "available", available);
		json_number(&run->json, "inodes", inodes);
		json_text(&run->json, "transport", farnova_transport(fs));
		json_close(&run->json, '}');
		return EXIT_OK;
	}
	if (!run->printed)
		printf("%12s %12s %12s %5s %10s  %-9s %s\n", run->human ? "Size" : "KiB", "Used", "Available", "Use%",
		       "Inodes", "Transport", "URL");
	char texts[3][24];
	const uint64_t values[3] = {size, used, available};
	for (int i = 0; i < 3; i++) {
		if (run->human)
			human_size(values[i], texts[i]);
		else
			snprintf(texts[i], sizeof(texts[i]), "%" PRIu64, values[i] / 1024);
	}
	uint64_t reachable = used + available;
	printf("%12s %12s %12s %4" PRIu64 "%% %10" PRIu64 "  %-9s ", texts[0], texts[1], texts[2],
	       reachable ? (used * 100 + reachable - 1) / reachable : 0, inodes, farnova_transport(fs));
	print_name(stdout, url);
	putchar('\n');
	run->printed = true;
	return EXIT_OK;
}

static int run_urls(struct stat_run *run, int argc, char **argv, const char *letters, const char *help,
                    int (*one)(struct stat_run *run, const char *url))
{
	static const struct option long_options[] = {
	    REMOTE_LONG_OPTIONS, {"json", no_argument, NULL, OPTION_JSON}, {NULL, 0, NULL, 0}};
	int option, code;

	while ((option = getopt_long(argc, argv, letters, long_options, NULL)) != -1) {
		if (option == OPTION_JSON)
			run->as_json = true;
		else if (option == 'L')
			run->follow = true;
		else if (option == 'h')
			run->human = true;
		else if ((code = remote_option(&run->remote, option, help)) >= 0)
			return code;
	}
	if (optind == argc)
		return report_usage(run->remote.command, "which URL?");

	code = EXIT_OK;
	run->json = (struct json){stdout, true};
	if (run->as_json)
		json_open(&run->json, NULL, '[');
	for (int i = optind; i < argc; i++) {
		int result = one(run, argv[i]);
		if (result > code)
			code = result;
	}
	if (run->as_json) {
		json_close(&run->json, ']');
		putchar('\n');
	}
	remote_done(&run->remote);
	return code;
}

int stat_main(int argc, char **argv)
{
	struct stat_run run = {0};

	remote_init(&run.remote, "stat");
	return run_urls(&run, argc, argv, "L", stat_help, stat_url);
}

int df_main(int argc, char **argv)
{
	struct stat_run run = {0};

	remote_init(&run.remote, "df");
	return run_urls(&run, argc, argv, "h", df_help, df_url);
}
