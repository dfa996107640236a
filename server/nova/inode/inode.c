/*
 * inode.c -- finds, locks and loads in-core inodes.
 */
#include "server/nova/inode/inode.h"

#include "common/assert.h"
#include "server/nova/inode/replay.h"
#include "server/nova/space/project.h"
#include "server/nova/space/worker.h"

#include <errno.h>

#define LONG_LOG_LINES 4096u   /* take about a millisecond to read */
#define LONG_NS        200000u /* of other operations */

/* ---- finding -------------------------------------------------------------------------------------------------- */

static int defer(struct nova_worker *worker, uint64_t ino, enum nova_deferral reason)
{
	worker->deferred = ino;
	worker->reason = reason;
	return -EBUSY;
}

int inode_defer_long(struct nova_worker *worker, const struct nova_inode *inode, uint64_t cost_ns)
{
	return worker->may_defer && cost_ns > LONG_NS ? defer(worker, inode->ino, NOVA_DEFER_LONG) : 0;
}

bool inode_costs_much(uint64_t cost_ns)
{
	return cost_ns > LONG_NS;
}

/* If the trylock fails and another worker holds the inode for long, a worker that may defer does not wait. */
static bool is_busy(const struct nova_worker *worker, const struct nova_inode *inode)
{
	return worker->may_defer && __atomic_load_n(&inode->busy, __ATOMIC_SEQ_CST);
}

static int lock(const struct nova_worker *worker, struct nova_inode *inode, bool exclusive)
{
	if (worker->may_defer) {
		if (!(exclusive ? pthread_rwlock_trywrlock(&inode->lock) : pthread_rwlock_tryrdlock(&inode->lock)))
			return 0;
		if (is_busy(worker, inode))
			return -EBUSY;
	}
	if (exclusive)
		pthread_rwlock_wrlock(&inode->lock);
	else
		pthread_rwlock_rdlock(&inode->lock);
	return 0;
}

/* Find and lock. The in-core inode may have come to belong to another slot before it was locked. */
static int lock_inode(struct nova_worker *worker, uint64_t ino, bool exclusive, struct nova_inode **out)
{
	for (;;) {
		int rc = incore_find(worker, ino, out);

		if (rc)
			return rc;
		if (lock(worker, *out, exclusive))
			return defer(worker, ino, NOVA_DEFER_BUSY);
		if ((*out)->ino == ino)
			return 0;
		pthread_rwlock_unlock(&(*out)->lock);
	}
}

/* The same without waiting: -EAGAIN. */
static int try_lock_inode(struct nova_worker *worker, uint64_t ino, struct nova_inode **out)
{
	for (;;) {
		int rc = incore_find(worker, ino, out);

		if (rc)
			return rc;
		if (pthread_rwlock_trywrlock(&(*out)->lock))
			return is_busy(worker, *out) ? defer(worker, ino, NOVA_DEFER_BUSY) : -EAGAIN;
		if ((*out)->ino == ino)
			return 0;
		pthread_rwlock_unlock(&(*out)->lock);
	}
}

/* ---- loading -------------------------------------------------------------------------------------------------- */

static int read_log(struct nova *fs, struct nova_inode *inode, bool index, char *why, size_t why_size)
{
	struct slot_runs runs;
	int rc;

	if (!inode->loaded) {
		rc = replay_life(fs, inode->ino, &inode->generation, &inode->life, why, why_size);
		if (rc)
			return rc;
	}
	if (inode_alive(inode)) {
		rc = index ? -EAGAIN : replay_slot(fs, inode, &runs, why, why_size);
		if (rc == -EAGAIN)
			rc = replay_inode(fs, inode, NULL, NULL, why, why_size);
		incore_index_changed(fs, inode);
		if (rc)
			return rc;
	} else {
		inode->indexed = true;
	}
	inode->loaded = true;
	return 0;
}

/* Under the exclusive lock. */
static int load(struct nova_worker *worker, struct nova_inode *inode, bool index)
{
	char why[200];
	int rc;

	if (worker->may_defer && replay_lines(worker->fs, inode->ino) > LONG_LOG_LINES)
		return defer(worker, inode->ino, NOVA_DEFER_LOAD);
	rc = read_log(worker->fs, inode, index, why, sizeof why);
	if (rc == -EIO)
		log_error_limited(NOVA_LOG_NAME, "%s; run `farnova fsck` on the pool", why);
	return rc;
}

static bool is_ready(const struct nova_inode *inode, bool index)
{
	return inode->loaded && (inode->indexed || !index);
}

