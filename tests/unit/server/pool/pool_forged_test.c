/*
 * pool_forged_test.c -- metadata that is wrong although every checksum over it is right, as a faulty version or an
 * attacker would leave it: a mount and all operations survive it, fsck finds whatever a mount refuses and repairs it,
 * and what fsck finds in order stays so under use.
 *
 * FARNOVA_FORGE_SEED and FARNOVA_FORGE_ROUNDS make a longer run.
 */
#include "common/crc.h"
#include "common/log.h"
#include "server/nova/media/entry.h"
#include "server/nova/media/words.h"
#include "server/pool/check/check.h"
#include "server/pool/image/image.h"
#include "server/pool/repair/repair.h"
#include "tests/support/nova_fixture.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#define SIZE            (12 * MIB)
#define INODES_MAX      64u
#define WORD_MAX        0xffffffffffffULL
#define ENTRIES_MAX     400u
#define SLOTS_PER_BLOCK (NOVA_BLOCK_SIZE / NOVA_SLOT_SIZE)

static uint64_t random_state;

static uint64_t random_below(uint64_t n)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (random_state >> 11) % n;
}

/* ---- the pool ------------------------------------------------------------------------------------------------- */

static struct nova_handle named(struct fixture *f, struct nova_handle dir, const char *name, uint32_t mode)
{
	return fixture_create(f, dir, name, mode).handle;
}

static void set_xattr(struct fixture *f, struct nova_handle file, const char *name, size_t size)
{
	static const uint8_t value[9000];

	assert_int_equal(nova_setxattr(&f->call, file, name, strlen(name), value, size, 0, NULL), 0);
}

/* An inode of each kind, and an entry of each type. */
static void populate(struct fixture *f)
{
	static const char target[3000] = "dir/file";
	static uint8_t data[40000];
	struct nova_handle dir = named(f, f->root, "dir", S_IFDIR | 0755);
	struct nova_handle sub = named(f, dir, "sub", S_IFDIR | 0755);
	struct nova_handle file = named(f, dir, "file", S_IFREG | 0644);
	struct nova_handle small = named(f, dir, "small", S_IFREG | 0644);
	struct nova_attr orphan;
	char name[256];

	memset(data, 'd', sizeof data);
	memset(name, 'n', sizeof name);
	for (unsigned i = 0; i < 40; i++) {
		fixture_write(f, file, random_below(100) * 1000, data, random_below(sizeof data) + 1);
		name[100 + i] = '\0';
		named(f, dir, name, i % 5 ? S_IFREG | 0600 : S_IFDIR | 0700);
		if (i % 4 == 0)
			assert_int_equal(i % 5 ? nova_unlink(&f->call, dir, name, 100 + i, NULL)
			                       : nova_rmdir(&f->call, dir, name, 100 + i, NULL),
			                 0);
		name[100 + i] = 'n';
	}
	/* So often that GC packs its extents. */
	for (unsigned i = 0; i < 900; i++)
		fixture_write(f, file, random_below(100) * 4096, data, 4096);
	fixture_write(f, small, 0, data, 5000);
	assert_int_equal(nova_fallocate(&f->call, small, 0, 8192, 20000, NULL), 0);
	assert_int_equal(
	    nova_fallocate(&f->call, file, NOVA_FALLOCATE_PUNCH_HOLE | NOVA_FALLOCATE_KEEP_SIZE, 5000, 9000, NULL), 0);
	assert_int_equal(nova_symlink(&f->call, f->root, "short", 5, target, 8, NULL), 0);
	memset((char *)memcpy(data, target, 8) + 8, '/', 2992);
	assert_int_equal(nova_symlink(&f->call, f->root, "long", 4, (char *)data, 3000, NULL), 0);
	set_xattr(f, file, "user.small", 40);
	set_xattr(f, file, "user.large", 9000);
	set_xattr(f, small, "user.small", 3000);
	set_xattr(f, small, "user.gone", 3);
	assert_int_equal(nova_removexattr(&f->call, small, "user.gone", 9, NULL), 0);
	assert_int_equal(nova_quota_set(&f->call, 7, 1000, 1000), 0);
	assert_int_equal(nova_setattr(&f->call, sub, NOVA_SET_PROJECT,
	                              &(struct nova_attr){.project = 7, .flags = NOVA_FILE_PROJECT_INHERIT}, NULL),
	                 0);
	fixture_write(f, named(f, sub, "charged", S_IFREG | 0644), 0, data, 9000);
	assert_int_equal(nova_link(&f->call, small, f->root, "again", 5, NULL), 0);
	assert_int_equal(nova_rename(&f->call, dir, "sub", 3, f->root, "moved", 5, 0, NULL), 0);
	named(f, f->root, "new", S_IFREG | 0600);
	assert_int_equal(nova_rename(&f->call, f->root, "new", 3, f->root, "again", 5, 0, NULL), 0);
	assert_int_equal(nova_rename(&f->call, f->root, "again", 5, dir, "file", 4, NOVA_RENAME_EXCHANGE, NULL), 0);
	assert_int_equal(nova_tmpfile(&f->call, dir, S_IFREG | 0600, true, &orphan), 0);
	fixture_write(f, orphan.handle, 0, data, 4096);
}

