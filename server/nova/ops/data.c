/*
 * data.c -- read, write, map and seek.
 *
 * A write goes to private blocks, merged with the old data at its edges. One commit maps the new blocks; the replaced
 * blocks are released after it. Reserved blocks are private: until the commit that writes them they read as zeros.
 * Invariant: on the medium the bytes of a file's last block beyond its end are zero.
 */
#include "server/nova/ops/data.h"

#include "server/nova/inode/incore.h"
#include "server/nova/inode/inode.h"
#include "server/nova/inode/perm.h"
#include "server/nova/ops/xattr.h"
#include "server/nova/space/alloc.h"
#include "server/nova/space/project.h"
#include "server/nova/space/worker.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

#define WRITE_MAX        (1ULL << 30)
#define READ_AHEAD_LINES 8u

int data_access(const struct nova_call *call, const struct nova_inode *inode, unsigned mask)
{
	if (inode_is(inode, S_IFDIR))
		return -EISDIR;
	if (!inode_is(inode, S_IFREG))
		return -EINVAL;
	return call->opened ? 0 : perm_check(call->cred, inode, mask);
}

/* ---- read ----------------------------------------------------------------------------------------------------- */

/* The CPU's own prefetcher stops at the end of a page; the next extent of a fragmented file is elsewhere. */
static void prefetch_block(const struct nova *fs, const struct nova_inode *inode, uint64_t file_block)
{
	uint64_t block = file_readable(file_index_get(&inode->file, file_block));
	const uint8_t *bytes = block_at(fs, block);

	for (unsigned line = 0; block && line < READ_AHEAD_LINES; line++)
		__builtin_prefetch(bytes + line * NOVA_CACHE_LINE);
}

void data_copy_out(const struct nova *fs, const struct nova_inode *inode, uint64_t offset, void *buffer,
                   uint64_t length)
{
	uint64_t end = offset + length;
	uint8_t *to = buffer;

	while (offset < end) {
		uint64_t file_block = offset >> NOVA_BLOCK_SHIFT;
		uint64_t in_block = offset & (NOVA_BLOCK_SIZE - 1);
		uint64_t blocks = (in_block + (end - offset) + NOVA_BLOCK_SIZE - 1) >> NOVA_BLOCK_SHIFT;
		uint64_t block = file_readable(file_index_run(&inode->file, file_block, blocks, &blocks));
		uint64_t bytes = (blocks << NOVA_BLOCK_SHIFT) - in_block;

		if (bytes > end - offset)
			bytes = end - offset;
		if (offset + bytes < end)
			prefetch_block(fs, inode, file_block + blocks);
		if (block)
			memcpy(to, (uint8_t *)block_at(fs, block) + in_block, bytes);
		else
			memset(to, 0, bytes);
		to += bytes;
		offset += bytes;
	}
}

ssize_t nova_read(const struct nova_call *call, struct nova_handle file, uint64_t offset, void *buffer, size_t length)
{
	CLEANUP_UNLOCK struct nova_inode *inode = NULL;
	int rc = inode_read(call->worker, file, true, &inode);

	if (rc)
		return rc;
	rc = data_access(call, inode, PERM_READ);
	if (rc)
		return rc;
	if (offset >= inode->size)
		return 0;
	if (length > inode->size - offset)
		length = inode->size - offset;
	if (length > SSIZE_MAX)
		length = SSIZE_MAX;
	data_copy_out(call->worker->fs, inode, offset, buffer, length);
	return (ssize_t)length;
}

/* ---- write ---------------------------------------------------------------------------------------------------- */

/* One block of which the write covers [from, to): the rest gets the file's old data, or zeros where it has none. */
static void merge_block(struct nova *fs, const struct nova_inode *inode, uint64_t file_block, uint64_t block,
                        const uint8_t *data, uint32_t from, uint32_t to)
{
	uint8_t merged[NOVA_BLOCK_SIZE] __attribute__((aligned(64)));
	uint64_t old = file_readable(file_index_get(&inode->file, file_block));

	if (old) {
		const uint8_t *bytes = block_at(fs, old);

		memcpy(merged, bytes, from);
		memcpy(merged + to, bytes + to, sizeof merged - to);
	} else {
		memset(merged, 0, from);
		memset(merged + to, 0, sizeof merged - to);
	}
	memcpy(merged + from, data, to - from);
	pm_copy(fs->pm, block_at(fs, block), merged, sizeof merged);
}

