/*
 * cpu_share.h -- polling that yields: whether the CPU is wanted by others so much that blocking is cheaper.
 *
 * A thread that polls offers its CPU to others between polls, since what it polls for may have to be sent from there.
 * Where that is all they want the CPU is back within microseconds. A busy program keeps it for its whole time slice,
 * milliseconds, each time; a thread that blocks instead is put before such a program as soon as it is woken. So a yield
 * that came back late says not to poll for a while.
 *
 * One thread at a time, as its owner sees to.
 */
#ifndef FARNOVA_COMMON_CPU_SHARE_H
#define FARNOVA_COMMON_CPU_SHARE_H

#include "common/clock.h"

#include <sched.h>
#include <stdbool.h>
#include <stdint.h>

#define CPU_SHARE_LATE_NS    1000000   /* less than a scheduler's slice, more than a peer or a soft-RoCE driver works */
#define CPU_SHARE_CROWDED_NS 100000000 /* so long nothing is tried: the attempts then cost some percent at most */

struct cpu_share {
	int64_t crowded_until_ns; /* 0 at first */
};

/* cpu_share_crowded -- whether to block instead of polling at `now_ns`. */
static inline bool cpu_share_crowded(const struct cpu_share *share, int64_t now_ns)
{
	return now_ns < share->crowded_until_ns;
}

/* cpu_share_yield -- let others run; whether the CPU has turned out to be crowded. */
static inline bool cpu_share_yield(struct cpu_share *share)
{
	int64_t before_ns = clock_now_ns();

	sched_yield();
	int64_t after_ns = clock_now_ns();
	if (after_ns - before_ns < CPU_SHARE_LATE_NS)
		return false;
	share->crowded_until_ns = after_ns + CPU_SHARE_CROWDED_NS;
	return true;
}

#endif
