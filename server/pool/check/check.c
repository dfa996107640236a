/*
 * check.c -- checks superblocks, zones, chunk tables and the journal, and runs the whole check.
 */
#include "server/pool/check/check.h"

#include "server/pool/check/check_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#define PROGRESS_SLOTS 64u

static unsigned long long ull(uint64_t v)
{
	return v;
}

/* ---- superblocks and zones ---------------------------------------------------------------------- */

static void check_super_word(struct check *check, const char *what, enum nova_word_kind kind, size_t offset)
{
	le64 copies[2];
	struct image_word word;

	for (int i = 0; i < 2; i++)
		memcpy(&copies[i], (const uint8_t *)image_super(&check->image, i) + offset, sizeof(copies[i]));
	word = image_word_pick(kind, 0, copies[0], copies[1]);
	for (int i = 0; i < 2; i++)
		if (!word.valid[i])
			check_say(check, "superblock", 0, i ? NOVA_SUPER_BLOCK_1 : NOVA_SUPER_BLOCK_0,
			          "the %s word of superblock %d is damaged", what, i);
	if (kind == NOVA_WORD_EPOCH)
		check->epoch = word.value;
	if (kind == NOVA_WORD_CLEAN)
		check->report->clean = word.value & 1;
	if (kind == NOVA_WORD_CHECKPOINT && word.value && !image_usable_block(&check->image, word.value))
		check_say(check, "superblock", 0, word.value, "the saved allocation state is not in a usable block");
}

static void check_superblocks(struct check *check)
{
	const struct nova_super *super = check->image.super;
	const struct nova_super *copy[2] = {image_super(&check->image, 0), image_super(&check->image, 1)};

	for (int i = 0; i < 2; i++)
		if (!image_super_valid(copy[i]))
			check_say(check, "superblock", 0, i ? NOVA_SUPER_BLOCK_1 : NOVA_SUPER_BLOCK_0,
			          "superblock %d is damaged", i);
		else if (memcmp(copy[i], super, 256) != 0)
			check_say(
			    check, "superblock", 0, i ? NOVA_SUPER_BLOCK_1 : NOVA_SUPER_BLOCK_0,
			    "the superblocks differ: one is of another pool or format run, or a change of the UUID "
			    "was cut off");
	if (le32_get(super->block_size) != NOVA_BLOCK_SIZE || le32_get(super->zone_blocks) != NOVA_ZONE_BLOCKS ||
	    le32_get(super->journal_rings) != NOVA_JOURNAL_RINGS)
		check_say(check, "superblock", 0, 0,
		          "block size, zone size or number of journal rings is not of this version");
	check->root = le64_get(super->root_ino);
	check->clients = le64_get(super->clients_ino);
	check_super_word(check, "clean", NOVA_WORD_CLEAN, offsetof(struct nova_super, clean));
	check_super_word(check, "epoch", NOVA_WORD_EPOCH, offsetof(struct nova_super, epoch));
	check_super_word(check, "blocks", NOVA_WORD_BLOCKS, offsetof(struct nova_super, blocks));
	check_super_word(check, "saved", NOVA_WORD_CHECKPOINT, offsetof(struct nova_super, checkpoint));
	check_super_word(check, "device", NOVA_WORD_DEVICE, offsetof(struct nova_super, device));
	check_super_word(check, "owner", NOVA_WORD_OWNER, offsetof(struct nova_super, owner));
	check_super_word(check, "beat", NOVA_WORD_BEAT, offsetof(struct nova_super, beat));
	check_super_word(check, "host", NOVA_WORD_HOST, offsetof(struct nova_super, host));
}

static void check_zone_header(struct check *check, uint64_t zone, uint64_t block)
{
	const struct nova_zone_header *header = image_block(&check->image, block);

	if (!image_zone_header_valid(header) || le64_get(header->magic) != NOVA_MAGIC)
		check_say(check, "zone", 0, block, "a header of zone %llu is damaged", ull(zone));
	else if (le32_get(header->index) != zone || le64_get(header->first_block) != image_zone_start(zone))
		check_say(check, "zone", 0, block, "a header of zone %llu says it is zone %u at block %llu", ull(zone),
		          le32_get(header->index), ull(le64_get(header->first_block)));
}

static void check_zone(struct check *check, uint64_t zone)
{
	uint64_t start = image_zone_start(zone), blocks = image_zone_blocks(&check->image, zone);

	if (blocks <= NOVA_ZONE_FIRST_CHUNK)
		return; /* too short to hold anything */
	check_zone_header(check, zone, start + NOVA_ZONE_HEADER_0);
	check_zone_header(check, zone, start + NOVA_ZONE_HEADER_1);
	for (uint64_t b = NOVA_ZONE_FIRST_CHUNK; b + NOVA_CHUNK_BLOCKS <= blocks; b += NOVA_CHUNK_BLOCKS) {
		struct image_word word = image_chunk(&check->image, start + b);

		for (int i = 0; i < 2; i++)
			if (!word.valid[i])
				check_say(check, "chunk", 0, start + b,
				          "copy %d of the chunk table's word for it is damaged", i);
		if (word.value != NOVA_CHUNK_GENERAL && word.value != NOVA_CHUNK_SLOTS)
			check_say(check, "chunk", 0, start + b, "is of unknown kind %llu", ull(word.value));
		if (word.value != NOVA_CHUNK_SLOTS)
			continue;
		check->report->slot_chunks++;
		check_set_owner(check, start + b, NOVA_CHUNK_BLOCKS, CHECK_SLOTS);
	}
}

