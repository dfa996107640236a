/*
 * assert.c -- ends the process when an invariant does not hold.
 */
#include "common/assert.h"

#include "common/log.h"

#include <stdlib.h>

void fn_assert_failed(const char *condition, const char *file, int line)
{
	log_error("assert", "%s:%d: `%s` does not hold; this is an error in farnova, please report it", file, line,
	          condition);
	abort();
}
