/*
 * check_checkpoint.c -- checks the checkpoint of the allocation state against the logs: the next mount relies on it.
 */
#include "server/pool/check/check_internal.h"
#include "server/pool/image/image_checkpoint.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define PART "saved"

static unsigned long long ull(uint64_t v)
{
	return v;
}

static uint64_t u64_at(const uint8_t *payload, uint64_t index)
{
	le64 value;

	memcpy(&value, payload + index * sizeof(value), sizeof(value));
	return le64_get(value);
}

/* ---- sections ----------------------------------------------------------------------------------- */

static void check_counts(struct check *check, const struct image_checkpoint_section *section)
{
	const struct {
		const char *what;
		uint64_t found;
	} counts[] = {
	    {"inodes", check->inode_count - (check_find(check, check->clients) != NULL)},
	    {"names and unwritten blocks", check->name_count + check->unwritten},
	    {"inodes without a name", check->report->orphans},
	};

	if (section->length != sizeof(struct nova_checkpoint_counts)) {
		check_say(check, PART, 0, 0, "the section of counts has %llu bytes", ull(section->length));
		return;
	}
	for (unsigned i = 0; i < sizeof(counts) / sizeof(counts[0]); i++)
		if (u64_at(section->payload, i) != counts[i].found)
			check_say(check, PART, 0, 0, "it counts %llu %s, but there are %llu",
			          ull(u64_at(section->payload, i)), counts[i].what, ull(counts[i].found));
}

static void count_bits(uint64_t bits, uint64_t start, uint64_t *count, uint64_t *first)
{
	if (bits && *count == 0)
		*first = start + (uint64_t)__builtin_ctzll(bits);
	*count += (uint64_t)__builtin_popcountll(bits);
}

static void check_blocks(struct check *check, const struct image_checkpoint_section *section)
{
	uint64_t word = 0, lost = 0, shared = 0, first_lost = 0, first_shared = 0;

	for (uint64_t zone = 0; zone < image_zones(&check->image); zone++)
		word += (image_zone_blocks(&check->image, zone) + 63) / 64;
	if (section->length != word * sizeof(le64)) {
		check_say(check, PART, 0, 0, "the section of blocks has %llu bytes", ull(section->length));
		return;
	}
	word = 0;
	for (uint64_t zone = 0; zone < image_zones(&check->image); zone++) {
		uint64_t words = (image_zone_blocks(&check->image, zone) + 63) / 64;

		for (uint64_t w = 0; w < words; w++, word++) {
			uint64_t there, used = check_used(check, zone, w, &there);
			uint64_t said = u64_at(section->payload, word);
			uint64_t start = image_zone_start(zone) + w * 64;

			count_bits(said & ~used & there, start, &lost, &first_lost);
			count_bits(used & ~said & there, start, &shared, &first_shared);
		}
	}
	if (lost)
		check_say(check, PART, 0, first_lost, "it has %llu free blocks as in use; this is the first",
		          ull(lost));
	if (shared)
		check_say(check, PART, 0, first_shared, "it has %llu blocks in use as free; this is the first",
		          ull(shared));
}

static void check_slot(struct check *check, uint64_t ino, const struct nova_checkpoint_slots *slots, unsigned i)
{
	bool said = le64_get(slots->free[i / 64]) >> i % 64 & 1;
	struct image_inode inode;
	bool free_slot;

	if (image_inode(&check->image, ino, &inode))
		return; /* already reported */
	free_slot = (inode.life == NOVA_LIFE_NEVER || inode.life == NOVA_LIFE_FREE) && inode.generation != UINT32_MAX;
	if (le32_get(slots->generation[i]) != inode.generation)
		check_say(check, PART, ino, 0, "it has generation %u, but the slot has %u",
		          le32_get(slots->generation[i]), inode.generation);
	if (said != free_slot)
		check_say(check, PART, ino, 0, "it has the slot as %s", said ? "free" : "in use");
}

