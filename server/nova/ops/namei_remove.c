/*
 * namei_remove.c -- unlink and rmdir.
 */
#include "server/nova/change/inode_free.h"

#include "server/nova/inode/perm.h"
#include "server/nova/ops/namei.h"
#include "server/nova/space/worker.h"

#include <errno.h>

/* May this name go? */
static int may_remove(const struct nova_call *call, const struct nova_inode *dir, const struct nova_inode *child,
                      bool is_rmdir)
{
	int err = perm_remove(call->cred, dir, child);

	if (err)
		return err;
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
	int err;

	txn_start(&txn, call);
	err = txn_name_gone(&txn, txn_log(&txn, dir, true), entry);
	if (!err && last)
		inode_free_begin(&txn, child);
	if (!err && !last)
		err = txn_attr(&txn, txn_log(&txn, child, true), NOVA_ATTR_NLINK,
		               &(struct nova_attr_entry){.nlink = le32_of(child->nlink - 1)});
	if (err) {
		txn_drop(&txn);
		return err;
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
	int err = inode_write(worker, dir_handle, true, &dir);

	if (err)
		return err;
	if (!inode_is(dir, S_IFDIR))
		return -ENOTDIR;
	err = perm_check(call->cred, dir, PERM_EXEC);
	if (err)
		return err;
	entry = inode_find_name(worker->fs, dir, name, length);
	if (!entry)
		return -ENOENT;
	*busy = entry->ino;
	err = inode_try_named(worker, entry->ino, &child);
	if (!err)
		err = may_remove(call, dir, child, is_rmdir);
	if (!err)
		err = remove_locked(call, dir, entry, child);
	if (!err && attr)
		inode_attr(child, attr);
	return err;
}

static int remove_name(const struct nova_call *call, struct nova_handle dir, const char *name, size_t length,
                       bool is_rmdir, struct nova_attr *attr)
{
	int err = namei_check(name, length);

	while (!err) {
		uint64_t busy = 0;

		err = try_remove(call, dir, name, length, is_rmdir, attr, &busy);
		if (err != -EAGAIN)
			return err;
		inode_wait(call->worker, busy);
		err = 0;
	}
	return err;
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
