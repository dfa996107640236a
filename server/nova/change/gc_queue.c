/*
 * gc_queue.c -- the queue of inodes whose logs GC can shorten while the server is idle.
 */
#include "server/nova/change/gc_queue.h"

#include <errno.h>
#include <stdlib.h>

int gc_queue_init(struct nova *fs)
{
	fs->gc = calloc(1, sizeof *fs->gc);
	if (!fs->gc)
		return -ENOMEM;
	pthread_mutex_init(&fs->gc->lock, NULL);
	return 0;
}

void gc_queue_fini(struct nova *fs)
{
	if (!fs->gc)
		return;
	pthread_mutex_destroy(&fs->gc->lock);
	free(fs->gc);
}

bool gc_queue_put(struct gc_queue *queue, const struct gc_waiting *waiting, uint32_t free)
{
	bool room;

	if (__atomic_load_n(&queue->count, __ATOMIC_RELAXED) + free >= NOVA_GC_QUEUE)
		return false;
	pthread_mutex_lock(&queue->lock);
	room = queue->count + free < NOVA_GC_QUEUE;
	if (room) {
		queue->waiting[(queue->first + queue->count) % NOVA_GC_QUEUE] = *waiting;
		__atomic_store_n(&queue->count, queue->count + 1, __ATOMIC_RELAXED);
	}
	pthread_mutex_unlock(&queue->lock);
	return room;
}

bool gc_queue_get(struct gc_queue *queue, struct gc_waiting *waiting)
{
	bool got;

	pthread_mutex_lock(&queue->lock);
	got = queue->count > 0;
	if (got) {
		*waiting = queue->waiting[queue->first];
		queue->first = (queue->first + 1) % NOVA_GC_QUEUE;
		__atomic_store_n(&queue->count, queue->count - 1, __ATOMIC_RELAXED);
	}
	pthread_mutex_unlock(&queue->lock);
	return got;
}

uint32_t gc_queue_length(const struct gc_queue *queue)
{
	return __atomic_load_n(&queue->count, __ATOMIC_RELAXED);
}

/* If the queue is full, the inode is not added; its next append tries again. */
void gc_queue(struct nova *fs, struct nova_inode *inode)
{
	const struct gc_waiting waiting = {.ino = inode->ino, .generation = inode->generation};

	inode->gc.queued = gc_queue_put(fs->gc, &waiting, NOVA_JOURNAL_RINGS);
}
