/*
 * grow_case.h -- a pool grows, and crashes at every fence of it.
 */
#ifndef FARNOVA_TESTS_CRASH_GROW_CASE_H
#define FARNOVA_TESTS_CRASH_GROW_CASE_H

#include "tests/crash/crash_case.h"

/*
 * grow_case -- crash the growth of a pool that was unmounted cleanly and of one that was not: the file system is
 * as large as it was or as large as its pool, holds what it held, and goes on. Returns the number of wrong images.
 */
unsigned grow_case(const struct crash_settings *settings, struct crash_counts *counts);

#endif
