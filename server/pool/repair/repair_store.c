/*
 * repair_store.c -- the stores of a repair: words, entries, log pages, new inodes.
 *
 * Everything that a TAIL or LIFE word commits is fenced before that word is stored, as in the file system itself. So an
 * interrupted repair can begin again.
 */
#include "server/pool/repair/repair_internal.h"

#include "common/crc.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#define CRC_START   0xffffffffu
#define TAKEN       0xfffffffeu /* an owner in check->owner: the repair itself */
#define PAYLOAD(e)  ((void *)(e)->payload)
#define NAME_OFFSET (offsetof(struct nova_entry, payload) + offsetof(struct nova_name_entry, name))

/* ---- words -------------------------------------------------------------------------------------- */

uint64_t repair_word(enum nova_word_kind kind, uint64_t owner, uint64_t value)
{
	uint8_t bytes[15];
	uint32_t crc;
	uint16_t folded;

	bytes[0] = (uint8_t)kind;
	for (int i = 0; i < 8; i++)
		bytes[1 + i] = (uint8_t)(owner >> (8 * i));
	for (int i = 0; i < 6; i++)
		bytes[9 + i] = (uint8_t)(value >> (8 * i));
	crc = crc32c(CRC_START, bytes, sizeof(bytes));
	folded = (uint16_t)(crc >> 16 ^ crc);
	return value << 16 | (folded ? folded : 0xffff);
}

void repair_pair(struct repair *r, le64 *first, le64 *second, uint64_t word)
{
	pm_set8(r->pm, first, word);
	pm_flush(r->pm, first, sizeof(*first));
	pm_set8(r->pm, second, word);
	pm_flush(r->pm, second, sizeof(*second));
}

struct nova_slot *repair_slot(struct repair *r, uint64_t ino)
{
	return pm_at(r->pm, ino * NOVA_SLOT_SIZE);
}

void *repair_block(struct repair *r, uint64_t block)
{
	return pm_at(r->pm, block * NOVA_BLOCK_SIZE);
}

/* ---- blocks ------------------------------------------------------------------------------------- */

static bool all_free(const struct repair *r, uint64_t first, unsigned count)
{
	for (uint64_t block = first; block < first + count; block++)
		if (!image_usable_block(&r->check->image, block) || r->check->owner[block] != 0)
			return false;
	return true;
}

uint64_t repair_take_blocks(struct repair *r, unsigned count)
{
	uint64_t blocks = r->check->image.blocks;

	if (!r->map_good)
		return 0;
	for (uint64_t tried = 0; tried < blocks; tried += count) {
		uint64_t first = r->cursor;

		r->cursor = first + count < blocks ? first + count : 0;
		if (first + count > blocks || !all_free(r, first, count))
			continue;
		for (unsigned i = 0; i < count; i++)
			r->check->owner[first + i] = TAKEN;
		return first;
	}
	return 0;
}

/* ---- entries ------------------------------------------------------------------------------------ */

static uint32_t crc_u32(uint32_t crc, uint32_t value)
{
	le32 stored = le32_of(value);

	return crc32c(crc, &stored, sizeof(stored));
}

void *repair_entry_start(struct repair_entry *entry, enum nova_entry_type type)
{
	memset(entry, 0, sizeof(*entry));
	entry->entry.type = (uint8_t)type;
	entry->entry.lines = 1;
	return entry->entry.payload;
}

void repair_entry_filler(const struct repair *r, struct repair_entry *entry)
{
	struct nova_attr_entry *attr = repair_entry_start(entry, NOVA_ENTRY_ATTR);

	attr->time_ns = le64_of(r->now);
}

void repair_entry_name(const struct repair *r, struct repair_entry *entry, const char *name, size_t length,
                       uint64_t ino, uint8_t file_type)
{
	struct nova_name_entry *payload = repair_entry_start(entry, NOVA_ENTRY_NAME);

	payload->ino = le64_of(ino);
	payload->time_ns = le64_of(r->now);
	payload->file_type = file_type;
	payload->name_length = (uint8_t)length;
	entry->entry.lines = (uint8_t)((NAME_OFFSET + length + NOVA_LINE_SIZE - 1) / NOVA_LINE_SIZE);
	memcpy((uint8_t *)entry + NAME_OFFSET, name, length);
}

void repair_seal(const struct repair *r, struct nova_entry *entry, uint64_t ino, uint32_t generation, uint64_t position)
{
	size_t lines = entry->type == NOVA_ENTRY_PAD ? 1 : entry->lines;
	uint32_t crc = crc_u32(crc32c_u64(CRC_START, ino), generation);

	entry->born = entry->epoch = le32_of((uint32_t)r->check->epoch);
	entry->crc = le32_of(crc32c(crc32c_u64(crc, position), &entry->type, lines * NOVA_LINE_SIZE - 4));
}

/* ---- append ------------------------------------------------------------------------------------- */

/* Where the next entry goes. */
struct end {
	uint64_t ino;
	uint32_t generation;
	uint64_t position;
	uint64_t limit; /* first position after the page */
	uint64_t page;  /* 0 = the slot */
	uint8_t *line;
};

static int find_end(struct repair *r, uint64_t ino, struct end *end)
{
	struct image_inode inode;
	enum image_step step;
	struct image_log log;

	if (image_inode(&r->check->image, ino, &inode) || !life_has_log(inode.life))
		return -EIO;
	image_log_begin(&log, &r->check->image, &inode);
	while ((step = image_log_next(&log)) != IMAGE_END)
		if (step == IMAGE_BAD)
			return -EIO;
	*end = (struct end){ino, inode.generation, log.position, log.limit, log.page, (uint8_t *)log.line};
	return 0;
}

