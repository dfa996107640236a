/*
 * nova_perm_test.c -- who may do what.
 */
#include "tests/support/nova_fixture.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static const uint32_t groups[] = {300, 301};
static const struct nova_cred root = {.uid = 0, .gid = 0};
static const struct nova_cred owner = {.uid = 100, .gid = 200};
static const struct nova_cred member = {.uid = 101, .gid = 201, .group_count = 2, .groups = groups};
static const struct nova_cred other = {.uid = 102, .gid = 202};

static void access_follows_the_first_class_that_matches(void **state)
{
	struct fixture *f = *state;
	const struct {
		uint32_t mode;
		const struct nova_cred *cred;
		int mask;
		int result;
	} table[] = {
	    {0400, &owner, R_OK, 0},       {0400, &owner, W_OK, -EACCES},
	    {0077, &owner, R_OK, -EACCES}, /* the owner is not asked as group or other */
	    {0040, &member, R_OK, 0},      {0007, &member, R_OK, -EACCES},
	    {0004, &other, R_OK, 0},       {0440, &other, R_OK, -EACCES},
	    {0000, &root, R_OK | W_OK, 0}, {0000, &root, X_OK, -EACCES},
	    {0001, &root, X_OK, 0},        {0000, NULL, R_OK | W_OK | X_OK, 0},
	    {0020, &member, W_OK, 0},      {0020, &member, R_OK | W_OK, -EACCES},
	};
	struct nova_handle file = fixture_owned(f, "file", S_IFREG);

	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
		struct nova_call call = fixture_as(f, table[i].cred);
		struct nova_attr in = {.mode = table[i].mode};

		assert_int_equal(nova_setattr(&f->call, file, NOVA_SET_MODE, &in, NULL), 0);
		if (nova_access(&call, file, table[i].mask) != table[i].result)
			fail_msg("row %zu", i);
	}
}

static void data_needs_the_mode_unless_it_was_checked_at_open(void **state)
{
	struct fixture *f = *state;
	struct nova_handle file = fixture_owned(f, "file", S_IFREG | 0640);
	struct nova_call call = fixture_as(f, &other);
	char byte;

	assert_int_equal(nova_read(&call, file, 0, &byte, 1), -EACCES);
	assert_int_equal(nova_write(&call, file, 0, "x", 1, 0, NULL), -EACCES);
	call.opened = true;
	assert_int_equal(nova_write(&call, file, 0, "x", 1, 0, NULL), 1);
	assert_int_equal(nova_read(&call, file, 0, &byte, 1), 1);
	call = fixture_as(f, &member);
	assert_int_equal(nova_read(&call, file, 0, &byte, 1), 1);
	assert_int_equal(nova_write(&call, file, 0, "x", 1, 0, NULL), -EACCES);
}

static void names_need_the_directory(void **state)
{
	struct fixture *f = *state;
	struct nova_handle dir = fixture_owned(f, "dir", S_IFDIR | 0711);
	struct nova_call call = fixture_as(f, &other);
	struct nova_attr attr;

	fixture_create(f, dir, "file", S_IFREG | 0644);
	assert_int_equal(nova_lookup(&call, dir, N("file"), &attr), 0);
	assert_int_equal(nova_readdir(&call, dir, 0, NULL, NULL, NULL), -EACCES);
	assert_int_equal(nova_create(&call, dir, N("new"), S_IFREG, 0, NULL), -EACCES);
	assert_int_equal(nova_unlink(&call, dir, N("file"), NULL), -EACCES);
	assert_int_equal(nova_create(&call, dir, N("file"), S_IFREG, 0, NULL), -EEXIST);
	attr.mode = 0644;
	assert_int_equal(nova_setattr(&f->call, dir, NOVA_SET_MODE, &attr, NULL), 0);
	assert_int_equal(nova_lookup(&call, dir, N("file"), &attr), -EACCES);
	assert_int_equal(nova_create(&call, dir, N("dev"), S_IFCHR, 1, NULL), -EPERM);
}

static void a_sticky_directory_protects_names_of_others(void **state)
{
	struct fixture *f = *state;
	struct nova_handle dir = fixture_owned(f, "tmp", S_IFDIR | 01777);
	struct nova_call mine = fixture_as(f, &member);
	struct nova_call theirs = fixture_as(f, &other);
	struct nova_call owners = fixture_as(f, &owner);

	assert_int_equal(nova_create(&mine, dir, N("a"), S_IFREG | 0666, 0, NULL), 0);
	assert_int_equal(nova_create(&mine, dir, N("b"), S_IFREG | 0666, 0, NULL), 0);
	assert_int_equal(nova_create(&theirs, dir, N("c"), S_IFREG | 0666, 0, NULL), 0);
	assert_int_equal(nova_unlink(&theirs, dir, N("a"), NULL), -EPERM);
	assert_int_equal(nova_rename(&theirs, dir, N("a"), dir, N("x"), 0, NULL), -EPERM);
	assert_int_equal(nova_rename(&theirs, dir, N("c"), dir, N("a"), 0, NULL), -EPERM);
	assert_int_equal(nova_unlink(&mine, dir, N("a"), NULL), 0);
	assert_int_equal(nova_unlink(&owners, dir, N("b"), NULL), 0);
}

