/*
 * copy.c -- copies data between files inside the server.
 *
 * The bytes go through a small buffer, which stays in the CPU's cache, into private blocks of the target; one commit
 * maps all these blocks. Holes are not copied: the target gets a hole.
 *
 * A copy in two steps fills the blocks beforehand, in slices. Between slices other operations may read and change the
 * files. The tail of the source's log moves with every change, so it shows whether the source is still unchanged.
 */
#include "server/nova/inode/inode.h"

#include "server/nova/inode/perm.h"
#include "server/nova/ops/data.h"
#include "server/nova/space/alloc.h"
#include "server/nova/space/returning.h"
#include "server/nova/space/worker.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define COPY_MAX      (1ULL << 30)
#define BUFFER_BLOCKS 4u

struct copy {
	const struct nova_inode *from;
	struct nova_inode *to;
	uint64_t from_offset;
	uint64_t to_offset;
	uint64_t end; /* of the target's range */
};

/* Fill private blocks of the target from `file_block`: the copied range from the source, the edges from the target. */
static void fill_blocks(struct nova *fs, const struct copy *copy, uint64_t file_block, uint64_t block, uint64_t count)
{
	uint8_t bytes[BUFFER_BLOCKS * NOVA_BLOCK_SIZE] __attribute__((aligned(64)));
	uint64_t start = file_block << NOVA_BLOCK_SHIFT;
	uint64_t end = start + (count << NOVA_BLOCK_SHIFT);
	uint64_t from = copy->to_offset > start ? copy->to_offset : start;
	uint64_t to = copy->end < end ? copy->end : end;

	/* data_copy_out gives zeros where the target has no data, also behind its end. */
	data_copy_out(fs, copy->to, start, bytes, from - start);
	data_copy_out(fs, copy->from, copy->from_offset + (from - copy->to_offset), bytes + (from - start), to - from);
	data_copy_out(fs, copy->to, to, bytes + (to - start), end - to);
	pm_copy(fs->pm, block_at(fs, block), bytes, count << NOVA_BLOCK_SHIFT);
}

/* The pieces but those that were filled beforehand: file blocks [from, to). */
static void fill(struct extent_map_change *map, const struct copy *copy, uint64_t from, uint64_t to)
{
	for (unsigned i = 0; i < map->count; i++) {
		const struct extent_map_piece *piece = &map->pieces[i];

		if (piece->file_block >= from && piece->file_block < to)
			continue;
		for (uint64_t n = 0; piece->value && n < piece->count; n += BUFFER_BLOCKS) {
			uint64_t count = piece->count - n < BUFFER_BLOCKS ? piece->count - n : BUFFER_BLOCKS;

			fill_blocks(map->worker->fs, copy, piece->file_block + n, piece->value + n, count);
		}
	}
}

/* A row of the target's blocks that lie wholly in a hole of the source; both have the same place in their blocks. */
static int plan_hole(struct extent_map_change *map, uint64_t at, uint64_t count)
{
	uint64_t mapped;

	/* If the target has no data there either, nothing changes. */
	if (!file_index_next(&map->inode->file, at, &mapped) || mapped >= at + count)
		return 0;
	return extent_map_place(map, mapped, 0, at + count - mapped);
}

