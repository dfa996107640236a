/*
 * repair_structures.c -- repairs superblocks, zone headers, chunk tables and the journal.
 *
 * Each step reads the medium, not the findings of the checker, so it may be repeated at any time.
 */
#include "common/random.h"
#include "server/pool/repair/repair_internal.h"

#include "common/crc.h"
#include "common/uuid.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define CRC_START   0xffffffffu
#define SUPER_FIXED 256u

static unsigned long long ull(uint64_t v)
{
	return v;
}

static const uint32_t super_blocks[2] = {NOVA_SUPER_BLOCK_0, NOVA_SUPER_BLOCK_1};

static struct nova_super *super_at(struct repair *r, int copy)
{
	return repair_block(r, super_blocks[copy]);
}

/* ---- superblocks -------------------------------------------------------------------------------- */

static bool zone_header_good(const struct nova_zone_header *header, uint64_t zone)
{
	return image_zone_header_valid(header) && le64_get(header->magic) == NOVA_MAGIC &&
	       le32_get(header->index) == zone && le64_get(header->first_block) == image_zone_start(zone);
}

/* Every pool of this version has the same constants; the other fields of the superblock are lost. */
static bool rebuild_super(struct repair *r, struct nova_super *super)
{
	const uint64_t first_slot = (NOVA_PREAMBLE_BLOCKS + NOVA_ZONE_FIRST_CHUNK) * (NOVA_BLOCK_SIZE / NOVA_SLOT_SIZE);
	const uint64_t zone = image_zone_start(0);

	if (!zone_header_good(repair_block(r, zone + NOVA_ZONE_HEADER_0), 0) &&
	    !zone_header_good(repair_block(r, zone + NOVA_ZONE_HEADER_1), 0))
		return false;
	memset(super, 0, sizeof(*super));
	super->magic = le64_of(NOVA_MAGIC);
	super->version = le32_of(NOVA_FORMAT_VERSION);
	super->created_ns = le64_of(r->now);
	super->block_size = le32_of(NOVA_BLOCK_SIZE);
	super->zone_blocks = le32_of(NOVA_ZONE_BLOCKS);
	super->journal_rings = le32_of(NOVA_JOURNAL_RINGS);
	super->root_ino = le64_of(first_slot);
	super->clients_ino = le64_of(first_slot + 1);
	if (random_fill(super->uuid, sizeof(super->uuid)) != 0)
		memcpy(super->uuid, &r->now, sizeof(r->now));
	uuid_mark(super->uuid);
	super->crc = le32_of(crc32c(CRC_START, super, SUPER_FIXED));
	return true;
}

static int repair_supers(struct repair *r)
{
	bool good[2] = {image_super_valid(super_at(r, 0)), image_super_valid(super_at(r, 1))};
	_Alignas(64) struct nova_super super;

	if (good[0] && good[1] && memcmp(super_at(r, 0), super_at(r, 1), SUPER_FIXED) == 0)
		return 0;
	if (good[0] || good[1])
		memcpy(&super, super_at(r, good[0] ? 0 : 1), sizeof(super));
	else if (!rebuild_super(r, &super))
		return -EINVAL;
	for (int i = 0; i < 2; i++) {
		if (good[0] && (i == 0 || (good[1] && memcmp(super_at(r, i), &super, SUPER_FIXED) == 0)))
			continue;
		if (!good[0] && good[1] && i == 1)
			continue;
		pm_copy(r->pm, super_at(r, i), &super, SUPER_FIXED);
		pm_fence(r->pm);
		repair_say(
		    r, "superblock", 0, super_blocks[i],
		    good[0] || good[1]
		        ? "superblock %d restored from the other"
		        : "superblock %d made again from the format's constants; label, UUID and time of creation "
		          "are lost",
		    i);
	}
	return 0;
}

