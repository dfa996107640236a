/*
 * images_test.c -- the crash model itself: what is pending, what a fence makes durable, which images come of it.
 */
#include "tests/crash/images.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define SIZE 8192u

struct bench {
	struct sparse memory;
	struct pm pm;
	struct trace trace;
	struct images images;
	size_t stepped;
};

static struct bench bench;

static int start(void **state)
{
	memset(&bench, 0, sizeof(bench));
	sparse_init(&bench.memory, SIZE);
	pm_wrap(&bench.pm, bench.memory.base, SIZE);
	trace_init(&bench.trace, &bench.memory);
	bench.pm.observer = &bench.trace.observer;
	images_init(&bench.images, &bench.memory);
	return 0;
}

static int stop(void **state)
{
	trace_free(&bench.trace);
	images_free(&bench.images);
	sparse_free(&bench.memory);
	return 0;
}

static void step(void)
{
	for (; bench.stepped < bench.trace.count; bench.stepped++)
		images_step(&bench.images, &bench.trace, &bench.trace.events[bench.stepped]);
}

static uint64_t word(const uint8_t *image, uint64_t offset)
{
	uint64_t value;

	memcpy(&value, image + offset, sizeof(value));
	return value;
}

/* The values that a word, or a pair of words, has over all images. */
struct values {
	uint64_t at[2];
	bool seen[4][4]; /* values 0..3 */
	unsigned images;
};

static bool note(void *context, uint8_t *image, const char *family)
{
	struct values *values = context;

	values->seen[word(image, values->at[0])][word(image, values->at[1])] = true;
	values->images++;
	return true;
}

static struct values values_of(uint64_t first, uint64_t second)
{
	static const struct image_limits limits = {.atoms = 64, .lines = 16, .atom_subsets = 8, .line_subsets = 8};
	struct values values = {.at = {first, second}};

	step();
	images_forget(&bench.images);
	assert_true(images_each(&bench.images, &limits, note, &values, NULL));
	assert_true(images_intact(&bench.images));
	return values;
}

static void set(uint64_t offset, uint64_t value)
{
	pm_set8(&bench.pm, pm_at(&bench.pm, offset), value);
}

static void flush(uint64_t offset)
{
	pm_flush(&bench.pm, pm_at(&bench.pm, offset), 8);
}

static void a_store_without_flush_stays_pending_over_a_fence(void **state)
{
	struct values values;

	set(64, 1);
	pm_fence(&bench.pm);
	values = values_of(64, 64);
	assert_true(values.seen[0][0] && values.seen[1][1]);
	assert_int_equal(values.images, 2);
}

static void a_flushed_and_fenced_store_is_durable(void **state)
{
	struct values values;

	set(64, 1);
	flush(64);
	pm_fence(&bench.pm);
	values = values_of(64, 64);
	assert_false(values.seen[0][0]);
	assert_true(values.seen[1][1]);
}

static void a_flush_speaks_only_for_stores_made_before_it(void **state)
{
	struct values values;

	flush(64);
	set(64, 1);
	pm_fence(&bench.pm);
	values = values_of(64, 64);
	assert_true(values.seen[0][0] && values.seen[1][1]);
}

static void a_flush_writes_back_its_whole_line_and_no_other(void **state)
{
	struct values values;

	set(64, 1);
	set(120, 1);
	set(128, 1);
	flush(96);
	pm_fence(&bench.pm);
	values = values_of(64, 120);
	assert_false(values.seen[0][1] || values.seen[1][0] || values.seen[0][0]);
	values = values_of(64, 128);
	assert_true(values.seen[1][0] && values.seen[1][1]);
}

static void *fence_elsewhere(void *unused)
{
	pm_fence(&bench.pm);
	return NULL;
}

static void a_fence_by_another_thread_makes_nothing_durable(void **state)
{
	struct values values;
	pthread_t thread;

	set(64, 1);
	flush(64);
	assert_int_equal(pthread_create(&thread, NULL, fence_elsewhere, NULL), 0);
	pthread_join(thread, NULL);
	values = values_of(64, 64);
	assert_true(values.seen[0][0]);
	pm_fence(&bench.pm);
	values = values_of(64, 64);
	assert_false(values.seen[0][0]);
}

