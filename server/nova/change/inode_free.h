/*
 * inode_free.h -- frees inodes.
 */
#ifndef FARNOVA_NOVA_INODE_FREE_H
#define FARNOVA_NOVA_INODE_FREE_H

#include "server/nova/change/txn.h"

/* inode_free_begin -- note in the transaction that the inode loses its last name. After the commit call
 * inode_free_done. */
void inode_free_begin(struct txn *txn, struct nova_inode *inode);
void inode_free_done(struct txn *txn, struct nova_inode *inode);

/* inode_free_orphan -- free an orphan that nobody has pinned. Durable. */
void inode_free_orphan(const struct nova_call *call, struct nova_inode *inode);

#endif
