/*
 * extent_map.h -- a change of which blocks lie where in a file: gathered, logged, and after the commit shown in the
 * index.
 *
 * A piece is a row of file blocks that will lie in a row of blocks, written or not, or be a hole. Blocks that are fresh
 * belong to the change until it is shown and go back with it when it is dropped; others were the file's before. The
 * inode is locked for writing throughout.
 */
#ifndef FARNOVA_NOVA_EXTENT_MAP_H
#define FARNOVA_NOVA_EXTENT_MAP_H

#include "server/nova/change/txn.h"

#define EXTENT_MAP_INLINE 8u

struct extent_map_piece {
	uint64_t file_block;
	uint64_t value; /* as file_index.h has it: the first block, perhaps with FILE_UNWRITTEN; 0 = hole */
	uint64_t count;
	bool fresh;
};

struct extent_map_change {
	struct nova_worker *worker;
	struct nova_inode *inode;
	const void *change; /* as in struct nova_call */
	struct extent_map_piece *pieces;
	unsigned count;
	unsigned capacity;
	unsigned fresh;        /* how many pieces are fresh */
	uint64_t unfilled_end; /* the last block before it is written in part, at the file's end; 0 = none */
	uint64_t promised;     /* log lines promised to later writes: alloc_promise */
	struct extent_map_piece space[EXTENT_MAP_INLINE];
};

void extent_map_init(struct extent_map_change *map, const struct nova_call *call, struct nova_inode *inode);

/*
 * extent_map_fresh -- take blocks for `count` file blocks from `file_block`, as few runs as there are; with
 * FILE_UNWRITTEN in `flag` they will read as zeros and the log space that their first writes take is promised. -ENOSPC,
 * -ENOMEM: drop.
 */
int extent_map_fresh(struct extent_map_change *map, uint64_t file_block, uint64_t count, uint64_t flag,
                     bool privileged);

/* extent_map_adopt -- blocks that were taken and filled beforehand, and fenced; they belong to the change once it
 * returns 0. -EDQUOT, -ENOMEM: drop. */
int extent_map_adopt(struct extent_map_change *map, uint64_t file_block, uint64_t block, uint64_t count);

/* extent_map_place -- blocks the file has already, within one zone, or a hole. -ENOMEM: drop. */
int extent_map_place(struct extent_map_change *map, uint64_t file_block, uint64_t value, uint64_t count);

/* extent_map_log -- one WRITE entry for each piece; the file has `size` bytes afterwards. */
int extent_map_log(const struct extent_map_change *map, struct txn *txn, struct log_append *log, uint64_t size);

/* extent_map_show -- the commit is durable: lead the index to the pieces, release what they replace, and end the
 * change. */
void extent_map_show(struct extent_map_change *map);

/* extent_map_drop -- give the fresh blocks back and end the change; what was stored into them has been fenced. */
void extent_map_drop(struct extent_map_change *map);

#endif