static void *store_and_flush_elsewhere(void *unused)
{
	set(64, 1);
	flush(64);
	return NULL;
}

/* What the system calls a thread by is given to a later one. */
static void a_fence_by_a_thread_after_an_ended_one_makes_nothing_durable(void **state)
{
	struct values values;
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, store_and_flush_elsewhere, NULL), 0);
	pthread_join(thread, NULL);
	assert_int_equal(pthread_create(&thread, NULL, fence_elsewhere, NULL), 0);
	pthread_join(thread, NULL);
	values = values_of(64, 64);
	assert_true(values.seen[0][0]);
}

static void stores_between_fences_arrive_in_any_order(void **state)
{
	struct values values;

	set(64, 1);
	set(72, 1); /* even within a line */
	flush(64);
	values = values_of(64, 72);
	assert_true(values.seen[0][0] && values.seen[0][1] && values.seen[1][0] && values.seen[1][1]);
	assert_int_equal(values.images, 4);
}

static void of_two_stores_to_an_atom_either_may_be_there(void **state)
{
	struct values values;

	set(64, 1);
	set(64, 2);
	values = values_of(64, 64);
	assert_true(values.seen[0][0] && values.seen[1][1] && values.seen[2][2]);
	flush(64);
	pm_fence(&bench.pm);
	values = values_of(64, 64);
	assert_int_equal(values.images, 1);
	assert_true(values.seen[2][2]);
}

static void a_durable_store_makes_older_ones_void(void **state)
{
	uint8_t line[64] = {2};
	struct values values;

	set(64, 1); /* never flushed itself */
	pm_copy(&bench.pm, pm_at(&bench.pm, 64), line, 64);
	pm_fence(&bench.pm);
	values = values_of(64, 64);
	assert_int_equal(values.images, 1);
	assert_true(values.seen[2][2]);
}

static void a_copy_is_torn_at_any_eight_bytes(void **state)
{
	uint8_t line[64];
	struct values values;

	memset(line, 0, sizeof(line));
	line[0] = line[56] = 1;
	pm_copy(&bench.pm, pm_at(&bench.pm, 0), line, 64);
	values = values_of(0, 56);
	assert_true(values.seen[0][0] && values.seen[0][1] && values.seen[1][0] && values.seen[1][1]);
	pm_fence(&bench.pm);
	values = values_of(0, 56);
	assert_int_equal(values.images, 1);
}

static void stores_that_change_nothing_make_no_images(void **state)
{
	struct values values;

	pm_zero(&bench.pm, pm_at(&bench.pm, 0), 4096);
	values = values_of(0, 0);
	assert_int_equal(values.images, 1);
}

static bool spoil(void *context, uint8_t *image, const char *family)
{
	image[5000] = 0xff;
	images_touched(&bench.images, 4992, 64);
	return true;
}

static void what_a_try_changes_is_restored(void **state)
{
	static const struct image_limits limits = {.atoms = 8};

	set(64, 1);
	step();
	images_each(&bench.images, &limits, spoil, NULL, NULL);
	assert_true(images_intact(&bench.images));
	assert_int_equal(bench.images.work.base[5000], 0);
}

static bool stop_at_once(void *context, uint8_t *image, const char *family)
{
	++*(unsigned *)context;
	return false;
}

static void a_try_that_returns_false_ends_the_search(void **state)
{
	static const struct image_limits limits = {.atoms = 8};
	unsigned tries = 0;

	set(64, 1);
	set(128, 1);
	step();
	assert_false(images_each(&bench.images, &limits, stop_at_once, &tries, NULL));
	assert_int_equal(tries, 1);
}

static void equal_images_are_tried_once(void **state)
{
	static const struct image_limits limits = {.atoms = 8, .atom_subsets = 50};
	struct values values = {.at = {64, 128}};
	uint64_t made = 0;

	set(64, 1);
	set(128, 1);
	set(192, 1);
	step();
	images_each(&bench.images, &limits, note, &values, &made);
	assert_int_equal(values.images, 8);
	assert_true(made > 50);
	images_each(&bench.images, &limits, note, &values, &made);
	assert_int_equal(values.images, 8);
}

