/*
 * nova_checkpoint_test.c -- the allocation state saved at a clean unmount: used after it, and never otherwise.
 */
#include "common/log.h"
#include "server/nova/inode/nova_inode.h"
#include "server/nova/media/words.h"
#include "server/nova/space/slots.h"
#include "server/nova/space/zone.h"
#include "server/pool/check/check.h"
#include "tests/support/nova_fixture.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

static void populate(struct fixture *f, unsigned files)
{
	struct nova_attr dir = fixture_create(f, f->root, "dir", S_IFDIR | 0755);
	char name[32];

	for (unsigned i = 0; i < files; i++) {
		struct nova_attr file;

		snprintf(name, sizeof name, "file%u", i);
		file = fixture_create(f, dir.handle, name, S_IFREG | 0644);
		fixture_write(f, file.handle, 0, name, sizeof name);
	}
	for (unsigned i = 0; i < files; i += 3) {
		snprintf(name, sizeof name, "file%u", i);
		fixture_unlink(f, dir.handle, name);
	}
}

static struct nova_super *super(struct fixture *f, unsigned copy)
{
	return pm_at(&f->pm, block_offset(copy ? NOVA_SUPER_BLOCK_1 : NOVA_SUPER_BLOCK_0));
}

static uint64_t checkpoint_block(struct fixture *f)
{
	uint64_t block = 0;

	word_read(NOVA_WORD_CHECKPOINT, 0, &super(f, 0)->checkpoint, &super(f, 1)->checkpoint, &block);
	return block;
}

static void set_checkpoint(struct fixture *f, uint64_t block)
{
	for (unsigned i = 0; i < 2; i++)
		super(f, i)->checkpoint = le64_of(word_make(NOVA_WORD_CHECKPOINT, 0, block));
}

static struct nova_checkpoint *checkpoint_head(struct fixture *f)
{
	return pm_at(&f->pm, block_offset(checkpoint_block(f)));
}

static uint64_t count_errors(struct fixture *f)
{
	struct check_report report = {0};

	assert_true(nova_check(f->memory, f->size, &report) >= 0);
	return report.errors;
}

static void a_mount_after_a_clean_unmount_reads_no_log(void **state)
{
	struct fixture f;
	char *before, *after;
	uint64_t blocks;
	struct nova_statfs statfs[2];

	fixture_open(&f, 64 * MIB);
	populate(&f, 1000);
	before = fixture_dump(&f);
	blocks = fixture_free_blocks(&f);
	nova_statfs(f.fs, &statfs[0]);
	fixture_unmount(&f);
	assert_int_not_equal(checkpoint_block(&f), 0);
	assert_int_equal(count_errors(&f), 0);
	fixture_mount(&f);
	assert_false(f.fs->scanned);
	assert_int_equal(checkpoint_block(&f), 0);
	after = fixture_dump(&f);
	assert_string_equal(before, after);
	assert_int_equal(fixture_free_blocks(&f), blocks);
	nova_statfs(f.fs, &statfs[1]);
	assert_int_equal(statfs[1].inodes, statfs[0].inodes);
	/* What was free is used again, and nothing twice. */
	fixture_create(&f, f.root, "more", S_IFREG | 0644);
	for (unsigned i = 0; i < 700; i++) {
		char name[32];
		struct nova_attr file;

		snprintf(name, sizeof name, "new%u", i);
		file = fixture_create(&f, f.root, name, S_IFREG | 0644);
		fixture_write(&f, file.handle, 0, name, sizeof name);
	}
	fixture_assert_same_after_remount(&f);
	fixture_unmount(&f);
	assert_int_equal(count_errors(&f), 0);
	free(before);
	free(after);
	fixture_close(&f);
}

