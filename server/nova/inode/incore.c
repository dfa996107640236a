/*
 * incore.c -- the pool of in-core inodes.
 */
#include "server/nova/inode/incore.h"

#include "server/nova/inode/xattr_index.h"
#include "server/nova/space/slots.h"
#include "server/nova/space/worker.h"

#include <errno.h>
#include <stdlib.h>

#define SWEEP_SLABS     8u                     /* the most slabs swept for one in-core inode that is needed */
#define COSTLY_INDEX    4096u                  /* bytes */
#define PEEK_BYTES      (5u * NOVA_CACHE_LINE) /* of a slot, as most reads of its attributes need */
#define LET_IN          16u                    /* one in so many reads of cold inodes brings the inode into core */
#define CACHE_MIN       (32ULL << 20)
#define CACHE_PER_INODE 40u /* with what a slot itself takes in DRAM, a cold inode stays under 64 bytes */

/* ---- limits --------------------------------------------------------------------------------------------------- */

static uint64_t cache_bytes(const struct nova *fs)
{
	uint64_t slots = __atomic_load_n(&fs->slot_chunks, __ATOMIC_RELAXED) * NOVA_SLOTS_PER_CHUNK;

	if (fs->cache_bytes)
		return fs->cache_bytes;
	return slots * CACHE_PER_INODE > CACHE_MIN ? slots * CACHE_PER_INODE : CACHE_MIN;
}

/* A third for inodes, the rest for indexes. */
static uint64_t incore_limit(const struct nova *fs)
{
	return cache_bytes(fs) / 3 / sizeof(struct nova_inode);
}

static uint64_t index_limit(const struct nova *fs)
{
	return cache_bytes(fs) - cache_bytes(fs) / 3;
}

uint64_t incore_bytes(const struct nova *fs)
{
	return __atomic_load_n(&fs->incore, __ATOMIC_RELAXED) * sizeof(struct nova_inode) +
	       __atomic_load_n(&fs->index_bytes, __ATOMIC_RELAXED);
}

/* ---- the clock ------------------------------------------------------------------------------------------------ */

/*
 * A turn of the hand begins. Memory that a whole turn could not free is in use. To search it again with each new byte
 * would cost more than the memory is worth, so the next turn begins when the memory has grown by an eighth.
 */
static void begin_turn(struct nova *fs)
{
	uint64_t bytes = __atomic_load_n(&fs->index_bytes, __ATOMIC_RELAXED);
	uint64_t limit = index_limit(fs);

	__atomic_store_n(&fs->index_goal, bytes > limit ? bytes + bytes / 8 : limit, __ATOMIC_RELAXED);
}

/* Return the slab under the hand and move the hand. NULL if there are no slabs. */
static struct inode_slab *next_slab(struct nova *fs)
{
	struct inode_slab *hand = __atomic_load_n(&fs->sweep_hand, __ATOMIC_ACQUIRE);

	for (;;) {
		struct inode_slab *slab = hand ? hand : __atomic_load_n(&fs->slabs, __ATOMIC_ACQUIRE);

		if (!slab)
			return NULL;
		if (__atomic_compare_exchange_n(&fs->sweep_hand, &hand, slab->next, false, __ATOMIC_ACQ_REL,
		                                __ATOMIC_ACQUIRE)) {
			if (!slab->next)
				begin_turn(fs);
			return slab;
		}
	}
}

static bool was_used(struct nova_inode *inode)
{
	return __atomic_load_n(&inode->used, __ATOMIC_RELAXED) &&
	       __atomic_exchange_n(&inode->used, false, __ATOMIC_RELAXED);
}

/* Under the exclusive lock: from now on the inode belongs to no slot. A thread that waits for the lock sees that. */
static void give_up(struct nova *fs, struct nova_inode *inode)
{
	struct slot_chunk *chunk = slots_chunk(fs, inode->ino);

	incore_index_drop(fs, inode);
	__atomic_store_n(&chunk->slots[slot_index(inode->ino)].inode, NULL, __ATOMIC_RELEASE);
	inode->ino = 0;
	inode->loaded = false;
}

