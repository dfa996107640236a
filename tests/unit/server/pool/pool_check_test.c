/*
 * pool_check_test.c -- fsck finds each kind of damage, and nothing in a pool that is whole.
 */
#include "common/crc.h"
#include "common/log.h"
#include "server/nova/nova.h"
#include "server/pool/check/check.h"
#include "server/pool/image/image.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#define SIZE (10u << 20)

static _Alignas(4096) uint8_t whole[SIZE]; /* made once */
static _Alignas(4096) uint8_t pool[SIZE];  /* damaged anew by each test */
static uint64_t ino_dir, ino_sub, ino_file, ino_other, ino_twice, ino_link, root;

/* ---- the pool ---- */

static uint64_t make(const struct nova_call *call, struct nova_handle dir, const char *name, uint32_t mode,
                     struct nova_handle *handle)
{
	struct nova_attr attr;

	assert_int_equal(nova_create(call, dir, name, strlen(name), mode, 0, &attr), 0);
	if (handle)
		*handle = attr.handle;
	return attr.handle.ino.n;
}

static int make_pool(void **state)
{
	static char target[3000], data[9000];
	struct nova_handle dir, file, other;
	struct nova_call call = {0};
	struct nova_attr attr;
	struct nova *fs;
	struct pm pm;

	log_set_level(LOG_LEVEL_ERROR);
	pm_wrap(&pm, whole, SIZE);
	assert_int_equal(nova_format(&pm, NULL), 0);
	assert_int_equal(nova_mount(&pm, NULL, &fs, NULL, 0), 0);
	assert_int_equal(nova_worker_open(fs, &call.worker), 0);
	memset(target, 't', sizeof(target));
	memset(data, 'd', sizeof(data));
	root = nova_root(fs).ino.n;
	ino_dir = make(&call, nova_root(fs), "dir", S_IFDIR | 0755, &dir);
	ino_sub = make(&call, dir, "sub", S_IFDIR | 0755, NULL);
	ino_file = make(&call, dir, "file", S_IFREG | 0644, &file);
	ino_other = make(&call, dir, "othr", S_IFREG | 0644, &other);
	ino_twice = make(&call, dir, "twice", S_IFREG | 0644, NULL);
	assert_int_equal(nova_write(&call, file, 0, data, sizeof(data), 0, NULL), sizeof(data));
	assert_int_equal(nova_write(&call, other, 0, data, 100, 0, NULL), 100);
	assert_int_equal(nova_symlink(&call, dir, "link", 4, target, sizeof(target), &attr), 0);
	ino_link = attr.handle.ino.n;
	for (unsigned i = 0; i < 150; i++) {
		attr.mode = 0600 | (i & 077);
		assert_int_equal(nova_setattr(&call, file, NOVA_SET_MODE, &attr, NULL), 0);
	}
	nova_worker_close(call.worker);
	nova_unmount(fs);
	return 0;
}

static int renew(void **state)
{
	memcpy(pool, whole, SIZE);
	return 0;
}

/* ---- what fsck says ---- */

struct said {
	char text[4096];
};

static void note(struct check_report *report, const struct check_finding *finding)
{
	struct said *said = report->context;
	size_t used = strlen(said->text);

	snprintf(said->text + used, sizeof(said->text) - used, "%s: %s\n", finding->part, finding->text);
}

static struct said check(uint64_t size)
{
	struct said said = {0};
	struct check_report report = {.finding = note, .context = &said};
	int rc = nova_check(pool, size, &report);

	assert_int_equal(rc, report.errors ? 1 : 0);
	return said;
}

static void expect(const char *words)
{
	struct said said = check(SIZE);

	if (!strstr(said.text, words))
		fail_msg("fsck does not say '%s' but:\n%s", words, said.text);
}

/* ---- tools that damage with valid checksums ---- */

static struct image image;

static void open_image(void)
{
	const char *why;

	assert_int_equal(image_open(&image, pool, SIZE, &why), 0);
}