static void a_crash_makes_it_void(void **state)
{
	struct fixture f;
	uint8_t *image;
	uint64_t block;
	char *before, *after;

	fixture_open(&f, 16 * MIB);
	populate(&f, 100);
	fixture_unmount(&f);
	block = checkpoint_block(&f);
	fixture_mount(&f);
	fixture_create(&f, f.root, "later", S_IFREG | 0644);
	before = fixture_dump(&f);
	image = malloc(f.size);
	memcpy(image, f.memory, f.size);
	fixture_unmount(&f);
	/* The host went down before the unmount, and even the word came back. */
	for (unsigned word = 0; word < 2; word++) {
		memcpy(f.memory, image, f.size);
		if (word)
			set_checkpoint(&f, block);
		fixture_mount(&f);
		assert_true(f.fs->scanned);
		after = fixture_dump(&f);
		assert_string_equal(before, after);
		free(after);
		fixture_unmount(&f);
	}
	free(before);
	free(image);
	fixture_close(&f);
}

static void one_of_an_earlier_unmount_is_not_believed(void **state)
{
	struct fixture f;
	uint8_t *old;
	uint64_t block;

	log_set_level(LOG_LEVEL_ERROR);
	fixture_open(&f, 16 * MIB);
	log_set_level(LOG_LEVEL_ERROR);
	populate(&f, 10);
	fixture_unmount(&f);
	block = checkpoint_block(&f);
	old = malloc(f.size);
	memcpy(old, f.memory, f.size);
	fixture_mount(&f);
	fixture_unmount(&f);
	assert_int_equal(checkpoint_block(&f), block);
	assert_int_equal(count_errors(&f), 0);
	memcpy(checkpoint_head(&f), old + block_offset(block), 2 * NOVA_BLOCK_SIZE);
	assert_int_not_equal(count_errors(&f), 0);
	fixture_mount(&f);
	assert_true(f.fs->scanned);
	fixture_assert_same_after_remount(&f);
	free(old);
	fixture_close(&f);
}

static void damage_to_it_makes_the_mount_read_the_logs(void **state)
{
	struct fixture f;
	struct nova_checkpoint *head;
	uint8_t *image;
	char *before;
	uint64_t used;

	fixture_open(&f, 16 * MIB);
	log_set_level(LOG_LEVEL_ERROR);
	populate(&f, 100);
	before = fixture_dump(&f);
	fixture_unmount(&f);
	image = malloc(f.size);
	memcpy(image, f.memory, f.size);
	head = checkpoint_head(&f);
	assert_int_equal(le32_get(head->run_count), 1);
	used = 64 + 16;
	for (uint64_t at = 0; at < used + le64_get(head->length); at += at < used ? 3 : 41) {
		uint64_t offset = at < used ? at : at - used + NOVA_BLOCK_SIZE;
		uint8_t *byte = (uint8_t *)head + offset;
		char *after;

		memcpy(f.memory, image, f.size);
		*byte ^= 0x10;
		/* What pads a section to 8 bytes says nothing. */
		if (offset < used)
			assert_int_not_equal(count_errors(&f), 0);
		fixture_mount(&f);
		assert_true(f.fs->scanned);
		if (at % 123 == 0) {
			after = fixture_dump(&f);
			assert_string_equal(before, after);
			free(after);
		}
		fixture_unmount(&f);
	}
	free(image);
	free(before);
	fixture_close(&f);
}

/* A lie with a right CRC: a pool is input like any other. */
static void fsck_finds_what_it_says_wrongly(void **state)
{
	struct fixture f;
	struct check_report report = {0};

	fixture_open(&f, 16 * MIB);
	populate(&f, 100);
	fixture_unmount(&f);
	assert_int_equal(count_errors(&f), 0);
	/* The pool loses a file behind the checkpoint's back: blocks, slot and counts no longer agree. */
	fixture_mount(&f);
	f.fs->bitmap[NOVA_ZONE_FIRST_CHUNK / 64 + 8] |= 1ULL << 63;
	f.fs->promised++;
	f.fs->chunks[8]->slots[100].generation++;
	f.fs->chunks[8]->free[0] &= ~(f.fs->chunks[8]->free[0] & -f.fs->chunks[8]->free[0]);
	fixture_unmount(&f);
	assert_int_equal(nova_check(f.memory, f.size, &report), 1);
	assert_true(report.errors >= 3);
	fixture_mount_scan(&f);
	fixture_unmount(&f);
	assert_int_equal(count_errors(&f), 0);
	fixture_close(&f);
}

