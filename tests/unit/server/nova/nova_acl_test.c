/*
 * nova_acl_test.c -- ACLs of the core: what they permit, which are refused, and what is inherited.
 */
#include "common/le.h"
#include "tests/unit/server/nova/xattr_calls.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

struct acl_item {
	uint16_t tag, permissions;
	uint32_t id;
};

enum { U_OBJ = 1, USER = 2, G_OBJ = 4, GROUP = 8, MASK = 16, OTHER = 32 };

#define ITEMS(...) (const struct acl_item[]){__VA_ARGS__}, sizeof((const struct acl_item[]){__VA_ARGS__}) / 8

static size_t make_acl(uint8_t *out, const struct acl_item *items, size_t count)
{
	le32 version = le32_of(2);

	memcpy(out, &version, 4);
	for (size_t i = 0; i < count; i++) {
		le16 tag = le16_of(items[i].tag), permissions = le16_of(items[i].permissions);
		le32 id = le32_of(items[i].id ? items[i].id : UINT32_MAX);

		memcpy(out + 4 + i * 8, &tag, 2);
		memcpy(out + 6 + i * 8, &permissions, 2);
		memcpy(out + 8 + i * 8, &id, 4);
	}
	return 4 + count * 8;
}

static int set_acl_as(struct fixture *f, const struct nova_cred *cred, struct nova_handle file, const char *name,
                      const struct acl_item *items, size_t count)
{
	uint8_t value[512];

	return set_as(f, cred, file, name, value, make_acl(value, items, count));
}

static void assert_acl(struct fixture *f, struct nova_handle file, const char *name, const struct acl_item *items,
                       size_t count)
{
	uint8_t value[512];
	size_t size = make_acl(value, items, count);

	assert_value(f, file, name, value, size);
}

static void access_acl_decides_with_its_mask(void **state)
{
	struct fixture *f = *state;
	struct nova_handle file = fixture_owned(f, "f", S_IFREG | 0600);
	struct nova_attr in = {.mode = 0600};

	assert_int_equal(set_acl_as(f, &other, file, ACCESS, ITEMS({U_OBJ, 6, 0}, {G_OBJ, 4, 0}, {OTHER, 0, 0})),
	                 -EPERM);
	assert_int_equal(set_acl_as(f, &owner, file, ACCESS,
	                            ITEMS({U_OBJ, 6, 0}, {USER, 6, 103}, {G_OBJ, 4, 0}, {GROUP, 6, 203}, {MASK, 6, 0},
	                                  {OTHER, 0, 0})),
	                 0);
	assert_int_equal(attr_of(f, file).mode & 07777, 0660);
	for (unsigned round = 0; round < 2; round++) {
		assert_int_equal(may(f, &owner, file, R_OK | W_OK), 0);
		assert_int_equal(may(f, &named, file, R_OK | W_OK), 0);
		assert_int_equal(may(f, &named, file, X_OK), -EACCES);
		assert_int_equal(may(f, &member, file, R_OK), 0);
		assert_int_equal(may(f, &member, file, W_OK), -EACCES);
		assert_int_equal(may(f, &other, file, R_OK), -EACCES);
		fixture_remount(f);
	}
	/* The mask is the mode's group bits. */
	in.mode = 0646;
	assert_int_equal(nova_setattr(&f->call, file, NOVA_SET_MODE, &in, NULL), 0);
	assert_acl(f, file, ACCESS,
	           ITEMS({U_OBJ, 6, 0}, {USER, 6, 103}, {G_OBJ, 4, 0}, {GROUP, 6, 203}, {MASK, 4, 0}, {OTHER, 6, 0}));
	assert_int_equal(may(f, &named, file, R_OK), 0);
	assert_int_equal(may(f, &named, file, W_OK), -EACCES);
	assert_int_equal(may(f, &member, file, W_OK), -EACCES);
	assert_int_equal(may(f, &other, file, W_OK), 0);
	in.mode = 0606;
	assert_int_equal(nova_setattr(&f->call, file, NOVA_SET_MODE, &in, NULL), 0);
	assert_int_equal(may(f, &named, file, R_OK), -EACCES);
	/* What it granted ends with it. */
	assert_int_equal(remove_as(f, &other, file, ACCESS), -EPERM);
	assert_int_equal(remove_as(f, &owner, file, ACCESS), 0);
	assert_int_equal(may(f, &named, file, R_OK | W_OK), 0);
	assert_int_equal(get_as(f, &root, file, ACCESS, NULL, 0), -ENODATA);
}

