/*
 * replay.h -- from an inode's slot and log to its state in DRAM.
 */
#ifndef FARNOVA_NOVA_REPLAY_H
#define FARNOVA_NOVA_REPLAY_H

#include "server/nova/core.h"

/* replay_life -- generation and state of a slot, damaged copies repaired unless read-only. -EIO with `why`. */
int replay_life(struct nova *fs, uint64_t ino, uint32_t *generation, uint8_t *state, char *why, size_t why_size);

/*
 * replay_inode -- fill `inode`, whose ino, generation and life are set, with attributes and index. `page`, if not
 * NULL, is told of every log page. -EIO with `why`; -ENOMEM. On failure the index is empty.
 */
int replay_inode(struct nova *fs, struct inode *inode, int (*page)(void *context, uint64_t block), void *context,
                 char *why, size_t why_size);

/* replay_reset -- forget the index. */
void replay_reset(struct inode *inode);

#endif