/* ---- journal ------------------------------------------------------------------------------------ */

/* A clean unmount has stored the words of all records in the slots, and the next mount does not read the records. */
static void check_applied(struct check *check, uint64_t ino, enum nova_word_kind kind, uint64_t owner, uint64_t value)
{
	const struct nova_slot_words *words = &image_slot(&check->image, ino)->words;
	const le64 *pair = kind == NOVA_WORD_LIFE ? words->life : words->tail;
	struct image_word in_slot;

	if (kind == NOVA_WORD_HEAD)
		return; /* block numbers have no order; the check of the log's pages finds a wrong head */
	in_slot = image_word_pick(kind, owner, pair[0], pair[1]);
	/* Slot words of another generation, and damaged ones, are checked elsewhere. */
	if ((in_slot.valid[0] || in_slot.valid[1]) && in_slot.value < value)
		check_say(check, "journal", ino, 0, "its %s word is older than in a record, though the pool is clean",
		          kind == NOVA_WORD_LIFE ? "life" : "tail");
}

static void check_record_word(struct check *check, unsigned ring, const struct nova_record_word *word)
{
	uint64_t ino = le64_get(word->target) >> 8;
	unsigned kind = le64_get(word->target) & 0xff;
	uint64_t owner = ino, value;

	if (kind != NOVA_WORD_LIFE && kind != NOVA_WORD_TAIL && kind != NOVA_WORD_HEAD) {
		check_say(check, "journal", ino, 0, "a record of ring %u changes a word of kind %u", ring, kind);
		return;
	}
	if (!image_slot(&check->image, ino)) {
		check_say(check, "journal", ino, 0, "a record of ring %u changes a word outside the inode slots", ring);
		return;
	}
	if (kind != NOVA_WORD_LIFE)
		owner ^= (uint64_t)le32_get(word->generation) << 32;
	if (!image_word_value((enum nova_word_kind)kind, owner, word->word, &value))
		check_say(check, "journal", ino, 0, "a record of ring %u holds a word that fails its CRC", ring);
	else if (check->report->clean)
		check_applied(check, ino, (enum nova_word_kind)kind, owner, value);
}

static void check_ring(struct check *check, unsigned number)
{
	const struct nova_ring *ring = image_ring(&check->image, number);
	uint64_t block = NOVA_JOURNAL_BLOCK + number;
	struct image_word commit = image_word_pick(NOVA_WORD_COMMIT, number, ring->commit[0], ring->commit[1]);
	uint64_t first = commit.value > NOVA_RING_RECORDS ? commit.value - NOVA_RING_RECORDS + 1 : 1;

	for (int i = 0; i < 2; i++)
		if (!commit.valid[i])
			check_say(check, "journal", 0, block, "copy %d of the commit word of ring %u is damaged", i,
			          number);
	for (uint64_t sequence = first; sequence <= commit.value; sequence++) {
		const struct nova_record *record = &ring->records[sequence % NOVA_RING_RECORDS];

		if (!image_record_valid(record, number)) {
			/* Only the place of the next record may be half written. */
			if (sequence + NOVA_RING_RECORDS != commit.value + 1)
				check_say(check, "journal", 0, block, "record %llu of ring %u is damaged",
				          ull(sequence), number);
			continue;
		}
		if (le64_get(record->sequence) != sequence) {
			if (le64_get(record->sequence) != commit.value + 1)
				check_say(check, "journal", 0, block,
				          "record %llu of ring %u is in the place of record %llu",
				          ull(le64_get(record->sequence)), number, ull(sequence));
			continue;
		}
		if (record->count == 0 || record->count > NOVA_RECORD_WORDS) {
			check_say(check, "journal", 0, block, "record %llu of ring %u has %u words", ull(sequence),
			          number, record->count);
			continue;
		}
		for (unsigned i = 0; i < record->count; i++)
			check_record_word(check, number, &record->words[i]);
	}
}

/* ---- inodes ------------------------------------------------------------------------------------- */

static void count_inode(struct check_report *report, const struct check_inode *inode)
{
	if (inode->orphan)
		report->orphans++;
	switch ((mode_t)inode->type << 12) {
	case S_IFREG:
		report->files++;
		break;
	case S_IFDIR:
		report->directories++;
		break;
	case S_IFLNK:
		report->symlinks++;
		break;
	default:
		report->others++;
	}
}

