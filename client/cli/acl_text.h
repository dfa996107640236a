/*
 * acl_text.h -- POSIX ACLs as people write them (acl(5), setfacl(1)), and as the kernel's extended attributes hold
 * them.
 *
 * A list is kept in the order of the attribute: owner, named users, owning group, named groups, mask, others. Names of
 * users and groups are those of this host; what has none is a number.
 */
#ifndef FARNOVA_CLI_ACL_TEXT_H
#define FARNOVA_CLI_ACL_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#define ACL_VALUE_MAX   65536u
#define ACL_ENTRIES_MAX ((ACL_VALUE_MAX - 4) / 8)

struct acl_entry {
	uint16_t tag; /* ACL_USER_OBJ and so on, of <linux/posix_acl.h> */
	uint16_t permissions;
	uint32_t id; /* of ACL_USER and ACL_GROUP, else UINT32_MAX */
};

struct acl {
	size_t count; /* 0 = there is none */
	struct acl_entry entries[ACL_ENTRIES_MAX];
};

/* acl_decode -- take an attribute's value apart. -EINVAL if it is none. */
int acl_decode(const void *value, size_t size, struct acl *acl);

/* acl_encode -- the value of up to ACL_VALUE_MAX bytes; its length. */
size_t acl_encode(const struct acl *acl, void *value);

/* acl_of_mode -- what a file without an ACL has. */
void acl_of_mode(mode_t mode, struct acl *acl);

/* acl_find -- NULL if there is no such entry; `id` as in the entry. */
struct acl_entry *acl_find(struct acl *acl, uint16_t tag, uint32_t id);

/* acl_put -- add the entry or give the one that is there these permissions. -E2BIG. */
int acl_put(struct acl *acl, uint16_t tag, uint32_t id, uint16_t permissions);

/* acl_drop -- without effect if it is not there. */
void acl_drop(struct acl *acl, uint16_t tag, uint32_t id);

/* acl_names_any -- whether there are entries of named users or groups, so that there must be a mask. */
bool acl_names_any(const struct acl *acl);

/* acl_union -- what the mask has to allow for all that it limits to be effective. */
uint16_t acl_union(const struct acl *acl);

/* One entry of a text. */
struct acl_change {
	bool of_default;
	bool execute_too; /* X: x if it is a directory or somebody has x already */
	struct acl_entry entry;
};

struct acl_changes {
	size_t count;
	struct acl_change *changes;
};

/*
 * acl_read_text -- entries between commas or lines, with comments from # to the end of a line, as getfacl prints them.
 * `permissions` tells whether each must have some or none; with `of_default` all are of the default ACL. -EINVAL with a
 * sentence in `why`, -ENOMEM. acl_changes_free frees what it gave.
 */
int acl_read_text(const char *text, bool permissions, bool of_default, struct acl_changes *out, char *why,
                  size_t why_size);
void acl_changes_free(struct acl_changes *changes);

struct acl_style {
	const char *prefix; /* before each entry: "" or "default:" */
	bool numeric;
	enum { ACL_EFFECTIVE_SOME, ACL_EFFECTIVE_ALL, ACL_EFFECTIVE_NONE } effective; /* which get a comment */
};

/* acl_print -- one entry a line. */
void acl_print(FILE *out, const struct acl *acl, const struct acl_style *style);

#endif
