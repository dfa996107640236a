/*
 * nova_space_test.c -- full pools, log rewriting, and that what is freed comes back.
 */
#include "server/nova/core.h"
#include "tests/support/nova_fixture.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

static int setup_small(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);

	fixture_open(f, 12 * MIB);
	*state = f;
	return 0;
}

static int setup_large(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);

	fixture_open(f, 256 * MIB);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	fixture_close(*state);
	free(*state);
	return 0;
}

/* Make files of `blocks` blocks until the pool is full; returns how many were made. */
static int fill(struct fixture *f, struct nova_handle dir, unsigned blocks)
{
	static uint8_t data[64 * 4096];
	char name[64];
	int made = 0;

	for (;; made++) {
		struct nova_attr attr;
		ssize_t n;
		int err;

		snprintf(name, sizeof name, "a-name-that-takes-more-than-one-line-of-the-log-%d", made);
		err = nova_create(&f->call, dir, N(name), S_IFREG | 0644, 0, &attr);
		if (err) {
			assert_int_equal(err, -ENOSPC);
			return made;
		}
		if (!blocks)
			continue;
		n = nova_write(&f->call, attr.handle, 0, data, blocks * 4096, 0, NULL);
		if (n < 0) {
			assert_int_equal(n, -ENOSPC);
			assert_int_equal(nova_getattr(&f->call, attr.handle, &attr), 0);
			assert_int_equal(attr.size, 0);
			return made + 1;
		}
	}
}

static void empty(struct fixture *f, struct nova_handle dir, int made)
{
	char name[64];

	for (int i = 0; i < made; i++) {
		snprintf(name, sizeof name, "a-name-that-takes-more-than-one-line-of-the-log-%d", i);
		fixture_unlink(f, dir, name);
	}
}

static void full_pool_is_emptied(struct fixture *f, unsigned blocks)
{
	uint64_t before = 0;

	/* The root's log gets its first page now, so that it is not among what must come back. */
	for (int i = 0; i < 4; i++) {
		fixture_create(f, f->root, "warm", S_IFREG | 0644);
		fixture_unlink(f, f->root, "warm");
	}
	/* The first round makes the chunks of slots, which stay; the second must give back every block. */
	for (int round = 0; round < 3; round++) {
		struct nova_attr dir = fixture_create(f, f->root, "dir", S_IFDIR | 0755);
		int made = fill(f, dir.handle, blocks);

		assert_true(made > 20);
		if (round == 1)
			fixture_assert_same_after_remount(f);
		empty(f, dir.handle, made);
		assert_int_equal(nova_rmdir(&f->call, f->root, N("dir"), NULL), 0);
		if (round > 0)
			assert_int_equal(fixture_free_blocks(f), before);
		before = fixture_free_blocks(f);
	}
	fixture_assert_same_after_remount(f);
}

static void a_pool_full_of_data_is_emptied_and_every_block_comes_back(void **state)
{
	full_pool_is_emptied(*state, 7);
}

static void a_pool_full_of_large_files_is_emptied(void **state)
{
	full_pool_is_emptied(*state, 64);
}

static void a_pool_full_of_names_is_emptied(void **state)
{
	full_pool_is_emptied(*state, 0);
}

static void a_full_pool_can_be_truncated_and_written_again(void **state)
{
	struct fixture *f = *state;
	struct nova_attr file = fixture_create(f, f->root, "file", S_IFREG | 0644);
	struct nova_attr set = {.size = 4096 + 17};
	static uint8_t data[4096];
	uint64_t size = 0;
	ssize_t n;

	memset(data, 1, sizeof data);
	while ((n = nova_write(&f->call, file.handle, size, data, sizeof data, 0, NULL)) > 0)
		size += (uint64_t)n;
	assert_int_equal(n, -ENOSPC);
	assert_int_equal(nova_setattr(&f->call, file.handle, NOVA_SET_SIZE, &set, NULL), 0);
	fixture_write(f, file.handle, 0, data, sizeof data);
	fixture_assert_same_after_remount(f);
}

/* What needs no more space than before goes on: writes over blocks that are there, other names, other attributes. What
 * grows is refused all the while, and what frees space works after it. */
