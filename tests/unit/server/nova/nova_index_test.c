/*
 * nova_index_test.c -- the core's own parts: words, entries, the file index, the directory index.
 */
#include "common/crc.h"
#include "server/nova/inode/dir_index.h"
#include "server/nova/inode/file_index.h"
#include "server/nova/media/entry.h"
#include "server/nova/media/words.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* ---- words ---------------------------------------------------------------------------------------------------- */

static void a_word_checks_only_as_what_it_is(void **state)
{
	uint64_t word = word_make(NOVA_WORD_TAIL, 42, 7);
	uint64_t value;

	assert_true(word_value(NOVA_WORD_TAIL, 42, word, &value));
	assert_int_equal(value, 7);
	assert_false(word_value(NOVA_WORD_HEAD, 42, word, &value));
	assert_false(word_value(NOVA_WORD_TAIL, 43, word, &value));
	assert_false(word_value(NOVA_WORD_TAIL, 42, 0, &value));
	for (unsigned bit = 0; bit < 64; bit++)
		assert_false(word_value(NOVA_WORD_TAIL, 42, word ^ 1ULL << bit, &value));
}

/* The definition in format.h, written down a second time. */
static void a_word_is_made_as_the_format_says(void **state)
{
	uint8_t bytes[15] = {NOVA_WORD_LIFE, 0x80, 0x14, 0, 0, 0, 0, 0, 0, 0x40, 0x05, 0, 0, 0, 0};
	uint32_t crc = crc32c(0xffffffff, bytes, sizeof bytes);
	uint64_t word = word_make(NOVA_WORD_LIFE, 0x1480, life_value(5, NOVA_LIFE_ALLOCATED));

	assert_int_equal(word >> 16, 0x540);
	assert_int_equal(word & 0xffff, (crc >> 16 ^ crc) & 0xffff);
}

static void of_two_copies_the_valid_and_newer_is_read(void **state)
{
	le64 old = le64_of(word_make(NOVA_WORD_TAIL, 1, 5));
	le64 new = le64_of(word_make(NOVA_WORD_TAIL, 1, 9));
	le64 bad = le64_of(1234);
	uint64_t value;

	assert_int_equal(word_read(NOVA_WORD_TAIL, 1, &new, &new, &value), WORD_GOOD);
	assert_int_equal(value, 9);
	assert_int_equal(word_read(NOVA_WORD_TAIL, 1, &new, &old, &value), WORD_MOVED);
	assert_int_equal(value, 9);
	assert_int_equal(word_read(NOVA_WORD_TAIL, 1, &old, &new, &value), WORD_MOVED);
	assert_int_equal(value, 9);
	assert_int_equal(word_read(NOVA_WORD_TAIL, 1, &bad, &old, &value), WORD_HALF);
	assert_int_equal(value, 5);
	assert_int_equal(word_read(NOVA_WORD_TAIL, 1, &old, &bad, &value), WORD_HALF);
	assert_int_equal(value, 5);
	assert_int_equal(word_read(NOVA_WORD_TAIL, 1, &bad, &bad, &value), WORD_LOST);
}

/* ---- entries -------------------------------------------------------------------------------------------------- */

static void an_entry_is_valid_only_at_its_place(void **state)
{
	struct entry_buffer buffer;
	struct nova_entry *entry = entry_start(&buffer, NOVA_ENTRY_NAME);

	entry->lines = 2;
	memset(buffer.more, 'x', NOVA_LINE_SIZE);
	entry->crc = le32_of(entry_crc(entry, 10, 20, 30));
	assert_true(entry_valid(entry, 10, 20, 30, 2));
	assert_false(entry_valid(entry, 11, 20, 30, 2));
	assert_false(entry_valid(entry, 10, 21, 30, 2));
	assert_false(entry_valid(entry, 10, 20, 31, 2));
	assert_false(entry_valid(entry, 10, 20, 30, 1));
	buffer.more[63] ^= 1;
	assert_false(entry_valid(entry, 10, 20, 30, 2));
}

static void names_with_slash_nul_or_dots_are_refused(void **state)
{
	char name[300];

	memset(name, 'a', sizeof name);
	assert_true(entry_name_ok(name, 255));
	assert_false(entry_name_ok(name, 256));
	assert_false(entry_name_ok(name, 0));
	assert_false(entry_name_ok(".", 1));
	assert_false(entry_name_ok("..", 2));
	assert_true(entry_name_ok("...", 3));
	assert_true(entry_name_ok(".a", 2));
	assert_false(entry_name_ok("a/b", 3));
	assert_false(entry_name_ok("a\0b", 3));
}

/* ---- file index ----------------------------------------------------------------------------------------------- */

#define MODEL_BLOCKS 3000u

static void count_drop(void *context, uint64_t block)
{
	(void)block;
	++*(unsigned *)context;
}

static uint64_t model_extents(const uint64_t *model)
{
	uint64_t extents = 0;

	for (uint64_t i = 0; i < MODEL_BLOCKS; i++)
		extents += model[i] && (i == 0 || !model[i - 1] || model[i] != model[i - 1] + 1);
	return extents;
}

