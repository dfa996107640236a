/*
 * random_shared.c -- random operations of several threads at once on the same files.
 *
 * In each round every thread does a few operations on the same few inodes and names; then some order of them must
 * explain the answers and the tree (random_history.h). Threads give way to each other at stores, so that operations
 * meet in the middle also on few CPUs. In some rounds what a kill would leave is copied at one of the stores while all
 * threads are at work: it must recover to what is right for that moment.
 */
#include "server/pool/check/check.h"
#include "tests/crash/fixed.h"
#include "tests/model/random_history.h"
#include "tests/model/random_pool.h"

#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Few, so that threads meet. */
#define SHARED_SLOTS 8u
#define SHARED_NAMES 4u
#define OFFSET_MAX   30000u
#define LENGTH_MAX   12000u
#define LEFT         8192u /* bytes, where the pool is to be full */

#define YIELD_EVERY 12u /* stores, on average */
#define SLEEP_EVERY 30u /* likewise */
#define SLEEP_US    100u
#define KILL_EVERY  8u   /* rounds */
#define KILL_STORES 40u  /* the kill comes at one of so many, if there are so many */
#define LIFE_EVERY  150u /* rounds between mounts */

struct shared;

struct sharer {
	struct shared *shared;
	struct nova_worker *worker;
	struct random_record *records;
	uint64_t seed; /* of its giving way */
	pthread_t thread;
};

struct shared {
	struct pm_observer observer; /* leads: cast back from it */
	struct random_pool pool;
	struct random_lane lane;
	struct sharer sharers[RANDOM_SHARERS_MAX];
	struct random_history history;
	struct random_slots slots; /* as they are in this round */
	pthread_barrier_t start, end;
	unsigned arrived;
	bool stop;
	uint64_t clock;
	/* Under the lock: */
	pthread_mutex_t lock;
	uint32_t kill_in; /* stores until the kill; 0: none is wanted */
	uint64_t killed;  /* when it was */
	uint64_t *left;   /* what it leaves */
};

_Static_assert(offsetof(struct shared, observer) == 0, "the observer leads, so that it can be cast back");

static _Thread_local struct sharer *self;

/* ---- at stores -------------------------------------------------------------------------------------------------- */

static uint64_t tick(struct shared *shared)
{
	return __atomic_add_fetch(&shared->clock, 1, __ATOMIC_SEQ_CST);
}

/* Every other thread is before a store, waiting for the lock, or within one: of that any of its words may be there. */
__attribute__((no_sanitize("thread"))) static void copy_words(uint64_t *to, const volatile uint64_t *from, size_t bytes)
{
	for (size_t i = 0; i < bytes / sizeof(*to); i++)
		to[i] = from[i];
}

static void before_store(struct pm_observer *observer, const struct pm_event *event)
{
	struct shared *shared = (struct shared *)(void *)observer;

	(void)event;
	if (!self)
		return;
	pthread_mutex_lock(&shared->lock);
	if (shared->kill_in && --shared->kill_in == 0) {
		shared->killed = tick(shared);
		copy_words(shared->left, (const uint64_t *)(const void *)shared->pool.memory.base,
		           shared->pool.settings->pool_size);
	}
	pthread_mutex_unlock(&shared->lock);
	if (random_next(&self->seed) % SLEEP_EVERY == 0)
		usleep(SLEEP_US);
	else if (random_next(&self->seed) % YIELD_EVERY == 0)
		sched_yield();
}

/* ---- threads ---------------------------------------------------------------------------------------------------- */

/* A barrier lets threads go one after another: those that it let go wait for the last here. */
static void start_together(struct shared *shared)
{
	unsigned spins = 0;

	__atomic_add_fetch(&shared->arrived, 1, __ATOMIC_SEQ_CST);
	while (__atomic_load_n(&shared->arrived, __ATOMIC_SEQ_CST) < shared->history.threads)
		if (++spins % 200 == 0)
			sched_yield();
}

static void *share(void *context)
{
	struct sharer *sharer = context;
	struct shared *shared = sharer->shared;

	self = sharer;
	for (;;) {
		pthread_barrier_wait(&shared->start);
		if (shared->stop)
			return NULL;
		start_together(shared);
		for (unsigned i = 0; i < shared->history.calls; i++) {
			struct random_record *record = &sharer->records[i];
			const struct nova_call call = {.worker = sharer->worker};

			fixed_time_set(record->now);
			record->began = tick(shared);
			if (!random_op_skipped(&shared->slots, &record->op))
				record->answer = random_core_do(&call, &shared->slots, &record->op);
			record->ended = tick(shared);
		}
		pthread_barrier_wait(&shared->end);
	}
}

/* ---- rounds ----------------------------------------------------------------------------------------------------- */

static struct random_op make_op(const struct shared *shared, uint64_t *seed)
{
	struct random_op op = random_op_make(seed);

