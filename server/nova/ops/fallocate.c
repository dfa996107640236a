/*
 * fallocate.c -- reserve, punch, zero, collapse, insert.
 *
 * Each operation collects a change of the extent map and commits it with one transaction. It changes no committed data
 * in place, moves data only in the index and the log, and releases removed blocks after the commit.
 */
#include "server/nova/inode/incore.h"

#include "server/nova/inode/inode.h"
#include "server/nova/inode/perm.h"
#include "server/nova/ops/data.h"
#include "server/nova/ops/xattr.h"
#include "server/nova/space/alloc.h"
#include "server/nova/space/release.h"
#include "server/nova/space/worker.h"

#include <errno.h>
#include <string.h>

#define BLOCK_MASK (NOVA_BLOCK_SIZE - 1ULL)

/* The range of one call. */
struct range {
	uint64_t offset;
	uint64_t end;  /* of the bytes, exclusive */
	uint64_t size; /* of the file afterwards */
};

static uint64_t block_down(uint64_t offset)
{
	return offset >> NOVA_BLOCK_SHIFT;
}

static uint64_t block_up(uint64_t offset)
{
	return (offset + BLOCK_MASK) >> NOVA_BLOCK_SHIFT;
}

/* ---- reserve -------------------------------------------------------------------------------------------------- */

/* How many file blocks of the range have no block, or (`data` too) none that may be kept as reserved. */
static uint64_t count_lacking(const struct file_index *index, uint64_t at, uint64_t end, bool data)
{
	uint64_t lacking = 0;

	while (at < end) {
		uint64_t count;
		uint64_t value = file_index_run(index, at, end - at, &count);

		if (!value || (data && file_readable(value)))
			lacking += count;
		at += count;
	}
	return lacking;
}

/* Reserved blocks for every hole of the range, and (`data`) in place of every block with data. */
static int reserve_blocks(struct extent_map_change *map, uint64_t at, uint64_t end, bool data)
{
	const struct file_index *index = &map->inode->file;

	/* Checked before the index grows, and blocks are taken from others, for what cannot be allocated anyway. */
	if (!alloc_may_have(map->worker, count_lacking(index, at, end, data), ALLOC_GROWS))
		return -ENOSPC;
	while (at < end) {
		uint64_t count;
		uint64_t value = file_index_run(index, at, end - at, &count);

		if (!value || (data && file_readable(value))) {
			int rc = extent_map_fresh(map, at, count, FILE_UNWRITTEN, ALLOC_GROWS);

			if (rc)
				return rc;
		}
		at += count;
	}
	return 0;
}

/* ---- zeros ---------------------------------------------------------------------------------------------------- */

/* Zero [from, to) of one block: a private copy, if it holds data at all. */
static int zero_part(struct extent_map_change *map, uint64_t file_block, uint64_t from, uint64_t to, enum alloc_use use)
{
	struct nova *fs = map->worker->fs;
	uint8_t bytes[NOVA_BLOCK_SIZE] __attribute__((aligned(64)));
	uint64_t old = file_readable(file_index_get(&map->inode->file, file_block));
	int rc;

	if (!old)
		return 0;
	rc = extent_map_fresh(map, file_block, 1, 0, use);
	if (rc)
		return rc;
	memcpy(bytes, block_at(fs, old), sizeof bytes);
	memset(bytes + from, 0, to - from);
	pm_copy(fs->pm, block_at(fs, map->pieces[map->count - 1].value), bytes, sizeof bytes);
	return 0;
}

/* The blocks that the range covers in part; *first and *last receive the whole ones between them. */
static int zero_edges(struct extent_map_change *map, const struct range *range, enum alloc_use use, uint64_t *first,
                      uint64_t *last)
{
	uint64_t head = range->offset & BLOCK_MASK;
	uint64_t tail = range->end & BLOCK_MASK;
	int rc = 0;

	*first = block_up(range->offset);
	*last = block_down(range->end);
	if (*first > *last) {
		*first = *last;
		return zero_part(map, *last, head, tail, use);
	}
	if (head)
		rc = zero_part(map, *first - 1, head, NOVA_BLOCK_SIZE, use);
	if (!rc && tail)
		rc = zero_part(map, *last, 0, tail, use);
	return rc;
}

/* Remove whole blocks, also reserved ones behind the end of the file; zero the part of other blocks in the range. */
static int plan_punch(struct extent_map_change *map, const struct range *range)
{
	uint64_t first, last, mapped;
	int rc = zero_edges(map, range, ALLOC_FREES, &first, &last);

	if (rc || !file_index_next(&map->inode->file, first, &mapped) || mapped >= last)
		return rc;
	return extent_map_place(map, mapped, 0, last - mapped);
}