/* ---- use of whatever the mount made of it: results do not matter ------------------------------------------------ */

struct visit {
	struct fixture *f;
	struct nova_handle dir;
	unsigned depth;
	unsigned count;
	struct {
		char name[256];
		size_t length;
		nova_ino ino;
	} names[INODES_MAX];
};

static bool note_name(void *context, const struct nova_dirent *entry)
{
	struct visit *visit = context;

	assert_in_range(entry->length, 1, 255);
	memcpy(visit->names[visit->count].name, entry->name, entry->length);
	visit->names[visit->count++].length = entry->length;
	return visit->count < INODES_MAX;
}

static void use_file(struct fixture *f, struct nova_handle file)
{
	static uint8_t buffer[70000];
	struct nova_extent extents[8];
	struct nova_attr attr;
	char list[1000];
	uint64_t found;

	if (nova_open(&f->call, file, &attr))
		return;
	nova_read(&f->call, file, attr.size > 30000 ? attr.size - 30000 : 0, buffer, sizeof buffer);
	nova_read(&f->call, file, 0, buffer, sizeof buffer);
	nova_map(&f->call, file, 0, 1 << 20, extents, 8, NULL);
	nova_seek(&f->call, file, 0, NOVA_SEEK_HOLE, &found);
	nova_seek(&f->call, file, 1, NOVA_SEEK_DATA, &found);
	nova_readlink(&f->call, file, (char *)buffer, sizeof buffer);
	nova_listxattr(&f->call, file, list, sizeof list, NULL);
	nova_getxattr(&f->call, file, "user.large", 10, buffer, sizeof buffer, NULL);
	nova_getxattr(&f->call, file, "user.small", 10, buffer, sizeof buffer, NULL);
	nova_setxattr(&f->call, file, "user.small", 10, buffer, 500, 0, NULL);
	nova_removexattr(&f->call, file, "user.large", 10, NULL);
	nova_write(&f->call, file, 100, buffer, 9000, 0, NULL);
	nova_write(&f->call, file, 0, buffer, 10, NOVA_WRITE_APPEND, NULL);
	nova_fallocate(&f->call, file, NOVA_FALLOCATE_COLLAPSE_RANGE, 0, 4096, NULL);
	nova_fallocate(&f->call, file, NOVA_FALLOCATE_INSERT_RANGE, 4096, 8192, NULL);
	nova_fallocate(&f->call, file, NOVA_FALLOCATE_ZERO_RANGE, 100, 20000, NULL);
	nova_setattr(&f->call, file, NOVA_SET_SIZE, &(struct nova_attr){.size = 3000}, NULL);
	nova_setattr(&f->call, file, NOVA_SET_PROJECT, &(struct nova_attr){.project = (uint32_t)random_below(9)}, NULL);
	nova_close(&f->call, file);
}