static void check_slots(struct check *check, const struct image_checkpoint_section *section)
{
	const uint64_t per_block = NOVA_BLOCK_SIZE / NOVA_SLOT_SIZE;
	const uint8_t *at = section->payload;

	if (section->length != check->report->slot_chunks * sizeof(struct nova_checkpoint_slots)) {
		check_say(check, PART, 0, 0, "the section of slots has %llu bytes", ull(section->length));
		return;
	}
	for (uint64_t block = NOVA_PREAMBLE_BLOCKS; block < check->image.blocks; block += NOVA_CHUNK_BLOCKS) {
		struct nova_checkpoint_slots slots;

		if (!check_is_slots(check, block))
			continue;
		memcpy(&slots, at, sizeof(slots));
		at += sizeof(slots);
		if (le64_get(slots.block) != block) {
			check_say(check, PART, 0, block, "it has block %llu in the place of this chunk of slots",
			          ull(le64_get(slots.block)));
			return;
		}
		for (unsigned i = 0; i < NOVA_SLOTS_PER_CHUNK; i++)
			check_slot(check, block * per_block + i, &slots, i);
	}
}

/* ---- the whole ---------------------------------------------------------------------------------- */

static void check_sections(struct check *check, struct image_checkpoint *checkpoint)
{
	static const struct {
		uint32_t type;
		const char *what;
		void (*check)(struct check *check, const struct image_checkpoint_section *section);
	} known[] = {
	    {NOVA_CHECKPOINT_COUNTS, "counts", check_counts},
	    {NOVA_CHECKPOINT_BLOCKS, "blocks", check_blocks},
	    {NOVA_CHECKPOINT_SLOTS, "slots", check_slots},
	    {NOVA_CHECKPOINT_PROJECTS, "projects", check_projects},
	};
	enum { KNOWN = sizeof(known) / sizeof(known[0]) };
	struct image_checkpoint_section section;
	unsigned found[KNOWN] = {0};

	while (image_checkpoint_next(checkpoint, &section)) {
		if (!section.valid) {
			check_say(check, PART, 0, 0, "its section of type %u is damaged", section.type);
			return;
		}
		for (unsigned i = 0; i < KNOWN; i++)
			if (known[i].type == section.type && found[i]++ == 0)
				known[i].check(check, &section);
	}
	for (unsigned i = 0; i < KNOWN; i++)
		if (found[i] != 1)
			check_say(check, PART, 0, 0, "it has %u sections of %s", found[i], known[i].what);
}

static void check_place(struct check *check, const struct nova_checkpoint *head, uint64_t block)
{
	if (check->owner[block])
		check_say(check, PART, 0, block, "it lies in a block that is in use");
	for (uint32_t i = 0; i < le32_get(head->run_count); i++)
		for (uint64_t k = 0; k < le64_get(head->runs[i].count); k++)
			if (check->owner[le64_get(head->runs[i].block) + k]) {
				check_say(check, PART, 0, le64_get(head->runs[i].block) + k,
				          "it lies in a block that is in use");
				return;
			}
}

void check_checkpoint(struct check *check)
{
	const struct nova_super *copy[2] = {image_super(&check->image, 0), image_super(&check->image, 1)};
	struct image_word clean = image_word_pick(NOVA_WORD_CLEAN, 0, copy[0]->clean, copy[1]->clean);
	struct image_word word = image_word_pick(NOVA_WORD_CHECKPOINT, 0, copy[0]->checkpoint, copy[1]->checkpoint);
	struct image_checkpoint checkpoint;
	const char *why;
	int rc;

	/* After a crash it is not used. */
	if (!(clean.value & 1) || !word.value)
		return;
	rc = image_checkpoint_open(&checkpoint, &check->image, word.value, &why);
	if (rc == -ENOMEM) {
		check->error = rc;
		return;
	}
	if (rc) {
		check_say(check, PART, 0, word.value, "the saved allocation state %s", why);
		return;
	}
	if (le64_get(checkpoint.head->mount_count) != clean.value >> 1)
		check_say(check, PART, 0, word.value, "it is of unmount %llu, but the last one was %llu",
		          ull(le64_get(checkpoint.head->mount_count)), ull(clean.value >> 1));
	if (le64_get(checkpoint.head->blocks) != check->image.blocks)
		check_say(check, PART, 0, word.value, "it is of a pool of %llu blocks, but this one has %llu",
		          ull(le64_get(checkpoint.head->blocks)), ull(check->image.blocks));
	if (memcmp(checkpoint.head->uuid, check->image.super->uuid, sizeof(checkpoint.head->uuid)) != 0)
		check_say(check, PART, 0, word.value, "it is of another pool");
	check_place(check, checkpoint.head, word.value);
	check_sections(check, &checkpoint);
	image_checkpoint_close(&checkpoint);
}
