/*
 * nova_fallocate_test.c -- reserve, punch, zero, collapse, insert, seek and copy in the core.
 */
#include "server/pool/check/check.h"
#include "tests/model/posix_model.h"
#include "tests/support/nova_fixture.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <cmocka.h>

#define BLOCK 4096u
#define KEEP  NOVA_FALLOCATE_KEEP_SIZE
#define PUNCH (NOVA_FALLOCATE_PUNCH_HOLE | NOVA_FALLOCATE_KEEP_SIZE)

static void tell(struct check_report *report, const struct check_finding *finding)
{
	(void)report;
	print_error("fsck: %s: inode %llu: %s\n", finding->part, (unsigned long long)finding->ino, finding->text);
}

/* The whole pool is sound, and a mount reads from it what is known of it now. */
static void assert_sound(struct fixture *f)
{
	struct check_report report = {.finding = tell};
	uint64_t left = fixture_free_blocks(f);

	fixture_assert_same_after_remount(f);
	fixture_unmount(f);
	assert_int_equal(nova_check(f->memory, f->size, &report), 0);
	fixture_mount(f);
	assert_int_equal(fixture_free_blocks(f), left);
}

static struct nova_attr attr_of(struct fixture *f, struct nova_handle file)
{
	struct nova_attr attr;

	assert_int_equal(nova_getattr(&f->call, file, &attr), 0);
	return attr;
}

static void fallocate_ok(struct fixture *f, struct nova_handle file, unsigned mode, uint64_t offset, uint64_t length)
{
	assert_int_equal(nova_fallocate(&f->call, file, mode, offset, length, NULL), 0);
}

/* A file of `blocks` blocks, each full of its own letter. */
static struct nova_handle lettered(struct fixture *f, const char *name, unsigned blocks)
{
	struct nova_handle file = fixture_create(f, f->root, name, S_IFREG | 0644).handle;
	uint8_t *data = malloc((size_t)blocks * BLOCK);

	for (unsigned i = 0; i < blocks; i++)
		memset(data + (size_t)i * BLOCK, 'a' + (int)i, BLOCK);
	fixture_write(f, file, 0, data, (size_t)blocks * BLOCK);
	free(data);
	return file;
}

/* What the file holds, a character for each 2048 bytes: its letter, '.' for zeros, '?' for a mixture. */
static const char *pattern(struct fixture *f, struct nova_handle file)
{
	static char text[256];
	uint64_t size = attr_of(f, file).size;
	size_t at = 0;

	for (uint64_t offset = 0; offset < size; offset += BLOCK / 2) {
		uint8_t half[BLOCK / 2];
		ssize_t n = nova_read(&f->call, file, offset, half, sizeof half);

		text[at] = (char)(half[0] ? half[0] : '.');
		for (ssize_t i = 0; i < n; i++)
			if (half[i] != half[0])
				text[at] = '?';
		at++;
	}
	text[at] = 0;
	return text;
}

static uint64_t seek_to(struct fixture *f, struct nova_handle file, uint64_t offset, enum nova_seek what)
{
	uint64_t found = 0;

	assert_int_equal(nova_seek(&f->call, file, offset, what, &found), 0);
	return found;
}

/* ---- each mode ------------------------------------------------------------------------------------------------ */

static void reserved_blocks_read_as_zeros_and_are_holes(void **state)
{
	struct fixture *f = *state;
	struct nova_handle file = lettered(f, "file", 2);
	struct nova_extent extents[8];
	struct nova_attr attr;
	uint64_t found;

	fallocate_ok(f, file, 0, 0, 10 * BLOCK);
	attr = attr_of(f, file);
	assert_int_equal(attr.size, 10 * BLOCK);
	assert_int_equal(attr.blocks, 10);
	assert_string_equal(pattern(f, file), "aabb................");
	assert_int_equal(nova_map(&f->call, file, 0, 10 * BLOCK, extents, 8, NULL), 2);
	assert_int_equal(extents[1].block.n, 0);
	assert_int_equal(extents[1].length, 8 * BLOCK);
	assert_int_equal(seek_to(f, file, 100, NOVA_SEEK_DATA), 100);
	assert_int_equal(seek_to(f, file, 100, NOVA_SEEK_HOLE), 2 * BLOCK);
	assert_int_equal(nova_seek(&f->call, file, 2 * BLOCK, NOVA_SEEK_DATA, &found), -ENXIO);
	assert_int_equal(nova_seek(&f->call, file, 10 * BLOCK, NOVA_SEEK_HOLE, &found), -ENXIO);
	assert_sound(f);
	assert_int_equal(attr_of(f, file).blocks, 10);
}

