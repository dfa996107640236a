/*
 * nova_rescue_test.c -- read-only mounts store nothing, and a rescue reads what is sound beside what is damaged.
 */
#include "common/crc.h"
#include "common/log.h"
#include "server/nova/media/entry.h"
#include "server/nova/media/format.h"
#include "tests/support/nova_fixture.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#define SIZE      (16 * MIB)
#define FIRST_INO ((NOVA_PREAMBLE_BLOCKS + NOVA_ZONE_FIRST_CHUNK) * (NOVA_BLOCK_SIZE / NOVA_SLOT_SIZE))

static const char content[] = "what must be read";

/* The damaged pool, mounted; its bytes before, to see that nothing is stored. */
struct rescue {
	struct fixture f;
	uint8_t *before;
	struct nova_handle dir, file, other;
};

/* /dir with /dir/file (a log of several pages), 100 names n0... and /other; unmounted cleanly. */
static void prepare(struct rescue *r)
{
	memset(r, 0, sizeof *r);
	fixture_open(&r->f, SIZE);
	log_set_level(LOG_LEVEL_ERROR);
	r->dir = fixture_create(&r->f, r->f.root, "dir", S_IFDIR | 0755).handle;
	r->other = fixture_create(&r->f, r->f.root, "other", S_IFREG | 0644).handle;
	fixture_write(&r->f, r->other, 0, content, sizeof content);
	r->file = fixture_create(&r->f, r->dir, "file", S_IFREG | 0644).handle;
	for (int i = 0; i < 100; i++) {
		char name[8];

		snprintf(name, sizeof name, "n%d", i);
		fixture_create(&r->f, r->dir, name, S_IFREG | 0644);
		fixture_write(&r->f, r->file, (uint64_t)i * 4096, content, sizeof content);
	}
	fixture_unmount(&r->f);
}

static int try_mount(struct rescue *r, bool rescue)
{
	const struct nova_mount_options options = {.rescue = rescue, .full_scan = true, .recovery_threads = 1};
	char why[256] = "";
	int err;

	if (!r->before)
		r->before = malloc(SIZE);
	memcpy(r->before, r->f.memory, SIZE);
	err = nova_mount(&r->f.pm, &options, &r->f.fs, why, sizeof why);
	if (err) {
		assert_true(why[0]);
		r->f.fs = NULL;
		return err;
	}
	assert_int_equal(nova_worker_open(r->f.fs, &r->f.worker), 0);
	r->f.call = (struct nova_call){.worker = r->f.worker};
	r->f.root = nova_root(r->f.fs);
	return 0;
}

static void rescue(struct rescue *r)
{
	log_set_level(LOG_LEVEL_ERROR);
	assert_int_equal(try_mount(r, true), 0);
	assert_true(nova_read_only(r->f.fs));
}

static void finish(struct rescue *r)
{
	if (r->f.fs) {
		fixture_unmount(&r->f);
		assert_memory_equal(r->before, r->f.memory, SIZE);
	}
	log_set_level(LOG_LEVEL_ERROR);
	free(r->before);
	fixture_close(&r->f);
}

static void assert_readable(struct rescue *r, struct nova_handle file)
{
	char back[sizeof content];

	assert_int_equal(nova_read(&r->f.call, file, 0, back, sizeof back), sizeof back);
	assert_string_equal(back, content);
}

static uint8_t *block(struct rescue *r, uint64_t number)
{
	return (uint8_t *)r->f.memory + number * NOVA_BLOCK_SIZE;
}

static struct nova_slot *slot(struct rescue *r, struct nova_handle file)
{
	return (struct nova_slot *)((uint8_t *)r->f.memory + file.ino.n * NOVA_SLOT_SIZE);
}

static struct nova_page *first_page(struct rescue *r, struct nova_handle file)
{
	return (struct nova_page *)block(r, le64_get(slot(r, file)->words.head[0]) >> 16);
}

static void damage(void *at, size_t length)
{
	memset(at, 0xa5, length);
}

static struct nova_super *super(struct rescue *r, unsigned copy)
{
	return (struct nova_super *)block(r, copy ? NOVA_SUPER_BLOCK_1 : NOVA_SUPER_BLOCK_0);
}

static void set_ro_compat(struct rescue *r, uint64_t bits)
{
	for (unsigned i = 0; i < 2; i++) {
		super(r, i)->ro_compat = le64_of(bits);
		super(r, i)->crc = le32_of(0);
		super(r, i)->crc = le32_of(crc32c(0xffffffff, super(r, i), 256));
	}
}

