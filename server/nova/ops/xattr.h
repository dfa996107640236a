/*
 * xattr.h -- extended attributes in other operations: new inodes under a default ACL, and the loss of privileges.
 */
#ifndef FARNOVA_NOVA_XATTR_H
#define FARNOVA_NOVA_XATTR_H

#include "server/nova/change/inode_create.h"
#include "server/nova/inode/xattr_index.h"

/* ---- birth ------------------------------------------------------------------------------------------------------ */

/* xattr_inherit -- before the birth: what `dir` (with its index) gives to an inode of *mode; takes the umask from the
 * mode where it gives nothing. */
void xattr_inherit(const struct nova_call *call, const struct nova_inode *dir, uint32_t *mode,
                   struct xattr_birth *birth);

/* ---- privileges ------------------------------------------------------------------------------------------------- */

/* xattr_has_privileges -- whether a file has capabilities. They were given for its old contents and owner: a change of
 * either removes them, with an entry in the same commit. */
bool xattr_has_privileges(const struct nova *fs, const struct nova_inode *inode);
int xattr_append_unprivileged(struct txn *txn, struct nova_inode *inode, struct log_append *log);
void xattr_show_unprivileged(struct nova_worker *worker, struct nova_inode *inode);

#endif