/* Repair one word in both superblocks; if both copies are lost, or if `always`, its value becomes `otherwise`. */
static void repair_super_word(struct repair *r, enum nova_word_kind kind, const char *name, size_t offset,
                              uint64_t otherwise, bool always)
{
	le64 *copies[2] = {(void *)((uint8_t *)super_at(r, 0) + offset), (void *)((uint8_t *)super_at(r, 1) + offset)};
	struct image_word word = image_word_pick(kind, 0, *copies[0], *copies[1]);
	bool lost = !word.valid[0] && !word.valid[1];
	uint64_t value = lost || always ? otherwise : word.value;

	if (word.valid[0] && word.valid[1] && word.copy[0] == value && word.copy[1] == value)
		return;
	repair_pair(r, copies[0], copies[1], repair_word(kind, 0, value));
	pm_fence(r->pm);
	if (lost)
		repair_say(r, "superblock", 0, 0, "the %s word, lost in both superblocks, set to %llu", name,
		           ull(value));
	else if (always)
		repair_say(r, "superblock", 0, 0, "the %s word set to %llu", name, ull(value));
	else
		repair_say(r, "superblock", 0, 0, "the %s word restored from its good copy", name);
}

/* The blocks that a file system would use: whole chunks, and no last zone without a chunk. */
static uint64_t blocks_held(const struct repair *r)
{
	uint64_t blocks = r->pm->size / NOVA_BLOCK_SIZE / NOVA_CHUNK_BLOCKS * NOVA_CHUNK_BLOCKS;
	uint64_t last = (blocks - NOVA_PREAMBLE_BLOCKS) % NOVA_ZONE_BLOCKS;

	return last <= NOVA_ZONE_FIRST_CHUNK ? blocks - last : blocks;
}

/* ---- zones -------------------------------------------------------------------------------------- */

static void repair_zone_headers(struct repair *r, uint64_t zone)
{
	const uint64_t places[2] = {image_zone_start(zone) + NOVA_ZONE_HEADER_0,
	                            image_zone_start(zone) + NOVA_ZONE_HEADER_1};
	_Alignas(64) struct nova_zone_header header = {.magic = le64_of(NOVA_MAGIC),
	                                               .index = le32_of((uint32_t)zone),
	                                               .first_block = le64_of(image_zone_start(zone))};
	bool good[2];

	for (int i = 0; i < 2; i++) {
		good[i] = zone_header_good(repair_block(r, places[i]), zone);
		if (good[i])
			memcpy(&header, repair_block(r, places[i]), sizeof(header));
	}
	if (!good[0] && !good[1])
		header.crc = le32_of(crc32c(CRC_START, &header, sizeof(header)));
	for (int i = 0; i < 2; i++) {
		if (good[i])
			continue;
		pm_copy(r->pm, repair_block(r, places[i]), &header, sizeof(header));
		pm_fence(r->pm);
		repair_say(r, "zone", 0, places[i], "header %d of zone %llu %s", i, ull(zone),
		           good[!i] ? "restored from the other" : "made again");
	}
}

/* The kind of a chunk by its contents: a chunk of slots has 128 life words. */
static enum nova_chunk_kind judge_chunk(struct repair *r, uint64_t block)
{
	uint64_t first = block * (NOVA_BLOCK_SIZE / NOVA_SLOT_SIZE);
	unsigned found = 0;

	for (uint64_t ino = first; ino < first + NOVA_SLOTS_PER_CHUNK; ino++) {
		const struct nova_slot_words *words = &repair_slot(r, ino)->words;
		struct image_word life = image_word_pick(NOVA_WORD_LIFE, ino, words->life[0], words->life[1]);

		found += life.valid[0] || life.valid[1];
	}
	return found > NOVA_SLOTS_PER_CHUNK / 2 ? NOVA_CHUNK_SLOTS : NOVA_CHUNK_GENERAL;
}

