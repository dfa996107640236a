/*
 * zone_format.c -- stores the headers and chunk tables of a new zone.
 */
#include "server/nova/media/zone_format.h"

#include "common/crc.h"
#include "server/nova/media/words.h"

uint32_t zone_header_crc(const struct nova_zone_header *header)
{
	struct nova_zone_header copy = *header;

	copy.crc = le32_of(0);
	return crc32c(0xffffffff, &copy, sizeof copy);
}

static void format_chunk_table(struct pm *pm, uint64_t zone_first, uint64_t zone_blocks, uint32_t table,
                               uint64_t slots_block)
{
	le64 *place = pm_at(pm, block_offset(zone_first + table));

	for (uint64_t i = 0; i < zone_blocks / NOVA_CHUNK_BLOCKS; i += 8) {
		le64 words[8] __attribute__((aligned(64))) = {0};

		for (uint64_t k = 0; k < 8 && i + k < zone_blocks / NOVA_CHUNK_BLOCKS; k++) {
			uint64_t block = zone_first + (i + k) * NOVA_CHUNK_BLOCKS;
			uint64_t kind = block == slots_block ? NOVA_CHUNK_SLOTS : NOVA_CHUNK_GENERAL;

			words[k] = le64_of(word_make(NOVA_WORD_CHUNK, block, kind));
		}
		pm_copy(pm, place + i, words, sizeof words);
	}
}

void zone_format(struct pm *pm, uint32_t index, uint64_t first, uint64_t blocks, uint64_t slots_block)
{
	struct nova_zone_header header __attribute__((aligned(64))) = {
	    .magic = le64_of(NOVA_MAGIC),
	    .index = le32_of(index),
	    .first_block = le64_of(first),
	};
	const uint32_t places[] = {NOVA_ZONE_HEADER_0, NOVA_ZONE_HEADER_1};

	header.crc = le32_of(zone_header_crc(&header));
	pm_zero(pm, pm_at(pm, block_offset(first)), (uint64_t)NOVA_ZONE_FIRST_CHUNK << NOVA_BLOCK_SHIFT);
	for (unsigned i = 0; i < 2; i++)
		pm_copy(pm, pm_at(pm, block_offset(first + places[i])), &header, sizeof header);
	format_chunk_table(pm, first, blocks, NOVA_ZONE_TABLE_0, slots_block);
	format_chunk_table(pm, first, blocks, NOVA_ZONE_TABLE_1, slots_block);
}