static void an_access_acl_that_says_no_more_than_the_mode_is_the_mode(void **state)
{
	struct fixture *f = *state;
	struct nova_handle file = fixture_owned(f, "f", S_IFREG | 0600);
	uint8_t value[100];

	assert_int_equal(set_acl_as(f, &owner, file, ACCESS, ITEMS({U_OBJ, 7, 0}, {G_OBJ, 5, 0}, {OTHER, 1, 0})), 0);
	assert_int_equal(attr_of(f, file).mode & 07777, 0751);
	assert_int_equal(get_as(f, &root, file, ACCESS, value, sizeof value), -ENODATA);
	assert_int_equal(set_acl_as(f, &owner, file, ACCESS,
	                            ITEMS({U_OBJ, 6, 0}, {USER, 4, 103}, {G_OBJ, 0, 0}, {MASK, 4, 0}, {OTHER, 0, 0})),
	                 0);
	assert_int_equal(nova_listxattr(&f->call, file, (char *)value, sizeof value, NULL), sizeof ACCESS);
	assert_string_equal((char *)value, ACCESS);
	assert_int_equal(set_acl_as(f, &owner, file, ACCESS, ITEMS({U_OBJ, 6, 0}, {G_OBJ, 0, 0}, {OTHER, 0, 0})), 0);
	assert_int_equal(may(f, &named, file, R_OK), -EACCES);
	assert_int_equal(nova_listxattr(&f->call, file, NULL, 0, NULL), 0);
	fixture_remount(f);
	assert_int_equal(attr_of(f, file).mode & 07777, 0600);
	assert_int_equal(may(f, &named, file, R_OK), -EACCES);
}

static void lists_that_are_none_are_refused(void **state)
{
	static const struct {
		struct acl_item items[6];
		size_t count;
	} bad[] = {
	    {{{U_OBJ, 6, 0}, {G_OBJ, 4, 0}}, 2},
	    {{{U_OBJ, 8, 0}, {G_OBJ, 4, 0}, {OTHER, 4, 0}}, 3},
	    {{{G_OBJ, 4, 0}, {U_OBJ, 6, 0}, {OTHER, 4, 0}}, 3},
	    {{{U_OBJ, 6, 0}, {USER, 4, 5}, {G_OBJ, 4, 0}, {OTHER, 4, 0}}, 4},
	    {{{U_OBJ, 6, 0}, {USER, 4, 0}, {G_OBJ, 4, 0}, {MASK, 4, 0}, {OTHER, 4, 0}}, 5},
	    {{{U_OBJ, 6, 0}, {G_OBJ, 4, 0}, {G_OBJ, 4, 0}, {OTHER, 4, 0}}, 4},
	    {{{U_OBJ, 6, 0}, {G_OBJ, 4, 0}, {64, 4, 0}, {OTHER, 4, 0}}, 4},
	};
	struct fixture *f = *state;
	struct nova_handle file = fixture_owned(f, "f", S_IFREG | 0600);
	struct nova_handle dir = fixture_owned(f, "d", S_IFDIR | 0700);
	uint8_t value[100];
	size_t size;

	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		assert_int_equal(set_acl_as(f, &root, file, ACCESS, bad[i].items, bad[i].count), -EINVAL);
		assert_int_equal(set_acl_as(f, &root, dir, DEFAULT, bad[i].items, bad[i].count), -EINVAL);
	}
	size = make_acl(value, ITEMS({U_OBJ, 6, 0}, {G_OBJ, 4, 0}, {OTHER, 4, 0}));
	assert_int_equal(set(f, file, ACCESS, value, size - 1), -EINVAL);
	assert_int_equal(set(f, file, ACCESS, value, 3), -EINVAL);
	value[0] = 1;
	assert_int_equal(set(f, file, ACCESS, value, size), -EOPNOTSUPP);
	assert_int_equal(set_acl_as(f, &root, file, DEFAULT, ITEMS({U_OBJ, 6, 0}, {G_OBJ, 4, 0}, {OTHER, 4, 0})),
	                 -EACCES);
	assert_int_equal(attr_of(f, file).mode & 07777, 0600);
}

