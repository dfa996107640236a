/*
 * inode_log.c -- appends entries to an inode's log, commits them, and walks the log.
 */
#include "server/nova/log/inode_log.h"

#include "common/assert.h"
#include "server/nova/media/slot_words.h"
#include "server/nova/media/words.h"
#include "server/nova/space/alloc.h"
#include "server/nova/space/worker.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static uint64_t page_lines(uint64_t page)
{
	return page ? NOVA_PAGE_LINES : NOVA_SLOT_LINES;
}

static uint8_t *page_line(const struct nova *fs, uint64_t ino, uint64_t page, uint64_t index)
{
	if (page)
		return ((struct nova_page *)block_at(fs, page))->lines[index];
	return slot_at(fs, ino)->log[index];
}

/* ---- append --------------------------------------------------------------------------------------------------- */

void log_append_start(struct log_append *append, struct log_state *log, const struct log_owner *owner,
                      enum alloc_use use)
{
	*append = (struct log_append){
	    .log = log,
	    .owner = *owner,
	    .position = log->tail,
	    .page = log->tail_page,
	    .page_first = log->tail_first,
	    .use = use,
	};
}

static void store_entry(struct nova_worker *worker, struct log_append *append, struct nova_entry *entry, size_t lines,
                        uint64_t *line)
{
	const struct log_owner *owner = &append->owner;
	uint32_t epoch = worker->fs->epoch;
	uint32_t born = append->born ? append->born : epoch;
	uint8_t *to = page_line(worker->fs, owner->ino, append->page, append->position - append->page_first);

	if (born > append->newest)
		append->newest = born;
	entry_seal(entry, born, epoch, owner->ino, owner->generation, append->position);
	pm_copy(worker->fs->pm, to, entry, lines * NOVA_LINE_SIZE);
	if (line)
		*line = pm_offset(worker->fs->pm, to) / NOVA_LINE_SIZE;
}

/* Link a fresh page behind the last one. The old link words were behind the tail, so no reader has evaluated them. */
static int add_page(struct nova_worker *worker, struct log_append *append)
{
	struct nova *fs = worker->fs;
	const struct log_owner *owner = &append->owner;
	struct nova_page_header header = {0};
	uint64_t block;
	int64_t got = alloc_run(worker, 1, append->use, &block);

	if (got < 0)
		return (int)got;
	header.generation = le32_of(owner->generation);
	header.ino = le64_of(owner->ino);
	header.first_position = le64_of(append->position);
	header.crc = le32_of(entry_page_crc(&header, owner->ino, owner->generation, block));
	pm_copy(fs->pm, block_at(fs, block), &header, sizeof header);
	if (append->page) {
		struct nova_page *last = block_at(fs, append->page);

		word_pair_store(fs->pm, last->header.next,
		                word_make(NOVA_WORD_NEXT, word_owner(append->page, owner->generation), block));
	} else {
		word_pair_store(fs->pm, slot_at(fs, owner->ino)->words.head,
		                word_make(NOVA_WORD_HEAD, word_owner(owner->ino, owner->generation), block));
	}
	append->page = block;
	append->page_first = append->position;
	if (!append->first_new)
		append->first_new = block;
	return 0;
}

uint64_t log_append_room(const struct log_append *append)
{
	return append->page_first + page_lines(append->page) - append->position;
}

int log_append_entry(struct nova_worker *worker, struct log_append *append, struct nova_entry *entry,
                     uint64_t *position, uint64_t *line)
{
	uint64_t room = log_append_room(append);

	fn_assert(room <= page_lines(append->page));
	fn_assert(entry->lines > 0 && entry->lines <= NOVA_PAGE_LINES);
	if (room < entry->lines) {
		struct entry_buffer buffer;
		struct nova_entry *pad = entry_start(&buffer, NOVA_ENTRY_PAD);
		int rc;

		if (room) {
			pad->lines = (uint8_t)room;
			store_entry(worker, append, pad, 1, NULL);
			append->position += room;
		}
		rc = add_page(worker, append);
		if (rc)
			return rc;
	}
	store_entry(worker, append, entry, entry->lines, line);
	if (position)
		*position = append->position;
	append->position += entry->lines;
	return 0;
}

/* Free the pages from `block` to `last`, which their link words chain. */
static void free_chain(struct nova_worker *worker, uint32_t generation, uint64_t block, uint64_t last)
{
	while (block) {
		const struct nova_page *page = block_at(worker->fs, block);
		uint64_t next = 0;

		if (block != last && word_read(NOVA_WORD_NEXT, word_owner(block, generation), &page->header.next[0],
		                               &page->header.next[1], &next) == WORD_LOST)
			next = 0;
		alloc_free(worker, block, 1);
		block = next;
	}
}

void log_append_drop(struct nova_worker *worker, struct log_append *append)
{
	/* No store of the dropped append may reach the medium after its pages have been reused. */
	if (append->first_new) {
		pm_fence(worker->fs->pm);
		free_chain(worker, append->owner.generation, append->first_new, append->page);
	}
	append->first_new = 0;
}

void log_free_pages(struct nova_worker *worker, uint32_t generation, uint64_t head, uint64_t last_page)
{
	free_chain(worker, generation, head, last_page);
}

void log_append_done(struct log_append *append)
{
	struct log_state *log = append->log;

	fn_assert(append->position >= log->tail);
	if (append->first_new && !log->head)
		log->head = append->first_new;
	log->tail = append->position;
	log->tail_page = append->page;
	log->tail_first = append->page_first;
	if (append->newest > log->born)
		log->born = append->newest;
}

