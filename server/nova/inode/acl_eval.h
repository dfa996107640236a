/*
 * acl_eval.h -- POSIX access control lists: the kernel's binary form (version 2), taken apart and judged in one place.
 *
 * What an access ACL says of owner, mask and others is the mode's business: those three entries are read from the mode,
 * so that chmod changes the ACL and setting the ACL changes the mode without a second truth. A list without a mask says
 * nothing that the mode does not, and is kept only as a directory's default.
 */
#ifndef FARNOVA_NOVA_ACL_EVAL_H
#define FARNOVA_NOVA_ACL_EVAL_H

#include "server/nova/media/entry.h"

#define ACL_VALUE_MAX (NOVA_XATTR_INLINE_MAX) /* a list lies in its log entry */

/* A list that was checked, wherever it lies. */
struct acl {
	const uint8_t *value; /* with its head */
	size_t size;
	uint32_t count; /* of entries; 0: no list at all */
	bool has_mask;
};

/* acl_parse -- is it a list? Of no entries, too. -EINVAL; -EOPNOTSUPP for another version. */
int acl_parse(const void *value, size_t size, struct acl *acl);

/* acl_of_entry -- the list in an XATTR entry that was checked when it was read. */
struct acl acl_of_entry(const struct nova_entry *entry);

/* What a list grants access to. */
struct acl_subject {
	const struct nova_entry *entry; /* with the list */
	uint16_t mode;
	uint32_t gid;
};

/* acl_check -- what the list grants a cred that does not own the subject: 0, or -EACCES if not all of `mask`. */
int acl_check(const struct nova_cred *cred, const struct acl_subject *subject, unsigned mask);

/* acl_mode -- `mode` with the permission bits that the list says. */
uint16_t acl_mode(const struct acl *acl, uint16_t mode);

/* acl_show -- the list with the mode's bits in their entries; `out` has acl->size bytes. */
void acl_show(const struct acl *acl, uint16_t mode, uint8_t *out);

/*
 * acl_inherit -- what a newborn of *mode gets from the default list of its directory: *mode loses what the list does
 * not grant. True if it has to have the list itself as its access ACL, too.
 */
bool acl_inherit(const struct acl *list, uint32_t *mode);

#endif
