/*
 * gc_step.c -- shorten logs while nothing else happens.
 *
 * GC in the way of appends (gc.c) lets a log be some pages longer than it must be, and of a file that was rewritten
 * some hundred times once they stay for good. So an append that leaves a log long puts it into a queue, and a thread
 * that has time looks into that: a log that has not grown since the last look is shortened, slice by slice, each under
 * the inode's lock alone; one that has is in use and waits. An inode whose lock is taken is left alone, too.
 */
#include "server/nova/change/gc.h"
#include "server/nova/change/gc_queue.h"
#include "server/nova/inode/inode.h"
#include "server/nova/space/worker.h"

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
	for (uint32_t looks = gc_queue_length(queue); looks > 0 && done < slices; looks--) {
		struct gc_waiting waiting;
		struct nova_inode *inode;
		enum look look;
		bool again = true;

		if (!gc_queue_get(queue, &waiting))
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
			gc_queue_put(queue, &waiting, 0);
		if (look == LOOK_LOCKED)
			inode_unlock(inode);
	}
	return (int)done;
}