/* The nth entry of a type in the log of an inode. */
static struct nova_entry *find_entry(uint64_t ino, unsigned type, unsigned n, struct image_inode *inode,
                                     uint64_t *position)
{
	struct image_log log;
	enum image_step step;

	open_image();
	assert_int_equal(image_inode(&image, ino, inode), 0);
	image_log_begin(&log, &image, inode);
	while ((step = image_log_next(&log)) != IMAGE_END) {
		assert_int_not_equal(step, IMAGE_BAD);
		if (step != IMAGE_ENTRY || log.entry->type != type || n-- > 0)
			continue;
		*position = log.entry_position;
		return (struct nova_entry *)(void *)log.entry;
	}
	fail_msg("no such entry");
	return NULL;
}

static void seal(struct nova_entry *entry, const struct image_inode *inode, uint64_t position)
{
	le32 generation = le32_of(inode->generation);
	uint32_t crc = crc32c_u64(0xffffffff, inode->ino);

	crc = crc32c(crc, &generation, sizeof(generation));
	crc = crc32c_u64(crc, position);
	entry->crc = le32_of(crc32c(crc, &entry->type, (size_t)entry->lines * 64 - 4));
}

/* Change bytes of an entry's payload, so that its CRC is right all the same. */
static void forge(uint64_t ino, unsigned type, unsigned n, size_t offset, const void *bytes, size_t length)
{
	struct image_inode inode;
	uint64_t position;
	struct nova_entry *entry = find_entry(ino, type, n, &inode, &position);

	memcpy(entry->payload + offset, bytes, length);
	seal(entry, &inode, position);
}

static uint64_t block_of(uint64_t ino)
{
	struct image_inode inode;
	uint64_t position;
	struct nova_entry *entry = find_entry(ino, NOVA_ENTRY_WRITE, 0, &inode, &position);

	return le64_get(((struct nova_write_entry *)(void *)entry->payload)->block);
}

static struct nova_slot *slot(uint64_t ino)
{
	return (struct nova_slot *)(void *)(pool + ino * NOVA_SLOT_SIZE);
}

/* ---- tests ---- */

static void a_whole_pool_has_no_errors(void **state)
{
	struct check_report report = {0};

	assert_int_equal(nova_check(pool, SIZE, &report), 0);
	assert_int_equal(report.errors, 0);
	assert_int_equal(report.directories, 3);
	assert_int_equal(report.files, 3);
	assert_int_equal(report.symlinks, 1);
	assert_int_equal(report.names, 6);
	assert_int_equal(report.data_blocks, 3 + 1 + 1);
	assert_int_equal(report.log_pages, 3);
	assert_true(report.clean);
}

static void what_is_no_pool_is_told(void **state)
{
	memset(pool, 0, SIZE);
	expect("not a farnova pool");
	memset(pool, 0x5a, SIZE);
	expect("not a farnova pool");
}

static void a_pool_cut_short_is_told(void **state)
{
	struct check_report report = {0};

	memcpy(pool, whole, SIZE);
	assert_int_equal(nova_check(pool, SIZE - 65536, &report), 1);
	assert_int_equal(nova_check(pool, 4096, &report), 1);
	assert_int_equal(nova_check(pool, 0, &report), 1);
}

static void a_damaged_superblock_is_told(void **state)
{
	pool[100] ^= 1;
	expect("superblock 0 is damaged");
	renew(NULL);
	pool[511 * 4096 + 100] ^= 1;
	expect("superblock 1 is damaged");
	renew(NULL);
	pool[offsetof(struct nova_super, epoch)] ^= 1;
	expect("the epoch word of superblock 0 is damaged");
}

static void a_damaged_zone_header_or_chunk_word_is_told(void **state)
{
	pool[512 * 4096 + 20] ^= 1;
	expect("a header of zone 0 is damaged");
	renew(NULL);
	pool[(512 + 33) * 4096 + 30 * 8] ^= 1;
	expect("copy 1 of the chunk table's word");
}

