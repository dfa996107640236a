/*
 * medium.c -- the pool of the simulated server.
 */
#include "tests/sim/medium.h"

#include "server/nova/nova.h"
#include "server/pool/check/check.h"
#include "tests/sim/kernel.h"
#include "tests/sim/wrap.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/queue.h>

#define BUCKETS 4096u

/* A line that is not durable. */
struct line {
	struct line *next; /* in its bucket */
	LIST_ENTRY(line) entry;
	uint64_t offset;
	uint8_t durable[PM_LINE]; /* as it is for certain */
	uint8_t flushed[PM_LINE]; /* as it will be with the next fence of `thread` */
	unsigned thread;          /* 0: not on its way */
};

static uint8_t *base;
static uint64_t size;
static unsigned trap;
static struct line *buckets[BUCKETS];
static LIST_HEAD(, line) lines = LIST_HEAD_INITIALIZER(lines);

static struct line **place_of(uint64_t offset)
{
	struct line **at = &buckets[offset / PM_LINE % BUCKETS];

	while (*at && (*at)->offset != offset)
		at = &(*at)->next;
	return at;
}

static struct line *line_of(uint64_t offset)
{
	struct line **at = place_of(offset);

	if (!*at) {
		*at = calloc(1, sizeof(**at));
		if (!*at)
			sim_failed("out of memory");
		(*at)->offset = offset;
		memcpy((*at)->durable, base + offset, PM_LINE);
		LIST_INSERT_HEAD(&lines, *at, entry);
	}
	return *at;
}

static void forget(struct line *line)
{
	*place_of(line->offset) = line->next;
	LIST_REMOVE(line, entry);
	free(line);
}

/* What the thread has sent on its way before is as good as there when another one sends the same line: a fence of the
 * first promises it, and one of the second may come later. */
static void send(struct line *line)
{
	if (line->thread && line->thread != sim_self())
		memcpy(line->durable, line->flushed, PM_LINE);
	line->thread = sim_self();
}

/* The observer is called before the store, so what a store past the cache will leave is taken from its data. */
static void on_stored(const struct pm_event *event)
{
	uint64_t first = event->offset / PM_LINE * PM_LINE;

	for (uint64_t at = first; at < event->offset + event->length; at += PM_LINE) {
		struct line *line = line_of(at);

		if (event->type == PM_EV_SET8)
			continue;
		send(line);
		if (event->type == PM_EV_ZERO)
			memset(line->flushed, 0, PM_LINE);
		else
			memcpy(line->flushed, (const uint8_t *)event->data + (at - event->offset), PM_LINE);
	}
}

static void on_flush(const struct pm_event *event)
{
	uint64_t first = event->offset / PM_LINE * PM_LINE;

	for (uint64_t at = first; at < event->offset + event->length; at += PM_LINE) {
		struct line *line = *place_of(at);

		if (!line)
			continue;
		send(line);
		memcpy(line->flushed, base + at, PM_LINE);
	}
}

static void on_fence(void)
{
	struct line *line, *next;

	for (line = LIST_FIRST(&lines); line; line = next) {
		next = LIST_NEXT(line, entry);
		if (line->thread != sim_self())
			continue;
		line->thread = 0;
		memcpy(line->durable, line->flushed, PM_LINE);
		if (memcmp(base + line->offset, line->durable, PM_LINE) == 0)
			forget(line);
	}
}

void medium_trap(unsigned fences)
{
	trap = fences;
}

bool medium_trapped(int64_t until)
{
	while (trap > 0 && sim_now() < until)
		sim_wait(&trap, until);
	bool trapped = trap == 0;

	trap = 0;
	return trapped;
}

static void come_to_fence(void)
{
	if (trap == 0 || --trap > 0)
		return;
	sim_note("stops at a fence", 0, 0);
	sim_process_current()->frozen_until = SIM_FOREVER;
	sim_wake(&trap);
	sim_yield();
}

static void observe(struct pm_observer *self, const struct pm_event *event)
{
	(void)self;
	switch (event->type) {
	case PM_EV_COPY:
	case PM_EV_ZERO:
	case PM_EV_SET8:
		on_stored(event);
		break;
	case PM_EV_FLUSH:
		on_flush(event);
		break;
	case PM_EV_FENCE:
		sim_pass(100);
		come_to_fence();
		sim_point();
		on_fence();
		break;
	}
}

static struct pm_observer observer = {.event = observe};

int __wrap_pm_open(const char *path, bool read_only, struct pm *pm, char *why, size_t why_size)
{
	(void)path, (void)why, (void)why_size;
	pm_wrap(pm, base, size);
	pm->read_only = read_only;
	pm->observer = &observer;
	return 0;
}

void __wrap_pm_close(struct pm *pm)
{
	*pm = (struct pm){.fd = -1};
}

void __wrap_pm_populate(const struct pm *pm, uint64_t offset, uint64_t length)
{
	(void)pm, (void)offset, (void)length;
}

void medium_make(uint64_t bytes)
{
	const struct nova_format_options options = {.root_mode = 0777};
	struct pm pm;

	size = bytes;
	base = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (base == MAP_FAILED)
		sim_failed("no memory for a pool");
	pm_wrap(&pm, base, size);
	if (nova_format(&pm, &options) < 0)
		sim_failed("a pool of %llu bytes cannot be formatted", (unsigned long long)bytes);
}

void medium_fail_power(void)
{
	struct line *line;

	while ((line = LIST_FIRST(&lines)) != NULL) {
		for (unsigned word = 0; word < PM_LINE; word += 8)
			if (sim_chance(SIM_MEDIUM, 512))
				memcpy(base + line->offset + word, line->durable + word, 8);
		forget(line);
	}
}

static void print_finding(struct check_report *report, const struct check_finding *finding)
{
	(void)report;
	fprintf(stderr, "fsck: %s, inode %llu, block %llu: %s\n", finding->part, (unsigned long long)finding->ino,
	        (unsigned long long)finding->block, finding->text);
}

int medium_check(void)
{
	struct check_report report = {.finding = print_finding};

	return nova_check(base, size, &report);
}
