/*
 * extent_map.h -- a change of a file's extent map. The change is collected, logged and, after the commit, applied to
 * the index.
 *
 * A piece maps a run of file blocks to a run of pool blocks, written or unwritten, or makes it a hole. Fresh blocks
 * belong to the change until extent_map_show; extent_map_drop frees them. Other blocks belong to the file already. The
 * inode stays locked for writing throughout.
 */
#ifndef FARNOVA_NOVA_EXTENT_MAP_H
#define FARNOVA_NOVA_EXTENT_MAP_H

#include "server/nova/change/txn.h"

#define EXTENT_MAP_INLINE 8u

struct extent_map_piece {
	uint64_t file_block;
	uint64_t value; /* as in file_index.h: the first block, perhaps with FILE_UNWRITTEN; 0 = hole */
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
	bool takes;            /* it may have fresh pieces (space/returning.h) */
	uint64_t unfilled_end; /* the block before it is the file's last and written in part; 0 = none */
	uint64_t promised;     /* log lines promised to later writes: alloc_promise */
	struct extent_map_piece space[EXTENT_MAP_INLINE];
};

void extent_map_init(struct extent_map_change *map, const struct nova_call *call, struct nova_inode *inode);

/*
 * extent_map_fresh -- allocate blocks for `count` file blocks from `file_block`, in as few runs as possible. With
 * FILE_UNWRITTEN in `flag` the blocks read as zeros, and log space for their first writes is promised. -ENOSPC,
 * -EDQUOT, -ENOMEM: call extent_map_drop.
 */
int extent_map_fresh(struct extent_map_change *map, uint64_t file_block, uint64_t count, uint64_t flag,
                     enum alloc_use use);

/* extent_map_adopt -- add blocks that the caller has allocated, filled and fenced. The change owns them once this
 * returns 0. -EDQUOT, -ENOMEM: call extent_map_drop. */
int extent_map_adopt(struct extent_map_change *map, uint64_t file_block, uint64_t block, uint64_t count);

/* extent_map_place -- map to blocks that the file has already, within one zone, or to a hole. -ENOMEM: call
 * extent_map_drop. */
int extent_map_place(struct extent_map_change *map, uint64_t file_block, uint64_t value, uint64_t count);

/* extent_map_log -- append one WRITE entry for each piece. `size` is the size of the file after the change. */
int extent_map_log(const struct extent_map_change *map, struct txn *txn, struct log_append *log, uint64_t size);

/* extent_map_show -- after a durable commit: enter the pieces into the index, free the blocks that they replace, and
 * end the change. */
void extent_map_show(struct extent_map_change *map);

/* extent_map_drop -- free the fresh blocks and end the change. The caller has fenced its stores into them. */
void extent_map_drop(struct extent_map_change *map);

#endif