static int plan(struct extent_map_change *map, const struct copy *copy)
{
	const struct file_index *source = &copy->from->file;
	uint64_t at = copy->to_offset >> NOVA_BLOCK_SHIFT;
	uint64_t end = ((copy->end - 1) >> NOVA_BLOCK_SHIFT) + 1;
	uint64_t away = (copy->from_offset >> NOVA_BLOCK_SHIFT) - at;
	/* The blocks of the target that are copied whole; the last may be partial if no data are behind the copy. */
	uint64_t whole = (copy->to_offset + NOVA_BLOCK_SIZE - 1) >> NOVA_BLOCK_SHIFT;
	uint64_t whole_end = copy->end >= copy->to->size ? end : copy->end >> NOVA_BLOCK_SHIFT;
	uint64_t hole, count;
	int rc;

	if ((copy->from_offset ^ copy->to_offset) & (NOVA_BLOCK_SIZE - 1))
		return data_take(map, at, end - at, ALLOC_GROWS);
	for (hole = whole; hole < whole_end; hole += count) {
		if (file_readable(file_index_run(source, hole + away, whole_end - hole, &count)))
			continue;
		rc = hole > at ? data_take(map, at, hole - at, ALLOC_GROWS) : 0;
		if (!rc)
			rc = plan_hole(map, hole, count);
		if (rc)
			return rc;
		at = hole + count;
	}
	return at < end ? data_take(map, at, end - at, ALLOC_GROWS) : 0;
}

static int copy_locked(const struct nova_call *call, const struct copy *copy)
{
	struct extent_map_change map;
	struct txn txn;
	int rc;

	extent_map_init(&map, call, copy->to);
	rc = plan(&map, copy);
	if (rc) {
		extent_map_drop(&map);
		return rc;
	}
	txn_start(&txn, call);
	txn_effect(&txn, copy->end - copy->to_offset, 0);
	fill(&map, copy, 0, 0);
	return data_commit(&txn, &map, copy->end > copy->to->size ? copy->end : copy->to->size, ALLOC_GROWS, NULL);
}

static int may_copy(const struct nova_call *call, const struct copy *copy)
{
	int rc = data_access(call, copy->from, PERM_READ);

	if (!rc)
		rc = data_access(call, copy->to, PERM_WRITE);
	return rc ? rc : perm_flags(copy->to, false);
}

/* How many bytes of `length` can be copied, or -errno. */
static ssize_t clip(const struct copy *copy, uint64_t from_size, bool same_file, uint64_t length)
{
	if (copy->from_offset >= from_size)
		return 0;
	if (length > from_size - copy->from_offset)
		length = from_size - copy->from_offset;
	if (copy->to_offset > NOVA_FILE_SIZE_MAX || length > NOVA_FILE_SIZE_MAX - copy->to_offset)
		return -EFBIG;
	if (same_file && copy->from_offset < copy->to_offset + length && copy->to_offset < copy->from_offset + length)
		return -EINVAL;
	return (ssize_t)length;
}

/* Both locked: check, clip, copy. */
static ssize_t copy_checked(const struct nova_call *call, struct copy *copy, uint64_t length)
{
	int rc = may_copy(call, copy);
	ssize_t clipped = rc ? rc : clip(copy, copy->from->size, copy->from == copy->to, length);

	if (clipped <= 0)
		return clipped;
	copy->end = copy->to_offset + (uint64_t)clipped;
	rc = copy_locked(call, copy);
	return rc ? rc : clipped;
}

ssize_t nova_copy(const struct nova_call *call, struct nova_handle from, uint64_t from_offset, struct nova_handle to,
                  uint64_t to_offset, uint64_t length, struct nova_attr *attr)
{
	CLEANUP_UNLOCK struct nova_inode *target = NULL;
	struct nova_inode *source;
	struct copy copy;
	ssize_t copied;
	int rc;

	if (length > COPY_MAX)
		length = COPY_MAX;
	rc = inode_write_two(call->worker, from, to, &source, &target);
	if (rc)
		return rc;
	copy = (struct copy){.from = source, .to = target, .from_offset = from_offset, .to_offset = to_offset};
	copied = copy_checked(call, &copy, length);
	if (copied >= 0 && attr)
		inode_attr(target, attr);
	if (source != target)
		inode_unlock(source);
	return copied;
}

/* ---- in two steps ----------------------------------------------------------------------------------------------- */

#define PIECE_NS     700u /* to commit it */
#define SLICE_BLOCKS 32u  /* copied in one slice, under the source's shared lock: some 50 microseconds */

