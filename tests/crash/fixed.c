/*
 * fixed.c -- wraps the clock and the source of random numbers (-Wl,--wrap).
 */
#include "tests/crash/fixed.h"

#include <string.h>
#include <sys/types.h>
#include <time.h>

int __real_clock_gettime(clockid_t clock, struct timespec *now);
int __wrap_clock_gettime(clockid_t clock, struct timespec *now);
ssize_t __wrap_getrandom(void *buffer, size_t length, unsigned flags);

static _Thread_local int64_t fixed_ns;

void fixed_time_set(int64_t ns)
{
	fixed_ns = ns;
}

int __wrap_clock_gettime(clockid_t clock, struct timespec *now)
{
	if (fixed_ns == 0 || (clock != CLOCK_REALTIME && clock != CLOCK_REALTIME_COARSE))
		return __real_clock_gettime(clock, now);
	now->tv_sec = fixed_ns / 1000000000;
	now->tv_nsec = fixed_ns % 1000000000;
	return 0;
}

static uint8_t random_calls;

void fixed_random_restart(void)
{
	random_calls = 0;
}

/* Each call another value, since a pool that is formatted again must get another UUID. */
ssize_t __wrap_getrandom(void *buffer, size_t length, unsigned flags)
{
	memset(buffer, 0x5a, length);
	*(uint8_t *)buffer = random_calls++;
	return (ssize_t)length;
}
