/*
 * client_staging_test.c -- pieces of the staging ring never overlap while they are held, whatever the order of return.
 */
#include "client/link/staging.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
/* cmocka.h wants the above first */
#include <cmocka.h>

#define SIZE 65536u

struct held {
	uint64_t offset;
	uint32_t length;
	unsigned piece;
};

static void held_pieces_never_overlap(void **state)
{
	struct staging ring;
	struct held held[STAGING_PIECES];
	unsigned count = 0;
	unsigned refused = 0;

	staging_init(&ring, SIZE);
	srand(2);
	for (int round = 0; round < 200000; round++) {
		uint32_t length = 1 + (uint32_t)rand() % (rand() % 10 ? 3000 : SIZE);
		struct held new = {.length = length};
		if (rand() % 2 && staging_take(&ring, length, &new.offset, &new.piece)) {
			assert_true(new.offset % STAGING_ALIGN == 0);
			assert_true(new.offset + length <= SIZE);
			for (unsigned i = 0; i < count; i++)
				assert_true(new.offset + length <= held[i].offset ||
				            held[i].offset + held[i].length <= new.offset);
			held[count++] = new;
		} else if (count > 0) {
			unsigned i = (unsigned)rand() % count;
			staging_return(&ring, held[i].piece);
			held[i] = held[--count];
			refused++;
		}
	}
	assert_true(refused > 0);
}

static void whole_ring_fits_whenever_it_is_empty(void **state)
{
	struct staging ring;
	uint64_t offset;
	unsigned piece;

	staging_init(&ring, SIZE);
	for (int i = 0; i < 10; i++) {
		assert_true(staging_take(&ring, 100, &offset, &piece));
		staging_return(&ring, piece);
		assert_true(staging_take(&ring, SIZE, &offset, &piece));
		assert_int_equal(offset, 0);
		unsigned other;
		assert_false(staging_take(&ring, 1, &offset, &other));
		staging_return(&ring, piece);
	}
	assert_false(staging_take(&ring, SIZE + 1, &offset, &piece));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(held_pieces_never_overlap),
	    cmocka_unit_test(whole_ring_fits_whenever_it_is_empty),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