static void set_group_id_directories_pass_on_their_group(void **state)
{
	struct fixture *f = *state;
	struct nova_handle dir = fixture_owned(f, "dir", S_IFDIR | 02777);
	struct nova_call call = fixture_as(f, &other);
	struct nova_attr attr;

	assert_int_equal(nova_create(&call, dir, N("file"), S_IFREG | 0644, 0, &attr), 0);
	assert_int_equal(attr.uid, 102);
	assert_int_equal(attr.gid, 300);
	assert_int_equal(nova_create(&call, dir, N("sub"), S_IFDIR | 0755, 0, &attr), 0);
	assert_int_equal(attr.mode, S_IFDIR | 02755);
	assert_int_equal(nova_create(&call, dir, N("prog"), S_IFREG | 02755, 0, &attr), 0);
	assert_int_equal(attr.mode, S_IFREG | 0755);
}

static void only_owners_and_the_superuser_change_modes_and_owners(void **state)
{
	struct fixture *f = *state;
	struct nova_handle file = fixture_owned(f, "file", S_IFREG | 0666);
	struct nova_call mine = fixture_as(f, &owner);
	struct nova_call theirs = fixture_as(f, &member);
	struct nova_call super = fixture_as(f, &root);
	struct nova_attr in = {.mode = 02755, .uid = 101, .gid = 200};
	struct nova_attr out;

	assert_int_equal(nova_setattr(&theirs, file, NOVA_SET_MODE, &in, NULL), -EPERM);
	assert_int_equal(nova_setattr(&mine, file, NOVA_SET_MODE, &in, &out), 0);
	assert_int_equal(out.mode, S_IFREG | 0755); /* not a member of 300 */
	assert_int_equal(nova_setattr(&mine, file, NOVA_SET_UID, &in, NULL), -EPERM);
	assert_int_equal(nova_setattr(&theirs, file, NOVA_SET_GID, &in, NULL), -EPERM);
	assert_int_equal(nova_setattr(&mine, file, NOVA_SET_GID, &in, &out), 0);
	assert_int_equal(out.gid, 200);
	in.gid = 999;
	assert_int_equal(nova_setattr(&mine, file, NOVA_SET_GID, &in, NULL), -EPERM);
	assert_int_equal(nova_setattr(&super, file, NOVA_SET_GID | NOVA_SET_UID, &in, &out), 0);
	assert_int_equal(out.uid, 101);
}

static void writing_takes_away_set_user_id(void **state)
{
	struct fixture *f = *state;
	struct nova_handle file = fixture_owned(f, "file", S_IFREG | 06777);
	struct nova_call call = fixture_as(f, &other);
	struct nova_call super = fixture_as(f, &root);
	struct nova_attr attr;

	assert_int_equal(nova_write(&super, file, 0, "x", 1, 0, &attr), 1);
	assert_int_equal(attr.mode & 07777, 06777);
	assert_int_equal(nova_write(&call, file, 0, "x", 1, 0, &attr), 1);
	assert_int_equal(attr.mode & 07777, 0777);
	fixture_assert_same_after_remount(f);
}

static void times_are_the_owners_and_now_is_every_writers(void **state)
{
	struct fixture *f = *state;
	struct nova_handle file = fixture_owned(f, "file", S_IFREG | 0620);
	struct nova_call mine = fixture_as(f, &owner);
	struct nova_call writer = fixture_as(f, &member);
	struct nova_call theirs = fixture_as(f, &other);
	struct nova_attr in = {.atime_ns = 1, .mtime_ns = 2};

	assert_int_equal(nova_setattr(&mine, file, NOVA_SET_ATIME | NOVA_SET_MTIME, &in, NULL), 0);
	assert_int_equal(nova_setattr(&writer, file, NOVA_SET_ATIME | NOVA_SET_MTIME, &in, NULL), -EPERM);
	assert_int_equal(nova_setattr(&writer, file, NOVA_SET_ATIME_NOW | NOVA_SET_MTIME_NOW, &in, NULL), 0);
	assert_int_equal(nova_setattr(&theirs, file, NOVA_SET_ATIME_NOW | NOVA_SET_MTIME_NOW, &in, NULL), -EACCES);
}

