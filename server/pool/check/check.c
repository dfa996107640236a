/*
 * check.c -- checks what is not of one inode: superblocks, zones, chunk tables, journals, the use of blocks.
 */
#include "server/pool/check/check.h"

#include "server/pool/check/check_internal.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#define PROGRESS_SLOTS 64u

static unsigned long long ull(uint64_t v)
{
	return v;
}

void check_say(struct check *check, const char *part, uint64_t ino, uint64_t block, const char *format, ...)
{
	struct check_finding finding = {.part = part, .ino = ino, .block = block};
	char text[320];
	va_list args;

	check->report->errors++;
	if (!check->report->finding)
		return;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	finding.text = text;
	check->report->finding(check->report, &finding);
}

void *check_grow(struct check *check, void *array, size_t count, size_t *room, size_t size)
{
	size_t wanted = *room ? *room * 2 : 16;
	void *grown;

	if (count < *room)
		return array;
	grown = reallocarray(array, wanted, size);
	if (!grown) {
		check->error = -ENOMEM;
		return NULL;
	}
	*room = wanted;
	return grown;
}

void check_fix(struct check *check, enum check_fix_kind kind, uint64_t ino, uint64_t a, uint64_t b, uint64_t c)
{
	struct check_fix *fixes;

	if (!check->repairing)
		return;
	fixes = check_grow(check, check->fixes, check->fix_count, &check->fix_room, sizeof(*fixes));
	if (!fixes)
		return;
	check->fixes = fixes;
	fixes[check->fix_count++] = (struct check_fix){kind, ino, a, b, c};
}

/* ---- use of blocks ------------------------------------------------------------------------------ */

static void set_owner(struct check *check, uint64_t first, uint64_t count, uint32_t owner)
{
	for (uint64_t block = first; block < first + count; block++) {
		check->owner[block] = owner;
		check->used[block / 64] |= 1ULL << block % 64;
	}
}

bool check_is_slots(const struct check *check, uint64_t block)
{
	return (check->used[block / 64] >> block % 64 & 1) && check->owner[block] == CHECK_SLOTS;
}

uint64_t check_used(const struct check *check, uint64_t zone, uint64_t word, uint64_t *there)
{
	uint64_t left = image_zone_blocks(&check->image, zone) - word * 64;

	*there = left < 64 ? (1ULL << left) - 1 : ~0ULL;
	if (word * 64 < NOVA_ZONE_FIRST_CHUNK)
		return *there;
	return check->used[image_zone_start(zone) / 64 + word];
}
static_assert(NOVA_PREAMBLE_BLOCKS % 64 == 0 && NOVA_ZONE_BLOCKS % 64 == 0 && NOVA_ZONE_FIRST_CHUNK % 64 == 0,
              "zones and what is usable in them begin with a word of the map");

/* All at once where nothing is wrong, as nearly always; else nothing, and each block has to be looked at. */
static bool claim_run(struct check *check, const struct check_inode *inode, uint64_t first, uint64_t count)
{
	uint64_t last = first + count - 1;

	if (count == 0 || count > NOVA_ZONE_BLOCKS || !image_usable_block(&check->image, first) ||
	    !image_usable_block(&check->image, last) || image_zone_of(first) != image_zone_of(last))
		return false;
	for (uint64_t block = first; block <= last; block++)
		if (check->owner[block])
			return false;
	set_owner(check, first, count, (uint32_t)(inode - check->inodes) + 1);
	return true;
}

/* One block; false, and told, if it cannot be the inode's. */
static bool claim_block(struct check *check, const struct check_inode *inode, const char *what, uint64_t block)
{
	uint32_t owner = check->owner[block];

	if (owner == CHECK_SLOTS)
		check_say(check, "block", inode->ino, block, "%s lies in block %llu, in a chunk of inode slots", what,
		          ull(block));
	else if (owner != 0)
		check_say(check, "block", inode->ino, block, "%s lies in block %llu, which inode %llu uses too", what,
		          ull(block), ull(check->inodes[owner - 1].ino));
	else
		set_owner(check, block, 1, (uint32_t)(inode - check->inodes) + 1);
	return owner == 0;
}

static bool usable(struct check *check, const struct check_inode *inode, const char *what, uint64_t block)
{
	if (image_usable_block(&check->image, block))
		return true;
	check_say(check, "block", inode->ino, block, "%s lies in block %llu, in a metadata area or outside", what,
	          ull(block));
	return false;
}

void check_claim(struct check *check, const struct check_inode *inode, const char *what, uint64_t first, uint64_t count)
{
	if (claim_run(check, inode, first, count))
		return;
	for (uint64_t block = first; block < first + count && usable(check, inode, what, block); block++)
		claim_block(check, inode, what, block);
}

/* The `count` blocks before the i-th of the claim are not the inode's. */
static void ask_for_fix(struct check *check, const struct check_late_claim *claim, uint64_t i, uint64_t *count)
{
	uint64_t ino = check->inodes[claim->inode].ino;

	if (*count && claim->content == CHECK_TARGET)
		check_fix(check, FIX_REMOVE, ino, 0, 0, 0);
	else if (*count && claim->content == CHECK_XATTR)
		check_fix(check, FIX_ENTRY, ino, claim->at, 0, 0);
	else if (*count)
		check_fix(check, FIX_HOLE, ino, claim->at + i - *count, *count, 0);
	*count = 0;
}

