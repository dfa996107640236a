/*
 * cache.c -- keeps freed objects of one size for the next of them.
 */
#include "client/link/cache.h"

#include <stdlib.h>

void cache_init(struct cache *cache)
{
	cache->count = 0;
	pthread_mutex_init(&cache->lock, NULL);
}

void cache_destroy(struct cache *cache)
{
	while (cache->count > 0)
		free(cache->kept[--cache->count]);
	pthread_mutex_destroy(&cache->lock);
}

void *cache_take(struct cache *cache, size_t size)
{
	void *object = NULL;

	pthread_mutex_lock(&cache->lock);
	if (cache->count > 0)
		object = cache->kept[--cache->count];
	pthread_mutex_unlock(&cache->lock);
	return object ? object : malloc(size);
}

void cache_return(struct cache *cache, void *object)
{
	pthread_mutex_lock(&cache->lock);
	if (cache->count < CACHE_KEPT) {
		cache->kept[cache->count++] = object;
		object = NULL;
	}
	pthread_mutex_unlock(&cache->lock);
	free(object);
}
