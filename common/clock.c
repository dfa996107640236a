/* clock.c -- the clock of timeouts, leases and polling. */
#include "common/clock.h"

#include <stdatomic.h>
#include <stddef.h>
#include <time.h>

typedef int64_t (*clock_source)(void);

static _Atomic(clock_source) source;

int64_t clock_now_ns(void)
{
	clock_source other = atomic_load_explicit(&source, memory_order_relaxed);
	struct timespec now;

	if (other != NULL)
		return other();
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * CLOCK_NS_PER_S + now.tv_nsec;
}

int64_t clock_now_ms(void)
{
	return clock_now_ns() / CLOCK_NS_PER_MS;
}

struct timespec clock_timespec(int64_t ns)
{
	return (struct timespec){.tv_sec = ns / CLOCK_NS_PER_S, .tv_nsec = ns % CLOCK_NS_PER_S};
}

void clock_set_source(int64_t (*now_ns)(void))
{
	atomic_store_explicit(&source, now_ns, memory_order_relaxed);
}