static void long_lists_are_kept_up_to_a_page(void **state)
{
	struct fixture *f = *state;
	struct nova_handle file = fixture_owned(f, "f", S_IFREG | 0600);
	const struct nova_cred last = {.uid = 1493, .gid = 9};
	static struct acl_item items[600];
	static uint8_t value[5000];
	size_t count = 0;

	items[count++] = (struct acl_item){U_OBJ, 6, 0};
	for (uint32_t i = 0; i < 494; i++)
		items[count++] = (struct acl_item){USER, 4, 1000 + i};
	items[count++] = (struct acl_item){G_OBJ, 0, 0};
	items[count++] = (struct acl_item){MASK, 4, 0};
	items[count++] = (struct acl_item){OTHER, 0, 0};
	assert_int_equal(set(f, file, ACCESS, value, make_acl(value, items, count)), 0);
	assert_value(f, file, ACCESS, value, 4 + count * 8);
	assert_int_equal(may(f, &last, file, R_OK), 0);
	fixture_remount(f);
	assert_int_equal(may(f, &last, file, R_OK), 0);
	memmove(items + 2, items + 1, (count++ - 1) * sizeof items[0]);
	items[1].id = 999;
	assert_int_equal(set(f, file, ACCESS, value, make_acl(value, items, count)), -ENOSPC);
}

static void what_is_made_inherits_the_default_acl(void **state)
{
	struct fixture *f = *state;
	struct nova_handle dir = fixture_owned(f, "d", S_IFDIR | 0777);
	struct nova_call call = fixture_as(f, &owner);
	struct nova_attr file, sub, link, plain;

	call.umask = 077;
	assert_int_equal(nova_create(&call, dir, N("before"), S_IFREG | 0666, 0, &plain), 0);
	assert_int_equal(plain.mode & 07777, 0600);
	assert_int_equal(set_acl_as(f, &owner, dir, DEFAULT,
	                            ITEMS({U_OBJ, 7, 0}, {USER, 7, 103}, {G_OBJ, 5, 0}, {MASK, 7, 0}, {OTHER, 4, 0})),
	                 0);
	assert_int_equal(nova_create(&call, dir, N("file"), S_IFREG | 0664, 0, &file), 0);
	assert_int_equal(nova_create(&call, dir, N("sub"), S_IFDIR | 0770, 0, &sub), 0);
	assert_int_equal(nova_symlink(&call, dir, N("link"), "x", 1, &link), 0);
	for (unsigned round = 0; round < 2; round++) {
		assert_int_equal(attr_of(f, file.handle).mode & 07777, 0664);
		assert_acl(f, file.handle, ACCESS,
		           ITEMS({U_OBJ, 6, 0}, {USER, 7, 103}, {G_OBJ, 5, 0}, {MASK, 6, 0}, {OTHER, 4, 0}));
		assert_int_equal(get_as(f, &root, file.handle, DEFAULT, NULL, 0), -ENODATA);
		assert_int_equal(may(f, &named, file.handle, R_OK | W_OK), 0);
		assert_int_equal(attr_of(f, sub.handle).mode & 07777, 0770);
		assert_acl(f, sub.handle, ACCESS,
		           ITEMS({U_OBJ, 7, 0}, {USER, 7, 103}, {G_OBJ, 5, 0}, {MASK, 7, 0}, {OTHER, 0, 0}));
		assert_acl(f, sub.handle, DEFAULT,
		           ITEMS({U_OBJ, 7, 0}, {USER, 7, 103}, {G_OBJ, 5, 0}, {MASK, 7, 0}, {OTHER, 4, 0}));
		assert_int_equal(nova_listxattr(&f->call, link.handle, NULL, 0, NULL), 0);
		fixture_remount(f);
	}
	call = fixture_as(f, &owner);
	/* A default of the three classes alone limits the mode, and nothing else is inherited by files. */
	assert_int_equal(set_acl_as(f, &owner, dir, DEFAULT, ITEMS({U_OBJ, 6, 0}, {G_OBJ, 4, 0}, {OTHER, 0, 0})), 0);
	call.umask = 0777;
	assert_int_equal(nova_create(&call, dir, N("file2"), S_IFREG | 0666, 0, &file), 0);
	assert_int_equal(file.mode & 07777, 0640);
	assert_int_equal(nova_listxattr(&f->call, file.handle, NULL, 0, NULL), 0);
	assert_int_equal(remove_as(f, &owner, dir, DEFAULT), 0);
	assert_int_equal(nova_create(&call, dir, N("file3"), S_IFREG | 0666, 0, &file), 0);
	assert_int_equal(file.mode & 07777, 0);
	fixture_assert_same_after_remount(f);
}

