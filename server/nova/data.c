/*
 * data.c -- read, write and map.
 *
 * A write goes to private blocks, copied and merged at its edges, and becomes true with one commit; the blocks it
 * replaces are released after that. Invariant: on the medium the bytes of a file's last block beyond its end are zero.
 */
#include "server/nova/alloc.h"
#include "server/nova/inode.h"
#include "server/nova/lifetime.h"
#include "server/nova/perm.h"
#include "server/nova/txn.h"
#include "server/nova/xattr.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#define WRITE_MAX   (1ULL << 30)
#define RUNS_INLINE 8u

struct run {
	uint64_t block;
	uint64_t count;
};

/* The private blocks of one write. */
struct runs {
	struct run *run;
	unsigned count;
	unsigned capacity;
	struct run space[RUNS_INLINE];
};

static int data_access(const struct nova_call *call, const struct inode *inode, unsigned mask)
{
	if (inode_is(inode, S_IFDIR))
		return -EISDIR;
	if (!inode_is(inode, S_IFREG))
		return -EINVAL;
	return call->opened ? 0 : perm_check(call->cred, inode, mask);
}

/* ---- read ----------------------------------------------------------------------------------------------------- */

ssize_t nova_read(const struct nova_call *call, struct nova_handle file, uint64_t offset, void *buffer, size_t length)
{
	struct nova *fs = call->worker->fs;
	CLEANUP_UNLOCK struct inode *inode = NULL;
	uint8_t *to = buffer;
	uint64_t end;
	int err = inode_read(call->worker, file, true, &inode);

	if (err)
		return err;
	err = data_access(call, inode, PERM_READ);
	if (err)
		return err;
	if (offset >= inode->size)
		return 0;
	if (length > inode->size - offset)
		length = inode->size - offset;
	if (length > SSIZE_MAX)
		length = SSIZE_MAX;
	end = offset + length;
	while (offset < end) {
		uint64_t file_block = offset >> NOVA_BLOCK_SHIFT;
		uint64_t in_block = offset & (NOVA_BLOCK_SIZE - 1);
		uint64_t blocks = (in_block + (end - offset) + NOVA_BLOCK_SIZE - 1) >> NOVA_BLOCK_SHIFT;
		uint64_t block = file_index_run(&inode->file, file_block, blocks, &blocks);
		uint64_t bytes = (blocks << NOVA_BLOCK_SHIFT) - in_block;

		if (bytes > end - offset)
			bytes = end - offset;
		if (block)
			memcpy(to, (uint8_t *)block_at(fs, block) + in_block, bytes);
		else
			memset(to, 0, bytes);
		to += bytes;
		offset += bytes;
	}
	return (ssize_t)length;
}

/* ---- write ---------------------------------------------------------------------------------------------------- */

static void drop_runs(struct nova_worker *worker, struct runs *runs)
{
	for (unsigned i = 0; i < runs->count; i++)
		alloc_free(worker, runs->run[i].block, runs->run[i].count);
}

static void free_runs(struct runs *runs)
{
	if (runs->run != runs->space)
		free(runs->run);
}

static int grow_runs(struct runs *runs)
{
	struct run *more = malloc(2 * runs->capacity * sizeof *more);

	if (!more)
		return -ENOMEM;
	memcpy(more, runs->run, runs->count * sizeof *more);
	free_runs(runs);
	runs->run = more;
	runs->capacity *= 2;
	return 0;
}

/* For the file's blocks from `at` on. `unfilled`: the write ends within the last of them, at the file's end. */
static int take_runs(struct nova_worker *worker, const struct inode *inode, uint64_t at, uint64_t blocks, bool unfilled,
                     struct runs *runs)
{
	runs->run = runs->space;
	runs->capacity = RUNS_INLINE;
	runs->count = 0;
	while (blocks) {
		struct run *run;
		int64_t got;
		int err = runs->count == runs->capacity ? grow_runs(runs) : 0;

		if (err)
			return err;
		run = &runs->run[runs->count];
		got = alloc_data(worker, inode, at, blocks, unfilled, &run->block);
		if (got < 0)
			return (int)got;
		run->count = (uint64_t)got;
		runs->count++;
		blocks -= run->count;
		at += run->count;
	}
	return 0;
}

