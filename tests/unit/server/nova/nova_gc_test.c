/*
 * nova_gc_test.c -- logs stay short whatever is done to their inodes, and what lives in them is kept.
 */
#include "tests/support/nova_fixture.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

static uint64_t random_state = 1;

static uint64_t random_below(uint64_t n)
{
	random_state = random_state * 6364136223846793005ULL + 1442695040888963407ULL;
	return (random_state >> 33) % n;
}

/* ---- files ---------------------------------------------------------------------------------------------------- */

/* The extents a file has, as nova_map tells them. */
static uint64_t count_extents(struct fixture *f, struct nova_handle file, uint64_t blocks)
{
	struct nova_extent extents[64];
	uint64_t total = 0;
	uint64_t at = 0;

	while (at < blocks * 4096) {
		int n = nova_map(&f->call, file, at, blocks * 4096 - at, extents, 64, NULL);

		assert_true(n > 0);
		for (int i = 0; i < n; i++)
			total += extents[i].block.n != 0;
		at = extents[n - 1].offset + extents[n - 1].length;
	}
	return total;
}

/* Watches how many blocks are in use at every fence, in the middle of operations and of GC. */
struct watch {
	struct pm_observer observer;
	struct nova *fs;
	uint64_t free_before;
	uint64_t most_used;
};

static void look(struct pm_observer *self, const struct pm_event *event)
{
	struct watch *watch = (struct watch *)(void *)self;
	struct nova_statfs statfs;

	if (event->type != PM_EV_FENCE)
		return;
	nova_statfs(watch->fs, &statfs);
	if (statfs.free_blocks < watch->free_before && watch->free_before - statfs.free_blocks > watch->most_used)
		watch->most_used = watch->free_before - statfs.free_blocks;
}

/* 64 KiB and 64 bytes for each extent, and the one block that a write has taken and not yet given for the old one. */
static void rewritten_file_keeps_within_its_bound(uint64_t blocks, unsigned writes, unsigned every)
{
	struct watch watch = {.observer = {look}};
	struct fixture f;
	struct nova_attr file;
	uint8_t *data = calloc(blocks, 4096);

	fixture_open(&f, 64 * MIB);
	file = fixture_create(&f, f.root, "file", S_IFREG | 0644);
	watch.fs = f.fs;
	watch.free_before = fixture_free_blocks(&f);
	fixture_write(&f, file.handle, 0, data, blocks * 4096);
	f.pm.observer = &watch.observer;
	for (unsigned i = 0; i < writes; i++) {
		uint64_t at = random_below(blocks);

		memcpy(data + at * 4096, &i, sizeof i);
		fixture_write(&f, file.handle, at * 4096, data + at * 4096, 4096);
		if (i % every)
			continue;
		/* Between looks the number of extents moves by two a write at most. */
		assert_in_range(watch.most_used, 0,
		                blocks + 1 + 16 + (count_extents(&f, file.handle, blocks) + 2 * every) / 64);
		watch.most_used = 0;
	}
	f.pm.observer = NULL;
	for (uint64_t at = 0; at < blocks; at++) {
		uint8_t back[4096];

		assert_int_equal(nova_read(&f.call, file.handle, at * 4096, back, 4096), 4096);
		assert_memory_equal(back, data + at * 4096, 4096);
	}
	fixture_assert_same_after_remount(&f);
	free(data);
	fixture_close(&f);
}

static void a_rewritten_file_keeps_its_log_within_the_bound_at_every_fence(void **state)
{
	(void)state;
	rewritten_file_keeps_within_its_bound(1, 20000, 1);
	rewritten_file_keeps_within_its_bound(2, 20000, 1);
	rewritten_file_keeps_within_its_bound(16, 20000, 1);
	rewritten_file_keeps_within_its_bound(256, 20000, 16);
	rewritten_file_keeps_within_its_bound(2000, 60000, 256);
}

