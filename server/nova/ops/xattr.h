/*
 * xattr.h -- what other operations do with extended attributes: birth under a default ACL, and the loss of privileges.
 */
#ifndef FARNOVA_NOVA_XATTR_H
#define FARNOVA_NOVA_XATTR_H

#include "server/nova/inode/xattr_index.h"

/* ---- birth ------------------------------------------------------------------------------------------------------ */

/* The ACLs that a newborn gets; part of the transaction that makes it. */
struct xattr_birth {
	struct xattr_change changes[2];
	unsigned count;
};

/* xattr_inherit -- before the birth: what `dir` (with its index) gives to an inode of *mode; takes the umask from the
 * mode where it gives nothing. */
void xattr_inherit(const struct nova_call *call, const struct nova_inode *dir, uint32_t *mode,
                   struct xattr_birth *birth);

/* xattr_birth_append, _drop, _show -- as those of struct xattr_change. */
int xattr_birth_append(struct txn *txn, struct log_append *log, struct xattr_birth *birth);
void xattr_birth_drop(struct nova_worker *worker, struct xattr_birth *birth);
void xattr_birth_show(struct nova_worker *worker, struct nova_inode *inode, const struct xattr_birth *birth);

/* ---- privileges ------------------------------------------------------------------------------------------------- */

/* xattr_has_privileges -- a file's capabilities are for what it held when they were given: a change of its contents or
 * its owner takes them, with an entry in the same commit. */
bool xattr_has_privileges(const struct nova *fs, const struct nova_inode *inode);
int xattr_append_unprivileged(struct txn *txn, struct log_append *log);
void xattr_show_unprivileged(struct nova_worker *worker, struct nova_inode *inode);

#endif
