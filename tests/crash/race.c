/*
 * race.c -- interleaves threads at their stores.
 *
 * The observer of the pool stops a thread before the store that the plan says, and lets the others go on. Which order
 * the operations had is for the core's locks to decide; afterwards the model does them in each order, and an order is
 * possible if it gives the answers that were given and leaves the tree that is there.
 */
#include "tests/crash/race.h"

#include "tests/crash/crash_internal.h"
#include "tests/crash/snapshot.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LANE_NS      1000000000 /* each operation is so much later than the one before */
#define LANE_ROUNDS  80
#define POLL_US      100
#define POLLS_MAX    500 /* a thread that does nothing for so long is taken to wait */
#define POLLS_ASLEEP 3   /* or that sleeps whenever it is looked at */

struct lane {
	struct race *race;
	struct crash_operation *operation;
	struct world actor; /* the operation's own view of the world; as it was at first: */
	int64_t began;
	uint8_t round;
	unsigned held_count;
	pthread_t thread;
	pid_t tid; /* under the lock, as are the next five */
	unsigned stop, events;
	unsigned begun_at, ended_at; /* by the race's clock: what stores nothing has no event to tell it by */
	bool stopped, released, done;
};

struct race {
	struct pm_observer observer; /* leads: cast back from it */
	struct trace *trace;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	unsigned clock; /* under the lock */
	unsigned count;
	struct lane lanes[CRASH_OPERATIONS_MAX];
};

_Static_assert(offsetof(struct race, observer) == 0, "the observer leads, so that it can be cast back");

static _Thread_local struct lane *own_lane;

static void stop_or_go(struct race *race, struct lane *lane)
{
	pthread_mutex_lock(&race->lock);
	if (lane->events++ == lane->stop) {
		lane->stopped = true;
		pthread_cond_broadcast(&race->changed);
		while (!lane->released)
			pthread_cond_wait(&race->changed, &race->lock);
		lane->stopped = false;
	}
	pthread_mutex_unlock(&race->lock);
}

static void observe(struct pm_observer *self, const struct pm_event *event)
{
	struct race *race = (struct race *)(void *)self;

	if (own_lane)
		stop_or_go(race, own_lane);
	race->trace->observer.event(&race->trace->observer, event);
}

static size_t events_so_far(struct trace *trace)
{
	size_t count;

	pthread_mutex_lock(&trace->lock);
	count = trace->count;
	pthread_mutex_unlock(&trace->lock);
	return count;
}

static void *run_lane(void *context)
{
	struct lane *lane = context;
	struct race *race = lane->race;
	struct crash_operation *operation = lane->operation;

	pthread_mutex_lock(&race->lock);
	lane->tid = gettid();
	lane->begun_at = ++race->clock;
	pthread_mutex_unlock(&race->lock);
	own_lane = lane;
	operation->begin = events_so_far(race->trace);
	operation->result = operation->operation->run(&lane->actor);
	operation->end = events_so_far(race->trace);
	operation->request = lane->actor.request;
	pthread_mutex_lock(&race->lock);
	lane->ended_at = ++race->clock;
	lane->done = true;
	pthread_cond_broadcast(&race->changed);
	pthread_mutex_unlock(&race->lock);
	return NULL;
}

static bool is_asleep(pid_t tid)
{
	char path[64], text[256];
	const char *state;
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", tid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	text[n > 0 ? n : 0] = '\0';
	state = strrchr(text, ')');
	return state && strlen(state) > 2 && state[2] == 'S';
}

/* Until the thread stops where it was to, is done, or waits for the other. */
static void wait_for(struct race *race, struct lane *lane)
{
	unsigned asleep = 0;

	for (unsigned polls = 0; polls < POLLS_MAX && asleep < POLLS_ASLEEP; polls++) {
		bool over;
		pid_t tid;

		pthread_mutex_lock(&race->lock);
		over = (lane->stopped && !lane->released) || lane->done;
		tid = lane->tid;
		pthread_mutex_unlock(&race->lock);
		if (over)
			return;
		if (tid)
			asleep = is_asleep(tid) ? asleep + 1 : 0;
		usleep(POLL_US);
	}
}