static int plan_zero(struct extent_map_change *map, const struct range *range)
{
	uint64_t first, last;
	int rc = zero_edges(map, range, ALLOC_GROWS, &first, &last);

	if (rc)
		return rc;
	/* The blocks at the edges are allocated too, if they are not there. */
	if (first > block_down(range->offset))
		rc = reserve_blocks(map, first - 1, first, false);
	if (!rc)
		rc = reserve_blocks(map, first, last, true);
	if (!rc && block_up(range->end) > last)
		rc = reserve_blocks(map, last, last + 1, false);
	return rc;
}

/* One commit for what changes blocks where they are. */
static int change_blocks(const struct nova_call *call, struct nova_inode *inode, unsigned mode,
                         const struct range *range)
{
	struct extent_map_change map;
	struct txn txn;
	int rc;

	extent_map_init(&map, call, inode);
	if (mode & NOVA_FALLOCATE_PUNCH_HOLE)
		rc = plan_punch(&map, range);
	else if (mode & NOVA_FALLOCATE_ZERO_RANGE)
		rc = plan_zero(&map, range);
	else
		rc = reserve_blocks(&map, block_down(range->offset), block_up(range->end), false);
	if (rc) {
		pm_fence(call->worker->fs->pm);
		extent_map_drop(&map);
		return rc;
	}
	txn_start(&txn, call);
	txn_effect(&txn, 0, 0);
	/* An operation that frees blocks must work on a full pool: it may use the reserve, others may not. */
	return data_commit(&txn, &map, range->size, mode & NOVA_FALLOCATE_PUNCH_HOLE && map.count, NULL);
}

/* ---- collapse and insert -------------------------------------------------------------------------------------- */

/* Move everything from file block `from` on by `by` blocks. */
static int plan_shift(struct extent_map_change *map, uint64_t from, int64_t by)
{
	struct extent extent;
	uint64_t at = from;

	while (file_index_next_extent(&map->inode->file, &at, &extent)) {
		uint64_t to = extent.file_block + (uint64_t)by;
		int rc;

		if (to + extent.count > NOVA_FILE_BLOCKS_MAX)
			return -EFBIG;
		rc = extent_map_place(map, to, extent.value, extent.count);
		if (rc)
			return rc;
	}
	return 0;
}

/* The log cuts the file at the range and then adds the extents behind the range in their new places. */
static int log_shift(const struct extent_map_change *map, struct txn *txn, const struct range *range, uint16_t mode,
                     bool privileges)
{
	struct log_append *log = txn_log(txn, map->inode, ALLOC_GROWS);
	int rc = txn_attr(txn, log, NOVA_ATTR_SIZE, &(struct nova_attr_entry){.size = le64_of(range->offset)});

	/* The size follows the cut: it is not smaller than the cut size, so it drops nothing. */
	if (!rc)
		rc = txn_attr(txn, log, NOVA_ATTR_SIZE | NOVA_ATTR_MTIME | NOVA_ATTR_MODE,
		              &(struct nova_attr_entry){.size = le64_of(range->size), .mode = le16_of(mode)});
	if (!rc)
		rc = extent_map_log(map, txn, log, range->size);
	return !rc && privileges ? xattr_append_unprivileged(txn, map->inode, log) : rc;
}

/* Remove the cut blocks from the index: those before `kept` are released, the others return in their new places. */
static void show_cut(struct extent_map_change *map, uint64_t from, uint64_t kept)
{
	struct release release = {
	    .worker = map->worker, .ino = map->inode->ino, .space = &map->inode->space, .change = map->change};
	struct nova_inode *inode = map->inode;

	for (uint64_t at = from; file_index_next(&inode->file, at, &at); at++) {
		uint64_t value = file_index_set(&inode->file, at, 0);

		if (at < kept) {
			release_block(&release, value);
			continue;
		}
		/* extent_map_show counts it again. */
		inode->space.blocks--;
		inode->space.unwritten -= (value & FILE_UNWRITTEN) != 0;
	}
	release_flush(&release);
}

static int shift(const struct nova_call *call, struct nova_inode *inode, const struct range *range, bool collapse)
{
	uint64_t first = block_down(range->offset);
	uint64_t kept = collapse ? block_down(range->end) : first;
	int64_t by = (int64_t)block_down(range->end - range->offset);
	uint16_t mode = perm_mode_after_write(call->cred, inode);
	bool privileges = xattr_has_privileges(call->worker->fs, inode);
	struct extent_map_change map;
	struct txn txn;
	int rc;

	extent_map_init(&map, call, inode);
	rc = plan_shift(&map, kept, collapse ? -by : by);
	if (rc) {
		extent_map_drop(&map);
		return rc;
	}
	txn_start(&txn, call);
	txn_effect(&txn, 0, 0);
	rc = log_shift(&map, &txn, range, mode, privileges);
	if (rc) {
		txn_drop(&txn);
		pm_fence(call->worker->fs->pm);
		extent_map_drop(&map);
		return rc;
	}
	txn_commit(&txn);
	show_cut(&map, first, kept);
	extent_map_show(&map);
	inode->size = range->size;
	inode->mode = mode;
	if (privileges)
		xattr_show_unprivileged(call->worker, inode);
	inode->mtime_ns = inode->ctime_ns = txn.now;
	return 0;
}