static void a_full_pool_is_scanned_at_its_next_mount(void **state)
{
	struct fixture f;
	struct nova_attr file;
	static uint8_t data[1 << 20];
	uint64_t at = 0;
	size_t step = sizeof data;

	fixture_open(&f, 12 * MIB);
	file = fixture_create(&f, f.root, "file", S_IFREG | 0644);
	/* Nothing is left but the reserve for removals, which the state may take. */
	while (step >= 4096) {
		ssize_t n = nova_write(&f.call, file.handle, at, data, step, 0, NULL);

		if (n == -ENOSPC)
			step /= 2;
		else
			at += (uint64_t)n;
	}
	fixture_assert_same_after_remount(&f);
	nova_worker_close(f.worker);
	assert_int_equal(nova_worker_open(f.fs, &f.worker), 0);
	for (uint32_t i = 0; i < f.fs->zone_count; i++)
		memset(f.fs->zones[i].bitmap, 0xff, NOVA_ZONE_MAP_WORDS * 8);
	fixture_unmount(&f);
	assert_int_equal(checkpoint_block(&f), 0);
	fixture_mount(&f);
	assert_true(f.fs->scanned);
	fixture_assert_same_after_remount(&f);
	fixture_close(&f);
}

static void it_finds_room_in_single_blocks(void **state)
{
	struct fixture f;
	struct nova_attr files[2];
	static uint8_t data[4096];
	uint64_t at = 0;
	ssize_t n = 0;

	fixture_open(&f, 12 * MIB);
	populate(&f, 1500);
	files[0] = fixture_create(&f, f.root, "odd", S_IFREG | 0644);
	files[1] = fixture_create(&f, f.root, "even", S_IFREG | 0644);
	for (; n >= 0; at += 4096)
		for (unsigned i = 0; i < 2 && n >= 0; i++)
			n = nova_write(&f.call, files[i].handle, at, data, sizeof data, 0, NULL);
	assert_int_equal(n, -ENOSPC);
	fixture_unlink(&f, f.root, "odd");
	/* The reserve lies in a row: fill it, so that only what "odd" had is left. */
	fixture_unmount(&f);
	fixture_mount_scan(&f);
	for (uint64_t b = 1; b < f.fs->zones[0].blocks; b++) {
		uint64_t *map = f.fs->zones[0].bitmap;

		if (!(map[(b - 1) / 64] >> (b - 1) % 64 & 1))
			map[b / 64] |= 1ULL << b % 64;
	}
	fixture_unmount(&f);
	assert_int_not_equal(checkpoint_block(&f), 0);
	assert_true(le32_get(checkpoint_head(&f)->run_count) > 1);
	for (uint32_t i = 0; i < le32_get(checkpoint_head(&f)->run_count); i++)
		assert_int_equal(le64_get(checkpoint_head(&f)->runs[i].count), 1);
	fixture_mount(&f);
	assert_false(f.fs->scanned);
	fixture_unmount(&f);
	fixture_mount_scan(&f);
	fixture_assert_same_after_remount(&f);
	fixture_close(&f);
}

static enum nova_quarantine keep(void *context, const struct nova_freed *freed)
{
	*(uint64_t *)context += freed->count;
	return NOVA_QUARANTINE;
}

