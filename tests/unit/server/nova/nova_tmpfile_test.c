/*
 * nova_tmpfile_test.c -- files made without a name: they live while they are open, and a link gives them their first.
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

static struct nova_attr tmpfile_with_data(struct fixture *f, bool linkable)
{
	struct nova_attr attr;

	assert_int_equal(nova_tmpfile(&f->call, f->root, 0640, linkable, &attr), 0);
	assert_int_equal(attr.nlink, 0);
	assert_int_equal(attr.mode, S_IFREG | 0640);
	fixture_write(f, attr.handle, 0, "nameless", 8);
	return attr;
}

static void a_file_without_a_name_ends_with_its_last_close(void **state)
{
	struct fixture *f = *state;
	uint64_t free_before;
	struct nova_attr attr;

	fixture_unlink(f, f->root, (fixture_create(f, f->root, "x", S_IFREG | 0600), "x"));
	free_before = fixture_free_blocks(f);
	attr = tmpfile_with_data(f, true);
	assert_int_equal(nova_open(&f->call, attr.handle, NULL), 0);
	assert_int_equal(nova_close(&f->call, attr.handle), 0);
	assert_int_equal(nova_getattr(&f->call, attr.handle, &attr), 0);
	assert_int_equal(nova_close(&f->call, attr.handle), 0);
	assert_int_equal(nova_getattr(&f->call, attr.handle, &attr), -ESTALE);
	assert_int_equal(fixture_free_blocks(f), free_before);
}

static void a_link_names_it_and_then_it_is_a_file_as_any_other(void **state)
{
	struct fixture *f = *state;
	struct nova_attr attr = tmpfile_with_data(f, true);
	struct nova_handle handle = attr.handle;
	char back[8];

	assert_int_equal(nova_link(&f->call, handle, f->root, N("named"), &attr), 0);
	assert_int_equal(attr.nlink, 1);
	assert_int_equal(nova_link(&f->call, handle, f->root, N("twice"), &attr), 0);
	assert_int_equal(attr.nlink, 2);
	assert_int_equal(nova_close(&f->call, handle), 0);
	fixture_assert_same_after_remount(f);
	assert_int_equal(nova_reclaim_orphans(&f->call), 0);
	assert_int_equal(nova_read(&f->call, fixture_lookup(f, f->root, "named").handle, 0, back, 8), 8);
	assert_memory_equal(back, "nameless", 8);
	fixture_unlink(f, f->root, "named");
	fixture_unlink(f, f->root, "twice");
	assert_int_equal(nova_getattr(&f->call, handle, &attr), -ESTALE);
}

static void linked_unlinked_and_still_open_it_is_an_orphan_for_good(void **state)
{
	struct fixture *f = *state;
	struct nova_attr attr = tmpfile_with_data(f, true);

	assert_int_equal(nova_link(&f->call, attr.handle, f->root, N("named"), NULL), 0);
	fixture_unlink(f, f->root, "named");
	assert_int_equal(nova_link(&f->call, attr.handle, f->root, N("again"), NULL), -ENOENT);
	assert_int_equal(nova_close(&f->call, attr.handle), 0);
	assert_int_equal(nova_getattr(&f->call, attr.handle, &attr), -ESTALE);
}

static void exclusive_it_never_gets_a_name(void **state)
{
	struct fixture *f = *state;
	struct nova_attr attr = tmpfile_with_data(f, false);

	assert_int_equal(nova_link(&f->call, attr.handle, f->root, N("named"), NULL), -ENOENT);
	fixture_remount(f);
	assert_int_equal(nova_link(&f->call, attr.handle, f->root, N("named"), NULL), -ENOENT);
	assert_int_equal(nova_reclaim_orphans(&f->call), 1);
}

static void after_a_restart_it_waits_for_its_owner_until_it_is_reclaimed(void **state)
{
	struct fixture *f = *state;
	struct nova_attr kept = tmpfile_with_data(f, true);
	struct nova_attr lost = tmpfile_with_data(f, true);
	struct nova_attr attr;

	fixture_remount(f);
	assert_int_equal(nova_open(&f->call, kept.handle, &attr), 0);
	assert_int_equal(attr.nlink, 0);
	assert_int_equal(attr.size, 8);
	assert_int_equal(nova_reclaim_orphans(&f->call), 1);
	assert_int_equal(nova_getattr(&f->call, lost.handle, &attr), -ESTALE);
	assert_int_equal(nova_link(&f->call, kept.handle, f->root, N("named"), NULL), 0);
	assert_int_equal(nova_close(&f->call, kept.handle), 0);
	fixture_assert_same_after_remount(f);
}

static void it_belongs_to_who_made_it_and_needs_a_directory_to_write_to(void **state)
{
	struct fixture *f = *state;
	const struct nova_cred user = {.uid = 7, .gid = 8};
	struct nova_call call = f->call;
	struct nova_attr dir = fixture_create(f, f->root, "dir", S_IFDIR | 0755);
	struct nova_attr file = fixture_create(f, f->root, "file", S_IFREG | 0666);
	struct nova_attr group = fixture_create(f, f->root, "group", S_IFDIR | 0777);
	struct nova_attr attr;

	attr.mode = 02777;
	attr.gid = 99;
	assert_int_equal(nova_setattr(&f->call, group.handle, NOVA_SET_MODE | NOVA_SET_GID, &attr, NULL), 0);
	call.cred = &user;
	assert_int_equal(nova_tmpfile(&call, dir.handle, 0600, true, &attr), -EACCES);
	assert_int_equal(nova_tmpfile(&call, file.handle, 0600, true, &attr), -ENOTDIR);
	assert_int_equal(nova_tmpfile(&call, group.handle, 0600, true, &attr), 0);
	assert_int_equal(attr.uid, 7);
	assert_int_equal(attr.gid, 99);
	assert_int_equal(nova_close(&call, attr.handle), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(a_file_without_a_name_ends_with_its_last_close, fixture_setup,
	                                    fixture_teardown),
	    cmocka_unit_test_setup_teardown(a_link_names_it_and_then_it_is_a_file_as_any_other, fixture_setup,
	                                    fixture_teardown),
	    cmocka_unit_test_setup_teardown(linked_unlinked_and_still_open_it_is_an_orphan_for_good, fixture_setup,
	                                    fixture_teardown),
	    cmocka_unit_test_setup_teardown(exclusive_it_never_gets_a_name, fixture_setup, fixture_teardown),
	    cmocka_unit_test_setup_teardown(after_a_restart_it_waits_for_its_owner_until_it_is_reclaimed, fixture_setup,
	                                    fixture_teardown),
	    cmocka_unit_test_setup_teardown(it_belongs_to_who_made_it_and_needs_a_directory_to_write_to, fixture_setup,
	                                    fixture_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
