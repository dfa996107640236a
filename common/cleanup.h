/*
 * cleanup.h -- what a function takes for itself goes when its scope ends, whichever way it is left.
 */
#ifndef FARNOVA_COMMON_CLEANUP_H
#define FARNOVA_COMMON_CLEANUP_H

#include <stdlib.h>

/* CLEANUP_FREE -- before a pointer to memory of malloc; NULL is fine. */
#define CLEANUP_FREE __attribute__((cleanup(cleanup_free)))

static inline void cleanup_free(void *pointer)
{
	free(*(void **)pointer);
}

#endif
