/*
 * nova_flags_test.c -- file flags of the core: who may set them, and what they forbid.
 */
#include "tests/unit/server/nova/xattr_calls.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static int set_flags(struct fixture *f, const struct nova_cred *cred, struct nova_handle file, uint32_t flags)
{
	struct nova_call call = fixture_as(f, cred);
	struct nova_attr in = {.flags = flags};

	return nova_setattr(&call, file, NOVA_SET_FLAGS, &in, NULL);
}

static void only_the_superuser_sets_flags(void **state)
{
	struct fixture *f = *state;
	struct nova_handle file = fixture_owned(f, "f", S_IFREG | 0666);
	struct nova_handle fifo = fixture_owned(f, "p", S_IFIFO | 0666);

	assert_int_equal(set_flags(f, &owner, file, NOVA_FILE_IMMUTABLE), -EPERM);
	assert_int_equal(set_flags(f, &owner, file, 0), 0);
	assert_int_equal(set_flags(f, &other, file, 0), -EPERM);
	assert_int_equal(set_flags(f, &root, file, 1u << 30), -EOPNOTSUPP);
	assert_int_equal(set_flags(f, &root, fifo, NOVA_FILE_APPEND), -EOPNOTSUPP);
	assert_int_equal(set_flags(f, &root, file, NOVA_FILE_IMMUTABLE | NOVA_FILE_APPEND), 0);
	assert_int_equal(attr_of(f, file).flags, NOVA_FILE_IMMUTABLE | NOVA_FILE_APPEND);
	fixture_remount(f);
	assert_int_equal(attr_of(f, file).flags, NOVA_FILE_IMMUTABLE | NOVA_FILE_APPEND);
	assert_int_equal(set_flags(f, &owner, file, NOVA_FILE_IMMUTABLE), -EPERM);
	assert_int_equal(set_flags(f, &root, file, 0), 0);
	assert_int_equal(attr_of(f, file).flags, 0);
}

static void nothing_of_an_immutable_file_changes(void **state)
{
	struct fixture *f = *state;
	struct nova_handle file = fixture_owned(f, "f", S_IFREG | 0666);
	struct nova_attr in = {.mode = 0600, .size = 1, .uid = 3};
	static const unsigned masks[] = {NOVA_SET_MODE,  NOVA_SET_UID,   NOVA_SET_GID,       NOVA_SET_SIZE,
	                                 NOVA_SET_ATIME, NOVA_SET_MTIME, NOVA_SET_MTIME_NOW, NOVA_SET_ATIME_NOW};
	struct nova_call opened = fixture_as(f, &root);
	struct nova_attr before;

	opened.opened = true;
	fixture_write(f, file, 0, "stays", 5);
	assert_int_equal(set_flags(f, &root, file, NOVA_FILE_IMMUTABLE), 0);
	before = attr_of(f, file);
	assert_int_equal(nova_write(&f->call, file, 0, "x", 1, 0, NULL), -EPERM);
	assert_int_equal(nova_write(&opened, file, 0, "x", 1, NOVA_WRITE_APPEND, NULL), -EPERM);
	for (size_t i = 0; i < sizeof masks / sizeof masks[0]; i++)
		assert_int_equal(nova_setattr(&opened, file, masks[i], &in, NULL), -EPERM);
	assert_int_equal(nova_unlink(&f->call, f->root, N("f"), NULL), -EPERM);
	assert_int_equal(nova_link(&f->call, file, f->root, N("g"), NULL), -EPERM);
	assert_int_equal(nova_rename(&f->call, f->root, N("f"), f->root, N("g"), 0, NULL), -EPERM);
	fixture_owned(f, "new", S_IFREG | 0600);
	assert_int_equal(nova_rename(&f->call, f->root, N("new"), f->root, N("f"), 0, NULL), -EPERM);
	assert_int_equal(set(f, file, "user.a", "1", 1), -EPERM);
	assert_int_equal(remove_as(f, &root, file, ACCESS), -EPERM);
	assert_int_equal(may(f, &root, file, W_OK), -EPERM);
	assert_int_equal(may(f, &other, file, R_OK), 0);
	assert_int_equal(attr_of(f, file).change, before.change);
	assert_int_equal(set_flags(f, &root, file, 0), 0);
	assert_int_equal(nova_unlink(&f->call, f->root, N("f"), NULL), 0);
}

static void an_append_only_file_only_grows(void **state)
{
	struct fixture *f = *state;
	struct nova_handle file = fixture_owned(f, "f", S_IFREG | 0666);
	struct nova_attr in = {.mode = 0600, .size = 1};
	char back[6];

	fixture_write(f, file, 0, "abc", 3);
	assert_int_equal(set_flags(f, &root, file, NOVA_FILE_APPEND), 0);
	assert_int_equal(nova_write(&f->call, file, 3, "x", 1, 0, NULL), -EPERM);
	assert_int_equal(nova_write(&f->call, file, 0, "def", 3, NOVA_WRITE_APPEND, NULL), 3);
	assert_int_equal(nova_read(&f->call, file, 0, back, 6), 6);
	assert_memory_equal(back, "abcdef", 6);
	assert_int_equal(nova_setattr(&f->call, file, NOVA_SET_SIZE, &in, NULL), -EPERM);
	assert_int_equal(nova_setattr(&f->call, file, NOVA_SET_MODE, &in, NULL), -EPERM);
	assert_int_equal(nova_setattr(&f->call, file, NOVA_SET_ATIME_NOW | NOVA_SET_MTIME_NOW, &in, NULL), 0);
	assert_int_equal(nova_unlink(&f->call, f->root, N("f"), NULL), -EPERM);
	assert_int_equal(nova_link(&f->call, file, f->root, N("g"), NULL), -EPERM);
	assert_int_equal(set(f, file, "user.a", "1", 1), -EPERM);
}

static void flags_of_a_directory_guard_its_names(void **state)
{
	struct fixture *f = *state;
	struct nova_handle dir = fixture_owned(f, "d", S_IFDIR | 0777);

	fixture_create(f, dir, "old", S_IFREG | 0600);
	assert_int_equal(set_flags(f, &root, dir, NOVA_FILE_APPEND), 0);
	fixture_create(f, dir, "new", S_IFREG | 0600);
	assert_int_equal(nova_unlink(&f->call, dir, N("old"), NULL), -EPERM);
	assert_int_equal(nova_rename(&f->call, dir, N("old"), f->root, N("x"), 0, NULL), -EPERM);
	assert_int_equal(set_flags(f, &root, dir, NOVA_FILE_IMMUTABLE), 0);
	assert_int_equal(nova_create(&f->call, dir, N("more"), S_IFREG | 0600, 0, NULL), -EPERM);
	assert_int_equal(nova_unlink(&f->call, dir, N("old"), NULL), -EPERM);
	assert_int_equal(nova_rmdir(&f->call, f->root, N("d"), NULL), -EPERM);
	fixture_write(f, fixture_lookup(f, dir, "old").handle, 0, "x", 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup_small, fixture_teardown)
	    TEST(only_the_superuser_sets_flags),
	    TEST(nothing_of_an_immutable_file_changes),
	    TEST(an_append_only_file_only_grows),
	    TEST(flags_of_a_directory_guard_its_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
