/*
 * check.h -- for tests of the client library whose threads may not use cmocka's asserts.
 */
#ifndef FARNOVA_TESTS_CHECK_H
#define FARNOVA_TESTS_CHECK_H

#include "client/include/farnova.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

/* CHECK -- the condition holds, or the test ends with where and why. */
#define CHECK(condition)                                                                                               \
	do {                                                                                                           \
		if (!(condition)) {                                                                                    \
			fprintf(stderr, "%s:%d: not so: %s (errno %d, last error: %s)\n", __FILE__, __LINE__,          \
			        #condition, errno, farnova_last_error());                                              \
			exit(1);                                                                                       \
		}                                                                                                      \
	} while (0)

#endif