static void a_damaged_slot_is_told(void **state)
{
	slot(ino_file)->header.birth_ns = le64_of(1);
	expect("the slot's header is damaged");
	renew(NULL);
	slot(ino_file)->words.life[1] = le64_of(0);
	expect("copy 1 of its life word is damaged");
	renew(NULL);
	slot(ino_file)->words.tail[0] = le64_of(0);
	expect("copy 0 of its tail word is damaged");
	renew(NULL);
	slot(ino_file)->words.head[0] = le64_of(0);
	expect("copy 0 of its head word is damaged");
}

static void a_damaged_log_is_told(void **state)
{
	struct image_inode inode;
	uint64_t position;

	find_entry(ino_file, NOVA_ENTRY_ATTR, 2, &inode, &position)->payload[3] ^= 1;
	expect("fails its CRC");
	renew(NULL);
	open_image();
	assert_int_equal(image_inode(&image, ino_file, &inode), 0);
	pool[inode.head * 4096 + 8] ^= 1;
	expect("header of log page");
	renew(NULL);
	pool[inode.head * 4096 + offsetof(struct nova_page_header, next)] ^= 1;
	pool[inode.head * 4096 + offsetof(struct nova_page_header, next) + 8] ^= 1;
	expect("no copy of the next word");
}

static void a_block_used_twice_is_told(void **state)
{
	le64 block = le64_of(block_of(ino_file));

	forge(ino_other, NOVA_ENTRY_WRITE, 0, offsetof(struct nova_write_entry, block), &block, sizeof(block));
	expect("uses too");
}

static void data_in_metadata_areas_are_told(void **state)
{
	le64 block = le64_of(3);

	forge(ino_other, NOVA_ENTRY_WRITE, 0, offsetof(struct nova_write_entry, block), &block, sizeof(block));
	expect("not in the pool's usable blocks");
	renew(NULL);
	block = le64_of(ino_dir / 8);
	forge(ino_other, NOVA_ENTRY_WRITE, 0, offsetof(struct nova_write_entry, block), &block, sizeof(block));
	expect("in a chunk of inode slots");
	renew(NULL);
	block = le64_of(UINT64_MAX);
	forge(ino_other, NOVA_ENTRY_WRITE, 0, offsetof(struct nova_write_entry, block), &block, sizeof(block));
	expect("not in the pool's usable blocks");
}

static void bytes_behind_the_end_of_a_file_are_told(void **state)
{
	pool[block_of(ino_other) * 4096 + 100] = 1;
	expect("byte 100 of the block, behind the end");
}

static void blocks_behind_the_end_of_a_file_are_told(void **state)
{
	le64 size = le64_of(4096);

	forge(ino_file, NOVA_ENTRY_WRITE, 0, offsetof(struct nova_write_entry, size), &size, sizeof(size));
	expect("though the file has only 4096 bytes");
}

static void only_reserved_blocks_may_lie_behind_the_end(void **state)
{
	le32 reserved = le32_of(NOVA_WRITE_UNWRITTEN);
	le64 size = le64_of(4096);

	(void)state;
	forge(ino_file, NOVA_ENTRY_WRITE, 0, offsetof(struct nova_write_entry, size), &size, sizeof(size));
	forge(ino_file, NOVA_ENTRY_WRITE, 0, offsetof(struct nova_write_entry, flags), &reserved, sizeof(reserved));
	/* Only what the unmount saved knows nothing of them. */
	assert_string_equal(check(SIZE).text, "saved: it counts 6 names and unwritten blocks, but there are 9\n");
	reserved = le32_of(2);
	forge(ino_file, NOVA_ENTRY_WRITE, 0, offsetof(struct nova_write_entry, flags), &reserved, sizeof(reserved));
	expect("flags of unknown meaning");
}

