/*
 * clock.h -- the one clock that time-outs, leases and polling go by.
 *
 * It counts nanoseconds by CLOCK_MONOTONIC unless a test has put a source of its own in its place. Thread safe.
 */
#ifndef FARNOVA_COMMON_CLOCK_H
#define FARNOVA_COMMON_CLOCK_H

#include <stdint.h>

#define CLOCK_NS_PER_MS INT64_C(1000000)
#define CLOCK_NS_PER_S  INT64_C(1000000000)

struct timespec;

/* clock_now_ns, clock_now_ms -- the time now. */
int64_t clock_now_ns(void);
int64_t clock_now_ms(void);

/* clock_timespec -- `ns` in the form that pthread_cond_clockwait and its kin take. */
struct timespec clock_timespec(int64_t ns);

/* clock_set_source -- for tests: `now_ns` tells the time from now on, for all threads; NULL: CLOCK_MONOTONIC again. */
void clock_set_source(int64_t (*now_ns)(void));

#endif
