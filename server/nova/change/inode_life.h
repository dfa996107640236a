/*
 * inode_life.h -- how an inode begins and ends.
 */
#ifndef FARNOVA_NOVA_INODE_LIFE_H
#define FARNOVA_NOVA_INODE_LIFE_H

#include "server/nova/change/txn.h"
#include "server/nova/core.h"
#include "server/nova/ops/xattr.h"

struct birth {
	enum nova_life life;
	uint32_t mode; /* with type */
	uint32_t uid;
	uint32_t gid;
	uint32_t rdev;
	uint32_t flags;
	uint32_t project;
	uint64_t parent; /* of a directory */
	uint64_t size;   /* of a target */
	struct xattr_birth xattrs;
};

/* birth_inherit -- who owns what the caller makes in this directory, and what else that passes on. */
void birth_inherit(const struct nova_call *call, const struct nova_inode *dir, struct birth *birth);

/*
 * inode_create_begin -- take a slot and store the newborn's header, words and first entry; the inode comes back locked
 * and becomes alive with the transaction (inode_create_done) or not at all (inode_create_abort).
 */
int inode_create_begin(struct txn *txn, struct birth *birth, struct nova_inode **out, struct log_append **log);
void inode_create_done(struct txn *txn, struct nova_inode *inode, const struct birth *birth);
void inode_create_abort(struct txn *txn, struct nova_inode *inode, struct birth *birth);

/* inode_free_begin -- note in the transaction that the inode has lost its last name; afterwards call inode_free_done.
 */
void inode_free_begin(struct txn *txn, struct nova_inode *inode);
void inode_free_done(struct txn *txn, struct nova_inode *inode);

/* inode_free_orphan -- end an orphan that nobody has pinned. Durable. */
void inode_free_orphan(const struct nova_call *call, struct nova_inode *inode);

#endif