static void a_wrong_link_count_is_told(void **state)
{
	le32 nlink = le32_of(2);

	forge(ino_twice, NOVA_ENTRY_ATTR, 0, offsetof(struct nova_attr_entry, nlink), &nlink, sizeof(nlink));
	expect("has link count 2, but 1 names");
}

static void a_name_that_leads_nowhere_is_told(void **state)
{
	le64 ino = le64_of(ino_link + 50);

	forge(ino_dir, NOVA_ENTRY_NAME, 1, offsetof(struct nova_name_entry, ino), &ino, sizeof(ino));
	expect("which is not in use");
	expect("is in use but has no name");
}

static void a_name_of_the_wrong_type_is_told(void **state)
{
	uint8_t type = S_IFDIR >> 12;

	forge(ino_dir, NOVA_ENTRY_NAME, 1, offsetof(struct nova_name_entry, file_type), &type, 1);
	expect("as type");
}

static void names_that_are_equal_are_told(void **state)
{
	forge(ino_dir, NOVA_ENTRY_NAME, 1, offsetof(struct nova_name_entry, name), "othr", 4);
	expect("has the name 'othr' twice");
}

static void names_with_slashes_or_dots_are_told(void **state)
{
	uint8_t two = 2;

	forge(ino_dir, NOVA_ENTRY_NAME, 1, offsetof(struct nova_name_entry, name), "a/bc", 4);
	expect("has a name that is empty");
	renew(NULL);
	forge(ino_dir, NOVA_ENTRY_NAME, 1, offsetof(struct nova_name_entry, name), "..", 2);
	forge(ino_dir, NOVA_ENTRY_NAME, 1, offsetof(struct nova_name_entry, name_length), &two, 1);
	expect("has a name that is empty");
}

static void cookies_that_cannot_be_are_told(void **state)
{
	struct image_inode inode;
	uint64_t position;
	struct nova_entry *first = find_entry(ino_dir, NOVA_ENTRY_NAME, 0, &inode, &position);
	le64 cookie = ((struct nova_name_entry *)(void *)first->payload)->cookie;

	forge(ino_dir, NOVA_ENTRY_NAME, 1, offsetof(struct nova_name_entry, cookie), &cookie, sizeof(cookie));
	expect("a second time");
	renew(NULL);
	cookie = le64_of(0);
	forge(ino_dir, NOVA_ENTRY_NAME, 1, offsetof(struct nova_name_entry, cookie), &cookie, sizeof(cookie));
	expect("which no name can have");
}

static void a_directory_that_is_its_own_ancestor_is_told(void **state)
{
	le64 ino = le64_of(ino_dir);

	/* The name of dir in the root now leads to sub, the name of sub in dir to dir. */
	forge(ino_dir, NOVA_ENTRY_NAME, 0, offsetof(struct nova_name_entry, ino), &ino, sizeof(ino));
	ino = le64_of(ino_sub);
	forge(root, NOVA_ENTRY_NAME, 0, offsetof(struct nova_name_entry, ino), &ino, sizeof(ino));
	expect("is its own ancestor");
}

static void a_directory_with_two_names_is_told(void **state)
{
	uint8_t type = S_IFDIR >> 12;
	le64 ino = le64_of(ino_sub);

	forge(ino_dir, NOVA_ENTRY_NAME, 1, offsetof(struct nova_name_entry, ino), &ino, sizeof(ino));
	forge(ino_dir, NOVA_ENTRY_NAME, 1, offsetof(struct nova_name_entry, file_type), &type, 1);
	expect("the directory has names in directories");
}

static void a_wrong_parent_is_told(void **state)
{
	struct image_inode inode;
	struct nova_slot *s = slot(ino_sub);
	le32 generation;
	uint32_t crc;

	open_image();
	assert_int_equal(image_inode(&image, ino_sub, &inode), 0);
	s->header.parent = le64_of(root);
	generation = le32_of(inode.generation);
	crc = crc32c(crc32c_u64(0xffffffff, ino_sub), &generation, sizeof(generation));
	s->header.crc = le32_of(crc32c(crc, &s->header.type, 60));
	expect("says its parent is");
}