static void put(struct repair *r, struct end *end, struct nova_entry *entry)
{
	size_t lines = entry->type == NOVA_ENTRY_PAD ? 1 : entry->lines;

	repair_seal(r, entry, end->ino, end->generation, end->position);
	pm_copy(r->pm, end->line, entry, lines * NOVA_LINE_SIZE);
	end->position += entry->lines;
	end->line += (size_t)entry->lines * NOVA_LINE_SIZE;
}

static int add_page(struct repair *r, struct end *end)
{
	uint64_t block = repair_take_blocks(r, 1);
	struct nova_page_header header = {
	    .generation = le32_of(end->generation), .ino = le64_of(end->ino), .first_position = le64_of(end->position)};
	_Alignas(64) uint8_t line[64];
	uint32_t crc;
	le64 *pair;

	if (!block)
		return -ENOSPC;
	crc = crc32c_u64(crc_u32(crc32c_u64(CRC_START, end->ino), end->generation), block);
	header.crc = le32_of(crc32c(crc, (const uint8_t *)&header + 4, 28));
	memcpy(line, &header, sizeof(line));
	pm_copy(r->pm, repair_block(r, block), line, sizeof(line));
	if (end->page) {
		pair = ((struct nova_page *)repair_block(r, end->page))->header.next;
		repair_pair(r, &pair[0], &pair[1],
		            repair_word(NOVA_WORD_NEXT, end->page ^ (uint64_t)end->generation << 32, block));
	} else {
		pair = repair_slot(r, end->ino)->words.head;
		repair_pair(r, &pair[0], &pair[1],
		            repair_word(NOVA_WORD_HEAD, end->ino ^ (uint64_t)end->generation << 32, block));
	}
	end->page = block;
	end->limit = end->position + NOVA_PAGE_LINES;
	end->line = ((struct nova_page *)repair_block(r, block))->lines[0];
	return 0;
}

int repair_append(struct repair *r, uint64_t ino, struct repair_entry *entries, unsigned count)
{
	struct nova_slot *slot = repair_slot(r, ino);
	struct end end;
	int rc = find_end(r, ino, &end);

	for (unsigned i = 0; i < count && rc == 0; i++) {
		if (end.limit - end.position < entries[i].entry.lines) {
			struct repair_entry pad;

			repair_entry_start(&pad, NOVA_ENTRY_PAD);
			pad.entry.lines = (uint8_t)(end.limit - end.position);
			if (pad.entry.lines)
				put(r, &end, &pad.entry);
			rc = add_page(r, &end);
			if (rc)
				break;
		}
		if (entries[i].entry.type == NOVA_ENTRY_NAME)
			((struct nova_name_entry *)PAYLOAD(&entries[i].entry))->cookie = le64_of(end.position);
		put(r, &end, &entries[i].entry);
	}
	if (rc)
		return rc;
	pm_fence(r->pm);
	repair_pair(r, &slot->words.tail[0], &slot->words.tail[1],
	            repair_word(NOVA_WORD_TAIL, ino ^ (uint64_t)end.generation << 32, end.position));
	pm_fence(r->pm);
	return 0;
}

/* ---- birth -------------------------------------------------------------------------------------- */

void repair_birth(struct repair *r, uint64_t ino, uint32_t generation, uint32_t mode, uint64_t parent)
{
	struct nova_slot *slot = repair_slot(r, ino);
	uint64_t owner = ino ^ (uint64_t)generation << 32;
	_Alignas(64) struct nova_slot_header header = {.type = (uint8_t)(mode >> 12),
	                                               .generation = le32_of(generation),
	                                               .birth_ns = le64_of(r->now),
	                                               .parent = le64_of(parent)};
	struct repair_entry first;
	struct nova_attr_entry *attr = repair_entry_start(&first, NOVA_ENTRY_ATTR);

	header.crc = le32_of(crc32c(crc_u32(crc32c_u64(CRC_START, ino), generation), &header.type, sizeof(header) - 4));
	attr->mask = le16_of(NOVA_ATTR_BIRTH | NOVA_ATTR_MODE | NOVA_ATTR_UID | NOVA_ATTR_GID | NOVA_ATTR_NLINK |
	                     NOVA_ATTR_SIZE);
	attr->mode = le16_of((uint16_t)(mode & 07777));
	attr->nlink = le32_of(1);
	attr->time_ns = le64_of(r->now);
	repair_seal(r, &first.entry, ino, generation, 0);
	pm_copy(r->pm, &slot->header, &header, sizeof(header));
	pm_copy(r->pm, slot->log[0], &first.entry, NOVA_LINE_SIZE);
	repair_pair(r, &slot->words.tail[0], &slot->words.tail[1], repair_word(NOVA_WORD_TAIL, owner, 1));
	repair_pair(r, &slot->words.head[0], &slot->words.head[1], repair_word(NOVA_WORD_HEAD, owner, 0));
	repair_pair(r, &slot->words.replica[0], &slot->words.replica[1], repair_word(NOVA_WORD_REPLICA, owner, 0));
	pm_fence(r->pm);
	repair_pair(r, &slot->words.life[0], &slot->words.life[1],
	            repair_word(NOVA_WORD_LIFE, ino, (uint64_t)generation << 8 | NOVA_LIFE_ALLOCATED));
	pm_fence(r->pm);
}
