/*
 * perm.h -- who may do what: POSIX modes as Linux reads them. A NULL cred may do everything, as may uid 0.
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

/* perm_check -- 0 if all of `mask` is granted by mode and ACL, else -EACCES; -EPERM to write what is immutable. */
int perm_check(const struct nova_cred *cred, const struct nova_inode *inode, unsigned mask);

/* perm_flags -- -EPERM if flags of the inode forbid to change its contents, size or blocks, whoever asks. `append`: to
 * add something at the end of a file. */
int perm_flags(const struct nova_inode *inode, bool append);

/* perm_flags_kept -- -EPERM if the inode's flags forbid to change its attributes and names. */
int perm_flags_kept(const struct nova_inode *inode);

/* perm_remove -- may the cred take the name of `child` out of `dir`? -EACCES; -EPERM in a sticky directory, or if flags
 * forbid it. */
int perm_remove(const struct nova_cred *cred, const struct nova_inode *dir, const struct nova_inode *child);

/* perm_mode_after_write -- the mode once the data have changed: the superuser's changes take nothing from it. */
uint16_t perm_mode_after_write(const struct nova_cred *cred, const struct nova_inode *inode);

/* perm_mode_after_chown -- the mode once the owner or group was set, by whomever: what runs as the old owner must not
 * run as the new one (chown(2)). The bits of a directory mean something else. */
uint16_t perm_mode_after_chown(const struct nova_cred *cred, const struct nova_inode *inode);

/* perm_only_takes_set_ids -- whether `mode` is the inode's without one or more of the bits that a write by this caller
 * takes away. A kernel asks so before it writes, truncates or allocates for someone who need not be the owner. */
bool perm_only_takes_set_ids(const struct nova_cred *cred, const struct nova_inode *inode, uint32_t mode);

#endif
