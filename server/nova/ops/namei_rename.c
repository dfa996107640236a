/*
 * namei_rename.c -- rename, with replacement, NOREPLACE and EXCHANGE.
 *
 * Up to four inodes change in one commit: both directories, the moved inode, and the replaced one (or the one that
 * moves the other way). The directories are locked in order; the others are locked by trylock. If one is locked, unlock
 * everything, wait for it and start over. To move a directory to another parent needs the rename lock: under it no
 * parent changes, so the new place can be checked.
 */
#include "server/nova/change/inode_free.h"

#include "server/nova/inode/perm.h"
#include "server/nova/ops/namei.h"
#include "server/nova/space/worker.h"

#include <errno.h>

struct rename {
	const struct nova_call *call;
	struct nova_handle from_handle;
	struct nova_handle to_handle;
	const char *from;
	size_t from_length;
	const char *to;
	size_t to_length;
	unsigned flags;
	bool have_rename_lock;
	/* Of one attempt: */
	struct nova_inode *from_dir;
	struct nova_inode *to_dir;
	struct nova_inode *moved;
	struct nova_inode *victim;
	struct dir_entry *source;
	struct dir_entry *target;
	uint64_t busy;
};

#define NEED_RENAME_LOCK 1 /* an attempt found that it needs the lock that it does not have */
#define SAME_INODE       2 /* both names refer to one inode: nothing to do */

/*
 * 1 if `ino` is the directory `dir` or one of its ancestors, else 0. The caller has the rename lock, so parents do not
 * change. Each ancestor is read under its lock, taken by trylock.
 */
static int is_above(struct rename *r, uint64_t ino, const struct nova_inode *dir)
{
	uint64_t root = r->call->worker->fs->root.ino.n;
	uint64_t at = dir->ino;

	while (at != ino && at != root) {
		struct nova_inode *inode;
		int rc;

		if (at == r->from_dir->ino || at == r->to_dir->ino) {
			at = at == r->from_dir->ino ? r->from_dir->parent : r->to_dir->parent;
			continue;
		}
		r->busy = at;
		rc = inode_try_named(r->call->worker, at, &inode);
		if (rc)
			return rc;
		at = inode->parent;
		inode_unlock(inode);
	}
	return at == ino;
}

static int find_names(struct rename *r)
{
	struct nova *fs = r->call->worker->fs;
	int rc = namei_room(fs, r->to_dir, 1);

	if (rc)
		return rc;
	r->source = inode_find_name(fs, r->from_dir, r->from, r->from_length);
	r->target = inode_find_name(fs, r->to_dir, r->to, r->to_length);
	if (!r->source || (!r->target && r->flags & NOVA_RENAME_EXCHANGE))
		return -ENOENT;
	if (r->target && r->flags & NOVA_RENAME_NOREPLACE)
		return -EEXIST;
	if (r->target && r->target->ino == r->source->ino)
		return SAME_INODE;
	return 0;
}

static bool entry_is_dir(const struct dir_entry *entry)
{
	return entry && entry->type == S_IFDIR >> 12;
}

/* A directory must not move into itself or its descendants, nor replace one of its ancestors. */
static int check_places(struct rename *r)
{
	int above = 0;

	if (r->from_dir == r->to_dir || (!entry_is_dir(r->source) && !entry_is_dir(r->target)))
		return 0;
	if (!r->have_rename_lock)
		return NEED_RENAME_LOCK;
	if (entry_is_dir(r->source))
		above = is_above(r, r->source->ino, r->to_dir);
	if (above)
		return above < 0 ? above : -EINVAL;
	if (entry_is_dir(r->target))
		above = is_above(r, r->target->ino, r->from_dir);
	if (above)
		return above < 0 ? above : r->flags & NOVA_RENAME_EXCHANGE ? -EINVAL : -ENOTEMPTY;
	return 0;
}

/* A directory that changes its parent is written to: its ".." changes. */
static int may_move(const struct rename *r, const struct nova_inode *inode, const struct nova_inode *from,
                    const struct nova_inode *to)
{
	int rc = perm_remove(r->call->cred, from, inode);

	if (!rc && from != to && inode_is(inode, S_IFDIR))
		rc = perm_check(r->call->cred, inode, PERM_WRITE);
	return rc;
}

