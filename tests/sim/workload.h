/*
 * workload.h -- what the simulated clients do: programs over the client library.
 */
#ifndef FARNOVA_TESTS_SIM_WORKLOAD_H
#define FARNOVA_TESTS_SIM_WORKLOAD_H

#include "tests/sim/history.h"
#include "tests/sim/kernel.h"

#define WORKLOAD_CLIENTS 8u
#define WORKLOAD_THREADS 3u

struct workload_options {
	unsigned clients, threads; /* threads of each client */
	unsigned calls;            /* of each thread */
	unsigned files, names;
	unsigned unit;     /* bytes */
	unsigned of_trees; /* calls that are operations in a tree of the thread alone, in 1024 */
	unsigned of_names; /* of the others: calls on names, in 1024 */
	unsigned of_reads; /* reads among those on files, in 1024 */
	unsigned of_own;   /* calls on a file of the client alone, in 1024; there must be as many files as clients */
	unsigned room_kib; /* what is left of the pool, which is filled before; 0: all of it */
	int64_t pause_ns;  /* between calls, up to */
	int timeout_ms;    /* of the library */
	bool verbs[WORKLOAD_CLIENTS];
	unsigned channels[WORKLOAD_CLIENTS];
	int64_t drift[WORKLOAD_CLIENTS];
};

/* workload_prepare -- make the files. workload_start -- start the clients. */
void workload_prepare(const struct workload_options *options);
void workload_start(void);
/* workload_client -- the process of a client that is at work; NULL: it has ended. workload_kill -- kill it; another takes
 * its place, with what it has left to do. */
struct sim_process *workload_client(unsigned number);
void workload_kill(unsigned number);
/* workload_wait -- until all clients have done their calls. */
void workload_wait(void);
/* workload_look -- a new client reads all files, names and trees, without faults. */
void workload_look(void);

const struct history *workload_history(void);
/* workload_refused -- how many calls found no room in the pool. workload_count -- how many calls and operations there were. */
unsigned workload_refused(void);
unsigned workload_count(void);

#endif