/* Fill a piece with the part of the write that falls into it. */
static void fill_piece(struct nova *fs, const struct nova_inode *inode, const struct extent_map_piece *piece,
                       const struct data_bytes *bytes)
{
	const uint8_t *data = bytes->data;
	uint64_t offset = bytes->offset;
	uint64_t end = offset + bytes->length;
	uint64_t i = 0;

	while (i < piece->count) {
		uint64_t start = (piece->file_block + i) << NOVA_BLOCK_SHIFT;
		uint64_t from = offset > start ? offset - start : 0;
		uint64_t whole;

		if (from || end < start + NOVA_BLOCK_SIZE) {
			uint64_t to = end < start + NOVA_BLOCK_SIZE ? end - start : NOVA_BLOCK_SIZE;

			merge_block(fs, inode, piece->file_block + i, piece->value + i, data + (start + from - offset),
			            (uint32_t)from, (uint32_t)to);
			i++;
			continue;
		}
		whole = (end - start) >> NOVA_BLOCK_SHIFT;
		if (whole > piece->count - i)
			whole = piece->count - i;
		pm_copy(fs->pm, block_at(fs, piece->value + i), data + (start - offset), whole << NOVA_BLOCK_SHIFT);
		i += whole;
	}
}

int data_take(struct extent_map_change *map, uint64_t file_block, uint64_t count, enum alloc_use use)
{
	const struct file_index *index = &map->inode->file;
	uint64_t end = file_block + count;

	if (map->inode->space.unwritten == 0)
		return extent_map_fresh(map, file_block, count, 0, use);
	for (uint64_t at = file_block, written = file_block; at < end || written < end;) {
		uint64_t run = 0;
		uint64_t value = at < end ? file_index_run(index, at, end - at, &run) : 0;
		int rc = 0;

		if (at < end && !(value & FILE_UNWRITTEN)) {
			at += run;
			continue;
		}
		if (at > written)
			rc = extent_map_fresh(map, written, at - written, 0, use);
		if (!rc && run)
			rc = extent_map_place(map, at, file_block_of(value), run);
		if (rc)
			return rc;
		at = written = at + run;
	}
	return 0;
}

int data_commit(struct txn *txn, struct extent_map_change *map, uint64_t size, enum alloc_use use,
                const struct data_bytes *bytes)
{
	struct nova_inode *inode = map->inode;
	uint16_t mode = perm_mode_after_write(txn->call->cred, inode);
	bool privileges = xattr_has_privileges(txn->worker->fs, inode);
	struct log_append *log = txn_log(txn, inode, use);
	unsigned mask = NOVA_ATTR_MTIME;
	int rc = 0;

	/* The size comes first: a later entry with the size would drop the blocks beyond it. */
	if (map->count == 0 && size > inode->size)
		mask |= NOVA_ATTR_SIZE;
	if (mode != inode->mode)
		mask |= NOVA_ATTR_MODE;
	if (map->count == 0 || mode != inode->mode)
		rc = txn_attr(txn, log, mask, &(struct nova_attr_entry){.mode = le16_of(mode), .size = le64_of(size)});
	if (!rc)
		rc = extent_map_log(map, txn, log, size);
	if (!rc && privileges)
		rc = xattr_append_unprivileged(txn, inode, log);
	if (rc) {
		txn_drop(txn);
		pm_fence(txn->worker->fs->pm);
		extent_map_drop(map);
		return rc;
	}
	/* The data after the entries: else the stores of the entries would wait until the data has left the CPU. */
	for (unsigned i = 0; bytes && i < map->count; i++)
		fill_piece(txn->worker->fs, inode, &map->pieces[i], bytes);
	txn_commit(txn);
	extent_map_show(map);
	inode->size = size;
	inode->mode = mode;
	if (privileges)
		xattr_show_unprivileged(txn->worker, inode);
	inode->mtime_ns = inode->ctime_ns = txn->now;
	return 0;
}

static int write_for(const struct nova_call *call, struct nova_inode *inode, uint64_t offset, const void *data,
                     size_t length, enum alloc_use use)
{
	uint64_t first = offset >> NOVA_BLOCK_SHIFT;
	uint64_t blocks = ((offset + length - 1) >> NOVA_BLOCK_SHIFT) - first + 1;
	uint64_t size = offset + length > inode->size ? offset + length : inode->size;
	struct data_bytes bytes = {data, offset, length};
	struct extent_map_change map;
	struct txn txn;
	int rc;

	extent_map_init(&map, call, inode);
	if (offset + length == size && size % NOVA_BLOCK_SIZE)
		map.unfilled_end = first + blocks;
	rc = data_take(&map, first, blocks, use);
	if (rc) {
		extent_map_drop(&map);
		return rc;
	}
	txn_start(&txn, call);
	txn_effect(&txn, offset, size);
	/* If the write goes to reserved blocks alone, its log space was reserved with them. */
	return data_commit(&txn, &map, size, map.fresh == 0 ? ALLOC_FREES : use, &bytes);
}

/* Whether the file has blocks throughout the range, so that a write there leaves as many in use. */
static bool replaces_blocks(const struct nova_inode *inode, uint64_t offset, size_t length)
{
	uint64_t end = ((offset + length - 1) >> NOVA_BLOCK_SHIFT) + 1;
	uint64_t run;

	for (uint64_t at = offset >> NOVA_BLOCK_SHIFT; at < end; at += run)
		if (!file_index_run(&inode->file, at, end - at, &run))
			return false;
	return true;
}

