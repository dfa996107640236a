/*
 * stall.h -- computes for how long a thread could not run, from the lateness of its tick and its CPU time.
 */
#ifndef FARNOVA_SERVER_STALL_H
#define FARNOVA_SERVER_STALL_H

#include <stdint.h>

/*
 * stall_ms -- the part of `late_ms`, the time since the tick was due, in which the thread could not run. `ran_ms` is
 * its CPU time since the previous tick, `interval_ms` the time from the previous tick to when this one was due. Up to
 * `interval_ms` of the CPU time may have been used before the tick was due. The rest was used after that, for requests:
 * it is no stall.
 */
static inline int64_t stall_ms(int64_t late_ms, int64_t ran_ms, int64_t interval_ms)
{
	int64_t busy_ms = ran_ms > interval_ms ? ran_ms - interval_ms : 0;

	return busy_ms < late_ms ? late_ms - busy_ms : 0;
}

#endif
