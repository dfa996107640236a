/*
 * replay.h -- from an inode's slot and log to its state in DRAM.
 */
#ifndef FARNOVA_NOVA_REPLAY_H
#define FARNOVA_NOVA_REPLAY_H

#include "server/nova/inode/nova_inode.h"

/* replay_life -- generation and state of a slot, damaged copies repaired unless read-only. -EIO with `why`. */
int replay_life(struct nova *fs, uint64_t ino, uint32_t *generation, uint8_t *state, char *why, size_t why_size);

/*
 * replay_inode -- fill `inode`, whose ino, generation and life are set, with attributes and index. `page`, if not
 * NULL, is told of every log page. -EIO with `why`; -ENOMEM. On failure the index is empty.
 */
int replay_inode(struct nova *fs, struct nova_inode *inode, int (*page)(void *context, uint64_t block), void *context,
                 char *why, size_t why_size);

/* Where the data of a file lie whose log is in its slot: runs in no order, none over another. */
struct slot_runs {
	uint32_t count;
	struct {
		uint64_t file_block;
		uint64_t count;
		uint64_t value;     /* as in the file's index */
	} run[2 * NOVA_SLOT_LINES]; /* an entry adds one and may split one */
};

/* replay_lines -- about how many lines of log there are to be read; 0 where that cannot be told. */
uint64_t replay_lines(const struct nova *fs, uint64_t ino);

/*
 * replay_slot -- as replay_inode, without the index: attributes, and for a file its runs. -EAGAIN if that takes more
 * than the slot's own lines, as for every directory: then replay_inode has to do it.
 */
int replay_slot(struct nova *fs, struct nova_inode *inode, struct slot_runs *runs, char *why, size_t why_size);

/*
 * replay_peek -- the attributes, life and tail of a slot's inode, of which ino and generation are set and the rest is
 * zero, without a lock and without a repair. The caller sees to it that the slot was cold before and is after. -EAGAIN
 * where that cannot be: another generation lives there, the slot is being changed or damaged, it takes more than the
 * slot's own lines, or it is a directory. Then lock and load it.
 */
int replay_peek(struct nova *fs, struct nova_inode *inode);

/* replay_reset -- forget the index. */
void replay_reset(struct nova_inode *inode);

#endif
