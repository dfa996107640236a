/*
 * inode.c -- in-core inodes found, locked and loaded.
 */
#include "server/nova/inode/inode.h"

#include "server/nova/inode/replay.h"
#include "server/nova/space/project.h"
#include "server/nova/space/worker.h"

#include <errno.h>
/* ---- finding -------------------------------------------------------------------------------------------------- */

/* Find and lock. What was found may have been given to another slot before it was locked. */
static int lock_inode(struct nova_worker *worker, uint64_t ino, bool exclusive, struct nova_inode **out)
{
	for (;;) {
		int err = incore_find(worker, ino, out);

		if (err)
			return err;
		if (exclusive)
			pthread_rwlock_wrlock(&(*out)->lock);
		else
			pthread_rwlock_rdlock(&(*out)->lock);
		if ((*out)->ino == ino)
			return 0;
		pthread_rwlock_unlock(&(*out)->lock);
	}
}

/* The same without waiting: -EAGAIN. */
static int try_lock_inode(struct nova_worker *worker, uint64_t ino, struct nova_inode **out)
{
	for (;;) {
		int err = incore_find(worker, ino, out);

		if (err)
			return err;
		if (pthread_rwlock_trywrlock(&(*out)->lock))
			return -EAGAIN;
		if ((*out)->ino == ino)
			return 0;
		pthread_rwlock_unlock(&(*out)->lock);
	}
}

/* ---- loading -------------------------------------------------------------------------------------------------- */

/* Under the exclusive lock. */
static int load(struct nova *fs, struct nova_inode *inode, bool index)
{
	struct slot_runs runs;
	char why[200];
	int err;

	if (!inode->loaded) {
		err = replay_life(fs, inode->ino, &inode->generation, &inode->life, why, sizeof why);
		if (err)
			goto failed;
	}
	if (inode_alive(inode)) {
		err = index ? -EAGAIN : replay_slot(fs, inode, &runs, why, sizeof why);
		if (err == -EAGAIN)
			err = replay_inode(fs, inode, NULL, NULL, why, sizeof why);
		incore_index_changed(fs, inode);
		if (err)
			goto failed;
	} else {
		inode->indexed = true;
	}
	inode->loaded = true;
	return 0;
failed:
	if (err == -EIO)
		log_error(NOVA_LOG_NAME, "%s; run `farnova fsck` on the pool", why);
	return err;
}

static bool is_ready(const struct nova_inode *inode, bool index)
{
	return inode->loaded && (inode->indexed || !index);
}

static int check(struct nova *fs, struct nova_inode *inode, struct nova_handle handle, bool index)
{
	int err;

	if (inode->loaded && (inode->generation != handle.generation || !inode_alive(inode)))
		return -ESTALE;
	if (!is_ready(inode, index)) {
		err = load(fs, inode, index);
		if (err)
			return err;
	}
	if (inode->generation != handle.generation || !inode_alive(inode))
		return -ESTALE;
	return 0;
}

static void touch(struct nova_inode *inode)
{
	if (!__atomic_load_n(&inode->used, __ATOMIC_RELAXED))
		__atomic_store_n(&inode->used, true, __ATOMIC_RELAXED);
}

int inode_read(struct nova_worker *worker, struct nova_handle handle, bool index, struct nova_inode **out)
{
	struct nova_inode *inode;
	int err;

	*out = NULL;
	for (;;) {
		err = lock_inode(worker, handle.ino.n, false, &inode);
		if (err)
			return err;
		if (is_ready(inode, index) || (inode->loaded && inode->generation != handle.generation))
			break;
		pthread_rwlock_unlock(&inode->lock);
		err = lock_inode(worker, handle.ino.n, true, &inode);
		if (err)
			return err;
		err = check(worker->fs, inode, handle, index);
		pthread_rwlock_unlock(&inode->lock);
		if (err)
			return err;
	}
	if (inode->generation != handle.generation || !inode_alive(inode)) {
		pthread_rwlock_unlock(&inode->lock);
		return -ESTALE;
	}
	touch(inode);
	*out = inode;
	return 0;
}

int inode_write(struct nova_worker *worker, struct nova_handle handle, bool index, struct nova_inode **out)
{
	struct nova_inode *inode;
	int err;

	*out = NULL;
	if (worker->fs->read_only)
		return -EROFS;
	err = lock_inode(worker, handle.ino.n, true, &inode);
	if (err)
		return err;
	err = check(worker->fs, inode, handle, index);
	if (err) {
		pthread_rwlock_unlock(&inode->lock);
		return err;
	}
	touch(inode);
	*out = inode;
	return 0;
}

void inode_unlock(struct nova_inode *inode)
{
	project_recharge(&inode->space);
	pthread_rwlock_unlock(&inode->lock);
}

