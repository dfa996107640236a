/*
 * posix_perm.c -- who may do what, of the model: permission bits (path_resolution(7), inode(7)), the superuser's
 * capabilities (capabilities(7)), file flags (chattr(1)), and the privileges that a file loses (chown(2), write(2)).
 */
#include "tests/model/posix_internal.h"

#include <errno.h>
#include <sys/stat.h>

void posix_act_for(struct posix_model *model, const struct posix_caller *caller)
{
	model->caller = caller ? *caller : (struct posix_caller){0};
}

bool posix_is_super(const struct posix_model *model)
{
	return model->caller.uid == 0;
}

bool posix_in_group(const struct posix_model *model, uint32_t gid)
{
	bool in = model->caller.gid == gid;

	for (unsigned i = 0; i < model->caller.group_count; i++)
		in |= model->caller.groups[i] == gid;
	return in;
}

bool posix_owns(const struct posix_model *model, const struct node *node)
{
	return posix_is_super(model) || model->caller.uid == node->attr.uid;
}

/* CAP_DAC_OVERRIDE: all of it, but to execute a file somebody must be allowed to. */
static bool super_may(const struct node *node, unsigned mask)
{
	bool somebody = node->attr.mode & (S_IXUSR | S_IXGRP | S_IXOTH);

	return !(mask & MAY_EXEC) || S_ISDIR(node->attr.mode) || somebody;
}

/* The first class that the caller is in counts, even where a later one would grant more. */
static bool class_may(const struct posix_model *model, const struct node *node, unsigned mask)
{
	bool granted;

	if (model->caller.uid == node->attr.uid)
		return (node->attr.mode >> 6 & mask) == mask;
	if (posix_acl_grants(model, node, mask, &granted))
		return granted;
	if (posix_in_group(model, node->attr.gid))
		return (node->attr.mode >> 3 & mask) == mask;
	return (node->attr.mode & mask) == mask;
}

int posix_may(const struct posix_model *model, const struct node *node, unsigned mask)
{
	if (mask & MAY_WRITE && node->attr.flags & POSIX_IMMUTABLE)
		return -EPERM;
	if (posix_is_super(model) ? super_may(node, mask) : class_may(model, node, mask))
		return 0;
	return -EACCES;
}

int posix_may_use(const struct posix_model *model, const struct node *node, unsigned mask)
{
	return model->caller.opened ? 0 : posix_may(model, node, mask);
}

int posix_access(const struct posix_model *model, posix_ino ino, int mask)
{
	const struct node *node = posix_node(model, ino);

	return node ? posix_may(model, node, (unsigned)mask & 7) : -ESTALE;
}

bool posix_is_fixed(const struct node *node)
{
	return node->attr.flags & (POSIX_IMMUTABLE | POSIX_APPEND_ONLY);
}

int posix_may_change(const struct node *node, bool adds)
{
	uint32_t forbids = adds ? POSIX_IMMUTABLE : POSIX_IMMUTABLE | POSIX_APPEND_ONLY;

	return node->attr.flags & forbids ? -EPERM : 0;
}

int posix_may_remove(const struct posix_model *model, const struct node *dir, const struct node *node)
{
	int rc = posix_may(model, dir, MAY_WRITE | MAY_EXEC);

	if (rc)
		return rc;
	if (dir->attr.flags & POSIX_APPEND_ONLY || posix_is_fixed(node))
		return -EPERM;
	/* The restricted deletion flag. */
	if (dir->attr.mode & S_ISVTX && !posix_owns(model, dir) && !posix_owns(model, node))
		return -EPERM;
	return 0;
}

/* Where the group may not execute, the set-group-ID bit is no privilege of its members; others take it away, too, since
 * Linux 6.2. */
static uint32_t set_ids(const struct posix_model *model, const struct node *node)
{
	bool member = posix_is_super(model) || posix_in_group(model, node->attr.gid);

	return node->attr.mode & (S_ISUID | (node->attr.mode & S_IXGRP || !member ? S_ISGID : 0));
}

/* Whoever has CAP_FSETID keeps the bits; nobody keeps the file's capabilities. */
void posix_contents_changed(const struct posix_model *model, struct node *node)
{
	if (!posix_is_super(model))
		node->attr.mode &= ~set_ids(model, node);
	posix_xattr_drop(node, "security.capability");
}

/* "Since Linux 2.2.13, root is treated like other users." The bits of directories say something else. */
void posix_owner_changes(const struct posix_model *model, struct node *node)
{
	if (S_ISDIR(node->attr.mode))
		return;
	node->attr.mode &= ~set_ids(model, node);
	posix_xattr_drop(node, "security.capability");
}

bool posix_takes_set_ids(const struct posix_model *model, const struct node *node, uint32_t mode)
{
	uint32_t taken = (node->attr.mode ^ mode) & 07777;

	if (!S_ISREG(node->attr.mode) || posix_is_super(model) || !taken)
		return false;
	return (taken & set_ids(model, node)) == taken && posix_may_use(model, node, MAY_WRITE) == 0;
}

void posix_born(const struct posix_model *model, const struct node *dir, struct node *node)
{
	uint32_t *mode = &node->attr.mode;

	node->attr.uid = model->caller.uid;
	node->attr.gid = dir->attr.mode & S_ISGID ? dir->attr.gid : model->caller.gid;
	/* A set-group-ID directory passes on its group, and the bit to directories. What would run with the rights of a
	 * group only its members make. */
	if (S_ISDIR(*mode))
		*mode |= dir->attr.mode & S_ISGID;
	else if (*mode & S_ISGID && *mode & S_IXGRP && !posix_is_super(model) && !posix_in_group(model, node->attr.gid))
		*mode &= ~(uint32_t)S_ISGID;
	/* A symbolic link's permissions are nobody's. */
	if (!S_ISLNK(*mode) && !posix_acl_inherit(dir, node))
		*mode &= ~(model->caller.umask & 0777);
}
