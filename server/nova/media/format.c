/*
 * format.c -- makes an empty file system. The superblocks are written last, so an interrupted mkfs cannot be mounted.
 */
#include "common/clock.h"
#include "common/random.h"
#include "common/uuid.h"
#include "server/nova/media/entry.h"
#include "server/nova/media/slot_words.h"
#include "server/nova/media/super.h"
#include "server/nova/media/unsafe_shutdown.h"
#include "server/nova/media/words.h"
#include "server/nova/media/zone_format.h"

#include <errno.h>
#include <string.h>
#include <time.h>

static void zero_blocks(struct pm *pm, uint64_t first, uint64_t count)
{
	pm_zero(pm, pm_at(pm, block_offset(first)), count << NOVA_BLOCK_SHIFT);
}

static void format_journal(struct pm *pm)
{
	for (uint32_t i = 0; i < NOVA_JOURNAL_RINGS; i++) {
		uint8_t line[NOVA_LINE_SIZE] __attribute__((aligned(64))) = {0};
		le64 word = le64_of(word_make(NOVA_WORD_COMMIT, i, 0));

		memcpy(line, &word, sizeof word);
		memcpy(line + sizeof word, &word, sizeof word);
		pm_copy(pm, pm_at(pm, block_offset(NOVA_JOURNAL_BLOCK + i)), line, sizeof line);
	}
}

/* An inode with one entry in its log. */
static void format_inode(struct pm *pm, uint64_t ino, mode_t mode, uint32_t uid, uint32_t gid, uint64_t now)
{
	struct nova_slot slot __attribute__((aligned(64)));
	struct entry_buffer buffer;
	struct nova_entry *entry = entry_start(&buffer, NOVA_ENTRY_ATTR);
	struct nova_attr_entry *attr = ENTRY_PAYLOAD(nova_attr_entry, entry);
	const uint32_t generation = 1;
	const uint32_t epoch = 1;
	struct slot_word_values values = {.life = life_value(generation, NOVA_LIFE_ALLOCATED), .tail = 1};

	memset(&slot, 0, sizeof slot);
	slot.header.type = (uint8_t)(mode >> 12);
	slot.header.generation = le32_of(generation);
	slot.header.birth_ns = le64_of(now);
	if (S_ISDIR(mode))
		slot.header.parent = le64_of(ino); /* the root is its own parent */
	slot.header.crc = le32_of(entry_header_crc(&slot.header, ino, generation));
	slot_words_line(ino, generation, &values, &slot.words);
	attr->mask = le16_of(NOVA_ATTR_BIRTH | NOVA_ATTR_MODE | NOVA_ATTR_UID | NOVA_ATTR_GID | NOVA_ATTR_NLINK |
	                     NOVA_ATTR_SIZE);
	attr->mode = le16_of((uint16_t)(mode & 07777));
	attr->uid = le32_of(uid);
	attr->gid = le32_of(gid);
	attr->nlink = le32_of(1);
	attr->time_ns = le64_of(now);
	entry_seal(entry, epoch, epoch, ino, generation, 0);
	memcpy(slot.log[0], entry, sizeof *entry);
	pm_copy(pm, pm_at(pm, ino * NOVA_SLOT_SIZE), &slot, sizeof slot);
}

static void format_slots(struct pm *pm, uint64_t first_ino)
{
	for (uint64_t ino = first_ino; ino < first_ino + NOVA_SLOTS_PER_CHUNK; ino++) {
		struct nova_slot_words words __attribute__((aligned(64))) = {0};
		struct nova_slot *slot = pm_at(pm, ino * NOVA_SLOT_SIZE);

		words.life[0] = words.life[1] = le64_of(word_make(NOVA_WORD_LIFE, ino, life_value(0, NOVA_LIFE_NEVER)));
		pm_copy(pm, &slot->words, &words, sizeof words);
	}
}

/* Without randomness the key stays 0: the first writable mount makes one. */
static void random_key(uint8_t key[16])
{
	if (random_fill(key, 16) != 0)
		memset(key, 0, 16);
}