/* A row of the target's blocks that the copy covers whole. */
struct prepared_piece {
	uint64_t file_block;
	uint64_t block; /* 0 = a hole, or it belongs to somebody else by now */
	uint64_t count;
};

struct nova_copy {
	struct nova_handle from;
	struct nova_handle to;
	uint64_t from_offset;
	uint64_t to_offset;
	uint64_t length;
	uint64_t tail;  /* of the source's log: while it is this the source is what was copied */
	uint64_t first; /* of the target's blocks that are prepared, */
	uint64_t last;  /* exclusive */
	unsigned count;
	unsigned capacity;
	struct prepared_piece *pieces;
};

static int add_prepared(struct nova_copy *copy, uint64_t file_block, uint64_t block, uint64_t count)
{
	if (copy->count == copy->capacity) {
		unsigned capacity = copy->capacity ? 2 * copy->capacity : 8;
		struct prepared_piece *more = reallocarray(copy->pieces, capacity, sizeof *more);

		if (!more)
			return -ENOMEM;
		copy->pieces = more;
		copy->capacity = capacity;
	}
	copy->pieces[copy->count++] = (struct prepared_piece){file_block, block, count};
	return 0;
}

static int take_prepared(struct nova_worker *worker, struct nova_copy *copy, uint64_t to_size, uint64_t at,
                         uint64_t end)
{
	const struct alloc_file file = {
	    .ino = copy->to.ino.n, .generation = copy->to.generation, .whole_blocks = to_size >> NOVA_BLOCK_SHIFT};

	while (at < end) {
		uint64_t block;
		int64_t got = alloc_data(worker, &file, at, end - at, false, ALLOC_GROWS, &block);
		int rc = got < 0 ? (int)got : add_prepared(copy, at, block, (uint64_t)got);

		if (rc) {
			if (got > 0)
				alloc_free(worker, block, (uint64_t)got);
			return rc;
		}
		at += (uint64_t)got;
	}
	return 0;
}

/* The row of the target's blocks from `at` on that are holes of the source, or that are not. */
static uint64_t next_row(const struct nova_copy *copy, const struct nova_inode *from, uint64_t at, bool *hole)
{
	uint64_t away = (copy->from_offset >> NOVA_BLOCK_SHIFT) - (copy->to_offset >> NOVA_BLOCK_SHIFT);
	uint64_t count = copy->last - at;

	*hole = ((copy->from_offset ^ copy->to_offset) & (NOVA_BLOCK_SIZE - 1)) == 0 &&
	        !file_readable(file_index_run(&from->file, at + away, copy->last - at, &count));
	return count;
}

static uint64_t count_needed(const struct nova_copy *copy, const struct nova_inode *from)
{
	uint64_t needed = 0;
	bool hole;

	for (uint64_t at = copy->first, row; at < copy->last; at += row) {
		row = next_row(copy, from, at, &hole);
		needed += hole ? 0 : row;
	}
	return needed;
}