static void check_slot(struct check *check, uint64_t ino)
{
	struct check_inode *inodes, *inode;
	struct image_inode words;

	if (image_inode(&check->image, ino, &words)) {
		check_say(check, "inode", ino, 0, "no copy of its life word is valid");
		check_fix(check, FIX_LIFE, ino, 0, 0, 0);
		return;
	}
	for (int i = 0; i < 2; i++)
		if (!words.life_word.valid[i]) {
			check_say(check, "inode", ino, 0, "copy %d of its life word is damaged", i);
			check_fix(check, FIX_WORDS, ino, 0, 0, 0);
		}
	if (!life_known(words.life)) {
		check_say(check, "inode", ino, 0, "is in unknown state %d", (int)words.life);
		check_fix(check, FIX_LIFE, ino, 0, 0, 0);
	}
	if (!life_has_log(words.life))
		return;
	inodes = check_grow(check, check->inodes, check->inode_count, &check->inode_room, sizeof(*inodes));
	if (!inodes)
		return;
	check->inodes = inodes;
	inode = &inodes[check->inode_count++];
	*inode = (struct check_inode){.ino = ino, .orphan = words.life != NOVA_LIFE_ALLOCATED};
	check_inode_log(check, &words, inode);
	if (ino != check->clients)
		count_inode(check->report, inode);
}

static void check_slots(struct check *check)
{
	const uint64_t per_block = NOVA_BLOCK_SIZE / NOVA_SLOT_SIZE;
	const uint64_t slots = check->report->slot_chunks * NOVA_SLOTS_PER_CHUNK;
	uint64_t done = 0;

	for (uint64_t zone = 0; zone < image_zones(&check->image); zone++) {
		uint64_t start = image_zone_start(zone), blocks = image_zone_blocks(&check->image, zone);

		for (uint64_t b = NOVA_ZONE_FIRST_CHUNK; b + NOVA_CHUNK_BLOCKS <= blocks; b += NOVA_CHUNK_BLOCKS) {
			if (!check_is_slots(check, start + b))
				continue;
			for (uint64_t i = 0; i < NOVA_SLOTS_PER_CHUNK && !check->error; i++, done++) {
				if (done % PROGRESS_SLOTS == 0)
					check_progress(check, "inodes", done, slots);
				check_slot(check, (start + b) * per_block + i);
			}
		}
	}
}

static void count_free(struct check *check)
{
	check->report->blocks = check->image.blocks;
	for (uint64_t zone = 0; zone < image_zones(&check->image); zone++)
		for (uint64_t word = 0; word * 64 < image_zone_blocks(&check->image, zone); word++) {
			uint64_t there, used = check_used(check, zone, word, &there);

			check->report->free_blocks += (uint64_t)__builtin_popcountll(there & ~used);
		}
}

int check_begin(struct check *check, const void *base, uint64_t size, struct check_report *report, const char **why)
{
	size_t owners;
	int rc;

	*check = (struct check){.report = report};
	*report = (struct check_report){.finding = report->finding,
	                                .progress = report->progress,
	                                .project = report->project,
	                                .client = report->client,
	                                .intent = report->intent,
	                                .context = report->context};
	rc = image_open(&check->image, base, size, why);
	if (rc)
		return rc;
	owners = (check->image.blocks * sizeof(*check->owner) + 63) / 64 * 64;
	check->owner_bytes = owners + (check->image.blocks / 64 + 1) * sizeof(*check->used);
	check->owner =
	    mmap(NULL, check->owner_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (check->owner == MAP_FAILED) {
		check->owner = NULL;
		check_end(check);
		return -ENOMEM;
	}
	check->used = (uint64_t *)(void *)((uint8_t *)check->owner + owners);
	return 0;
}

int check_run(struct check *check)
{
	int64_t replayed;

	check_superblocks(check);
	for (uint64_t zone = 0; zone < image_zones(&check->image); zone++)
		check_zone(check, zone);
	for (unsigned ring = 0; ring < NOVA_JOURNAL_RINGS; ring++)
		check_ring(check, ring);
	replayed = image_replay(&check->image);
	if (replayed < 0)
		return (int)replayed;
	check->report->replayed_records = (uint64_t)replayed;
	check_slots(check);
	check_claim_late(check);
	if (check->error)
		return check->error;
	check_tree(check);
	check_clients(check);
	check_checkpoint(check);
	count_free(check);
	for (size_t i = 0; check->report->project && i < check->project_count; i++)
		check->report->project(check->report, &check->projects[i]);
	return check->error;
}

void check_end(struct check *check)
{
	image_close(&check->image);
	if (check->owner)
		munmap(check->owner, check->owner_bytes);
	free(check->inodes);
	free(check->names);
	free(check->projects);
	free(check->fixes);
	free(check->late);
	free(check->client_runs);
}

int nova_check(const void *base, uint64_t size, struct check_report *report)
{
	struct check check;
	const char *why;
	int rc = check_begin(&check, base, size, report, &why);

	if (rc == -ENOMEM)
		return rc;
	if (rc) {
		check_say(&check, "superblock", 0, 0, "%s", why);
		return 1;
	}
	rc = check_run(&check);
	check_end(&check);
	if (rc)
		return rc;
	return report->errors ? 1 : 0;
}
