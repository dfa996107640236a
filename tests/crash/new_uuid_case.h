/*
 * new_uuid_case.h -- the copy of a pool gets a UUID of its own, and crashes at every fence of it.
 */
#ifndef FARNOVA_TESTS_CRASH_NEW_UUID_CASE_H
#define FARNOVA_TESTS_CRASH_NEW_UUID_CASE_H

#include "tests/crash/crash_case.h"

/*
 * new_uuid_case -- crash `farnova new-uuid`: the pool has the old UUID and key, or the new ones and none of the old
 * clients; it holds what it held, and a mount or a second try makes it whole. Returns the number of wrong images.
 */
unsigned new_uuid_case(const struct crash_settings *settings, struct crash_counts *counts);

#endif
