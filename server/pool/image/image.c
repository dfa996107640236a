/*
 * image.c -- reads and checks superblocks, words, slots and journal records of an unmounted pool.
 */
#include "server/pool/image/image.h"

#include "common/crc.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define CRC_START 0xffffffffu

/* CRC over `size` bytes with the 4 bytes at `hole` taken as zero. */
static uint32_t crc_with_hole(uint32_t crc, const void *data, size_t size, size_t hole)
{
	static const uint8_t zeros[4];
	const uint8_t *p = data;

	crc = crc32c(crc, p, hole);
	crc = crc32c(crc, zeros, sizeof(zeros));
	return crc32c(crc, p + hole + 4, size - hole - 4);
}

static uint32_t crc_u32(uint32_t crc, uint32_t value)
{
	le32 stored = le32_of(value);

	return crc32c(crc, &stored, sizeof(stored));
}

/* ---- words -------------------------------------------------------------------------------------- */

/* zero_is_valid -- of OWNER, BEAT and HOST a pool has 0 until a server stores them. A power failure in the middle of
 * the first store leaves one copy at 0. */
static bool zero_is_valid(enum nova_word_kind kind)
{
	return kind == NOVA_WORD_OWNER || kind == NOVA_WORD_BEAT || kind == NOVA_WORD_HOST;
}

bool image_word_value(enum nova_word_kind kind, uint64_t owner, le64 stored, uint64_t *value)
{
	uint64_t raw = le64_get(stored);
	le64 rest = le64_of(owner >> 56 | raw >> 16 << 8);
	uint32_t crc;
	uint16_t folded;

	*value = raw >> 16;
	if (raw == 0)
		return zero_is_valid(kind);
	/* 15 bytes: kind, owner, value. A large pool has many words, so this avoids work byte by byte. */
	crc = crc32c(crc32c_u64(CRC_START, (uint64_t)kind | owner << 8), &rest, 7);
	folded = (uint16_t)(crc >> 16 ^ crc);
	if (folded == 0)
		folded = 0xffff;
	return folded == (uint16_t)raw;
}

struct image_word image_word_pick(enum nova_word_kind kind, uint64_t owner, le64 first, le64 second)
{
	struct image_word word = {0};

	word.valid[0] = image_word_value(kind, owner, first, &word.copy[0]);
	word.valid[1] = word.valid[0];
	word.copy[1] = word.copy[0];
	if (le64_get(first) != le64_get(second))
		word.valid[1] = image_word_value(kind, owner, second, &word.copy[1]);
	if (word.valid[0])
		word.value = word.copy[0];
	if (word.valid[1] && (!word.valid[0] || word.copy[1] > word.value))
		word.value = word.copy[1];
	return word;
}

static bool known(const struct image_word *word)
{
	return word->valid[0] || word->valid[1];
}

/* ---- places ------------------------------------------------------------------------------------- */

const void *image_block(const struct image *image, uint64_t block)
{
	if (block >= image->size / NOVA_BLOCK_SIZE)
		return NULL;
	return image->base + block * NOVA_BLOCK_SIZE;
}

const struct nova_super *image_super(const struct image *image, int copy)
{
	return image_block(image, copy == 0 ? NOVA_SUPER_BLOCK_0 : NOVA_SUPER_BLOCK_1);
}

const struct nova_ring *image_ring(const struct image *image, unsigned ring)
{
	return ring < NOVA_JOURNAL_RINGS ? image_block(image, NOVA_JOURNAL_BLOCK + ring) : NULL;
}

uint64_t image_zones(const struct image *image)
{
	return (image->blocks - NOVA_PREAMBLE_BLOCKS + NOVA_ZONE_BLOCKS - 1) / NOVA_ZONE_BLOCKS;
}

uint64_t image_zone_start(uint64_t zone)
{
	return NOVA_PREAMBLE_BLOCKS + zone * NOVA_ZONE_BLOCKS;
}

