/*
 * cache.h -- keeps freed objects of one size for the next of them, the last one first: it is in the CPU's cache.
 *
 * Thread safe.
 */
#ifndef FARNOVA_CLIENT_CACHE_H
#define FARNOVA_CLIENT_CACHE_H

#include <pthread.h>
#include <stddef.h>

#define CACHE_KEPT 512u

struct cache {
	pthread_mutex_t lock; /* a leaf lock: no other lock is taken while it is held */
	void *kept[CACHE_KEPT];
	unsigned count;
};

void cache_init(struct cache *cache);
void cache_destroy(struct cache *cache);

/* cache_take -- memory for an object of `size`, always the same of a cache; NULL without memory. Its content is
 * undefined. cache_return frees it. */
void *cache_take(struct cache *cache, size_t size);
void cache_return(struct cache *cache, void *object);

#endif
