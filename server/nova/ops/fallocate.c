/*
 * fallocate.c -- reserve, punch, zero, collapse, insert.
 *
 * Each gathers what the file will look like in a change of the extent map and commits it with one transaction: nothing
 * committed is changed in place, data move only in the index and the log, and what falls away is released after the
 * commit.
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

/* One call's range. */
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

	/* Found out before the index grows by what can never be had. */
	if (count_lacking(index, at, end, data) > alloc_free_total(map->worker->fs))
		return -ENOSPC;
	while (at < end) {
		uint64_t count;
		uint64_t value = file_index_run(index, at, end - at, &count);

		if (!value || (data && file_readable(value))) {
			int err = extent_map_fresh(map, at, count, FILE_UNWRITTEN, false);

			if (err)
				return err;
		}
		at += count;
	}
	return 0;
}

/* ---- zeros ---------------------------------------------------------------------------------------------------- */

/* Zero [from, to) of one block: a private copy, if it holds data at all. */
static int zero_part(struct extent_map_change *map, uint64_t file_block, uint64_t from, uint64_t to, bool privileged)
{
	struct nova *fs = map->worker->fs;
	uint8_t bytes[NOVA_BLOCK_SIZE] __attribute__((aligned(64)));
	uint64_t old = file_readable(file_index_get(&map->inode->file, file_block));
	int err;

	if (!old)
		return 0;
	err = extent_map_fresh(map, file_block, 1, 0, privileged);
	if (err)
		return err;
	memcpy(bytes, block_at(fs, old), sizeof bytes);
	memset(bytes + from, 0, to - from);
	pm_copy(fs->pm, block_at(fs, map->pieces[map->count - 1].value), bytes, sizeof bytes);
	return 0;
}

/* The blocks that the range covers in part; *first and *last receive the whole ones between them. */
static int zero_edges(struct extent_map_change *map, const struct range *range, bool privileged, uint64_t *first,
                      uint64_t *last)
{
	uint64_t head = range->offset & BLOCK_MASK;
	uint64_t tail = range->end & BLOCK_MASK;
	int err = 0;

	*first = block_up(range->offset);
	*last = block_down(range->end);
	if (*first > *last) {
		*first = *last;
		return zero_part(map, *last, head, tail, privileged);
	}
	if (head)
		err = zero_part(map, *first - 1, head, NOVA_BLOCK_SIZE, privileged);
	if (!err && tail)
		err = zero_part(map, *last, 0, tail, privileged);
	return err;
}

/* Whole blocks go, also reserved ones behind the end of the file; of others the part in the range is zeroed. */
static int plan_punch(struct extent_map_change *map, const struct range *range)
{
	uint64_t first, last, mapped;
	int err = zero_edges(map, range, true, &first, &last);

	if (err || !file_index_next(&map->inode->file, first, &mapped) || mapped >= last)
		return err;
	return extent_map_place(map, mapped, 0, last - mapped);
}

static int plan_zero(struct extent_map_change *map, const struct range *range)
{
	uint64_t first, last;
	int err = zero_edges(map, range, false, &first, &last);

	if (err)
		return err;
	/* The blocks at the edges are allocated too, if they are not there. */
	if (first > block_down(range->offset))
		err = reserve_blocks(map, first - 1, first, false);
	if (!err)
		err = reserve_blocks(map, first, last, true);
	if (!err && block_up(range->end) > last)
		err = reserve_blocks(map, last, last + 1, false);
	return err;
}

/* One commit for what changes blocks where they are. */
static int change_blocks(const struct nova_call *call, struct nova_inode *inode, unsigned mode,
                         const struct range *range)
{
	struct extent_map_change map;
	struct txn txn;
	int err;

	extent_map_init(&map, call, inode);
	if (mode & NOVA_FALLOCATE_PUNCH_HOLE)
		err = plan_punch(&map, range);
	else if (mode & NOVA_FALLOCATE_ZERO_RANGE)
		err = plan_zero(&map, range);
	else
		err = reserve_blocks(&map, block_down(range->offset), block_up(range->end), false);
	if (err) {
		pm_fence(call->worker->fs->pm);
		extent_map_drop(&map);
		return err;
	}
	txn_start(&txn, call);
	/* What frees blocks must work on a full pool; where nothing is freed nothing is asked for. */
	return data_commit(&txn, &map, range->size, mode & NOVA_FALLOCATE_PUNCH_HOLE && map.count, NULL);
}

