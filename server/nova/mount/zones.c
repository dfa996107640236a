/*
 * zones.c -- reads zone headers and chunk tables at a mount.
 */
#include "server/nova/mount/zones.h"

#include "server/nova/media/rescue.h"
#include "server/nova/media/super.h"
#include "server/nova/media/words.h"
#include "server/nova/media/zone_format.h"
#include "server/nova/space/alloc.h"
#include "server/nova/space/slots.h"
#include "server/nova/space/zone.h"

#include <errno.h>
#include <stdio.h>

static int check_zone_header(struct nova *fs, const struct zone *zone, uint32_t index, char *why, size_t why_size)
{
	const uint32_t places[2] = {NOVA_ZONE_HEADER_0, NOVA_ZONE_HEADER_1};
	struct nova_zone_header *copies[2];
	bool intact[2];

	for (unsigned i = 0; i < 2; i++) {
		copies[i] = block_at(fs, zone->first + places[i]);
		intact[i] = le64_get(copies[i]->magic) == NOVA_MAGIC &&
		            le32_get(copies[i]->crc) == zone_header_crc(copies[i]) &&
		            le32_get(copies[i]->index) == index && le64_get(copies[i]->first_block) == zone->first;
	}
	if (!intact[0] && !intact[1] && fs->rescue) {
		log_warn(NOVA_LOG_NAME, "zone %u: both headers are damaged", index);
		return 0;
	}
	if (!intact[0] && !intact[1]) {
		snprintf(why, why_size, "zone %u: both headers are damaged", index);
		return -EIO;
	}
	if (intact[0] && intact[1])
		return 0;
	log_warn(NOVA_LOG_NAME, "zone %u: header %u is damaged%s", index, intact[0] ? 1 : 0,
	         fs->read_only ? "" : ", restored from the other");
	if (!fs->read_only)
		pm_copy(fs->pm, copies[intact[0]], copies[!intact[0]], sizeof *copies[0]);
	return 0;
}

static int load_chunk_table(struct nova *fs, const struct zone *zone, uint32_t index, char *why, size_t why_size)
{
	le64 *first = block_at(fs, zone->first + NOVA_ZONE_TABLE_0);
	le64 *second = block_at(fs, zone->first + NOVA_ZONE_TABLE_1);
	unsigned lost = 0, lost_slots = 0;

	for (uint64_t i = NOVA_ZONE_FIRST_CHUNK / NOVA_CHUNK_BLOCKS; i < zone->blocks / NOVA_CHUNK_BLOCKS; i++) {
		uint64_t block = zone->first + i * NOVA_CHUNK_BLOCKS;
		uint64_t kind;
		enum word_state state = word_read(NOVA_WORD_CHUNK, block, &first[i], &second[i], &kind);
		int rc;

		if ((state == WORD_LOST || kind > NOVA_CHUNK_SLOTS) && fs->rescue) {
			kind = rescue_chunk_kind(fs, block);
			lost++;
			lost_slots += kind == NOVA_CHUNK_SLOTS;
		} else if (state == WORD_LOST || kind > NOVA_CHUNK_SLOTS) {
			snprintf(why, why_size, "zone %u: the chunk table's entry %llu is damaged in both copies",
			         index, (unsigned long long)i);
			return -EIO;
		}
		if (state != WORD_GOOD && !fs->read_only) {
			pm_set8(fs->pm, &first[i], word_make(NOVA_WORD_CHUNK, block, kind));
			pm_set8(fs->pm, &second[i], word_make(NOVA_WORD_CHUNK, block, kind));
			pm_flush(fs->pm, &first[i], sizeof first[i]);
			pm_flush(fs->pm, &second[i], sizeof second[i]);
		}
		if (kind != NOVA_CHUNK_SLOTS)
			continue;
		rc = slots_add_chunk(fs, block);
		if (rc)
			return rc;
		alloc_claim(fs, block, NOVA_CHUNK_BLOCKS);
	}
	if (lost)
		log_warn(NOVA_LOG_NAME,
		         "zone %u: %u entries of the chunk table are damaged in both copies; %u of these chunks "
		         "contain inode slots",
		         index, lost, lost_slots);
	if (fs->crashed && !fs->read_only) {
		pm_flush(fs->pm, first, NOVA_CHUNKS_PER_ZONE * sizeof first[0]);
		pm_flush(fs->pm, second, NOVA_CHUNKS_PER_ZONE * sizeof second[0]);
	}
	return 0;
}

int zones_load(struct nova *fs, char *why, size_t why_size)
{
	for (uint32_t i = 0; i < fs->zone_count; i++) {
		int rc = check_zone_header(fs, &fs->zones[i], i, why, why_size);

		if (!rc)
			rc = load_chunk_table(fs, &fs->zones[i], i, why, why_size);
		if (rc)
			return rc;
	}
	return 0;
}