/* What the sweep may do with an inode. */
enum sweep {
	SWEEP_INDEX,  /* drop the index if it was not used */
	SWEEP_UNUSED, /* evict it if it was not used */
	SWEEP_CHEAP,  /* evict it unless loading it again would cost much */
};

static bool spared(struct nova_inode *inode, enum sweep sweep)
{
	bool used = was_used(inode);

	return used && sweep != SWEEP_CHEAP;
}

/* Evicted inodes go to the worker's list. */
static void sweep_slab(struct nova *fs, struct nova_worker *worker, struct inode_slab *slab, enum sweep sweep)
{
	for (uint32_t i = 0; i < NOVA_INODE_SLAB; i++) {
		struct nova_inode *inode = &slab->inodes[i];
		bool given_up = false;

		if (spared(inode, sweep) || pthread_rwlock_trywrlock(&inode->lock))
			continue;
		if (sweep == SWEEP_INDEX) {
			if (inode->index_bytes)
				incore_index_drop(fs, inode);
		} else if (inode->ino && !inode->pins && (sweep == SWEEP_UNUSED || inode->index_bytes < COSTLY_INDEX)) {
			give_up(fs, inode);
			given_up = true;
		}
		pthread_rwlock_unlock(&inode->lock);
		if (given_up) {
			SLIST_INSERT_HEAD(&worker->free_inodes, inode, next_free);
		}
	}
}

void incore_index_drop(struct nova *fs, struct nova_inode *inode)
{
	file_index_clear(&inode->file);
	dir_index_clear(&inode->dir);
	xattr_forget(inode);
	inode->indexed = false;
	/* Most freed inodes had no index: then the count that all threads share is not touched. */
	if (inode->index_bytes)
		__atomic_fetch_sub(&fs->index_bytes, inode->index_bytes, __ATOMIC_RELAXED);
	inode->index_bytes = 0;
}

void incore_index_changed(struct nova *fs, struct nova_inode *inode)
{
	uint64_t bytes = file_index_bytes(&inode->file) + dir_index_bytes(&inode->dir) + xattr_index_bytes(inode);
	uint64_t total;

	if (bytes == inode->index_bytes)
		return;
	total = __atomic_add_fetch(&fs->index_bytes, bytes - inode->index_bytes, __ATOMIC_RELAXED);
	inode->index_bytes = bytes;
	if (total <= index_limit(fs) || total <= __atomic_load_n(&fs->index_goal, __ATOMIC_RELAXED))
		return;
	for (unsigned i = 0; i < SWEEP_SLABS; i++) {
		struct inode_slab *slab = next_slab(fs);

		if (slab)
			sweep_slab(fs, NULL, slab, SWEEP_INDEX);
	}
}

/* ---- finding -------------------------------------------------------------------------------------------------- */

