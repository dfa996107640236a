/*
 * nova_xattr_test.c -- extended attributes, ACLs and file flags of the core.
 */
#include "common/le.h"
#include "server/nova/media/format.h"
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

#define ACCESS  "system.posix_acl_access"
#define DEFAULT "system.posix_acl_default"

static const uint32_t groups[] = {300, 301};
static const struct nova_cred root = {.uid = 0, .gid = 0};
static const struct nova_cred owner = {.uid = 100, .gid = 200};
static const struct nova_cred member = {.uid = 101, .gid = 201, .group_count = 2, .groups = groups};
static const struct nova_cred named = {.uid = 103, .gid = 203};
static const struct nova_cred other = {.uid = 102, .gid = 202};

static int set_as(struct fixture *f, const struct nova_cred *cred, struct nova_handle file, const char *name,
                  const void *value, size_t size)
{
	struct nova_call call = fixture_as(f, cred);

	return nova_setxattr(&call, file, N(name), value, size, 0, NULL);
}

static int set(struct fixture *f, struct nova_handle file, const char *name, const void *value, size_t size)
{
	return set_as(f, &root, file, name, value, size);
}

static ssize_t get_as(struct fixture *f, const struct nova_cred *cred, struct nova_handle file, const char *name,
                      void *value, size_t size)
{
	struct nova_call call = fixture_as(f, cred);

	return nova_getxattr(&call, file, N(name), value, size, NULL);
}

static int remove_as(struct fixture *f, const struct nova_cred *cred, struct nova_handle file, const char *name)
{
	struct nova_call call = fixture_as(f, cred);

	return nova_removexattr(&call, file, N(name), NULL);
}

static void fill(uint8_t *bytes, size_t size, unsigned seed)
{
	for (size_t i = 0; i < size; i++)
		bytes[i] = (uint8_t)(seed + i * 31 + (i >> 8));
}

static void assert_value(struct fixture *f, struct nova_handle file, const char *name, const void *value, size_t size)
{
	static uint8_t got[NOVA_XATTR_VALUE_MAX];

	assert_int_equal(get_as(f, &root, file, name, NULL, 0), size);
	assert_int_equal(get_as(f, &root, file, name, got, sizeof got), size);
	assert_memory_equal(got, value, size);
}

static struct nova_attr attr_of(struct fixture *f, struct nova_handle file)
{
	struct nova_attr attr;

	assert_int_equal(nova_getattr(&f->call, file, &attr), 0);
	return attr;
}

/* ---- values ----------------------------------------------------------------------------------------------------- */

/* Around each length at which a value takes another line, leaves the entry, takes another block. */
static void values_of_every_kind_of_place_come_back_after_a_remount(void **state)
{
	static const size_t sizes[] = {0,    1,    20,   21,   84,   85,    300,   3980, 3988,
	                               3989, 4095, 4096, 4097, 8192, 20000, 65535, 65536};
	struct fixture *f = *state;
	struct nova_handle file = fixture_create(f, f->root, "f", S_IFREG | 0644).handle;
	static uint8_t value[NOVA_XATTR_VALUE_MAX];

	for (unsigned round = 0; round < 2; round++) {
		for (unsigned i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
			char name[32];

			snprintf(name, sizeof name, "user.n%u", i);
			fill(value, sizes[i], i + round);
			assert_int_equal(set(f, file, name, value, sizes[i]), 0);
			assert_value(f, file, name, value, sizes[i]);
		}
		fixture_remount(f);
		for (unsigned i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
			char name[32];

			snprintf(name, sizeof name, "user.n%u", i);
			fill(value, sizes[i], i + round);
			assert_value(f, file, name, value, sizes[i]);
		}
	}
}