static void blocks_reserved_beyond_the_end_stay_until_a_truncation(void **state)
{
	struct fixture *f = *state;
	struct nova_handle file = lettered(f, "file", 2);
	uint64_t before = fixture_free_blocks(f);
	struct nova_attr size = {.size = 2 * BLOCK};

	fallocate_ok(f, file, KEEP, 2 * BLOCK, 6 * BLOCK);
	assert_int_equal(attr_of(f, file).size, 2 * BLOCK);
	assert_int_equal(attr_of(f, file).blocks, 8);
	assert_sound(f);
	assert_int_equal(attr_of(f, file).blocks, 8);
	/* Growing over them shows zeros. */
	size.size = 4 * BLOCK + 5;
	assert_int_equal(nova_setattr(&f->call, file, NOVA_SET_SIZE, &size, NULL), 0);
	assert_int_equal(attr_of(f, file).blocks, 8);
	assert_string_equal(pattern(f, file), "aabb.....");
	assert_sound(f);
	/* Truncating to the size that it has gives back what lies behind. */
	assert_int_equal(nova_setattr(&f->call, file, NOVA_SET_SIZE, &size, NULL), 0);
	assert_int_equal(attr_of(f, file).blocks, 5);
	assert_sound(f);
	assert_int_equal(attr_of(f, file).blocks, 5);
	size.size = 2 * BLOCK;
	assert_int_equal(nova_setattr(&f->call, file, NOVA_SET_SIZE, &size, NULL), 0);
	assert_int_equal(fixture_free_blocks(f), before);
}

static void a_rewritten_log_keeps_blocks_reserved_beyond_the_end(void **state)
{
	struct fixture *f = *state;
	struct nova_handle file = lettered(f, "file", 2);
	struct nova_attr attr = {.mode = 0600};

	fallocate_ok(f, file, KEEP, 0, 9 * BLOCK);
	for (unsigned i = 0; i < 4000; i++) {
		attr.mode = 0600 + i % 64;
		assert_int_equal(nova_setattr(&f->call, file, NOVA_SET_MODE, &attr, NULL), 0);
	}
	assert_int_equal(attr_of(f, file).blocks, 9);
	assert_sound(f);
	assert_int_equal(attr_of(f, file).blocks, 9);
	assert_int_equal(attr_of(f, file).size, 2 * BLOCK);
}

static void reserved_blocks_are_written_in_place_with_zeros_around(void **state)
{
	struct fixture *f = *state;
	struct nova_handle file = fixture_create(f, f->root, "file", S_IFREG | 0644).handle;
	uint64_t before;

	/* Old bytes in the blocks, which nobody may ever see. */
	fixture_unlink(f, f->root, "file");
	file = lettered(f, "old", 20);
	fixture_unlink(f, f->root, "old");
	file = fixture_create(f, f->root, "file", S_IFREG | 0644).handle;
	fallocate_ok(f, file, 0, 0, 8 * BLOCK);
	before = fixture_free_blocks(f);
	fixture_write(f, file, 3 * BLOCK + 100, "x", 1);
	fixture_write(f, file, 5 * BLOCK - 1, "yz", 2);
	assert_int_equal(fixture_free_blocks(f), before);
	assert_int_equal(attr_of(f, file).blocks, 8);
	assert_string_equal(pattern(f, file), "......?..??.....");
	assert_int_equal(seek_to(f, file, 0, NOVA_SEEK_DATA), 3 * BLOCK);
	assert_int_equal(seek_to(f, file, 3 * BLOCK, NOVA_SEEK_HOLE), 6 * BLOCK);
	assert_sound(f);
}

