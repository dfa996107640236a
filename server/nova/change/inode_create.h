/*
 * inode_create.h -- creates inodes.
 */
#ifndef FARNOVA_NOVA_INODE_CREATE_H
#define FARNOVA_NOVA_INODE_CREATE_H

#include "server/nova/change/txn.h"
#include "server/nova/inode/xattr_index.h"

/* The ACLs of a new inode, set by the transaction that creates it. */
struct xattr_birth {
	struct xattr_change changes[2];
	unsigned count;
};

struct birth {
	enum nova_life life;
	uint32_t mode; /* with type */
	uint32_t uid;
	uint32_t gid;
	uint32_t rdev;
	uint32_t flags;
	uint32_t project;
	uint64_t parent; /* of a directory */
	uint64_t size;   /* of a symlink's target */
	bool pinned;     /* from the beginning, as by nova_open */
	struct xattr_birth xattrs;
};

/*
 * inode_create_begin -- take a slot and store the header, words and first entry of the new inode. *out is locked. The
 * commit of the transaction creates the inode: then call inode_create_done, else inode_create_abort.
 */
int inode_create_begin(struct txn *txn, struct birth *birth, struct nova_inode **out, struct log_append **log);
void inode_create_done(struct txn *txn, struct nova_inode *inode, const struct birth *birth);
void inode_create_abort(struct txn *txn, struct nova_inode *inode, struct birth *birth);

#endif
