/*
 * nova_alloc_test.c -- the allocator against a model, files in large extents, and pools that are old and nearly full.
 */
#include "server/nova/space/alloc.h"
#include "server/nova/space/worker.h"
#include "server/nova/space/zone.h"
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

/* ---- maps ----------------------------------------------------------------------------------------------------- */

static uint32_t longest_run(const struct zone *zone, uint32_t group, uint32_t *free_blocks)
{
	uint32_t longest = 0;
	uint32_t run = 0;

	*free_blocks = 0;
	for (uint64_t at = (uint64_t)group * NOVA_GROUP_BLOCKS; at < (uint64_t)(group + 1) * NOVA_GROUP_BLOCKS; at++) {
		bool is_free = !(zone->bitmap[at / 64] >> at % 64 & 1);

		run = is_free ? run + 1 : 0;
		*free_blocks += is_free;
		if (run > longest)
			longest = run;
	}
	return longest;
}

/* What is kept of each group agrees with the bitmap, or bounds it. */
static void assert_counts_are_true(const struct nova *fs)
{
	uint64_t total = 0;

	for (uint32_t z = 0; z < fs->zone_count; z++) {
		const struct zone *zone = &fs->zones[z];
		uint32_t whole = 0;

		for (uint32_t g = 0; g < NOVA_GROUPS_PER_ZONE; g++) {
			uint32_t free_blocks;
			uint32_t longest = longest_run(zone, g, &free_blocks);

			assert_int_equal(zone->group_free[g], free_blocks);
			assert_true(zone->group_run[g] >= longest);
			assert_true(g == zone->slot_group || zone->longest >= longest);
			whole += free_blocks == NOVA_GROUP_BLOCKS;
			total += free_blocks;
		}
		assert_int_equal(zone->whole, whole);
	}
	assert_int_equal(fs->free_blocks, total);
}

struct held {
	uint64_t first;
	uint64_t count;
};

static void runs_are_given_once_and_come_back(void **state)
{
	static struct held held[20000];
	struct fixture f;
	uint8_t *owner;
	uint64_t before;
	size_t count = 0;

	(void)state;
	fixture_open(&f, 1100 * MIB); /* two zones */
	owner = calloc(1, f.fs->blocks);
	before = fixture_free_blocks(&f);
	for (unsigned i = 0; i < 60000; i++) {
		uint64_t want = random_below(8) ? 1 + random_below(40) : 1 + random_below(3000);

		/* First mostly taken, then mostly given back, and so on. */
		if (count < 20000 && (count == 0 || random_below(10) < (i / 10000 % 2 ? 2 : 7))) {
			struct held *h = &held[count];
			int64_t got = alloc_run(f.worker, want, ALLOC_GROWS, &h->first);

			if (got == -ENOSPC)
				continue;
			assert_in_range(got, 1, want);
			h->count = (uint64_t)got;
			assert_true(alloc_valid(f.fs, h->first, h->count));
			for (uint64_t b = h->first; b < h->first + h->count; b++)
				assert_int_equal(owner[b]++, 0);
			count++;
		} else {
			size_t k = random_below(count);

			for (uint64_t b = held[k].first; b < held[k].first + held[k].count; b++)
				owner[b]--;
			alloc_free(f.worker, held[k].first, held[k].count);
			held[k] = held[--count];
		}
		if (i % 5000 == 0)
			assert_counts_are_true(f.fs);
	}
	while (count) {
		count--;
		alloc_free(f.worker, held[count].first, held[count].count);
	}
	assert_int_equal(fixture_free_blocks(&f), before);
	alloc_drain(f.worker);
	assert_counts_are_true(f.fs);
	assert_int_equal(f.fs->free_blocks, before);
	free(owner);
	fixture_close(&f);
}

/* ---- contiguity ----------------------------------------------------------------------------------------------- */

#define FILES 8u

/* How many extents the file has, and how many of its 2 MiB lie in 2 MiB of the pool. */
static unsigned count_extents(struct fixture *f, struct nova_handle file, uint64_t size, unsigned *aligned)
{
	struct nova_extent extents[64];
	unsigned total = 0;
	uint64_t at = 0;

	*aligned = 0;
	while (at < size) {
		int n = nova_map(&f->call, file, at, size - at, extents, 64, NULL);

		assert_true(n > 0);
		for (int i = 0; i < n; i++) {
			uint64_t offset = (extents[i].offset + 2 * MIB - 1) / (2 * MIB) * (2 * MIB);
			uint64_t end = extents[i].offset + extents[i].length;

			total++;
			if (extents[i].block.n % 512 != extents[i].offset / 4096 % 512)
				continue;
			*aligned += end >= offset ? (unsigned)((end - offset) / (2 * MIB)) : 0;
		}
		at = extents[n - 1].offset + extents[n - 1].length;
	}
	return total;
}

/* Files grow in turns, by `step` bytes each time, all through one worker. */
static void grow_together(uint64_t size, uint64_t step, unsigned extents_max, unsigned aligned_min)
{
	struct nova_handle files[FILES];
	uint8_t *data = calloc(1, step);
	struct fixture f;

	fixture_open(&f, 700 * MIB);
	for (unsigned i = 0; i < FILES; i++) {
		char name[8];

		snprintf(name, sizeof name, "%u", i);
		files[i] = fixture_create(&f, f.root, name, S_IFREG | 0644).handle;
	}
	for (uint64_t at = 0; at < size; at += step)
		for (unsigned i = 0; i < FILES; i++)
			fixture_write(&f, files[i], at, data, step);
	for (unsigned i = 0; i < FILES; i++) {
		unsigned aligned;

		assert_in_range(count_extents(&f, files[i], size, &aligned), 1, extents_max);
		assert_true(aligned >= aligned_min);
	}
	fixture_assert_same_after_remount(&f);
	free(data);
	fixture_close(&f);
}