void log_append_commit(struct nova_worker *worker, struct log_append *append)
{
	struct nova *fs = worker->fs;
	const struct log_owner *owner = &append->owner;
	struct nova_slot_words line __attribute__((aligned(NOVA_LINE_SIZE)));
	struct slot_word_values values = {.life = life_value(owner->generation, owner->life)};

	log_append_done(append);
	values.tail = append->log->tail;
	values.head = append->log->head;
	slot_words_line(owner->ino, owner->generation, &values, &line);
	pm_fence(fs->pm);
	pm_copy(fs->pm, &slot_at(fs, owner->ino)->words, &line, sizeof line);
	pm_fence(fs->pm);
}

/* ---- walk ----------------------------------------------------------------------------------------------------- */

__attribute__((format(printf, 2, 3))) static int damaged(struct log_walk *walk, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(walk->why, sizeof walk->why, format, arguments);
	va_end(arguments);
	return -EIO;
}

static int walk_lines(struct log_walk *walk, uint64_t page, uint64_t first, uint64_t *position)
{
	uint64_t end = first + page_lines(page);
	const uint8_t *lines = page_line(walk->fs, walk->ino, page, 0);
	uint64_t line = pm_offset(walk->fs->pm, lines) / NOVA_LINE_SIZE;

	if (!page && walk->slot)
		lines = walk->slot->log[0];
	while (*position < end && *position < walk->tail) {
		const uint8_t *at = lines + (*position - first) * NOVA_LINE_SIZE;
		const struct nova_entry *entry = (const void *)at;
		uint64_t room = end < walk->tail ? end - *position : walk->tail - *position;
		int rc;

		if (!entry_valid(entry, walk->ino, walk->generation, *position, room))
			return damaged(walk, "inode %llu, log position %llu: damaged entry",
			               (unsigned long long)walk->ino, (unsigned long long)*position);
		if (entry->type == NOVA_ENTRY_PAD) {
			if (*position + entry->lines != end)
				return damaged(walk, "inode %llu, log position %llu: padding of wrong length",
				               (unsigned long long)walk->ino, (unsigned long long)*position);
		} else {
			rc = walk->entry(walk->context, entry, *position, line + *position - first);
			if (rc)
				return rc;
		}
		*position += entry->lines;
	}
	return 0;
}

/* Whether this block is a page of this log with the first position `expected` (or, for the head, a later one). */
static int check_page(struct log_walk *walk, uint64_t block, uint64_t expected, bool is_head, uint64_t *first)
{
	const struct nova_page_header *header;

	if (!alloc_valid(walk->fs, block, 1) || walk->fs->chunks[chunk_of_block(block)])
		return damaged(walk, "inode %llu: log page %llu lies outside the space for pages",
		               (unsigned long long)walk->ino, (unsigned long long)block);
	/* Log pages lie apart, and a read fault of each would map all pages around it: that takes twice the time. */
	if (walk->page && walk->repair)
		pm_populate(walk->fs->pm, block * NOVA_BLOCK_SIZE, NOVA_BLOCK_SIZE);
	header = block_at(walk->fs, block);
	if (le32_get(header->crc) != entry_page_crc(header, walk->ino, walk->generation, block))
		return damaged(walk, "inode %llu: log page %llu has a damaged header", (unsigned long long)walk->ino,
		               (unsigned long long)block);
	*first = le64_get(header->first_position);
	if (is_head ? *first < expected || *first >= walk->tail : *first != expected)
		return damaged(walk, "inode %llu: log page %llu starts at line %llu instead of %llu",
		               (unsigned long long)walk->ino, (unsigned long long)block, (unsigned long long)*first,
		               (unsigned long long)expected);
	return walk->page ? walk->page(walk->context, block) : 0;
}

static int next_page(struct log_walk *walk, uint64_t block, uint64_t *next)
{
	struct nova_page_header *header = block_at(walk->fs, block);
	uint64_t owner = word_owner(block, walk->generation);

	switch (word_read(NOVA_WORD_NEXT, owner, &header->next[0], &header->next[1], next)) {
	case WORD_GOOD:
		return 0;
	case WORD_HALF:
		log_warn(NOVA_LOG_NAME, "inode %llu: log page %llu had one damaged link word%s",
		         (unsigned long long)walk->ino, (unsigned long long)block, walk->repair ? ", repaired" : "");
		if (walk->repair)
			word_pair_store(walk->fs->pm, header->next, word_make(NOVA_WORD_NEXT, owner, *next));
		return 0;
	default:
		return damaged(walk, "inode %llu: log page %llu has damaged link words", (unsigned long long)walk->ino,
		               (unsigned long long)block);
	}
}

int log_walk(struct log_walk *walk)
{
	uint64_t position = 0;
	uint64_t block = 0;
	uint64_t first = 0;
	int rc;

	walk->log_start = 0;
	if (walk->tail > NOVA_SLOT_LINES) {
		block = walk->head;
		rc = check_page(walk, block, NOVA_SLOT_LINES, true, &first);
		if (rc)
			return rc;
		if (first > NOVA_SLOT_LINES)
			walk->log_start = first;
	}
	if (walk->log_start == 0) {
		rc = walk_lines(walk, 0, 0, &position);
		if (rc)
			return rc;
	}
	for (position = first; block; position = first) {
		rc = walk_lines(walk, block, first, &position);
		if (rc)
			return rc;
		if (position >= walk->tail)
			break;
		rc = next_page(walk, block, &block);
		if (rc)
			return rc;
		rc = check_page(walk, block, position, false, &first);
		if (rc)
			return rc;
	}
	walk->last_page = block;
	walk->last_first = first;
	return 0;
}