static void flags_and_sizes_are_judged_as_setxattr_says(void **state)
{
	struct fixture *f = *state;
	struct nova_handle file = fixture_create(f, f->root, "f", S_IFREG | 0644).handle;
	static uint8_t large[NOVA_XATTR_VALUE_MAX + 1];
	char name[300];
	char value[8];

	assert_int_equal(nova_setxattr(&f->call, file, N("user.a"), "1", 1, NOVA_XATTR_REPLACE, NULL), -ENODATA);
	assert_int_equal(nova_setxattr(&f->call, file, N("user.a"), "1", 1, NOVA_XATTR_CREATE, NULL), 0);
	assert_int_equal(nova_setxattr(&f->call, file, N("user.a"), "2", 1, NOVA_XATTR_CREATE, NULL), -EEXIST);
	assert_int_equal(nova_setxattr(&f->call, file, N("user.a"), "234", 3, NOVA_XATTR_REPLACE, NULL), 0);
	assert_value(f, file, "user.a", "234", 3);
	assert_int_equal(nova_setxattr(&f->call, file, N("user.a"), "2", 1, 4, NULL), -EINVAL);
	assert_int_equal(get_as(f, &root, file, "user.a", value, 2), -ERANGE);
	assert_int_equal(get_as(f, &root, file, "user.b", value, 2), -ENODATA);
	assert_int_equal(set(f, file, "user.big", large, sizeof large), -E2BIG);
	assert_int_equal(set(f, file, "user.", "", 0), -EINVAL);
	assert_int_equal(set(f, file, "system.other", "", 0), -EOPNOTSUPP);
	assert_int_equal(set(f, file, "nothing", "", 0), -EOPNOTSUPP);
	memset(name, 'x', sizeof name);
	memcpy(name, "user.", 5);
	assert_int_equal(nova_setxattr(&f->call, file, name, 256, "v", 1, 0, NULL), -ERANGE);
	assert_int_equal(nova_setxattr(&f->call, file, name, 255, "v", 1, 0, NULL), 0);
	assert_int_equal(nova_getxattr(&f->call, file, name, 255, value, sizeof value, NULL), 1);
	assert_int_equal(remove_as(f, &root, file, "user.a"), 0);
	assert_int_equal(remove_as(f, &root, file, "user.a"), -ENODATA);
	fixture_remount(f);
	assert_int_equal(get_as(f, &root, file, "user.a", NULL, 0), -ENODATA);
	assert_int_equal(nova_getxattr(&f->call, file, name, 255, value, sizeof value, NULL), 1);
}

static void lists_tell_names_in_order_and_hide_trusted_ones(void **state)
{
	static const char all[] = "user.b\0trusted.t\0security.s\0user.a";
	static const char seen[] = "user.b\0security.s\0user.a";
	struct fixture *f = *state;
	struct nova_handle file = fixture_owned(f, "f", S_IFREG | 0644);
	struct nova_call call = fixture_as(f, &owner);
	char list[100];

	assert_int_equal(nova_listxattr(&f->call, file, list, sizeof list, NULL), 0);
	assert_int_equal(set(f, file, "user.b", "", 0), 0);
	assert_int_equal(set(f, file, "trusted.t", "", 0), 0);
	assert_int_equal(set(f, file, "security.s", "", 0), 0);
	assert_int_equal(set(f, file, "user.a", "", 0), 0);
	assert_int_equal(nova_listxattr(&f->call, file, NULL, 0, NULL), sizeof all);
	assert_int_equal(nova_listxattr(&f->call, file, list, sizeof all - 1, NULL), -ERANGE);
	assert_int_equal(nova_listxattr(&f->call, file, list, sizeof all, NULL), sizeof all);
	assert_memory_equal(list, all, sizeof all);
	assert_int_equal(nova_listxattr(&call, file, list, sizeof list, NULL), sizeof seen);
	assert_memory_equal(list, seen, sizeof seen);
}

static void names_are_limited_by_what_a_list_can_hold(void **state)
{
	struct fixture *f = *state;
	struct nova_handle file = fixture_create(f, f->root, "f", S_IFREG | 0644).handle;
	unsigned made = 0;
	char name[256];
	int rc;

	do {
		memset(name, 'x', sizeof name);
		memcpy(name, "user.", 5);
		snprintf(name + 245, 11, "%010u", made);
		rc = nova_setxattr(&f->call, file, name, 255, "", 0, 0, NULL);
	} while (rc == 0 && ++made < 1000);
	assert_int_equal(rc, -ENOSPC);
	assert_int_equal(made, 256);
	assert_int_equal(nova_listxattr(&f->call, file, NULL, 0, NULL), 65536);
	assert_int_equal(nova_removexattr(&f->call, file, N("user.a"), NULL), -ENODATA);
	snprintf(name + 245, 11, "%010u", 7u);
	assert_int_equal(nova_removexattr(&f->call, file, name, 255, NULL), 0);
	assert_int_equal(set(f, file, "user.a", "", 0), 0);
}

