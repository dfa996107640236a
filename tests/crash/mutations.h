/*
 * mutations.h -- would the crash tests notice a missing flush, fence or streaming store?
 */
#ifndef FARNOVA_TESTS_CRASH_MUTATIONS_H
#define FARNOVA_TESTS_CRASH_MUTATIONS_H

#include <stdbool.h>

/*
 * mutations_try -- leave out each call of the operations by its place in the source, without a rebuild, and look for an
 * image that is wrong. `state` and `operation` (may be NULL) limit what is tried. 0 if each was missed, or is expected
 * not to be for a reason given in mutations.c; else 1.
 */
int mutations_try(const char *state, const char *operation, bool verbose);

#endif
