/*
 * release.c -- frees blocks that an inode no longer has.
 */
#include "server/nova/space/release.h"

#include "common/assert.h"
#include "server/nova/media/entry.h"
#include "server/nova/space/alloc.h"
#include "server/nova/space/worker.h"

void release_flush(struct release *release)
{
	struct nova *fs = release->worker->fs;
	struct project *project = release->space->quota;
	enum nova_quarantine kept = NOVA_FREE;
	const struct nova_freed freed = {
	    .ino = {release->ino},
	    .first = {release->first},
	    .count = release->count,
	    .project = project ? project_id(project) : 0,
	    .change = release->change,
	};

	alloc_keep_promise(release->worker, release->released_promises);
	release->released_promises = 0;
	if (!release->count)
		return;
	if (release->counted)
		__atomic_fetch_sub(release->counted, release->count, __ATOMIC_RELAXED);
	if (fs->quarantine)
		kept = fs->quarantine(fs->quarantine_context, &freed);
	if (kept == NOVA_QUARANTINE_CHARGED && project)
		project_charge(project, PROJECT_BLOCKS, release->count, true);
	if (kept == NOVA_FREE)
		alloc_free(release->worker, release->first, release->count);
	else
		__atomic_fetch_add(&fs->quarantined_blocks, release->count, __ATOMIC_RELAXED);
	release->count = 0;
}

/* How many blocks, with this one, are left in its zone. */
static uint64_t left_in_zone(uint64_t block)
{
	return NOVA_ZONE_BLOCKS - (block - NOVA_PREAMBLE_BLOCKS) % NOVA_ZONE_BLOCKS;
}

void release_blocks(struct release *release, uint64_t value, uint64_t count)
{
	uint64_t block = file_block_of(value);

	fn_assert(release->space->blocks >= count);
	release->space->blocks -= count;
	if (value & FILE_UNWRITTEN) {
		fn_assert(release->space->unwritten >= count);
		release->space->unwritten -= count;
		release->released_promises += count;
	}
	/* A run is in one zone, because each zone has its own bitmap. */
	while (count) {
		uint64_t n = count < left_in_zone(block) ? count : left_in_zone(block);

		if (release->count && block == release->first + release->count &&
		    left_in_zone(block) != NOVA_ZONE_BLOCKS) {
			release->count += n;
		} else {
			release_flush(release);
			release->first = block;
			release->count = n;
		}
		block += n;
		count -= n;
	}
}

void release_block(void *context, uint64_t value)
{
	release_blocks(context, value, 1);
}