static int write_locked(const struct nova_call *call, struct nova_inode *inode, uint64_t offset, const void *data,
                        size_t length)
{
	int rc = write_for(call, inode, offset, data, length, ALLOC_GROWS);

	if (rc == -ENOSPC && replaces_blocks(inode, offset, length))
		rc = write_for(call, inode, offset, data, length, ALLOC_REPLACES);
	return rc;
}

static int may_write(const struct nova_call *call, const struct nova_inode *inode, unsigned flags)
{
	int rc = data_access(call, inode, PERM_WRITE);

	return rc ? rc : perm_flags(inode, flags & NOVA_WRITE_APPEND);
}

int nova_may_write(const struct nova_call *call, struct nova_handle file, unsigned flags)
{
	CLEANUP_UNLOCK struct nova_inode *inode = NULL;
	int rc = inode_read(call->worker, file, false, &inode);

	return rc ? rc : may_write(call, inode, flags);
}

ssize_t nova_write(const struct nova_call *call, struct nova_handle file, uint64_t offset, const void *data,
                   size_t length, unsigned flags, struct nova_attr *attr)
{
	CLEANUP_UNLOCK struct nova_inode *inode = NULL;
	int rc;

	if (length > WRITE_MAX || flags & ~NOVA_WRITE_APPEND)
		return -EINVAL;
	rc = inode_write(call->worker, file, true, &inode);
	if (rc)
		return rc;
	rc = may_write(call, inode, flags);
	if (rc)
		return rc;
	if (flags & NOVA_WRITE_APPEND)
		offset = inode->size;
	if (offset > NOVA_FILE_SIZE_MAX || length > NOVA_FILE_SIZE_MAX - offset)
		return -EFBIG;
	if (length) {
		rc = write_locked(call, inode, offset, data, length);
		if (rc)
			return rc;
	}
	if (attr)
		inode_attr(inode, attr);
	return (ssize_t)length;
}

/* ---- map ------------------------------------------------------------------------------------------------------ */

int nova_map(const struct nova_call *call, struct nova_handle file, uint64_t offset, uint64_t length,
             struct nova_extent *extents, int max, struct nova_attr *attr)
{
	CLEANUP_UNLOCK struct nova_inode *inode = NULL;
	uint64_t at = offset >> NOVA_BLOCK_SHIFT;
	uint64_t end;
	int count = 0;
	int rc = inode_read(call->worker, file, true, &inode);

	if (rc)
		return rc;
	rc = data_access(call, inode, PERM_READ);
	if (rc)
		return rc;
	if (attr)
		inode_attr(inode, attr);
	if (offset >= inode->size || length == 0)
		return 0;
	if (length > inode->size - offset)
		length = inode->size - offset;
	end = (offset + length + NOVA_BLOCK_SIZE - 1) >> NOVA_BLOCK_SHIFT;
	while (at < end && count < max) {
		uint64_t blocks;
		uint64_t block = file_readable(file_index_run(&inode->file, at, end - at, &blocks));

		if (!block && count && !extents[count - 1].block.n) {
			extents[count - 1].length += blocks << NOVA_BLOCK_SHIFT;
			at += blocks;
			continue;
		}
		extents[count++] = (struct nova_extent){
		    .offset = at << NOVA_BLOCK_SHIFT,
		    .length = blocks << NOVA_BLOCK_SHIFT,
		    .block = {block},
		};
		at += blocks;
	}
	return count;
}

/* ---- seek ----------------------------------------------------------------------------------------------------- */

int nova_seek(const struct nova_call *call, struct nova_handle file, uint64_t offset, enum nova_seek what,
              uint64_t *found)
{
	CLEANUP_UNLOCK struct nova_inode *inode = NULL;
	uint64_t at = offset >> NOVA_BLOCK_SHIFT;
	uint64_t end;
	int rc = inode_read(call->worker, file, true, &inode);

	if (rc)
		return rc;
	rc = data_access(call, inode, PERM_READ);
	if (rc)
		return rc;
	if (offset >= inode->size)
		return -ENXIO;
	end = (inode->size + NOVA_BLOCK_SIZE - 1) >> NOVA_BLOCK_SHIFT;
	while (at < end) {
		uint64_t count;
		uint64_t value = file_readable(file_index_run(&inode->file, at, end - at, &count));

		if ((value != 0) == (what == NOVA_SEEK_DATA))
			break;
		at += count;
	}
	if (at >= end && what == NOVA_SEEK_DATA)
		return -ENXIO;
	*found = at << NOVA_BLOCK_SHIFT;
	/* The end of the file is a hole. */
	if (*found > inode->size)
		*found = inode->size;
	if (*found < offset)
		*found = offset;
	return 0;
}

void nova_free_blocks(struct nova_worker *worker, nova_block first, uint64_t count, uint32_t project)
{
	__atomic_fetch_sub(&worker->fs->quarantined_blocks, count, __ATOMIC_RELAXED);
	if (project) /* it exists: blocks have been charged to it */
		project_refund(project_find(worker->fs, project), PROJECT_BLOCKS, count);
	alloc_free(worker, first.n, count);
}
