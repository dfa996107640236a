/*
 * crash_internal.h -- what recording and crashing share: one pool for all cases of a process, and the steps of a case.
 */
#ifndef FARNOVA_TESTS_CRASH_CRASH_INTERNAL_H
#define FARNOVA_TESTS_CRASH_CRASH_INTERNAL_H

#include "tests/crash/crash_case.h"

/* The live pool, and what it held when it was fresh. */
extern struct sparse crash_memory;
extern struct sparse crash_initial;

/* crash_broken -- tell that the case itself went wrong; false. */
bool crash_broken(const struct crash_case *c, const char *what, const char *why);

/* crash_make_room -- for both, once. */
void crash_make_room(void);

/* crash_prepare -- a world in the state, with what the operations need, and its tree noted; false if that fails. */
bool crash_prepare(struct crash_case *c);

/* crash_live_pool -- whether the live pool is consistent as it lies there; *orphans tells its inodes without a name. */
bool crash_live_pool(const struct crash_case *c, uint64_t *orphans);

/* crash_may_fail -- whether an operation may have failed as it did. */
bool crash_may_fail(const struct crash_case *c, const struct crash_operation *operation);

#endif