static void blocks_of_values_are_counted_and_come_back(void **state)
{
	struct fixture *f = *state;
	struct nova_handle file = fixture_create(f, f->root, "f", S_IFREG | 0644).handle;
	static uint8_t value[NOVA_XATTR_VALUE_MAX];
	uint64_t free_blocks = fixture_free_blocks(f);

	fill(value, sizeof value, 1);
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(set(f, file, "user.large", value, sizeof value), 0);
		assert_int_equal(attr_of(f, file).blocks, 16);
		assert_int_equal(fixture_free_blocks(f), free_blocks - 16);
	}
	fixture_remount(f);
	assert_int_equal(attr_of(f, file).blocks, 16);
	assert_int_equal(set(f, file, "user.large", value, 5000), 0);
	assert_int_equal(attr_of(f, file).blocks, 2);
	assert_int_equal(remove_as(f, &root, file, "user.large"), 0);
	assert_int_equal(attr_of(f, file).blocks, 0);
	assert_int_equal(set(f, file, "user.large", value, sizeof value), 0);
	fixture_unlink(f, f->root, "f");
	assert_in_range(fixture_free_blocks(f), free_blocks, free_blocks + 1);
	fixture_remount(f);
	assert_in_range(fixture_free_blocks(f), free_blocks, free_blocks + 1);
}

/* A value lies in whatever runs of blocks there are, and one without space leaves everything as it was. */
static void a_value_without_space_changes_nothing(void **state)
{
	struct fixture *f = *state;
	struct nova_handle file = fixture_create(f, f->root, "f", S_IFREG | 0644).handle;
	struct nova_handle big = fixture_create(f, f->root, "big", S_IFREG | 0644).handle;
	static uint8_t value[NOVA_XATTR_VALUE_MAX];
	uint64_t free_blocks;
	unsigned i = 0;
	int rc;

	fill(value, sizeof value, 1);
	assert_int_equal(set(f, file, "user.old", value, 10000), 0);
	for (uint64_t at = 0; nova_write(&f->call, big, at, value, 4096, 0, NULL) > 0; at += 8192)
		i++;
	assert_true(i > 100);
	free_blocks = fixture_free_blocks(f);
	fill(value, sizeof value, 2);
	rc = set(f, file, "user.old", value, sizeof value);
	assert_int_equal(rc, -ENOSPC);
	assert_int_equal(fixture_free_blocks(f), free_blocks);
	fill(value, sizeof value, 1);
	assert_value(f, file, "user.old", value, 10000);
	assert_int_equal(remove_as(f, &root, file, "user.old"), 0);
	fixture_remount(f);
	assert_int_equal(get_as(f, &root, file, "user.old", NULL, 0), -ENODATA);
}

/* Where no two free blocks lie side by side a value lies in many runs, as long as they are not too many. */
static void a_value_may_lie_in_scattered_blocks(void **state)
{
	struct fixture *f = *state;
	struct nova_handle file = fixture_create(f, f->root, "f", S_IFREG | 0644).handle;
	static uint8_t value[NOVA_XATTR_VALUE_MAX];
	char name[16];
	unsigned made = 0;

	fill(value, sizeof value, 3);
	for (;; made++) {
		struct nova_attr attr;

		snprintf(name, sizeof name, "b%u", made);
		if (nova_create(&f->call, f->root, N(name), S_IFREG | 0600, 0, &attr) ||
		    nova_write(&f->call, attr.handle, 0, value, 4096, 0, NULL) < 0)
			break;
	}
	assert_true(made > 1000);
	for (unsigned i = 0; i < made; i += 2) {
		snprintf(name, sizeof name, "b%u", i);
		fixture_unlink(f, f->root, name);
	}
	fixture_remount(f);
	assert_int_equal(set(f, file, "user.scattered", value, sizeof value), 0);
	assert_int_equal(set(f, file, "user.odd", value, 50001), 0);
	for (unsigned round = 0; round < 2; round++) {
		assert_value(f, file, "user.scattered", value, sizeof value);
		assert_value(f, file, "user.odd", value, 50001);
		fixture_remount(f);
	}
}

