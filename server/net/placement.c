/*
 * placement.c -- the CPU of each worker.
 */
#include "server/net/placement.h"

#include <stdbool.h>
#include <string.h>

void placement_init(struct placement *placement, unsigned workers)
{
	memset(placement, 0, sizeof(*placement));
	if (sched_getaffinity(0, sizeof(placement->allowed), &placement->allowed) != 0)
		return;
	int count = CPU_COUNT(&placement->allowed);
	if (count > 0 && (unsigned)count > workers)
		placement->count = count;
}

static bool pin(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	return sched_setaffinity(0, sizeof(set), &set) == 0;
}

/* Take a free CPU, the last first: programs are mostly started on the first. */
static int take(struct placement *placement, int except)
{
	for (int cpu = CPU_SETSIZE - 1; cpu >= 0; cpu--) {
		if (cpu == except || !CPU_ISSET(cpu, &placement->allowed) ||
		    atomic_exchange(&placement->taken[cpu], true))
			continue;
		if (pin(cpu))
			return cpu;
		atomic_store(&placement->taken[cpu], false); /* gone offline, or taken from the process meanwhile */
	}
	return -1;
}

int placement_pin_worker(struct placement *placement)
{
	return placement->count ? take(placement, -1) : -1;
}

int placement_leave(struct placement *placement, int own)
{
	int cpu = own < 0 ? -1 : take(placement, own);

	if (cpu < 0)
		return own;
	atomic_store(&placement->taken[own], false);
	return cpu;
}