static void a_damaged_symlink_target_is_told(void **state)
{
	struct image_inode inode;
	uint64_t position;
	struct nova_entry *entry = find_entry(ino_link, NOVA_ENTRY_SYMLINK, 0, &inode, &position);
	uint64_t blob = le64_get(((struct nova_symlink_entry *)(void *)entry->payload)->blob);

	assert_true(blob != 0);
	pool[blob * 4096 + 2999] ^= 1;
	expect("fails its CRC");
}

static void an_entry_of_a_later_epoch_is_told(void **state)
{
	struct image_inode inode;
	uint64_t position;
	struct nova_entry *entry = find_entry(ino_twice, NOVA_ENTRY_ATTR, 0, &inode, &position);

	entry->epoch = le32_of(99);
	seal(entry, &inode, position);
	expect("later than the pool's");
}

static void a_damaged_journal_is_told(void **state)
{
	struct nova_ring *ring = (struct nova_ring *)(void *)(pool + 2 * 4096);

	ring->commit[1] = le64_of(1);
	expect("copy 1 of the commit word of ring 0 is damaged");
	renew(NULL);
	ring->records[2].words[0].target = le64_of(0);
	expect("record 2 of ring 0 is damaged");
}

/* Whatever lies there, fsck ends and touches nothing outside: ASan and UBSan look on. */
static void random_damage_is_survived(void **state)
{
	uint64_t random = 88172645463325252ULL;

	for (unsigned round = 0; round < 1500; round++) {
		memcpy(pool, whole, 700 * 4096);
		for (unsigned i = 0; i < 1 + round % 40; i++) {
			uint64_t at;

			random ^= random << 13;
			random ^= random >> 7;
			random ^= random << 17;
			/* Mostly where the slots, the first log pages and the journal are. */
			at = i % 4 == 0   ? random % (700 * 4096)
			     : i % 4 == 1 ? 2 * 4096 + random % 4096
			                  : 640 * 4096 + random % 65536;
			pool[at] = (uint8_t)(random >> 32);
		}
		check(SIZE);
	}
}

#define TEST(name) cmocka_unit_test_setup(name, renew)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(a_whole_pool_has_no_errors),
	    TEST(what_is_no_pool_is_told),
	    TEST(a_pool_cut_short_is_told),
	    TEST(a_damaged_superblock_is_told),
	    TEST(a_damaged_zone_header_or_chunk_word_is_told),
	    TEST(a_damaged_slot_is_told),
	    TEST(a_damaged_log_is_told),
	    TEST(a_block_used_twice_is_told),
	    TEST(data_in_metadata_areas_are_told),
	    TEST(bytes_behind_the_end_of_a_file_are_told),
	    TEST(blocks_behind_the_end_of_a_file_are_told),
	    TEST(only_reserved_blocks_may_lie_behind_the_end),
	    TEST(a_wrong_link_count_is_told),
	    TEST(a_name_that_leads_nowhere_is_told),
	    TEST(a_name_of_the_wrong_type_is_told),
	    TEST(names_that_are_equal_are_told),
	    TEST(names_with_slashes_or_dots_are_told),
	    TEST(cookies_that_cannot_be_are_told),
	    TEST(a_directory_that_is_its_own_ancestor_is_told),
	    TEST(a_directory_with_two_names_is_told),
	    TEST(a_wrong_parent_is_told),
	    TEST(a_damaged_symlink_target_is_told),
	    TEST(an_entry_of_a_later_epoch_is_told),
	    TEST(a_damaged_journal_is_told),
	    TEST(random_damage_is_survived),
	};

	return cmocka_run_group_tests(tests, make_pool, NULL);
}
