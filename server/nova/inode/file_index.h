/*
 * file_index.h -- where the blocks of a file lie: a radix tree in DRAM from file block to block of the pool.
 *
 * A value of 0 is a hole; with FILE_UNWRITTEN (media/entry.h) beside the block number the block is the file's and reads
 * as zeros. A small file has one array that grows with it; past 512 blocks a tree of 4 KiB nodes. Not thread safe:
 * readers share, a writer is alone (the inode's lock). The caller keeps file blocks below NOVA_FILE_BLOCKS_MAX.
 */
#ifndef FARNOVA_NOVA_FILE_INDEX_H
#define FARNOVA_NOVA_FILE_INDEX_H

#include "server/nova/media/entry.h"

#include <stdbool.h>
#include <stdint.h>

/* A file of 4 PiB needs five levels of index; nothing in the format is bound to this. */
#define NOVA_FILE_BLOCKS_MAX (1ULL << 40)
#define NOVA_FILE_SIZE_MAX   (NOVA_FILE_BLOCKS_MAX << NOVA_BLOCK_SHIFT)
static_assert(NOVA_FILE_BLOCKS_MAX <= NOVA_EXTENT_PLACES, "every file block can be told by a packed extent");
static_assert(NOVA_EXTENT_UNWRITTEN == FILE_UNWRITTEN, "a packed extent has the value that the index has");

struct file_index {
	void *root;
	uint32_t height;   /* 0: the root is an array of `capacity` blocks */
	uint32_t capacity; /* up to 512 */
	uint64_t nodes;    /* of 4 KiB, where height is not 0 */
	uint64_t extents;  /* runs that are adjacent in the file and in the pool */
};

void file_index_clear(struct file_index *index);

/* file_index_bytes -- the memory it takes. */
uint64_t file_index_bytes(const struct file_index *index);

/* file_index_get -- the block, or 0. */
uint64_t file_index_get(const struct file_index *index, uint64_t file_block);

/* file_index_prefetch -- bring what file_index_get will look at into the cache; any number will do. */
void file_index_prefetch(const struct file_index *index, uint64_t file_block);

/* file_index_run -- the block at file_block, and in *count how many from there, up to max, lie in a row (or
 * are hole). */
uint64_t file_index_run(const struct file_index *index, uint64_t file_block, uint64_t max, uint64_t *count);

/* file_index_next -- the first file block at or after `from` that is no hole; false if there is none. */
bool file_index_next(const struct file_index *index, uint64_t from, uint64_t *file_block);

/* file_index_next_extent -- the first extent at or after *at, which moves behind it; false if there is none. Its blocks
 * lie in one zone. */
bool file_index_next_extent(const struct file_index *index, uint64_t *at, struct extent *out);

/* file_index_reserve -- room for a range, so that file_index_set cannot fail on it. -ENOMEM changes nothing visible. */
int file_index_reserve(struct file_index *index, uint64_t file_block, uint64_t count);

/* `count` file blocks led to `old` and those that follow it (0: to none of them), and lead to `value` and so on now. */
typedef void file_index_replaced(void *context, uint64_t old, uint64_t value, uint64_t count);

/* file_index_set_run -- `count` > 0 file blocks lead to `value`, which is not 0, and those that follow it; tells what
 * they replace in as few rows as there are (`replaced` may be NULL). The range was reserved. */
void file_index_set_run(struct file_index *index, uint64_t file_block, uint64_t value, uint64_t count,
                        file_index_replaced *replaced, void *context);

/* file_index_set -- returns what lay there. The range was reserved, or `block` is 0. */
uint64_t file_index_set(struct file_index *index, uint64_t file_block, uint64_t block);

/* file_index_truncate -- drop every block at or after `from`; each is told to `drop` (may be NULL) in order. */
void file_index_truncate(struct file_index *index, uint64_t from, void (*drop)(void *context, uint64_t block),
                         void *context);

#endif
