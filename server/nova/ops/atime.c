/*
 * atime.c -- access times: whether one is due, and its entry.
 *
 * An access time is an ATTR entry of one line, committed by the tail. By the rule below there is at most one for each
 * change of the inode and one a day, so reads of an unchanged file store nothing.
 */
#include "server/nova/change/txn.h"
#include "server/nova/inode/inode.h"

#include <errno.h>

#define DAY_NS (24LL * 3600 * 1000000000)

static bool is_due(int64_t atime_ns, int64_t mtime_ns, int64_t ctime_ns, int64_t now)
{
	int64_t age;

	if (atime_ns <= mtime_ns || atime_ns <= ctime_ns)
		return true;
	/* The difference of two times may overflow; a time in the future is not old. */
	return !__builtin_sub_overflow(now, atime_ns, &age) ? age >= DAY_NS : now > atime_ns;
}

bool nova_atime_due(const struct nova_attr *attr, int64_t now)
{
	return is_due(attr->atime_ns, attr->mtime_ns, attr->ctime_ns, now);
}

int nova_accessed(const struct nova_call *call, struct nova_handle file, enum nova_atime policy)
{
	CLEANUP_UNLOCK struct nova_inode *inode = NULL;
	struct txn txn;
	int rc;

	if (policy == NOVA_ATIME_RELATIVE) {
		struct nova_attr attr;

		rc = nova_getattr(call, file, &attr);
		if (rc || !nova_atime_due(&attr, now_ns()))
			return rc;
	}
	rc = inode_write(call->worker, file, true, &inode);
	if (rc)
		return rc;
	txn_start(&txn, call);
	if (policy == NOVA_ATIME_RELATIVE && !is_due(inode->atime_ns, inode->mtime_ns, inode->ctime_ns, txn.now))
		return 0; /* another reader was first */
	rc = txn_attr(&txn, txn_log(&txn, inode, ALLOC_GROWS), NOVA_ATTR_ATIME, NULL);
	if (rc) {
		txn_drop(&txn);
		return rc;
	}
	txn_commit(&txn);
	inode->atime_ns = txn.now;
	return 0;
}
