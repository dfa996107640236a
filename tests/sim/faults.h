/*
 * faults.h -- what goes wrong in a run, and when.
 */
#ifndef FARNOVA_TESTS_SIM_FAULTS_H
#define FARNOVA_TESTS_SIM_FAULTS_H

#include "tests/sim/cluster.h"

#include <stdint.h>

#define FAULTS_MAX 32u

struct faults_options {
	unsigned count;
	uint64_t left_out;  /* bit i: the i-th fault does not happen */
	unsigned kinds;     /* bits of enum fault_kind that are chosen from */
	int64_t within_ns;  /* they begin within this time */
	int64_t longest_ns; /* a client or server is frozen, or its network stalls, up to */
	unsigned clients;
	struct cluster_options server; /* for restarts */
};

enum fault_kind {
	FAULT_CUT,    /* a connection of a client ends */
	FAULT_STALL,  /* the network of a client passes nothing for a time */
	FAULT_FREEZE, /* a client does not run for a time */
	FAULT_FREEZE_SERVER,
	FAULT_KILL_CLIENT,
	FAULT_KILL_SERVER,
	FAULT_POWER,   /* of the server's host */
	FAULT_RESTART, /* the server is closed and started */
	FAULT_CLOCK,   /* a clock of a client or the server leaps */
	FAULT_KINDS
};

/* faults_happened -- how often each kind has happened in this run; those left out, or that found nobody, do not count. */
const unsigned *faults_happened(void);
const char *faults_name(enum fault_kind kind);

/* faults_run -- let them happen, one after another, then heal everything; the calling thread waits meanwhile. */
void faults_run(const struct faults_options *options);

#endif
