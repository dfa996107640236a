/*
 * replay_blocks.c -- the extents of a file during replay of its log, in the file's index or as runs.
 */
#include "server/nova/inode/replay_internal.h"

/* Remove the old values of [file_block, file_block + count); if `value` is not 0, map the range to it. */
static void runs_set(struct slot_runs *runs, uint64_t file_block, uint64_t count, uint64_t value)
{
	uint64_t end = file_block + count;

	for (uint32_t i = 0; i < runs->count;) {
		uint64_t first = runs->run[i].file_block;
		uint64_t last = first + runs->run[i].count;
		uint64_t before = file_block > first ? file_block - first : 0;
		uint64_t after = last > end ? last - end : 0;

		if (file_block >= last || end <= first) {
			i++;
			continue;
		}
		if (after && before) {
			runs->run[runs->count] = runs->run[i];
			runs->run[runs->count].file_block = end;
			runs->run[runs->count].count = after;
			runs->run[runs->count++].value += end - first;
		} else if (after) {
			runs->run[i].file_block = end;
			runs->run[i].count = after;
			runs->run[i].value += end - first;
		}
		if (before)
			runs->run[i].count = before;
		else if (!after)
			runs->run[i] = runs->run[--runs->count];
	}
	if (value) {
		runs->run[runs->count].file_block = file_block;
		runs->run[runs->count].count = count;
		runs->run[runs->count++].value = value;
	}
}

void replay_truncate(struct replay *replay, uint64_t from)
{
	if (replay->runs)
		runs_set(replay->runs, from, UINT64_MAX - from, 0);
	else
		file_index_truncate(&replay->inode->file, from, NULL, NULL);
}

int replay_set_blocks(struct replay *replay, uint64_t file_block, uint64_t count, uint64_t value)
{
	struct file_index *index = &replay->inode->file;

	if (replay->runs) {
		runs_set(replay->runs, file_block, count, value);
		return 0;
	}
	if (value) {
		int rc = file_index_reserve(index, file_block, count);

		if (rc)
			return rc;
		file_index_set_run(index, file_block, value, count, NULL, NULL);
	} else {
		for (uint64_t at = file_block; file_index_next(index, at, &at) && at < file_block + count; at++)
			file_index_set(index, at, 0);
	}
	return 0;
}