/* Uses all that is in a directory, and removes some of it. */
static void use_dir(struct fixture *f, struct nova_handle dir, unsigned depth)
{
	struct visit *visit = calloc(1, sizeof *visit);

	nova_readdir(&f->call, dir, 0, NULL, note_name, visit);
	for (unsigned i = 0; i < visit->count; i++) {
		const char *name = visit->names[i].name;
		size_t length = visit->names[i].length;
		struct nova_attr attr;

		if (nova_lookup(&f->call, dir, name, length, &attr))
			continue;
		if (S_ISDIR(attr.mode) && depth < 4)
			use_dir(f, attr.handle, depth + 1);
		else if (!S_ISDIR(attr.mode))
			use_file(f, attr.handle);
		if (random_below(3) == 0)
			nova_rename(&f->call, dir, name, length, f->root, "target", 6, 0, NULL);
		else if (random_below(2) && nova_unlink(&f->call, dir, name, length, NULL))
			nova_rmdir(&f->call, dir, name, length, NULL);
	}
	nova_create(&f->call, dir, "new", 3, S_IFREG | 0600, 0, NULL);
	free(visit);
}

static void use(struct fixture *f)
{
	use_dir(f, f->root, 0);
	for (unsigned i = 0; i < 70; i++)
		nova_setattr(&f->call, f->root, NOVA_SET_MODE, &(struct nova_attr){.mode = 0755}, NULL);
	nova_reclaim_orphans(&f->call);
	while (nova_gc_step(f->worker, 100, NOVA_GC_BUSY) == 100)
		;
}

/* ---- forgery -------------------------------------------------------------------------------------------------- */

struct place {
	struct nova_entry *entry;
	uint64_t position;
};

struct pool {
	uint8_t *base;
	uint64_t inos[INODES_MAX];
	unsigned inodes;
};

static struct image open_image(const struct pool *pool)
{
	struct image image;
	const char *why;

	assert_int_equal(image_open(&image, pool->base, SIZE, &why), 0);
	return image;
}

/*
 * Without what the unmount saved the logs alone say what is there; it would tell of any change that uses other blocks.
 * After a crash the journal counts, too.
 */
static void forget_unmount(const struct pool *pool, bool crashed)
{
	for (unsigned i = 0; i < 2; i++) {
		struct nova_super *super =
		    (struct nova_super *)(void *)(pool->base +
		                                  (i ? NOVA_SUPER_BLOCK_1 : NOVA_SUPER_BLOCK_0) * NOVA_BLOCK_SIZE);

		super->checkpoint = le64_of(word_make(NOVA_WORD_CHECKPOINT, 0, 0));
		if (crashed)
			super->clean = le64_of(word_make(NOVA_WORD_CLEAN, 0, le64_get(super->clean) >> 16 & ~1ULL));
	}
}

static unsigned find_entries(struct image *image, const struct image_inode *inode, struct place *places, unsigned max)
{
	struct image_log log;
	enum image_step step;
	unsigned count = 0;

	image_log_begin(&log, image, inode);
	while ((step = image_log_next(&log)) == IMAGE_PAGE || step == IMAGE_ENTRY)
		if (step == IMAGE_ENTRY && count < max)
			places[count++] = (struct place){(struct nova_entry *)(uintptr_t)log.entry, log.entry_position};
	return count;
}

/* All that are in use. Every type of entry is among theirs, so that each is forged. */
static void find_inodes(struct pool *pool)
{
	struct image image = open_image(pool);
	unsigned types = 0;

	for (uint64_t ino = (NOVA_PREAMBLE_BLOCKS + NOVA_ZONE_FIRST_CHUNK) * SLOTS_PER_BLOCK;
	     ino < image.blocks * SLOTS_PER_BLOCK && pool->inodes < INODES_MAX; ino++) {
		uint64_t chunk = ino / SLOTS_PER_BLOCK / NOVA_CHUNK_BLOCKS * NOVA_CHUNK_BLOCKS;
		struct place places[ENTRIES_MAX];
		struct image_inode inode;

		if (image_chunk(&image, chunk).value != NOVA_CHUNK_SLOTS || image_inode(&image, ino, &inode) ||
		    !life_has_log(inode.life))
			continue;
		pool->inos[pool->inodes++] = ino;
		for (unsigned n = find_entries(&image, &inode, places, ENTRIES_MAX); n > 0; n--)
			types |= 1u << places[n - 1].entry->type;
	}
	image_close(&image);
	assert_int_equal(types, (2u << NOVA_ENTRY_EXTENTS) - 2);
}

