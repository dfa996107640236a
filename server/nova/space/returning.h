/*
 * returning.h -- whether blocks that are taken now may soon be free again, so that a request without space should wait.
 *
 * Blocks come back without a request for it from dead files, from closes that were left to another worker, from orphans
 * that are reclaimed, and from copies that were prepared and are dropped. They come back, too, from a change that has
 * taken some blocks but cannot get all: for that time others find none.
 *
 * `fs->returning` counts such work, but for changes, which each worker counts for itself; `fs->returned` counts ends of
 * it. Each end first gives the blocks back, then raises `returned`, then lowers the count of work. A request notes
 * `returned` when it begins. If it then finds no space, no work is under way and `returned` is the same, nothing has
 * come back since it began.
 */
#ifndef FARNOVA_NOVA_RETURNING_H
#define FARNOVA_NOVA_RETURNING_H

#include "server/nova/space/worker.h"

static inline void returning_begin(struct nova *fs)
{
	__atomic_fetch_add(&fs->returning, 1, __ATOMIC_SEQ_CST);
}

/* returning_end -- `count` times begun. */
static inline void returning_end(struct nova *fs, uint64_t count)
{
	__atomic_fetch_add(&fs->returned, count, __ATOMIC_SEQ_CST);
	__atomic_fetch_sub(&fs->returning, count, __ATOMIC_SEQ_CST);
}

/* returning_take -- a change of this worker is about to take blocks. */
static inline void returning_take(struct nova_worker *worker)
{
	__atomic_store_n(&worker->takers, worker->takers + 1, __ATOMIC_RELEASE);
}

/* returning_taken -- it has ended; `dropped`: its blocks are free again. A worker's own drops do not count for it. */
static inline void returning_taken(struct nova_worker *worker, bool dropped)
{
	if (dropped) {
		worker->dropped++;
		__atomic_fetch_add(&worker->fs->returned, 1, __ATOMIC_SEQ_CST);
	}
	__atomic_store_n(&worker->takers, worker->takers - 1, __ATOMIC_RELEASE);
}

#endif