static void a_missing_flush_or_fence_leaves_its_stores_pending(void **state)
{
	struct values values;

	set(64, 1);
	flush(64);
	pm_fence(&bench.pm);
	bench.images.mutation = IMAGE_NO_FLUSH;
	bench.images.mutated_site = bench.trace.events[1].site;
	values = values_of(64, 64);
	assert_true(values.seen[0][0] && values.seen[1][1]);

	set(128, 1);
	flush(128);
	pm_fence(&bench.pm);
	bench.images.mutation = IMAGE_NO_FENCE;
	bench.images.mutated_site = bench.trace.events[5].site;
	values = values_of(128, 128);
	assert_true(values.seen[0][0] && values.seen[1][1]);
}

static void all_that_was_stored_is_what_the_program_sees(void **state)
{
	struct sparse seen;
	uint8_t data[256];
	uint64_t where;

	memset(data, 7, sizeof(data));
	set(8, 3);
	pm_copy(&bench.pm, pm_at(&bench.pm, 1024), data, sizeof(data));
	pm_fence(&bench.pm);
	pm_zero(&bench.pm, pm_at(&bench.pm, 1088), 64);
	set(8, 1);
	step();
	sparse_init(&seen, SIZE);
	images_store_pending(&bench.images, &seen);
	assert_true(sparse_equal(&seen, &bench.memory, &where));
	assert_true(sparse_whole(&bench.memory, &where));
	sparse_free(&seen);
}

static void a_crash_leaves_any_of_the_images_and_nothing_pending(void **state)
{
	bool seen[4][4] = {0};
	unsigned kinds = 0;
	uint64_t where;

	for (uint64_t seed = 0; seed < 300; seed++) {
		set(64, 1);
		set(128, 0);
		flush(64);
		flush(128);
		pm_fence(&bench.pm);
		set(64, 2);
		set(128, 1);
		set(128, 3);
		step();
		images_crash(&bench.images, seed, &bench.memory);
		assert_int_equal(bench.images.pending_count, 0);
		assert_true(sparse_equal(&bench.images.durable, &bench.memory, &where));
		seen[word(bench.memory.base, 64)][word(bench.memory.base, 128)] = true;
	}
	for (unsigned a = 0; a < 4; a++)
		for (unsigned b = 0; b < 4; b++)
			kinds += seen[a][b];
	assert_int_equal(kinds, 6);
	assert_true(seen[1][0] && seen[1][1] && seen[1][3] && seen[2][0] && seen[2][1] && seen[2][3]);
}

static void what_is_settled_is_all_that_was_stored(void **state)
{
	uint64_t where;

	set(8, 3);
	set(64, 1);
	flush(64);
	set(8, 1);
	step();
	images_settle(&bench.images);
	assert_int_equal(bench.images.pending_count, 0);
	assert_true(sparse_equal(&bench.images.durable, &bench.memory, &where));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(a_store_without_flush_stays_pending_over_a_fence),
	    TEST(a_flushed_and_fenced_store_is_durable),
	    TEST(a_flush_speaks_only_for_stores_made_before_it),
	    TEST(a_flush_writes_back_its_whole_line_and_no_other),
	    TEST(a_fence_by_another_thread_makes_nothing_durable),
	    TEST(a_fence_by_a_thread_after_an_ended_one_makes_nothing_durable),
	    TEST(stores_between_fences_arrive_in_any_order),
	    TEST(of_two_stores_to_an_atom_either_may_be_there),
	    TEST(a_durable_store_makes_older_ones_void),
	    TEST(a_copy_is_torn_at_any_eight_bytes),
	    TEST(stores_that_change_nothing_make_no_images),
	    TEST(what_a_try_changes_is_restored),
	    TEST(a_try_that_returns_false_ends_the_search),
	    TEST(equal_images_are_tried_once),
	    TEST(a_missing_flush_or_fence_leaves_its_stores_pending),
	    TEST(all_that_was_stored_is_what_the_program_sees),
	    TEST(a_crash_leaves_any_of_the_images_and_nothing_pending),
	    TEST(what_is_settled_is_all_that_was_stored),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
