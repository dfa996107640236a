/*
 * check_findings.c -- reports findings and progress, notes fixes, and grows the arrays of the check.
 */
#include "server/pool/check/check_internal.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

void check_say(struct check *check, const char *part, uint64_t ino, uint64_t block, const char *format, ...)
{
	struct check_finding finding = {.part = part, .ino = ino, .block = block};
	char text[320];
	va_list args;

	check->report->errors++;
	if (!check->report->finding)
		return;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	finding.text = text;
	check->report->finding(check->report, &finding);
}

void *check_grow(struct check *check, void *array, size_t count, size_t *room, size_t size)
{
	size_t wanted = *room ? *room * 2 : 16;
	void *grown;

	if (count < *room)
		return array;
	grown = reallocarray(array, wanted, size);
	if (!grown) {
		check->error = -ENOMEM;
		return NULL;
	}
	*room = wanted;
	return grown;
}

void check_fix(struct check *check, enum check_fix_kind kind, uint64_t ino, uint64_t a, uint64_t b, uint64_t c)
{
	struct check_fix *fixes;

	if (!check->repairing)
		return;
	fixes = check_grow(check, check->fixes, check->fix_count, &check->fix_room, sizeof(*fixes));
	if (!fixes)
		return;
	check->fixes = fixes;
	fixes[check->fix_count++] = (struct check_fix){kind, ino, a, b, c};
}

void check_progress(struct check *check, const char *what, uint64_t done, uint64_t total)
{
	if (check->report->progress)
		check->report->progress(check->report, what, done, total);
}

struct check_inode *check_find(const struct check *check, uint64_t ino)
{
	size_t low = 0, high = check->inode_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (check->inodes[middle].ino < ino)
			low = middle + 1;
		else
			high = middle;
	}
	return low < check->inode_count && check->inodes[low].ino == ino ? &check->inodes[low] : NULL;
}
