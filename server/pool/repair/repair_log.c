/*
 * repair_log.c -- repairs the log of one inode so that it can be read to its tail again.
 *
 * As little as possible is lost. A damaged entry is overwritten, line by line, with ATTR entries of mask 0. The entries
 * behind it stay: the CRC of every entry is seeded with its position, so the next valid entry is recognised. A damaged
 * page header or link is made again if the page's lines or another page prove its values. Only if the log cannot be
 * followed further, it is cut at its last valid entry. All of this may be repeated after a crash.
 */
#include "server/pool/repair/repair_internal.h"

#include "common/crc.h"

#include <stdio.h>
#include <string.h>

#define CRC_START     0xffffffffu
#define NO_TAIL       (1ULL << 47) /* more lines than any log has */
#define HEAD_SEARCHED (1ULL << 22) /* positions tried for a first page whose header is lost */
#define STEPS_MAX     100000u

static unsigned long long ull(uint64_t v)
{
	return v;
}

static uint64_t owner_of(const struct image_inode *inode)
{
	return inode->ino ^ (uint64_t)inode->generation << 32;
}

/* ---- words -------------------------------------------------------------------------------------- */

static void restore(struct repair *r, uint64_t ino, const char *name, le64 *pair, enum nova_word_kind kind,
                    uint64_t owner, const struct image_word *word)
{
	if (word->valid[0] == word->valid[1])
		return;
	repair_pair(r, &pair[0], &pair[1], repair_word(kind, owner, word->value));
	pm_fence(r->pm);
	repair_say(r, "inode", ino, 0, "%s word restored from its good copy", name);
}

bool repair_words(struct repair *r, uint64_t ino)
{
	struct nova_slot_words *words = &repair_slot(r, ino)->words;
	uint64_t before = r->report->repairs;
	struct image_inode inode;
	enum image_step step;
	struct image_log log;

	if (image_inode(&r->check->image, ino, &inode))
		return false;
	restore(r, ino, "life", words->life, NOVA_WORD_LIFE, ino, &inode.life_word);
	if (!life_has_log(inode.life))
		return r->report->repairs != before;
	restore(r, ino, "tail", words->tail, NOVA_WORD_TAIL, owner_of(&inode), &inode.tail_word);
	if (inode.tail > NOVA_SLOT_LINES)
		restore(r, ino, "head", words->head, NOVA_WORD_HEAD, owner_of(&inode), &inode.head_word);
	image_log_begin(&log, &r->check->image, &inode);
	while ((step = image_log_next(&log)) == IMAGE_PAGE || step == IMAGE_ENTRY)
		if (step == IMAGE_PAGE && log.before)
			restore(r, ino, "a log page's next",
			        ((struct nova_page *)repair_block(r, log.before))->header.next, NOVA_WORD_NEXT,
			        log.before ^ (uint64_t)inode.generation << 32, &log.next);
	return r->report->repairs != before;
}

/* ---- entries ------------------------------------------------------------------------------------ */

/* Overwrite `count` lines from `line`, which has this position, with ATTR entries of mask 0. */
static void blank(struct repair *r, const struct image_inode *inode, uint8_t *line, uint64_t position, uint64_t count)
{
	struct repair_entry filler;

	repair_entry_filler(r, &filler);
	for (uint64_t i = 0; i < count; i++) {
		repair_seal(r, &filler.entry, inode->ino, inode->generation, position + i);
		pm_copy(r->pm, line + i * NOVA_LINE_SIZE, &filler.entry, NOVA_LINE_SIZE);
	}
	pm_fence(r->pm);
}

/* Overwrite the lines from the damaged entry to the next valid one, or to the end of the page or log. */
static void blank_damaged(struct repair *r, const struct image_log *log)
{
	uint64_t end = log->limit < log->inode->tail ? log->limit : log->inode->tail;
	uint64_t next = log->position + 1;

	while (next < end && !image_log_sound(log, log->line + (next - log->position) * NOVA_LINE_SIZE, next))
		next++;
	blank(r, log->inode, (uint8_t *)log->line, log->position, next - log->position);
	repair_say(r, "log", log->inode->ino, log->page,
	           "lines %llu to %llu were damaged and are blank now: their changes are lost", ull(log->position),
	           ull(next - 1));
}

bool repair_log_entry(struct repair *r, uint64_t ino, uint64_t position)
{
	struct image_inode inode;
	enum image_step step;
	struct image_log log;

	if (image_inode(&r->check->image, ino, &inode))
		return false;
	image_log_begin(&log, &r->check->image, &inode);
	while ((step = image_log_next(&log)) == IMAGE_PAGE || step == IMAGE_ENTRY) {
		if (step == IMAGE_PAGE || log.entry_position != position)
			continue;
		blank(r, &inode, (uint8_t *)log.entry, position, log.entry->lines);
		repair_say(r, "log", ino, log.page, "the entry at position %llu was invalid and is blank now",
		           ull(position));
		return true;
	}
	return false;
}

