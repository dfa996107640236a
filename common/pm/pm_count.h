/*
 * pm_count.h -- the counting observer: how many lines, flushes, fences and bytes an operation costs.
 *
 * Attach it with `pm.observer = &count.observer`. A structure is not thread safe: count one thread at a time.
 */
#ifndef FARNOVA_COMMON_PM_COUNT_H
#define FARNOVA_COMMON_PM_COUNT_H

#include "common/pm/pm.h"

struct pm_count {
	struct pm_observer observer;
	uint64_t nt_lines;      /* lines stored by pm_copy and pm_zero */
	uint64_t words;         /* 8-byte stores */
	uint64_t flushed_lines; /* lines written back by pm_flush */
	uint64_t fences;
	uint64_t bytes; /* total bytes stored */
};

/* pm_count_init -- zero the counts and set the callback. */
void pm_count_init(struct pm_count *count);

#endif
