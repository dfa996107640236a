/*
 * progress_bar.c -- a line on the terminal with the progress of a long copy.
 */
#include "client/cli/progress_bar.h"

#include "client/cli/report.h"
#include "client/cli/text.h"

#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#define FIRST_AFTER 1.0
#define THEN_EVERY  0.2

static struct {
	bool enabled;
	bool visible;
	double started, shown;
	uint64_t files, bytes;
	const char *path;
	uint64_t file_size, file_bytes;
} progress;

static double seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

void progress_bar_start(bool enabled)
{
	memset(&progress, 0, sizeof(progress));
	progress.enabled = enabled && isatty(STDERR_FILENO);
	progress.started = progress.shown = seconds();
}

static int terminal_width(void)
{
	struct winsize size;

	return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 20 ? size.ws_col : 80;
}

static void show(double now)
{
	char total[24], rate[24], line[256], name[256];
	double elapsed = now - progress.started;
	unsigned percent = progress.file_size ? (unsigned)(progress.file_bytes * 100 / progress.file_size) : 100;

	int used =
	    snprintf(line, sizeof(line), "%lu files, %s, %s/s, %3u%% of ", (unsigned long)progress.files,
	             human_size(progress.bytes, total), human_size((uint64_t)((double)progress.bytes / elapsed), rate),
	             percent > 100 ? 100 : percent);
	int room = terminal_width() - used - 1;
	size_t length = strlen(progress.path);
	const char *tail = progress.path;
	if (room < 1)
		room = 1;
	if (room > (int)sizeof(name) - 1)
		room = sizeof(name) - 1;
	if (length > (size_t)room)
		tail += length - (size_t)room;
	snprintf(name, sizeof(name), "%s", tail);
	for (char *c = name; *c; c++)
		if ((unsigned char)*c < 0x20 || *c == 0x7f)
			*c = '?';
	fprintf(stderr, "\r\033[K%s%s", line, name);
	progress.visible = true;
	progress.shown = now;
}

static void tick(void)
{
	if (!progress.enabled || !progress.path)
		return;
	double now = seconds();
	if (now - progress.started >= FIRST_AFTER && now - progress.shown >= THEN_EVERY)
		show(now);
}

void progress_bar_file(const char *path, uint64_t size)
{
	progress.files++;
	progress.path = path;
	progress.file_size = size;
	progress.file_bytes = 0;
	tick();
}

void progress_bar_bytes(uint64_t count)
{
	progress.bytes += count;
	progress.file_bytes += count;
	tick();
}

void progress_bar_clear(void)
{
	if (!progress.visible)
		return;
	fprintf(stderr, "\r\033[K");
	progress.visible = false;
}

void progress_bar_finish(void)
{
	char total[24], rate[24];
	double elapsed = seconds() - progress.started;

	progress_bar_clear();
	if (progress.enabled && elapsed >= FIRST_AFTER)
		fprintf(stderr, "%lu files, %s in %.1f s (%s/s)\n", (unsigned long)progress.files,
		        human_size(progress.bytes, total), elapsed,
		        human_size((uint64_t)((double)progress.bytes / elapsed), rate));
	progress.enabled = false;
}
