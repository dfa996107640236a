/*
 * cleanup.h -- releases a function's resources when their scope ends, whichever way it ends.
 */
#ifndef FARNOVA_COMMON_CLEANUP_H
#define FARNOVA_COMMON_CLEANUP_H

#include <stdlib.h>

/* CLEANUP_FREE -- before a pointer to memory from malloc; NULL is allowed. */
#define CLEANUP_FREE __attribute__((cleanup(cleanup_free)))

static inline void cleanup_free(void *pointer)
{
	free(*(void **)pointer);
}

#endif