static void a_full_pool_can_be_rewritten_and_does_not_grow(void **state)
{
	static uint8_t data[16 * 4096], back[sizeof data];
	struct fixture *f = *state;
	struct nova_attr file = fixture_create(f, f->root, "file", S_IFREG | 0644);
	struct nova_attr other = fixture_create(f, f->root, "other", S_IFREG | 0644);
	struct nova_statfs statfs;
	uint64_t blocks = 0;

	fixture_write(f, other.handle, 0, data, 4096);
	while (nova_write(&f->call, file.handle, blocks * 4096, data, 4096, 0, NULL) == 4096)
		blocks++;
	for (unsigned i = 0; i < 20000; i++) {
		uint64_t count = 1 + i % 2 * 15, at = i * 48271ULL % (blocks - count);
		struct nova_attr mode = {.mode = i % 3 ? 0644 : 0600};

		memset(data, (int)i, count * 4096);
		assert_int_equal(nova_write(&f->call, file.handle, at * 4096 + 100, data, count * 4096 - 100, 0, NULL),
		                 count * 4096 - 100);
		assert_int_equal(nova_read(&f->call, file.handle, at * 4096 + 100, back, count * 4096 - 100),
		                 count * 4096 - 100);
		assert_memory_equal(back, data, count * 4096 - 100);
		assert_int_equal(nova_setattr(&f->call, other.handle, NOVA_SET_MODE, &mode, NULL), 0);
		assert_int_equal(nova_rename(&f->call, f->root,
		                             i % 2 ? "b"
		                             : i   ? "a"
		                                   : "other",
		                             i ? 1 : 5, f->root, i % 2 ? "a" : "b", 1, 0, NULL),
		                 0);
		/* It grows only by what GC has freed. */
		while (nova_write(&f->call, file.handle, blocks * 4096, data, 4096, 0, NULL) == 4096)
			blocks++;
		nova_statfs(f->fs, &statfs);
		assert_in_range(statfs.available_blocks, 0, 2);
		assert_true(statfs.free_blocks >= f->fs->removal_reserve);
	}
	fixture_assert_same_after_remount(f);
	assert_int_equal(nova_unlink(&f->call, f->root, N("file"), NULL), 0);
	assert_int_equal(nova_unlink(&f->call, f->root, N("a"), NULL), 0);
}

static void a_file_rewritten_a_million_times_keeps_a_short_log(void **state)
{
	struct fixture *f = *state;
	struct nova_attr file = fixture_create(f, f->root, "file", S_IFREG | 0644);
	static uint8_t data[8 * 4096];
	uint64_t free_blocks;

	fixture_write(f, file.handle, 0, data, sizeof data);
	free_blocks = fixture_free_blocks(f);
	for (uint32_t i = 0; i < 1000000; i++) {
		memcpy(data, &i, sizeof i);
		fixture_write(f, file.handle, (uint64_t)(i % 8) * 4096, data, 4096);
		if (i % 1000 == 0)
			assert_true(fixture_free_blocks(f) + 100 > free_blocks);
	}
	for (uint32_t i = 0; i < 8; i++) {
		uint32_t last;

		assert_int_equal(nova_read(&f->call, file.handle, i * 4096, &last, sizeof last), sizeof last);
		assert_int_equal(last, 1000000 - 8 + i);
	}
	fixture_assert_same_after_remount(f);
}

static void a_busy_directory_keeps_a_short_log_and_its_cookies(void **state)
{
	struct fixture *f = *state;
	struct nova_attr dir = fixture_create(f, f->root, "dir", S_IFDIR | 0755);
	uint64_t free_blocks;
	char name[64];

	for (int i = 0; i < 100; i++) {
		snprintf(name, sizeof name, "stays%d", i);
		fixture_create(f, dir.handle, name, i % 5 ? S_IFREG | 0644 : S_IFDIR | 0755);
	}
	free_blocks = fixture_free_blocks(f);
	for (int i = 0; i < 100000; i++) {
		snprintf(name, sizeof name, "goes%d", i);
		fixture_create(f, dir.handle, name, S_IFREG | 0644);
		fixture_unlink(f, dir.handle, name);
		if (i % 1000 == 0)
			assert_true(fixture_free_blocks(f) + 100 > free_blocks);
	}
	fixture_assert_same_after_remount(f);
}

