/*
 * server_regions_test.c -- the registrations of a file's blocks, against an array that says which block has which.
 *
 * transport_register and transport_deregister are defined here: a registration is a count.
 */
#include "server/state/layout/regions.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define BLOCK  4096u
#define BLOCKS 512u /* of the file: eight chunks */
#define ROUNDS 20000

static unsigned registered;
static bool refuse;

int transport_register(struct transport_conn *conn, void *address, size_t length, uint64_t base, unsigned rights,
                       struct transport_region **out)
{
	(void)conn, (void)address, (void)length, (void)base;
	assert_int_equal(rights, TRANSPORT_REMOTE_READ);
	if (refuse)
		return -ENOMEM;
	registered++;
	*out = (struct transport_region *)(void *)&registered;
	return 0;
}

void transport_deregister(struct transport_region *region)
{
	assert_non_null(region);
	registered--;
}

static uint8_t base[1];

static int add(struct region_set *set, uint64_t block, uint64_t count, uint64_t place)
{
	struct region *region;

	return region_add(set, NULL, base, block * BLOCK, count * BLOCK, place * BLOCK, &region);
}

static void region_is_found_by_any_block_of_it(void **state)
{
	struct region_set set = {0};

	(void)state;
	assert_null(region_next(&set, 0, UINT64_MAX));
	assert_int_equal(add(&set, 10, 4, 100), 0);
	assert_int_equal(add(&set, 70, 2, 200), 0);
	assert_null(region_next(&set, 0, 10 * BLOCK));
	for (uint64_t b = 10; b < 14; b++)
		assert_int_equal(region_next(&set, b * BLOCK, (b + 1) * BLOCK)->address, 100 * BLOCK);
	assert_null(region_next(&set, 14 * BLOCK, 15 * BLOCK));
	assert_int_equal(region_next(&set, 14 * BLOCK, UINT64_MAX)->address, 200 * BLOCK);
	assert_int_equal(region_end_list(region_take(&set, 0, UINT64_MAX), true), 2);
	assert_int_equal(registered, 0);
	region_set_free(&set);
}

static void what_cannot_be_registered_is_not_there(void **state)
{
	struct region_set set = {0};

	(void)state;
	refuse = true;
	assert_int_equal(add(&set, 0, 1, 1), -ENOMEM);
	refuse = false;
	assert_null(region_next(&set, 0, UINT64_MAX));
	assert_int_equal(add(&set, 0, 1, 1), 0);
	/* The connection is gone, and with it the registration. */
	assert_int_equal(region_end_list(region_take(&set, 0, 1), false), 1);
	assert_int_equal(registered, 1);
	registered = 0;
	region_set_free(&set);
}

static void any_order_of_additions_and_removals_is_as_the_model_says(void **state)
{
	static uint64_t place_of[BLOCKS]; /* 0: no region has it */
	struct region_set set = {0};
	const uint64_t chunk_blocks = REGION_CHUNK / BLOCK;
	uint64_t next_place = 1;

	(void)state;
	srand(1);
	for (int round = 0; round < ROUNDS; round++) {
		uint64_t first = (uint64_t)rand() % BLOCKS, count = 1 + (uint64_t)rand() % 16;
		if (rand() % 2) {
			uint64_t end = (first / chunk_blocks + 1) * chunk_blocks, n = 0;
			while (n < count && first + n < end && place_of[first + n] == 0)
				n++;
			if (n == 0)
				continue;
			assert_int_equal(add(&set, first, n, next_place), 0);
			for (uint64_t i = 0; i < n; i++)
				place_of[first + i] = next_place + i;
			next_place += n;
		} else {
			struct region *list = region_take(&set, first * BLOCK, count * BLOCK);
			for (const struct region *r = list; r; r = r->next) {
				assert_true(r->offset < (first + count) * BLOCK);
				assert_true(r->offset + r->length > first * BLOCK);
				for (uint64_t i = 0; i < r->length / BLOCK; i++) {
					assert_int_equal(place_of[r->offset / BLOCK + i], r->address / BLOCK + i);
					place_of[r->offset / BLOCK + i] = 0;
				}
			}
			region_end_list(list, true);
		}
		uint64_t look = (uint64_t)rand() % BLOCKS;
		const struct region *found = region_next(&set, look * BLOCK, (look + 1) * BLOCK);
		assert_int_equal(found ? (found->address + look * BLOCK - found->offset) / BLOCK : 0, place_of[look]);
	}
	region_end_list(region_take(&set, 0, UINT64_MAX), true);
	assert_int_equal(registered, 0);
	region_set_free(&set);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(region_is_found_by_any_block_of_it),
	    cmocka_unit_test(what_cannot_be_registered_is_not_there),
	    cmocka_unit_test(any_order_of_additions_and_removals_is_as_the_model_says),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
