/*
 * run.h -- one run: from a seed to a verdict.
 */
#ifndef FARNOVA_TESTS_SIM_RUN_H
#define FARNOVA_TESTS_SIM_RUN_H

#include "tests/sim/faults.h"

#include <stdbool.h>
#include <stdint.h>

struct run_options {
	uint64_t seed;
	unsigned calls;    /* of each thread, at most; 0: what the seed says */
	unsigned clients;  /* at most; 0: what the seed says */
	uint64_t left_out; /* faults that do not happen, by bit */
	bool verbose;
};

struct run_result {
	uint64_t hash;
	uint64_t switches;
	uint64_t calls;
	int64_t virtual_ns;
	unsigned faults; /* that were planned */
	unsigned happened[FAULT_KINDS];
	unsigned no_space; /* calls that found no room in the pool */
	unsigned drifting; /* clocks of clients and server that drift */
	unsigned undecided;
};

/* run -- in this process, which must not run another: it ends by sim_failed where there is a fault. */
void run(const struct run_options *options, struct run_result *result);

#endif