static int add_slab(struct nova_worker *worker)
{
	struct nova *fs = worker->fs;
	struct inode_slab *slab = calloc(1, sizeof *slab);
	pthread_rwlockattr_t attributes;

	if (!slab)
		return -ENOMEM;
	/* A stream of readers must not keep a writer out; nobody reads an inode twice at once, so this cannot deadlock.
	 */
	pthread_rwlockattr_init(&attributes);
	pthread_rwlockattr_setkind_np(&attributes, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
	for (uint32_t i = NOVA_INODE_SLAB; i-- > 0;) {
		pthread_rwlock_init(&slab->inodes[i].lock, &attributes);
		SLIST_INSERT_HEAD(&worker->free_inodes, &slab->inodes[i], next_free);
	}
	pthread_rwlockattr_destroy(&attributes);
	__atomic_fetch_add(&fs->incore, NOVA_INODE_SLAB, __ATOMIC_RELAXED);
	pthread_mutex_lock(&fs->slots_lock);
	slab->next = fs->slabs;
	__atomic_store_n(&fs->slabs, slab, __ATOMIC_RELEASE);
	pthread_mutex_unlock(&fs->slots_lock);
	return 0;
}

/* The last slab swept must yield an inode, or the number of inodes would grow with each turn that finds all in use. */
static int refill(struct nova_worker *worker)
{
	struct nova *fs = worker->fs;

	if (__atomic_load_n(&fs->incore, __ATOMIC_RELAXED) < incore_limit(fs))
		return add_slab(worker);
	for (unsigned i = 0; i < SWEEP_SLABS && SLIST_EMPTY(&worker->free_inodes); i++) {
		struct inode_slab *slab = next_slab(fs);

		if (slab)
			sweep_slab(fs, worker, slab, i + 1 < SWEEP_SLABS ? SWEEP_UNUSED : SWEEP_CHEAP);
	}
	return SLIST_EMPTY(&worker->free_inodes) ? add_slab(worker) : 0;
}

int incore_find(struct nova_worker *worker, uint64_t ino, struct nova_inode **out)
{
	struct slot_chunk *chunk = slots_chunk(worker->fs, ino);
	struct nova_inode *expected = NULL;
	struct nova_inode **place;
	struct nova_inode *inode;
	int rc;

	if (!chunk)
		return -ESTALE;
	place = &chunk->slots[slot_index(ino)].inode;
	*out = __atomic_load_n(place, __ATOMIC_ACQUIRE);
	if (*out)
		return 0;
	if (SLIST_EMPTY(&worker->free_inodes)) {
		rc = refill(worker);
		if (rc)
			return rc;
	}
	inode = SLIST_FIRST(&worker->free_inodes);
	/* Threads that still come for its old slot, or with the hand, only read `ino` and unlock at once. */
	while (pthread_rwlock_trywrlock(&inode->lock))
		sched_yield();
	inode->ino = ino;
	if (__atomic_compare_exchange_n(place, &expected, inode, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) {
		SLIST_REMOVE_HEAD(&worker->free_inodes, next_free);
		*out = inode;
	} else {
		inode->ino = 0;
		*out = expected;
	}
	pthread_rwlock_unlock(&inode->lock);
	return 0;
}

bool incore_cold(const struct nova *fs, uint64_t ino)
{
	const struct slot_chunk *chunk = slots_chunk(fs, ino);

	return chunk && !__atomic_load_n(&chunk->slots[slot_index(ino)].inode, __ATOMIC_ACQUIRE);
}

bool incore_pass_by(struct nova_worker *worker, uint64_t ino)
{
	const struct nova *fs = worker->fs;

	if (!incore_cold(fs, ino))
		return false;
	return __atomic_load_n(&fs->incore, __ATOMIC_RELAXED) >= incore_limit(fs) && ++worker->passed_by % LET_IN;
}

void incore_prefetch(const struct nova *fs, uint64_t ino)
{
	const struct slot_chunk *chunk = slots_chunk(fs, ino);
	const char *inode;

	if (!chunk)
		return;
	for (size_t at = 0; at < PEEK_BYTES; at += NOVA_CACHE_LINE)
		__builtin_prefetch((const char *)slot_at(fs, ino) + at);
	inode = (const void *)__atomic_load_n(&chunk->slots[slot_index(ino)].inode, __ATOMIC_RELAXED);
	for (size_t at = 0; inode && at < offsetof(struct nova_inode, file); at += NOVA_CACHE_LINE)
		__builtin_prefetch(inode + at);
}

void incore_fini(struct nova *fs)
{
	while (fs->slabs) {
		struct inode_slab *slab = fs->slabs;

		fs->slabs = slab->next;
		for (uint32_t i = 0; i < NOVA_INODE_SLAB; i++) {
			incore_index_drop(fs, &slab->inodes[i]);
			pthread_rwlock_destroy(&slab->inodes[i].lock);
		}
		free(slab);
	}
}
