/*
 * enospc_test.c -- every operation on a full pool, with each allocation it makes refused in turn.
 *
 * All free blocks are taken away, first with the reserve, then without, and given back one by one. Until there are
 * enough the operation says ENOSPC: then the tree is the one before, fsck finds nothing, and not one block is lost.
 * What frees space works with the reserve alone.
 *
 *   enospc_test [STATE [OPERATION]]
 */
#include "tests/crash/held_blocks.h"
#include "tests/crash/operations.h"
#include "tests/crash/snapshot.h"

#include "common/log.h"
#include "server/pool/check/check.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ENOUGH       96u /* blocks with which every operation succeeds, but one that needs an aligned chunk */
#define BARE_RETRIES 4u  /* blocks that are given back while the reserve is gone */

static struct sparse memory, initial;

/* What a case tries. */
struct full_case {
	const struct world_state *state;
	const struct operation *operation;
	struct world world;
	struct held_blocks held; /* free blocks that were taken away */
	unsigned refused;        /* times that the operation said ENOSPC and was undone */
};

static uint64_t refusals;

static bool wrong(const struct full_case *c, const char *what, int64_t value)
{
	printf("FAIL %s in %s, refused %u times: %s (%lld)\n", c->operation->name, c->state->name, c->refused, what,
	       (long long)value);
	return false;
}

/* ---- blocks ----------------------------------------------------------------------------------------------------- */

static uint64_t free_blocks(const struct full_case *c)
{
	struct nova_statfs statfs;

	nova_statfs(c->world.fs, &statfs);
	return statfs.free_blocks;
}

/* ---- what must hold --------------------------------------------------------------------------------------------- */

static void tell_first(struct check_report *report, const struct check_finding *finding)
{
	if (report->errors == 1)
		printf("  fsck: %s inode %llu: %s\n", finding->part, (unsigned long long)finding->ino, finding->text);
}

/* Each block belongs to an inode or is free, or is held by this test. */
static bool sound(const struct full_case *c)
{
	struct check_report report = {.finding = tell_first};

	if (nova_check(memory.base, memory.size, &report))
		return wrong(c, "the pool is not consistent", report.errors);
	if (report.free_blocks != free_blocks(c) + c->held.count)
		return wrong(c, "blocks were lost, or freed twice",
		             (int64_t)(report.free_blocks - free_blocks(c) - c->held.count));
	return true;
}

static bool undone(struct full_case *c, const struct listing *before, uint64_t free_before)
{
	struct listing after = {0};
	int rc = snapshot_take(&after, &c->world.call, c->world.root.handle);
	bool same = rc == 0 && listing_equal(before, &after);

	if (rc == 0 && !same)
		listing_print_difference(stdout, "before", before, "after", &after);
	listing_free(&after);
	if (!same)
		return wrong(c, "it was refused, but has changed the tree", rc);
	/* GC that came before the operation may have given pages back. */
	if (!c->operation->keeps_blocks && free_blocks(c) < free_before)
		return wrong(c, "it was refused, but has kept blocks", (int64_t)(free_before - free_blocks(c)));
	return sound(c);
}

/* Try it once. `done`: it succeeded. False if something is wrong. */
static bool attempt(struct full_case *c, bool *done)
{
	struct listing before = {0};
	uint64_t free_before = free_blocks(c);
	bool ok;
	int rc;

	*done = false;
	rc = snapshot_take(&before, &c->world.call, c->world.root.handle);
	if (rc)
		return wrong(c, "reading the tree", rc);
	rc = c->operation->run(&c->world);
	if (rc == 0) {
		*done = true;
		ok = c->world.failed ? wrong(c, c->world.failed, c->world.error) : sound(c);
	} else if (rc == -ENOSPC) {
		c->refused++;
		refusals++;
		ok = undone(c, &before, free_before);
	} else {
		ok = wrong(c, "it fails otherwise than for want of space", rc);
	}
	listing_free(&before);
	return ok;
}

/* ---- a case ----------------------------------------------------------------------------------------------------- */

/* Nothing at all is free, then a few blocks, which are below the reserve. */
static bool try_bare(struct full_case *c, bool *done)
{
	unsigned with_reserve = c->held.count;

	held_take_all(&c->held, c->world.worker, ALLOC_FREES);
	for (unsigned i = 0; i < BARE_RETRIES && c->held.count > with_reserve; i++) {
		if (!attempt(c, done))
			return false;
		if (*done)
			return true;
		held_give_one(&c->held, c->world.worker);
	}
	while (c->held.count > with_reserve)
		held_give_one(&c->held, c->world.worker);
	return true;
}

static bool try_case(struct full_case *c)
{
	bool done = false;

	held_take_all(&c->held, c->world.worker, ALLOC_GROWS);
	if (!try_bare(c, &done))
		return false;
	for (unsigned given = 0; !done && given < ENOUGH && c->held.count; given++) {
		if (!attempt(c, &done))
			return false;
		if (!done && c->operation->frees)
			return wrong(c, "it frees space, and was refused though there is the reserve", given);
		if (!done)
			held_give_one(&c->held, c->world.worker);
	}
	while (c->held.count)
		held_give_one(&c->held, c->world.worker);
	if (!done && !attempt(c, &done))
		return false;
	return done || wrong(c, "it is refused although there is space", 0);
}

static bool run_case(const struct world_state *state, const struct operation *operation)
{
	static struct full_case c;
	bool ok;

	c = (struct full_case){.state = state, .operation = operation};
	world_begin(&c.world, &memory, &initial, state);
	if (!c.world.failed && operation->prepare)
		operation->prepare(&c.world);
	ok = c.world.failed ? wrong(&c, c.world.failed, c.world.error) : try_case(&c);
	world_end(&c.world);
	return ok;
}

/* The places where an allocation may fall: a log at the end of its slot, of its page, or one line before. */
static bool state_wanted(const struct world_state *state, const char *only)
{
	static const char *const names[] = {"fresh", "slot-full", "page-full", "line-left"};

	if (only)
		return strcmp(only, state->name) == 0;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(names[i], state->name) == 0)
			return true;
	return false;
}

int main(int argc, char **argv)
{
	const char *state = argc > 1 ? argv[1] : NULL;
	const char *operation = argc > 2 ? argv[2] : NULL;
	unsigned cases = 0, failed = 0;

	setvbuf(stdout, NULL, _IOLBF, 0);
	log_set_level(LOG_LEVEL_ERROR);
	sparse_init(&memory, WORLD_ROOM);
	sparse_init(&initial, WORLD_ROOM);
	for (size_t s = 0; s < world_state_count; s++)
		for (size_t o = 0; o < operation_count; o++) {
			if (!state_wanted(&world_states[s], state) || operations[o].ends ||
			    (operations[o].zones && !world_states[s].zones) ||
			    (operation && strcmp(operation, operations[o].name) != 0))
				continue;
			cases++;
			failed += !run_case(&world_states[s], &operations[o]);
		}
	printf("enospc: %u cases, %llu refusals undone, %u cases failed\n", cases, (unsigned long long)refusals,
	       failed);
	return failed || cases == 0 ? 1 : 0;
}