static void one_time_alone_is_set_to_now_by_owners_only(void **state)
{
	struct fixture *f = *state;
	struct nova_handle file = fixture_owned(f, "file", S_IFREG | 0620);
	struct nova_call mine = fixture_as(f, &owner);
	struct nova_call writer = fixture_as(f, &member);
	struct nova_attr in = {.size = 5};

	assert_int_equal(nova_setattr(&mine, file, NOVA_SET_ATIME_NOW, &in, NULL), 0);
	assert_int_equal(nova_setattr(&writer, file, NOVA_SET_ATIME_NOW, &in, NULL), -EPERM);
	assert_int_equal(nova_setattr(&writer, file, NOVA_SET_MTIME_NOW, &in, NULL), -EPERM);
	assert_int_equal(nova_setattr(&writer, file, NOVA_SET_SIZE | NOVA_SET_MTIME_NOW, &in, NULL), 0);
	assert_int_equal(nova_setattr(&writer, file, NOVA_SET_SIZE | NOVA_SET_ATIME_NOW, &in, NULL), -EPERM);
	in.flags = NOVA_FILE_APPEND;
	assert_int_equal(nova_setattr(&f->call, file, NOVA_SET_FLAGS, &in, NULL), 0);
	assert_int_equal(nova_setattr(&mine, file, NOVA_SET_ATIME_NOW, &in, NULL), -EPERM);
	assert_int_equal(nova_setattr(&mine, file, NOVA_SET_ATIME_NOW | NOVA_SET_MTIME_NOW, &in, NULL), 0);
}

static void a_new_owner_or_group_takes_away_set_ids_whoever_gives_it(void **state)
{
	struct fixture *f = *state;
	const struct {
		uint32_t before, after;
	} table[] = {
	    {S_IFREG | 06755, S_IFREG | 0755},
	    {S_IFREG | 06745, S_IFREG | 02745}, /* not executable by the group */
	    {S_IFIFO | 06755, S_IFIFO | 0755},
	    {S_IFDIR | 06755, S_IFDIR | 06755},
	};

	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
		char name[2] = {(char)('a' + i), 0};
		struct nova_handle file = fixture_owned(f, name, table[i].before);
		struct nova_call super = fixture_as(f, &root);
		struct nova_attr in = {.uid = 7, .gid = 8};
		struct nova_attr attr;

		assert_int_equal(nova_setattr(&super, file, i % 2 ? NOVA_SET_UID : NOVA_SET_GID, &in, &attr), 0);
		assert_int_equal(attr.mode, table[i].after);
		in.mode = table[i].before & 07777;
		assert_int_equal(nova_setattr(&super, file, NOVA_SET_UID | NOVA_SET_MODE, &in, &attr), 0);
		assert_int_equal(attr.mode, table[i].before);
	}
	fixture_assert_same_after_remount(f);
}

/* A kernel asks so on behalf of those who write, truncate or allocate. */
static void writers_take_away_what_a_write_takes_away(void **state)
{
	struct fixture *f = *state;
	struct nova_handle file = fixture_owned(f, "file", S_IFREG | 06777);
	struct nova_handle kept = fixture_owned(f, "kept", S_IFREG | 06755);
	struct nova_call theirs = fixture_as(f, &other);
	struct nova_call super = fixture_as(f, &root);
	struct nova_attr in = {.mode = 0777};
	struct nova_attr attr;

	assert_int_equal(nova_setattr(&theirs, kept, NOVA_SET_MODE, &(struct nova_attr){.mode = 0755}, NULL), -EPERM);
	assert_int_equal(nova_setattr(&theirs, file, NOVA_SET_MODE, &(struct nova_attr){.mode = 06776}, NULL), -EPERM);
	assert_int_equal(nova_setattr(&theirs, file, NOVA_SET_MODE, &(struct nova_attr){.mode = 06777}, NULL), -EPERM);
	assert_int_equal(nova_setattr(&theirs, file, NOVA_SET_MODE, &(struct nova_attr){.mode = 01777}, NULL), -EPERM);
	assert_int_equal(nova_setattr(&theirs, file, NOVA_SET_MODE, &(struct nova_attr){.mode = 02777}, &attr), 0);
	assert_int_equal(attr.mode & 07777, 0777); /* no member keeps set-group-ID */
	assert_int_equal(nova_setattr(&super, file, NOVA_SET_MODE, &(struct nova_attr){.mode = 06777}, NULL), 0);
	assert_int_equal(nova_setattr(&theirs, file, NOVA_SET_MODE | NOVA_SET_SIZE, &in, &attr), 0);
	assert_int_equal(attr.mode & 07777, 0777);

	assert_int_equal(nova_setxattr(&super, file, N("security.capability"), "caps", 4, 0, NULL), 0);
	assert_int_equal(nova_setxattr(&super, file, N("security.other"), "caps", 4, 0, NULL), 0);
	assert_int_equal(nova_setxattr(&super, kept, N("security.capability"), "caps", 4, 0, NULL), 0);
	assert_int_equal(nova_removexattr(&theirs, kept, N("security.capability"), NULL), -EPERM);
	assert_int_equal(nova_removexattr(&theirs, file, N("security.other"), NULL), -EPERM);
	assert_int_equal(nova_removexattr(&theirs, file, N("security.capability"), NULL), 0);
	assert_int_equal(nova_removexattr(&theirs, file, N("security.capability"), NULL), -ENODATA);
}

