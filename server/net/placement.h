/*
 * placement.h -- the CPU of each worker: one of its own, and not the CPU on which a client polls.
 *
 * A worker and a client on the same host that poll for each other are fast on two CPUs (some 4 us for a request over
 * loopback) and three times slower on one. The scheduler leaves them on one CPU for seconds, since both always run. The
 * client's threads belong to the program, so the worker moves: it is pinned to a CPU, no two workers to the same one,
 * and moves to another CPU when its messages come from its own.
 *
 * If the process may use fewer CPUs than its workers and one more, no worker is pinned.
 */
#ifndef FARNOVA_SERVER_PLACEMENT_H
#define FARNOVA_SERVER_PLACEMENT_H

#include <sched.h>
#include <stdatomic.h>

/* What the workers share: the CPUs the process may use, and which have a worker. */
struct placement {
	cpu_set_t allowed;
	int count; /* of CPUs that may be used; 0: no worker is pinned */
	atomic_bool taken[CPU_SETSIZE];
};

/* placement_init -- for `workers` workers; any thread, before they start. */
void placement_init(struct placement *placement, unsigned workers);

/* placement_pin_worker -- pin the calling worker to a CPU of its own, if there is one. Returns it, or -1. */
int placement_pin_worker(struct placement *placement);

/* placement_leave -- move the calling worker from `own`, as placement_pin_worker gave it, to another CPU that is free.
 * Returns where it is now. */
int placement_leave(struct placement *placement, int own);

#endif
