/*
 * gc_step.c -- idle GC: shortens logs while the server has nothing else to do.
 *
 * GC before appends (gc.c) lets a log be some pages longer than necessary. A file that was rewritten some hundred times
 * and then never again would keep these pages for ever. So an append that leaves a long log puts the inode into a
 * queue, and a thread that has time works through the queue. If the log has not grown since the last step, the thread
 * shortens it slice by slice, each under the inode's lock alone. If the log has grown, or if the inode is locked, the
 * inode is in use and stays in the queue.
 */
#include "server/nova/change/gc.h"
#include "server/nova/change/gc_queue.h"
#include "server/nova/inode/inode.h"
#include "server/nova/space/worker.h"

enum look { LOOK_GONE, LOOK_BUSY, LOOK_LOCKED };

/* An inode that is no longer in core is not loaded again for GC. */
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

/* Run up to `slices` slices on one log; false when nothing is left to do. After -ENOSPC the inode stays queued. */
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
		 * Put it back before unlocking: else an append could queue the inode a second time in between. There is
		 * room: each worker runs one step at most, and appends leave a free place for each worker.
		 */
		if (again)
			gc_queue_put(queue, &waiting, 0);
		if (look == LOOK_LOCKED)
			inode_unlock(inode);
	}
	return (int)done;
}
