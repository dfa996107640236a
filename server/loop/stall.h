/*
 * stall.h -- for how long a thread could not run, by how late its tick is and by the CPU time it got.
 */
#ifndef FARNOVA_SERVER_STALL_H
#define FARNOVA_SERVER_STALL_H

#include <stdint.h>

/*
 * stall_ms -- of `late_ms` since the tick was due, the part in which the thread could not run. `ran_ms` is its CPU time
 * since the tick before, `interval_ms` the time from that to when the tick was due: it may all have been spent then.
 * What is left was spent after, on requests, and is no stall.
 */
static inline int64_t stall_ms(int64_t late_ms, int64_t ran_ms, int64_t interval_ms)
{
	int64_t busy_ms = ran_ms > interval_ms ? ran_ms - interval_ms : 0;

	return busy_ms < late_ms ? late_ms - busy_ms : 0;
}

#endif
