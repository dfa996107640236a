/*
 * extent_map.c -- changes of a file's extent map: allocates blocks, logs the pieces and updates the index.
 */
#include "server/nova/change/extent_map.h"

#include "server/nova/inode/incore.h"
#include "server/nova/space/alloc.h"
#include "server/nova/space/project.h"
#include "server/nova/space/release.h"
#include "server/nova/space/returning.h"
#include "server/nova/space/worker.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void extent_map_init(struct extent_map_change *map, const struct nova_call *call, struct nova_inode *inode)
{
	map->worker = call->worker;
	map->change = call->change;
	map->inode = inode;
	map->pieces = map->space;
	map->capacity = EXTENT_MAP_INLINE;
	map->count = map->fresh = 0;
	map->takes = false;
	map->unfilled_end = map->promised = 0;
}

static void free_pieces(struct extent_map_change *map)
{
	if (map->pieces != map->space)
		free(map->pieces);
}

static void take(struct extent_map_change *map)
{
	if (!map->takes)
		returning_take(map->worker);
	map->takes = true;
}

static void fini(struct extent_map_change *map, bool dropped)
{
	if (map->takes)
		returning_taken(map->worker, dropped && map->fresh);
	free_pieces(map);
	incore_index_changed(map->worker->fs, map->inode);
}

static int add_piece(struct extent_map_change *map, const struct extent_map_piece *piece)
{
	if (map->count == map->capacity) {
		struct extent_map_piece *more = malloc(2 * map->capacity * sizeof *more);

		if (!more)
			return -ENOMEM;
		memcpy(more, map->pieces, map->count * sizeof *more);
		free_pieces(map);
		map->pieces = more;
		map->capacity *= 2;
	}
	map->pieces[map->count++] = *piece;
	map->fresh += piece->fresh;
	return 0;
}

/* How many of these file blocks are holes: by so many blocks a write to the range makes the file grow. */
static uint64_t count_holes(const struct nova_inode *inode, uint64_t first, uint64_t blocks)
{
	uint64_t holes = 0;

	while (blocks) {
		uint64_t count;

		if (!file_index_run(&inode->file, first, blocks, &count))
			holes += count;
		first += count;
		blocks -= count;
	}
	return holes;
}

int extent_map_fresh(struct extent_map_change *map, uint64_t file_block, uint64_t count, uint64_t flag,
                     enum alloc_use use)
{
	struct nova_inode *inode = map->inode;
	const struct alloc_file file = {
	    .ino = inode->ino, .generation = inode->generation, .whole_blocks = inode->size >> NOVA_BLOCK_SHIFT};
	int rc = inode->space.quota ? project_grow(&inode->space, count_holes(inode, file_block, count)) : 0;

	if (!rc)
		rc = file_index_reserve(&inode->file, file_block, count);
	if (rc)
		return rc;
	/* A change that cannot get all takes nothing, so that others get it meanwhile. */
	if (count > 1 && !alloc_may_have(map->worker, count, use))
		return -ENOSPC;
	take(map);
	/* extent_map_show will read this part of the index; prefetched here, it arrives while other work is done. */
	file_index_prefetch(&inode->file, file_block);
	if (flag) {
		rc = alloc_promise(map->worker, count);
		if (rc)
			return rc;
		map->promised += count;
	}
	while (count) {
		struct extent_map_piece piece = {.file_block = file_block, .fresh = true};
		bool unfilled = file_block + count == map->unfilled_end;
		int64_t got = use == ALLOC_FREES
		                  ? alloc_run(map->worker, count, use, &piece.value)
		                  : alloc_data(map->worker, &file, file_block, count, unfilled, use, &piece.value);

		if (got < 0)
			return (int)got;
		piece.count = (uint64_t)got;
		piece.value |= flag;
		rc = add_piece(map, &piece);
		if (rc) {
			alloc_free(map->worker, file_block_of(piece.value), piece.count);
			return rc;
		}
		file_block += piece.count;
		count -= piece.count;
	}
	return 0;
}

int extent_map_adopt(struct extent_map_change *map, uint64_t file_block, uint64_t block, uint64_t count)
{
	const struct extent_map_piece piece = {.file_block = file_block, .value = block, .count = count, .fresh = true};
	struct nova_inode *inode = map->inode;
	int rc = inode->space.quota ? project_grow(&inode->space, count_holes(inode, file_block, count)) : 0;

	if (!rc)
		rc = file_index_reserve(&inode->file, file_block, count);
	take(map);
	return rc ? rc : add_piece(map, &piece);
}

int extent_map_place(struct extent_map_change *map, uint64_t file_block, uint64_t value, uint64_t count)
{
	int rc = value ? file_index_reserve(&map->inode->file, file_block, count) : 0;

	/* An entry has 32 bits for the number of its blocks; only holes can be longer. */
	while (!rc && count) {
		struct extent_map_piece piece = {.file_block = file_block, .value = value};

		piece.count = count < UINT32_MAX ? count : UINT32_MAX;
		rc = add_piece(map, &piece);
		file_block += piece.count;
		count -= piece.count;
	}
	return rc;
}

int extent_map_log(const struct extent_map_change *map, struct txn *txn, struct log_append *log, uint64_t size)
{
	for (unsigned i = 0; i < map->count; i++) {
		const struct extent_map_piece *piece = &map->pieces[i];
		struct entry_buffer buffer;
		struct nova_entry *entry =
		    entry_write(&buffer, piece->file_block, piece->value, piece->count, size, txn->now);
		int rc = txn_entry(txn, log, entry, NULL, NULL);

		if (rc)
			return rc;
	}
	return 0;
}

static void show_hole(struct file_index *file, const struct extent_map_piece *piece, struct release *release)
{
	uint64_t end = piece->file_block + piece->count;
	uint64_t at = piece->file_block;

	for (; file_index_next(file, at, &at) && at < end; at++)
		release_block(release, file_index_set(file, at, 0));
}

static void blocks_replaced(void *context, uint64_t old, uint64_t value, uint64_t count)
{
	struct release *release = context;
	struct space_use *space = release->space;

	if (file_block_of(old) == file_block_of(value)) {
		/* The blocks stay. If they were unwritten, their promised log lines have now been used. */
		if ((old & ~value) == FILE_UNWRITTEN) {
			space->unwritten -= count;
			release->released_promises += count;
		}
		return;
	}
	if (old)
		release_blocks(release, old, count);
	space->blocks += count;
	if (value & FILE_UNWRITTEN)
		space->unwritten += count;
}

void extent_map_show(struct extent_map_change *map)
{
	struct release release = {
	    .worker = map->worker, .ino = map->inode->ino, .space = &map->inode->space, .change = map->change};

	for (unsigned i = 0; i < map->count; i++)
		if (map->pieces[i].value)
			file_index_set_run(&map->inode->file, map->pieces[i].file_block, map->pieces[i].value,
			                   map->pieces[i].count, blocks_replaced, &release);
		else
			show_hole(&map->inode->file, &map->pieces[i], &release);
	release_flush(&release);
	fini(map, false);
}

void extent_map_drop(struct extent_map_change *map)
{
	for (unsigned i = 0; i < map->count; i++)
		if (map->pieces[i].fresh)
			alloc_free(map->worker, file_block_of(map->pieces[i].value), map->pieces[i].count);
	alloc_keep_promise(map->worker, map->promised);
	fini(map, true);
}
