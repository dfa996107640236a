/*
 * perm.c -- POSIX permission rules.
 */
#include "server/nova/inode/perm.h"

#include "server/nova/inode/acl_eval.h"
#include "server/nova/inode/inode.h"

#include <errno.h>

int perm_owner(const struct nova_cred *cred, const struct nova_inode *inode)
{
	return cred_super(cred) || cred->uid == inode->uid ? 0 : -EPERM;
}

int perm_check(const struct nova_cred *cred, const struct nova_inode *inode, unsigned mask)
{
	unsigned granted;

	if (mask & PERM_WRITE && inode->flags & NOVA_FLAG_IMMUTABLE)
		return -EPERM;
	if (!cred)
		return 0;
	if (cred->uid == 0) {
		/* The superuser may execute a file only if someone may. */
		if (!(mask & PERM_EXEC) || inode_is(inode, S_IFDIR) || inode->mode & 0111)
			return 0;
		return -EACCES;
	}
	if (cred->uid == inode->uid)
		granted = inode->mode >> 6;
	else if (inode->acl)
		return acl_check(cred, &(struct acl_subject){inode->acl, inode->mode, inode->gid}, mask);
	else if (cred_in_group(cred, inode->gid))
		granted = inode->mode >> 3;
	else
		granted = inode->mode;
	return mask & ~granted & 7 ? -EACCES : 0;
}

int perm_flags(const struct nova_inode *inode, bool append)
{
	return inode->flags & NOVA_FLAG_IMMUTABLE || (inode->flags & NOVA_FLAG_APPEND && !append) ? -EPERM : 0;
}

int perm_flags_kept(const struct nova_inode *inode)
{
	return inode->flags & (NOVA_FLAG_IMMUTABLE | NOVA_FLAG_APPEND) ? -EPERM : 0;
}

int perm_remove(const struct nova_cred *cred, const struct nova_inode *dir, const struct nova_inode *child)
{
	int rc = perm_check(cred, dir, PERM_WRITE | PERM_EXEC);

	if (!rc && dir->flags & NOVA_FLAG_APPEND)
		rc = -EPERM;
	if (!rc)
		rc = perm_flags_kept(child);
	if (rc || cred_super(cred) || !(dir->mode & S_ISVTX))
		return rc;
	return cred->uid == dir->uid || cred->uid == child->uid ? 0 : -EPERM;
}

/* Like setattr_should_drop_sgid since Linux 6.2: without group execution, the set-group-ID bit stays if the caller is
 * in the group or is the superuser. */
static uint16_t without_set_ids(const struct nova_cred *cred, const struct nova_inode *inode)
{
	uint16_t mode = inode->mode & (uint16_t)~S_ISUID;

	if (mode & S_IXGRP || !(cred_super(cred) || cred_in_group(cred, inode->gid)))
		mode &= (uint16_t)~S_ISGID;
	return mode;
}

uint16_t perm_mode_after_write(const struct nova_cred *cred, const struct nova_inode *inode)
{
	return cred_super(cred) || !inode_is(inode, S_IFREG) ? inode->mode : without_set_ids(cred, inode);
}

uint16_t perm_mode_after_chown(const struct nova_cred *cred, const struct nova_inode *inode)
{
	return inode_is(inode, S_IFDIR) ? inode->mode : without_set_ids(cred, inode);
}

bool perm_only_takes_set_ids(const struct nova_cred *cred, const struct nova_inode *inode, uint32_t mode)
{
	uint32_t taken = inode->mode & ~mode;
	uint32_t by_write = inode->mode & ~(uint32_t)perm_mode_after_write(cred, inode);

	return taken && (mode | taken) == inode->mode && !(taken & ~by_write);
}