/* Some blocks are written again for ever, behind data that nobody touches: GC has to pass them each time. */
static void what_rests_at_the_beginning_of_a_log_does_not_make_it_grow(void **state)
{
	struct fixture f;
	struct nova_attr file;
	static uint8_t data[4096];
	uint64_t before;

	(void)state;
	fixture_open(&f, 64 * MIB);
	file = fixture_create(&f, f.root, "file", S_IFREG | 0644);
	before = fixture_free_blocks(&f);
	for (uint64_t i = 0; i < 2000; i++) /* every other block: extents of one block */
		fixture_write(&f, file.handle, i * 8192, data, 4096);
	for (unsigned i = 0; i < 100000; i++) {
		fixture_write(&f, file.handle, 1000 * 8192 + i % 200 * 8192, data, 4096);
		if (i % 100 == 0)
			assert_in_range(before - fixture_free_blocks(&f), 2000, 2000 + 16 + 2000 / 64);
	}
	fixture_assert_same_after_remount(&f);
	fixture_close(&f);
}

static void small_appends_in_a_row_become_few_entries(void **state)
{
	struct fixture f;
	struct nova_attr file;
	static uint8_t data[4096];
	uint64_t before;

	(void)state;
	fixture_open(&f, 128 * MIB);
	file = fixture_create(&f, f.root, "file", S_IFREG | 0644);
	before = fixture_free_blocks(&f);
	for (uint64_t i = 0; i < 20000; i++)
		fixture_write(&f, file.handle, i * 4096, data, 4096);
	assert_in_range(before - fixture_free_blocks(&f), 20000,
	                20000 + 16 + count_extents(&f, file.handle, 20000) / 64);
	fixture_assert_same_after_remount(&f);
	fixture_close(&f);
}

/* One entry of which every other block has gone is more than one slice copies. */
static void an_extent_in_many_pieces_is_copied_in_several_slices(void **state)
{
	const uint64_t blocks = 16384;
	struct fixture f;
	struct nova_attr file;
	uint8_t *data = calloc(blocks, 4096);
	uint64_t before;

	(void)state;
	fixture_open(&f, 256 * MIB);
	file = fixture_create(&f, f.root, "file", S_IFREG | 0644);
	before = fixture_free_blocks(&f);
	for (uint64_t i = 0; i < blocks; i++)
		memcpy(data + i * 4096, &i, sizeof i);
	fixture_write(&f, file.handle, 0, data, blocks * 4096);
	for (unsigned round = 0; round < 4; round++)
		for (uint64_t i = 1; i < blocks; i += 2) {
			uint64_t value = i + round * 1000000;

			memcpy(data + i * 4096, &value, sizeof value);
			fixture_write(&f, file.handle, i * 4096, data + i * 4096, 4096);
		}
	assert_in_range(before - fixture_free_blocks(&f), blocks, blocks + 16 + blocks / 64);
	for (uint64_t i = 0; i < blocks; i++) {
		uint64_t back;

		assert_int_equal(nova_read(&f.call, file.handle, i * 4096, &back, sizeof back), sizeof back);
		assert_memory_equal(&back, data + i * 4096, sizeof back);
	}
	fixture_assert_same_after_remount(&f);
	free(data);
	fixture_close(&f);
}

/* Counts what is copied to the medium. */
struct count {
	struct pm_observer observer;
	uint64_t bytes;
};

static void add(struct pm_observer *self, const struct pm_event *event)
{
	struct count *count = (struct count *)(void *)self;

	if (event->type == PM_EV_COPY)
		count->bytes += event->length;
}

