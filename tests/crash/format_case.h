/*
 * format_case.h -- mkfs over an old pool, and crashes at every fence of it.
 */
#ifndef FARNOVA_TESTS_CRASH_FORMAT_CASE_H
#define FARNOVA_TESTS_CRASH_FORMAT_CASE_H

#include "tests/crash/crash_case.h"

/* format_case -- crash mkfs: a pool that does not mount, or the new empty one. Returns the number of wrong images. */
unsigned format_case(const struct crash_settings *settings, struct crash_counts *counts);

#endif
