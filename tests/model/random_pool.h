/*
 * random_pool.h -- the pool in memory that random runs work on: made, mounted, compared with models, judged by fsck,
 * and left as a kill or an unmount leaves it.
 */
#ifndef FARNOVA_TESTS_MODEL_RANDOM_POOL_H
#define FARNOVA_TESTS_MODEL_RANDOM_POOL_H

#include "tests/crash/sparse.h"
#include "tests/model/random_lane.h"
#include "tests/model/random_run.h"

#define RANDOM_BEGIN_NS 1700000000000000000

struct random_pool {
	const struct random_settings *settings;
	struct random_counts *counts;
	struct sparse memory; /* all of it counts as stored to: not everything here is observed */
	struct pm pm;
	struct nova *fs;
	struct nova_worker *worker;
	struct nova_call call;
};

/* random_failed -- say so, unless the run is to be quiet; always false. */
__attribute__((format(printf, 2, 3))) bool random_failed(const struct random_settings *settings, const char *format,
                                                         ...);

/* All tell with random_failed what is wrong. */
bool random_pool_make(struct random_pool *pool, const struct random_settings *settings, struct random_counts *counts);
bool random_pool_mount(struct random_pool *pool);
void random_pool_unmount(struct random_pool *pool);
/* random_pool_next_life -- `killed`: what the process knew is lost, else it unmounts; mounted again. */
bool random_pool_next_life(struct random_pool *pool, bool killed);
/* random_pool_reclaim -- what has no name and was not pinned since the mount ends. */
bool random_pool_reclaim(struct random_pool *pool);
void random_pool_free(struct random_pool *pool);

/* random_pool_same -- the lane's directory and projects are as its model says. */
bool random_pool_same(const struct random_pool *pool, const struct random_lane *lane);
/* random_pool_holds -- the same of a model of the lane's, silently. */
bool random_pool_list(const struct random_pool *pool, const struct random_lane *lane, struct listing *listing);
/* random_pool_sound -- fsck finds nothing, so many inodes without a name, and the space that is said to be free. */
bool random_pool_sound(const struct random_pool *pool, uint64_t orphans);

#endif