/* ---- the call ------------------------------------------------------------------------------------------------- */

static int check_mode(unsigned mode)
{
	switch (mode) {
	case 0:
	case NOVA_FALLOCATE_KEEP_SIZE:
	case NOVA_FALLOCATE_PUNCH_HOLE | NOVA_FALLOCATE_KEEP_SIZE:
	case NOVA_FALLOCATE_ZERO_RANGE:
	case NOVA_FALLOCATE_ZERO_RANGE | NOVA_FALLOCATE_KEEP_SIZE:
	case NOVA_FALLOCATE_COLLAPSE_RANGE:
	case NOVA_FALLOCATE_INSERT_RANGE:
		return 0;
	case NOVA_FALLOCATE_COLLAPSE_RANGE | NOVA_FALLOCATE_KEEP_SIZE:
	case NOVA_FALLOCATE_INSERT_RANGE | NOVA_FALLOCATE_KEEP_SIZE:
		return -EINVAL;
	default:
		return -EOPNOTSUPP;
	}
}

/* The new size of the file, or -errno. */
static int plan_size(const struct nova_inode *inode, unsigned mode, struct range *range)
{
	uint64_t length = range->end - range->offset;

	range->size = inode->size;
	if (mode & (NOVA_FALLOCATE_COLLAPSE_RANGE | NOVA_FALLOCATE_INSERT_RANGE)) {
		if ((range->offset | length) & BLOCK_MASK)
			return -EINVAL;
		if (mode & NOVA_FALLOCATE_COLLAPSE_RANGE ? range->end >= inode->size : range->offset >= inode->size)
			return -EINVAL;
		if (mode & NOVA_FALLOCATE_INSERT_RANGE && length > NOVA_FILE_SIZE_MAX - inode->size)
			return -EFBIG;
		range->size = mode & NOVA_FALLOCATE_INSERT_RANGE ? inode->size + length : inode->size - length;
	} else if (!(mode & NOVA_FALLOCATE_KEEP_SIZE) && range->end > inode->size) {
		range->size = range->end;
	}
	return 0;
}

#define RESERVE_NS        6u   /* for each block, where free space comes in long runs, */
#define RESERVE_SINGLE_NS 300u /* and where it comes in single blocks */

/* About how many ns it takes. */
static uint64_t cost(const struct nova *fs, const struct nova_inode *inode, unsigned mode, const struct range *range)
{
	bool moves = mode & (NOVA_FALLOCATE_COLLAPSE_RANGE | NOVA_FALLOCATE_INSERT_RANGE);
	uint64_t first = block_down(range->offset), end = moves ? UINT64_MAX : block_up(range->end);
	uint64_t ns = file_index_cost(&inode->file, first, end, inode->space.blocks);
	bool full = __atomic_load_n(&fs->free_blocks, __ATOMIC_RELAXED) < fs->usable_blocks / 8;

	if (!moves && !(mode & NOVA_FALLOCATE_PUNCH_HOLE))
		ns += (end - first) * (full ? RESERVE_SINGLE_NS : RESERVE_NS);
	return ns;
}

int nova_fallocate(const struct nova_call *call, struct nova_handle file, unsigned mode, uint64_t offset,
                   uint64_t length, struct nova_attr *attr)
{
	CLEANUP_UNLOCK struct nova_inode *inode = NULL;
	struct range range = {.offset = offset, .end = offset + length};
	int rc = check_mode(mode);

	if (rc)
		return rc;
	if (length == 0)
		return -EINVAL;
	if (offset > NOVA_FILE_SIZE_MAX || length > NOVA_FILE_SIZE_MAX - offset)
		return -EFBIG;
	rc = inode_write(call->worker, file, true, &inode);
	if (!rc)
		rc = data_access(call, inode, PERM_WRITE);
	/* A reservation is allowed on an append-only file: it removes nothing. */
	if (!rc)
		rc = perm_flags(inode, !(mode & ~NOVA_FALLOCATE_KEEP_SIZE));
	if (!rc)
		rc = plan_size(inode, mode, &range);
	if (!rc)
		rc = inode_defer_long(call->worker, inode, cost(call->worker->fs, inode, mode, &range));
	if (rc)
		return rc;
	if (mode & (NOVA_FALLOCATE_COLLAPSE_RANGE | NOVA_FALLOCATE_INSERT_RANGE))
		rc = shift(call, inode, &range, mode & NOVA_FALLOCATE_COLLAPSE_RANGE);
	else
		rc = change_blocks(call, inode, mode, &range);
	if (!rc && attr)
		inode_attr(inode, attr);
	return rc;
}
