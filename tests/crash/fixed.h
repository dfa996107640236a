/*
 * fixed.h -- a clock that tests set, and numbers that are not random: so that a model can know every time that the core
 * stores, and a case leaves the same images in every run.
 *
 * clock_gettime and getrandom of the whole program are wrapped at link time.
 */
#ifndef FARNOVA_TESTS_CRASH_FIXED_H
#define FARNOVA_TESTS_CRASH_FIXED_H

#include <stdint.h>

/* fixed_time_set -- from now on clock_gettime(CLOCK_REALTIME) of this thread says `ns`; 0 = the real time. */
void fixed_time_set(int64_t ns);

/* fixed_random_restart -- getrandom says the same again as after the last restart, each call something else. */
void fixed_random_restart(void);

#endif