static void a_punched_range_reads_as_zeros_and_frees_its_blocks(void **state)
{
	struct fixture *f = *state;
	struct nova_handle file = lettered(f, "file", 6);
	uint64_t before = fixture_free_blocks(f);

	fallocate_ok(f, file, PUNCH, BLOCK + BLOCK / 2, 3 * BLOCK);
	assert_string_equal(pattern(f, file), "aab......eff");
	assert_int_equal(fixture_free_blocks(f), before + 2);
	assert_int_equal(attr_of(f, file).blocks, 4);
	assert_int_equal(attr_of(f, file).size, 6 * BLOCK);
	fallocate_ok(f, file, PUNCH, 10, 20);
	assert_string_equal(pattern(f, file), "?ab......eff");
	/* Up to and beyond the end: nothing of the last block is left. */
	fallocate_ok(f, file, PUNCH, 5 * BLOCK, 1ULL << 40);
	assert_string_equal(pattern(f, file), "?ab......e..");
	assert_int_equal(attr_of(f, file).blocks, 3);
	fallocate_ok(f, file, PUNCH, 0, 1ULL << 50);
	assert_int_equal(attr_of(f, file).blocks, 0);
	assert_sound(f);
}

static void a_zeroed_range_stays_allocated(void **state)
{
	struct fixture *f = *state;
	struct nova_handle file = lettered(f, "file", 4);

	fallocate_ok(f, file, NOVA_FALLOCATE_ZERO_RANGE | KEEP, BLOCK / 2, 2 * BLOCK);
	assert_string_equal(pattern(f, file), "a....cdd");
	assert_int_equal(attr_of(f, file).blocks, 4);
	fallocate_ok(f, file, NOVA_FALLOCATE_ZERO_RANGE, 3 * BLOCK + BLOCK / 2, 2 * BLOCK);
	assert_string_equal(pattern(f, file), "a....cd....");
	assert_int_equal(attr_of(f, file).size, 5 * BLOCK + BLOCK / 2);
	assert_int_equal(attr_of(f, file).blocks, 6);
	assert_sound(f);
}

static void collapsing_moves_what_lies_behind(void **state)
{
	struct fixture *f = *state;
	struct nova_handle file = lettered(f, "file", 6);

	fallocate_ok(f, file, PUNCH, 4 * BLOCK, BLOCK);
	fallocate_ok(f, file, KEEP, 7 * BLOCK, BLOCK);
	fallocate_ok(f, file, NOVA_FALLOCATE_COLLAPSE_RANGE, BLOCK, 2 * BLOCK);
	assert_string_equal(pattern(f, file), "aadd..ff");
	assert_int_equal(attr_of(f, file).blocks, 4);
	assert_sound(f);
	assert_string_equal(pattern(f, file), "aadd..ff");
	assert_int_equal(attr_of(f, file).blocks, 4);
}

static void inserting_makes_a_hole(void **state)
{
	struct fixture *f = *state;
	struct nova_handle file = lettered(f, "file", 3);

	fixture_write(f, file, 3 * BLOCK, "end", 3);
	fallocate_ok(f, file, NOVA_FALLOCATE_INSERT_RANGE, BLOCK, 2 * BLOCK);
	assert_string_equal(pattern(f, file), "aa....bbcc?");
	assert_int_equal(attr_of(f, file).size, 5 * BLOCK + 3);
	assert_int_equal(attr_of(f, file).blocks, 4);
	assert_sound(f);
	assert_string_equal(pattern(f, file), "aa....bbcc?");
}

