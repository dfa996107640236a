/*
 * xattr_calls.c -- calls about extended attributes, rights and attributes, on behalf of some users.
 */
#include "tests/unit/server/nova/xattr_calls.h"

#include "server/nova/media/format.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static const uint32_t groups[] = {300, 301};
const struct nova_cred root = {.uid = 0, .gid = 0};
const struct nova_cred owner = {.uid = 100, .gid = 200};
const struct nova_cred member = {.uid = 101, .gid = 201, .group_count = 2, .groups = groups};
const struct nova_cred named = {.uid = 103, .gid = 203};
const struct nova_cred other = {.uid = 102, .gid = 202};

int set_as(struct fixture *f, const struct nova_cred *cred, struct nova_handle file, const char *name,
           const void *value, size_t size)
{
	struct nova_call call = fixture_as(f, cred);

	return nova_setxattr(&call, file, N(name), value, size, 0, NULL);
}

int set(struct fixture *f, struct nova_handle file, const char *name, const void *value, size_t size)
{
	return set_as(f, &root, file, name, value, size);
}

ssize_t get_as(struct fixture *f, const struct nova_cred *cred, struct nova_handle file, const char *name, void *value,
               size_t size)
{
	struct nova_call call = fixture_as(f, cred);

	return nova_getxattr(&call, file, N(name), value, size, NULL);
}

int remove_as(struct fixture *f, const struct nova_cred *cred, struct nova_handle file, const char *name)
{
	struct nova_call call = fixture_as(f, cred);

	return nova_removexattr(&call, file, N(name), NULL);
}

void fill(uint8_t *bytes, size_t size, unsigned seed)
{
	for (size_t i = 0; i < size; i++)
		bytes[i] = (uint8_t)(seed + i * 31 + (i >> 8));
}

void assert_value(struct fixture *f, struct nova_handle file, const char *name, const void *value, size_t size)
{
	static uint8_t got[NOVA_XATTR_VALUE_MAX];

	assert_int_equal(get_as(f, &root, file, name, NULL, 0), size);
	assert_int_equal(get_as(f, &root, file, name, got, sizeof got), size);
	assert_memory_equal(got, value, size);
}

struct nova_attr attr_of(struct fixture *f, struct nova_handle file)
{
	struct nova_attr attr;

	assert_int_equal(nova_getattr(&f->call, file, &attr), 0);
	return attr;
}

int may(struct fixture *f, const struct nova_cred *cred, struct nova_handle file, int mask)
{
	struct nova_call call = fixture_as(f, cred);

	return nova_access(&call, file, mask);
}