/* So no writer waits for a whole log, however many extents the file has. */
static void no_write_to_a_file_of_many_extents_copies_more_than_a_slice(void **state)
{
	const uint64_t blocks = 20000;
	struct count count = {.observer = {add}};
	static uint8_t data[4096];
	struct nova_attr file;
	struct fixture f;
	uint64_t most = 0;
	uint64_t all = 0;

	(void)state;
	fixture_open(&f, 256 * MIB);
	file = fixture_create(&f, f.root, "file", S_IFREG | 0644);
	for (uint64_t i = 0; i < blocks; i++)
		fixture_write(&f, file.handle, i * 8192, data, 4096);
	f.pm.observer = &count.observer;
	for (unsigned i = 0; i < 3 * blocks; i++) {
		count.bytes = 0;
		fixture_write(&f, file.handle, random_below(blocks) * 8192, data, 4096);
		all += count.bytes;
		most = count.bytes > most ? count.bytes : most;
	}
	f.pm.observer = NULL;
	assert_in_range(most, 4096 + 64, 4096 + 300 * 64);
	/* And all of GC together stays small beside the data. */
	assert_in_range(all / (3 * blocks), 4096 + 64, 4096 + 5 * 64);
	fixture_close(&f);
}

static void a_log_of_many_kinds_of_change_survives_gc(void **state)
{
	struct fixture f;
	struct nova_attr file;
	static uint8_t data[64 * 4096];

	(void)state;
	fixture_open(&f, 64 * MIB);
	file = fixture_create(&f, f.root, "file", S_IFREG | 0644);
	for (unsigned i = 0; i < 20000; i++) {
		struct nova_attr set = {.mode = 0600 | (i & 077),
		                        .size = random_below(2000000),
		                        .atime_ns = i,
		                        .mtime_ns = -(int64_t)i,
		                        .uid = i};
		uint64_t length = 1 + random_below(sizeof data);

		memset(data, (int)i, length);
		switch (random_below(6)) {
		case 0:
			assert_int_equal(nova_setattr(&f.call, file.handle, NOVA_SET_SIZE, &set, NULL), 0);
			break;
		case 1:
			assert_int_equal(nova_setattr(&f.call, file.handle,
			                              NOVA_SET_MODE | NOVA_SET_ATIME | NOVA_SET_MTIME | NOVA_SET_UID,
			                              &set, NULL),
			                 0);
			break;
		default:
			assert_int_equal(nova_write(&f.call, file.handle, random_below(2000000), data, length, 0, NULL),
			                 length);
		}
		if (i % 2500 == 0)
			fixture_assert_same_after_remount(&f);
	}
	fixture_assert_same_after_remount(&f);
	fixture_close(&f);
}

static void a_symbolic_link_keeps_its_target_through_gc(void **state)
{
	char target[250];
	char back[250];
	struct nova_attr attr;
	struct fixture f;

	(void)state;
	memset(target, 't', sizeof target);
	fixture_open(&f, 64 * MIB);
	assert_int_equal(nova_symlink(&f.call, f.root, "link", 4, target, sizeof target, &attr), 0);
	for (unsigned i = 0; i < 5000; i++) {
		struct nova_attr set = {.uid = i};

		assert_int_equal(nova_setattr(&f.call, attr.handle, NOVA_SET_UID, &set, NULL), 0);
	}
	assert_int_equal(nova_readlink(&f.call, attr.handle, back, sizeof back), sizeof target);
	assert_memory_equal(back, target, sizeof target);
	fixture_assert_same_after_remount(&f);
	fixture_close(&f);
}

/* ---- directories ---------------------------------------------------------------------------------------------- */

#define NAMES 400u

static void name_of(char *name, size_t size, unsigned i)
{
	/* Every third takes two lines. */
	snprintf(name, size, i % 3 ? "n%u" : "a-name-that-is-longer-than-one-line-%u", i);
}

