/*
 * cpu_share.h -- polling that yields: whether the CPU is wanted by others so much that blocking is cheaper.
 *
 * A thread that polls offers its CPU to others between polls, since what it polls for may have to be sent from there.
 * Where that is all they want the CPU is back within microseconds. A busy program keeps it for its whole time slice,
 * milliseconds, each time; a thread that blocks instead is put before such a program as soon as it is woken. So where
 * yields come back late because others run, the CPU is crowded, and polling is not worth it for a while.
 *
 * A virtual host may lose its CPU to the hypervisor for as long. Then nobody on the host wanted the CPU, and blocking
 * only adds wake-ups. The thread's run delay tells the two apart: it grows while the thread waits for others on its CPU,
 * and not while the whole CPU stands still. Reading it costs several yields, so it is read only after a late yield:
 *
 *     quiet --a late yield--> watching
 *     watching: each yield is preceded by a reading
 *     watching --a late yield, and the run delay grew by at least half of it--> crowded
 *     watching --a late yield without that--> watching, from the start
 *     watching --CPU_SHARE_WATCHED yields, none of them late--> quiet
 *     crowded --the first yield after CPU_SHARE_CROWDED_NS--> watching
 *
 * One thread at a time, as its owner sees to; from one yield to the next it may be another.
 */
#ifndef FARNOVA_COMMON_CPU_SHARE_H
#define FARNOVA_COMMON_CPU_SHARE_H

#include <stdbool.h>
#include <stdint.h>

#define CPU_SHARE_LATE_NS    1000000   /* less than a scheduler's slice, more than a peer or a soft-RoCE driver works */
#define CPU_SHARE_CROWDED_NS 100000000 /* so long nothing is tried: the attempts then cost some percent at most */

/* Schedulers that make up for a long wait give a thread that yields the CPU back at once for up to a slice, 3 ms. */
#define CPU_SHARE_WATCHED 512u

struct cpu_share {
	int64_t crowded_until_ns; /* 0: it has not been crowded since it was watched last */
	unsigned watched;         /* how many yields are to be watched yet */
};

/* cpu_share_crowded -- whether to block instead of polling at `now_ns`. */
static inline bool cpu_share_crowded(const struct cpu_share *share, int64_t now_ns)
{
	return now_ns < share->crowded_until_ns;
}

/* cpu_share_yield -- let others run; whether the CPU has turned out to be crowded. */
bool cpu_share_yield(struct cpu_share *share);

/*
 * cpu_share_run_delay_ns -- how long the calling thread has waited in all for others to leave its CPU; -errno where the
 * kernel does not tell. Then late yields count as crowded.
 */
int64_t cpu_share_run_delay_ns(void);

/* cpu_share_set_source -- for tests: `run_delay_ns` is asked in place of the kernel, in all threads; NULL: the kernel. */
void cpu_share_set_source(int64_t (*run_delay_ns)(void));

#endif
