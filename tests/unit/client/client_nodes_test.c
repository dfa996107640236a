/*
 * client_nodes_test.c -- a node id of the mount means one inode for ever, whatever the kernel forgets meanwhile.
 */
#include "client/fuse/nodes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
/* cmocka.h wants the above first */
#include <cmocka.h>

#define NODES 5000u /* more than the first number of buckets */

static const struct farnova_handle root = {.ino = 1, .generation = 1};

static struct farnova_handle handle(uint64_t ino, uint32_t generation)
{
	return (struct farnova_handle){.ino = ino, .generation = generation};
}

static void assert_means(struct nodes *nodes, uint64_t id, struct farnova_handle expected)
{
	struct farnova_handle found = nodes_handle(nodes, id);

	assert_int_equal(found.ino, expected.ino);
	assert_int_equal(found.generation, expected.generation);
}

static void ids_are_known_after_they_were_forgotten(void **state)
{
	struct nodes *nodes = nodes_new(root);
	struct nodes *later = nodes_new(root);

	for (uint32_t i = 0; i < NODES; i++) {
		struct farnova_handle file = handle(0xffffffffu - i, 1 + i * 7919);
		uint64_t id = nodes_get(nodes, file);
		assert_true(id > 1);
		nodes_forget(nodes, id, 1);
		assert_means(nodes, id, file);
		assert_means(later, id, file);
		assert_int_equal(nodes_get(nodes, file), id);
	}
	nodes_free(later);
	nodes_free(nodes);
}

static void generations_are_different_nodes(void **state)
{
	struct nodes *nodes = nodes_new(root);
	uint64_t first = nodes_get(nodes, handle(77, 1)), second = nodes_get(nodes, handle(77, 2));

	assert_int_not_equal(first, second);
	nodes_forget(nodes, first, 1);
	assert_means(nodes, first, handle(77, 1));
	assert_means(nodes, second, handle(77, 2));
	assert_int_equal(nodes_get(nodes, root), 1);
	assert_means(nodes, 1, root);
	nodes_free(nodes);
}

static void long_inode_numbers_are_known_until_forgotten(void **state)
{
	struct nodes *nodes = nodes_new(root);
	uint64_t ids[NODES];

	for (uint32_t i = 0; i < NODES; i++) {
		ids[i] = nodes_get(nodes, handle((1ull << 32) + i, 3));
		assert_int_equal(nodes_get(nodes, handle((1ull << 32) + i, 3)), ids[i]);
	}
	for (uint32_t i = 0; i < NODES; i++) {
		assert_means(nodes, ids[i], handle((1ull << 32) + i, 3));
		nodes_forget(nodes, ids[i], 1);
		assert_means(nodes, ids[i], handle((1ull << 32) + i, 3));
		nodes_forget(nodes, ids[i], 1);
		assert_means(nodes, ids[i], handle(0, 0));
	}
	nodes_free(nodes);
}

static void what_is_known_of_a_file_ends_with_the_node(void **state)
{
	struct nodes *nodes = nodes_new(root);
	uint64_t id = nodes_get(nodes, handle(9, 1)), number;

	assert_false(nodes_is_plain(nodes, id, 0, &number));
	nodes_set_plain(nodes, id, 100, number);
	assert_true(nodes_is_plain(nodes, id, 99, &number));
	assert_false(nodes_is_plain(nodes, id, 100, &number));
	nodes_set_filled(nodes, id, true);
	nodes_opened(nodes, id, 1);
	assert_true(nodes_is_filled(nodes, id) && nodes_is_open_for_writing(nodes, id));
	nodes_forget(nodes, id, 1);
	assert_false(nodes_is_filled(nodes, id) || nodes_is_open_for_writing(nodes, id));
	assert_false(nodes_is_plain(nodes, id, 99, &number));
	nodes_set_plain(nodes, id, 100, number); /* a late answer: there is no node to keep it in */
	assert_false(nodes_is_plain(nodes, id, 99, &number));
	nodes_free(nodes);
}

static void late_answer_makes_no_node_plain(void **state)
{
	struct nodes *nodes = nodes_new(root);
	uint64_t id = nodes_get(nodes, handle(9, 1)), before, after;

	assert_false(nodes_is_plain(nodes, id, 1, &before));
	nodes_set_not_plain(nodes, id);
	nodes_set_plain(nodes, id, 100, before);
	assert_false(nodes_is_plain(nodes, id, 1, &after));
	nodes_set_plain(nodes, id, 100, after);
	assert_true(nodes_is_plain(nodes, id, 1, &after));
	nodes_set_not_plain(nodes, id);
	assert_false(nodes_is_plain(nodes, id, 1, &after));
	nodes_free(nodes);
}

static void open_for_writing_until_the_last_close(void **state)
{
	struct nodes *nodes = nodes_new(root);
	uint64_t id = nodes_get(nodes, handle(9, 1));

	nodes_opened(nodes, id, 1);
	nodes_opened(nodes, id, 1);
	nodes_opened(nodes, id, -1);
	assert_true(nodes_is_open_for_writing(nodes, id));
	nodes_opened(nodes, id, -1);
	assert_false(nodes_is_open_for_writing(nodes, id));
	nodes_free(nodes);
}

static void answers_count_during_a_recall(void **state)
{
	struct nodes *nodes = nodes_new(root);
	uint64_t id = nodes_get(nodes, handle(9, 1));

	assert_false(nodes_is_recalled(nodes, id));
	assert_int_equal(nodes_answered(nodes, id), 0);
	nodes_recalled(nodes, id, 1);
	nodes_recalled(nodes, id, 1);
	assert_true(nodes_is_recalled(nodes, id));
	nodes_recalled(nodes, id, -1);
	assert_true(nodes_is_recalled(nodes, id));
	assert_int_equal(nodes_answered(nodes, id), 2);
	nodes_recalled(nodes, id, -1);
	nodes_recalled(nodes, id, -1); /* of a node that was forgotten and looked up again */
	assert_false(nodes_is_recalled(nodes, id));
	nodes_free(nodes);
}

static void handles_are_found_while_referenced(void **state)
{
	struct nodes *nodes = nodes_new(root);
	struct farnova_handle handles[] = {handle(9, 1), handle((1ull << 32) + 9, 1)};

	assert_int_equal(nodes_find(nodes, root), 1);
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(nodes_find(nodes, handles[i]), 0);
		uint64_t id = nodes_get(nodes, handles[i]);
		assert_int_equal(nodes_find(nodes, handles[i]), id);
		nodes_forget(nodes, id, 1);
		assert_int_equal(nodes_find(nodes, handles[i]), 0);
	}
	nodes_free(nodes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(ids_are_known_after_they_were_forgotten),
	    cmocka_unit_test(generations_are_different_nodes),
	    cmocka_unit_test(long_inode_numbers_are_known_until_forgotten),
	    cmocka_unit_test(what_is_known_of_a_file_ends_with_the_node),
	    cmocka_unit_test(late_answer_makes_no_node_plain),
	    cmocka_unit_test(open_for_writing_until_the_last_close),
	    cmocka_unit_test(answers_count_during_a_recall),
	    cmocka_unit_test(handles_are_found_while_referenced),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