static void release(struct race *race, struct lane *lane)
{
	pthread_mutex_lock(&race->lock);
	lane->released = true;
	pthread_cond_broadcast(&race->changed);
	pthread_mutex_unlock(&race->lock);
}

/* The first must stop or end before the second begins: it can wait for nobody. */
static void wait_for_first(struct race *race, struct lane *lane)
{
	pthread_mutex_lock(&race->lock);
	while (!lane->stopped && !lane->done)
		pthread_cond_wait(&race->changed, &race->lock);
	pthread_mutex_unlock(&race->lock);
}

/* Each runs until it stops, waits or is done; how many could be started. */
static unsigned start_all(struct race *race, bool *past)
{
	for (unsigned k = 0; k < race->count; k++) {
		struct lane *lane = &race->lanes[k];

		if (pthread_create(&lane->thread, NULL, run_lane, lane))
			return k;
		if (k) {
			wait_for(race, lane);
			continue;
		}
		wait_for_first(race, lane);
		*past = lane->done;
	}
	return race->count;
}

static bool run_all(struct race *race, bool *past)
{
	unsigned started = start_all(race, past);

	for (unsigned k = 0; k < started; k++) {
		release(race, &race->lanes[k]);
		if (k + 1 < started)
			wait_for(race, &race->lanes[k]);
	}
	for (unsigned k = 0; k < started; k++)
		pthread_join(race->lanes[k].thread, NULL);
	return started == race->count;
}

/* ---- what order explains it ---------------------------------------------------------------------- */

/* Ask the model what the operation was answered. False if it would have answered otherwise. */
static bool follow(const struct lane *lane, struct posix_model *model)
{
	struct world actor = lane->actor;

	actor.model = model;
	actor.side = WORLD_MODEL;
	actor.now = lane->began;
	actor.round = lane->round;
	actor.answers.next = 0;
	actor.held_count = lane->held_count;
	lane->operation->operation->run(&actor);
	return !actor.disagreed && !actor.failed && actor.answers.next == actor.answers.count;
}

/* What was acknowledged before another began came before it. */
static bool in_time(const struct race *race, const struct crash_order *order)
{
	for (unsigned i = 0; i < race->count; i++)
		for (unsigned k = i + 1; k < race->count; k++)
			if (race->lanes[order->sequence[k]].ended_at < race->lanes[order->sequence[i]].begun_at)
				return false;
	return true;
}

static void note_order(struct crash_case *c, const struct race *race, struct crash_order *order,
                       const struct listing *live, uint64_t orphans)
{
	struct posix_model *model = posix_copy(c->world.model);

	order->possible = in_time(race, order);
	for (unsigned done = 0; done <= c->count; done++) {
		if (done)
			order->possible &= follow(&race->lanes[order->sequence[done - 1]], model);
		posix_list(model, &order->trees[done]);
		order->orphans[done] = posix_orphans(model);
	}
	order->possible &= order->orphans[c->count] == orphans && listing_equal(&order->trees[c->count], live);
	posix_free(model);
}

