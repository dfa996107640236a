/*
 * gc_queue.h -- logs that could be shorter, for a time when nothing else happens.
 */
#ifndef FARNOVA_NOVA_GC_QUEUE_H
#define FARNOVA_NOVA_GC_QUEUE_H

#include "server/nova/inode/nova_inode.h"

#define NOVA_GC_QUEUE 1024u

/* Logs that wait for being shortened while nothing else happens. */
struct gc_queue {
	pthread_mutex_t lock;
	uint32_t first;
	uint32_t count; /* atomic, changed under the lock */
	struct gc_waiting {
		uint64_t ino;
		uint32_t generation;
		uint64_t tail; /* when it was last looked at */
		uint64_t end;  /* the tail when GC of it began, 0 = it did not yet */
	} waiting[NOVA_GC_QUEUE];
};

/* gc_queue_init -- -ENOMEM. gc_queue_fini -- also of a mount that has none. */
int gc_queue_init(struct nova *fs);
void gc_queue_fini(struct nova *fs);

/* gc_queue -- under the inode's exclusive lock. */
void gc_queue(struct nova *fs, struct nova_inode *inode);

/* gc_queue_put -- false if the queue has no room beside what is to stay `free`. */
bool gc_queue_put(struct gc_queue *queue, const struct gc_waiting *waiting, uint32_t free);

/* gc_queue_get -- the one that waits longest; false if there is none. */
bool gc_queue_get(struct gc_queue *queue, struct gc_waiting *waiting);

uint32_t gc_queue_length(const struct gc_queue *queue);

#endif