static void random_uuid(uint8_t uuid[16])
{
	if (random_fill(uuid, 16) != 0) {
		int64_t now_ns = clock_wall_ns();

		memset(uuid, 0, 16);
		memcpy(uuid, &now_ns, sizeof(now_ns));
	}
	uuid_mark(uuid);
}

static void format_supers(struct pm *pm, const struct nova_format_options *options, uint64_t blocks, uint64_t root_ino,
                          uint64_t now)
{
	struct nova_super super __attribute__((aligned(64)));

	memset(&super, 0, sizeof super);
	super.magic = le64_of(NOVA_MAGIC);
	super.version = le32_of(NOVA_FORMAT_VERSION);
	random_uuid(super.uuid);
	random_key(super.handle_key);
	super.created_ns = le64_of(now);
	if (options->label)
		memcpy(super.label, options->label, strnlen(options->label, sizeof super.label));
	super.block_size = le32_of(NOVA_BLOCK_SIZE);
	super.zone_blocks = le32_of(NOVA_ZONE_BLOCKS);
	super.journal_rings = le32_of(NOVA_JOURNAL_RINGS);
	super.root_ino = le64_of(root_ino);
	super.clients_ino = le64_of(root_ino + 1);
	super.crc = le32_of(super_crc(&super));
	super.clean = le64_of(word_make(NOVA_WORD_CLEAN, 0, 1));
	super.epoch = le64_of(word_make(NOVA_WORD_EPOCH, 0, 1));
	super.blocks = le64_of(word_make(NOVA_WORD_BLOCKS, 0, blocks));
	super.checkpoint = le64_of(word_make(NOVA_WORD_CHECKPOINT, 0, 0));
	super.device = le64_of(word_make(NOVA_WORD_DEVICE, 0, unsafe_shutdown_value(pm)));
	/* One after the other: a crash between them leaves one intact superblock, from which the mount restores the other. */
	pm_copy(pm, pm_at(pm, block_offset(NOVA_SUPER_BLOCK_1)), &super, sizeof super);
	pm_fence(pm);
	pm_copy(pm, pm_at(pm, block_offset(NOVA_SUPER_BLOCK_0)), &super, sizeof super);
	pm_fence(pm);
}

int nova_format(struct pm *pm, const struct nova_format_options *options)
{
	static const struct nova_format_options defaults;
	uint64_t blocks = super_usable_blocks(pm->size);
	uint64_t slots_block = NOVA_PREAMBLE_BLOCKS + NOVA_ZONE_FIRST_CHUNK;
	uint64_t root_ino = slots_block * (NOVA_BLOCK_SIZE / NOVA_SLOT_SIZE);
	uint64_t now;

	if (!blocks)
		return -ENOSPC;
	if (pm->read_only)
		return -EROFS;
	if (!options)
		options = &defaults;
	now = (uint64_t)clock_wall_ns();

	/* First destroy both superblocks of an old file system: if one were left after a crash, a half overwritten pool
	 * could be mounted. */
	zero_blocks(pm, NOVA_SUPER_BLOCK_0, 1);
	zero_blocks(pm, NOVA_SUPER_BLOCK_1, 1);
	pm_fence(pm);
	zero_blocks(pm, NOVA_SUPER_BLOCK_0 + 1, NOVA_SUPER_BLOCK_1 - NOVA_SUPER_BLOCK_0 - 1);
	pm_fence(pm);
	format_journal(pm);
	for (uint64_t first = NOVA_PREAMBLE_BLOCKS, i = 0; first < blocks; first += NOVA_ZONE_BLOCKS, i++)
		zone_format(pm, (uint32_t)i, first,
		            blocks - first < NOVA_ZONE_BLOCKS ? blocks - first : NOVA_ZONE_BLOCKS, slots_block);
	format_slots(pm, root_ino);
	pm_fence(pm);
	format_inode(pm, root_ino, S_IFDIR | ((options->root_mode ? options->root_mode : 0755) & 07777),
	             options->root_uid, options->root_gid, now);
	format_inode(pm, root_ino + 1, S_IFREG | 0600, 0, 0, now);
	pm_fence(pm);
	format_supers(pm, options, blocks, root_ino, now);
	return 0;
}