/* A number that looks as if it could be right, or is at an edge. */
static uint64_t number_of(const struct pool *pool)
{
	static const uint64_t edges[] = {0,          1,          2,         255,        256,
	                                 4095,       4096,       65535,     INT32_MAX,  UINT32_MAX,
	                                 1ULL << 40, 1ULL << 52, INT64_MAX, 1ULL << 63, UINT64_MAX};

	switch (random_below(5)) {
	case 0:
		return edges[random_below(sizeof edges / sizeof edges[0])];
	case 1:
		return random_below(SIZE / NOVA_BLOCK_SIZE + 10);
	case 2:
		return pool->inos[random_below(pool->inodes)];
	case 3:
		return -random_below(5000);
	default:
		return random_below(200);
	}
}

static void forge_bytes(const struct pool *pool, uint8_t *bytes, size_t size)
{
	static const size_t widths[] = {1, 2, 4, 8};
	size_t width = widths[random_below(4)];
	size_t at = random_below(size / width) * width;
	uint64_t value = number_of(pool);

	if (random_below(4) == 0)
		bytes[random_below(size)] ^= (uint8_t)(1u << random_below(8));
	else
		memcpy(bytes + at, &value, width);
}

static void forge_entry(const struct pool *pool, struct image *image, const struct image_inode *inode)
{
	struct place places[ENTRIES_MAX];
	unsigned count = find_entries(image, inode, places, ENTRIES_MAX);
	struct place *place;

	if (!count)
		return;
	place = &places[random_below(count)];
	if (random_below(12) == 0)
		place->entry->type = (uint8_t)random_below(13);
	else if (random_below(30) == 0)
		place->entry->lines = (uint8_t)(1 + random_below(4));
	else
		forge_bytes(pool, place->entry->payload,
		            place->entry->lines * NOVA_LINE_SIZE - offsetof(struct nova_entry, payload));
	place->entry->crc = le32_of(entry_crc(place->entry, inode->ino, inode->generation, place->position));
}

static void forge_words(const struct pool *pool, struct nova_slot *slot, const struct image_inode *inode)
{
	uint64_t owner = word_owner(inode->ino, inode->generation);
	le64 word;

	switch (random_below(3)) {
	case 0:
		word = le64_of(word_make(NOVA_WORD_TAIL, owner, inode->tail + 2 - random_below(5)));
		slot->words.tail[0] = slot->words.tail[1] = word;
		break;
	case 1:
		word = le64_of(word_make(NOVA_WORD_HEAD, owner, number_of(pool) & WORD_MAX));
		slot->words.head[0] = slot->words.head[1] = word;
		break;
	default:
		word =
		    le64_of(word_make(NOVA_WORD_LIFE, inode->ino, (uint64_t)inode->generation << 8 | random_below(6)));
		slot->words.life[0] = slot->words.life[1] = word;
	}
}

static void forge_page(const struct pool *pool, const struct image_inode *inode)
{
	struct nova_page_header *header;

	if (inode->tail <= NOVA_SLOT_LINES)
		return;
	header = (struct nova_page_header *)(void *)(pool->base + inode->head * NOVA_BLOCK_SIZE);
	if (random_below(2))
		header->next[0] = header->next[1] = le64_of(
		    word_make(NOVA_WORD_NEXT, word_owner(inode->head, inode->generation), number_of(pool) & WORD_MAX));
	else
		header->first_position = le64_of(number_of(pool));
	header->crc = le32_of(entry_page_crc(header, inode->ino, inode->generation, inode->head));
}

static uint64_t owner_of_word(const struct nova_record_word *word, enum nova_word_kind kind)
{
	uint64_t ino = le64_get(word->target) >> 8;

	return kind == NOVA_WORD_LIFE ? ino : word_owner(ino, le32_get(word->generation));
}

