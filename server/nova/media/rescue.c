/*
 * rescue.c -- reconstructs superblocks and chunk tables that are lost.
 */
#include "server/nova/media/rescue.h"

#include "server/nova/media/words.h"
#include "server/nova/media/zone_format.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const struct nova_super *super_copy(const struct pm *pm, unsigned i)
{
	return pm_at(pm, block_offset(i ? NOVA_SUPER_BLOCK_1 : NOVA_SUPER_BLOCK_0));
}

/* Every pool of this version has the headers of its first zone in the same blocks. */
static bool zone_header_found(const struct pm *pm)
{
	const uint32_t places[2] = {NOVA_ZONE_HEADER_0, NOVA_ZONE_HEADER_1};

	for (unsigned i = 0; i < 2; i++) {
		const struct nova_zone_header *header = pm_at(pm, block_offset(NOVA_PREAMBLE_BLOCKS + places[i]));

		if (le64_get(header->magic) == NOVA_MAGIC && le32_get(header->crc) == zone_header_crc(header) &&
		    le64_get(header->first_block) == NOVA_PREAMBLE_BLOCKS)
			return true;
	}
	return false;
}

static uint64_t super_word(const struct pm *pm, enum nova_word_kind kind, size_t offset, uint64_t otherwise)
{
	const le64 *first = (const void *)((const uint8_t *)super_copy(pm, 0) + offset);
	const le64 *second = (const void *)((const uint8_t *)super_copy(pm, 1) + offset);
	uint64_t value;

	return word_read(kind, 0, first, second, &value) == WORD_LOST ? otherwise : value;
}

int rescue_super(const struct pm *pm, struct super_info *info, char *why, size_t why_size)
{
	uint64_t held = super_usable_blocks(pm->size);
	bool intact[2];

	for (unsigned i = 0; i < 2; i++)
		intact[i] = super_intact(super_copy(pm, i));
	memset(info, 0, sizeof *info);
	if (intact[0] || intact[1]) {
		int rc;

		info->super = *super_copy(pm, intact[0] ? 0 : 1);
		rc = super_check_features(&info->super, why, why_size);
		if (rc)
			return rc;
	} else if (held && zone_header_found(pm)) {
		uint64_t first_slot = NOVA_PREAMBLE_BLOCKS + NOVA_ZONE_FIRST_CHUNK;

		log_warn(NOVA_LOG_NAME, "both superblocks are damaged: using the values of every pool of this version");
		first_slot *= NOVA_BLOCK_SIZE / NOVA_SLOT_SIZE;
		info->super.root_ino = le64_of(first_slot);
		info->super.clients_ino = le64_of(first_slot + 1);
	} else {
		snprintf(why, why_size, "neither a superblock nor the header of the first zone can be found");
		return -EINVAL;
	}
	info->damaged = !intact[0] + !intact[1];
	info->clean = super_word(pm, NOVA_WORD_CLEAN, offsetof(struct nova_super, clean), 0);
	info->device = super_word(pm, NOVA_WORD_DEVICE, offsetof(struct nova_super, device), 0);
	info->epoch = super_word(pm, NOVA_WORD_EPOCH, offsetof(struct nova_super, epoch), 1);
	info->blocks = super_word(pm, NOVA_WORD_BLOCKS, offsetof(struct nova_super, blocks), held);
	if (info->blocks > held) {
		log_warn(NOVA_LOG_NAME, "the pool is cut off: it holds %llu of its %llu blocks",
		         (unsigned long long)(pm->size >> NOVA_BLOCK_SHIFT), (unsigned long long)info->blocks);
		info->blocks = held;
	}
	if (info->blocks < NOVA_MIN_POOL_BLOCKS || info->blocks % NOVA_CHUNK_BLOCKS != 0) {
		snprintf(why, why_size, "a pool cannot have %llu blocks", (unsigned long long)info->blocks);
		return -EIO;
	}
	return 0;
}

enum nova_chunk_kind rescue_chunk_kind(const struct nova *fs, uint64_t first_block)
{
	uint64_t first_ino = first_block * (NOVA_BLOCK_SIZE / NOVA_SLOT_SIZE);
	unsigned found = 0;

	for (uint64_t ino = first_ino; ino < first_ino + NOVA_SLOTS_PER_CHUNK; ino++) {
		const struct nova_slot_words *words = &slot_at(fs, ino)->words;
		uint64_t value;

		found += word_read(NOVA_WORD_LIFE, ino, &words->life[0], &words->life[1], &value) != WORD_LOST;
	}
	return found > NOVA_SLOTS_PER_CHUNK / 2 ? NOVA_CHUNK_SLOTS : NOVA_CHUNK_GENERAL;
}