/* What file_index_set_run tells, beside what was there. */
struct row {
	const uint64_t *model;
	uint64_t value;
	uint64_t told;
	uint64_t last; /* the last block that was told of */
	bool any;
};

static void check_replaced(void *context, uint64_t old, uint64_t value, uint64_t count)
{
	struct row *row = context;

	assert_int_equal(value, row->value + row->told);
	assert_true(count > 0);
	for (uint64_t i = 0; i < count; i++)
		assert_int_equal(row->model[row->told + i], old ? old + i : 0);
	/* As few rows as there are. */
	assert_false(row->any && old == (row->last ? row->last + 1 : 0));
	row->last = old ? old + count - 1 : 0;
	row->any = true;
	row->told += count;
}

static void the_file_index_matches_a_model(void **state)
{
	struct file_index index = {0};
	static uint64_t model[MODEL_BLOCKS];

	srand(3);
	for (int round = 0; round < 3000; round++) {
		uint64_t first = (uint64_t)rand() % (round < 100 ? 20 : MODEL_BLOCKS - 70);
		uint64_t count = 1 + (uint64_t)rand() % 64;
		uint64_t next;
		uint64_t run;

		if (rand() % 10 == 0) {
			unsigned dropped = 0;
			unsigned expected = 0;

			first = (uint64_t)rand() % MODEL_BLOCKS;
			for (uint64_t i = first; i < MODEL_BLOCKS; i++) {
				expected += model[i] != 0;
				model[i] = 0;
			}
			file_index_truncate(&index, first, count_drop, &dropped);
			assert_int_equal(dropped, expected);
		} else if (rand() % 2) {
			struct row row = {.model = model + first};

			assert_int_equal(file_index_reserve(&index, first, count), 0);
			row.value = 1000000 + (uint64_t)rand() % 2 * 5000 + first;
			file_index_set_run(&index, first, row.value, count, check_replaced, &row);
			assert_int_equal(row.told, count);
			for (uint64_t i = 0; i < count; i++)
				model[first + i] = row.value + i;
		} else {
			assert_int_equal(file_index_reserve(&index, first, count), 0);
			for (uint64_t i = 0; i < count; i++) {
				uint64_t block = rand() % 5 ? 1000000 + (uint64_t)rand() % 2 * 5000 + first + i : 0;

				assert_int_equal(file_index_set(&index, first + i, block), model[first + i]);
				model[first + i] = block;
			}
		}
		assert_int_equal(index.extents, model_extents(model));
		first = (uint64_t)rand() % MODEL_BLOCKS;
		assert_int_equal(file_index_get(&index, first), model[first]);
		for (next = first; next < MODEL_BLOCKS && !model[next]; next++)
			;
		assert_int_equal(file_index_next(&index, first, &run), next < MODEL_BLOCKS);
		if (next < MODEL_BLOCKS)
			assert_int_equal(run, next);
		if (model[first]) {
			uint64_t expected = 1;

			while (first + expected < MODEL_BLOCKS && expected < 50 &&
			       model[first + expected] == model[first] + expected)
				expected++;
			assert_int_equal(file_index_run(&index, first, 50, &run), model[first]);
			assert_int_equal(run, expected);
		}
	}
	file_index_clear(&index);
}

static void far_blocks_are_found_and_holes_skipped(void **state)
{
	struct file_index index = {0};
	const uint64_t places[] = {0, 511, 512, 1ULL << 18, (1ULL << 27) + 3, (1ULL << 40) - 1};
	const size_t n = sizeof places / sizeof places[0];
	uint64_t at = 0;

	for (size_t i = 0; i < n; i++) {
		assert_int_equal(file_index_reserve(&index, places[i], 1), 0);
		file_index_set(&index, places[i], i + 1);
	}
	for (size_t i = 0; i < n; i++, at++) {
		assert_true(file_index_next(&index, at, &at));
		assert_int_equal(at, places[i]);
		assert_int_equal(file_index_get(&index, at), i + 1);
	}
	assert_false(file_index_next(&index, at, &at));
	/* A hole is told up to the next block, or as far as was asked for, whatever of the tree lies between. */
	for (size_t i = 0; i + 1 < sizeof(places) / sizeof(places[0]); i++) {
		uint64_t hole = places[i + 1] - places[i] - 1, run;

		for (uint64_t max = 1; hole && max <= 2 * hole + 2; max *= 2) {
			assert_int_equal(file_index_run(&index, places[i] + 1, max, &run), 0);
			assert_int_equal(run, max < hole ? max : hole);
		}
	}
	file_index_truncate(&index, 512, NULL, NULL);
	assert_int_equal(file_index_get(&index, 511), 2);
	assert_int_equal(file_index_get(&index, 512), 0);
	file_index_clear(&index);
}

/* ---- directory index ------------------------------------------------------------------------------------------ */

