/*
 * release.h -- frees blocks of inodes. All such blocks are freed here.
 *
 * A run of blocks is first offered to the mount's quarantine callback, since others may still be reading the blocks
 * without asking. If the callback does not keep the run, it returns to the allocator. The inode is locked for writing.
 */
#ifndef FARNOVA_NOVA_RELEASE_H
#define FARNOVA_NOVA_RELEASE_H

#include "server/nova/core.h"
#include "server/nova/space/project.h"

/* A run of blocks that grows while blocks come in order; each full run is released. */
struct release {
	struct nova_worker *worker;
	uint64_t ino;            /* of the inode that loses the blocks */
	struct space_use *space; /* of this inode */
	const void *change;      /* as in struct nova_call */
	uint64_t first;
	uint64_t count;
	uint64_t *counted;          /* is lowered by what is released, atomically; NULL = none */
	uint64_t released_promises; /* of unwritten blocks that were written or freed */
};

/* release_blocks -- the inode loses `count` blocks; `value` is the first of them, perhaps with FILE_UNWRITTEN.
 * release_block -- the same for one block. release_flush -- call it after the last. */
void release_blocks(struct release *release, uint64_t value, uint64_t count);
void release_block(void *release, uint64_t value);
void release_flush(struct release *release);

#endif