static void impossible_ranges_and_modes_are_refused(void **state)
{
	struct fixture *f = *state;
	struct nova_handle file = lettered(f, "file", 3);
	struct nova_handle dir = fixture_create(f, f->root, "dir", S_IFDIR | 0755).handle;
	static const struct {
		unsigned mode;
		uint64_t offset, length;
		int err;
	} cases[] = {
	    {0, 0, 0, -EINVAL},
	    {0, UINT64_MAX, 2, -EFBIG},
	    {0, 1ULL << 51, 1ULL << 52, -EFBIG},
	    {KEEP, 0, 1ULL << 50, -ENOSPC},
	    {NOVA_FALLOCATE_PUNCH_HOLE, 0, BLOCK, -EOPNOTSUPP},
	    {NOVA_FALLOCATE_PUNCH_HOLE | NOVA_FALLOCATE_ZERO_RANGE, 0, BLOCK, -EOPNOTSUPP},
	    {0x40, 0, BLOCK, -EOPNOTSUPP},
	    {NOVA_FALLOCATE_COLLAPSE_RANGE | KEEP, 0, BLOCK, -EINVAL},
	    {NOVA_FALLOCATE_COLLAPSE_RANGE, 1, BLOCK, -EINVAL},
	    {NOVA_FALLOCATE_COLLAPSE_RANGE, 0, BLOCK + 1, -EINVAL},
	    {NOVA_FALLOCATE_COLLAPSE_RANGE, BLOCK, 2 * BLOCK, -EINVAL},
	    {NOVA_FALLOCATE_INSERT_RANGE, 3 * BLOCK, BLOCK, -EINVAL},
	    {NOVA_FALLOCATE_INSERT_RANGE, BLOCK, (1ULL << 52) - BLOCK, -EFBIG},
	};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		assert_int_equal(nova_fallocate(&f->call, file, cases[i].mode, cases[i].offset, cases[i].length, NULL),
		                 cases[i].err);
	assert_int_equal(nova_fallocate(&f->call, dir, 0, 0, BLOCK, NULL), -EISDIR);
	assert_string_equal(pattern(f, file), "aabbcc");
}

/* ---- space ---------------------------------------------------------------------------------------------------- */

static void fill_up(struct fixture *f, struct nova_handle file)
{
	static uint8_t data[64 * BLOCK];

	memset(data, 'f', sizeof data);
	for (size_t length = sizeof data; length >= BLOCK; length /= 2)
		while (nova_write(&f->call, file, 0, data, length, NOVA_WRITE_APPEND, NULL) > 0)
			;
}

static void reserved_blocks_can_be_written_on_a_full_pool(void **state)
{
	struct fixture *f = *state;
	struct nova_handle file = fixture_create(f, f->root, "file", S_IFREG | 0644).handle;
	struct nova_handle rest = fixture_create(f, f->root, "rest", S_IFREG | 0644).handle;
	uint8_t block[BLOCK];

	memset(block, 'w', sizeof block);
	fallocate_ok(f, file, 0, 0, 1500 * BLOCK);
	fill_up(f, rest);
	fixture_remount(f);
	fill_up(f, rest);
	assert_int_equal(nova_write(&f->call, rest, 0, block, 1, NOVA_WRITE_APPEND, NULL), -ENOSPC);
	/* One at a time and out of order: as much log as there can be. */
	for (unsigned i = 0; i < 1500; i++)
		assert_int_equal(nova_write(&f->call, file, (uint64_t)(i * 7 % 1500) * BLOCK, block, BLOCK, 0, NULL),
		                 BLOCK);
	assert_int_equal(attr_of(f, file).blocks, 1500);
	assert_sound(f);
	/* And then the pool can still be emptied. */
	fallocate_ok(f, rest, PUNCH, 100, 1ULL << 40);
	fixture_unlink(f, f->root, "file");
	fixture_unlink(f, f->root, "rest");
	assert_sound(f);
}

