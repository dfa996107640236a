/*
 * fsck.c -- `farnova fsck`: checks an unmounted pool, shows the errors, and repairs them with --repair.
 */
#include "server/pool/cmd/pool_commands.h"

#include "common/clock.h"
#include "common/json.h"
#include "common/pm/pm.h"
#include "server/nova/nova.h"
#include "server/pool/check/check.h"
#include "server/pool/cmd/options.h"
#include "server/pool/repair/repair.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define PROGRESS_AFTER_NS 1000000000LL

enum { EXIT_CLEAN = 0, EXIT_REPAIRED = 1, EXIT_ERRORS = 4 };

static const char usage[] =
    "Usage: farnova fsck [OPTION]... POOL\n"
    "Check the farnova pool POOL, which no server may be using. Nothing is changed without --repair. Changes that the\n"
    "next mount will recover from the journal are no errors.\n"
    "\n"
    "  -r, --repair     repair what can be repaired, and show each step; inodes without a name go to /lost+found.\n"
    "                   A repair may lose data: first copy the pool, or save its files with `farnovad --rescue`\n"
    "  -v, --verbose    also count what is in the pool\n"
    "      --json       write one JSON object\n"
    "      --help       show this\n"
    "\n"
    "Exit code: 0 clean, 1 errors were repaired, 4 errors are left, 8 could not check, 2 usage.\n";

struct options {
	const char *path;
	bool verbose;
	bool as_json;
	bool repair;
};

struct view {
	const struct options *options;
	struct json json;
	int64_t start_ns;
	bool progress_shown;
	int percent;
	const char *array; /* the JSON array that is open */
};

