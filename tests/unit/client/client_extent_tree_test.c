/*
 * client_extent_tree_test.c -- what the client knows of a file's extents is what it was told last of each block, no
 * more.
 */
#include "client/session/extent_tree.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
/* cmocka.h wants the above first */
#include <cmocka.h>

#define BLOCK  4096u
#define BLOCKS 512u

/* The plain model: for each block nothing (0), a hole, or an address and key. */
struct known {
	uint64_t address, key;
	bool known;
};

static void check(const struct extents *extents, const struct known *model)
{
	for (uint64_t block = 0; block < BLOCKS; block++) {
		struct proto_extent found;
		uint64_t offset = block * BLOCK + 17;
		bool known = extents_find(extents, offset, &found);
		assert_int_equal(known, model[block].known);
		if (!known)
			continue;
		assert_int_equal(found.offset, offset);
		assert_int_equal(found.key, model[block].key);
		assert_int_equal(found.address, model[block].key ? model[block].address + 17 : 0);
		/* All of what is told beyond must be so too. */
		assert_int_equal((offset + found.length) % BLOCK, 0);
		for (uint64_t b = block; b * BLOCK < offset + found.length; b++) {
			assert_true(model[b].known);
			assert_int_equal(model[b].key, found.key);
		}
	}
}

static void random_changes_leave_what_was_told_last(void **state)
{
	struct extent_pool pool;
	struct extents extents = {0};
	struct known model[BLOCKS] = {0};

	extent_pool_init(&pool, 100000);
	srand(1);
	for (int round = 0; round < 5000; round++) {
		uint64_t first = (uint64_t)rand() % BLOCKS, count = 1 + (uint64_t)rand() % (rand() % 4 ? 4 : 64);
		if (first + count > BLOCKS)
			count = BLOCKS - first;
		bool forget = rand() % 4 == 0;
		uint64_t key = rand() % 5 ? (uint64_t)round + 1 : 0;
		struct proto_extent extent = {.offset = first * BLOCK,
		                              .length = count * BLOCK,
		                              .address = key ? (uint64_t)rand() * BLOCK : 0,
		                              .key = key};
		if (forget)
			extents_forget(&pool, &extents, extent.offset, extent.length);
		else
			extents_add(&pool, &extents, &extent);
		for (uint64_t b = first; b < first + count; b++)
			model[b] = (struct known){
			    .known = !forget, .key = key, .address = extent.address + (b - first) * BLOCK};
		if (round % 50 == 0)
			check(&extents, model);
	}
	check(&extents, model);
	assert_true(pool.used <= BLOCKS);
	extents_clear(&pool, &extents);
	assert_int_equal(pool.used, 0);
	extent_pool_destroy(&pool);
}

static void middle_of_an_extent_can_be_replaced(void **state)
{
	struct extent_pool pool;
	struct extents extents = {0};
	struct proto_extent found;

	extent_pool_init(&pool, 10);
	extents_add(&pool, &extents, &(struct proto_extent){.length = 10 * BLOCK, .address = 0x100000, .key = 1});
	extents_add(&pool, &extents,
	            &(struct proto_extent){.offset = 4 * BLOCK, .length = BLOCK, .address = 0x900000, .key = 2});
	assert_true(extents_find(&extents, 3 * BLOCK, &found));
	assert_int_equal(found.length, BLOCK);
	assert_int_equal(found.address, 0x100000 + 3 * BLOCK);
	assert_true(extents_find(&extents, 4 * BLOCK, &found));
	assert_int_equal(found.address, 0x900000);
	assert_int_equal(found.length, BLOCK);
	assert_true(extents_find(&extents, 5 * BLOCK, &found));
	assert_int_equal(found.address, 0x100000 + 5 * BLOCK);
	assert_int_equal(found.length, 5 * BLOCK);
	extents_clear(&pool, &extents);
	extent_pool_destroy(&pool);
}

static void past_the_limit_everything_is_forgotten(void **state)
{
	struct extent_pool pool;
	struct extents extents = {0};
	struct proto_extent found;

	extent_pool_init(&pool, 3);
	for (uint64_t i = 0; i < 3; i++)
		extents_add(&pool, &extents,
		            &(struct proto_extent){.offset = 2 * i * BLOCK, .length = BLOCK, .key = i + 1});
	assert_true(extents_find(&extents, 0, &found));
	extents_add(&pool, &extents, &(struct proto_extent){.offset = 100 * BLOCK, .length = BLOCK, .key = 9});
	for (uint64_t i = 0; i < 101; i++)
		assert_false(extents_find(&extents, i * BLOCK, &found));
	assert_int_equal(pool.used, 0);
	extent_pool_destroy(&pool);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(random_changes_leave_what_was_told_last),
	    cmocka_unit_test(middle_of_an_extent_can_be_replaced),
	    cmocka_unit_test(past_the_limit_everything_is_forgotten),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
