/*
 * held_blocks.h -- free blocks that a test takes away, so that a pool is as full as it wants.
 *
 * They are taken in DRAM only: on the medium they belong to nobody, and after a crash they are free again. An unmount
 * must not store them as used: who does not give them all back adds those left to fs->quarantined_blocks, and then the
 * next mount reads the logs. Not thread safe.
 */
#ifndef FARNOVA_TESTS_CRASH_HELD_BLOCKS_H
#define FARNOVA_TESTS_CRASH_HELD_BLOCKS_H

#include "server/nova/space/alloc.h"
#include "tests/crash/world.h"

struct held_blocks {
	uint64_t blocks[WORLD_ROOM / NOVA_BLOCK_SIZE]; /* too large for a stack */
	unsigned count;
};

/* held_take_all -- take every free block that an allocation for `use` may have, one by one. */
void held_take_all(struct held_blocks *held, struct nova_worker *worker, enum alloc_use use);

/* held_give_one -- give back the one that was taken last; there must be one. */
void held_give_one(struct held_blocks *held, struct nova_worker *worker);

#endif