/* ---- read-only ------------------------------------------------------------------------------------------------ */

static void unknown_ro_compat_features_mount_read_only_and_nothing_can_be_changed(void **state)
{
	struct rescue r;
	struct nova_attr attr = {.mode = 0600};

	prepare(&r);
	set_ro_compat(&r, 1ULL << 40);
	log_set_level(LOG_LEVEL_ERROR);
	assert_int_equal(try_mount(&r, false), 0);
	assert_true(nova_read_only(r.f.fs));
	assert_readable(&r, r.other);
	assert_int_equal(nova_create(&r.f.call, r.f.root, "new", 3, S_IFREG | 0600, 0, &attr), -EROFS);
	assert_int_equal(nova_write(&r.f.call, r.other, 0, "x", 1, 0, NULL), -EROFS);
	assert_int_equal(nova_unlink(&r.f.call, r.f.root, "other", 5, NULL), -EROFS);
	assert_int_equal(nova_rename(&r.f.call, r.f.root, "other", 5, r.f.root, "b", 1, 0, NULL), -EROFS);
	assert_int_equal(nova_link(&r.f.call, r.other, r.f.root, "b", 1, &attr), -EROFS);
	assert_int_equal(nova_symlink(&r.f.call, r.f.root, "s", 1, "t", 1, &attr), -EROFS);
	assert_int_equal(nova_setattr(&r.f.call, r.other, NOVA_SET_MODE, &attr, NULL), -EROFS);
	assert_int_equal(nova_reclaim_orphans(&r.f.call), 0);
	assert_int_equal(nova_open(&r.f.call, r.other, &attr), 0);
	assert_int_equal(nova_close(&r.f.call, r.other), 0);
	finish(&r);
}

static void a_crashed_pool_is_seen_as_recovery_will_make_it(void **state)
{
	struct nova_ring *ring;
	struct nova_record record;
	struct nova_slot_words words;
	struct rescue r;
	struct nova_attr attr;
	uint8_t *crashed;

	/* A crash after a record's commit, before its slot words: put those back to what they were. */
	prepare(&r);
	fixture_mount(&r.f);
	words = slot(&r, r.f.root)->words;
	fixture_create(&r.f, r.f.root, "late", S_IFREG | 0600);
	memcpy(&slot(&r, r.f.root)->words, &words, sizeof words);
	ring = (struct nova_ring *)block(&r, NOVA_JOURNAL_BLOCK);
	record = ring->records[(le64_get(ring->commit[0]) >> 16) % NOVA_RING_RECORDS];
	for (unsigned i = 0; i < record.count; i++) {
		uint64_t ino = le64_get(record.words[i].target) >> 8;

		if ((le64_get(record.words[i].target) & 0xff) == NOVA_WORD_LIFE)
			memset(((uint8_t *)r.f.memory + ino * NOVA_SLOT_SIZE) + 64, 0, 16);
	}
	/* The slot lacks its life words altogether; the crashed process never comes to its unmount. */
	crashed = malloc(SIZE);
	assert_non_null(crashed);
	memcpy(crashed, r.f.memory, SIZE);
	fixture_unmount(&r.f);
	memcpy(r.f.memory, crashed, SIZE);
	free(crashed);
	r.f.pm.read_only = true;
	assert_int_equal(try_mount(&r, false), 0);
	assert_int_equal(nova_lookup(&r.f.call, r.f.root, "late", 4, &attr), 0);
	assert_int_equal(attr.mode, S_IFREG | 0600);
	assert_readable(&r, r.other);
	finish(&r);
}

/* ---- rescue --------------------------------------------------------------------------------------------------- */

static void only_a_damaged_file_gets_eio(void **state)
{
	for (int kind = 0; kind < 5; kind++) {
		struct rescue r;
		struct nova_attr attr;
		char byte;

		prepare(&r);
		switch (kind) {
		case 0: /* header and words */
			damage(slot(&r, r.file), 128);
			break;
		case 1:
			damage(&slot(&r, r.file)->header, 64);
			break;
		case 2:
			damage(&slot(&r, r.file)->words.tail, 16);
			break;
		case 3:
			damage(&first_page(&r, r.file)->header, 64);
			break;
		case 4:
			damage(&first_page(&r, r.file)->lines[7], 64);
			break;
		}
		assert_int_equal(try_mount(&r, false), -EIO);
		/* The refused mount has cleared and set the clean word: the rescue compares with what it finds now. */
		rescue(&r);
		assert_readable(&r, r.other);
		assert_int_equal(nova_lookup(&r.f.call, r.dir, "n42", 3, &attr), 0);
		assert_int_equal(nova_lookup(&r.f.call, r.dir, "file", 4, &attr), -EIO);
		assert_true(nova_read(&r.f.call, r.file, 0, &byte, 1) < 0);
		assert_int_equal(nova_create(&r.f.call, r.dir, "new", 3, S_IFREG | 0600, 0, &attr), -EROFS);
		finish(&r);
	}
}