uint64_t image_zone_of(uint64_t block)
{
	return (block - NOVA_PREAMBLE_BLOCKS) / NOVA_ZONE_BLOCKS;
}

uint64_t image_zone_blocks(const struct image *image, uint64_t zone)
{
	uint64_t left = image->blocks - image_zone_start(zone);

	return left < NOVA_ZONE_BLOCKS ? left : NOVA_ZONE_BLOCKS;
}

bool image_usable_block(const struct image *image, uint64_t block)
{
	if (block < NOVA_PREAMBLE_BLOCKS || block >= image->blocks)
		return false;
	return (block - NOVA_PREAMBLE_BLOCKS) % NOVA_ZONE_BLOCKS >= NOVA_ZONE_FIRST_CHUNK;
}

const struct nova_slot *image_slot(const struct image *image, uint64_t ino)
{
	const uint64_t per_block = NOVA_BLOCK_SIZE / NOVA_SLOT_SIZE;

	if (!image_usable_block(image, ino / per_block))
		return NULL;
	return (const struct nova_slot *)(const void *)(image->base + ino * NOVA_SLOT_SIZE);
}

struct image_word image_chunk(const struct image *image, uint64_t block)
{
	uint64_t in_zone = (block - NOVA_PREAMBLE_BLOCKS) % NOVA_ZONE_BLOCKS;
	uint64_t start = block - in_zone;
	uint64_t index = in_zone / NOVA_CHUNK_BLOCKS;
	const le64 *first = image_block(image, start + NOVA_ZONE_TABLE_0);
	const le64 *second = image_block(image, start + NOVA_ZONE_TABLE_1);

	return image_word_pick(NOVA_WORD_CHUNK, block, first[index], second[index]);
}

/* ---- structures --------------------------------------------------------------------------------- */

bool image_super_valid(const struct nova_super *super)
{
	return le64_get(super->magic) == NOVA_MAGIC &&
	       crc_with_hole(CRC_START, super, 256, offsetof(struct nova_super, crc)) == le32_get(super->crc);
}

bool image_zone_header_valid(const struct nova_zone_header *header)
{
	return crc_with_hole(CRC_START, header, sizeof(*header), offsetof(struct nova_zone_header, crc)) ==
	       le32_get(header->crc);
}

bool image_slot_header_valid(const struct nova_slot_header *header, uint64_t ino, uint32_t generation)
{
	uint32_t crc = crc_u32(crc32c_u64(CRC_START, ino), generation);

	return crc32c(crc, &header->type, sizeof(*header) - 4) == le32_get(header->crc);
}

bool image_record_valid(const struct nova_record *record, unsigned ring)
{
	uint32_t crc = crc_u32(CRC_START, ring);

	size_t bytes = record->count <= 2 ? 64 : sizeof(*record); /* up to two words fit into its first line */

	return crc32c(crc, &record->count, bytes - 4) == le32_get(record->crc);
}

int image_open(struct image *image, const void *base, uint64_t size, const char **why)
{
	const struct nova_super *super;
	struct image_word blocks;

	*image = (struct image){.base = base, .size = size};
	if (size / NOVA_BLOCK_SIZE < NOVA_MIN_POOL_BLOCKS) {
		*why = "it is smaller than the smallest pool (10 MiB)";
		return -EINVAL;
	}
	super = image_super(image, 0);
	if (!image_super_valid(super))
		super = image_super(image, 1);
	if (!image_super_valid(super)) {
		*why = "neither superblock is valid: not a farnova pool, or mkfs did not finish";
		return -EINVAL;
	}
	if (le32_get(super->version) < NOVA_FORMAT_VERSION) {
		*why = "its format version is older than this program reads: serve it with the older farnova and copy "
		       "its files to a new pool";
		return -EPROTONOSUPPORT;
	}
	if (le32_get(super->version) != NOVA_FORMAT_VERSION || le64_get(super->incompat) & ~NOVA_KNOWN_INCOMPAT) {
		*why = "its format version or features are newer than this program; use a newer farnova";
		return -EPROTONOSUPPORT;
	}
	image->super = super;
	blocks = image_word_pick(NOVA_WORD_BLOCKS, 0, image_super(image, 0)->blocks, image_super(image, 1)->blocks);
	if (!known(&blocks) || blocks.value < NOVA_MIN_POOL_BLOCKS || blocks.value % NOVA_CHUNK_BLOCKS != 0) {
		*why = "neither superblock has a valid number of blocks";
		return -EINVAL;
	}
	if (blocks.value > size / NOVA_BLOCK_SIZE) {
		*why = "the pool has fewer blocks than its superblock says: it was cut off";
		return -ENODATA;
	}
	image->blocks = blocks.value;
	return 0;
}

