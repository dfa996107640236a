/*
 * server_open_table_test.c -- the opens of a session: ids that are never given twice, and one pin for each inode.
 *
 * nova_open and nova_close are defined here: a pin is a count.
 */
#include "server/state/open_table.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define INODES 40
#define LIMIT  100
#define ROUNDS 20000

static unsigned pins[INODES];
static uint64_t stale; /* inode that is no more */

int nova_open(const struct nova_call *call, struct nova_handle file, struct nova_attr *attr)
{
	(void)call, (void)attr;
	if (file.ino.n == stale)
		return -ESTALE;
	pins[file.ino.n]++;
	return 0;
}

int nova_close(const struct nova_call *call, struct nova_handle file)
{
	(void)call;
	assert_int_equal(pins[file.ino.n], 1);
	pins[file.ino.n]--;
	return 0;
}

static const struct nova_call call;

static int add(struct open_table *opens, uint64_t ino, uint64_t *id)
{
	const struct proto_handle handle = {.ino = ino, .generation = 1};
	int rc = open_table_reserve(opens);

	return rc < 0 ? rc : open_table_add(opens, &call, handle, PROTO_OPEN_READ, 0100644, id);
}

static void inode_is_pinned_once_while_it_is_open(void **state)
{
	struct open_table opens;
	uint64_t first, second;

	(void)state;
	stale = 0;
	open_table_init(&opens, LIMIT);
	assert_int_equal(add(&opens, 3, &first), 0);
	assert_int_equal(add(&opens, 3, &second), 0);
	assert_int_equal(pins[3], 1);
	assert_false(open_table_is_last(open_table_get(&opens, first)));
	open_table_remove(&opens, &call, first);
	assert_int_equal(pins[3], 1);
	assert_true(open_table_is_last(open_table_get(&opens, second)));
	assert_null(open_table_get(&opens, first));
	open_table_remove(&opens, &call, second);
	assert_int_equal(pins[3], 0);
	open_table_free(&opens);
}

static void inode_that_is_no_more_leaves_no_trace(void **state)
{
	struct open_table opens;
	uint64_t id;

	(void)state;
	stale = 5;
	open_table_init(&opens, LIMIT);
	assert_int_equal(add(&opens, 5, &id), -ESTALE);
	assert_int_equal(opens.count, 0);
	stale = 0;
	assert_int_equal(add(&opens, 5, &id), 0);
	open_table_close_all(&opens, &call);
	assert_int_equal(pins[5], 0);
	open_table_free(&opens);
}

static void any_order_of_opens_and_closes_is_as_the_model_says(void **state)
{
	static struct {
		uint64_t id, ino;
	} model[LIMIT];
	struct open_table opens;
	uint64_t newest = 0, old = 0, id;
	unsigned count = 0;

	(void)state;
	stale = 0;
	srand(1);
	open_table_init(&opens, LIMIT);
	for (int round = 0; round < ROUNDS; round++) {
		if (rand() % 5 < 3) {
			uint64_t ino = 1 + (uint64_t)rand() % (INODES - 1);
			int rc = add(&opens, ino, &id);
			assert_int_equal(rc, count == LIMIT ? -EMFILE : 0);
			if (rc < 0)
				continue;
			assert_true(id != 0 && id != newest && id != old);
			newest = id;
			model[count].id = id;
			model[count++].ino = ino;
		} else if (count > 0) {
			unsigned i = (unsigned)rand() % count;
			const struct open *open = open_table_get(&opens, model[i].id);
			assert_non_null(open);
			assert_int_equal(open->file->handle.ino, model[i].ino);
			old = model[i].id;
			open_table_remove(&opens, &call, old);
			assert_null(open_table_get(&opens, old));
			model[i] = model[--count];
		}
		assert_int_equal(opens.count, count);
	}
	for (unsigned i = 0; i < count; i++)
		assert_int_equal(pins[model[i].ino], 1);
	open_table_close_all(&opens, &call);
	for (unsigned i = 0; i < INODES; i++)
		assert_int_equal(pins[i], 0);
	open_table_free(&opens);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(inode_is_pinned_once_while_it_is_open),
	    cmocka_unit_test(inode_that_is_no_more_leaves_no_trace),
	    cmocka_unit_test(any_order_of_opens_and_closes_is_as_the_model_says),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
