/*
 * cpu_share.h -- yields while polling, and detects when the CPU is so crowded that blocking is cheaper.
 *
 * A polling thread yields its CPU between polls, since the thread that sends what it polls for may need that CPU. Such
 * a thread returns the CPU within microseconds. A busy program keeps it for its whole time slice, milliseconds, each
 * time. A thread that blocks instead gets the CPU before such a program as soon as it is woken. So if yields return
 * late because others run, the CPU is crowded, and polling is not worthwhile for a while.
 *
 * A virtual host may lose its CPU to the hypervisor for as long. Then nobody on the host wanted the CPU, and blocking
 * only adds wake-ups. The thread's run delay distinguishes the two cases: it grows while the thread waits for others on
 * its CPU, but not while the whole CPU stands still. Reading it costs several yields, so it is read only after a late
 * yield:
 *
 *     quiet --a late yield--> watching
 *     watching: each yield is preceded by a reading
 *     watching --a late yield, and the run delay grew by at least half of it--> crowded
 *     watching --a late yield without that--> watching, from the start
 *     watching --CPU_SHARE_WATCHED yields, none of them late--> quiet
 *     crowded --the first yield after CPU_SHARE_CROWDED_NS--> watching
 *
 * One thread at a time, which the owner ensures; the thread may differ between yields.
 */
#ifndef FARNOVA_COMMON_CPU_SHARE_H
#define FARNOVA_COMMON_CPU_SHARE_H

#include <stdbool.h>
#include <stdint.h>

#define CPU_SHARE_LATE_NS    1000000   /* less than a scheduler's slice, more than a peer or a soft-RoCE driver works */
#define CPU_SHARE_CROWDED_NS 100000000 /* time without attempts: then they cost a few percent at most */

/* Schedulers that compensate for a long wait return the CPU to a yielding thread at once for up to a slice, 3 ms. */
#define CPU_SHARE_WATCHED 512u

struct cpu_share {
	int64_t crowded_until_ns; /* 0: not crowded since it was last watched */
	unsigned watched;         /* number of yields still to be watched */
};

/* cpu_share_crowded -- whether to block instead of polling; the time now is `now_ns`. */
static inline bool cpu_share_crowded(const struct cpu_share *share, int64_t now_ns)
{
	return now_ns < share->crowded_until_ns;
}

/* cpu_share_yield -- yield the CPU; returns whether the CPU has turned out to be crowded. */
bool cpu_share_yield(struct cpu_share *share);

/*
 * cpu_share_run_delay_ns -- the total time that the calling thread has waited for others to leave its CPU; -errno if
 * the kernel does not provide it. Then late yields count as crowded.
 */
int64_t cpu_share_run_delay_ns(void);

/* cpu_share_set_source -- for tests: `run_delay_ns` replaces the kernel's value in all threads; NULL: the kernel's
 * again. */
void cpu_share_set_source(int64_t (*run_delay_ns)(void));

#endif
