/*
 * file_index.h -- the extent map of a file: a radix tree in DRAM from file block to block of the pool.
 *
 * The value 0 is a hole. FILE_UNWRITTEN (media/entry.h) in a value marks a reserved block, which reads as zeros. A
 * small file has one array that grows with it; a file of more than 512 blocks has a tree of 4 KiB nodes. Not thread
 * safe: readers share, a writer is alone (the inode's lock). The caller keeps file blocks below NOVA_FILE_BLOCKS_MAX.
 */
#ifndef FARNOVA_NOVA_FILE_INDEX_H
#define FARNOVA_NOVA_FILE_INDEX_H

#include "server/nova/media/entry.h"

#include <stdbool.h>
#include <stdint.h>

/* A file of 4 PiB needs an index of five levels; the format does not depend on this limit. */
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

/* file_index_cost -- about how many ns it takes to change the file blocks [first, end), of a file that has `blocks`
 * blocks. An upper estimate, from counts that are at hand. */
uint64_t file_index_cost(const struct file_index *index, uint64_t first, uint64_t end, uint64_t blocks);

/* file_index_get -- the block, or 0. */
uint64_t file_index_get(const struct file_index *index, uint64_t file_block);

/* file_index_prefetch -- prefetch the memory that file_index_get will read; `file_block` may be any number. */
void file_index_prefetch(const struct file_index *index, uint64_t file_block);

/* file_index_run -- the value at `file_block`, and in *count how many blocks from there, up to `max`, are adjacent in
 * the pool (or are holes). */
uint64_t file_index_run(const struct file_index *index, uint64_t file_block, uint64_t max, uint64_t *count);

/* file_index_next -- the first file block at or after `from` that is not a hole; false if there is none. */
bool file_index_next(const struct file_index *index, uint64_t from, uint64_t *file_block);

/* file_index_next_extent -- the first extent at or after *at; *at becomes the file block behind it. False if there is
 * none. The blocks of an extent are in one zone. */
bool file_index_next_extent(const struct file_index *index, uint64_t *at, struct extent *out);

/* file_index_reserve -- allocate nodes for a range, so that file_index_set cannot fail there. -ENOMEM changes nothing
 * visible. */
int file_index_reserve(struct file_index *index, uint64_t file_block, uint64_t count);

/* `count` file blocks had the blocks from `old` on (0: they were holes) and now have those from `value` on. */
typedef void file_index_replaced(void *context, uint64_t old, uint64_t value, uint64_t count);

/* file_index_set_run -- map `count` > 0 file blocks to the blocks from `value` on, which is not 0. Calls `replaced`
 * (may be NULL) for the old values, once for each run of them. The range was reserved. */
void file_index_set_run(struct file_index *index, uint64_t file_block, uint64_t value, uint64_t count,
                        file_index_replaced *replaced, void *context);

/* file_index_set -- returns the old value. The range was reserved, or `block` is 0. */
uint64_t file_index_set(struct file_index *index, uint64_t file_block, uint64_t block);

/* file_index_truncate -- remove every block at or after `from`; calls `drop` (may be NULL) for each in order. */
void file_index_truncate(struct file_index *index, uint64_t from, void (*drop)(void *context, uint64_t block),
                         void *context);

#endif