static void repair_chunks(struct repair *r, const struct image *image, uint64_t zone)
{
	uint64_t start = image_zone_start(zone), blocks = image_zone_blocks(image, zone);
	le64 *tables[2] = {repair_block(r, start + NOVA_ZONE_TABLE_0), repair_block(r, start + NOVA_ZONE_TABLE_1)};
	uint64_t restored = 0, judged = 0, slots = 0;

	for (uint64_t b = NOVA_ZONE_FIRST_CHUNK; b + NOVA_CHUNK_BLOCKS <= blocks; b += NOVA_CHUNK_BLOCKS) {
		struct image_word word = image_chunk(image, start + b);
		bool lost = (!word.valid[0] && !word.valid[1]) || word.value > NOVA_CHUNK_SLOTS;
		uint64_t kind = lost ? judge_chunk(r, start + b) : word.value;

		if (!lost && word.valid[0] && word.valid[1])
			continue;
		repair_pair(r, &tables[0][b / NOVA_CHUNK_BLOCKS], &tables[1][b / NOVA_CHUNK_BLOCKS],
		            repair_word(NOVA_WORD_CHUNK, start + b, kind));
		restored += !lost;
		judged += lost;
		slots += lost && kind == NOVA_CHUNK_SLOTS;
	}
	pm_fence(r->pm);
	if (restored)
		repair_say(r, "chunk", 0, start,
		           "%llu words of the chunk table of zone %llu restored from their good copies", ull(restored),
		           ull(zone));
	if (judged)
		repair_say(
		    r, "chunk", 0, start,
		    "%llu words of the chunk table of zone %llu, lost in both copies, made again from the contents of "
		    "the chunks: %llu of them hold inode slots",
		    ull(judged), ull(zone), ull(slots));
}

/* ---- journal ------------------------------------------------------------------------------------ */

/* Store the words of records that are newer than those of the slots, as a mount does. */
static uint64_t apply_journal(struct repair *r, const struct image *image)
{
	uint64_t stored = 0;

	for (uint64_t i = 0; image->overlay && i <= image->overlay_mask; i++) {
		uint64_t ino = image->overlay[i].ino;
		struct nova_slot_words *words;
		struct image_inode inode;
		uint64_t owner;

		/* A record for a place that is no slot is damage, which the checker reports. */
		if (!ino ||
		    image_chunk(image, ino / 8 / NOVA_CHUNK_BLOCKS * NOVA_CHUNK_BLOCKS).value != NOVA_CHUNK_SLOTS ||
		    image_inode(image, ino, &inode))
			continue;
		words = &repair_slot(r, ino)->words;
		owner = ino ^ (uint64_t)inode.generation << 32;
		repair_pair(r, &words->life[0], &words->life[1],
		            repair_word(NOVA_WORD_LIFE, ino, (uint64_t)inode.generation << 8 | inode.life));
		stored++;
		if (!life_has_log(inode.life))
			continue;
		if (inode.tail_known)
			repair_pair(r, &words->tail[0], &words->tail[1],
			            repair_word(NOVA_WORD_TAIL, owner, inode.tail));
		if (inode.head_known && inode.head_replayed)
			repair_pair(r, &words->head[0], &words->head[1],
			            repair_word(NOVA_WORD_HEAD, owner, inode.head));
	}
	pm_fence(r->pm);
	return stored;
}

static bool ring_empty(const struct nova_ring *ring, unsigned number)
{
	struct image_word commit = image_word_pick(NOVA_WORD_COMMIT, number, ring->commit[0], ring->commit[1]);

	return commit.valid[0] && commit.valid[1] && commit.copy[0] == 0 && commit.copy[1] == 0;
}

/* A repair may make a log shorter than a record says, so no old record may be replayed after it. */
static void empty_ring(struct repair *r, unsigned number)
{
	struct nova_ring *ring = repair_block(r, NOVA_JOURNAL_BLOCK + number);

	if (ring_empty(ring, number))
		return;
	repair_pair(r, &ring->commit[0], &ring->commit[1], repair_word(NOVA_WORD_COMMIT, number, 0));
	pm_fence(r->pm);
	pm_zero(r->pm, ring->records, sizeof(ring->records));
	pm_fence(r->pm);
}

