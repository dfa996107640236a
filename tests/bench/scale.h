// scale.h -- what the groups of suite core-scale share: how large "a million" is, lives of a process, results.
//
// A group makes a pool of its own and removes it. It runs in lives: each is a child process that maps the pool, does
// its part and ends, cleanly or as if killed, so that what a mount costs in time and memory is seen from nothing.
// Whatever fails ends the program with the reason.
#ifndef TESTS_BENCH_SCALE_H
#define TESTS_BENCH_SCALE_H

#include "tests/bench/options.h"
#include "tests/bench/pool.h"

#define SCALE_SERIES 16

struct scale {
	char *pool; // path of the pool's file
	char *raw;  // path of a file of the same kind, for the raw medium
	struct bench_options options;
	uint32_t million;                              // files, names, extents: 1,000,000, fewer with --quick
	uint32_t rewrites;                             // 10,000,000
	uint32_t ops;                                  // of a sample
	double values[SCALE_SERIES][BENCH_MAX_ROUNDS]; // written by the lives, shared with them
};

// A group of cases that share a pool.
struct scale_group {
	const char *const *cases; // names, NULL-terminated
	void (*run)(struct scale *scale);
};

extern const struct scale_group scale_files;
extern const struct scale_group scale_names;
extern const struct scale_group scale_extents;
extern const struct scale_group scale_rewrite;
extern const struct scale_group scale_threads;
extern const struct scale_group scale_policies;
extern const struct scale_group scale_once;

// must -- end the program unless rc is 0 or more.
void must(int64_t rc, const char *what);

// scale_life -- run `part` in a process of its own, which ends without unmounting what is still mounted.
void scale_life(struct scale *scale, void (*part)(struct scale *scale, unsigned round), unsigned round);

// scale_result -- the line of a case from its first n values in a series; nothing if the case was not asked for.
void scale_result(struct scale *scale, const char *name, const char *subject, const char *unit, unsigned series,
                  unsigned n);

double scale_seconds(void);

// scale_random -- uniform below `limit`, from a state that starts anywhere.
uint64_t scale_random(uint64_t *state, uint64_t limit);

// scale_free_bytes -- of the mounted pool.
uint64_t scale_free_bytes(const struct bench_pool *pool);

#endif