void image_close(struct image *image)
{
	free(image->overlay);
	image->overlay = NULL;
}

/* ---- journal ------------------------------------------------------------------------------------ */

static struct image_overlay *overlay_slot(const struct image *image, uint64_t ino)
{
	uint64_t i = (ino * 0x9e3779b97f4a7c15ULL >> 32) & image->overlay_mask;

	while (image->overlay[i].ino != 0 && image->overlay[i].ino != ino)
		i = (i + 1) & image->overlay_mask;
	return &image->overlay[i];
}

/* A head is applied with the tail of the same inode in its record, because block numbers have no order. */
static void overlay_head(struct image_overlay *slot, const struct nova_record *record, unsigned count, uint64_t head,
                         uint32_t generation)
{
	for (unsigned i = 0; i < count; i++) {
		uint64_t target = le64_get(record->words[i].target);
		uint64_t tail = le64_get(record->words[i].word) >> 16;

		if (target >> 8 != slot->ino || (target & 0xff) != NOVA_WORD_TAIL)
			continue;
		if (slot->mask & 1u << NOVA_WORD_HEAD &&
		    (slot->head_generation > generation ||
		     (slot->head_generation == generation && slot->head_tail > tail)))
			continue;
		slot->mask |= 1u << NOVA_WORD_HEAD;
		slot->head = head;
		slot->head_tail = tail;
		slot->head_generation = generation;
	}
}

static void overlay_record(struct image *image, const struct nova_record *record)
{
	unsigned count = record->count <= NOVA_RECORD_WORDS ? record->count : NOVA_RECORD_WORDS;

	for (unsigned i = 0; i < count; i++) {
		const struct nova_record_word *word = &record->words[i];
		uint64_t ino = le64_get(word->target) >> 8;
		unsigned kind = le64_get(word->target) & 0xff;
		uint64_t value = le64_get(word->word) >> 16;
		uint32_t generation = le32_get(word->generation);
		struct image_overlay *slot;

		if (!image_slot(image, ino))
			continue;
		slot = overlay_slot(image, ino);
		slot->ino = ino;
		if (kind == NOVA_WORD_LIFE && (!(slot->mask & 1u << kind) || value > slot->life)) {
			slot->mask |= 1u << kind;
			slot->life = value;
		} else if (kind == NOVA_WORD_TAIL &&
		           (!(slot->mask & 1u << kind) || generation > slot->tail_generation ||
		            (generation == slot->tail_generation && value > slot->tail))) {
			slot->mask |= 1u << kind;
			slot->tail = value;
			slot->tail_generation = generation;
		} else if (kind == NOVA_WORD_HEAD) {
			overlay_head(slot, record, count, value, generation);
		}
	}
}

static uint64_t ring_committed(const struct image *image, unsigned ring)
{
	const struct nova_ring *r = image_ring(image, ring);

	return image_word_pick(NOVA_WORD_COMMIT, ring, r->commit[0], r->commit[1]).value;
}

