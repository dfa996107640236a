/*
 * gc_queue.h -- the queue of inodes whose logs GC can shorten while the server is idle.
 */
#ifndef FARNOVA_NOVA_GC_QUEUE_H
#define FARNOVA_NOVA_GC_QUEUE_H

#include "server/nova/inode/nova_inode.h"

#define NOVA_GC_QUEUE 1024u

/* The inodes that wait for idle GC. */
struct gc_queue {
	pthread_mutex_t lock;
	uint32_t first;
	uint32_t count; /* atomic, changed under the lock */
	struct gc_waiting {
		uint64_t ino;
		uint32_t generation;
		uint64_t tail; /* of the log when it was last examined */
		uint64_t end;  /* the tail when GC of the log began, 0 = it has not begun */
	} waiting[NOVA_GC_QUEUE];
};

/* gc_queue_init -- -ENOMEM. gc_queue_fini -- a mount without a queue is allowed. */
int gc_queue_init(struct nova *fs);
void gc_queue_fini(struct nova *fs);

/* gc_queue -- add the inode, under its exclusive lock. */
void gc_queue(struct nova *fs, struct nova_inode *inode);

/* gc_queue_put -- append to the queue. False if fewer than `free` places would stay free. */
bool gc_queue_put(struct gc_queue *queue, const struct gc_waiting *waiting, uint32_t free);

/* gc_queue_get -- take the inode that has waited longest; false if the queue is empty. */
bool gc_queue_get(struct gc_queue *queue, struct gc_waiting *waiting);

uint32_t gc_queue_length(const struct gc_queue *queue);

#endif