/* Where the group may not execute, set-group-ID is kept when a member writes or changes the owner, else it goes. */
static void set_group_id_without_execution_is_kept_by_members(void **state)
{
	struct fixture *f = *state;
	const struct nova_cred *writers[] = {&root, &member, &other};
	const uint32_t after[] = {06767, 02767, 0767};

	for (size_t i = 0; i < 3; i++) {
		char name[2] = {(char)('a' + i), 0};
		struct nova_handle file = fixture_owned(f, name, S_IFREG | 06767);
		struct nova_call writer = fixture_as(f, writers[i]);
		struct nova_call super = fixture_as(f, &root);
		struct nova_attr attr;

		assert_int_equal(nova_write(&writer, file, 0, "x", 1, 0, &attr), 1);
		assert_int_equal(attr.mode & 07777, after[i]);
		assert_int_equal(nova_setattr(&super, file, NOVA_SET_MODE, &(struct nova_attr){.mode = 06767}, NULL),
		                 0);
		assert_int_equal(nova_setattr(&writer, file, NOVA_SET_SIZE, &(struct nova_attr){.size = 9}, &attr), 0);
		assert_int_equal(attr.mode & 07777, after[i]);
	}
}

static void a_directory_that_gets_another_parent_is_written_to(void **state)
{
	struct fixture *f = *state;
	struct nova_handle from = fixture_owned(f, "from", S_IFDIR | 0777);
	struct nova_handle to = fixture_owned(f, "to", S_IFDIR | 0777);
	struct nova_call theirs = fixture_as(f, &other);

	fixture_create(f, from, "dir", S_IFDIR | 0755);
	fixture_create(f, from, "file", S_IFREG | 0644);
	assert_int_equal(nova_rename(&theirs, from, N("file"), to, N("file"), 0, NULL), 0);
	assert_int_equal(nova_rename(&theirs, from, N("dir"), from, N("dir2"), 0, NULL), 0);
	assert_int_equal(nova_rename(&theirs, from, N("dir2"), to, N("dir"), 0, NULL), -EACCES);
	assert_int_equal(nova_rename(&theirs, to, N("file"), from, N("dir2"), NOVA_RENAME_EXCHANGE, NULL), -EACCES);
}

static void what_runs_with_a_groups_rights_is_made_by_its_members(void **state)
{
	struct fixture *f = *state;
	struct nova_handle dir = fixture_owned(f, "dir", S_IFDIR | 02777);
	struct nova_call theirs = fixture_as(f, &other);
	struct nova_call members = fixture_as(f, &member);
	struct nova_attr attr;

	assert_int_equal(nova_create(&theirs, dir, N("file"), S_IFREG | 02755, 0, &attr), 0);
	assert_int_equal(attr.mode & 07777, 0755);
	assert_int_equal(nova_create(&theirs, dir, N("fifo"), S_IFIFO | 02755, 0, &attr), 0);
	assert_int_equal(attr.mode & 07777, 0755);
	assert_int_equal(nova_create(&members, dir, N("other"), S_IFIFO | 02755, 0, &attr), 0);
	assert_int_equal(attr.mode & 07777, 02755);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup_small, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(access_follows_the_first_class_that_matches),
	    TEST(data_needs_the_mode_unless_it_was_checked_at_open),
	    TEST(names_need_the_directory),
	    TEST(a_sticky_directory_protects_names_of_others),
	    TEST(set_group_id_directories_pass_on_their_group),
	    TEST(only_owners_and_the_superuser_change_modes_and_owners),
	    TEST(writing_takes_away_set_user_id),
	    TEST(times_are_the_owners_and_now_is_every_writers),
	    TEST(one_time_alone_is_set_to_now_by_owners_only),
	    TEST(a_new_owner_or_group_takes_away_set_ids_whoever_gives_it),
	    TEST(writers_take_away_what_a_write_takes_away),
	    TEST(set_group_id_without_execution_is_kept_by_members),
	    TEST(a_directory_that_gets_another_parent_is_written_to),
	    TEST(what_runs_with_a_groups_rights_is_made_by_its_members),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