static void a_reservation_without_space_changes_nothing(void **state)
{
	struct fixture *f = *state;
	struct nova_handle file = lettered(f, "file", 3);
	struct nova_handle rest = fixture_create(f, f->root, "rest", S_IFREG | 0644).handle;
	struct nova_attr before;
	uint64_t left;
	char *tree;

	fill_up(f, rest);
	/* A few blocks are free, but not enough. */
	fallocate_ok(f, rest, PUNCH, 0, 50 * BLOCK);
	left = fixture_free_blocks(f);
	before = attr_of(f, file);
	tree = fixture_dump(f);
	assert_int_equal(nova_fallocate(&f->call, file, 0, 0, (left + 10) * BLOCK, NULL), -ENOSPC);
	assert_int_equal(nova_fallocate(&f->call, file, 0, 0, (left - 1) * BLOCK, NULL), -ENOSPC);
	assert_int_equal(nova_fallocate(&f->call, rest, NOVA_FALLOCATE_ZERO_RANGE, 0, 200 * BLOCK, NULL), -ENOSPC);
	assert_int_equal(fixture_free_blocks(f), left);
	assert_int_equal(attr_of(f, file).mtime_ns, before.mtime_ns);
	{
		char *after = fixture_dump(f);

		assert_string_equal(tree, after);
		free(after);
	}
	free(tree);
	assert_sound(f);
}

/* Free blocks lie one by one: a write takes as many runs as blocks. */
static void a_write_of_many_runs_is_one_commit_or_none(void **state)
{
	struct fixture *f = *state;
	struct nova_handle comb = fixture_create(f, f->root, "comb", S_IFREG | 0644).handle;
	struct nova_handle file = lettered(f, "file", 1);
	static uint8_t data[700 * BLOCK], back[700 * BLOCK]; /* some of them where the reserve lies in a row */
	struct nova_attr before, after;

	fill_up(f, comb);
	for (uint64_t i = 0; i < 1600; i += 2)
		fallocate_ok(f, comb, PUNCH, i * BLOCK, BLOCK);
	memset(data, 'm', sizeof data);
	before = attr_of(f, file);
	assert_int_equal(nova_write(&f->call, file, 50, data, sizeof data, 0, &after), sizeof data);
	assert_true(after.change - before.change > 500);
	/* The next one finds only the rest: it fails half way, and nothing of it is there. */
	before = attr_of(f, file);
	memset(back, 'n', sizeof back);
	assert_int_equal(nova_write(&f->call, file, 0, back, sizeof back, 0, NULL), -ENOSPC);
	assert_int_equal(attr_of(f, file).change, before.change);
	assert_sound(f);
	assert_int_equal(nova_read(&f->call, file, 50, back, sizeof back), sizeof back);
	assert_memory_equal(back, data, sizeof data);
}