static void claim_content_now(struct check *check, const struct check_late_claim *claim)
{
	static const char *const what[] = {
	    [CHECK_DATA] = "data", [CHECK_TARGET] = "symlink target", [CHECK_XATTR] = "extended attribute"};
	const struct check_inode *inode = &check->inodes[claim->inode];
	uint64_t foreign = 0;

	if (claim_run(check, inode, claim->block, claim->count))
		return;
	for (uint64_t i = 0; i < claim->count; i++) {
		if (usable(check, inode, what[claim->content], claim->block + i) &&
		    claim_block(check, inode, what[claim->content], claim->block + i)) {
			ask_for_fix(check, claim, i, &foreign);
			continue;
		}
		foreign++;
	}
	ask_for_fix(check, claim, claim->count, &foreign);
}

void check_claim_content(struct check *check, const struct check_inode *inode, enum check_content content, uint64_t at,
                         uint64_t first, uint64_t count)
{
	struct check_late_claim claim = {(size_t)(inode - check->inodes), content, at, first, count};
	struct check_late_claim *late;

	if (!check->repairing) {
		claim_content_now(check, &claim);
		return;
	}
	late = check_grow(check, check->late, check->late_count, &check->late_room, sizeof(*late));
	if (!late)
		return;
	check->late = late;
	late[check->late_count++] = claim;
}

/* Of two that claim a block a log page has the better right, then an inode whose log is as it was written. */
static void claim_late(struct check *check)
{
	for (int patched = 0; patched < 2; patched++)
		for (size_t i = 0; i < check->late_count; i++)
			if (check->inodes[check->late[i].inode].patched == (patched == 1))
				claim_content_now(check, &check->late[i]);
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
			check_say(check, "superblock", 0, i ? NOVA_SUPER_BLOCK_1 : NOVA_SUPER_BLOCK_0,
			          "the superblocks differ: one is of another pool or format run");
	if (le32_get(super->block_size) != NOVA_BLOCK_SIZE || le32_get(super->zone_blocks) != NOVA_ZONE_BLOCKS ||
	    le32_get(super->journal_rings) != NOVA_JOURNAL_RINGS)
		check_say(check, "superblock", 0, 0,
		          "block size, zone size or number of journal rings is not of version 1");
	check->root = le64_get(super->root_ino);
	check_super_word(check, "clean", NOVA_WORD_CLEAN, offsetof(struct nova_super, clean));
	check_super_word(check, "epoch", NOVA_WORD_EPOCH, offsetof(struct nova_super, epoch));
	check_super_word(check, "blocks", NOVA_WORD_BLOCKS, offsetof(struct nova_super, blocks));
	check_super_word(check, "saved", NOVA_WORD_CHECKPOINT, offsetof(struct nova_super, checkpoint));
	check_super_word(check, "device", NOVA_WORD_DEVICE, offsetof(struct nova_super, device));
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
		set_owner(check, start + b, NOVA_CHUNK_BLOCKS, CHECK_SLOTS);
	}
}

/* ---- journal ------------------------------------------------------------------------------------ */

/* A clean unmount has stored in the slots what all records say, and a mount after it does not read them. */
static void check_applied(struct check *check, uint64_t ino, enum nova_word_kind kind, uint64_t owner, uint64_t value)
{
	const struct nova_slot_words *words = &image_slot(&check->image, ino)->words;
	const le64 *pair = kind == NOVA_WORD_LIFE ? words->life : words->tail;
	struct image_word in_slot;

	if (kind == NOVA_WORD_HEAD)
		return; /* it has no age of its own: the pages tell */
	in_slot = image_word_pick(kind, owner, pair[0], pair[1]);
	/* Home words that are of another generation, or damaged, are judged elsewhere. */
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
		check_say(check, "journal", ino, 0, "a record of ring %u moves a word of kind %u", ring, kind);
		return;
	}
	if (!image_slot(&check->image, ino)) {
		check_say(check, "journal", ino, 0, "a record of ring %u moves a word of what is no slot", ring);
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
			/* Only the place that the next record will take may be half written. */
			if (sequence + NOVA_RING_RECORDS != commit.value + 1)
				check_say(check, "journal", 0, block, "record %llu of ring %u is damaged",
				          ull(sequence), number);
			continue;
		}
		if (le64_get(record->sequence) != sequence) {
			if (le64_get(record->sequence) != commit.value + 1)
				check_say(check, "journal", 0, block, "record %llu of ring %u lies where %llu belongs",
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
	if (words.life > NOVA_LIFE_FREE) {
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
	count_inode(check->report, inode);
}

void check_progress(struct check *check, const char *what, uint64_t done, uint64_t total)
{
	if (check->report->progress)
		check->report->progress(check->report, what, done, total);
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

struct check_inode *check_find(const struct check *check, uint64_t ino)
{
	size_t low = 0, high = check->inode_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (check->inodes[middle].ino < ino)
			low = middle + 1;
		else
			high = middle;
	}
	return low < check->inode_count && check->inodes[low].ino == ino ? &check->inodes[low] : NULL;
}

int check_begin(struct check *check, const void *base, uint64_t size, struct check_report *report, const char **why)
{
	size_t owners;
	int rc;

	*check = (struct check){.report = report};
	*report = (struct check_report){.finding = report->finding,
	                                .progress = report->progress,
	                                .project = report->project,
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
	claim_late(check);
	if (check->error)
		return check->error;
	check_tree(check);
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
