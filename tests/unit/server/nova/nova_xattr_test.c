/*
 * nova_xattr_test.c -- extended attributes of the core: their values, limits and permissions.
 */
#include "server/nova/media/format.h"
#include "tests/unit/server/nova/xattr_calls.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

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
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
