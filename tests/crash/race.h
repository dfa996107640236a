/*
 * race.h -- two or three operations at the same time, in threads with a worker each, interleaved as one wishes.
 */
#ifndef FARNOVA_TESTS_CRASH_RACE_H
#define FARNOVA_TESTS_CRASH_RACE_H

#include "tests/crash/crash_case.h"

#include <limits.h>

#define RACE_NEVER UINT_MAX

/*
 * Where each thread stops: before which of its own stores, flushes and fences, counted from 0. The first stops; then
 * the second begins and runs until it stops, waits for a lock or is done, then the third likewise; then each goes on in
 * turn until it waits or is done.
 */
struct race_plan {
	unsigned stop[CRASH_OPERATIONS_MAX]; /* RACE_NEVER: but for the first */
	bool same_name;                      /* all make the same name, where they make one */
};

/*
 * race_record -- as crash_case_record, for `count` operations. *past tells that the first operation was over before its
 * stop. Sets c->inapplicable for operations that the model cannot follow.
 */
bool race_record(struct crash_case *c, const struct world_state *state, const struct operation *const *all,
                 unsigned count, const struct race_plan *plan, bool *past);

#endif