/* Read both files' state: which bytes are to be copied into which blocks. */
static int plan_prepared(struct nova_worker *worker, struct nova_copy *copy)
{
	const struct copy plan = {.from_offset = copy->from_offset, .to_offset = copy->to_offset};
	const struct nova_call call = {.worker = worker, .opened = true};
	struct nova_inode *inode;
	uint64_t to_size, at, row;
	ssize_t clipped;
	bool hole;
	int rc = inode_read(worker, copy->to, false, &inode);

	if (rc)
		return rc;
	to_size = inode->size;
	rc = data_access(&call, inode, PERM_WRITE);
	inode_unlock(inode);
	if (!rc)
		rc = inode_read(worker, copy->from, true, &inode);
	if (rc)
		return rc;
	copy->tail = inode->log.tail;
	rc = data_access(&call, inode, PERM_READ);
	clipped = rc ? rc : clip(&plan, inode->size, copy->from.ino.n == copy->to.ino.n, copy->length);
	copy->length = clipped > 0 ? (uint64_t)clipped : 0;
	copy->first = (copy->to_offset + NOVA_BLOCK_SIZE - 1) >> NOVA_BLOCK_SHIFT;
	copy->last = (copy->to_offset + copy->length) >> NOVA_BLOCK_SHIFT;
	rc = clipped < 0 ? (int)clipped : 0;
	/* A copy that cannot get all takes nothing, so that others get it meanwhile. */
	if (!rc && !alloc_may_have(worker, count_needed(copy, inode), ALLOC_GROWS))
		rc = -ENOSPC;
	for (at = copy->first; !rc && at < copy->last; at += row) {
		row = next_row(copy, inode, at, &hole);
		rc = hole ? add_prepared(copy, at, 0, row) : take_prepared(worker, copy, to_size, at, at + row);
	}
	inode_unlock(inode);
	return rc;
}

/* Copy a run of blocks, as long as the source is unchanged. */
static int fill_prepared(struct nova_worker *worker, const struct nova_copy *copy, const struct prepared_piece *piece)
{
	uint8_t bytes[BUFFER_BLOCKS * NOVA_BLOCK_SIZE] __attribute__((aligned(64)));

	for (uint64_t n = 0; n < piece->count; n += SLICE_BLOCKS) {
		uint64_t end = piece->count - n < SLICE_BLOCKS ? piece->count : n + SLICE_BLOCKS;
		CLEANUP_UNLOCK struct nova_inode *from = NULL;
		int rc = inode_read(worker, copy->from, true, &from);

		if (rc)
			return rc;
		if (from->log.tail != copy->tail)
			return -EAGAIN;
		for (uint64_t at = n; at < end; at += BUFFER_BLOCKS) {
			uint64_t offset = ((piece->file_block + at) << NOVA_BLOCK_SHIFT) - copy->to_offset;
			uint64_t count = end - at < BUFFER_BLOCKS ? end - at : BUFFER_BLOCKS;

			data_copy_out(worker->fs, from, copy->from_offset + offset, bytes, count << NOVA_BLOCK_SHIFT);
			pm_copy(worker->fs->pm, block_at(worker->fs, piece->block + at), bytes,
			        count << NOVA_BLOCK_SHIFT);
		}
	}
	return 0;
}

int nova_copy_prepare(struct nova_worker *worker, struct nova_handle from, uint64_t from_offset, struct nova_handle to,
                      uint64_t to_offset, uint64_t length, struct nova_copy **out)
{
	struct nova_copy *copy = malloc(sizeof *copy);
	int rc;

	*out = NULL;
	if (!copy)
		return -ENOMEM;
	*copy = (struct nova_copy){.from = from,
	                           .to = to,
	                           .from_offset = from_offset,
	                           .to_offset = to_offset,
	                           .length = length < COPY_MAX ? length : COPY_MAX};
	returning_begin(worker->fs);
	rc = plan_prepared(worker, copy);
	for (unsigned i = 0; !rc && i < copy->count; i++)
		if (copy->pieces[i].block)
			rc = fill_prepared(worker, copy, &copy->pieces[i]);
	/* Fence the stores of this CPU: another CPU may do the commit. */
	pm_fence(worker->fs->pm);
	if (rc) {
		nova_copy_discard(worker, copy);
		return rc;
	}
	*out = copy;
	return 0;
}

void nova_copy_discard(struct nova_worker *worker, struct nova_copy *copy)
{
	if (!copy)
		return;
	for (unsigned i = 0; i < copy->count; i++)
		if (copy->pieces[i].block)
			alloc_free(worker, copy->pieces[i].block, copy->pieces[i].count);
	returning_end(worker->fs, 1);
	free(copy->pieces);
	free(copy);
}

