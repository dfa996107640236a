/*
 * acl_eval.h -- POSIX access control lists in the kernel's binary form (version 2): parses and evaluates them.
 *
 * The permissions of owner, mask and others are those of the mode, not those in the list. So chmod changes the ACL, and
 * setting the ACL changes the mode, and they cannot contradict each other. An access list without a mask adds nothing
 * to the mode and is not stored; a default list without a mask is.
 */
#ifndef FARNOVA_NOVA_ACL_EVAL_H
#define FARNOVA_NOVA_ACL_EVAL_H

#include "server/nova/media/entry.h"

#define ACL_VALUE_MAX (NOVA_XATTR_INLINE_MAX) /* a list is always in its log entry, never in a blob */

/* A list that was checked. */
struct acl {
	const uint8_t *value; /* with its head; not owned */
	size_t size;
	uint32_t count; /* number of entries, 0 = no list */
	bool has_mask;
};

/* acl_parse -- check a list, which may have no entries. `acl` refers to `value`. -EINVAL; -EOPNOTSUPP for another
 * version. */
int acl_parse(const void *value, size_t size, struct acl *acl);

/* acl_of_entry -- the list in an XATTR entry, which replay or acl_parse has checked. */
struct acl acl_of_entry(const struct nova_entry *entry);

/* The inode that a list belongs to. */
struct acl_subject {
	const struct nova_entry *entry; /* with the list */
	uint16_t mode;
	uint32_t gid;
};

/* acl_check -- 0 if the list grants all of `mask` to a cred that is not the owner, else -EACCES. */
int acl_check(const struct nova_cred *cred, const struct acl_subject *subject, unsigned mask);

/* acl_mode -- `mode` with the permission bits of the list. */
uint16_t acl_mode(const struct acl *acl, uint16_t mode);

/* acl_show -- write the list to `out` (acl->size bytes), with the mode's bits in the entries that stand for them. */
void acl_show(const struct acl *acl, uint16_t mode, uint8_t *out);

/*
 * acl_inherit -- apply the default list of a directory to a new inode: clears the bits of *mode that the list does not
 * grant. True if the list is also needed as the access ACL of the new inode.
 */
bool acl_inherit(const struct acl *list, uint32_t *mode);

#endif
