/*
 * copy.c -- copy between files inside the server.
 *
 * The bytes go through a small buffer that stays in the CPU's cache into private blocks of the target; one commit shows
 * them all. Blocks of holes are not copied: the target gets a hole.
 */
#include "server/nova/inode/inode.h"

#include "server/nova/inode/perm.h"
#include "server/nova/ops/data.h"
#include "server/nova/space/worker.h"

#include <errno.h>
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

/* Fill private blocks of the target from `file_block`: what the copy covers from the source, the edges as they were. */
static void fill_blocks(struct nova *fs, const struct copy *copy, uint64_t file_block, uint64_t block, uint64_t count)
{
	uint8_t bytes[BUFFER_BLOCKS * NOVA_BLOCK_SIZE] __attribute__((aligned(64)));
	uint64_t start = file_block << NOVA_BLOCK_SHIFT;
	uint64_t end = start + (count << NOVA_BLOCK_SHIFT);
	uint64_t from = copy->to_offset > start ? copy->to_offset : start;
	uint64_t to = copy->end < end ? copy->end : end;

	/* data_copy_out tells zeros where the target has nothing, also behind its end. */
	data_copy_out(fs, copy->to, start, bytes, from - start);
	data_copy_out(fs, copy->from, copy->from_offset + (from - copy->to_offset), bytes + (from - start), to - from);
	data_copy_out(fs, copy->to, to, bytes + (to - start), end - to);
	pm_copy(fs->pm, block_at(fs, block), bytes, count << NOVA_BLOCK_SHIFT);
}

static void fill(struct extent_map_change *map, const struct copy *copy)
{
	for (unsigned i = 0; i < map->count; i++) {
		const struct extent_map_piece *piece = &map->pieces[i];

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

	/* Where the target has nothing either, nothing changes. */
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
	/* The target's blocks that are copied whole: of the last one it is enough that nothing lies behind the copy. */
	uint64_t whole = (copy->to_offset + NOVA_BLOCK_SIZE - 1) >> NOVA_BLOCK_SHIFT;
	uint64_t whole_end = copy->end >= copy->to->size ? end : copy->end >> NOVA_BLOCK_SHIFT;
	uint64_t hole, count;
	int rc;

	if ((copy->from_offset ^ copy->to_offset) & (NOVA_BLOCK_SIZE - 1))
		return data_take(map, at, end - at);
	for (hole = whole; hole < whole_end; hole += count) {
		if (file_readable(file_index_run(source, hole + away, whole_end - hole, &count)))
			continue;
		rc = hole > at ? data_take(map, at, hole - at) : 0;
		if (!rc)
			rc = plan_hole(map, hole, count);
		if (rc)
			return rc;
		at = hole + count;
	}
	return at < end ? data_take(map, at, end - at) : 0;
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
	fill(&map, copy);
	return data_commit(&txn, &map, copy->end > copy->to->size ? copy->end : copy->to->size, false, NULL);
}

/* Both locked: check, clip, copy. */
static ssize_t copy_checked(const struct nova_call *call, struct copy *copy, uint64_t length)
{
	int rc = data_access(call, copy->from, PERM_READ);

	if (!rc)
		rc = data_access(call, copy->to, PERM_WRITE);
	if (!rc)
		rc = perm_flags(copy->to, false);
	if (rc)
		return rc;
	if (copy->from_offset >= copy->from->size)
		return 0;
	if (length > copy->from->size - copy->from_offset)
		length = copy->from->size - copy->from_offset;
	if (copy->to_offset > NOVA_FILE_SIZE_MAX || length > NOVA_FILE_SIZE_MAX - copy->to_offset)
		return -EFBIG;
	if (copy->from == copy->to && copy->from_offset < copy->to_offset + length &&
	    copy->to_offset < copy->from_offset + length)
		return -EINVAL;
	if (length == 0)
		return 0;
	copy->end = copy->to_offset + length;
	rc = copy_locked(call, copy);
	return rc ? rc : (ssize_t)length;
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