/* The target's last block, of which the copy covers a part. */
static int gather_tail(struct extent_map_change *map, const struct copy *copy, uint64_t tail)
{
	uint64_t away = (copy->from_offset >> NOVA_BLOCK_SHIFT) - (copy->to_offset >> NOVA_BLOCK_SHIFT);
	bool aligned = ((copy->from_offset ^ copy->to_offset) & (NOVA_BLOCK_SIZE - 1)) == 0;

	/* If the target has no data behind the copy, a hole may stay a hole. */
	if (aligned && copy->end >= copy->to->size && tail << NOVA_BLOCK_SHIFT >= copy->to_offset &&
	    !file_readable(file_index_get(&copy->from->file, tail + away)))
		return plan_hole(map, tail, 1);
	return data_take(map, tail, 1, ALLOC_GROWS);
}

/* The pieces, and the target's blocks at both ends, of which the copy covers a part. */
static int gather(struct extent_map_change *map, struct nova_copy *prepared, const struct copy *copy)
{
	uint64_t head = copy->to_offset >> NOVA_BLOCK_SHIFT;
	uint64_t tail = (copy->end - 1) >> NOVA_BLOCK_SHIFT;
	int rc = head < prepared->first ? data_take(map, head, 1, ALLOC_GROWS) : 0;

	for (unsigned i = 0; !rc && i < prepared->count; i++) {
		struct prepared_piece *piece = &prepared->pieces[i];

		if (!piece->block) {
			rc = plan_hole(map, piece->file_block, piece->count);
			continue;
		}
		rc = extent_map_adopt(map, piece->file_block, piece->block, piece->count);
		if (!rc)
			piece->block = 0;
	}
	if (!rc && tail >= prepared->last && (tail > head || head >= prepared->first))
		rc = gather_tail(map, copy, tail);
	return rc;
}

static int commit_prepared(const struct nova_call *call, struct nova_copy *prepared, const struct copy *copy)
{
	struct extent_map_change map;
	struct txn txn;
	int rc;

	extent_map_init(&map, call, copy->to);
	rc = gather(&map, prepared, copy);
	if (rc) {
		extent_map_drop(&map);
		return rc;
	}
	txn_start(&txn, call);
	txn_effect(&txn, copy->end - copy->to_offset, 0);
	fill(&map, copy, prepared->first, prepared->last);
	return data_commit(&txn, &map, copy->end > copy->to->size ? copy->end : copy->to->size, ALLOC_GROWS, NULL);
}

/* About how many ns the commit takes. */
static uint64_t commit_cost(const struct nova_inode *to, const struct nova_copy *prepared)
{
	return file_index_cost(&to->file, prepared->first, prepared->last, to->space.blocks) +
	       PIECE_NS * prepared->count;
}

ssize_t nova_copy_commit(const struct nova_call *call, struct nova_copy *prepared, struct nova_attr *attr)
{
	struct copy copy = {.from_offset = prepared->from_offset,
	                    .to_offset = prepared->to_offset,
	                    .end = prepared->to_offset + prepared->length};
	CLEANUP_UNLOCK struct nova_inode *target = NULL;
	ssize_t copied = (ssize_t)prepared->length;
	struct nova_inode *source;
	int rc = inode_write_two(call->worker, prepared->from, prepared->to, &source, &target);

	if (!rc) {
		copy.from = source;
		copy.to = target;
		rc = may_copy(call, &copy);
		if (!rc && source->log.tail != prepared->tail)
			rc = -EAGAIN;
		if (!rc)
			rc = inode_defer_long(call->worker, target, commit_cost(target, prepared));
		if (!rc && copied)
			rc = commit_prepared(call, prepared, &copy);
		if (!rc && attr)
			inode_attr(target, attr);
		if (source != target)
			inode_unlock(source);
	}
	if (rc != -EBUSY)
		nova_copy_discard(call->worker, prepared);
	return rc ? rc : copied;
}
