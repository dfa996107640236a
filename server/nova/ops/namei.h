/*
 * namei.h -- functions that the operations on names share.
 */
#ifndef FARNOVA_NOVA_NAMEI_H
#define FARNOVA_NOVA_NAMEI_H

#include "server/nova/change/inode_create.h"
#include "server/nova/inode/inode.h"

/* namei_check -- 0 if a name of these bytes can be added or removed; -EINVAL, -ENAMETOOLONG. */
int namei_check(const char *name, size_t length);

/* namei_may_add -- 0 if the caller may add a name to the directory; -ENOTDIR, -ENOENT (it was removed), -EACCES. */
int namei_may_add(const struct nova_call *call, const struct nova_inode *dir);

/* namei_same_project -- -EXDEV if the directory passes on a project that is not the inode's: all inodes in its tree are
 * charged to its project. */
int namei_same_project(const struct nova_inode *inode, const struct nova_inode *dir);

/* birth_inherit -- owner, group and other attributes of a new inode that the caller makes in this directory. */
void birth_inherit(const struct nova_call *call, const struct nova_inode *dir, struct birth *birth);

/* namei_room -- reserve room in the index for `more` names, before the commit. */
int namei_room(struct nova *fs, struct nova_inode *dir, uint32_t more);

/* namei_added, namei_replaced, namei_removed -- after the commit: update the index. A `replaced` name refers to another
 * inode now. */
void namei_added(struct txn *txn, struct nova_inode *dir, const struct dir_entry *added);
void namei_replaced(struct txn *txn, struct nova_inode *dir, struct dir_entry *replaced, const struct dir_entry *by);
void namei_removed(struct txn *txn, struct nova_inode *dir, struct dir_entry *removed);

#endif