/* Lock without waiting, and check; -EAGAIN if it is busy. */
static int try_write(struct nova_worker *worker, struct nova_handle handle, struct nova_inode **out)
{
	struct nova_inode *inode;
	int err;

	*out = NULL;
	err = try_lock_inode(worker, handle.ino.n, &inode);
	if (err)
		return err;
	err = check(worker->fs, inode, handle, true);
	if (err) {
		pthread_rwlock_unlock(&inode->lock);
		return err;
	}
	touch(inode);
	*out = inode;
	return 0;
}

/* Wait for one, try the other; if that is busy, wait for it next time: nobody waits while he holds one. */
int inode_write_two(struct nova_worker *worker, struct nova_handle a, struct nova_handle b, struct nova_inode **out_a,
                    struct nova_inode **out_b)
{
	bool b_first = false;
	int err;

	*out_a = *out_b = NULL;
	if (a.ino.n == b.ino.n) {
		if (a.generation != b.generation)
			return -ESTALE;
		err = inode_write(worker, a, true, out_a);
		*out_b = *out_a;
		return err;
	}
	for (;; b_first = !b_first) {
		struct nova_inode **first = b_first ? out_b : out_a;
		struct nova_inode **second = b_first ? out_a : out_b;

		err = inode_write(worker, b_first ? b : a, true, first);
		if (err)
			return err;
		err = try_write(worker, b_first ? a : b, second);
		if (!err)
			return 0;
		inode_unlock(*first);
		*first = NULL;
		if (err != -EAGAIN)
			return err;
	}
}

int inode_try_named(struct nova_worker *worker, uint64_t ino, struct nova_inode **out)
{
	struct nova_inode *inode;
	int err;

	*out = NULL;
	err = try_lock_inode(worker, ino, &inode);
	if (err)
		return err == -ESTALE ? -EIO : err;
	if (!is_ready(inode, true))
		err = load(worker->fs, inode, true);
	if (!err && inode->life != NOVA_LIFE_ALLOCATED)
		err = -EIO;
	if (err) {
		pthread_rwlock_unlock(&inode->lock);
		return err;
	}
	touch(inode);
	*out = inode;
	return 0;
}

void inode_wait(struct nova_worker *worker, uint64_t ino)
{
	struct nova_inode *inode;

	if (!lock_inode(worker, ino, true, &inode))
		pthread_rwlock_unlock(&inode->lock);
}

int inode_lock_free(struct nova_worker *worker, uint64_t ino, struct nova_inode **out)
{
	int err;

	/* Whoever still has a free inode's lock only looks at what it says, or is about to let go of it. */
	while ((err = try_lock_inode(worker, ino, out)) == -EAGAIN)
		sched_yield();
	return err;
}

/* ---- attributes ----------------------------------------------------------------------------------------------- */

void inode_attr(const struct nova_inode *inode, struct nova_attr *attr)
{
	bool is_dir = inode_is(inode, S_IFDIR);

	*attr = (struct nova_attr){
	    .handle = {{inode->ino}, inode->generation},
	    .mode = (uint32_t)inode->type << 12 | inode->mode,
	    .nlink = inode->life != NOVA_LIFE_ALLOCATED ? 0
	             : is_dir                           ? 2 + inode->subdirs
	                                                : inode->nlink,
	    .uid = inode->uid,
	    .gid = inode->gid,
	    .rdev = inode->rdev,
	    .flags = inode->flags,
	    .project = inode->project,
	    .has_xattrs = inode->has_xattrs,
	    .size = inode->size,
	    .blocks = inode->space.blocks,
	    .atime_ns = inode->atime_ns,
	    .mtime_ns = inode->mtime_ns,
	    .ctime_ns = inode->ctime_ns,
	    .btime_ns = inode->btime_ns,
	    .change = inode->log.tail,
	};
}

int inode_look(struct nova_worker *worker, struct nova_handle handle, struct nova_attr *attr)
{
	CLEANUP_UNLOCK struct nova_inode *inode = NULL;
	int err;

	/*
	 * Cold before and after: whoever changed it in between has made it warm, changed its words and let it go cold
	 * again, and by that replay_peek has seen it.
	 */
	if (incore_pass_by(worker, handle.ino.n)) {
		struct nova_inode cold = {.ino = handle.ino.n, .generation = handle.generation};

		if (!replay_peek(worker->fs, &cold) && incore_cold(worker->fs, handle.ino.n)) {
			inode_attr(&cold, attr);
			return 0;
		}
	}
	err = inode_read(worker, handle, false, &inode);
	if (!err)
		inode_attr(inode, attr);
	return err;
}

struct dir_entry *inode_find_name(const struct nova *fs, const struct nova_inode *dir, const char *name, size_t length)
{
	return dir_index_find(&dir->dir, fs->pm->base, dir_index_hash(fs->hash_seed, name, length), name, length);
}

void inode_append_start(struct log_append *append, struct nova_inode *inode, const struct nova_request *request,
                        bool privileged)
{
	const struct log_owner owner = {
	    .ino = inode->ino, .generation = inode->generation, .life = (enum nova_life)inode->life};

	log_append_start(append, &inode->log, &owner, request, privileged);
}
