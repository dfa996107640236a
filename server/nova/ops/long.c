/*
 * long.c -- operations that take long: what a worker that serves others leaves to another, and what that one does.
 *
 * `busy` of an in-core inode counts the workers that hold it for long or are about to. It is raised before the lock is
 * asked for and lowered after it is released. Whoever may defer and finds the lock taken and the inode busy does not
 * wait. An in-core inode that is evicted in between, and comes to belong to another slot, is busy without a reason for
 * a while, which does no harm.
 *
 * A close of a busy inode is left to who occupies it: `closes` counts them.
 */
#include "server/nova/long.h"

#include "common/assert.h"
#include "server/nova/change/inode_free.h"
#include "server/nova/inode/inode.h"
#include "server/nova/space/worker.h"

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

/* So many pins end; the last one of an inode without a name frees it. */
static void unpin(const struct nova_call *call, struct nova_inode *inode, uint32_t count)
{
	fn_assert(inode->pins >= count);
	inode->pins -= count;
	if (count && inode->pins == 0 && inode_nameless(inode))
		inode_free_orphan(call, inode);
}

/*
 * Make the closes that were left to who occupied the inode. Each has a pin, so until they are made the inode stays in
 * core. Where another worker occupies it by now, that one makes them.
 */
static void take_closes(struct nova_worker *worker, uint64_t ino)
{
	const struct nova_call call = {.worker = worker};
	struct nova_inode *inode;

	if (inode_lock(worker, ino, &inode))
		return;
	unpin(&call, inode, __atomic_exchange_n(&inode->closes, 0, __ATOMIC_SEQ_CST));
	inode_unlock(inode);
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
 * Leave the close to the worker that occupies the inode, which looks for closes once it does not any more. Either that
 * worker sees this close, or this one sees that the inode is not occupied.
 */
static bool leave_close(struct nova_inode *inode)
{
	__atomic_fetch_add(&inode->closes, 1, __ATOMIC_SEQ_CST);
	return __atomic_load_n(&inode->busy, __ATOMIC_SEQ_CST) > 0;
}

static int close_locked(const struct nova_call *call, struct nova_inode *inode, struct nova_handle file)
{
	if (!inode->pins || inode->generation != file.generation || !inode_alive(inode))
		return -EINVAL;
	unpin(call, inode, 1);
	return 0;
}

/* What has been opened is closed, whatever it takes. Its pin has kept it in core. */
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
		if (!rc && !leave_close(inode))
			take_closes(worker, file.ino.n);
	}
	worker->may_defer = false;
	return rc;
}