static bool count_name(void *context, const struct nova_dirent *entry)
{
	++*(unsigned *)context;
	return entry->length > 0;
}

static void a_damaged_directory_shows_the_names_before_the_damage(void **state)
{
	struct rescue r;
	struct nova_attr attr;
	unsigned names = 0;

	prepare(&r);
	damage(&first_page(&r, r.dir)->lines[20], 64);
	assert_int_equal(try_mount(&r, false), -EIO);
	rescue(&r);
	assert_readable(&r, r.file);
	assert_int_equal(nova_lookup(&r.f.call, r.dir, "file", 4, &attr), 0);
	assert_int_equal(nova_lookup(&r.f.call, r.dir, "n5", 2, &attr), 0);
	assert_int_equal(nova_lookup(&r.f.call, r.dir, "n99", 3, &attr), -EIO);
	assert_int_equal(nova_readdir(&r.f.call, r.dir, 0, NULL, count_name, &names), -EIO);
	assert_in_range(names, 10, 40);
	finish(&r);
}

/* The entry of a name in r->dir becomes another one: of `type`, and with this cookie. */
static void forge_name(struct rescue *r, const char *name, uint8_t type, uint64_t cookie)
{
	uint32_t generation = r->dir.generation;

	for (uint8_t *at = r->f.memory; at < (uint8_t *)r->f.memory + SIZE; at += NOVA_LINE_SIZE) {
		struct nova_entry *entry = (void *)at;
		struct nova_name_entry *payload = (void *)entry->payload;
		uint64_t position = le64_get(payload->cookie);

		if (entry->type != NOVA_ENTRY_NAME || payload->name_length != strlen(name) ||
		    memcmp(payload->name, name, strlen(name)) != 0 ||
		    !entry_valid(entry, r->dir.ino.n, generation, position, NOVA_PAGE_LINES))
			continue;
		payload->cookie = le64_of(cookie);
		if (type != NOVA_ENTRY_NAME)
			memset(entry->payload, 0, sizeof entry->payload);
		entry->type = type;
		entry->crc = le32_of(entry_crc(entry, r->dir.ino.n, generation, position));
		return;
	}
	fail_msg("no name %s", name);
}

static bool note_cookie(void *context, const struct nova_dirent *entry)
{
	uint64_t *last = context;

	assert_true(entry->cookie > *last);
	*last = entry->cookie;
	return true;
}

static void a_listing_tells_each_cookie_once_whatever_a_directory_has(void **state)
{
	struct rescue r;
	struct nova_attr attr;
	uint64_t last = 0;

	prepare(&r);
	forge_name(&r, "n90", NOVA_ENTRY_NAME, 0);
	assert_int_equal(try_mount(&r, true), 0);
	assert_int_equal(nova_readdir(&r.f.call, r.dir, 0, NULL, note_cookie, &last), -EIO);
	assert_int_equal(nova_lookup(&r.f.call, r.dir, "n90", 3, &attr), -EIO);
	finish(&r);
	prepare(&r);
	/* At the place of n7 is no name, n80 takes it and so stands out of order, and n90 says that it is n10. */
	forge_name(&r, "n7", NOVA_ENTRY_ATTR, 0);
	forge_name(&r, "n80", NOVA_ENTRY_NAME, 2 + 7);
	forge_name(&r, "n90", NOVA_ENTRY_NAME, 2 + 10);
	rescue(&r);
	last = 0;
	assert_int_equal(nova_readdir(&r.f.call, r.dir, 0, NULL, note_cookie, &last), -EIO);
	finish(&r);
}

static void both_superblocks_lost_are_no_end(void **state)
{
	struct rescue r;

	prepare(&r);
	damage(super(&r, 0), 320);
	damage(super(&r, 1), 320);
	assert_int_equal(try_mount(&r, false), -EINVAL);
	rescue(&r);
	assert_readable(&r, r.other);
	assert_readable(&r, r.file);
	finish(&r);
}

static void superblock_words_lost_in_both_copies_are_no_end(void **state)
{
	struct rescue r;

	prepare(&r);
	damage(&super(&r, 0)->clean, 64);
	damage(&super(&r, 1)->clean, 64);
	assert_int_equal(try_mount(&r, false), -EIO);
	rescue(&r);
	assert_readable(&r, r.file);
	finish(&r);
}

