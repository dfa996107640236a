/*
 * random_threads.c -- random operations of several threads at once, each in a directory of its own.
 */
#include "tests/crash/fixed.h"
#include "tests/model/random_pool.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/stat.h>

#define THREADS_MAX 16u

struct racer {
	struct random_lane lane;
	struct nova_worker *worker;
	uint64_t seed;
	size_t count;
	bool ok;
	struct random_op last;
};

static void *race(void *context)
{
	struct racer *racer = context;

	racer->ok = true;
	for (size_t i = 0; i < racer->count && racer->ok; i++) {
		racer->last = random_op_make(&racer->seed);
		racer->ok = random_lane_do(&racer->lane, &racer->last);
	}
	return NULL;
}

static bool make_racer(struct random_pool *pool, struct racer *racer, unsigned number, uint64_t seed, size_t count)
{
	struct nova_attr attr;
	char name[16];
	int64_t now = RANDOM_BEGIN_NS + 1000 + number;
	int length = snprintf(name, sizeof(name), "thread-%u", number);

	fixed_time_set(now);
	if (nova_create(&pool->call, nova_root(pool->fs), name, (size_t)length, S_IFDIR | 0755, 0, &attr))
		return random_failed(pool->settings, "no directory for a thread");
	*racer = (struct racer){.seed = seed + number, .count = count};
	random_lane_begin(&racer->lane, &pool->call, &attr, (number + 1) * 16, now);
	return true;
}

/* One round of all threads at once; false if any found something wrong. */
static bool run_round(struct random_pool *pool, struct racer *racers, unsigned threads)
{
	pthread_t ids[THREADS_MAX];
	uint64_t orphans = 0;
	bool ok = true;

	for (unsigned i = 0; i < threads; i++) {
		if (nova_worker_open(pool->fs, &racers[i].worker))
			return random_failed(pool->settings, "no worker for a thread");
		racers[i].lane.call.worker = racers[i].worker;
	}
	for (unsigned i = 0; i < threads; i++)
		if (pthread_create(&ids[i], NULL, race, &racers[i]))
			abort();
	for (unsigned i = 0; i < threads; i++)
		pthread_join(ids[i], NULL);
	for (unsigned i = 0; i < threads; i++) {
		nova_worker_close(racers[i].worker);
		if (!racers[i].ok && !pool->settings->quiet) {
			printf("thread %u: %s: ", i, racers[i].lane.wrong);
			random_op_print(stdout, &racers[i].last);
		}
		ok = ok && racers[i].ok && random_pool_same(pool, &racers[i].lane);
		orphans += posix_orphans(racers[i].lane.model);
	}
	return ok && random_pool_sound(pool, orphans);
}

/* Everything must be there again. */
static bool next_life(struct random_pool *pool, struct racer *racers, unsigned threads, bool killed)
{
	bool ok = random_pool_next_life(pool, killed);

	for (unsigned i = 0; i < threads && ok; i++)
		random_lane_restart(&racers[i].lane, &pool->call);
	ok = ok && random_pool_reclaim(pool);
	for (unsigned i = 0; i < threads; i++)
		ok = ok && random_pool_same(pool, &racers[i].lane);
	return ok && random_pool_sound(pool, 0);
}

bool random_run_threads(const struct random_settings *settings, uint64_t seed, unsigned threads, unsigned rounds,
                        size_t count, struct random_counts *counts)
{
	static struct racer racers[THREADS_MAX];
	struct random_pool pool;
	bool ok = random_pool_make(&pool, settings, counts);

	for (unsigned i = 0; i < threads && ok; i++)
		ok = make_racer(&pool, &racers[i], i, seed * THREADS_MAX, count);
	for (unsigned i = 0; i < rounds && ok; i++)
		ok = run_round(&pool, racers, threads) && next_life(&pool, racers, threads, i % 2);
	for (unsigned i = 0; i < threads; i++)
		random_tally_add(&counts->tally, &racers[i].lane.tally);
	if (!ok)
		return false;
	for (unsigned i = 0; i < threads; i++)
		random_lane_end(&racers[i].lane);
	random_pool_unmount(&pool);
	random_pool_free(&pool);
	return true;
}