/* Attributes that stay while others come and go outlive the rewriting of the log, and the log stays short. */
static void attributes_outlive_the_rewriting_of_the_log(void **state)
{
	static const char *const types[] = {"file", "directory"};
	struct fixture *f = *state;
	static uint8_t value[NOVA_XATTR_VALUE_MAX];
	uint64_t free_blocks;

	for (unsigned t = 0; t < 2; t++) {
		struct nova_handle file = fixture_create(f, f->root, types[t], (t ? S_IFDIR : S_IFREG) | 0755).handle;
		char name[64];

		for (unsigned i = 0; i < 40; i++) {
			snprintf(name, sizeof name, "user.kept%u", i);
			fill(value, i * 150, i);
			assert_int_equal(set(f, file, name, value, i * 150), 0);
		}
		free_blocks = fixture_free_blocks(f);
		for (unsigned i = 0; i < 20000; i++) {
			snprintf(name, sizeof name, "user.changes%u", i % 7);
			fill(value, 700, i);
			if (i % 5 == 4)
				assert_in_range(remove_as(f, &root, file, name) + ENODATA, 0, ENODATA);
			else
				assert_int_equal(set(f, file, name, value, i % 700), 0);
		}
		assert_true(free_blocks - fixture_free_blocks(f) < 200);
		for (unsigned round = 0; round < 2; round++) {
			for (unsigned i = 0; i < 40; i++) {
				snprintf(name, sizeof name, "user.kept%u", i);
				fill(value, i * 150, i);
				assert_value(f, file, name, value, i * 150);
			}
			fixture_remount(f);
		}
	}
}

static void a_damaged_blob_is_told(void **state)
{
	struct fixture *f = *state;
	struct nova_handle file = fixture_create(f, f->root, "f", S_IFREG | 0644).handle;
	static uint8_t value[8000];
	uint8_t *at;

	memset(value, 0x5a, sizeof value);
	memcpy(value, "here it begins", 14);
	assert_int_equal(set(f, file, "user.v", value, sizeof value), 0);
	at = memmem(f->memory, f->size, "here it begins", 14);
	assert_non_null(at);
	at[5000] ^= 1;
	assert_int_equal(get_as(f, &root, file, "user.v", value, sizeof value), -EIO);
	at[5000] ^= 1;
	assert_int_equal(get_as(f, &root, file, "user.v", value, sizeof value), sizeof value);
}

/* ---- rules ------------------------------------------------------------------------------------------------------ */

static void user_attributes_follow_the_mode(void **state)
{
	struct fixture *f = *state;
	struct nova_handle file = fixture_owned(f, "f", S_IFREG | 0640);
	struct nova_handle sticky = fixture_owned(f, "s", S_IFDIR | 01777);
	struct nova_handle fifo = fixture_owned(f, "p", S_IFIFO | 0666);

	assert_int_equal(set_as(f, &owner, file, "user.a", "1", 1), 0);
	assert_int_equal(set_as(f, &member, file, "user.a", "1", 1), -EACCES);
	assert_int_equal(get_as(f, &member, file, "user.a", NULL, 0), 1);
	assert_int_equal(get_as(f, &other, file, "user.a", NULL, 0), -EACCES);
	assert_int_equal(remove_as(f, &other, file, "user.a"), -EACCES);
	assert_int_equal(set_as(f, &other, sticky, "user.a", "1", 1), -EPERM);
	assert_int_equal(set_as(f, &owner, sticky, "user.a", "1", 1), 0);
	assert_int_equal(get_as(f, &other, sticky, "user.a", NULL, 0), 1);
	assert_int_equal(set_as(f, &root, fifo, "user.a", "1", 1), -EPERM);
	assert_int_equal(get_as(f, &root, fifo, "user.a", NULL, 0), -ENODATA);
}