static void large_files_lie_in_large_extents(void **state)
{
	struct fixture *f = *state;
	struct nova_attr file = fixture_create(f, f->root, "file", S_IFREG | 0644);
	uint8_t *data = calloc(1, 16 * MIB);
	struct nova_extent extents[64];
	int count;

	for (int i = 0; i < 4; i++)
		fixture_write(f, file.handle, (uint64_t)i * 16 * MIB, data, 16 * MIB);
	count = nova_map(&f->call, file.handle, 0, 64 * MIB, extents, 64, NULL);
	assert_in_range(count, 1, 8);
	assert_int_equal(extents[0].block.n % 512, 0);
	free(data);
	fixture_assert_same_after_remount(f);
}

static void a_pool_of_several_zones_is_filled_to_the_end(void **state)
{
	struct fixture f;
	struct nova_attr file;
	uint8_t *data = calloc(1, 16 * MIB);
	uint64_t free_blocks;
	uint64_t size = 0;
	uint32_t back;

	(void)state;
	fixture_open(&f, 1024 * MIB + 2 * MIB + 40 * MIB);
	free_blocks = fixture_free_blocks(&f);
	file = fixture_create(&f, f.root, "file", S_IFREG | 0644);
	for (uint32_t length = 16 * MIB; length >= 4096;) {
		memcpy(data, &size, 4);
		if (nova_write(&f.call, file.handle, size, data, length, 0, NULL) < 0)
			length /= 2;
		else
			size += length;
	}
	assert_in_range(size >> 20, 1040, 1062);
	assert_int_equal(nova_read(&f.call, file.handle, 1024 * MIB, &back, 4), 4);
	assert_int_equal(back, 1024 * MIB);
	fixture_remount(&f);
	assert_int_equal(nova_read(&f.call, file.handle, 1024 * MIB, &back, 4), 4);
	assert_int_equal(back, 1024 * MIB);
	fixture_unlink(&f, f.root, "file");
	assert_int_equal(fixture_free_blocks(&f), free_blocks);
	free(data);
	fixture_close(&f);
}

static uint64_t available(struct fixture *f)
{
	struct nova_statfs statfs;

	nova_statfs(f->fs, &statfs);
	assert_true(statfs.available_blocks <= statfs.free_blocks);
	return statfs.available_blocks;
}

/* What is told as available can be written, but for what the log takes; nothing can be written when it is none. */
static void available_blocks_are_those_that_can_be_written(void **state)
{
	static const uint8_t data[4096];
	struct fixture *f = *state;
	struct nova_attr file = fixture_create(f, f->root, "file", S_IFREG | 0644);
	uint64_t told = available(f), written = 0;

	while (nova_write(&f->call, file.handle, written * 4096, data, sizeof data, 0, NULL) == (ssize_t)sizeof data)
		written++;
	assert_in_range(written, told - told / 16, told);
	assert_in_range(available(f), 0, 2);
	assert_int_equal(nova_write(&f->call, file.handle, written * 4096, data, 5, 0, NULL), -ENOSPC);
	assert_int_equal(nova_setattr(&f->call, file.handle, NOVA_SET_SIZE, &(struct nova_attr){.size = 0}, NULL), 0);
	assert_in_range(available(f), told - told / 16, told + 2);
}

#define SMALL(name) cmocka_unit_test_setup_teardown(name, setup_small, teardown)
#define LARGE(name) cmocka_unit_test_setup_teardown(name, setup_large, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    SMALL(a_pool_full_of_data_is_emptied_and_every_block_comes_back),
	    SMALL(a_pool_full_of_large_files_is_emptied),
	    SMALL(a_pool_full_of_names_is_emptied),
	    SMALL(a_full_pool_can_be_truncated_and_written_again),
	    SMALL(a_full_pool_can_be_rewritten_and_does_not_grow),
	    LARGE(a_full_pool_can_be_rewritten_and_does_not_grow),
	    SMALL(a_file_rewritten_a_million_times_keeps_a_short_log),
	    LARGE(a_busy_directory_keeps_a_short_log_and_its_cookies),
	    cmocka_unit_test(a_pool_of_several_zones_is_filled_to_the_end),
	    LARGE(large_files_lie_in_large_extents),
	    SMALL(available_blocks_are_those_that_can_be_written),
	    LARGE(available_blocks_are_those_that_can_be_written),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
