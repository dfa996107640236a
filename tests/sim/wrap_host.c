/*
 * wrap_host.c -- what the product asks its host: clocks, random numbers, sleep, and the number of CPUs.
 */
#include "tests/sim/kernel.h"
#include "tests/sim/wrap.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

long __real_sysconf(int name);

int __wrap_clock_gettime(clockid_t clock, struct timespec *out)
{
	int64_t ns = clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE ? sim_wall()
	             : clock == CLOCK_THREAD_CPUTIME_ID                        ? sim_cpu()
	                                                                       : sim_clock();

	*out = (struct timespec){.tv_sec = ns / SIM_NS_PER_S, .tv_nsec = ns % SIM_NS_PER_S};
	return 0;
}

int __wrap_nanosleep(const struct timespec *time, struct timespec *left)
{
	(void)left;
	sim_sleep_until(sim_now() + time->tv_sec * SIM_NS_PER_S + time->tv_nsec);
	return 0;
}

ssize_t __wrap_getrandom(void *out, size_t size, unsigned flags)
{
	(void)flags;
	for (size_t at = 0; at < size; at += sizeof(uint64_t)) {
		uint64_t value = sim_random(SIM_SECRETS);

		memcpy((char *)out + at, &value, size - at < sizeof(value) ? size - at : sizeof(value));
	}
	return (ssize_t)size;
}

/* Every host is one of two CPUs here. */
long __wrap_sysconf(int name)
{
	return name == _SC_NPROCESSORS_ONLN || name == _SC_NPROCESSORS_CONF ? 2 : __real_sysconf(name);
}

int __wrap_sched_getaffinity(pid_t pid, size_t size, cpu_set_t *set)
{
	(void)pid, (void)size, (void)set;
	errno = ENOSYS;
	return -1;
}

int __wrap_sched_setaffinity(pid_t pid, size_t size, const cpu_set_t *set)
{
	(void)pid, (void)size, (void)set;
	errno = ENOSYS;
	return -1;
}