static int check(struct nova_worker *worker, struct nova_inode *inode, struct nova_handle handle, bool index)
{
	int rc;

	if (inode->loaded && (inode->generation != handle.generation || !inode_alive(inode)))
		return -ESTALE;
	if (!is_ready(inode, index)) {
		rc = load(worker, inode, index);
		if (rc)
			return rc;
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
	int rc;

	*out = NULL;
	for (;;) {
		rc = lock_inode(worker, handle.ino.n, false, &inode);
		if (rc)
			return rc;
		if (is_ready(inode, index) || (inode->loaded && inode->generation != handle.generation))
			break;
		pthread_rwlock_unlock(&inode->lock);
		rc = lock_inode(worker, handle.ino.n, true, &inode);
		if (rc)
			return rc;
		rc = check(worker, inode, handle, index);
		pthread_rwlock_unlock(&inode->lock);
		if (rc)
			return rc;
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
	int rc;

	*out = NULL;
	if (worker->fs->read_only)
		return -EROFS;
	rc = lock_inode(worker, handle.ino.n, true, &inode);
	if (rc)
		return rc;
	rc = check(worker, inode, handle, index);
	if (rc) {
		pthread_rwlock_unlock(&inode->lock);
		return rc;
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

/* Lock without waiting, and check; -EAGAIN if the inode is locked. */
static int try_write(struct nova_worker *worker, struct nova_handle handle, struct nova_inode **out)
{
	struct nova_inode *inode;
	int rc;

	*out = NULL;
	rc = try_lock_inode(worker, handle.ino.n, &inode);
	if (rc)
		return rc;
	rc = check(worker, inode, handle, true);
	if (rc) {
		pthread_rwlock_unlock(&inode->lock);
		return rc;
	}
	touch(inode);
	*out = inode;
	return 0;
}

/* Wait for one and try the other; if that is locked, wait for it next time. So no thread waits while it holds one. */
int inode_write_two(struct nova_worker *worker, struct nova_handle a, struct nova_handle b, struct nova_inode **out_a,
                    struct nova_inode **out_b)
{
	bool b_first = false;
	int rc;

	*out_a = *out_b = NULL;
	if (a.ino.n == b.ino.n) {
		if (a.generation != b.generation)
			return -ESTALE;
		rc = inode_write(worker, a, true, out_a);
		*out_b = *out_a;
		return rc;
	}
	for (;; b_first = !b_first) {
		struct nova_inode **first = b_first ? out_b : out_a;
		struct nova_inode **second = b_first ? out_a : out_b;

		rc = inode_write(worker, b_first ? b : a, true, first);
		if (rc)
			return rc;
		rc = try_write(worker, b_first ? a : b, second);
		if (!rc)
			return 0;
		inode_unlock(*first);
		*first = NULL;
		if (rc != -EAGAIN)
			return rc;
	}
}

int inode_try_named(struct nova_worker *worker, uint64_t ino, struct nova_inode **out)
{
	struct nova_inode *inode;
	int rc;

	*out = NULL;
	rc = try_lock_inode(worker, ino, &inode);
	if (rc)
		return rc == -ESTALE ? -EIO : rc;
	if (!is_ready(inode, true))
		rc = load(worker, inode, true);
	if (!rc && inode->life != NOVA_LIFE_ALLOCATED)
		rc = -EIO;
	if (rc) {
		pthread_rwlock_unlock(&inode->lock);
		return rc;
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
	int rc;

	/* A thread that still has the lock of a free inode only reads the inode, or is about to unlock it. */
	while ((rc = try_lock_inode(worker, ino, out)) == -EAGAIN)
		sched_yield();
	return rc;
}

int inode_load(struct nova_worker *worker, struct nova_inode *inode)
{
	return is_ready(inode, true) ? 0 : load(worker, inode, true);
}

int inode_lock(struct nova_worker *worker, uint64_t ino, struct nova_inode **out)
{
	int rc = lock_inode(worker, ino, true, out);

	if (!rc)
		touch(*out);
	return rc;
}

int inode_check(struct nova_worker *worker, struct nova_inode *inode, struct nova_handle handle)
{
	return check(worker, inode, handle, false);
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
	int rc;

	/*
	 * Cold before and after: a change in between would have loaded the inode, changed its slot words and evicted it
	 * again, and replay_peek would have noticed the changed words.
	 */
	if (incore_pass_by(worker, handle.ino.n)) {
		struct nova_inode cold = {.ino = handle.ino.n, .generation = handle.generation};

		if (!replay_peek(worker->fs, &cold) && incore_cold(worker->fs, handle.ino.n)) {
			inode_attr(&cold, attr);
			return 0;
		}
	}
	rc = inode_read(worker, handle, false, &inode);
	if (!rc)
		inode_attr(inode, attr);
	return rc;
}

struct dir_entry *inode_find_name(const struct nova *fs, const struct nova_inode *dir, const char *name, size_t length)
{
	return dir_index_find(&dir->dir, fs->pm->base, dir_index_hash(fs->hash_seed, name, length), name, length);
}

void inode_append_start(struct log_append *append, struct nova_inode *inode, enum alloc_use use)
{
	const struct log_owner owner = {
	    .ino = inode->ino, .generation = inode->generation, .life = (enum nova_life)inode->life};

	fn_assert(inode_write_locked(inode));
	log_append_start(append, &inode->log, &owner, use);
}
