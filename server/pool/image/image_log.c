/*
 * image_log.c -- walks the log of one inode of an unmounted pool.
 */
#include "server/pool/image/image.h"

#include "common/crc.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define CRC_START 0xffffffffu

__attribute__((format(printf, 3, 4))) static enum image_step bad(struct image_log *log, enum image_fault fault,
                                                                 const char *format, ...)
{
	va_list args;

	log->fault = fault;
	va_start(args, format);
	vsnprintf(log->why, sizeof(log->why), format, args);
	va_end(args);
	return IMAGE_BAD;
}

static uint32_t seed_u32(uint32_t crc, uint32_t value)
{
	le32 stored = le32_of(value);

	return crc32c(crc, &stored, sizeof(stored));
}

static bool page_valid(const struct nova_page_header *header, const struct image_inode *inode, uint64_t block)
{
	uint32_t crc = crc32c_u64(CRC_START, inode->ino);

	crc = seed_u32(crc, inode->generation);
	crc = crc32c_u64(crc, block);
	return crc32c(crc, (const uint8_t *)header + 4, 28) == le32_get(header->crc) &&
	       le32_get(header->generation) == inode->generation && le64_get(header->ino) == inode->ino;
}

static bool entry_valid(const struct image_log *log, const struct nova_entry *entry, uint64_t position)
{
	size_t lines = entry->type == NOVA_ENTRY_PAD ? 1 : entry->lines;
	uint32_t crc = crc32c_u64(CRC_START, log->inode->ino);

	crc = seed_u32(crc, log->inode->generation);
	crc = crc32c_u64(crc, position);
	return crc32c(crc, &entry->type, lines * NOVA_LINE_SIZE - 4) == le32_get(entry->crc);
}

/* Enter the page at `block`. `expected` is the position at which it must begin; 0 = any, for the head of a log that GC
 * has cut. */
static enum image_step enter(struct image_log *log, uint64_t block, uint64_t expected)
{
	const struct nova_page *page;
	uint64_t first;

	log->bad_page = block;
	if (!image_usable_block(log->image, block))
		return bad(log, IMAGE_FAULT_PAGE, "log page %llu at position %llu is not in the pool's usable blocks",
		           (unsigned long long)block, (unsigned long long)log->position);
	page = image_block(log->image, block);
	if (!page_valid(&page->header, log->inode, block))
		return bad(log, IMAGE_FAULT_PAGE, "header of log page %llu is damaged", (unsigned long long)block);
	first = le64_get(page->header.first_position);
	if (expected ? first != expected : first < NOVA_SLOT_LINES)
		return bad(log, IMAGE_FAULT_PAGE, "log page %llu begins at position %llu, not %llu",
		           (unsigned long long)block, (unsigned long long)first,
		           (unsigned long long)(expected ? expected : NOVA_SLOT_LINES));
	if (first >= log->inode->tail)
		return bad(log, IMAGE_FAULT_PAGE, "log page %llu begins at position %llu, at or past the tail %llu",
		           (unsigned long long)block, (unsigned long long)first, (unsigned long long)log->inode->tail);
	log->page = block;
	log->position = first;
	log->limit = first + NOVA_PAGE_LINES;
	log->line = page->lines[0];
	return IMAGE_PAGE;
}

static enum image_step next_page(struct image_log *log)
{
	const struct nova_page *page;
	struct image_word next;

	if (log->page == 0) {
		if (!log->inode->head_known)
			return bad(log, IMAGE_FAULT_HEAD, "no copy of the head word is valid");
		return enter(log, log->inode->head, NOVA_SLOT_LINES);
	}
	page = image_block(log->image, log->page);
	next = image_word_pick(NOVA_WORD_NEXT, log->page ^ (uint64_t)log->inode->generation << 32, page->header.next[0],
	                       page->header.next[1]);
	if (!next.valid[0] && !next.valid[1])
		return bad(log, IMAGE_FAULT_NEXT, "no copy of the next word of log page %llu is valid",
		           (unsigned long long)log->page);
	log->next = next;
	log->before = log->page;
	return enter(log, next.value, log->limit);
}

void image_log_begin(struct image_log *log, const struct image *image, const struct image_inode *inode)
{
	*log = (struct image_log){.image = image, .inode = inode, .limit = NOVA_SLOT_LINES};
	log->line = inode->slot->log[0];
}

/* Whether GC has cut the log, so that it begins in its head page and the slot's lines are dead. */
static bool begins_in_head(const struct image_log *log)
{
	const struct nova_page *page;

	if (log->inode->tail <= NOVA_SLOT_LINES || !log->inode->head_known ||
	    !image_usable_block(log->image, log->inode->head))
		return false;
	page = image_block(log->image, log->inode->head);
	return page_valid(&page->header, log->inode, log->inode->head) &&
	       le64_get(page->header.first_position) > NOVA_SLOT_LINES;
}

enum image_step image_log_next(struct image_log *log)
{
	const struct nova_entry *entry;
	uint64_t position = log->position;
	unsigned lines;

	if (!log->inode->tail_known)
		return bad(log, IMAGE_FAULT_TAIL, "no copy of the tail word is valid");
	if (position == log->inode->tail)
		return IMAGE_END;
	if (position == 0 && log->page == 0 && begins_in_head(log))
		return enter(log, log->inode->head, 0);
	if (position == log->limit)
		return next_page(log);
	entry = (const struct nova_entry *)(const void *)log->line;
	lines = entry->lines;
	if (lines == 0 || position + lines > log->limit)
		return bad(log, IMAGE_FAULT_ENTRY,
		           "entry at position %llu has %u lines and would cross the end of its page",
		           (unsigned long long)position, lines);
	if (!entry_valid(log, entry, position))
		return bad(log, IMAGE_FAULT_ENTRY, "entry at position %llu fails its CRC",
		           (unsigned long long)position);
	if (position + lines > log->inode->tail)
		return bad(log, IMAGE_FAULT_ENTRY, "entry at position %llu with %u lines crosses the tail %llu",
		           (unsigned long long)position, lines, (unsigned long long)log->inode->tail);
	if (entry->type == NOVA_ENTRY_PAD && position + lines != log->limit)
		return bad(log, IMAGE_FAULT_ENTRY, "padding at position %llu does not end with its page",
		           (unsigned long long)position);
	log->entry = entry;
	log->entry_position = position;
	log->position += lines;
	log->line += (size_t)lines * NOVA_LINE_SIZE;
	return IMAGE_ENTRY;
}

bool image_log_sound(const struct image_log *log, const uint8_t *line, uint64_t position)
{
	const struct nova_entry *entry = (const struct nova_entry *)(const void *)line;
	uint64_t end = position + entry->lines;

	if (entry->lines == 0 || end > log->limit || end > log->inode->tail)
		return false;
	return entry_valid(log, entry, position) && (entry->type != NOVA_ENTRY_PAD || end == log->limit);
}

bool image_page_valid(const struct image *image, const struct image_inode *inode, uint64_t block)
{
	const struct nova_page *page = image_block(image, block);

	return image_usable_block(image, block) && page_valid(&page->header, inode, block);
}
