/*
 * random_run.h -- a whole random run: operations, comparisons of everything with the model and fsck, remounts, and
 * crashes at random stores of random operations, after which the run goes on from what the crash left.
 */
#ifndef FARNOVA_TESTS_MODEL_RANDOM_RUN_H
#define FARNOVA_TESTS_MODEL_RANDOM_RUN_H

#include "tests/model/random_ops.h"

struct random_settings {
	uint64_t pool_size;
	uint32_t check_every;   /* operations between comparisons of everything */
	uint32_t remount_every; /* on average; 0 = never, also below */
	uint32_t crash_every;
	uint32_t ballast; /* MiB written first, so that the pool is nearly full */
	bool quiet;
};

struct random_counts {
	struct random_tally tally;
	uint64_t checks, remounts, crashes, images;
	uint64_t rounds,
	    overlaps; /* of threads on the same files: all, and those in which calls ran at the same time */
};

/* random_run -- by one thread. False, with a message, if the file system is wrong. Not to be called again after that.
 */
bool random_run(const struct random_settings *settings, const struct random_op *ops, size_t count,
                struct random_counts *counts);

/*
 * random_run_threads -- `threads` (up to 16), each in a directory of its own, `rounds` times `count` operations each;
 * between rounds all is compared, and the pool is remounted or the process's memory of it is lost. False, with a
 * message, if it is wrong.
 */
bool random_run_threads(const struct random_settings *settings, uint64_t seed, unsigned threads, unsigned rounds,
                        size_t count, struct random_counts *counts);

/*
 * random_run_shared -- 2 to 4 threads on the same files, `rounds` times a few operations each, of which some order must
 * explain what was answered and what is there (random_history.h), also in what a kill among them leaves. False, with a
 * message, if it is wrong.
 */
bool random_run_shared(const struct random_settings *settings, uint64_t seed, unsigned threads, size_t rounds,
                       struct random_counts *counts);

#endif
