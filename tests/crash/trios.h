/*
 * trios.h -- operations that three threads do at once, where a third adds something to what two can do.
 */
#ifndef FARNOVA_TESTS_CRASH_TRIOS_H
#define FARNOVA_TESTS_CRASH_TRIOS_H

#include <stddef.h>

struct trio {
	const char *why;
	const char *operations[3]; /* each of them begins in some cases */
};

extern const struct trio trios[];
extern const size_t trio_count;

/* trios_check -- 0 if all names are those of operations; else 1, and what is wrong is told. */
int trios_check(void);

#endif
