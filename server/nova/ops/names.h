/*
 * names.h -- what the operations on names share.
 */
#ifndef FARNOVA_NOVA_NAMES_H
#define FARNOVA_NOVA_NAMES_H

#include "server/nova/change/txn.h"
#include "server/nova/inode/inode.h"

/* names_check -- is it a name that can be made or removed? -EINVAL, -ENAMETOOLONG. */
int names_check(const char *name, size_t length);

/* names_find -- the entry in a locked directory, or NULL. */
struct dir_entry *names_find(const struct nova *fs, const struct inode *dir, const char *name, size_t length);

/* names_may_add -- may this caller add a name to the directory? -ENOTDIR, -ENOENT (it was removed), -EACCES. */
int names_may_add(const struct nova_call *call, const struct inode *dir);

/* names_same_project -- -EXDEV if the directory passes on a project that is not the inode's: what is named in its tree
 * is charged to its project. */
int names_same_project(const struct inode *inode, const struct inode *dir);

/* names_room -- room in the index for `more` names, before the commit. */
int names_room(struct nova *fs, struct inode *dir, uint32_t more);

/* names_added, names_removed -- the commit is done: show it in DRAM. */
void names_added(struct txn *txn, struct inode *dir, const struct dir_entry *added);
void names_removed(struct txn *txn, struct inode *dir, struct dir_entry *removed);

#endif