	/* Limits are set between rounds: how much is left of one at a moment is nobody's to say. */
	if (op.kind == RANDOM_SETLIMITS)
		op.kind = RANDOM_GETATTR;
	op.slot %= SHARED_SLOTS;
	op.slot2 %= SHARED_SLOTS;
	op.to = 1 + op.to % (SHARED_SLOTS - 1);
	op.name %= SHARED_NAMES;
	op.name2 %= SHARED_NAMES;
	op.offset %= OFFSET_MAX;
	if (op.kind != RANDOM_SYMLINK)
		op.length %= LENGTH_MAX;
	if (op.kind == RANDOM_FALLOCATE && random_next(seed) % 2) {
		op.offset &= ~4095ull;
		op.length &= ~4095u;
	}
	random_op_suit(shared->lane.model, &shared->lane.slots, &op, SHARED_NAMES);
	return op;
}

static void make_round(struct shared *shared, uint64_t *seed)
{
	struct random_history *history = &shared->history;

	for (unsigned i = 0; i < history->threads; i++)
		for (unsigned j = 0; j < history->calls; j++) {
			shared->lane.now += RANDOM_STEP_NS;
			history->records[i][j] =
			    (struct random_record){.op = make_op(shared, seed), .now = shared->lane.now};
		}
	shared->slots = shared->lane.slots;
	shared->arrived = 0;
	shared->killed = 0;
	shared->kill_in = random_next(seed) % KILL_EVERY ? 0 : 1 + (uint32_t)(random_next(seed) % KILL_STORES);
}

static bool explains(struct shared *shared, const char *what, struct random_slots *slots, const struct random_end *end,
                     struct posix_model **after)
{
	struct random_history *history = &shared->history;
	enum random_verdict verdict = random_history_explain(history, shared->lane.model, slots, end, after);

	if (verdict == RANDOM_EXPLAINED)
		return true;
	if (!shared->pool.settings->quiet)
		random_history_print(stdout, history, shared->lane.model, slots, end);
	return random_failed(shared->pool.settings,
	                     verdict == RANDOM_UNDECIDED ? "%s: too many orders to try them all"
	                                                 : "%s: no order of these explains it",
	                     what);
}

/* Mount what the kill left, and see whether it is right. The thread's own pool stays as it is. */
static bool recovers(struct shared *shared)
{
	struct random_pool pool = {.settings = shared->pool.settings, .counts = shared->pool.counts};
	struct random_lane lane = {.slots = shared->lane.slots};
	struct listing tree = {0};
	struct random_end end = {.tree = &tree, .killed = shared->killed};
	struct posix_model *after = NULL;
	bool ok;

	pool.memory.base = (uint8_t *)shared->left;
	pm_wrap(&pool.pm, pool.memory.base, pool.settings->pool_size);
	shared->pool.counts->images++;
	ok = random_pool_mount(&pool) && random_pool_reclaim(&pool);
	ok = ok && random_pool_sound(&pool, 0) && random_pool_list(&pool, &lane, &tree);
	ok = ok && explains(shared, "what a kill left", &lane.slots, &end, &after);
	posix_free(after);
	listing_free(&tree);
	if (ok)
		random_pool_unmount(&pool);
	return ok;
}

static void tally(struct shared *shared)
{
	const struct random_history *history = &shared->history;

	for (unsigned i = 0; i < history->threads; i++)
		for (unsigned j = 0; j < history->calls; j++)
			if (!random_op_skipped(&shared->slots, &history->records[i][j].op))
				random_tally_answer(&shared->lane.tally, &history->records[i][j].op,
				                    history->records[i][j].answer.rc);
	shared->pool.counts->rounds++;
	shared->pool.counts->overlaps += random_history_overlaps(history);
}

static uint64_t orphans_of(const struct shared *shared)
{
	struct check_report report = {0};

	nova_check(shared->pool.memory.base, shared->pool.settings->pool_size, &report);
	return report.orphans;
}

static bool run_round(struct shared *shared, uint64_t *seed)
{
	struct listing tree = {0};
	struct random_end end = {.tree = &tree};
	struct posix_model *after = NULL;
	bool ok;

	make_round(shared, seed);
	pthread_barrier_wait(&shared->start);
	pthread_barrier_wait(&shared->end);
	tally(shared);
	shared->kill_in = 0;
	/* First, since the order that is found changes the slots. */
	if (shared->killed && !recovers(shared))
		return false;
	if (!random_pool_list(&shared->pool, &shared->lane, &tree) ||
	    random_history_list_core(&shared->history, &shared->lane.slots, &shared->pool.call, &tree))
		return random_failed(shared->pool.settings, "the tree cannot be read");
	end.orphans = orphans_of(shared);
	ok = explains(shared, "what they answered and left", &shared->lane.slots, &end, &after);
	if (ok) {
		posix_free(shared->lane.model);
		shared->lane.model = after;
	}
	listing_free(&tree);
	return ok;
}