/* A replaced inode must be of the same kind as the moved one (directory or not); a directory must be empty. */
static int may_replace(const struct rename *r)
{
	int rc = perm_remove(r->call->cred, r->to_dir, r->victim);

	if (rc)
		return rc;
	if (inode_is(r->victim, S_IFDIR) && !inode_is(r->moved, S_IFDIR))
		return -EISDIR;
	if (!inode_is(r->victim, S_IFDIR) && inode_is(r->moved, S_IFDIR))
		return -ENOTDIR;
	return r->victim->dir.live ? -ENOTEMPTY : 0;
}

/* Projects come last: a caller that gets EXDEV copies and removes instead, so those must be permitted. */
static int check_rules(const struct rename *r)
{
	bool exchange = r->victim && r->flags & NOVA_RENAME_EXCHANGE;
	int rc = may_move(r, r->moved, r->from_dir, r->to_dir);

	if (!rc)
		rc = namei_may_add(r->call, r->to_dir);
	if (!rc && exchange)
		rc = may_move(r, r->victim, r->to_dir, r->from_dir);
	if (!rc && exchange)
		rc = namei_may_add(r->call, r->from_dir);
	if (!rc && r->victim && !exchange)
		rc = may_replace(r);
	if (!rc)
		rc = namei_same_project(r->moved, r->to_dir);
	if (!rc && exchange)
		rc = namei_same_project(r->victim, r->from_dir);
	return rc;
}

/* The moved inode's own log: its new parent, or only its ctime. */
static int append_moved(struct txn *txn, struct nova_inode *inode, const struct nova_inode *from,
                        const struct nova_inode *to)
{
	struct log_append *log = txn_log(txn, inode, ALLOC_REPLACES);
	struct entry_buffer buffer;
	struct nova_entry *entry;

	if (!inode_is(inode, S_IFDIR) || from == to)
		return txn_attr(txn, log, 0, NULL);
	entry = entry_start(&buffer, NOVA_ENTRY_PARENT);
	ENTRY_PAYLOAD(nova_parent_entry, entry)->parent = le64_of(to->ino);
	ENTRY_PAYLOAD(nova_parent_entry, entry)->time_ns = le64_of((uint64_t)txn->now);
	return txn_entry(txn, log, entry, NULL, NULL);
}

static void show_moved(const struct txn *txn, struct nova_inode *inode, const struct nova_inode *to)
{
	inode->ctime_ns = txn->now;
	if (inode_is(inode, S_IFDIR))
		__atomic_store_n(&inode->parent, to->ino, __ATOMIC_RELAXED);
}

static bool victim_dies(const struct rename *r)
{
	return r->victim && !(r->flags & NOVA_RENAME_EXCHANGE) &&
	       (inode_is(r->victim, S_IFDIR) || r->victim->nlink <= 1);
}

static int append_victim(struct rename *r, struct txn *txn)
{
	if (!r->victim)
		return 0;
	if (r->flags & NOVA_RENAME_EXCHANGE)
		return append_moved(txn, r->victim, r->to_dir, r->from_dir);
	if (victim_dies(r)) {
		inode_free_begin(txn, r->victim);
		return 0;
	}
	return txn_attr(txn, txn_log(txn, r->victim, ALLOC_REPLACES), NOVA_ATTR_NLINK,
	                &(struct nova_attr_entry){.nlink = le32_of(r->victim->nlink - 1)});
}

static void show_victim(struct rename *r, struct txn *txn)
{
	if (!r->victim)
		return;
	if (r->flags & NOVA_RENAME_EXCHANGE) {
		show_moved(txn, r->victim, r->from_dir);
	} else if (victim_dies(r)) {
		inode_free_done(txn, r->victim);
	} else {
		r->victim->nlink--;
		r->victim->ctime_ns = txn->now;
	}
}

