/*
 * parallel.h -- cases tried by several processes, and what they all have seen.
 *
 * A case uses a pool in static memory, so processes share the work, not threads.
 */
#ifndef FARNOVA_TESTS_CRASH_PARALLEL_H
#define FARNOVA_TESTS_CRASH_PARALLEL_H

#include "tests/crash/crash_case.h"

struct parallel {
	unsigned jobs;     /* processes */
	unsigned seconds;  /* after which no further case is begun; 0 = no limit */
	unsigned part;     /* only this one, from 1 on, ... */
	unsigned parts;    /* ... of so many: every parts-th case; 0 = all */
	unsigned progress; /* tell how far it is after each so many seconds; 0 = never */
	const char *what;  /* they are, for that */
};

/*
 * parallel_each -- call `try` for 0..count-1, or what of them is of the part; it returns how many things were wrong.
 * Adds to *counts; *begun tells how many cases were begun. Returns the number of cases in which something was wrong, a
 * process that died included.
 */
unsigned parallel_each(const struct parallel *parallel, uint64_t count,
                       unsigned (*try)(void *context, uint64_t i, struct crash_counts *counts), void *context,
                       struct crash_counts *counts, uint64_t *begun);

/* parallel_share -- from here on parallel_is_new knows what any process was told. Aborts without memory. */
void parallel_share(void);
/* parallel_is_new -- true the first time for `key`, in any process; always true before parallel_share. */
bool parallel_is_new(uint64_t key);

#endif
