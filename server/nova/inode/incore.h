/*
 * incore.h -- the pool of in-core inodes: the slot that each belongs to, and the eviction of unused ones.
 *
 * The protocol, which takes no lock that two unrelated operations share:
 *
 * - The memory of an in-core inode is not freed before unmount, so any thread that ever got a pointer to it may take
 *   its lock. But the inode may come to belong to another slot: `ino` says which, under the lock; 0 = to none.
 * - A pointer from incore_find is a hint. After locking the inode the caller compares `ino` with the number that it
 *   asked for. If they differ, the inode was evicted in between: unlock it and find again. While the lock is held, and
 *   while `pins` is not 0, the inode belongs to its slot. Afterwards the caller must not use the pointer to it, nor
 *   any pointer into its index.
 * - A thread that has locked one inode locks others only by trylock. If it waited, the in-core inode could come to
 *   belong to a slot that another thread has locked, which waits for the first inode.
 * - Eviction takes the lock by trylock, so it never waits and has no place in the lock order. It clears the slot's
 *   pointer and `ino` under the lock; the next use reads the state from the log again. So all state of an inode must be
 *   in its slot and log, or the inode must be pinned.
 *
 * Eviction is a clock over all in-core inodes: an inode that was not used since the hand last passed may be evicted.
 * The hand moves when an in-core inode is needed and their number is over its limit, and when indexes take more memory
 * than theirs. The limits are soft: eviction does not wait for pinned, locked or recently used inodes.
 */
#ifndef FARNOVA_NOVA_INCORE_H
#define FARNOVA_NOVA_INCORE_H

#include "server/nova/inode/nova_inode.h"

#define NOVA_INODE_SLAB 32u

struct inode_slab {
	struct inode_slab *next;
	struct nova_inode inodes[NOVA_INODE_SLAB];
};

/* incore_find -- the in-core inode of a slot, neither locked nor checked. -ESTALE no such slot, -ENOMEM. */
int incore_find(struct nova_worker *worker, uint64_t ino, struct nova_inode **out);

/* incore_cold -- whether the slot has no in-core inode at this moment: then nobody is changing its inode. */
bool incore_cold(const struct nova *fs, uint64_t ino);

/*
 * incore_pass_by -- whether a read of this slot's attributes should leave the inode cold. True if it is cold and the
 * number of in-core inodes is at its limit: another would have to be evicted, and a single read does not show that more
 * will follow. Returns false for some of these reads, so that inodes that are read often come into core.
 */
bool incore_pass_by(struct nova_worker *worker, uint64_t ino);

/* incore_prefetch -- prefetch the memory that incore_find and a read of the inode's attributes will use. */
void incore_prefetch(const struct nova *fs, uint64_t ino);

/* incore_index_changed -- under the exclusive lock: update the count of index memory; if it is over its limit, evict
 * other inodes. */
void incore_index_changed(struct nova *fs, struct nova_inode *inode);

/* incore_index_drop -- under the exclusive lock: free the index and update the count. */
void incore_index_drop(struct nova *fs, struct nova_inode *inode);

/* incore_bytes -- memory of in-core inodes and of their indexes. */
uint64_t incore_bytes(const struct nova *fs);

void incore_fini(struct nova *fs);

#endif