/* ---- lives ------------------------------------------------------------------------------------------------------ */

static bool open_workers(struct shared *shared)
{
	for (unsigned i = 0; i < shared->history.threads; i++)
		if (nova_worker_open(shared->pool.fs, &shared->sharers[i].worker))
			return random_failed(shared->pool.settings, "no worker for a thread");
	return true;
}

static void close_workers(struct shared *shared)
{
	for (unsigned i = 0; i < shared->history.threads; i++)
		nova_worker_close(shared->sharers[i].worker);
}

static bool right(const struct shared *shared)
{
	return random_pool_same(&shared->pool, &shared->lane) &&
	       random_pool_sound(&shared->pool, posix_orphans(shared->lane.model));
}

static bool next_life(struct shared *shared, bool killed)
{
	close_workers(shared);
	if (!random_pool_next_life(&shared->pool, killed))
		return false;
	random_lane_restart(&shared->lane, &shared->pool.call);
	return random_pool_reclaim(&shared->pool) && right(shared) && open_workers(shared);
}

/* What one thread does between rounds: limits, and whatever else comes. A pool that is to be full is made so again, by
 * a file in a slot that threads do not share. */
static bool do_alone(struct shared *shared, uint64_t *seed)
{
	struct random_op op = make_op(shared, seed);

	if (shared->pool.settings->ballast && !random_lane_fill_up(&shared->lane, LEFT))
		return random_failed(shared->pool.settings, "between rounds: %s", shared->lane.wrong);

	if (random_next(seed) % 2)
		op.kind = RANDOM_SETLIMITS;
	return random_lane_do(&shared->lane, &op) ||
	       random_failed(shared->pool.settings, "between rounds: %s", shared->lane.wrong);
}

static bool live(struct shared *shared, uint64_t seed, size_t rounds)
{
	for (size_t i = 1; i <= rounds; i++) {
		if (!run_round(shared, &seed))
			return random_failed(shared->pool.settings, "round %zu", i);
		if (i % 10 == 0 && !do_alone(shared, &seed))
			return false;
		if (i % shared->pool.settings->check_every == 0 && !right(shared))
			return random_failed(shared->pool.settings, "after round %zu", i);
		if (i % LIFE_EVERY == 0 && !next_life(shared, i / LIFE_EVERY % 2))
			return random_failed(shared->pool.settings, "after round %zu", i);
	}
	return right(shared);
}

static void start_threads(struct shared *shared, uint64_t seed)
{
	for (unsigned i = 0; i < shared->history.threads; i++) {
		struct sharer *sharer = &shared->sharers[i];

		sharer->shared = shared;
		sharer->records = shared->history.records[i];
		sharer->seed = seed * RANDOM_SHARERS_MAX + i;
		if (pthread_create(&sharer->thread, NULL, share, sharer))
			abort();
	}
}

static void stop_threads(struct shared *shared)
{
	shared->stop = true;
	pthread_barrier_wait(&shared->start);
	for (unsigned i = 0; i < shared->history.threads; i++)
		pthread_join(shared->sharers[i].thread, NULL);
}

bool random_run_shared(const struct random_settings *settings, uint64_t seed, unsigned threads, size_t rounds,
                       struct random_counts *counts)
{
	static const unsigned calls[RANDOM_SHARERS_MAX + 1] = {0, 4, 4, 3, 2};
	struct shared shared = {
	    .observer = {before_store},
	    .history = {.threads = threads, .calls = calls[threads]},
	};
	struct nova_attr root;
	bool ok;

	if (!random_pool_make(&shared.pool, settings, counts))
		return false;
	shared.left = aligned_alloc(4096, settings->pool_size);
	if (!shared.left)
		abort();
	pthread_mutex_init(&shared.lock, NULL);
	pthread_barrier_init(&shared.start, NULL, threads + 1);
	pthread_barrier_init(&shared.end, NULL, threads + 1);
	shared.pool.pm.observer = &shared.observer;
	ok = nova_getattr(&shared.pool.call, nova_root(shared.pool.fs), &root) == 0 && open_workers(&shared);
	random_lane_begin(&shared.lane, &shared.pool.call, &root, 0, RANDOM_BEGIN_NS);
	start_threads(&shared, seed);
	ok = ok && live(&shared, seed, rounds);
	stop_threads(&shared);
	random_tally_add(&counts->tally, &shared.lane.tally);
	if (!ok)
		return false;
	close_workers(&shared);
	random_pool_unmount(&shared.pool);
	random_pool_free(&shared.pool);
	random_lane_end(&shared.lane);
	free(shared.left);
	pthread_barrier_destroy(&shared.start);
	pthread_barrier_destroy(&shared.end);
	pthread_mutex_destroy(&shared.lock);
	return true;
}