/* A new inode whose lists do not fit into its slot begins its log page with its first entries. */
static void long_default_lists_are_inherited(void **state)
{
	struct fixture *f = *state;
	struct nova_handle dir = fixture_owned(f, "d", S_IFDIR | 0777);
	static struct acl_item items[300];
	static uint8_t value[4000];
	struct nova_attr sub, deeper;
	size_t count = 0, size;
	uint64_t free_blocks;

	items[count++] = (struct acl_item){U_OBJ, 7, 0};
	for (uint32_t i = 0; i < 200; i++)
		items[count++] = (struct acl_item){USER, 4, 1000 + i};
	items[count++] = (struct acl_item){G_OBJ, 5, 0};
	items[count++] = (struct acl_item){MASK, 7, 0};
	items[count++] = (struct acl_item){OTHER, 5, 0};
	size = make_acl(value, items, count);
	assert_int_equal(set(f, dir, DEFAULT, value, size), 0);
	free_blocks = fixture_free_blocks(f);
	assert_int_equal(nova_create(&f->call, dir, N("sub"), S_IFDIR | 0777, 0, &sub), 0);
	assert_int_equal(nova_create(&f->call, sub.handle, N("deeper"), S_IFDIR | 0777, 0, &deeper), 0);
	fixture_remount(f);
	assert_value(f, sub.handle, DEFAULT, value, size);
	assert_value(f, deeper.handle, DEFAULT, value, size);
	assert_int_equal(get_as(f, &root, deeper.handle, ACCESS, NULL, 0), size);
	assert_int_equal(nova_rmdir(&f->call, sub.handle, N("deeper"), NULL), 0);
	assert_int_equal(nova_rmdir(&f->call, dir, N("sub"), NULL), 0);
	assert_in_range(fixture_free_blocks(f), free_blocks - 1, free_blocks);
}

static void a_file_without_a_name_inherits_too(void **state)
{
	struct fixture *f = *state;
	struct nova_handle dir = fixture_owned(f, "d", S_IFDIR | 0777);
	struct nova_attr attr;

	assert_int_equal(set_acl_as(f, &root, dir, DEFAULT,
	                            ITEMS({U_OBJ, 6, 0}, {USER, 4, 103}, {G_OBJ, 0, 0}, {MASK, 4, 0}, {OTHER, 0, 0})),
	                 0);
	assert_int_equal(nova_tmpfile(&f->call, dir, 0666, true, &attr), 0);
	assert_int_equal(nova_link(&f->call, attr.handle, dir, N("linked"), NULL), 0);
	assert_int_equal(nova_close(&f->call, attr.handle), 0);
	fixture_remount(f);
	assert_int_equal(may(f, &named, attr.handle, R_OK), 0);
	assert_int_equal(may(f, &named, attr.handle, W_OK), -EACCES);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup_small, fixture_teardown)
	    TEST(access_acl_decides_with_its_mask),
	    TEST(an_access_acl_that_says_no_more_than_the_mode_is_the_mode),
	    TEST(lists_that_are_none_are_refused),
	    TEST(long_lists_are_kept_up_to_a_page),
	    TEST(what_is_made_inherits_the_default_acl),
	    TEST(long_default_lists_are_inherited),
	    TEST(a_file_without_a_name_inherits_too),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
