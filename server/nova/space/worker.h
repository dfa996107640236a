/*
 * worker.h -- the state of one worker, so that workers need no shared lock.
 */
#ifndef FARNOVA_NOVA_WORKER_H
#define FARNOVA_NOVA_WORKER_H

#include "server/nova/core.h"
#include "server/nova/long.h"

#include <sched.h>

#define NOVA_WORKER_BLOCKS  256u
#define NOVA_WORKER_SLOTS   128u
#define NOVA_WORKER_STREAMS 32u

#define NOVA_WORKER_OCCUPIES 2u

/* A file that is written in order, and the run of free blocks that is reserved for it (alloc_stream.c). */
struct stream {
	uint64_t ino;
	uint32_t generation;
	uint32_t window; /* blocks that were reserved last */
	uint64_t order;  /* blocks that were written in order so far */
	uint64_t next;   /* file block with which the next write begins if it goes on */
	uint64_t first;  /* block of the pool that is next */
	uint64_t left;
	uint64_t used; /* when, by the worker's clock of streams */
};

struct nova_inode;

struct nova_worker {
	struct nova *fs;
	uint32_t ring;
	uint64_t sequence;         /* of the newest record of the ring */
	struct nova_record record; /* the newest record */

	bool lock; /* spin lock of the fields below: when space runs out, others take from them too */
	uint32_t block_count;
	uint64_t run_first; /* a run of free blocks to take single ones from */
	uint64_t run_left;
	uint64_t blocks[NOVA_WORKER_BLOCKS]; /* single free blocks */
	uint64_t stream_blocks;              /* the sum of `left` of all streams */
	uint64_t stream_clock;
	struct stream streams[NOVA_WORKER_STREAMS];
	uint32_t slot_count;
	uint64_t slots[NOVA_WORKER_SLOTS]; /* free slots, as inode numbers */

	bool hurried;              /* nova_hurried */
	bool may_defer;            /* nova_may_defer */
	enum nova_deferral reason; /* nova_deferred, */
	uint64_t deferred;         /* and the inode */
	struct {
		struct nova_inode *inode; /* NULL = none */
		uint64_t ino;
	} occupied[NOVA_WORKER_OCCUPIES]; /* nova_occupy */

	uint64_t takers;  /* changes that have taken blocks and not ended; atomic, only this worker changes it */
	uint64_t dropped; /* of fs->returned, those by changes of this worker */

	SLIST_HEAD(, nova_inode) free_inodes; /* in-core inodes that belong to no slot */
	uint32_t passed_by;                   /* reads of cold inodes that left them cold */

	/* Log lines promised through this worker, for which space is kept: one for each name, to remove it, and one for
	 * each unwritten block, to write it; atomic. */
	int64_t promised;
	int64_t inodes; /* likewise */
} __attribute__((aligned(NOVA_CACHE_LINE)));

/* Only its worker changes the count and others read it: so no locked instruction is needed, which would wait for
 * pending stores. */
static inline void worker_count(int64_t *count, int change)
{
	__atomic_store_n(count, __atomic_load_n(count, __ATOMIC_RELAXED) + change, __ATOMIC_RELAXED);
}

static inline void spin_lock(bool *lock)
{
	while (__atomic_exchange_n(lock, true, __ATOMIC_ACQUIRE))
		while (__atomic_load_n(lock, __ATOMIC_RELAXED))
			sched_yield();
}

static inline void spin_unlock(bool *lock)
{
	__atomic_store_n(lock, false, __ATOMIC_RELEASE);
}

#endif