/* A new record that a worker committed last, as far as one can see. */
static void forge_record(const struct pool *pool, const struct image_inode *inode)
{
	static const enum nova_word_kind kinds[] = {NOVA_WORD_LIFE, NOVA_WORD_TAIL, NOVA_WORD_HEAD};
	struct nova_ring *ring = (struct nova_ring *)(void *)(pool->base + NOVA_JOURNAL_BLOCK * NOVA_BLOCK_SIZE);
	uint64_t sequence = (le64_get(ring->commit[0]) >> 16) + 1;
	struct nova_record *record = &ring->records[sequence % NOVA_RING_RECORDS];
	le32 number = le32_of(0);

	*record = (struct nova_record){.sequence = le64_of(sequence), .count = (uint8_t)(1 + random_below(3))};
	for (unsigned i = 0; i < record->count; i++) {
		enum nova_word_kind kind = kinds[random_below(3)];
		struct nova_record_word *word = &record->words[i];
		uint64_t value = kind == NOVA_WORD_TAIL   ? inode->tail + 2 - random_below(5)
		                 : kind == NOVA_WORD_LIFE ? (uint64_t)inode->generation << 8 | random_below(6)
		                                          : number_of(pool) & WORD_MAX;

		word->target = le64_of((random_below(8) ? inode->ino : number_of(pool)) << 8 | kind);
		word->generation = le32_of(inode->generation);
		word->word = le64_of(word_make(kind, owner_of_word(word, kind), value));
	}
	record->crc = le32_of(crc32c(crc32c(0xffffffff, &number, sizeof number), (const uint8_t *)record + 4,
	                             (record->count <= 2 ? 64u : 128u) - 4));
	ring->commit[0] = ring->commit[1] = le64_of(word_make(NOVA_WORD_COMMIT, 0, sequence));
}

/* The section's CRC, and what may be wrong with it. */
static void forge_checkpoint(const struct pool *pool)
{
	const struct nova_super *super = (const struct nova_super *)(const void *)pool->base;
	uint64_t block = le64_get(super->checkpoint) >> 16;
	const struct nova_checkpoint *head =
	    (const struct nova_checkpoint *)(const void *)(pool->base + block * NOVA_BLOCK_SIZE);
	uint8_t *at = pool->base + le64_get(head->runs[0].block) * NOVA_BLOCK_SIZE;

	for (uint64_t type = 1 + random_below(4);; type--) {
		struct nova_checkpoint_section *section = (struct nova_checkpoint_section *)(void *)at;
		uint64_t length = le64_get(section->length);
		uint32_t crc;

		if (type > 1) {
			at += sizeof *section + (length + 7) / 8 * 8;
			continue;
		}
		forge_bytes(pool, at + sizeof *section, length);
		crc = crc32c(0xffffffff, &section->type, sizeof section->type);
		crc = crc32c(crc, &section->length, sizeof section->length);
		crc = crc32c(crc, &head->mount_count, sizeof head->mount_count);
		section->crc = le32_of(crc32c(crc, section + 1, length));
		return;
	}
}

static void forge_one(const struct pool *pool)
{
	struct image image = open_image(pool);
	uint64_t ino = pool->inos[random_below(pool->inodes)];
	struct nova_slot *slot = (struct nova_slot *)(void *)(pool->base + ino * NOVA_SLOT_SIZE);
	struct image_inode inode;
	uint64_t what = random_below(20);

	if (image_inode(&image, ino, &inode) == 0 && life_has_log(inode.life)) {
		if (what == 0) {
			forge_bytes(pool, (uint8_t *)&slot->header + 4, sizeof slot->header - 4);
			slot->header.crc = le32_of(entry_header_crc(&slot->header, ino, inode.generation));
		} else if (what == 1) {
			forge_words(pool, slot, &inode);
		} else if (what == 2) {
			forge_record(pool, &inode);
		} else if (what == 3) {
			forge_page(pool, &inode);
		} else {
			forge_entry(pool, &image, &inode);
		}
	}
	image_close(&image);
}

/* ---- the test ------------------------------------------------------------------------------------------------- */

struct said {
	char text[2000];
};

static void note_finding(struct check_report *report, const struct check_finding *finding)
{
	struct said *said = report->context;
	size_t used = strlen(said->text);

	snprintf(said->text + used, sizeof said->text - used, "%s inode %llu: %s\n", finding->part,
	         (unsigned long long)finding->ino, finding->text);
}

static bool in_order(const struct pool *pool, struct said *said)
{
	struct check_report report = {.finding = note_finding, .context = said};

	*said = (struct said){0};
	assert_true(nova_check(pool->base, SIZE, &report) >= 0);
	return report.errors == 0;
}