static void zone_headers_and_chunk_tables_lost_are_no_end(void **state)
{
	struct rescue r;

	prepare(&r);
	damage(block(&r, NOVA_PREAMBLE_BLOCKS + NOVA_ZONE_HEADER_0), 64);
	damage(block(&r, NOVA_PREAMBLE_BLOCKS + NOVA_ZONE_HEADER_1), 64);
	damage(block(&r, NOVA_PREAMBLE_BLOCKS + NOVA_ZONE_TABLE_0), 4096);
	damage(block(&r, NOVA_PREAMBLE_BLOCKS + NOVA_ZONE_TABLE_1), 4096);
	assert_int_equal(try_mount(&r, false), -EIO);
	rescue(&r);
	assert_readable(&r, r.other);
	assert_readable(&r, r.file);
	finish(&r);
}

static void a_lost_journal_ring_is_no_end(void **state)
{
	struct rescue r;

	prepare(&r);
	damage(block(&r, NOVA_JOURNAL_BLOCK), 4096);
	assert_int_equal(try_mount(&r, false), -EIO);
	rescue(&r);
	assert_readable(&r, r.file);
	finish(&r);
}

static void a_pool_cut_short_shows_what_is_left(void **state)
{
	struct rescue r;

	prepare(&r);
	r.f.pm.size = SIZE - 3 * MIB;
	assert_int_equal(try_mount(&r, false), -EIO);
	rescue(&r);
	assert_readable(&r, r.other);
	finish(&r);
}

static void what_is_no_pool_is_not_rescued(void **state)
{
	struct rescue r;

	prepare(&r);
	memset(r.f.memory, 0x5a, SIZE);
	assert_int_equal(try_mount(&r, true), -EINVAL);
	memset(r.f.memory, 0, SIZE);
	assert_int_equal(try_mount(&r, true), -EINVAL);
	finish(&r);
}

/* Whatever is damaged, a rescue neither crashes nor stores. */
static void random_damage_never_makes_a_rescue_store_or_crash(void **state)
{
	struct rescue r;
	uint64_t seed = 12345;
	uint8_t *whole = malloc(SIZE);

	prepare(&r);
	memcpy(whole, r.f.memory, SIZE);
	log_set_level(LOG_LEVEL_ERROR);
	for (int round = 0; round < 150; round++) {
		memcpy(r.f.memory, whole, SIZE);
		for (int i = 0; i < 12; i++) {
			uint64_t first = round % 2 ? FIRST_INO * NOVA_SLOT_SIZE : 0;

			seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
			damage((uint8_t *)r.f.memory + first + (seed >> 20) % (2 * MIB) / 64 * 64, 64);
		}
		if (try_mount(&r, true) == 0) {
			struct nova_attr attr;
			unsigned names = 0;
			char buffer[8192];

			nova_readdir(&r.f.call, r.f.root, 0, NULL, count_name, &names);
			nova_readdir(&r.f.call, r.dir, 0, NULL, count_name, &names);
			nova_lookup(&r.f.call, r.dir, "n42", 3, &attr);
			nova_read(&r.f.call, r.file, 0, buffer, sizeof buffer);
			nova_getattr(&r.f.call, r.other, &attr);
			fixture_unmount(&r.f);
			assert_memory_equal(r.before, r.f.memory, SIZE);
		}
	}
	free(whole);
	finish(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(unknown_ro_compat_features_mount_read_only_and_nothing_can_be_changed),
	    cmocka_unit_test(a_crashed_pool_is_seen_as_recovery_will_make_it),
	    cmocka_unit_test(only_a_damaged_file_gets_eio),
	    cmocka_unit_test(a_damaged_directory_shows_the_names_before_the_damage),
	    cmocka_unit_test(a_listing_tells_each_cookie_once_whatever_a_directory_has),
	    cmocka_unit_test(both_superblocks_lost_are_no_end),
	    cmocka_unit_test(superblock_words_lost_in_both_copies_are_no_end),
	    cmocka_unit_test(zone_headers_and_chunk_tables_lost_are_no_end),
	    cmocka_unit_test(a_lost_journal_ring_is_no_end),
	    cmocka_unit_test(a_pool_cut_short_shows_what_is_left),
	    cmocka_unit_test(what_is_no_pool_is_not_rescued),
	    cmocka_unit_test(random_damage_never_makes_a_rescue_store_or_crash),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
