/*
 * xattr_calls.h -- calls about extended attributes, rights and attributes, on behalf of some users.
 */
#ifndef TESTS_UNIT_SERVER_NOVA_XATTR_CALLS_H
#define TESTS_UNIT_SERVER_NOVA_XATTR_CALLS_H

#include "tests/support/nova_fixture.h"

#define ACCESS  "system.posix_acl_access"
#define DEFAULT "system.posix_acl_default"

/* `owner` owns what fixture_owned makes, and `member` is in that file's group; `named` is for ACLs to name. */
extern const struct nova_cred root, owner, member, named, other;

/* set_as, get_as, remove_as -- set, get or remove an extended attribute. set -- as the superuser. may -- nova_access. */
int set_as(struct fixture *f, const struct nova_cred *cred, struct nova_handle file, const char *name,
           const void *value, size_t size);
int set(struct fixture *f, struct nova_handle file, const char *name, const void *value, size_t size);
ssize_t get_as(struct fixture *f, const struct nova_cred *cred, struct nova_handle file, const char *name, void *value,
               size_t size);
int remove_as(struct fixture *f, const struct nova_cred *cred, struct nova_handle file, const char *name);
int may(struct fixture *f, const struct nova_cred *cred, struct nova_handle file, int mask);

/* assert_value -- the attribute has this value. fill -- make a value, another for each seed. */
void assert_value(struct fixture *f, struct nova_handle file, const char *name, const void *value, size_t size);
void fill(uint8_t *bytes, size_t size, unsigned seed);

struct nova_attr attr_of(struct fixture *f, struct nova_handle file);

#endif
