/*
 * operations.h -- the operations whose crashes are tried.
 */
#ifndef FARNOVA_TESTS_CRASH_OPERATIONS_H
#define FARNOVA_TESTS_CRASH_OPERATIONS_H

#include "tests/crash/world.h"

/*
 * To add one: write `run` of steps (steps.h) in the file of its kind, name_operations.c and so on, declare it in
 * operation_parts.h and add it to the table. `run` does one thing that is atomic, on the tree of world.h, in any state.
 * `prepare` makes what must exist before it. Fields that are false are left out.
 */
struct operation {
	const char *name;
	void (*prepare)(struct world *world); /* may be NULL; done before the crash can come */
	int (*run)(struct world *world);      /* the one operation; 0 or -errno */
	bool frees;                           /* must succeed although the pool is full */
	bool long_past;                       /* as world_state.long_past; needs space */
	bool ends;                            /* the file system is no longer mounted after it */
	bool keeps_blocks; /* what it takes for the client table stays there, if the rest is refused */
	bool zones;        /* needs a pool of two zones */
};

extern const struct operation operations[];
extern const size_t operation_count;

#endif