/* A round; true if fsck found nothing wrong. */
static bool round_ends_well(struct fixture *f, const struct pool *pool, uint64_t seed, bool saved)
{
	struct nova_mount_options options = {.recovery_threads = 1};
	char why[256] = "";
	struct said said;
	bool good = in_order(pool, &said);
	int err = nova_mount(&f->pm, &options, &f->fs, why, sizeof why);

	if (err && good)
		fail_msg("seed %llu: fsck finds nothing, and the mount fails with %d, %s", (unsigned long long)seed,
		         err, why);
	assert_true(!err || why[0]);
	if (err)
		return good;
	assert_int_equal(nova_worker_open(f->fs, &f->worker), 0);
	f->call = (struct nova_call){.worker = f->worker};
	f->root = nova_root(f->fs);
	/* The map of blocks in use is believed, as docs/security.md says: a false one gives a log's pages to others. */
	if (good || !saved)
		use(f);
	fixture_unmount(f);
	if (good && !in_order(pool, &said))
		fail_msg("seed %llu: fsck found nothing before the pool was used, and afterwards:\n%s",
		         (unsigned long long)seed, said.text);
	return good;
}

static uint64_t setting(const char *name, uint64_t otherwise)
{
	const char *value = getenv(name);

	return value ? strtoull(value, NULL, 10) : otherwise;
}

/* What fsck has repaired is in order, mounts, and stays in order. */
static bool round_is_repaired(struct fixture *f, const struct pool *pool, uint64_t seed)
{
	struct repair_report report = {0};
	int rc = pool_repair(&f->pm, &report);
	struct said said;

	if (rc == 2)
		return false;
	assert_in_range(rc, 0, 1);
	if (!in_order(pool, &said))
		fail_msg("seed %llu: everything was repaired, it was said, and then:\n%s", (unsigned long long)seed,
		         said.text);
	if (!round_ends_well(f, pool, seed, false))
		fail_msg("seed %llu: the repaired pool is not in order", (unsigned long long)seed);
	return true;
}

/* ---- tests ---------------------------------------------------------------------------------------------------- */

/* Forges a pool, each round anew, and looks what becomes of it; returns in how many percent of the rounds that was
 * good. */
static uint64_t each_round(bool (*round)(struct fixture *f, const struct pool *pool, uint64_t seed))
{
	uint64_t seed = setting("FARNOVA_FORGE_SEED", 1);
	uint64_t rounds = setting("FARNOVA_FORGE_ROUNDS", 600);
	uint8_t *image = malloc(SIZE);
	struct pool pool = {0};
	struct fixture f;
	uint64_t good = 0;

	random_state = 4711;
	fixture_open(&f, SIZE);
	populate(&f);
	fixture_unmount(&f);
	pool.base = f.memory;
	memcpy(image, f.memory, SIZE);
	find_inodes(&pool);
	log_set_level(LOG_LEVEL_ERROR);
	for (uint64_t end = seed + rounds; seed < end; seed++) {
		random_state = seed * 0x9e3779b97f4a7c15ULL | 1;
		random_below(2);
		memcpy(f.memory, image, SIZE);
		if (seed % 3)
			forget_unmount(&pool, seed % 3 == 2);
		else
			forge_checkpoint(&pool);
		for (uint64_t forged = random_below(3) + seed % 3; forged > 0; forged--)
			forge_one(&pool);
		good += round(&f, &pool, seed);
	}
	free(image);
	fixture_close(&f);
	return good * 100 / rounds;
}

static bool mount_round(struct fixture *f, const struct pool *pool, uint64_t seed)
{
	return round_ends_well(f, pool, seed, seed % 3 == 0);
}

static void forged_metadata_is_survived_and_fsck_finds_what_a_mount_refuses(void **state)
{
	(void)state;
	/* Some forgeries change what nobody can call wrong, such as a time: both ways are tried. */
	assert_in_range(each_round(mount_round), 10, 90);
}

static void forged_metadata_is_repaired(void **state)
{
	(void)state;
	assert_in_range(each_round(round_is_repaired), 90, 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(forged_metadata_is_survived_and_fsck_finds_what_a_mount_refuses),
	    cmocka_unit_test(forged_metadata_is_repaired),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