#define NAMES 500u

/* A medium with one NAME entry of one line for each number. */
static uint8_t *name_lines(void)
{
	uint8_t *base = calloc(NAMES + 1, NOVA_LINE_SIZE);

	for (unsigned i = 1; i <= NAMES; i++)
		snprintf((char *)base + (size_t)i * NOVA_LINE_SIZE + ENTRY_NAME_OFFSET, NOVA_NAME_INLINE, "name%03u",
		         i);
	return base;
}

static void add_name(struct dir_index *index, unsigned i, uint64_t cookie, uint32_t hash)
{
	struct dir_entry entry = {.cookie = cookie, .line = i, .ino = i, .type = 8, .length = 7, .hash = hash};

	assert_int_equal(dir_index_reserve(index, 1), 0);
	dir_index_add(index, &entry);
}

static void names_decide_where_all_hashes_collide(void **state)
{
	struct dir_index index = {0};
	uint8_t *base = name_lines();
	char name[16];

	for (unsigned i = 1; i <= NAMES; i++)
		add_name(&index, i, i, 77);
	for (unsigned i = 1; i <= NAMES; i++) {
		struct dir_entry *entry;

		snprintf(name, sizeof name, "name%03u", i);
		entry = dir_index_find(&index, base, 77, name, 7);
		assert_non_null(entry);
		assert_int_equal(entry->ino, i);
		assert_null(dir_index_find(&index, base, 78, name, 7));
	}
	assert_null(dir_index_find(&index, base, 77, "name999", 7));
	dir_index_clear(&index);
	free(base);
}

static void cookies_stay_in_order_while_names_come_and_go(void **state)
{
	struct dir_index index = {0};
	uint8_t *base = name_lines();
	uint64_t cookie = 1;
	char name[16];
	uint64_t cookies[NAMES + 1] = {0};

	srand(5);
	for (int round = 0; round < 50000; round++) {
		unsigned i = 1 + (unsigned)rand() % NAMES;
		uint32_t hash;
		struct dir_entry *entry;

		snprintf(name, sizeof name, "name%03u", i);
		hash = dir_index_hash(99, name, 7) & 0xff;
		entry = dir_index_find(&index, base, hash, name, 7);
		assert_int_equal(entry != NULL, cookies[i] != 0);
		if (entry) {
			assert_ptr_equal(entry, dir_index_at(&index, cookies[i]));
			dir_index_remove(&index, entry);
			cookies[i] = 0;
		} else {
			cookies[i] = cookie++;
			add_name(&index, i, cookies[i], hash);
		}
	}
	for (uint32_t i = 1; i < index.count; i++)
		assert_true(dir_index_entry(&index, i)->cookie > dir_index_entry(&index, i - 1)->cookie);
	assert_true(index.places <= 4 * NAMES);
	dir_index_clear(&index);
	free(base);
}

static void names_loaded_in_any_order_are_found_by_name_and_cookie(void **state)
{
	struct dir_index index = {0};
	uint8_t *base = name_lines();
	char name[16];

	dir_index_load(&index);
	for (unsigned i = 0; i < NAMES; i++) {
		unsigned cookie = 1 + i * 7 % NAMES;

		snprintf(name, sizeof name, "name%03u", cookie);
		add_name(&index, cookie, cookie, dir_index_hash(3, name, 7));
	}
	dir_index_sort(&index);
	for (unsigned cookie = 3; cookie <= NAMES; cookie += 3)
		dir_index_remove(&index, dir_index_at(&index, cookie));
	assert_int_equal(dir_index_load_done(&index), 0);
	assert_int_equal(index.count, index.live);
	for (unsigned cookie = 1; cookie <= NAMES; cookie++) {
		const struct dir_entry *entry;
		uint32_t hash;

		snprintf(name, sizeof name, "name%03u", cookie);
		hash = dir_index_hash(3, name, 7);
		entry = dir_index_find(&index, base, hash, name, 7);
		assert_int_equal(entry == NULL, cookie % 3 == 0);
		assert_ptr_equal(entry, dir_index_at(&index, cookie));
		if (entry)
			assert_ptr_equal(dir_index_likely(&index, hash), entry);
	}
	dir_index_clear(&index);
	free(base);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_word_checks_only_as_what_it_is),
	    cmocka_unit_test(a_word_is_made_as_the_format_says),
	    cmocka_unit_test(of_two_copies_the_valid_and_newer_is_read),
	    cmocka_unit_test(an_entry_is_valid_only_at_its_place),
	    cmocka_unit_test(names_with_slash_nul_or_dots_are_refused),
	    cmocka_unit_test(the_file_index_matches_a_model),
	    cmocka_unit_test(far_blocks_are_found_and_holes_skipped),
	    cmocka_unit_test(names_decide_where_all_hashes_collide),
	    cmocka_unit_test(names_loaded_in_any_order_are_found_by_name_and_cookie),
	    cmocka_unit_test(cookies_stay_in_order_while_names_come_and_go),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
