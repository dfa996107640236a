/*
 * clock.h -- the clocks: of timeouts, leases and polling, of timestamps, and of a thread's CPU time.
 *
 * The first counts nanoseconds of CLOCK_MONOTONIC unless a test has replaced the source. All that the client library and
 * the server know of time they know from here. Thread safe.
 */
#ifndef FARNOVA_COMMON_CLOCK_H
#define FARNOVA_COMMON_CLOCK_H

#include <stdint.h>

#define CLOCK_NS_PER_MS INT64_C(1000000)
#define CLOCK_NS_PER_S  INT64_C(1000000000)

struct timespec;

/* clock_now_ns, clock_now_ms -- the current time. */
int64_t clock_now_ns(void);
int64_t clock_now_ms(void);

/* clock_wall_ns -- nanoseconds since 1970, for timestamps; it may jump. The coarse one is late by up to 10 ms, cheaper. */
int64_t clock_wall_ns(void);
int64_t clock_wall_coarse_ns(void);

/* clock_thread_cpu_ns -- the CPU time of the calling thread; costs a system call. */
int64_t clock_thread_cpu_ns(void);

/* clock_timespec -- `ns` as a timespec, for pthread_cond_clockwait and the like. */
struct timespec clock_timespec(int64_t ns);

/* clock_set_source -- for tests: `now_ns` supplies the time for all threads; NULL: CLOCK_MONOTONIC again. */
void clock_set_source(int64_t (*now_ns)(void));

#endif