static void blocks_kept_for_readers_are_not_lost(void **state)
{
	struct fixture f;
	uint64_t kept = 0;
	uint64_t blocks;
	struct nova_attr file;

	fixture_open(&f, 16 * MIB);
	file = fixture_create(&f, f.root, "file", S_IFREG | 0644);
	fixture_write(&f, file.handle, 0, "a", 1);
	blocks = fixture_free_blocks(&f);
	f.fs->quarantine = keep;
	f.fs->quarantine_context = &kept;
	fixture_write(&f, file.handle, 0, "b", 1);
	assert_int_equal(kept, 1);
	fixture_unmount(&f);
	assert_int_equal(checkpoint_block(&f), 0);
	fixture_mount(&f);
	assert_int_equal(fixture_free_blocks(&f), blocks);
	fixture_close(&f);
}

static void an_orphan_is_reclaimed_after_it(void **state)
{
	struct fixture f;
	struct nova_attr file;

	fixture_open(&f, 16 * MIB);
	file = fixture_create(&f, f.root, "file", S_IFREG | 0644);
	assert_int_equal(nova_open(&f.call, file.handle, NULL), 0);
	fixture_unlink(&f, f.root, "file");
	fixture_remount(&f);
	assert_false(f.fs->scanned);
	assert_int_equal(nova_reclaim_orphans(&f.call), 1);
	assert_int_equal(nova_reclaim_orphans(&f.call), 0);
	fixture_assert_same_after_remount(&f);
	fixture_close(&f);
}

/* Up to five random changes fit into a slot: what such a log says is found without an index. */
static void a_scan_finds_what_small_files_have(void **state)
{
	struct fixture f;
	struct nova_handle files[400];
	struct nova_attr attrs[400];
	static uint8_t data[8 * 4096];
	unsigned seed = 99;

	fixture_open(&f, 64 * MIB);
	for (unsigned i = 0; i < 400; i++) {
		char name[16];

		snprintf(name, sizeof name, "file%u", i);
		files[i] = fixture_create(&f, f.root, name, S_IFREG | 0644).handle;
		for (int change = rand_r(&seed) % 6; change > 0; change--) {
			uint64_t offset = (uint64_t)rand_r(&seed) % (20 * 4096);
			struct nova_attr attr = {.size = offset};

			if (rand_r(&seed) % 4)
				fixture_write(&f, files[i], offset & ~4095ULL, data,
				              4096 + (size_t)rand_r(&seed) % (7 * 4096));
			else
				assert_int_equal(nova_setattr(&f.call, files[i], NOVA_SET_SIZE, &attr, NULL), 0);
		}
		assert_int_equal(nova_getattr(&f.call, files[i], &attrs[i]), 0);
	}
	for (unsigned scan = 0; scan < 2; scan++) {
		fixture_unmount(&f);
		assert_int_equal(count_errors(&f), 0);
		if (scan)
			fixture_mount_scan(&f);
		else
			fixture_mount(&f);
		for (unsigned i = 0; i < 400; i++) {
			struct nova_attr attr;

			assert_int_equal(nova_getattr(&f.call, files[i], &attr), 0);
			assert_int_equal(attr.size, attrs[i].size);
			assert_int_equal(attr.blocks, attrs[i].blocks);
			assert_int_equal(attr.change, attrs[i].change);
			assert_int_equal(attr.mtime_ns, attrs[i].mtime_ns);
		}
	}
	fixture_assert_same_after_remount(&f);
	fixture_close(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_mount_after_a_clean_unmount_reads_no_log),
	    cmocka_unit_test(a_crash_makes_it_void),
	    cmocka_unit_test(one_of_an_earlier_unmount_is_not_believed),
	    cmocka_unit_test(damage_to_it_makes_the_mount_read_the_logs),
	    cmocka_unit_test(fsck_finds_what_it_says_wrongly),
	    cmocka_unit_test(a_full_pool_is_scanned_at_its_next_mount),
	    cmocka_unit_test(it_finds_room_in_single_blocks),
	    cmocka_unit_test(blocks_kept_for_readers_are_not_lost),
	    cmocka_unit_test(an_orphan_is_reclaimed_after_it),
	    cmocka_unit_test(a_scan_finds_what_small_files_have),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
