/*
 * incore.h -- the pool of in-core inodes: which slot each belongs to, and how cold ones are given up.
 *
 * The protocol, which takes no lock that two unrelated operations share:
 *
 * - The memory of an in-core inode is never anything else until unmount, so its lock may be touched by whoever has
 *   ever got a pointer to it. What may change is which slot it belongs to: `ino`, under the lock, 0 = to none.
 * - A pointer from incore_find is a hint. Whoever has locked it looks whether `ino` is the number it asked for; if not,
 *   the inode was given up in between: let go and find again. While the lock is held, and while `pins` is not 0, it
 *   belongs to its slot. Nothing of it may be kept beyond that: neither the pointer nor a pointer into its index.
 * - Whoever holds one inode takes others only by trial: what it waited for could by now be one that another holds who
 *   waits for the first.
 * - Giving up takes the lock by trial, so it never waits and has no place in the order of locks. It clears the slot's
 *   pointer and `ino` under the lock; what was known is read again from the log when it is asked for. So all that an
 *   inode says must be found in its slot and log, or it must be pinned.
 *
 * The hand of a clock goes over all of them: what was not used since it passed may be given up. It moves when there is
 * need for one and more than a limit are there, and when indexes take more memory than theirs. Limits are soft: what is
 * pinned, locked or used is never waited for.
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

/* incore_cold -- the slot has no in-core inode at this moment: nobody is changing what lives there. */
bool incore_cold(const struct nova *fs, uint64_t ino);

/*
 * incore_pass_by -- should a look at this slot's attributes not make it an in-core inode? It is cold, there are as many
 * in-core inodes as there may be, so one would have to go for it; and one look alone does not tell that more will come.
 * Some are let in all the same, so that what is looked at often comes to be in core.
 */
bool incore_pass_by(struct nova_worker *worker, uint64_t ino);

/* incore_prefetch -- fetch into the cache what incore_find and a look at the inode's attributes will read. */
void incore_prefetch(const struct nova *fs, uint64_t ino);

/* incore_index_changed -- under the exclusive lock: count the memory of the index, and drop cold ones where they take
 * too much. Does not touch this one. */
void incore_index_changed(struct nova *fs, struct nova_inode *inode);

/* incore_index_drop -- under the exclusive lock: forget the index and count that. */
void incore_index_drop(struct nova *fs, struct nova_inode *inode);

/* incore_bytes -- memory of in-core inodes and of their indexes. */
uint64_t incore_bytes(const struct nova *fs);

void incore_fini(struct nova *fs);

#endif