static void files_that_grow_together_lie_in_large_extents(void **state)
{
	(void)state;
	grow_together(12 * MIB, 300, 16, 3);
	grow_together(12 * MIB, 4096, 16, 3);
	grow_together(12 * MIB, 10000, 16, 3);
	grow_together(12 * MIB, 64 << 10, 16, 3);
}

static void large_files_are_aligned_to_2_mib_from_their_beginning(void **state)
{
	(void)state;
	grow_together(16 * MIB, 1 * MIB, 8, 8);
	grow_together(16 * MIB, 4 * MIB, 8, 8);
}

static void a_file_rewritten_in_order_stays_in_large_extents(void **state)
{
	static uint8_t data[4096];
	struct nova_handle file;
	struct fixture f;
	unsigned aligned;

	(void)state;
	fixture_open(&f, 64 * MIB);
	file = fixture_create(&f, f.root, "file", S_IFREG | 0644).handle;
	for (unsigned round = 0; round < 4; round++)
		for (uint64_t at = 0; at < 8 * MIB; at += 4096)
			fixture_write(&f, file, at, data, 4096);
	/* The window is small here: a stream reserves a 256th part of what is free. */
	assert_in_range(count_extents(&f, file, 8 * MIB, &aligned), 1, 100);
	fixture_close(&f);
}

static void what_a_file_has_reserved_goes_to_others_before_there_is_no_space(void **state)
{
	static uint8_t data[64 << 10];
	struct nova_handle files[FILES];
	struct fixture f;
	uint64_t size = 0;
	uint64_t left;

	(void)state;
	fixture_open(&f, 64 * MIB);
	for (unsigned i = 0; i < FILES; i++) {
		char name[8];

		snprintf(name, sizeof name, "%u", i);
		files[i] = fixture_create(&f, f.root, name, S_IFREG | 0644).handle;
		for (uint64_t at = 0; at < 20 * 4096; at += 4096)
			fixture_write(&f, files[i], at, data, 4096);
	}
	assert_true(f.worker->stream_blocks > 0);
	for (size_t length = sizeof data; length >= 4096;) {
		ssize_t n = nova_write(&f.call, files[0], MIB + size, data, length, 0, NULL);

		if (n > 0)
			size += (uint64_t)n;
		else
			length /= 2;
	}
	left = f.fs->base_reserve + 1; /* and a block for the names */
	assert_in_range(fixture_free_blocks(&f), f.fs->base_reserve, left + 1);
	fixture_close(&f);
}

/* ---- old and nearly full -------------------------------------------------------------------------------------- */

/* Blocks that were given back here and there for long: single blocks are free, no 64 KiB in a row. */
static void an_old_pool_that_is_nearly_full_has_room_for_new_inodes(void **state)
{
	struct fixture f;
	uint64_t *blocks;
	uint64_t total;
	uint64_t count = 0;
	unsigned chunks = 0;

	(void)state;
	fixture_open(&f, 256 * MIB);
	total = fixture_free_blocks(&f);
	blocks = calloc(total, sizeof *blocks);
	for (; count < total * 97 / 100; count++)
		assert_int_equal(alloc_run(f.worker, 1, ALLOC_GROWS, &blocks[count]), 1);
	for (unsigned round = 0; round < 50; round++) {
		uint64_t kept = count - total / 50;

		while (count > kept) {
			uint64_t k = random_below(count);

			alloc_free(f.worker, blocks[k], 1);
			blocks[k] = blocks[--count];
		}
		for (; count < kept + total / 50; count++)
			assert_int_equal(alloc_run(f.worker, 1, ALLOC_GROWS, &blocks[count]), 1);
	}
	assert_counts_are_true(f.fs);
	while (chunks < 32 && alloc_chunk(f.worker))
		chunks++;
	assert_int_equal(chunks, 32);
	/* Data gets the last block that is not in reserve all the same. */
	while (alloc_run(f.worker, 1, ALLOC_GROWS, &blocks[count]) == 1)
		count++;
	assert_true(fixture_free_blocks(&f) <= f.fs->base_reserve + 1);
	free(blocks);
	fixture_close(&f);
}

/* ---- the reserve ---------------------------------------------------------------------------------------------- */

static void what_a_removal_takes_of_the_reserve_is_not_given_to_others(void **state)
{
	struct fixture f;
	uint64_t block;
	uint64_t left;

	(void)state;
	fixture_open(&f, 512 * MIB);
	while (alloc_run(f.worker, 100, ALLOC_GROWS, &block) > 0)
		;
	left = fixture_free_blocks(&f);
	assert_true(left >= f.fs->base_reserve);
	for (unsigned i = 0; i < 8; i++) {
		assert_int_equal(alloc_run(f.worker, 1, ALLOC_FREES, &block), 1);
		assert_int_equal(alloc_run(f.worker, 1, ALLOC_GROWS, &block), -ENOSPC);
		assert_int_equal(fixture_free_blocks(&f), --left);
	}
	fixture_close(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_a_removal_takes_of_the_reserve_is_not_given_to_others),
	    cmocka_unit_test(runs_are_given_once_and_come_back),
	    cmocka_unit_test(files_that_grow_together_lie_in_large_extents),
	    cmocka_unit_test(large_files_are_aligned_to_2_mib_from_their_beginning),
	    cmocka_unit_test(a_file_rewritten_in_order_stays_in_large_extents),
	    cmocka_unit_test(what_a_file_has_reserved_goes_to_others_before_there_is_no_space),
	    cmocka_unit_test(an_old_pool_that_is_nearly_full_has_room_for_new_inodes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
