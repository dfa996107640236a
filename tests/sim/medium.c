/*
 * medium.c -- the pool of the simulated server.
 */
#include "tests/sim/medium.h"

#include "server/nova/nova.h"
#include "server/pool/check/check.h"
#include "tests/crash/images.h"
#include "tests/sim/kernel.h"
#include "tests/sim/wrap.h"

#include <stdio.h>

static struct sparse memory;
static struct trace trace;
static struct images images;
static struct {
	enum medium_moment moment;
	unsigned count; /* 0: none */
} trap;

/* Tell the images of what was recorded since. */
static void follow(void)
{
	for (size_t i = 0; i < trace.count; i++)
		images_step(&images, &trace, &trace.events[i]);
	trace_clear(&trace);
}

void medium_trap(enum medium_moment moment, unsigned count)
{
	trap.moment = moment;
	trap.count = count;
}

bool medium_trapped(int64_t until)
{
	while (trap.count > 0 && sim_now() < until)
		sim_wait(&trap, until);
	bool trapped = trap.count == 0;

	trap.count = 0;
	return trapped;
}

static void come_to(enum medium_moment moment)
{
	if (trap.moment != moment || trap.count == 0 || --trap.count > 0)
		return;
	sim_note("stops at a fence or store", moment, 0);
	sim_process_current()->frozen_until = SIM_FOREVER;
	sim_wake(&trap);
	sim_yield();
}

/* Nobody else may run between the record of a store and the store itself: a kill there would leave another image. */
static void observe(struct pm_observer *self, const struct pm_event *event)
{
	(void)self;
	if (event->type == PM_EV_FENCE) {
		sim_pass(100);
		come_to(MEDIUM_FENCE);
		sim_point();
	} else if (event->type != PM_EV_FLUSH) {
		come_to(MEDIUM_STORE);
	}
	trace_add(&trace, event);
	if (event->type == PM_EV_FENCE)
		follow();
}

static struct pm_observer observer = {.event = observe};

int __wrap_pm_open(const char *path, bool read_only, struct pm *pm, char *why, size_t why_size)
{
	(void)path, (void)why, (void)why_size;
	pm_wrap(pm, memory.base, memory.size);
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

	sparse_init(&memory, bytes);
	trace_init(&trace, &memory);
	pm_wrap(&pm, memory.base, memory.size);
	pm.observer = &trace.observer;
	if (nova_format(&pm, &options) < 0)
		sim_failed("a pool of %llu bytes cannot be formatted", (unsigned long long)bytes);
	trace_clear(&trace);
	images_init(&images, &memory);
}

void medium_fail_power(void)
{
	size_t pending;

	follow();
	pending = images.pending_count;
	sim_note(images_crash(&images, sim_random(SIM_MEDIUM), &memory), pending, 0);
	/* Nothing waits for a fence of those that have stored so far: their numbers are free. */
	trace.thread_count = 0;
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

	uint64_t where;

	follow();
	images_settle(&images);
	if (!sparse_equal(&images.durable, &memory, &where))
		sim_failed("a store to page %llu has gone past the recorder", (unsigned long long)where / SPARSE_PAGE);
	return nova_check(memory.base, memory.size, &report);
}
