/*
 * race.h -- two operations at the same time, in two threads with a worker each, interleaved as one wishes.
 */
#ifndef FARNOVA_TESTS_CRASH_RACE_H
#define FARNOVA_TESTS_CRASH_RACE_H

#include "tests/crash/crash_case.h"

#include <limits.h>

#define RACE_NEVER UINT_MAX

/* Where the threads stop: before which of their own stores, flushes and fences, counted from 0. */
struct race_plan {
	unsigned first;  /* then the second begins, and runs until it stops, waits for a lock or is done */
	unsigned second; /* then the first goes on until it waits or is done, and then the second; may be RACE_NEVER */
	bool same_name;  /* both make the same name, where they make one */
};

/*
 * race_record -- as crash_case_record. *past tells that the first operation was over before its stop. Sets
 * c->inapplicable for operations that the model cannot follow.
 */
bool race_record(struct crash_case *c, const struct world_state *state, const struct operation *first,
                 const struct operation *second, const struct race_plan *plan, bool *past);

#endif