/* One block of which the write covers [from, to): the rest is what the file has there, zeros where it has nothing. */
static void merge_block(struct nova *fs, const struct inode *inode, uint64_t file_block, uint64_t block,
                        const uint8_t *data, uint32_t from, uint32_t to)
{
	uint8_t merged[NOVA_BLOCK_SIZE] __attribute__((aligned(64)));
	uint64_t old = file_index_get(&inode->file, file_block);

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

/* Fill a run that stands for file blocks from `file_block`, with the part of the write that falls into it. */
static void fill_run(struct nova *fs, const struct inode *inode, uint64_t file_block, const struct run *run,
                     const uint8_t *data, uint64_t offset, uint64_t length)
{
	uint64_t end = offset + length;
	uint64_t i = 0;

	while (i < run->count) {
		uint64_t start = (file_block + i) << NOVA_BLOCK_SHIFT;
		uint64_t from = offset > start ? offset - start : 0;
		uint64_t whole;

		if (from || end < start + NOVA_BLOCK_SIZE) {
			uint64_t to = end < start + NOVA_BLOCK_SIZE ? end - start : NOVA_BLOCK_SIZE;

			merge_block(fs, inode, file_block + i, run->block + i, data + (start + from - offset),
			            (uint32_t)from, (uint32_t)to);
			i++;
			continue;
		}
		whole = (end - start) >> NOVA_BLOCK_SHIFT;
		if (whole > run->count - i)
			whole = run->count - i;
		pm_copy(fs->pm, block_at(fs, run->block + i), data + (start - offset), whole << NOVA_BLOCK_SHIFT);
		i += whole;
	}
}

static int append_writes(struct txn *txn, struct log_append *log, const struct runs *runs, uint64_t file_block,
                         uint64_t size)
{
	for (unsigned i = 0; i < runs->count; i++) {
		struct entry_buffer buffer;
		struct nova_entry *entry = entry_start(&buffer, NOVA_ENTRY_WRITE);
		struct nova_write_entry *write = ENTRY_PAYLOAD(nova_write_entry, entry);
		int err;

		write->file_block = le64_of(file_block);
		write->block = le64_of(runs->run[i].block);
		write->count = le32_of((uint32_t)runs->run[i].count);
		write->size = le64_of(size);
		write->time_ns = le64_of((uint64_t)txn->now);
		err = txn_entry(txn, log, entry, NULL, NULL);
		if (err)
			return err;
		file_block += runs->run[i].count;
	}
	return 0;
}

/* The commit is durable: lead the index to the new blocks and release the old ones. */
static void show_runs(struct nova_worker *worker, struct inode *inode, const struct runs *runs, uint64_t file_block)
{
	struct release release = {.worker = worker, .ino = inode->ino};

	for (unsigned i = 0; i < runs->count; i++)
		for (uint64_t n = 0; n < runs->run[i].count; n++, file_block++) {
			uint64_t old = file_index_set(&inode->file, file_block, runs->run[i].block + n);

			if (old)
				release_block(&release, old);
			else
				inode->blocks++;
		}
	release_flush(&release);
}

static int write_locked(const struct nova_call *call, struct inode *inode, uint64_t offset, const void *data,
                        size_t length)
{
	struct nova_worker *worker = call->worker;
	uint64_t first = offset >> NOVA_BLOCK_SHIFT;
	uint64_t blocks = ((offset + length - 1) >> NOVA_BLOCK_SHIFT) - first + 1;
	uint64_t size = offset + length > inode->size ? offset + length : inode->size;
	uint16_t mode = perm_mode_after_write(call->cred, inode);
	bool privileges = xattr_has_privileges(worker->fs, inode);
	uint64_t at = first;
	struct log_append *log;
	struct runs runs;
	struct txn txn;
	int err = file_index_reserve(&inode->file, first, blocks);

	if (err)
		return err;
	incore_index_changed(worker->fs, inode);
	err = take_runs(worker, inode, first, blocks, offset + length == size && size % NOVA_BLOCK_SIZE, &runs);
	if (err)
		goto drop;
	txn_start(&txn, call);
	log = txn_log(&txn, inode, false);
	for (unsigned i = 0; i < runs.count; i++) {
		fill_run(worker->fs, inode, at, &runs.run[i], data, offset, length);
		at += runs.run[i].count;
	}
	err = append_writes(&txn, log, &runs, first, size);
	if (!err && mode != inode->mode)
		err = txn_attr(&txn, log, NOVA_ATTR_MODE, &(struct nova_attr_entry){.mode = le16_of(mode)});
	if (!err && privileges)
		err = xattr_append_unprivileged(&txn, log);
	if (err) {
		txn_drop(&txn);
		pm_fence(worker->fs->pm);
		goto drop;
	}
	txn_commit(&txn);
	show_runs(worker, inode, &runs, first);
	inode->size = size;
	inode->mode = mode;
	if (privileges)
		xattr_show_unprivileged(worker, inode);
	inode->mtime_ns = inode->ctime_ns = txn.now;
	free_runs(&runs);
	return 0;
drop:
	drop_runs(worker, &runs);
	free_runs(&runs);
	return err;
}

ssize_t nova_write(const struct nova_call *call, struct nova_handle file, uint64_t offset, const void *data,
                   size_t length, unsigned flags, struct nova_attr *attr)
{
	CLEANUP_UNLOCK struct inode *inode = NULL;
	int err;

	if (length > WRITE_MAX || flags & ~NOVA_WRITE_APPEND)
		return -EINVAL;
	err = inode_write(call->worker, file, true, &inode);
	if (err)
		return err;
	err = data_access(call, inode, PERM_WRITE);
	if (!err)
		err = perm_flags(inode, flags & NOVA_WRITE_APPEND);
	if (err)
		return err;
	if (flags & NOVA_WRITE_APPEND)
		offset = inode->size;
	if (offset > NOVA_FILE_SIZE_MAX || length > NOVA_FILE_SIZE_MAX - offset)
		return -EFBIG;
	if (length) {
		err = write_locked(call, inode, offset, data, length);
		if (err)
			return err;
	}
	if (attr)
		inode_attr(inode, attr);
	return (ssize_t)length;
}

/* ---- map ------------------------------------------------------------------------------------------------------ */

int nova_map(const struct nova_call *call, struct nova_handle file, uint64_t offset, uint64_t length,
             struct nova_extent *extents, int max, struct nova_attr *attr)
{
	CLEANUP_UNLOCK struct inode *inode = NULL;
	uint64_t at = offset >> NOVA_BLOCK_SHIFT;
	uint64_t end;
	int count = 0;
	int err = inode_read(call->worker, file, true, &inode);

	if (err)
		return err;
	err = data_access(call, inode, PERM_READ);
	if (err)
		return err;
	if (attr)
		inode_attr(inode, attr);
	if (offset >= inode->size || length == 0)
		return 0;
	if (length > inode->size - offset)
		length = inode->size - offset;
	end = (offset + length + NOVA_BLOCK_SIZE - 1) >> NOVA_BLOCK_SHIFT;
	while (at < end && count < max) {
		uint64_t blocks;
		uint64_t block = file_index_run(&inode->file, at, end - at, &blocks);

		extents[count++] = (struct nova_extent){
		    .offset = at << NOVA_BLOCK_SHIFT,
		    .length = blocks << NOVA_BLOCK_SHIFT,
		    .block = {block},
		};
		at += blocks;
	}
	return count;
}

void nova_free_blocks(struct nova_worker *worker, nova_block first, uint64_t count)
{
	alloc_free(worker, first.n, count);
}
