/*
 * programs.h -- what the parts of the workload know of each other: the simulated clients, their threads, and the calls
 * that a thread chooses and runs (file_calls.c, name_calls.c).
 */
#ifndef FARNOVA_TESTS_SIM_PROGRAMS_H
#define FARNOVA_TESTS_SIM_PROGRAMS_H

#include "client/include/farnova.h"
#include "tests/sim/workload.h"

struct client {
	unsigned number;
	struct sim_process *process;
	struct farnova *fs;
	unsigned left[WORKLOAD_THREADS]; /* calls */
	unsigned running;
	unsigned life; /* which of its processes */
};

struct thread {
	struct client *client;
	struct sim_process *process;
	struct farnova *fs;
	unsigned index, number;
	struct farnova_file *files[HISTORY_FILES];
	struct farnova_handle dir;
	struct farnova_handle seen; /* of what was looked up last; ino 0: nothing */
	uint8_t *buffer;
	struct farnova_queue *queue; /* NULL until it is first used */
	bool by_queue;               /* the call goes by it */
	struct tree *tree;           /* its own (trees.h); NULL: none yet */
};

extern struct workload_options workload_options;
extern struct history workload_calls;
extern unsigned workload_no_space; /* calls that found no room */

/* workload_below -- uniform in [0, limit), by SIM_WORKLOAD. */
uint64_t workload_below(uint64_t limit);
/* workload_note -- what became of the call: `result` and `error` are the library's. */
void workload_note(struct call *call, int64_t result, int error);

/* file_calls.c, name_calls.c: choose a call and run it, or run one. */
void workload_choose_on_file(struct thread *thread);
void workload_run_on_file(struct thread *thread, struct call *call);
/* workload_units_at_once -- as many of `units` as one READ of the protocol brings. */
unsigned workload_units_at_once(unsigned units);
void workload_choose_on_names(struct thread *thread);
void workload_run_on_names(struct thread *thread, struct call *call);

#endif
