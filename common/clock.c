/* clock.c -- the clocks of the kernel. */
#include "common/clock.h"

#include <stdatomic.h>
#include <stddef.h>
#include <time.h>

typedef int64_t (*clock_source)(void);

static _Atomic(clock_source) source;

static int64_t read_clock(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (int64_t)now.tv_sec * CLOCK_NS_PER_S + now.tv_nsec;
}

int64_t clock_now_ns(void)
{
	clock_source other = atomic_load_explicit(&source, memory_order_relaxed);

	return other != NULL ? other() : read_clock(CLOCK_MONOTONIC);
}

int64_t clock_now_ms(void)
{
	return clock_now_ns() / CLOCK_NS_PER_MS;
}

int64_t clock_wall_ns(void)
{
	return read_clock(CLOCK_REALTIME);
}

int64_t clock_wall_coarse_ns(void)
{
	return read_clock(CLOCK_REALTIME_COARSE);
}

int64_t clock_thread_cpu_ns(void)
{
	return read_clock(CLOCK_THREAD_CPUTIME_ID);
}

struct timespec clock_timespec(int64_t ns)
{
	return (struct timespec){.tv_sec = ns / CLOCK_NS_PER_S, .tv_nsec = ns % CLOCK_NS_PER_S};
}

void clock_set_source(int64_t (*now_ns)(void))
{
	atomic_store_explicit(&source, now_ns, memory_order_relaxed);
}