/* ---- pages -------------------------------------------------------------------------------------- */

static bool first_line_sound(const struct image_log *log, uint64_t block, uint64_t first)
{
	const struct nova_page *page = image_block(log->image, block);
	struct image_log at = *log;

	at.limit = first + NOVA_PAGE_LINES;
	for (unsigned i = 0; i < NOVA_PAGE_LINES && first + i < log->inode->tail; i++)
		if (image_log_sound(&at, page->lines[i], first + i))
			return true;
	return false;
}

/* If the lines of the page prove that it is this log's page of position `first`, make its header again. */
static bool rebuild_page(struct repair *r, const struct image_log *log, uint64_t block, uint64_t first)
{
	const struct image_inode *inode = log->inode;
	struct nova_page *page = repair_block(r, block);
	_Alignas(64) struct nova_page_header header = {
	    .generation = le32_of(inode->generation), .ino = le64_of(inode->ino), .first_position = le64_of(first)};
	le32 generation = le32_of(inode->generation);
	uint32_t crc;

	if (!image_usable_block(log->image, block) || !first_line_sound(log, block, first))
		return false;
	crc = crc32c(crc32c_u64(CRC_START, inode->ino), &generation, sizeof(generation));
	header.crc = le32_of(crc32c(crc32c_u64(crc, block), (const uint8_t *)&header + 4, 28));
	/* The link words have check sums of their own, so they may still be valid. */
	memcpy(header.next, page->header.next, sizeof(header.next));
	pm_copy(r->pm, &page->header, &header, sizeof(header));
	pm_fence(r->pm);
	repair_say(r, "log", inode->ino, block, "header of log page %llu made again: its lines begin at position %llu",
	           ull(block), ull(first));
	return true;
}

/* A first page may begin at any position, because GC cuts logs. */
static bool rebuild_first_page(struct repair *r, const struct image_log *log, uint64_t block)
{
	if (rebuild_page(r, log, block, NOVA_SLOT_LINES))
		return true;
	for (uint64_t first = NOVA_SLOT_LINES + 1; first < log->inode->tail && first < HEAD_SEARCHED; first++) {
		const struct nova_page *page = image_block(log->image, block);
		struct image_log at = *log;

		at.limit = first + NOVA_PAGE_LINES;
		if (image_usable_block(log->image, block) && image_log_sound(&at, page->lines[0], first))
			return rebuild_page(r, log, block, first);
	}
	return false;
}

/* The block of the page of this log that begins at `first`; 0 if there is none. */
static uint64_t find_page(const struct image_log *log, uint64_t first)
{
	for (uint64_t block = NOVA_PREAMBLE_BLOCKS; block < log->image->blocks; block++) {
		const struct nova_page *page = image_block(log->image, block);

		if (le64_get(page->header.ino) == log->inode->ino && le64_get(page->header.first_position) == first &&
		    image_page_valid(log->image, log->inode, block))
			return block;
	}
	return 0;
}

static uint64_t walk_from(const struct image *image, const struct image_inode *inode, uint64_t head)
{
	struct image_inode tried = *inode;
	enum image_step step;
	struct image_log log;

	tried.head = head;
	tried.head_known = true;
	image_log_begin(&log, image, &tried);
	while ((step = image_log_next(&log)) == IMAGE_PAGE || step == IMAGE_ENTRY)
		;
	return log.position;
}

/* Of all pages of this log, the one from which the log can be read furthest; of several, the one that begins first:
 * pages that GC has cut off hold nothing that contradicts the rest. */
static uint64_t find_head(const struct image *image, const struct image_inode *inode)
{
	uint64_t best = 0, best_first = 0, best_reach = 0;

	for (uint64_t block = NOVA_PREAMBLE_BLOCKS; block < image->blocks; block++) {
		const struct nova_page *page = image_block(image, block);
		uint64_t first = le64_get(page->header.first_position), reach;

		if (le64_get(page->header.ino) != inode->ino || first < NOVA_SLOT_LINES || first >= inode->tail ||
		    !image_page_valid(image, inode, block))
			continue;
		reach = walk_from(image, inode, block);
		if (reach > best_reach || (reach == best_reach && first < best_first)) {
			best = block;
			best_first = first;
			best_reach = reach;
		}
	}
	return best;
}

