/*
 * long.c -- operations that take long, which a worker that serves others leaves to another worker.
 *
 * `busy` of an in-core inode counts the workers that hold it for long or are about to. It is raised before they take
 * the lock and lowered after they release it. A worker that may defer does not wait if the lock is taken and the inode
 * is busy. If the in-core inode is evicted in between and reused for another slot, that slot seems busy for a while,
 * which does no harm.
 *
 * A close of a busy inode is left to the worker that occupies it: `closes` counts such closes.
 */
#include "server/nova/long.h"

#include "common/assert.h"
#include "server/nova/change/inode_free.h"
#include "server/nova/inode/inode.h"
#include "server/nova/space/returning.h"

#include <errno.h>

void nova_hurried(struct nova_worker *worker, bool hurried)
{
	worker->hurried = hurried;
}

void nova_may_defer(struct nova_worker *worker, bool may)
{
	worker->may_defer = may;
	if (may)
		worker->reason = NOVA_DEFER_NONE;
}

enum nova_deferral nova_deferred(const struct nova_worker *worker, nova_ino *ino)
{
	ino->n = worker->deferred;
	return worker->reason;
}

void nova_occupy(struct nova_worker *worker, nova_ino ino)
{
	struct nova_inode *inode;
	unsigned i = 0;

	if (incore_find(worker, ino.n, &inode))
		return;
	while (i < NOVA_WORKER_OCCUPIES && worker->occupied[i].inode)
		i++;
	fn_assert(i < NOVA_WORKER_OCCUPIES);
	worker->occupied[i].inode = inode;
	worker->occupied[i].ino = ino.n;
	__atomic_fetch_add(&inode->busy, 1, __ATOMIC_SEQ_CST);
}

/* End `count` pins; the end of the last pin frees an inode that has no name. */
static void unpin(const struct nova_call *call, struct nova_inode *inode, uint32_t count)
{
	fn_assert(inode->pins >= count);
	inode->pins -= count;
	if (count && inode->pins == 0 && inode_nameless(inode))
		inode_free_orphan(call, inode);
}

/*
 * Complete the closes that were left to this worker. Each has a pin, so the inode stays in core until then. If another
 * worker occupies the inode by now, that one completes them.
 */
static void take_closes(struct nova_worker *worker, uint64_t ino)
{
	const struct nova_call call = {.worker = worker};
	struct nova_inode *inode;
	uint32_t closes;

	if (inode_lock(worker, ino, &inode))
		return;
	closes = __atomic_exchange_n(&inode->closes, 0, __ATOMIC_SEQ_CST);
	unpin(&call, inode, closes);
	inode_unlock(inode);
	returning_end(worker->fs, closes);
}

void nova_vacate(struct nova_worker *worker)
{
	for (unsigned i = 0; i < NOVA_WORKER_OCCUPIES; i++) {
		struct nova_inode *inode = worker->occupied[i].inode;

		worker->occupied[i].inode = NULL;
		if (!inode)
			continue;
		__atomic_fetch_sub(&inode->busy, 1, __ATOMIC_SEQ_CST);
		if (__atomic_load_n(&inode->closes, __ATOMIC_SEQ_CST))
			take_closes(worker, worker->occupied[i].ino);
	}
}

void nova_load(struct nova_worker *worker, nova_ino ino)
{
	struct nova_inode *inode;

	nova_occupy(worker, ino);
	if (!inode_lock(worker, ino.n, &inode)) {
		inode_load(worker, inode);
		inode_unlock(inode);
	}
	nova_vacate(worker);
}

/* ---- closes ---------------------------------------------------------------------------------------------------- */

/*
 * Leave the close to the worker that occupies the inode, which looks for closes after it has stopped occupying it. So
 * either that worker sees this close, or this one sees that the inode is not occupied.
 */
static bool leave_close(struct nova *fs, struct nova_inode *inode)
{
	returning_begin(fs);
	__atomic_fetch_add(&inode->closes, 1, __ATOMIC_SEQ_CST);
	return __atomic_load_n(&inode->busy, __ATOMIC_SEQ_CST) > 0;
}

static int close_locked(const struct nova_call *call, struct nova_inode *inode, struct nova_handle file)
{
	int rc;

	/* A pinned inode is loaded. Only a close without an open may read the log. */
	call->worker->may_defer = false;
	rc = inode_check(call->worker, inode, file);
	if (rc)
		return rc;
	if (!inode->pins)
		return -EINVAL;
	unpin(call, inode, 1);
	return 0;
}

/* A close is never refused for taking long: this worker makes it, or the one that occupies the inode. The open's pin
 * has kept the inode in core. */
int nova_close(const struct nova_call *call, struct nova_handle file)
{
	struct nova_worker *worker = call->worker;
	struct nova_inode *inode;
	int rc;

	if (worker->fs->read_only)
		return 0;
	worker->may_defer = worker->hurried;
	rc = inode_lock(worker, file.ino.n, &inode);
	if (!rc) {
		rc = close_locked(call, inode, file);
		inode_unlock(inode);
	} else if (rc == -EBUSY) {
		rc = incore_find(worker, file.ino.n, &inode);
		if (!rc && !leave_close(worker->fs, inode))
			take_closes(worker, file.ino.n);
	}
	worker->may_defer = false;
	return rc;
}

/* ---- space that returns ---------------------------------------------------------------------------------------- */

uint64_t nova_returned(const struct nova_worker *worker)
{
	return __atomic_load_n(&worker->fs->returned, __ATOMIC_SEQ_CST) - worker->dropped;
}

bool nova_space_returns(const struct nova_worker *worker, uint64_t since)
{
	const struct nova *fs = worker->fs;
	uint64_t under_way = __atomic_load_n(&fs->returning, __ATOMIC_SEQ_CST);

	for (uint32_t i = 0; i < __atomic_load_n(&fs->workers_ever, __ATOMIC_RELAXED); i++) {
		const struct nova_worker *other = __atomic_load_n(&fs->workers[i], __ATOMIC_ACQUIRE);

		if (other)
			under_way += __atomic_load_n(&other->takers, __ATOMIC_ACQUIRE);
	}
	return under_way > 0 || nova_returned(worker) != since;
}
