/*
 * random_run.c -- runs random operations of one thread against a pool in memory and against the model.
 */
#include "tests/model/random_run.h"

#include "tests/crash/snapshot.h"
#include "tests/crash/verify.h"
#include "tests/model/random_pool.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* Which image survives a crash: among so many. */
#define SURVIVORS 24u

struct run {
	struct random_pool pool;
	struct random_lane lane;
	struct trace trace;
	struct images images;
	struct sparse survivor;
};

static bool right(const struct run *run)
{
	return random_pool_same(&run->pool, &run->lane) &&
	       random_pool_sound(&run->pool, posix_orphans(run->lane.model));
}

/* ---- remounts and crashes --------------------------------------------------------------------------------------- */

static bool come_back(struct run *run)
{
	random_lane_restart(&run->lane, &run->pool.call);
	return random_pool_reclaim(&run->pool) && right(run);
}

/* Tell the images of what was stored since. */
static void follow(struct run *run)
{
	for (size_t i = 0; i < run->trace.count; i++)
		images_step(&run->images, &run->trace, &run->trace.events[i]);
	trace_clear(&run->trace);
}

struct crash {
	struct run *run;
	struct oracle oracle;
	unsigned number, chosen;
	struct verdict verdict;
};

static bool try_image(void *context, uint8_t *image, const char *family)
{
	struct crash *crash = context;
	struct run *run = crash->run;

	(void)family;
	if (crash->number++ <= crash->chosen)
		sparse_copy(&run->survivor, &run->images.work);
	run->pool.counts->images++;
	return verify_image(&run->images, image, &crash->oracle, NULL, &crash->verdict, NULL);
}

/* Whether the survivor has the operation. Where both are alike it counts as not done unless it was acknowledged: a
 * handle that was never told to anybody may be given again. */
static bool was_done(struct run *run, const struct listing *before, bool acknowledged)
{
	struct listing now = {0};
	bool done;

	if (acknowledged || snapshot_take(&now, &run->pool.call, nova_root(run->pool.fs)))
		return true;
	done = !listing_equal(&now, before);
	listing_free(&now);
	return done;
}

/* Do the operation and crash at one of its stores. */
static bool crash_in(struct run *run, const struct random_op *op)
{
	static const struct image_limits limits = {.atoms = 6, .lines = 4, .atom_subsets = 3, .line_subsets = 3};
	struct crash crash = {.run = run, .chosen = op->fill >> 8 & (SURVIVORS - 1)};
	struct listing before = {0}, after = {0};
	struct random_lane lane_before = run->lane;
	uint64_t moment = op->fill, orphans;
	bool acknowledged, ok;
	size_t stop;

	run->pool.counts->crashes++;
	lane_before.model = posix_copy(run->lane.model);
	posix_list(run->lane.model, &before);
	orphans = posix_orphans(run->lane.model);
	if (!random_lane_do(&run->lane, op))
		return random_failed(run->pool.settings, "%s", run->lane.wrong);
	posix_list(run->lane.model, &after);
	stop = (size_t)(random_next(&moment) % (run->trace.count + 1));
	acknowledged = stop == run->trace.count;
	crash.oracle = (struct oracle){
	    .right = {{.tree = &after, .orphans = posix_orphans(run->lane.model)},
	              {.tree = &before, .orphans = orphans}},
	    .count = acknowledged ? 1 : 2,
	    .full = true,
	};
	for (size_t i = 0; i < stop; i++)
		images_step(&run->images, &run->trace, &run->trace.events[i]);
	images_forget(&run->images);
	ok = images_each(&run->images, &limits, try_image, &crash, NULL);
	run->pool.pm.observer = NULL;
	random_pool_unmount(&run->pool);
	if (!ok)
		return random_failed(run->pool.settings, "after a crash before store %zu of %zu: %s", stop,
		                     run->trace.count, crash.verdict.text);
	sparse_copy(&run->pool.memory, &run->survivor);
	images_reset(&run->images, &run->pool.memory);
	trace_clear(&run->trace);
	run->pool.pm.observer = &run->trace.observer;
	if (!random_pool_mount(&run->pool))
		return false;
	if (was_done(run, &before, acknowledged)) {
		posix_free(lane_before.model);
	} else {
		lane_before.now = run->lane.now;
		lane_before.tally = run->lane.tally;
		posix_free(run->lane.model);
		run->lane = lane_before;
	}
	listing_free(&before);
	listing_free(&after);
	return come_back(run);
}

static bool remount(struct run *run)
{
	return random_pool_next_life(&run->pool, false) && come_back(run);
}

/* ---- one thread ------------------------------------------------------------------------------------------------- */

/* Whether an operation brings a crash or remount with it depends on it alone, so that others can be taken out. */
static bool is_due(uint32_t fill, uint32_t every)
{
	return every && (fill * 0x9e3779b1u >> 8) % every == 0;
}

static bool step(struct run *run, const struct random_op *op, size_t number)
{
	bool ok;

	if (is_due(op->fill, run->pool.settings->crash_every)) {
		ok = crash_in(run, op);
	} else {
		ok = random_lane_do(&run->lane, op);
		if (!ok)
			random_failed(run->pool.settings, "%s", run->lane.wrong);
		if (ok && is_due(op->fill + 1, run->pool.settings->remount_every))
			ok = remount(run);
	}
	if (ok && run->pool.settings->check_every && number % run->pool.settings->check_every == 0)
		ok = right(run);
	follow(run);
	return ok;
}

bool random_run(const struct random_settings *settings, const struct random_op *ops, size_t count,
                struct random_counts *counts)
{
	struct nova_attr root;
	struct run run = {0};
	bool ok;

	if (!random_pool_make(&run.pool, settings, counts))
		return false;
	sparse_init(&run.survivor, settings->pool_size);
	trace_init(&run.trace, &run.pool.memory);
	images_init(&run.images, &run.pool.memory);
	run.pool.pm.observer = &run.trace.observer;
	ok = nova_getattr(&run.pool.call, nova_root(run.pool.fs), &root) == 0;
	random_lane_begin(&run.lane, &run.pool.call, &root, 0, RANDOM_BEGIN_NS);
	ok = ok && random_lane_ballast(&run.lane, settings->ballast);
	follow(&run);
	for (size_t i = 0; i < count && ok; i++) {
		ok = step(&run, &ops[i], i + 1);
		if (!ok)
			random_failed(settings, "operation %zu of %zu:", i + 1, count);
		if (!ok && !settings->quiet)
			random_op_print(stdout, &ops[i]);
	}
	ok = ok && right(&run);
	random_tally_add(&counts->tally, &run.lane.tally);
	if (!ok)
		return false;
	random_pool_unmount(&run.pool);
	random_lane_end(&run.lane);
	images_free(&run.images);
	trace_free(&run.trace);
	sparse_free(&run.survivor);
	random_pool_free(&run.pool);
	return true;
}
