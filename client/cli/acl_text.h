/*
 * acl_text.h -- POSIX ACLs as text (acl(5), setfacl(1)) and in the format of the kernel's extended attributes.
 *
 * A list has the order of the attribute: owner, named users, owning group, named groups, mask, others. Names of users
 * and groups are those of this host; an id without a name is a number.
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
	uint32_t id; /* for ACL_USER and ACL_GROUP, else UINT32_MAX */
};

struct acl {
	size_t count; /* 0 = no ACL */
	struct acl_entry entries[ACL_ENTRIES_MAX];
};

/* acl_decode -- decode the value of an attribute. -EINVAL if it is invalid. */
int acl_decode(const void *value, size_t size, struct acl *acl);

/* acl_encode -- encode a value of up to ACL_VALUE_MAX bytes; returns its length. */
size_t acl_encode(const struct acl *acl, void *value);

/* acl_of_mode -- the equivalent list of a file without an ACL. */
void acl_of_mode(mode_t mode, struct acl *acl);

/* acl_find -- the entry with this tag and id, or NULL. */
struct acl_entry *acl_find(struct acl *acl, uint16_t tag, uint32_t id);

/* acl_put -- add the entry, or set the permissions of an existing one. -E2BIG. */
int acl_put(struct acl *acl, uint16_t tag, uint32_t id, uint16_t permissions);

/* acl_drop -- remove the entry, if it exists. */
void acl_drop(struct acl *acl, uint16_t tag, uint32_t id);

/* acl_names_any -- whether there are entries for named users or groups, which require a mask. */
bool acl_names_any(const struct acl *acl);

/* acl_union -- the union of all masked permissions: the smallest mask that leaves all of them effective. */
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
 * acl_read_text -- parse entries separated by commas or newlines; a comment extends from # to the end of the line, as
 * in the output of getfacl. `permissions`: every entry must have permissions; else none may. `of_default`: all entries
 * belong to the default ACL. -EINVAL with a sentence in `why`, -ENOMEM. acl_changes_free frees the result.
 */
int acl_read_text(const char *text, bool permissions, bool of_default, struct acl_changes *out, char *why,
                  size_t why_size);
void acl_changes_free(struct acl_changes *changes);

struct acl_style {
	const char *prefix; /* before each entry: "" or "default:" */
	bool numeric;
	enum { ACL_EFFECTIVE_SOME, ACL_EFFECTIVE_ALL, ACL_EFFECTIVE_NONE } effective; /* which entries get a comment */
};

/* acl_print -- print one entry per line. */
void acl_print(FILE *out, const struct acl *acl, const struct acl_style *style);

#endif