/* ---- collapse and insert -------------------------------------------------------------------------------------- */

/* Everything from file block `from` on will lie `by` blocks away. */
static int plan_shift(struct extent_map_change *map, uint64_t from, int64_t by)
{
	struct extent extent;
	uint64_t at = from;

	while (file_index_next_extent(&map->inode->file, &at, &extent)) {
		uint64_t to = extent.file_block + (uint64_t)by;
		int err;

		if (to + extent.count > NOVA_FILE_BLOCKS_MAX)
			return -EFBIG;
		err = extent_map_place(map, to, extent.value, extent.count);
		if (err)
			return err;
	}
	return 0;
}

/* In the log the file is cut at the range and what lies behind it appears again in its new place. */
static int log_shift(const struct extent_map_change *map, struct txn *txn, const struct range *range, uint16_t mode,
                     bool privileges)
{
	struct log_append *log = txn_log(txn, map->inode, false);
	int err = txn_attr(txn, log, NOVA_ATTR_SIZE, &(struct nova_attr_entry){.size = le64_of(range->offset)});

	/* Only then the size: it is greater than what the file was cut to, so it drops nothing. */
	if (!err)
		err = txn_attr(txn, log, NOVA_ATTR_SIZE | NOVA_ATTR_MTIME | NOVA_ATTR_MODE,
		               &(struct nova_attr_entry){.size = le64_of(range->size), .mode = le16_of(mode)});
	if (!err)
		err = extent_map_log(map, txn, log, range->size);
	return !err && privileges ? xattr_append_unprivileged(txn, map->inode, log) : err;
}

/* Take out of the index what was cut: what lies before `kept` is released, the rest comes back in its new place. */
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
	int err;

	extent_map_init(&map, call, inode);
	err = plan_shift(&map, kept, collapse ? -by : by);
	if (err) {
		extent_map_drop(&map);
		return err;
	}
	txn_start(&txn, call);
	err = log_shift(&map, &txn, range, mode, privileges);
	if (err) {
		txn_drop(&txn);
		pm_fence(call->worker->fs->pm);
		extent_map_drop(&map);
		return err;
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

/* What the file's size will be, or why it cannot be done. */
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

int nova_fallocate(const struct nova_call *call, struct nova_handle file, unsigned mode, uint64_t offset,
                   uint64_t length, struct nova_attr *attr)
{
	CLEANUP_UNLOCK struct nova_inode *inode = NULL;
	struct range range = {.offset = offset, .end = offset + length};
	int err = check_mode(mode);

	if (err)
		return err;
	if (length == 0)
		return -EINVAL;
	if (offset > NOVA_FILE_SIZE_MAX || length > NOVA_FILE_SIZE_MAX - offset)
		return -EFBIG;
	err = inode_write(call->worker, file, true, &inode);
	if (!err)
		err = data_access(call, inode, PERM_WRITE);
	/* To reserve takes nothing from a file that may only grow. */
	if (!err)
		err = perm_flags(inode, !(mode & ~NOVA_FALLOCATE_KEEP_SIZE));
	if (!err)
		err = plan_size(inode, mode, &range);
	if (err)
		return err;
	if (mode & (NOVA_FALLOCATE_COLLAPSE_RANGE | NOVA_FALLOCATE_INSERT_RANGE))
		err = shift(call, inode, &range, mode & NOVA_FALLOCATE_COLLAPSE_RANGE);
	else
		err = change_blocks(call, inode, mode, &range);
	if (!err && attr)
		inode_attr(inode, attr);
	return err;
}