static int commit_rename(struct rename *r)
{
	bool exchange = r->flags & NOVA_RENAME_EXCHANGE;
	struct dir_entry added;
	struct dir_entry back;
	struct txn txn;
	int rc;

	txn_start(&txn, r->call);
	txn_effect(&txn, victim_dies(r), 0);
	if (exchange)
		rc = txn_name(&txn, txn_log(&txn, r->from_dir, ALLOC_REPLACES), r->from, r->from_length, r->victim->ino,
		              r->victim->type, r->source, &back);
	else
		rc = txn_name_gone(&txn, txn_log(&txn, r->from_dir, ALLOC_REPLACES), r->source);
	if (!rc)
		rc = txn_name(&txn, txn_log(&txn, r->to_dir, ALLOC_REPLACES), r->to, r->to_length, r->moved->ino,
		              r->moved->type, r->target, &added);
	if (!rc)
		rc = append_moved(&txn, r->moved, r->from_dir, r->to_dir);
	if (!rc)
		rc = append_victim(r, &txn);
	if (rc) {
		txn_drop(&txn);
		return rc;
	}
	txn_commit(&txn);
	if (exchange)
		namei_replaced(&txn, r->from_dir, r->source, &back);
	else
		namei_removed(&txn, r->from_dir, r->source);
	if (r->target)
		namei_replaced(&txn, r->to_dir, r->target, &added);
	else
		namei_added(&txn, r->to_dir, &added);
	show_moved(&txn, r->moved, r->to_dir);
	show_victim(r, &txn);
	return 0;
}

static int rename_locked(struct rename *r)
{
	struct nova_worker *worker = r->call->worker;
	int rc;

	if (!inode_is(r->from_dir, S_IFDIR) || !inode_is(r->to_dir, S_IFDIR))
		return -ENOTDIR;
	rc = perm_check(r->call->cred, r->from_dir, PERM_EXEC);
	if (!rc)
		rc = perm_check(r->call->cred, r->to_dir, PERM_EXEC);
	if (!rc)
		rc = find_names(r);
	if (!rc)
		rc = check_places(r);
	if (rc)
		return rc;
	r->busy = r->source->ino;
	rc = inode_try_named(worker, r->source->ino, &r->moved);
	if (!rc && r->target) {
		r->busy = r->target->ino;
		rc = inode_try_named(worker, r->target->ino, &r->victim);
	}
	if (!rc)
		rc = check_rules(r);
	return rc ? rc : commit_rename(r);
}

static int attempt(struct rename *r, struct nova_attr *replaced)
{
	int rc = inode_write_two(r->call->worker, r->from_handle, r->to_handle, &r->from_dir, &r->to_dir);

	if (rc)
		return rc;
	r->moved = r->victim = NULL;
	rc = rename_locked(r);
	if (!rc && replaced && r->victim && !(r->flags & NOVA_RENAME_EXCHANGE))
		inode_attr(r->victim, replaced);
	if (r->victim)
		inode_unlock(r->victim);
	if (r->moved)
		inode_unlock(r->moved);
	inode_unlock(r->from_dir);
	if (r->to_dir != r->from_dir)
		inode_unlock(r->to_dir);
	return rc;
}

int nova_rename(const struct nova_call *call, struct nova_handle from_dir, const char *from, size_t from_length,
                struct nova_handle to_dir, const char *to, size_t to_length, unsigned flags, struct nova_attr *replaced)
{
	struct rename r = {
	    .call = call,
	    .from_handle = from_dir,
	    .to_handle = to_dir,
	    .from = from,
	    .from_length = from_length,
	    .to = to,
	    .to_length = to_length,
	    .flags = flags,
	};
	struct nova *fs = call->worker->fs;
	int rc = namei_check(from, from_length);

	if (!rc)
		rc = namei_check(to, to_length);
	if (!rc && (flags & ~(NOVA_RENAME_NOREPLACE | NOVA_RENAME_EXCHANGE) ||
	            flags == (NOVA_RENAME_NOREPLACE | NOVA_RENAME_EXCHANGE)))
		rc = -EINVAL;
	if (rc)
		return rc;
	if (replaced)
		*replaced = (struct nova_attr){0};
	do {
		rc = attempt(&r, replaced);
		if (rc == NEED_RENAME_LOCK) {
			pthread_mutex_lock(&fs->rename_lock);
			r.have_rename_lock = true;
		} else if (rc == -EAGAIN) {
			inode_wait(call->worker, r.busy);
		}
	} while (rc == NEED_RENAME_LOCK || rc == -EAGAIN);
	if (r.have_rename_lock)
		pthread_mutex_unlock(&fs->rename_lock);
	return rc == SAME_INODE ? 0 : rc;
}