static int parse(int argc, char **argv, struct options *options)
{
	static const struct option long_options[] = {
	    {"repair", no_argument, NULL, 'r'},
	    {"verbose", no_argument, NULL, 'v'},
	    {"json", no_argument, NULL, 'j'},
	    POOL_HELP_OPTION,
	    {NULL, 0, NULL, 0},
	};
	int c;

	*options = (struct options){0};
	optind = 0;
	while ((c = getopt_long(argc, argv, "rv", long_options, NULL)) != -1) {
		switch (c) {
		case 'r':
			options->repair = true;
			break;
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

static void show_progress(struct view *view, const char *what, uint64_t done, uint64_t total)
{
	int percent = (int)(done * 100 / total);

	if (percent == view->percent || clock_now_ns() - view->start_ns < PROGRESS_AFTER_NS)
		return;
	view->percent = percent;
	fprintf(stderr, "\r\033[Kchecking %s: %s %d%%", view->options->path, what, percent);
	fflush(stderr);
	view->progress_shown = true;
}

static void check_progressed(struct check_report *report, const char *what, uint64_t done, uint64_t total)
{
	show_progress(report->context, what, done, total);
}

static void repair_progressed(struct repair_report *report, const char *what, uint64_t done, uint64_t total)
{
	show_progress(report->context, what, done, total);
}

/* Text that quotes names from the medium must not drive the terminal. */
static void print_plain(const char *text)
{
	for (const unsigned char *p = (const unsigned char *)text; *p; p++)
		putchar(*p < 0x20 || *p == 0x7f ? '?' : *p);
}

static void show_finding(struct view *view, const struct check_finding *finding, const char *prefix)
{
	clear_progress(view);
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
	printf("%s%s", prefix, finding->part);
	if (finding->ino)
		printf(" inode %llu", (unsigned long long)finding->ino);
	else if (finding->block)
		printf(" block %llu", (unsigned long long)finding->block);
	fputs(": ", stdout);
	print_plain(finding->text);
	putchar('\n');
}

static void checked(struct check_report *report, const struct check_finding *finding)
{
	show_finding(report->context, finding, "");
}

/* In JSON the findings, the repairs and the errors that are left are arrays, one after the other. */
static void enter_part(struct view *view, const char *name)
{
	if (!view->options->as_json || strcmp(view->array, name) == 0)
		return;
	json_close(&view->json, ']');
	json_open(&view->json, name, '[');
	view->array = name;
}

static void found(struct repair_report *report, const struct check_finding *finding)
{
	show_finding(report->context, finding, "");
}

static void repaired(struct repair_report *report, const struct check_finding *step)
{
	enter_part(report->context, "repairs");
	show_finding(report->context, step, "repaired: ");
}

static void left(struct repair_report *report, const struct check_finding *finding)
{
	enter_part(report->context, "left");
	show_finding(report->context, finding, "left: ");
}

/* Called after the findings and before the counts. */
static void show_project(struct check_report *report, const struct check_project *project)
{
	struct view *view = report->context;

	if (view->options->as_json) {
		enter_part(view, "projects");
		json_open(&view->json, NULL, '{');
		json_number(&view->json, "project", project->id);
		json_number(&view->json, "blocks", project->blocks);
		json_number(&view->json, "block_limit", project->block_limit);
		json_number(&view->json, "inodes", project->inodes);
		json_number(&view->json, "inode_limit", project->inode_limit);
		json_close(&view->json, '}');
	} else if (view->options->verbose) {
		clear_progress(view);
		printf("project %u: %llu blocks", project->id, (unsigned long long)project->blocks);
		if (project->block_limit)
			printf(" of %llu", (unsigned long long)project->block_limit);
		printf(", %llu inodes", (unsigned long long)project->inodes);
		if (project->inode_limit)
			printf(" of %llu", (unsigned long long)project->inode_limit);
		putchar('\n');
	}
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
    {"records", "journal records read", offsetof(struct check_report, replayed_records)},
};

static uint64_t count_of(const struct check_report *report, size_t i)
{
	uint64_t value;

	memcpy(&value, (const char *)report + counts[i].offset, sizeof(value));
	return value;
}

static void show_result(struct view *view, const struct check_report *report, uint64_t errors, uint64_t repairs)
{
	const size_t n = sizeof(counts) / sizeof(counts[0]);

	clear_progress(view);
	if (view->options->as_json) {
		json_close(&view->json, ']');
		json_number(&view->json, "errors", errors);
		if (view->options->repair) {
			json_number(&view->json, "repairs_made", repairs);
			json_number(&view->json, "errors_left", report->errors);
		}
		json_bool(&view->json, "unmounted_cleanly", report->clean);
		for (size_t i = 0; i < n; i++)
			json_number(&view->json, counts[i].name, count_of(report, i));
		json_close(&view->json, '}');
		putchar('\n');
		return;
	}
	if (view->options->verbose)
		for (size_t i = 0; i < n; i++)
			printf("%12llu %s\n", (unsigned long long)count_of(report, i), counts[i].text);
	if (errors)
		printf("%s: %llu error%s found\n", view->options->path, (unsigned long long)errors,
		       errors == 1 ? "" : "s");
	if (errors && view->options->repair)
		printf("%s: %llu repair%s made, %llu error%s left\n", view->options->path, (unsigned long long)repairs,
		       repairs == 1 ? "" : "s", (unsigned long long)report->errors, report->errors == 1 ? "" : "s");
	if (!errors)
		printf("%s: consistent%s\n", view->options->path,
		       report->clean ? "" : " (not unmounted cleanly; the next mount recovers it)");
}

/* Returns the exit code, or -errno if the pool could not be checked. */
static int check_only(struct view *view, const struct pm *pm)
{
	struct check_report report = {.finding = checked, .project = show_project, .context = view};
	int rc;

	if (isatty(STDERR_FILENO))
		report.progress = check_progressed;
	rc = nova_check(pm->base, pm->size, &report);
	if (rc < 0)
		return rc;
	show_result(view, &report, report.errors, 0);
	return rc ? EXIT_ERRORS : EXIT_CLEAN;
}

static int check_and_repair(struct view *view, struct pm *pm)
{
	struct repair_report report = {.found = found, .repaired = repaired, .left = left, .context = view};
	int rc;

	if (isatty(STDERR_FILENO))
		report.progress = repair_progressed;
	rc = pool_repair(pm, &report);
	if (rc < 0)
		return rc;
	show_result(view, &report.check, report.errors, report.repairs);
	return rc == 0 ? EXIT_CLEAN : rc == 1 ? EXIT_REPAIRED : EXIT_ERRORS;
}

static const char *reason(int error)
{
	if (error == -EPROTONOSUPPORT)
		return "its version or features are not those that this program can write; use the farnova that fits";
	return strerror(-error);
}

int pool_fsck_main(int argc, char **argv)
{
	struct options options;
	struct view view = {.options = &options, .json = {stdout, true}, .array = "findings", .percent = -1};
	char why[512];
	struct pm pm;
	int rc;

	rc = parse(argc, argv, &options);
	if (rc)
		return pool_parse_result(rc);
	rc = pm_open(options.path, !options.repair, &pm, why, sizeof(why));
	if (rc) {
		fprintf(stderr, "farnova fsck: %s\n", why);
		return POOL_FSCK_OPERATIONAL;
	}
	/* A pool too damaged to tell is repaired. */
	if (options.repair && nova_served(&pm, why, sizeof(why)) == -EBUSY) {
		fprintf(stderr, "farnova fsck: %s\n", why);
		pm_close(&pm);
		return POOL_FSCK_OPERATIONAL;
	}
	view.start_ns = clock_now_ns();
	if (options.as_json) {
		json_open(&view.json, NULL, '{');
		json_text(&view.json, "pool", options.path);
		json_open(&view.json, view.array, '[');
	}
	rc = options.repair ? check_and_repair(&view, &pm) : check_only(&view, &pm);
	pm_close(&pm);
	if (rc < 0) {
		clear_progress(&view);
		fprintf(stderr, "farnova fsck: cannot %s '%s': %s\n", options.repair ? "repair" : "check", options.path,
		        reason(rc));
		return POOL_FSCK_OPERATIONAL;
	}
	return rc;
}
