// results.c -- median, quartiles and the JSON line.
#include "tests/bench/results.h"

#include <stdlib.h>

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

// The value at fraction `at` of the sorted values, interpolated.
static double quantile(const double *sorted, unsigned n, double at)
{
	double place = at * (n - 1);
	unsigned below = (unsigned)place;

	if (below + 1 >= n)
		return sorted[n - 1];
	return sorted[below] + (place - below) * (sorted[below + 1] - sorted[below]);
}

double bench_quantile(double *values, unsigned n, double at)
{
	qsort(values, n, sizeof(*values), by_value);
	return quantile(values, n, at);
}

double bench_median(double *values, unsigned n)
{
	return bench_quantile(values, n, 0.5);
}

void bench_result(FILE *json, const char *suite, const char *name, const char *subject, const char *unit,
                  double *values, unsigned n)
{
	double median = bench_median(values, n);
	double spread = median > 0 ? (quantile(values, n, 0.75) - quantile(values, n, 0.25)) / median : 0;

	fprintf(json,
	        "{\"suite\":\"%s\",\"case\":\"%s\",\"subject\":\"%s\",\"unit\":\"%s\",\"value\":%.6g,"
	        "\"spread\":%.3f,\"min\":%.6g,\"max\":%.6g,\"n\":%u}\n",
	        suite, name, subject, unit, median, spread, values[0], values[n - 1], n);
	fflush(json);
}