static void a_write_of_a_gibibyte_is_one_commit(void **state)
{
	const uint64_t length = 1ULL << 30;
	struct nova_attr before, after;
	struct nova_handle file;
	struct fixture f;
	char last = 0;
	/* Zeros that take no memory. */
	void *data = mmap(NULL, length + 1, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	(void)state;
	assert_ptr_not_equal(data, MAP_FAILED);
	fixture_open(&f, length + 200 * MIB);
	file = fixture_create(&f, f.root, "file", S_IFREG | 0644).handle;
	fixture_write(&f, file, length, "old", 3);
	before = attr_of(&f, file);
	assert_int_equal(nova_write(&f.call, file, 1, data, length + 1, 0, NULL), -EINVAL);
	assert_int_equal(nova_write(&f.call, file, 1, data, length, 0, &after), length);
	assert_int_equal(after.size, length + 3);
	assert_int_equal(after.blocks, length / BLOCK + 1);
	assert_true(after.change - before.change < 100);
	fixture_remount(&f);
	assert_int_equal(nova_read(&f.call, file, length + 1, &last, 1), 1);
	assert_int_equal(last, 'l');
	fixture_close(&f);
	munmap(data, length + 1);
}

/* ---- copy ----------------------------------------------------------------------------------------------------- */

static void a_copy_keeps_holes_and_edges(void **state)
{
	struct fixture *f = *state;
	struct nova_handle from = lettered(f, "from", 8);
	struct nova_handle to = fixture_create(f, f->root, "to", S_IFREG | 0644).handle;
	struct nova_attr attr;

	fallocate_ok(f, from, PUNCH, 2 * BLOCK, 4 * BLOCK);
	assert_int_equal(nova_copy(&f->call, from, 0, to, 0, 1ULL << 40, &attr), 8 * BLOCK);
	assert_int_equal(attr.size, 8 * BLOCK);
	assert_int_equal(attr.blocks, 4);
	assert_string_equal(pattern(f, to), "aabb........gghh");
	/* Over data: the hole takes their place, the edges stay. */
	to = lettered(f, "two", 8);
	assert_int_equal(nova_copy(&f->call, from, BLOCK / 2, to, BLOCK / 2, 6 * BLOCK, NULL), 6 * BLOCK);
	assert_string_equal(pattern(f, to), "aabb........gghh");
	assert_int_equal(attr_of(f, to).blocks, 4);
	/* Shifted within the block: bytes are copied. */
	assert_int_equal(nova_copy(&f->call, from, BLOCK, to, BLOCK / 2, 2 * BLOCK, NULL), 2 * BLOCK);
	assert_string_equal(pattern(f, to), "abb.........gghh");
	/* At the end of the source there is less, then nothing. */
	assert_int_equal(nova_copy(&f->call, from, 7 * BLOCK, to, 20 * BLOCK, 1ULL << 30, NULL), BLOCK);
	assert_int_equal(nova_copy(&f->call, from, 8 * BLOCK, to, 0, 10, NULL), 0);
	assert_sound(f);
}

static ssize_t copy_in_two_steps(struct fixture *f, struct nova_handle from, uint64_t from_offset,
                                 struct nova_handle to, uint64_t to_offset, uint64_t length)
{
	struct nova_copy *copy;
	int rc = nova_copy_prepare(f->call.worker, from, from_offset, to, to_offset, length, &copy);

	return rc ? rc : nova_copy_commit(&f->call, copy, NULL);
}

static void a_copy_in_two_steps_does_the_same(void **state)
{
	static const uint64_t offsets[] = {0, 1, BLOCK / 2, BLOCK - 1, BLOCK, 3 * BLOCK + 7};
	static const uint64_t lengths[] = {1, 100, BLOCK, BLOCK + 1, 2 * BLOCK, 5 * BLOCK + 77, 100 * BLOCK};
	struct fixture *f = *state;
	struct nova_handle from = lettered(f, "from", 8);
	int n = 0;

	fallocate_ok(f, from, PUNCH, 2 * BLOCK, 3 * BLOCK);
	for (size_t i = 0; i < sizeof offsets / sizeof offsets[0]; i++)
		for (size_t j = 0; j < sizeof offsets / sizeof offsets[0]; j++)
			for (size_t k = 0; k < sizeof lengths / sizeof lengths[0]; k++) {
				static uint8_t data[2][200 * BLOCK];
				struct nova_attr attr[2];

				for (int steps = 0; steps < 2; steps++) {
					char name[32];

					snprintf(name, sizeof name, "%d-%d", n, steps);
					struct nova_handle to = lettered(f, name, (unsigned)(n % 7));
					ssize_t done =
					    steps ? copy_in_two_steps(f, from, offsets[i], to, offsets[j], lengths[k])
					          : nova_copy(&f->call, from, offsets[i], to, offsets[j], lengths[k],
					                      NULL);
					assert_true(done > 0);
					attr[steps] = attr_of(f, to);
					memset(data[steps], 0, sizeof data[steps]);
					assert_int_equal(nova_read(&f->call, to, 0, data[steps], sizeof data[steps]),
					                 attr[steps].size);
					fixture_unlink(f, f->root, name);
				}
				assert_int_equal(attr[0].size, attr[1].size);
				assert_int_equal(attr[0].blocks, attr[1].blocks);
				assert_memory_equal(data[0], data[1], sizeof data[0]);
				n++;
			}
	assert_sound(f);
}

static void a_prepared_copy_of_what_has_changed_is_refused(void **state)
{
	struct fixture *f = *state;
	struct nova_handle from = lettered(f, "from", 8);
	struct nova_handle to = lettered(f, "to", 8);
	uint64_t free_blocks = fixture_free_blocks(f);
	struct nova_copy *copy;

	assert_int_equal(nova_copy_prepare(f->call.worker, from, 0, to, 0, 8 * BLOCK, &copy), 0);
	assert_int_equal(fixture_free_blocks(f), free_blocks - 8);
	/* The target may change meanwhile. */
	fixture_write(f, to, 10 * BLOCK, "x", 1);
	assert_int_equal(nova_copy_commit(&f->call, copy, NULL), 8 * BLOCK);
	assert_string_equal(pattern(f, to), "aabbccddeeffgghh....x");
	assert_int_equal(nova_copy_prepare(f->call.worker, from, 0, to, 0, 8 * BLOCK, &copy), 0);
	fixture_write(f, from, 0, "z", 1);
	assert_int_equal(nova_copy_commit(&f->call, copy, NULL), -EAGAIN);
	assert_int_equal(nova_copy_prepare(f->call.worker, from, 0, to, 0, 8 * BLOCK, &copy), 0);
	nova_copy_discard(f->call.worker, copy);
	assert_int_equal(fixture_free_blocks(f), free_blocks - 1);
	assert_int_equal(nova_copy_prepare(f->call.worker, from, 0, from, BLOCK, 8 * BLOCK, &copy), -EINVAL);
	assert_sound(f);
}

static void a_copy_within_a_file_must_not_overlap(void **state)
{
	struct fixture *f = *state;
	struct nova_handle file = lettered(f, "file", 4);

	assert_int_equal(nova_copy(&f->call, file, 0, file, BLOCK, 2 * BLOCK, NULL), -EINVAL);
	assert_int_equal(nova_copy(&f->call, file, 0, file, 2 * BLOCK, 2 * BLOCK, NULL), 2 * BLOCK);
	assert_string_equal(pattern(f, file), "aabbaabb");
	assert_sound(f);
}

/* ---- a long random run ---------------------------------------------------------------------------------------- */

#define RANDOM_SPAN (40 * BLOCK)

static uint64_t rng = 88172645463325252ULL;

static uint64_t random_below(uint64_t limit)
{
	rng ^= rng << 13;
	rng ^= rng >> 7;
	rng ^= rng << 17;
	return (rng >> 11) % limit;
}

struct pair {
	struct nova_handle file;
	posix_ino ino;
};

static void assert_same_file(struct fixture *f, const struct posix_model *model, const struct pair *pair)
{
	static uint8_t ours[4 * RANDOM_SPAN], theirs[4 * RANDOM_SPAN];
	struct nova_attr attr = attr_of(f, pair->file);
	struct posix_attr expected;
	ssize_t n;

	posix_getattr(model, pair->ino, &expected);
	assert_int_equal(attr.size, expected.size);
	n = nova_read(&f->call, pair->file, 0, ours, sizeof ours);
	assert_int_equal(n, posix_read(model, pair->ino, 0, theirs, sizeof theirs));
	assert_memory_equal(ours, theirs, (size_t)n);
}

static void random_step(struct fixture *f, struct posix_model *model, const struct pair *pairs)
{
	static const int modes[] = {0,
	                            KEEP,
	                            PUNCH,
	                            NOVA_FALLOCATE_ZERO_RANGE,
	                            NOVA_FALLOCATE_ZERO_RANGE | KEEP,
	                            NOVA_FALLOCATE_COLLAPSE_RANGE,
	                            NOVA_FALLOCATE_INSERT_RANGE};
	static uint8_t data[RANDOM_SPAN];
	const struct pair *pair = &pairs[random_below(2)], *other = &pairs[random_below(2)];
	uint64_t offset = random_below(RANDOM_SPAN), length = 1 + random_below(RANDOM_SPAN / 4);
	struct nova_attr size = {.size = offset};
	struct posix_attr model_size = {.size = offset};
	int mode = modes[random_below(7)];
	ssize_t n;

	switch (random_below(8)) {
	case 0:
		assert_int_equal(nova_setattr(&f->call, pair->file, NOVA_SET_SIZE, &size, NULL), 0);
		assert_int_equal(posix_setattr(model, pair->ino, POSIX_SET_SIZE, &model_size, 0), 0);
		return;
	case 1:
	case 2:
		memset(data, (int)random_below(255) + 1, length);
		assert_int_equal(nova_write(&f->call, pair->file, offset, data, length, 0, NULL), length);
		posix_write(model, pair->ino, offset, data, length, false, 0);
		return;
	case 3: {
		uint64_t to = random_below(2) ? random_below(RANDOM_SPAN)
		                              : random_below(RANDOM_SPAN) / BLOCK * BLOCK + offset % BLOCK;

		n = nova_copy(&f->call, pair->file, offset, other->file, to, length, NULL);
		if (n == -EINVAL) {
			assert_int_equal(pair->file.ino.n, other->file.ino.n);
			return;
		}
		assert_int_equal(n, posix_read(model, pair->ino, offset, data, length));
		posix_write(model, other->ino, to, data, (size_t)n, false, 0);
		return;
	}
	default:
		if (mode & (NOVA_FALLOCATE_COLLAPSE_RANGE | NOVA_FALLOCATE_INSERT_RANGE)) {
			offset -= offset % BLOCK;
			length = (1 + length / BLOCK) * BLOCK;
		}
		if (mode == NOVA_FALLOCATE_INSERT_RANGE && attr_of(f, pair->file).size > 2 * RANDOM_SPAN)
			return;
		assert_int_equal(nova_fallocate(&f->call, pair->file, (unsigned)mode, offset, length, NULL),
		                 posix_fallocate_range(model, pair->ino, mode, offset, length, 0));
	}
}

static void random_changes_match_the_model(void **state)
{
	struct fixture *f = *state;
	struct posix_model *model = posix_new(0755, 0);
	struct pair pairs[2];

	for (int i = 0; i < 2; i++) {
		pairs[i].file = fixture_create(f, f->root, i ? "b" : "a", S_IFREG | 0644).handle;
		assert_int_equal(
		    posix_make(model, posix_root(model), i ? "b" : "a", 1, S_IFREG | 0644, 0, 0, &pairs[i].ino), 0);
	}
	for (unsigned i = 0; i < 20000; i++) {
		random_step(f, model, pairs);
		for (int k = 0; k < 2; k++)
			assert_same_file(f, model, &pairs[k]);
		if (i % 1000 == 999)
			assert_sound(f);
	}
	/* Nothing has leaked: without the files all is free again. */
	fixture_unlink(f, f->root, "a");
	fixture_unlink(f, f->root, "b");
	assert_sound(f);
	posix_free(model);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup_small, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(reserved_blocks_read_as_zeros_and_are_holes),
	    TEST(blocks_reserved_beyond_the_end_stay_until_a_truncation),
	    TEST(a_rewritten_log_keeps_blocks_reserved_beyond_the_end),
	    TEST(reserved_blocks_are_written_in_place_with_zeros_around),
	    TEST(a_punched_range_reads_as_zeros_and_frees_its_blocks),
	    TEST(a_zeroed_range_stays_allocated),
	    TEST(collapsing_moves_what_lies_behind),
	    TEST(inserting_makes_a_hole),
	    TEST(impossible_ranges_and_modes_are_refused),
	    TEST(reserved_blocks_can_be_written_on_a_full_pool),
	    TEST(a_reservation_without_space_changes_nothing),
	    TEST(a_write_of_many_runs_is_one_commit_or_none),
	    cmocka_unit_test(a_write_of_a_gibibyte_is_one_commit),
	    TEST(a_copy_keeps_holes_and_edges),
	    TEST(a_copy_within_a_file_must_not_overlap),
	    TEST(a_copy_in_two_steps_does_the_same),
	    TEST(a_prepared_copy_of_what_has_changed_is_refused),
	    TEST(random_changes_match_the_model),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