/* All orders of two or three. Returns how many. */
static unsigned all_orders(struct crash_case *c)
{
	static const uint8_t of_two[][2] = {{0, 1}, {1, 0}};
	static const uint8_t of_three[][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
	unsigned count = c->count == 2 ? 2 : 6;

	for (unsigned o = 0; o < count; o++)
		for (unsigned i = 0; i < c->count; i++)
			c->orders[o].sequence[i] = c->count == 2 ? of_two[o][i] : of_three[o][i];
	return count;
}

static bool tell_unexplained(const struct crash_case *c, unsigned orders, const struct listing *live)
{
	crash_broken(c, "what they answered and left", "no order of them explains it");
	for (unsigned k = 0; k < c->count; k++)
		printf("    %s: %s\n", c->operations[k].operation->name,
		       c->operations[k].result ? strerror(-c->operations[k].result) : "success");
	for (unsigned o = 0; o < orders; o++) {
		char name[32];

		snprintf(name, sizeof(name), "order %u%u%u", c->orders[o].sequence[0], c->orders[o].sequence[1],
		         c->count > 2 ? c->orders[o].sequence[2] : 0);
		listing_print_difference(stdout, name, &c->orders[o].trees[c->count], "core", live);
	}
	return false;
}

static bool explain(struct crash_case *c, const struct race *race)
{
	struct listing live = {0};
	bool explained = false;
	unsigned orders;
	uint64_t orphans;
	int rc;

	if (!crash_live_pool(c, &orphans))
		return false;
	rc = snapshot_take(&live, &c->world.call, c->world.root.handle);
	if (rc)
		return crash_broken(c, "reading the tree after them", strerror(-rc));
	listing_free(&c->orders[0].trees[0]);
	orders = all_orders(c);
	for (unsigned o = 0; o < orders; o++) {
		note_order(c, race, &c->orders[o], &live, orphans);
		explained |= c->orders[o].possible;
	}
	if (!explained)
		tell_unexplained(c, orders, &live);
	listing_free(&live);
	return explained;
}

/* ---- the case ------------------------------------------------------------------------------------- */

static bool set_lane(struct race *race, struct crash_case *c, unsigned k, const struct race_plan *plan)
{
	struct lane *lane = &race->lanes[k];

	*lane = (struct lane){
	    .race = race,
	    .operation = &c->operations[k],
	    .actor = c->world,
	    .stop = plan->stop[k],
	};
	lane->actor.side = WORLD_CORE;
	lane->actor.second = k && !plan->same_name;
	lane->actor.now += k * LANE_NS;
	lane->actor.round = (uint8_t)(lane->actor.round + k * LANE_ROUNDS);
	lane->began = lane->actor.now;
	world_next_operation(&lane->actor, k);
	lane->round = lane->actor.round;
	lane->held_count = lane->actor.held_count;
	if (k == 0)
		return true;
	if (nova_worker_open(c->world.fs, &lane->actor.worker))
		return false;
	lane->actor.call.worker = lane->actor.worker;
	return true;
}

static bool acceptable(const struct crash_case *c, const struct race *race)
{
	for (unsigned k = 0; k < c->count; k++) {
		const struct world *actor = &race->lanes[k].actor;

		if (actor->failed)
			return crash_broken(c, actor->failed, strerror(-actor->error));
		if (c->operations[k].result && !crash_may_fail(c, &c->operations[k]))
			return crash_broken(c, "it fails", strerror(-c->operations[k].result));
	}
	return true;
}

static bool set_lanes(struct race *race, struct crash_case *c, const struct race_plan *plan)
{
	for (unsigned k = 0; k < c->count; k++)
		if (!set_lane(race, c, k, plan))
			return false;
	return true;
}

bool race_record(struct crash_case *c, const struct world_state *state, const struct operation *const *all,
                 unsigned count, const struct race_plan *plan, bool *past)
{
	struct race race = {.observer = {observe}, .trace = &c->world.trace, .count = count};
	bool ok;

	*past = false;
	c->state = state;
	c->actor = CRASH_RACE;
	c->count = count;
	for (unsigned k = 0; k < count; k++)
		c->operations[k].operation = all[k];
	if (!crash_prepare(c))
		return false;
	if (!set_lanes(&race, c, plan))
		return crash_broken(c, "running them", "no worker for each");
	pthread_mutex_init(&race.lock, NULL);
	pthread_cond_init(&race.changed, NULL);
	c->world.pm.observer = &race.observer;
	ok = run_all(&race, past);
	c->world.pm.observer = &c->world.trace.observer;
	for (unsigned k = 1; k < count; k++)
		nova_worker_close(race.lanes[k].actor.worker);
	pthread_cond_destroy(&race.changed);
	pthread_mutex_destroy(&race.lock);
	if (!ok)
		return crash_broken(c, "running them", "no thread for each");
	return acceptable(c, &race) && explain(c, &race);
}
