/*
 * fsck.c -- `farnova fsck`: checks a pool that nobody has mounted and tells what is wrong. It changes nothing.
 */
#include "server/pool/pool_commands.h"

#include "common/pm.h"
#include "server/pool/check.h"
#include "server/pool/json.h"
#include "server/pool/options.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { EXIT_CLEAN = 0, EXIT_ERRORS = 4, EXIT_OPERATIONAL = 8 };

static const char usage[] = "Usage: farnova fsck [OPTION]... POOL\n"
                            "Check the farnova pool POOL, which no server may be using. Nothing is changed: what a "
                            "mount would recover from\n"
                            "its journals is taken into account, and is no error.\n"
                            "\n"
                            "  -v, --verbose    also tell what is in the pool\n"
                            "      --json       write one JSON object\n"
                            "      --help       show this\n"
                            "\n"
                            "Exit code: 0 clean, 4 errors found, 8 could not check, 2 usage.\n";

struct options {
	const char *path;
	bool verbose;
	bool as_json;
};

struct view {
	const struct options *options;
	struct json json;
	struct timespec start;
	bool progress_shown;
	int percent;
};

static int parse(int argc, char **argv, struct options *options)
{
	static const struct option long_options[] = {
	    {"verbose", no_argument, NULL, 'v'},
	    {"json", no_argument, NULL, 'j'},
	    POOL_HELP_OPTION,
	    {NULL, 0, NULL, 0},
	};
	int c;

	*options = (struct options){0};
	optind = 0;
	while ((c = getopt_long(argc, argv, "v", long_options, NULL)) != -1) {
		switch (c) {
		case 'v':
			options->verbose = true;
			break;
		case 'j':
			options->as_json = true;
			break;
		default:
			return pool_other_option(c, "fsck", usage);
		}
	}
	return pool_one_path(argc, argv, "fsck", &options->path);
}

static void clear_progress(struct view *view)
{
	if (view->progress_shown)
		fputs("\r\033[K", stderr);
	view->progress_shown = false;
}

static void show_progress(struct check_report *report, uint64_t done, uint64_t total)
{
	struct view *view = report->context;
	int percent = (int)(done * 100 / total);
	struct timespec now;

	if (percent == view->percent)
		return;
	view->percent = percent;
	clock_gettime(CLOCK_MONOTONIC, &now);
	if (now.tv_sec - view->start.tv_sec < 2)
		return;
	fprintf(stderr, "\rchecking %s: %d%%", view->options->path, percent);
	fflush(stderr);
	view->progress_shown = true;
}

/* Text that quotes names from the medium must not drive the terminal. */
static void print_plain(const char *text)
{
	for (const unsigned char *p = (const unsigned char *)text; *p; p++)
		putchar(*p < 0x20 || *p == 0x7f ? '?' : *p);
}

static void show_finding(struct check_report *report, const struct check_finding *finding)
{
	struct view *view = report->context;

	if (view->options->as_json) {
		json_open(&view->json, NULL, '{');
		json_text(&view->json, "part", finding->part);
		if (finding->ino)
			json_number(&view->json, "inode", finding->ino);
		if (finding->block)
			json_number(&view->json, "block", finding->block);
		json_text(&view->json, "text", finding->text);
		json_close(&view->json, '}');
		return;
	}
	clear_progress(view);
	printf("%s", finding->part);
	if (finding->ino)
		printf(" inode %llu", (unsigned long long)finding->ino);
	else if (finding->block)
		printf(" block %llu", (unsigned long long)finding->block);
	fputs(": ", stdout);
	print_plain(finding->text);
	putchar('\n');
}

static const struct {
	const char *name;
	const char *text;
	size_t offset;
} counts[] = {
    {"files", "files", offsetof(struct check_report, files)},
    {"directories", "directories", offsetof(struct check_report, directories)},
    {"symlinks", "symlinks", offsetof(struct check_report, symlinks)},
    {"others", "FIFOs, sockets and devices", offsetof(struct check_report, others)},
    {"names", "names", offsetof(struct check_report, names)},
    {"orphans", "orphans (removed while open; the server reclaims them)", offsetof(struct check_report, orphans)},
    {"log_pages", "log pages", offsetof(struct check_report, log_pages)},
    {"data_blocks", "data blocks", offsetof(struct check_report, data_blocks)},
    {"slot_chunks", "chunks of inode slots", offsetof(struct check_report, slot_chunks)},
    {"blocks", "blocks in the pool", offsetof(struct check_report, blocks)},
    {"free_blocks", "free blocks", offsetof(struct check_report, free_blocks)},
    {"records", "journal records looked at", offsetof(struct check_report, replayed_records)},
};

static uint64_t count_of(const struct check_report *report, size_t i)
{
	uint64_t value;

	memcpy(&value, (const char *)report + counts[i].offset, sizeof(value));
	return value;
}

static void show_result(struct view *view, const struct check_report *report)
{
	const size_t n = sizeof(counts) / sizeof(counts[0]);

	if (view->options->as_json) {
		json_close(&view->json, ']');
		json_number(&view->json, "errors", report->errors);
		json_bool(&view->json, "unmounted_cleanly", report->clean);
		for (size_t i = 0; i < n; i++)
			json_number(&view->json, counts[i].name, count_of(report, i));
		json_close(&view->json, '}');
		putchar('\n');
		return;
	}
	clear_progress(view);
	if (view->options->verbose)
		for (size_t i = 0; i < n; i++)
			printf("%12llu %s\n", (unsigned long long)count_of(report, i), counts[i].text);
	if (report->errors)
		printf("%s: %llu error%s found\n", view->options->path, (unsigned long long)report->errors,
		       report->errors == 1 ? "" : "s");
	else
		printf("%s: consistent%s\n", view->options->path,
		       report->clean ? "" : " (not unmounted cleanly; the next mount recovers it)");
}

int pool_fsck_main(int argc, char **argv)
{
	struct options options;
	struct view view = {.options = &options, .json = {stdout, true}};
	struct check_report report = {.finding = show_finding, .context = &view};
	char why[512];
	struct pm pm;
	int rc;

	rc = parse(argc, argv, &options);
	if (rc)
		return pool_parse_result(rc);
	rc = pm_open(options.path, true, &pm, why, sizeof(why));
	if (rc) {
		fprintf(stderr, "farnova fsck: %s\n", why);
		return EXIT_OPERATIONAL;
	}
	clock_gettime(CLOCK_MONOTONIC, &view.start);
	if (isatty(STDERR_FILENO))
		report.progress = show_progress;
	if (options.as_json) {
		json_open(&view.json, NULL, '{');
		json_text(&view.json, "pool", options.path);
		json_open(&view.json, "findings", '[');
	}
	rc = nova_check(pm.base, pm.size, &report);
	pm_close(&pm);
	if (rc < 0) {
		clear_progress(&view);
		fprintf(stderr, "farnova fsck: cannot check '%s': %s\n", options.path, strerror(-rc));
		return EXIT_OPERATIONAL;
	}
	show_result(&view, &report);
	if (fflush(stdout) != 0) {
		perror("farnova fsck: cannot write the result");
		return EXIT_OPERATIONAL;
	}
	return rc ? EXIT_ERRORS : EXIT_CLEAN;
}
