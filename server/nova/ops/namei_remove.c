/*
 * namei_remove.c -- unlink and rmdir.
 */
#include "server/nova/change/inode_free.h"

#include "server/nova/inode/perm.h"
#include "server/nova/ops/namei.h"
#include "server/nova/space/worker.h"

#include <errno.h>

/* Whether the caller may remove this name. */
static int may_remove(const struct nova_call *call, const struct nova_inode *dir, const struct nova_inode *child,
                      bool is_rmdir)
{
	int rc = perm_remove(call->cred, dir, child);

	if (rc)
		return rc;
	if (is_rmdir && !inode_is(child, S_IFDIR))
		return -ENOTDIR;
	if (!is_rmdir && inode_is(child, S_IFDIR))
		return -EISDIR;
	if (is_rmdir && child->dir.live)
		return -ENOTEMPTY;
	return 0;
}

/* Both inodes are locked. One commit: the name, and the child's life or link count. */
static int remove_locked(const struct nova_call *call, struct nova_inode *dir, struct dir_entry *entry,
                         struct nova_inode *child)
{
	bool last = inode_is(child, S_IFDIR) || child->nlink <= 1;
	struct txn txn;
	int rc;

	txn_start(&txn, call);
	txn_effect(&txn, 0, 0);
	rc = txn_name_gone(&txn, txn_log(&txn, dir, ALLOC_FREES), entry);
	if (!rc && last)
		inode_free_begin(&txn, child);
	if (!rc && !last)
		rc = txn_attr(&txn, txn_log(&txn, child, ALLOC_FREES), NOVA_ATTR_NLINK,
		              &(struct nova_attr_entry){.nlink = le32_of(child->nlink - 1)});
	if (rc) {
		txn_drop(&txn);
		return rc;
	}
	txn_commit(&txn);
	namei_removed(&txn, dir, entry);
	if (last) {
		inode_free_done(&txn, child);
	} else {
		child->nlink--;
		child->ctime_ns = txn.now;
	}
	return 0;
}

/* One attempt; -EAGAIN with `busy` if the child could not be locked. */
static int try_remove(const struct nova_call *call, struct nova_handle dir_handle, const char *name, size_t length,
                      bool is_rmdir, struct nova_attr *attr, uint64_t *busy)
{
	struct nova_worker *worker = call->worker;
	CLEANUP_UNLOCK struct nova_inode *dir = NULL;
	CLEANUP_UNLOCK struct nova_inode *child = NULL;
	struct dir_entry *entry;
	int rc = inode_write(worker, dir_handle, true, &dir);

	if (rc)
		return rc;
	if (!inode_is(dir, S_IFDIR))
		return -ENOTDIR;
	rc = perm_check(call->cred, dir, PERM_EXEC);
	if (rc)
		return rc;
	entry = inode_find_name(worker->fs, dir, name, length);
	if (!entry)
		return -ENOENT;
	*busy = entry->ino;
	rc = inode_try_named(worker, entry->ino, &child);
	if (!rc)
		rc = may_remove(call, dir, child, is_rmdir);
	if (!rc)
		rc = remove_locked(call, dir, entry, child);
	if (!rc && attr)
		inode_attr(child, attr);
	return rc;
}

static int remove_name(const struct nova_call *call, struct nova_handle dir, const char *name, size_t length,
                       bool is_rmdir, struct nova_attr *attr)
{
	int rc = namei_check(name, length);

	while (!rc) {
		uint64_t busy = 0;

		rc = try_remove(call, dir, name, length, is_rmdir, attr, &busy);
		if (rc != -EAGAIN)
			return rc;
		inode_wait(call->worker, busy);
		rc = 0;
	}
	return rc;
}

int nova_unlink(const struct nova_call *call, struct nova_handle dir, const char *name, size_t length,
                struct nova_attr *attr)
{
	return remove_name(call, dir, name, length, false, attr);
}

int nova_rmdir(const struct nova_call *call, struct nova_handle dir, const char *name, size_t length,
               struct nova_attr *attr)
{
	return remove_name(call, dir, name, length, true, attr);
}
