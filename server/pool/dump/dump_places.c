/*
 * dump_places.c -- shows places of a pool: a zone, a log page, the free space.
 */
#include "server/pool/dump/dump_view.h"

#include "server/pool/check/check_internal.h"

#include <errno.h>
#include <string.h>

/* ---- a zone ------------------------------------------------------------------------------------- */

static void show_zone_header(struct dump_view *view, const struct image *image, const char *name, uint64_t block)
{
	const struct nova_zone_header *header = image_block(image, block);

	dump_open(view, name, '{');
	dump_number(view, "block", block);
	if (!image_zone_header_valid(header) || le64_get(header->magic) != NOVA_MAGIC) {
		dump_text(view, "header", "damaged");
	} else {
		dump_number(view, "index", le32_get(header->index));
		dump_number(view, "first_block", le64_get(header->first_block));
		dump_number(view, "checksum_block", le64_get(header->csum_block));
		dump_number(view, "checksum_blocks", le64_get(header->csum_blocks));
		dump_number(view, "parity_block", le64_get(header->parity_block));
		dump_number(view, "parity_blocks", le64_get(header->parity_blocks));
	}
	dump_close(view, '}');
}

/* Show the chunks of slots, and those whose words are damaged; all others are general. */
static void show_chunks(struct dump_view *view, const struct image *image, uint64_t start, uint64_t blocks)
{
	dump_open(view, "chunks_not_general", '[');
	for (uint64_t b = NOVA_ZONE_FIRST_CHUNK; b + NOVA_CHUNK_BLOCKS <= blocks; b += NOVA_CHUNK_BLOCKS) {
		struct image_word word = image_chunk(image, start + b);

		if (word.valid[0] && word.valid[1] && word.value == NOVA_CHUNK_GENERAL)
			continue;
		dump_open(view, NULL, '{');
		dump_number(view, "block", start + b);
		dump_number(view, "first_inode", (start + b) * (NOVA_BLOCK_SIZE / NOVA_SLOT_SIZE));
		dump_word(view, "kind", &word);
		dump_close(view, '}');
	}
	dump_close(view, ']');
}

bool dump_zone(struct dump_view *view, const struct image *image, uint64_t zone)
{
	uint64_t start = image_zone_start(zone);

	if (zone >= image_zones(image))
		return false;
	dump_open(view, "zone", '{');
	dump_number(view, "zone", zone);
	dump_number(view, "first_block", start);
	dump_number(view, "blocks", image_zone_blocks(image, zone));
	show_zone_header(view, image, "header", start + NOVA_ZONE_HEADER_0);
	show_zone_header(view, image, "second_header", start + NOVA_ZONE_HEADER_1);
	show_chunks(view, image, start, image_zone_blocks(image, zone));
	dump_close(view, '}');
	return true;
}

/* ---- a log page --------------------------------------------------------------------------------- */

bool dump_page(struct dump_view *view, const struct image *image, uint64_t block)
{
	const struct nova_page *page = image_block(image, block);
	struct image_inode inode = {0};
	struct image_word next;
	struct image_log log;

	if (!image_usable_block(image, block))
		return false;
	inode.ino = le64_get(page->header.ino);
	inode.generation = le32_get(page->header.generation);
	dump_open(view, "page", '{');
	dump_number(view, "block", block);
	if (!image_page_valid(image, &inode, block)) {
		dump_text(view, "header", "this is no log page, or its header is damaged");
		dump_close(view, '}');
		return true;
	}
	dump_number(view, "inode", inode.ino);
	dump_number(view, "generation", inode.generation);
	dump_number(view, "first_position", le64_get(page->header.first_position));
	next = image_word_pick(NOVA_WORD_NEXT, block ^ (uint64_t)inode.generation << 32, page->header.next[0],
	                       page->header.next[1]);
	dump_word(view, "next", &next);
	/* All valid entries of the page, committed or not. */
	inode.tail = UINT64_MAX;
	log = (struct image_log){.image = image, .inode = &inode, .page = block};
	log.limit = le64_get(page->header.first_position) + NOVA_PAGE_LINES;
	dump_open(view, "entries", '[');
	for (unsigned i = 0; i < NOVA_PAGE_LINES;) {
		log.entry = (const void *)page->lines[i];
		log.entry_position = le64_get(page->header.first_position) + i;
		if (image_log_sound(&log, page->lines[i], log.entry_position)) {
			dump_entry(view, &log);
			i += log.entry->lines;
		} else {
			i++;
		}
	}
	dump_close(view, ']');
	dump_close(view, '}');
	return true;
}

/* ---- free space --------------------------------------------------------------------------------- */

#define SIZES 19 /* runs of 1, 2..3, 4..7 ... blocks; a zone has 2^18 */

struct free_space {
	uint64_t blocks, runs, longest;
	uint64_t by_size[SIZES];
};

static void add_run(struct free_space *space, uint64_t length)
{
	unsigned size = 0;

	if (!length)
		return;
	while (size + 1 < SIZES && length >> (size + 1))
		size++;
	space->blocks += length;
	space->runs++;
	space->by_size[size]++;
	if (length > space->longest)
		space->longest = length;
}

static void show_free_zone(struct dump_view *view, const struct check *check, uint64_t zone, struct free_space *all)
{
	uint64_t start = image_zone_start(zone), end = start + image_zone_blocks(&check->image, zone);
	struct free_space space = {0};
	uint64_t length = 0;

	for (uint64_t block = start + NOVA_ZONE_FIRST_CHUNK; block < end; block++) {
		if (check->owner[block] == 0) {
			length++;
			continue;
		}
		add_run(&space, length);
		length = 0;
	}
	add_run(&space, length);
	dump_open(view, NULL, '{');
	dump_number(view, "zone", zone);
	dump_number(view, "free_blocks", space.blocks);
	dump_number(view, "runs", space.runs);
	dump_number(view, "longest_run", space.longest);
	dump_close(view, '}');
	all->blocks += space.blocks;
	all->runs += space.runs;
	if (space.longest > all->longest)
		all->longest = space.longest;
	for (unsigned i = 0; i < SIZES; i++)
		all->by_size[i] += space.by_size[i];
}

int dump_free(struct dump_view *view, const struct image *image)
{
	struct check_report report = {0};
	struct free_space all = {0};
	struct check check;
	const char *why;
	int rc = check_begin(&check, image->base, image->size, &report, &why);

	if (rc)
		return rc;
	rc = check_run(&check);
	dump_open(view, "free_space", '{');
	dump_open(view, "zones", '[');
	for (uint64_t zone = 0; rc == 0 && zone < image_zones(image); zone++)
		show_free_zone(view, &check, zone, &all);
	dump_close(view, ']');
	dump_number(view, "free_blocks", all.blocks);
	dump_number(view, "runs", all.runs);
	dump_number(view, "longest_run", all.longest);
	dump_open(view, "runs_by_size", '[');
	for (unsigned i = 0; i < SIZES; i++) {
		if (!all.by_size[i])
			continue;
		dump_open(view, NULL, '{');
		dump_number(view, "blocks_at_least", 1ULL << i);
		dump_number(view, "runs", all.by_size[i]);
		dump_close(view, '}');
	}
	dump_close(view, ']');
	if (report.errors)
		dump_text(view, "caution", "fsck finds errors in this pool: some of this may be in use");
	dump_close(view, '}');
	check_end(&check);
	return rc;
}
