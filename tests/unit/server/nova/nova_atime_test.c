/*
 * nova_atime_test.c -- access times: set when they are due, and only then.
 */
#include "server/nova/inode/nova_inode.h"
#include "tests/support/nova_fixture.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#define SECOND 1000000000LL
#define DAY    (24 * 3600 * SECOND)

static struct nova_attr attr_of(struct fixture *f, struct nova_handle handle)
{
	struct nova_attr attr;

	assert_int_equal(nova_getattr(&f->call, handle, &attr), 0);
	return attr;
}

static void accessed(struct fixture *f, struct nova_handle handle, enum nova_atime policy)
{
	assert_int_equal(nova_accessed(&f->call, handle, policy), 0);
}

static void the_first_read_after_a_change_sets_it_and_no_other(void **state)
{
	struct fixture *f = *state;
	struct nova_handle file = fixture_create(f, f->root, "file", S_IFREG | 0644).handle;
	struct nova_attr before;
	struct nova_attr once;

	fixture_write(f, file, 0, "x", 1);
	before = attr_of(f, file);
	accessed(f, file, NOVA_ATIME_RELATIVE);
	once = attr_of(f, file);
	assert_true(once.atime_ns > before.atime_ns && once.atime_ns > once.mtime_ns);
	assert_true(once.mtime_ns == before.mtime_ns && once.ctime_ns == before.ctime_ns);
	for (unsigned i = 0; i < 1000; i++)
		accessed(f, file, NOVA_ATIME_RELATIVE);
	/* Nothing was appended. */
	assert_int_equal(attr_of(f, file).change, once.change);
	accessed(f, file, NOVA_ATIME_STRICT);
	assert_true(attr_of(f, file).atime_ns > once.atime_ns);
	fixture_write(f, file, 0, "y", 1);
	before = attr_of(f, file);
	accessed(f, file, NOVA_ATIME_RELATIVE);
	assert_true(attr_of(f, file).atime_ns > before.mtime_ns);
	fixture_assert_same_after_remount(f);
}

static void it_is_due_by_the_times_and_by_age(void **state)
{
	struct nova_attr attr = {.atime_ns = 100 * DAY, .mtime_ns = 1, .ctime_ns = 2};

	assert_false(nova_atime_due(&attr, 100 * DAY));
	assert_false(nova_atime_due(&attr, 101 * DAY - 1));
	assert_true(nova_atime_due(&attr, 101 * DAY));
	assert_false(nova_atime_due(&attr, 1));
	attr.ctime_ns = attr.atime_ns;
	assert_true(nova_atime_due(&attr, 100 * DAY));
	attr.ctime_ns = 0;
	attr.mtime_ns = attr.atime_ns + 1;
	assert_true(nova_atime_due(&attr, 100 * DAY));
	attr = (struct nova_attr){.atime_ns = INT64_MIN + 2, .mtime_ns = INT64_MIN, .ctime_ns = INT64_MIN};
	assert_true(nova_atime_due(&attr, INT64_MAX));
	attr = (struct nova_attr){.atime_ns = INT64_MAX};
	assert_false(nova_atime_due(&attr, INT64_MIN));
}

static void a_log_of_access_times_is_kept_short(void **state)
{
	struct fixture *f = *state;
	struct nova_handle dir = fixture_create(f, f->root, "dir", S_IFDIR | 0755).handle;
	uint64_t before;

	fixture_create(f, dir, "name", S_IFREG | 0600);
	before = fixture_free_blocks(f);
	for (unsigned i = 0; i < 20000; i++)
		accessed(f, dir, NOVA_ATIME_STRICT);
	assert_true(before - fixture_free_blocks(f) < 32);
	fixture_assert_same_after_remount(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(the_first_read_after_a_change_sets_it_and_no_other, fixture_setup,
	                                    fixture_teardown),
	    cmocka_unit_test(it_is_due_by_the_times_and_by_age),
	    cmocka_unit_test_setup_teardown(a_log_of_access_times_is_kept_short, fixture_setup, fixture_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