static int repair_journal(struct repair *r, struct image *image)
{
	unsigned filled = 0, lost = 0;
	int64_t records = image_replay(image);
	uint64_t slots;

	if (records < 0)
		return (int)records;
	slots = apply_journal(r, image);
	for (unsigned i = 0; i < NOVA_JOURNAL_RINGS; i++) {
		const struct nova_ring *ring = image_ring(image, i);
		struct image_word commit = image_word_pick(NOVA_WORD_COMMIT, i, ring->commit[0], ring->commit[1]);
		const struct nova_record *newest = &ring->records[commit.value % NOVA_RING_RECORDS];
		bool known = commit.valid[0] || commit.valid[1];

		filled += !ring_empty(ring, i);
		lost += !known || (commit.value &&
		                   (!image_record_valid(newest, i) || le64_get(newest->sequence) != commit.value));
		empty_ring(r, i);
	}
	if (filled)
		repair_say(r, "journal", 0, NOVA_JOURNAL_BLOCK,
		           "%llu records of %u rings applied to %llu slots, and the rings emptied",
		           ull((uint64_t)records), filled, ull(slots));
	r->lost = lost != 0;
	if (lost)
		repair_say(r, "journal", 0, NOVA_JOURNAL_BLOCK,
		           "the newest record of %u rings was damaged: one operation of each may be incomplete", lost);
	return 0;
}

/* ---- all ---------------------------------------------------------------------------------------- */

static int open_image(struct repair *r, struct image *image)
{
	const char *why;

	return image_open(image, r->pm->base, r->pm->size, &why);
}

/* The greatest epoch of all valid entries. */
static uint64_t greatest_epoch(struct repair *r)
{
	struct image image;
	uint64_t epoch = 1;

	if (open_image(r, &image))
		return epoch;
	for (uint64_t block = NOVA_PREAMBLE_BLOCKS; block < image.blocks; block += NOVA_CHUNK_BLOCKS) {
		uint64_t first = block * (NOVA_BLOCK_SIZE / NOVA_SLOT_SIZE);

		if (!image_usable_block(&image, block) || image_chunk(&image, block).value != NOVA_CHUNK_SLOTS)
			continue;
		for (uint64_t ino = first; ino < first + NOVA_SLOTS_PER_CHUNK; ino++) {
			struct image_inode inode;
			enum image_step step;
			struct image_log log;

			if (image_inode(&image, ino, &inode) || !life_has_log(inode.life))
				continue;
			image_log_begin(&log, &image, &inode);
			while ((step = image_log_next(&log)) == IMAGE_PAGE || step == IMAGE_ENTRY)
				if (step == IMAGE_ENTRY && log.entry->type != NOVA_ENTRY_PAD &&
				    le32_get(log.entry->epoch) > epoch)
					epoch = le32_get(log.entry->epoch);
		}
	}
	image_close(&image);
	return epoch;
}

int repair_structures(struct repair *r)
{
	struct image image;
	int rc;

	if (r->pm->size / NOVA_BLOCK_SIZE < NOVA_MIN_POOL_BLOCKS)
		return -EINVAL;
	rc = repair_supers(r);
	if (rc)
		return rc;
	repair_super_word(r, NOVA_WORD_BLOCKS, "blocks", offsetof(struct nova_super, blocks), blocks_held(r), false);
	rc = open_image(r, &image);
	if (rc)
		return rc;
	for (uint64_t zone = 0; zone < image_zones(&image); zone++) {
		repair_zone_headers(r, zone);
		repair_chunks(r, &image, zone);
	}
	rc = repair_journal(r, &image);
	image_close(&image);
	if (rc)
		return rc;
	repair_super_word(r, NOVA_WORD_CLEAN, "clean", offsetof(struct nova_super, clean), 0, false);
	repair_super_word(r, NOVA_WORD_EPOCH, "epoch", offsetof(struct nova_super, epoch), greatest_epoch(r), false);
	repair_super_word(r, NOVA_WORD_DEVICE, "device", offsetof(struct nova_super, device), 0, false);
	repair_super_word(r, NOVA_WORD_OWNER, "owner", offsetof(struct nova_super, owner), 0, false);
	repair_super_word(r, NOVA_WORD_BEAT, "beat", offsetof(struct nova_super, beat), 0, false);
	repair_super_word(r, NOVA_WORD_HOST, "host", offsetof(struct nova_super, host), 0, false);
	repair_super_word(r, NOVA_WORD_CHECKPOINT, "saved state", offsetof(struct nova_super, checkpoint), 0, true);
	return 0;
}

bool repair_epoch(struct repair *r, uint64_t epoch)
{
	if (epoch <= r->check->epoch)
		return false;
	r->check->epoch = epoch;
	repair_super_word(r, NOVA_WORD_EPOCH, "epoch", offsetof(struct nova_super, epoch), epoch, true);
	return true;
}