/* Names come and go at random, so that GC moves some, drops some, and finds the going of names that it has dropped. */
static void names_keep_their_order_and_cookies_through_gc(void **state)
{
	bool there[NAMES] = {false};
	struct fixture f;
	struct nova_attr dir;
	uint64_t before = 0;

	(void)state;
	fixture_open(&f, 64 * MIB);
	dir = fixture_create(&f, f.root, "dir", S_IFDIR | 0755);
	for (unsigned i = 0; i < 60000; i++) {
		unsigned n = (unsigned)random_below(i % 2000 < 1000 ? NAMES : NAMES / 8);
		char name[64];

		name_of(name, sizeof name, n);
		if (!there[n])
			fixture_create(&f, dir.handle, name, n % 7 ? S_IFREG | 0644 : S_IFDIR | 0755);
		else if (n % 7)
			fixture_unlink(&f, dir.handle, name);
		else
			assert_int_equal(nova_rmdir(&f.call, dir.handle, name, strlen(name), NULL), 0);
		there[n] = !there[n];
		if (i % 4000 == 3999)
			fixture_assert_same_after_remount(&f);
		if (i == 30000)
			before = fixture_free_blocks(&f);
	}
	assert_in_range(fixture_free_blocks(&f), before - 40, before + 40);
	for (unsigned n = 0; n < NAMES; n++) {
		struct nova_attr attr;
		char name[64];

		name_of(name, sizeof name, n);
		assert_int_equal(nova_lookup(&f.call, dir.handle, name, strlen(name), &attr), there[n] ? 0 : -ENOENT);
	}
	fixture_close(&f);
}

/* Two names are exchanged for ever among others that rest. */
static void renames_in_a_directory_keep_its_log_short(void **state)
{
	struct fixture f;
	struct nova_attr dir;
	uint64_t before;

	(void)state;
	fixture_open(&f, 64 * MIB);
	dir = fixture_create(&f, f.root, "dir", S_IFDIR | 0755);
	for (unsigned i = 0; i < 1000; i++) {
		char name[16];

		snprintf(name, sizeof name, "rests%u", i);
		fixture_create(&f, dir.handle, name, S_IFREG | 0644);
	}
	fixture_create(&f, dir.handle, "a", S_IFREG | 0644);
	before = fixture_free_blocks(&f);
	for (unsigned i = 0; i < 100000; i++)
		assert_int_equal(
		    nova_rename(&f.call, dir.handle, i % 2 ? "b" : "a", 1, dir.handle, i % 2 ? "a" : "b", 1, 0, NULL),
		    0);
	assert_in_range(fixture_free_blocks(&f), before - 16, before + 16);
	fixture_assert_same_after_remount(&f);
	fixture_close(&f);
}

/* ---- while nothing else happens ------------------------------------------------------------------------------- */

static void an_unused_log_is_shortened_and_a_used_one_left_alone(void **state)
{
	static uint8_t data[16 * 4096];
	struct fixture f;
	struct nova_attr file;
	uint64_t before;

	(void)state;
	fixture_open(&f, 64 * MIB);
	file = fixture_create(&f, f.root, "file", S_IFREG | 0644);
	before = fixture_free_blocks(&f);
	fixture_write(&f, file.handle, 0, data, sizeof data);
	assert_int_equal(nova_gc_step(f.worker, 100, 0), 0);
	for (unsigned i = 0; i < 5000; i++) {
		fixture_write(&f, file.handle, i % 16 * 4096, data, 4096);
		if (i % 10 == 0)
			assert_int_equal(nova_gc_step(f.worker, 100, 0), 0);
	}
	nova_gc_step(f.worker, 100, 0); /* a first look notes how long the log is */
	assert_in_range(nova_gc_step(f.worker, 100, 0), 1, 4);
	assert_in_range(before - fixture_free_blocks(&f), 16, 18);
	assert_int_equal(nova_gc_step(f.worker, 100, 0), 0);
	fixture_assert_same_after_remount(&f);
	fixture_close(&f);
}

static void a_large_log_is_shortened_in_steps_of_the_size_asked_for(void **state)
{
	static uint8_t data[4096];
	const uint64_t blocks = 4000;
	struct fixture f;
	struct nova_attr file;
	uint64_t before;
	unsigned steps = 0;

	(void)state;
	fixture_open(&f, 64 * MIB);
	file = fixture_create(&f, f.root, "file", S_IFREG | 0644);
	before = fixture_free_blocks(&f);
	for (unsigned i = 0; i < 3 * blocks; i++)
		fixture_write(&f, file.handle, random_below(blocks) * 4096, data, 4096);
	for (int done; (done = nova_gc_step(f.worker, 3, NOVA_GC_BUSY)) > 0; steps++) {
		assert_in_range(done, 1, 3);
		fixture_write(&f, file.handle, random_below(blocks) * 4096, data, 4096);
	}
	assert_in_range(steps, 3, 40);
	assert_in_range(before - fixture_free_blocks(&f), 3000, blocks + 4 + blocks * 17 / 16 / 63);
	fixture_assert_same_after_remount(&f);
	fixture_close(&f);
}

