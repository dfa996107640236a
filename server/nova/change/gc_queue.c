/*
 * gc_queue.c -- shorten logs while nothing else happens.
 *
 * GC in the way of appends (gc.c) lets a log be some pages longer than it must be, and of a file that was rewritten
 * some hundred times once they stay for good. So an append that leaves a log long puts it into a queue, and a thread
 * that has time looks into that: a log that has not grown since the last look is shortened, slice by slice, each under
 * the inode's lock alone; one that has is in use and waits. An inode whose lock is taken is left alone, too.
 */
#include "server/nova/change/gc_queue.h"

#include "server/nova/change/gc.h"
#include "server/nova/inode/inode.h"
#include "server/nova/space/worker.h"

#include <errno.h>
#include <stdlib.h>

/* ---- the queue ------------------------------------------------------------------------------------------------ */

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

/* False if the queue has no room beside what is to stay free. */
static bool put(struct gc_queue *queue, const struct gc_waiting *waiting, uint32_t free)
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

static bool get(struct gc_queue *queue, struct gc_waiting *waiting)
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

static uint32_t length(const struct gc_queue *queue)
{
	return __atomic_load_n(&queue->count, __ATOMIC_RELAXED);
}

/* In a full queue it finds no place; then its next append asks again. */
void gc_queue(struct nova *fs, struct nova_inode *inode)
{
	const struct gc_waiting waiting = {.ino = inode->ino, .generation = inode->generation};

	inode->gc.queued = put(fs->gc, &waiting, NOVA_JOURNAL_RINGS);
}

/* ---- steps ---------------------------------------------------------------------------------------------------- */

enum look { LOOK_GONE, LOOK_BUSY, LOOK_LOCKED };

/* What is no longer in DRAM is not read again for this. */
static enum look lock_loaded(struct nova_worker *worker, const struct gc_waiting *waiting, struct nova_inode **out)
{
	struct nova_inode *inode;

	if (incore_find(worker, waiting->ino, &inode))
		return LOOK_GONE;
	if (pthread_rwlock_trywrlock(&inode->lock))
		return LOOK_BUSY;
	*out = inode;
	if (inode->ino == waiting->ino && inode->generation == waiting->generation && inode->loaded && inode->indexed &&
	    inode_alive(inode))
		return LOOK_LOCKED;
	inode_unlock(inode);
	return LOOK_GONE;
}

/* Up to `slices` of one log; false when there is no more to do with it. A log for which there was no space waits on. */
static bool shorten(struct nova_worker *worker, struct nova_inode *inode, struct gc_waiting *waiting, unsigned slices,
                    unsigned *done)
{
	if (!waiting->end)
		waiting->end = inode->log.tail;
	if (inode->gc.limit != UINT64_MAX)
		inode->gc.limit = 0;
	while (*done < slices && gc_idle_slice(worker, inode, waiting->end))
		++*done;
	inode->gc.queued = *done == slices || (inode->gc.limit && inode->gc.limit != UINT64_MAX);
	return inode->gc.queued;
}

int nova_gc_step(struct nova_worker *worker, unsigned slices, unsigned flags)
{
	struct gc_queue *queue = worker->fs->gc;
	unsigned done = 0;

	if (worker->fs->read_only)
		return 0;
	for (uint32_t looks = length(queue); looks > 0 && done < slices; looks--) {
		struct gc_waiting waiting;
		struct nova_inode *inode;
		enum look look;
		bool again = true;

		if (!get(queue, &waiting))
			break;
		look = lock_loaded(worker, &waiting, &inode);
		if (look == LOOK_GONE)
			continue;
		if (look == LOOK_LOCKED) {
			if (flags & NOVA_GC_BUSY || inode->log.tail == waiting.tail)
				again = shorten(worker, inode, &waiting, slices, &done);
			waiting.tail = inode->log.tail;
		}
		/*
		 * Before the lock is let go: else the inode could be queued anew in between. There is room: each worker
		 * is in one step at most, and appends leave a place for each.
		 */
		if (again)
			put(queue, &waiting, 0);
		if (look == LOOK_LOCKED)
			inode_unlock(inode);
	}
	return (int)done;
}
