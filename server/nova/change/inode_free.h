/*
 * inode_free.h -- frees inodes and their blocks.
 */
#ifndef FARNOVA_NOVA_INODE_FREE_H
#define FARNOVA_NOVA_INODE_FREE_H

#include "server/nova/change/txn.h"

/* inode_free_begin -- add to the transaction that the inode has lost its last name: it becomes an orphan if it is
 * pinned, else free. inode_free_done -- call this after the commit; it frees the blocks of an inode that is not pinned. */
void inode_free_begin(struct txn *txn, struct nova_inode *inode);
void inode_free_done(struct txn *txn, struct nova_inode *inode);

/* inode_free_orphan -- free an orphan that is not pinned. Durable on return. */
void inode_free_orphan(const struct nova_call *call, struct nova_inode *inode);

#endif
