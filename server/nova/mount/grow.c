/*
 * grow.c -- extends an unmounted file system to more of its pool.
 *
 * The BLOCKS word is the commit. Before it, grow stores only where the old file system does not read: the chunk words
 * of a short last zone behind its old end, and whole new zones. A crash before the commit leaves the old size, and
 * growing again stores the same once more. The journal can be ignored: its records only change the old part.
 */
#include "server/nova/media/super.h"
#include "server/nova/media/words.h"
#include "server/nova/media/zone_format.h"

#include <errno.h>
#include <stdio.h>

/* Store the CHUNK words of the zone's blocks from `from` to `to`. */
static void add_chunks(struct pm *pm, uint64_t zone_first, uint64_t from, uint64_t to)
{
	const uint32_t tables[] = {NOVA_ZONE_TABLE_0, NOVA_ZONE_TABLE_1};

	for (unsigned t = 0; t < 2; t++) {
		le64 *table = pm_at(pm, block_offset(zone_first + tables[t]));
		uint64_t first = from / NOVA_CHUNK_BLOCKS;
		uint64_t end = to / NOVA_CHUNK_BLOCKS;

		for (uint64_t i = first; i < end; i++)
			pm_set8(pm, &table[i],
			        word_make(NOVA_WORD_CHUNK, zone_first + i * NOVA_CHUNK_BLOCKS, NOVA_CHUNK_GENERAL));
		pm_flush(pm, &table[first], (end - first) * sizeof table[0]);
	}
}

static void store_both(struct pm *pm, size_t offset, enum nova_word_kind kind, uint64_t value)
{
	const uint32_t blocks[] = {NOVA_SUPER_BLOCK_0, NOVA_SUPER_BLOCK_1};

	for (unsigned i = 0; i < 2; i++) {
		le64 *place = pm_at(pm, block_offset(blocks[i]) + offset);

		pm_set8(pm, place, word_make(kind, 0, value));
		pm_flush(pm, place, sizeof *place);
	}
	pm_fence(pm);
}

/* Store everything between `old` and `new` that a mount will read. */
static void prepare(struct pm *pm, uint64_t old, uint64_t new)
{
	for (uint64_t first = NOVA_PREAMBLE_BLOCKS, i = 0; first < new; first += NOVA_ZONE_BLOCKS, i++) {
		uint64_t end = new - first < NOVA_ZONE_BLOCKS ? new : first + NOVA_ZONE_BLOCKS;

		if (first >= old)
			zone_format(pm, (uint32_t)i, first, end - first, 0);
		else if (old < end)
			add_chunks(pm, first, old - first, end - first);
	}
	pm_fence(pm);
}

int nova_grow(struct pm *pm, uint64_t *old_bytes, uint64_t *new_bytes, char *why, size_t why_size)
{
	struct super_info info;
	uint64_t blocks = super_usable_blocks(pm->size);
	int rc = super_read(pm, &info, why, why_size);

	if (rc)
		return rc;
	*old_bytes = info.blocks << NOVA_BLOCK_SHIFT;
	*new_bytes = blocks << NOVA_BLOCK_SHIFT;
	if (super_needs_read_only(&info.super)) {
		snprintf(why, why_size, "the pool uses features this program cannot write (ro_compat %#llx)",
		         (unsigned long long)le64_get(info.super.ro_compat));
		return -EROFS;
	}
	if (pm->read_only)
		return -EROFS;
	if (blocks <= info.blocks)
		return 0;
	/* A checkpoint of the old size must not be used for the new size. */
	store_both(pm, offsetof(struct nova_super, checkpoint), NOVA_WORD_CHECKPOINT, 0);
	prepare(pm, info.blocks, blocks);
	store_both(pm, offsetof(struct nova_super, blocks), NOVA_WORD_BLOCKS, blocks);
	return 0;
}
