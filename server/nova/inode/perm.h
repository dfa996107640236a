/*
 * perm.h -- POSIX permissions as Linux checks them. A NULL cred may do everything, like uid 0.
 */
#ifndef FARNOVA_NOVA_PERM_H
#define FARNOVA_NOVA_PERM_H

#include "server/nova/inode/cred.h"
#include "server/nova/inode/nova_inode.h"

#define PERM_READ  4u
#define PERM_WRITE 2u
#define PERM_EXEC  1u

/* perm_owner -- 0 if the cred owns the inode, else -EPERM. */
int perm_owner(const struct nova_cred *cred, const struct nova_inode *inode);

/* perm_check -- 0 if mode and ACL grant all of `mask`, else -EACCES; -EPERM for a write to an immutable inode. */
int perm_check(const struct nova_cred *cred, const struct nova_inode *inode, unsigned mask);

/* perm_flags -- -EPERM if the inode's flags forbid everyone to change its contents, size or blocks. `append` -- the
 * change only adds data at the end of the file. */
int perm_flags(const struct nova_inode *inode, bool append);

/* perm_flags_kept -- -EPERM if the inode's flags forbid to change its attributes and names. */
int perm_flags_kept(const struct nova_inode *inode);

/* perm_remove -- 0 if the cred may remove the name of `child` from `dir`; -EACCES; -EPERM in a sticky directory, or if
 * flags forbid it. */
int perm_remove(const struct nova_cred *cred, const struct nova_inode *dir, const struct nova_inode *child);

/* perm_mode_after_write -- the mode after a change of the data. A change by the superuser clears no bits. */
uint16_t perm_mode_after_write(const struct nova_cred *cred, const struct nova_inode *inode);

/* perm_mode_after_chown -- the mode after owner or group were set by anyone: a program that ran as the old owner must
 * not run as the new one (chown(2)). The bits of a directory mean something else and stay. */
uint16_t perm_mode_after_chown(const struct nova_cred *cred, const struct nova_inode *inode);

/* perm_only_takes_set_ids -- whether `mode` is the inode's mode without one or more of the bits that a write by this
 * caller clears. A client's kernel sets such a mode before it writes, truncates or allocates for a caller who need not
 * be the owner. */
bool perm_only_takes_set_ids(const struct nova_cred *cred, const struct nova_inode *inode, uint32_t mode);

#endif
