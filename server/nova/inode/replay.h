/*
 * replay.h -- builds an inode's state in DRAM from its slot and log.
 */
#ifndef FARNOVA_NOVA_REPLAY_H
#define FARNOVA_NOVA_REPLAY_H

#include "server/nova/inode/nova_inode.h"

/* replay_life -- read a slot's generation and state; repairs a damaged copy unless read-only. -EIO with `why`. */
int replay_life(struct nova *fs, uint64_t ino, uint32_t *generation, uint8_t *state, char *why, size_t why_size);

/*
 * replay_inode -- fill `inode`, whose ino, generation and life are set, with attributes and index. `page`, if not
 * NULL, is called for every log page; then the names of a directory are counted, but cannot be looked up. -EIO with
 * `why`; -ENOMEM. On failure the index is empty.
 */
int replay_inode(struct nova *fs, struct nova_inode *inode, int (*page)(void *context, uint64_t block), void *context,
                 char *why, size_t why_size);

/* The extents of a file whose log is in its slot: runs in no order, without overlap. */
struct slot_runs {
	uint32_t count;
	struct {
		uint64_t file_block;
		uint64_t count;
		uint64_t value;     /* as in the file's index */
	} run[2 * NOVA_SLOT_LINES]; /* an entry adds one and may split one */
};

/* replay_lines -- about how many lines the log has; 0 if that is unknown. */
uint64_t replay_lines(const struct nova *fs, uint64_t ino);

/*
 * replay_slot -- as replay_inode, without the index: attributes, and the runs of a file. -EAGAIN if the lines in the
 * slot are not enough, and for every directory: then call replay_inode.
 */
int replay_slot(struct nova *fs, struct nova_inode *inode, struct slot_runs *runs, char *why, size_t why_size);

/*
 * replay_peek -- read attributes, life and tail of a slot's inode, without a lock and without repairs. In `inode`, ino
 * and generation are set and the rest is zero. The caller checks that the slot is cold before and after the call.
 * -EAGAIN: the slot has another generation, is being changed or is damaged, its own lines are not enough, or the inode
 * is a directory. Then lock and load the inode.
 */
int replay_peek(struct nova *fs, struct nova_inode *inode);

/* replay_reset -- free the index. */
void replay_reset(struct nova_inode *inode);

#endif
