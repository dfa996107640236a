/*
 * verify_test.c -- the judge of images itself: what it must refuse it refuses.
 */
#include "tests/crash/crash_internal.h"

#include "common/log.h"
#include "server/nova/media/format.h"
#include "tests/crash/checklist.h"
#include "tests/crash/steps.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

/* A recorded creation, and the pool as it is after it. */
static struct crash_case made;
static struct images images;

static const struct world_state *state_named(const char *name)
{
	for (size_t i = 0; i < world_state_count; i++)
		if (strcmp(world_states[i].name, name) == 0)
			return &world_states[i];
	fail();
	return NULL;
}

static int record(void **state)
{
	memset(&made, 0, sizeof(made));
	assert_true(crash_case_record(&made, state_named("fresh"), checklist_operation("create"), NULL, CRASH_SAME));
	images_init(&images, &crash_memory);
	return 0;
}

static int forget(void **state)
{
	images_free(&images);
	crash_case_end(&made);
	return 0;
}

static struct oracle oracle_of(unsigned done)
{
	return (struct oracle){
	    .right = {{.tree = &made.orders[0].trees[done], .orphans = made.orders[0].orphans[done]}},
	    .count = 1,
	};
}

static struct verdict judged(const struct oracle *oracle, bool *right)
{
	struct verdict verdict;
	uint64_t deep = 0;

	*right = verify_image(&images, images.work.base, oracle, NULL, &verdict, &deep);
	return verdict;
}

static void the_tree_that_is_there_is_right(void **state)
{
	struct oracle oracle = oracle_of(1);
	bool right;

	judged(&oracle, &right);
	assert_true(right);
}

static void another_tree_is_wrong(void **state)
{
	struct oracle oracle = oracle_of(0);
	bool right;

	judged(&oracle, &right);
	assert_false(right);
}

static void one_of_several_right_trees_is_enough(void **state)
{
	struct oracle oracle = oracle_of(0);
	bool right;

	oracle.right[oracle.count++] = oracle_of(1).right[0];
	judged(&oracle, &right);
	assert_true(right);
}

static void another_number_of_nameless_inodes_is_wrong(void **state)
{
	struct oracle oracle = oracle_of(1);
	bool right;

	oracle.right[0].orphans++;
	judged(&oracle, &right);
	assert_false(right);
}

/* What was executed is told as such, with its result. */
static void a_repeated_request_that_is_told_wrong_is_wrong(void **state)
{
	struct world_request other = made.operations[0].request;
	struct oracle oracle = oracle_of(1);
	bool right;

	assert_true(made.operations[0].request.stored);
	oracle.requests[0] = &made.operations[0].request;
	assert_non_null(strstr(judged(&oracle, &right).text, "repeated"));
	assert_false(right);
	oracle.right[0].done = 1;
	other.outcome.result.made.generation++;
	oracle.requests[0] = &other;
	assert_non_null(strstr(judged(&oracle, &right).text, "repeated"));
	assert_false(right);
	oracle.requests[0] = &made.operations[0].request;
	judged(&oracle, &right);
	assert_true(right);
}

/* A mount does not look at an inode's checksums below its log's end only: it would read this name; fsck tells first. */
static void a_damaged_image_is_wrong_before_it_is_mounted(void **state)
{
	struct oracle oracle = oracle_of(1);
	struct verdict verdict;
	bool right;

	images.work.base[made.world.root.handle.ino.n * NOVA_SLOT_SIZE + 2 * NOVA_LINE_SIZE + 40] ^= 1;
	verdict = judged(&oracle, &right);
	assert_false(right);
	assert_non_null(strstr(verdict.text, "after the crash: fsck"));
}

static void a_pool_that_takes_no_more_data_is_wrong_unless_it_was_full(void **state)
{
	struct listing tree = {0};
	struct oracle oracle = {.right = {{.tree = &tree}}, .count = 1};
	struct verdict verdict;
	char path[32];
	bool right;
	int rc = 0;

	for (unsigned i = 0; rc == 0; i++) {
		snprintf(path, sizeof(path), "/e/fill%u", i);
		rc = world_create(&made.world, path, S_IFREG | 0600);
		if (rc == 0)
			rc = world_write(&made.world, path, 0, 65536, 0);
	}
	for (unsigned i = 0; rc == 0 || i < 2000; i++) {
		snprintf(path, sizeof(path), "/e/more%u", i);
		rc = world_create(&made.world, path, S_IFREG | 0600);
	}
	assert_int_equal(rc, -ENOSPC);
	/* A slot is free, so that a file can be made, and no block. */
	assert_int_equal(world_unlink(&made.world, "/e/more0"), 0);
	rc = 0;
	for (uint64_t at = 0; rc == 0; at += 4096)
		rc = world_write(&made.world, "/e/more1", at, 4096, 0);
	assert_int_equal(rc, -ENOSPC);
	assert_null(made.world.failed);
	posix_list(made.world.model, &tree);
	images_reset(&images, &crash_memory);
	verdict = judged(&oracle, &right);
	assert_false(right);
	assert_non_null(strstr(verdict.text, "write after the crash"));
	oracle.full = true;
	images_reset(&images, &crash_memory);
	judged(&oracle, &right);
	assert_true(right);
	listing_free(&tree);
}

/* Had it been acknowledged after its first stores, it would be missing: that is wrong only because of that. */
static void an_acknowledged_operation_that_is_missing_is_wrong(void **state)
{
	const struct crash_settings settings = {
	    .limits = {.atoms = 40, .lines = 24, .atom_subsets = 16, .line_subsets = 8, .seed = 1},
	    .failures_max = 1,
	    .quiet = true,
	};
	struct crash_counts counts = {0};

	assert_int_equal(crash_case_try(&made, &settings, &counts), 0);
	made.operations[0].end = made.operations[0].begin + 2;
	assert_int_not_equal(crash_case_try(&made, &settings, &counts), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(the_tree_that_is_there_is_right, record, forget),
	    cmocka_unit_test_setup_teardown(another_tree_is_wrong, record, forget),
	    cmocka_unit_test_setup_teardown(one_of_several_right_trees_is_enough, record, forget),
	    cmocka_unit_test_setup_teardown(another_number_of_nameless_inodes_is_wrong, record, forget),
	    cmocka_unit_test_setup_teardown(a_repeated_request_that_is_told_wrong_is_wrong, record, forget),
	    cmocka_unit_test_setup_teardown(a_damaged_image_is_wrong_before_it_is_mounted, record, forget),
	    cmocka_unit_test_setup_teardown(a_pool_that_takes_no_more_data_is_wrong_unless_it_was_full, record, forget),
	    cmocka_unit_test_setup_teardown(an_acknowledged_operation_that_is_missing_is_wrong, record, forget),
	};

	log_set_level(LOG_LEVEL_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