static void store_head(struct repair *r, const struct image_inode *inode, uint64_t block)
{
	le64 *pair = repair_slot(r, inode->ino)->words.head;

	repair_pair(r, &pair[0], &pair[1], repair_word(NOVA_WORD_HEAD, owner_of(inode), block));
	pm_fence(r->pm);
	repair_say(r, "log", inode->ino, block, "the head word set to log page %llu", ull(block));
}

/* ---- the end ------------------------------------------------------------------------------------ */

static bool store_tail(struct repair *r, const struct image_inode *inode, uint64_t tail)
{
	le64 *pair = repair_slot(r, inode->ino)->words.tail;

	if (tail == 0)
		return repair_remove(r, inode->ino, "its log cannot be read at all");
	repair_pair(r, &pair[0], &pair[1], repair_word(NOVA_WORD_TAIL, owner_of(inode), tail));
	pm_fence(r->pm);
	return true;
}

/* Mark the log as repaired, if the entry can be appended. */
static void mark(struct repair *r, uint64_t ino)
{
	struct repair_entry filler;

	repair_entry_filler(r, &filler);
	repair_append(r, ino, &filler, 1);
}

static bool cut(struct repair *r, const struct image_log *log)
{
	const struct image_inode *inode = log->inode;

	if (!store_tail(r, inode, log->position))
		return false;
	repair_say(r, "log", inode->ino, log->page,
	           "log cut at position %llu (%s): %llu lines with the latest changes are lost", ull(log->position),
	           log->why, ull(inode->tail - log->position));
	mark(r, inode->ino);
	return true;
}

/* No tail word: the log ends with its last sound entry, which may never have been committed. */
static bool rebuild_tail(struct repair *r, const struct image_inode *inode)
{
	struct image_inode endless = *inode;
	uint64_t tail;

	endless.tail = NO_TAIL;
	endless.tail_known = true;
	tail = walk_from(&r->check->image, &endless, inode->head_known ? inode->head : 0);
	if (!store_tail(r, inode, tail))
		return false;
	if (tail)
		repair_say(r, "inode", inode->ino, 0,
		           "the tail word, lost in both copies, set to %llu, the end of the last valid entry: the last "
		           "change may never have been committed",
		           ull(tail));
	return true;
}

/* ---- all ---------------------------------------------------------------------------------------- */

static bool step_page(struct repair *r, const struct image_log *log)
{
	const struct image_inode *inode = log->inode;
	uint64_t page = log->page, found;

	if (page == 0) {
		if (rebuild_first_page(r, log, log->bad_page))
			return true;
		found = find_head(log->image, inode);
		if (!found || found == log->bad_page || walk_from(log->image, inode, found) <= log->position)
			return cut(r, log);
		store_head(r, inode, found);
		return true;
	}
	if (rebuild_page(r, log, log->bad_page, log->limit))
		return true;
	found = find_page(log, log->limit);
	if (!found || found == log->bad_page)
		return cut(r, log);
	repair_pair(r, &((struct nova_page *)repair_block(r, page))->header.next[0],
	            &((struct nova_page *)repair_block(r, page))->header.next[1],
	            repair_word(NOVA_WORD_NEXT, page ^ (uint64_t)inode->generation << 32, found));
	pm_fence(r->pm);
	repair_say(r, "log", inode->ino, page, "log page %llu linked to page %llu again", ull(page), ull(found));
	return true;
}

static bool step(struct repair *r, const struct image_log *log)
{
	uint64_t found;

	switch (log->fault) {
	case IMAGE_FAULT_TAIL:
		return rebuild_tail(r, log->inode);
	case IMAGE_FAULT_HEAD:
		found = find_head(log->image, log->inode);
		if (!found)
			return cut(r, log);
		store_head(r, log->inode, found);
		return true;
	case IMAGE_FAULT_PAGE:
	case IMAGE_FAULT_NEXT:
		return step_page(r, log);
	case IMAGE_FAULT_ENTRY:
		blank_damaged(r, log);
		return true;
	}
	return false;
}

bool repair_log(struct repair *r, uint64_t ino, bool head_lost)
{
	bool done = false;

	for (unsigned i = 0; i < STEPS_MAX; i++) {
		struct image_inode inode;
		enum image_step next;
		struct image_log log;

		if (image_inode(&r->check->image, ino, &inode) || !life_has_log(inode.life))
			break;
		if (head_lost && i == 0) {
			uint64_t found = find_head(&r->check->image, &inode);

			store_head(r, &inode, found ? found : inode.head);
			done = true;
			continue;
		}
		image_log_begin(&log, &r->check->image, &inode);
		while ((next = image_log_next(&log)) == IMAGE_PAGE || next == IMAGE_ENTRY)
			;
		if (next == IMAGE_END || !step(r, &log))
			break;
		done = true;
	}
	return done;
}