static void what_died_or_was_given_up_while_it_waited_is_passed_over(void **state)
{
	static uint8_t data[4096];
	struct nova_attr file;
	struct fixture f;

	(void)state;
	fixture_open(&f, 64 * MIB);
	for (unsigned round = 0; round < 3; round++) {
		file = fixture_create(&f, f.root, "file", S_IFREG | 0644);
		for (unsigned i = 0; i < 500; i++)
			fixture_write(&f, file.handle, 0, data, 4096);
		if (round < 2)
			fixture_unlink(&f, f.root, "file");
	}
	assert_true(nova_gc_step(f.worker, 100, NOVA_GC_BUSY) > 0);
	fixture_unlink(&f, f.root, "file");
	assert_int_equal(nova_gc_step(f.worker, 100, NOVA_GC_BUSY), 0);
	fixture_assert_same_after_remount(&f);
	fixture_close(&f);
}

static uint64_t shorten_all(struct fixture *f, uint64_t before)
{
	while (nova_gc_step(f->worker, 1000, NOVA_GC_BUSY) > 0)
		;
	return before - fixture_free_blocks(f);
}

static void of_more_logs_than_can_wait_each_is_shortened_in_the_end(void **state)
{
	enum { FILES = 1200 };
	static struct nova_handle files[FILES];
	static uint8_t data[4096];
	struct fixture f;
	uint64_t before;

	(void)state;
	fixture_open(&f, 64 * MIB);
	for (unsigned i = 0; i < FILES; i++) {
		char name[16];

		snprintf(name, sizeof name, "%u", i);
		files[i] = fixture_create(&f, f.root, name, S_IFREG | 0644).handle;
	}
	before = fixture_free_blocks(&f);
	for (unsigned i = 0; i < FILES; i++)
		for (unsigned k = 0; k < 300; k++)
			fixture_write(&f, files[i], 0, data, sizeof data);
	assert_in_range(shorten_all(&f, before), FILES * 2 + 100, FILES * 5); /* some found no place */
	for (unsigned i = 0; i < FILES; i++)
		fixture_write(&f, files[i], 0, data, sizeof data);
	assert_int_equal(shorten_all(&f, before), FILES * 2);
	fixture_close(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_rewritten_file_keeps_its_log_within_the_bound_at_every_fence),
	    cmocka_unit_test(what_rests_at_the_beginning_of_a_log_does_not_make_it_grow),
	    cmocka_unit_test(small_appends_in_a_row_become_few_entries),
	    cmocka_unit_test(an_extent_in_many_pieces_is_copied_in_several_slices),
	    cmocka_unit_test(no_write_to_a_file_of_many_extents_copies_more_than_a_slice),
	    cmocka_unit_test(a_log_of_many_kinds_of_change_survives_gc),
	    cmocka_unit_test(a_symbolic_link_keeps_its_target_through_gc),
	    cmocka_unit_test(names_keep_their_order_and_cookies_through_gc),
	    cmocka_unit_test(renames_in_a_directory_keep_its_log_short),
	    cmocka_unit_test(an_unused_log_is_shortened_and_a_used_one_left_alone),
	    cmocka_unit_test(a_large_log_is_shortened_in_steps_of_the_size_asked_for),
	    cmocka_unit_test(what_died_or_was_given_up_while_it_waited_is_passed_over),
	    cmocka_unit_test(of_more_logs_than_can_wait_each_is_shortened_in_the_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
