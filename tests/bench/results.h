// results.h -- one line of results: the median of several values, and how they lie.
#ifndef TESTS_BENCH_RESULTS_H
#define TESTS_BENCH_RESULTS_H

#include <stdio.h>

// bench_quantile -- the value at fraction `at` (0 to 1) of n >= 1 values, interpolated; it sorts them.
double bench_quantile(double *values, unsigned n, double at);

// bench_median -- of n >= 1 values; it sorts them.
double bench_median(double *values, unsigned n);

// bench_result -- write the JSON line of n >= 1 values; they are sorted by it.
void bench_result(FILE *json, const char *suite, const char *name, const char *subject, const char *unit,
                  double *values, unsigned n);

#endif
