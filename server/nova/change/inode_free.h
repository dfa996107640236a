/*
 * inode_free.h -- how an inode ends.
 */
#ifndef FARNOVA_NOVA_INODE_FREE_H
#define FARNOVA_NOVA_INODE_FREE_H

#include "server/nova/change/txn.h"

/* inode_free_begin -- note in the transaction that the inode has lost its last name; afterwards call inode_free_done.
 */
void inode_free_begin(struct txn *txn, struct nova_inode *inode);
void inode_free_done(struct txn *txn, struct nova_inode *inode);

/* inode_free_orphan -- end an orphan that nobody has pinned. Durable. */
void inode_free_orphan(const struct nova_call *call, struct nova_inode *inode);

#endif
