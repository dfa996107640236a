/*
 * crash_record.c -- runs one operation, or two after each other, on a world and records what they store.
 */
#include "tests/crash/crash_internal.h"

#include "server/pool/check/check.h"
#include "tests/crash/snapshot.h"
#include "tests/crash/steps.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct sparse crash_memory;
struct sparse crash_initial;

void crash_make_room(void)
{
	if (crash_memory.base)
		return;
	sparse_init(&crash_memory, WORLD_ROOM);
	sparse_init(&crash_initial, WORLD_ROOM);
}

const char *crash_case_name(const struct crash_case *c)
{
	static const char *const actors[] = {"", " by another thread with the same worker", " by another worker", ""};
	static char name[256];

	if (c->count == 1)
		snprintf(name, sizeof(name), "%s in %s", c->operations[0].operation->name, c->state->name);
	else if (c->count == 3)
		snprintf(name, sizeof(name), "%s beside %s beside %s in %s", c->operations[0].operation->name,
		         c->operations[1].operation->name, c->operations[2].operation->name, c->state->name);
	else
		snprintf(name, sizeof(name), "%s %s %s%s in %s", c->operations[0].operation->name,
		         c->actor == CRASH_RACE ? "beside" : "then", c->operations[1].operation->name, actors[c->actor],
		         c->state->name);
	return name;
}

bool crash_broken(const struct crash_case *c, const char *what, const char *why)
{
	printf("FAIL %s: %s: %s\n", crash_case_name(c), what, why);
	return false;
}

static void tell_first(struct check_report *report, const struct check_finding *finding)
{
	if (report->errors == 1)
		printf("  fsck: %s inode %llu: %s\n", finding->part, (unsigned long long)finding->ino, finding->text);
}

/* The live pool, between operations, is consistent as it lies there: nothing waits in caches of the file system. */
bool crash_live_pool(const struct crash_case *c, uint64_t *orphans)
{
	struct check_report report = {.finding = tell_first};

	if (nova_check(crash_memory.base, crash_memory.size, &report))
		return crash_broken(c, "the live pool", "not consistent");
	*orphans = report.orphans;
	return true;
}

/* What the pool must hold now, by the model; and that it does. */
static bool note_tree(struct crash_case *c, unsigned done)
{
	const struct operation *last = done ? c->operations[done - 1].operation : NULL;
	struct crash_order *order = &c->orders[0];
	struct world *world = &c->world;
	struct listing live = {0};
	uint64_t orphans;
	int rc = 0;

	if (!crash_live_pool(c, &orphans))
		return false;
	order->orphans[done] = posix_orphans(world->model);
	posix_list(world->model, &order->trees[done]);
	if (orphans != order->orphans[done])
		return crash_broken(c, "inodes without a name", "the model has another number of them");
	if (last && last->ends)
		return true;
	rc = snapshot_take(&live, &world->call, world->root.handle);
	if (rc || !listing_equal(&live, &order->trees[done])) {
		crash_broken(c, done ? "the live tree after it" : "the live tree before it", "is not the model's");
		listing_print_difference(stdout, "model", &order->trees[done], "core", &live);
		rc = -EPROTO;
	}
	listing_free(&live);
	return rc == 0;
}

struct run {
	struct crash_case *c;
	struct crash_operation *operation;
};

static void *run_here(void *context)
{
	struct run *run = context;

	world_next_operation(&run->c->world, (uint32_t)(run->operation - run->c->operations));
	run->operation->begin = run->c->world.trace.count;
	run->operation->result = run->operation->operation->run(&run->c->world);
	run->operation->end = run->c->world.trace.count;
	run->operation->request = run->c->world.request;
	return NULL;
}

static bool run_in_thread(struct run *run)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, run_here, run))
		return false;
	pthread_join(thread, NULL);
	return true;
}

static bool run_with_worker(struct run *run)
{
	struct world *world = &run->c->world;
	struct nova_worker *first = world->worker;
	bool ok;

	if (nova_worker_open(world->fs, &world->worker))
		return false;
	world->call.worker = world->worker;
	ok = run_in_thread(run);
	nova_worker_close(world->worker);
	world->worker = first;
	world->call.worker = first;
	return ok;
}

bool crash_may_fail(const struct crash_case *c, const struct crash_operation *operation)
{
	if (operation->result == -ENOSPC)
		return c->state->nearly_full && !operation->operation->frees;
	/* What one of two prepares or does may leave the other nothing to do: then the model says so too. */
	return c->count > 1;
}

static bool run_recorded(struct crash_case *c, unsigned k)
{
	struct crash_operation *operation = &c->operations[k];
	struct run run = {c, operation};
	bool elsewhere = (c->state->other_thread || (k == 1 && c->actor == CRASH_OTHER)) && !operation->operation->ends;
	bool ok = true;

	if (elsewhere)
		ok = run_with_worker(&run);
	else if (k == 1 && c->actor == CRASH_HANDED)
		ok = run_in_thread(&run);
	else
		run_here(&run);
	if (!ok)
		return crash_broken(c, "running it", "no second worker or thread");
	c->world.second = true;
	if (c->world.failed)
		return crash_broken(c, c->world.failed, strerror(-c->world.error));
	if (operation->result && !crash_may_fail(c, operation))
		return crash_broken(c, "it fails", strerror(-operation->result));
	return true;
}

/* What several of them need is prepared once. */
static bool prepares_anew(const struct crash_case *c, unsigned k)
{
	for (unsigned i = 0; i < k; i++)
		if (c->operations[i].operation->prepare == c->operations[k].operation->prepare)
			return false;
	return c->operations[k].operation->prepare != NULL;
}

bool crash_prepare(struct crash_case *c)
{
	c->orders[0].possible = true;
	for (unsigned k = 0; k < CRASH_OPERATIONS_MAX; k++)
		c->orders[0].sequence[k] = k;
	crash_make_room();
	world_begin(&c->world, &crash_memory, &crash_initial, c->state);
	for (unsigned k = 0; k < c->count && !c->world.failed; k++) {
		if (!prepares_anew(c, k))
			continue;
		c->operations[k].operation->prepare(&c->world);
		c->inapplicable = k > 0 && c->world.failed && !c->world.disagreed;
		if (c->inapplicable)
			return false;
	}
	if (!c->world.failed)
		world_hold_tree(&c->world);
	if (c->world.failed)
		return crash_broken(c, c->world.failed, strerror(-c->world.error));
	c->generations = malloc(world_inodes(&c->world) * sizeof(*c->generations));
	if (!c->generations)
		abort();
	memcpy(c->generations, c->world.generations, world_inodes(&c->world) * sizeof(*c->generations));
	return note_tree(c, 0);
}

bool crash_case_record(struct crash_case *c, const struct world_state *state, const struct operation *first,
                       const struct operation *second, enum crash_actor actor)
{
	c->state = state;
	c->actor = actor;
	c->count = second ? 2 : 1;
	c->operations[0].operation = first;
	c->operations[1].operation = second;
	if (!crash_prepare(c))
		return false;
	for (unsigned k = 0; k < c->count; k++)
		if (!run_recorded(c, k) || !note_tree(c, k + 1))
			return false;
	return true;
}

void crash_case_end(struct crash_case *c)
{
	world_end(&c->world);
	free(c->generations);
	c->generations = NULL;
	for (unsigned o = 0; o < CRASH_ORDERS_MAX; o++)
		for (unsigned i = 0; i <= CRASH_OPERATIONS_MAX; i++)
			listing_free(&c->orders[o].trees[i]);
}