static void trusted_and_security_attributes_are_the_superusers(void **state)
{
	struct fixture *f = *state;
	struct nova_handle file = fixture_owned(f, "f", S_IFREG | 0600);

	assert_int_equal(set_as(f, &owner, file, "trusted.a", "1", 1), -EPERM);
	assert_int_equal(set_as(f, &root, file, "trusted.a", "1", 1), 0);
	assert_int_equal(get_as(f, &owner, file, "trusted.a", NULL, 0), -ENODATA);
	assert_int_equal(remove_as(f, &owner, file, "trusted.a"), -EPERM);
	assert_int_equal(get_as(f, &root, file, "trusted.a", NULL, 0), 1);
	assert_int_equal(set_as(f, &owner, file, "security.a", "1", 1), -EPERM);
	assert_int_equal(set_as(f, &root, file, "security.a", "12", 2), 0);
	assert_int_equal(get_as(f, &other, file, "security.a", NULL, 0), 2);
}

static void a_write_or_a_new_owner_takes_a_files_capabilities(void **state)
{
	struct fixture *f = *state;
	struct nova_attr in = {.uid = 7, .size = 3};

	for (unsigned how = 0; how < 3; how++) {
		char name[2] = {(char)('a' + how), 0};
		struct nova_handle file = fixture_create(f, f->root, name, S_IFREG | 0755).handle;

		assert_int_equal(set(f, file, "security.capability", "caps", 4), 0);
		assert_int_equal(set(f, file, "security.other", "kept", 4), 0);
		if (how == 0)
			fixture_write(f, file, 0, "x", 1);
		else
			assert_int_equal(
			    nova_setattr(&f->call, file, how == 1 ? NOVA_SET_UID : NOVA_SET_SIZE, &in, NULL), 0);
		for (unsigned round = 0; round < 2; round++) {
			assert_int_equal(get_as(f, &root, file, "security.capability", NULL, 0), -ENODATA);
			assert_value(f, file, "security.other", "kept", 4);
			fixture_remount(f);
		}
	}
}

static void a_new_owner_of_a_directory_leaves_its_attributes(void **state)
{
	struct fixture *f = *state;
	struct nova_handle dir = fixture_create(f, f->root, "dir", S_IFDIR | 0755).handle;

	assert_int_equal(set(f, dir, "security.capability", "caps", 4), 0);
	assert_int_equal(nova_setattr(&f->call, dir, NOVA_SET_UID, &(struct nova_attr){.uid = 7}, NULL), 0);
	assert_value(f, dir, "security.capability", "caps", 4);
}

/* ---- ACLs ------------------------------------------------------------------------------------------------------- */

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

static int may(struct fixture *f, const struct nova_cred *cred, struct nova_handle file, int mask)
{
	struct nova_call call = fixture_as(f, cred);

	return nova_access(&call, file, mask);
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

/* ---- flags ------------------------------------------------------------------------------------------------------ */

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
	    TEST(values_of_every_kind_of_place_come_back_after_a_remount),
	    TEST(flags_and_sizes_are_judged_as_setxattr_says),
	    TEST(lists_tell_names_in_order_and_hide_trusted_ones),
	    TEST(names_are_limited_by_what_a_list_can_hold),
	    TEST(blocks_of_values_are_counted_and_come_back),
	    TEST(a_value_without_space_changes_nothing),
	    TEST(a_value_may_lie_in_scattered_blocks),
	    TEST(attributes_outlive_the_rewriting_of_the_log),
	    TEST(a_damaged_blob_is_told),
	    TEST(user_attributes_follow_the_mode),
	    TEST(trusted_and_security_attributes_are_the_superusers),
	    TEST(a_write_or_a_new_owner_takes_a_files_capabilities),
	    TEST(a_new_owner_of_a_directory_leaves_its_attributes),
	    TEST(access_acl_decides_with_its_mask),
	    TEST(an_access_acl_that_says_no_more_than_the_mode_is_the_mode),
	    TEST(lists_that_are_none_are_refused),
	    TEST(long_lists_are_kept_up_to_a_page),
	    TEST(what_is_made_inherits_the_default_acl),
	    TEST(long_default_lists_are_inherited),
	    TEST(a_file_without_a_name_inherits_too),
	    TEST(only_the_superuser_sets_flags),
	    TEST(nothing_of_an_immutable_file_changes),
	    TEST(an_append_only_file_only_grows),
	    TEST(flags_of_a_directory_guard_its_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