int64_t image_replay(struct image *image)
{
	uint64_t records = 0, slots = 16;
	int64_t replayed = 0;

	for (unsigned ring = 0; ring < NOVA_JOURNAL_RINGS; ring++) {
		uint64_t committed = ring_committed(image, ring);

		records += committed < NOVA_RING_RECORDS ? committed : NOVA_RING_RECORDS;
	}
	if (records == 0)
		return 0;
	while (slots < records * NOVA_RECORD_WORDS * 2)
		slots *= 2;
	image->overlay = calloc(slots, sizeof(*image->overlay));
	if (!image->overlay)
		return -ENOMEM;
	image->overlay_mask = slots - 1;
	for (unsigned ring = 0; ring < NOVA_JOURNAL_RINGS; ring++) {
		uint64_t committed = ring_committed(image, ring);
		uint64_t first = committed > NOVA_RING_RECORDS ? committed - NOVA_RING_RECORDS + 1 : 1;

		for (uint64_t sequence = first; sequence <= committed; sequence++) {
			const struct nova_record *record =
			    &image_ring(image, ring)->records[sequence % NOVA_RING_RECORDS];

			/* The next record may already be partly written over the oldest: then sequence or CRC differ. */
			if (!image_record_valid(record, ring) || le64_get(record->sequence) != sequence)
				continue;
			overlay_record(image, record);
			replayed++;
		}
	}
	return replayed;
}

/* ---- inodes ------------------------------------------------------------------------------------- */

static const struct image_overlay *overlay_of(const struct image *image, uint64_t ino)
{
	const struct image_overlay *slot;

	if (!image->overlay)
		return NULL;
	slot = overlay_slot(image, ino);
	return slot->ino == ino ? slot : NULL;
}

static void judge_log_words(struct image_inode *inode, const struct image_overlay *overlay)
{
	const struct nova_slot_words *words = &inode->slot->words;
	uint64_t owner = inode->ino ^ (uint64_t)inode->generation << 32;

	inode->tail_word = image_word_pick(NOVA_WORD_TAIL, owner, words->tail[0], words->tail[1]);
	inode->head_word = image_word_pick(NOVA_WORD_HEAD, owner, words->head[0], words->head[1]);
	inode->tail_known = known(&inode->tail_word);
	inode->head_known = known(&inode->head_word);
	inode->tail = inode->tail_word.value;
	inode->head = inode->head_word.value;
	if (!overlay)
		return;
	if (overlay->mask & 1u << NOVA_WORD_HEAD && overlay->head_generation == inode->generation &&
	    (!inode->tail_known || overlay->head_tail >= inode->tail)) {
		inode->head = overlay->head;
		inode->head_replayed = true;
		inode->head_known = true;
	}
	if (overlay->mask & 1u << NOVA_WORD_TAIL && overlay->tail_generation == inode->generation &&
	    (!inode->tail_known || overlay->tail > inode->tail)) {
		inode->tail = overlay->tail;
		inode->tail_known = true;
	}
}

int image_inode(const struct image *image, uint64_t ino, struct image_inode *inode)
{
	const struct image_overlay *overlay = overlay_of(image, ino);
	uint64_t life;

	*inode = (struct image_inode){.ino = ino, .slot = image_slot(image, ino)};
	if (!inode->slot)
		return -EINVAL;
	inode->life_word = image_word_pick(NOVA_WORD_LIFE, ino, inode->slot->words.life[0], inode->slot->words.life[1]);
	life = inode->life_word.value;
	if (overlay && overlay->mask & 1u << NOVA_WORD_LIFE && overlay->life > life)
		life = overlay->life;
	else if (!known(&inode->life_word))
		return -EIO;
	inode->generation = (uint32_t)(life >> 8);
	inode->life = (enum nova_life)(life & 0xff);
	if (life_has_log(inode->life))
		judge_log_words(inode, overlay);
	return 0;
}
