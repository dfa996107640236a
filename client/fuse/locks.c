/*
 * locks.c -- the FUSE operations on locks: refused, because the server has no locks yet.
 *
 * Without these operations the kernel grants locks itself, and may grant the same lock on two mounts. -o locallocks
 * leaves them out for that reason.
 */
#include "client/fuse/mount_state.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/file.h>

static void refuse(fuse_req_t req)
{
	static atomic_flag told = ATOMIC_FLAG_INIT;

	if (!atomic_flag_test_and_set(&told))
		fprintf(
		    stderr,
		    "farnova mount: locks (flock, fcntl) fail with ENOLCK, because other clients would not see them; "
		    "mount with -o locallocks if only programs of this mount lock the files\n");
	fuse_reply_err(req, ENOLCK);
}

static void op_getlk(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *info, struct flock *lock)
{
	refuse(req);
}

static void op_setlk(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *info, struct flock *lock, int sleep)
{
	/* No lock was ever granted, so none is held. */
	if (lock->l_type == F_UNLCK)
		fuse_reply_err(req, 0);
	else
		refuse(req);
}

static void op_flock(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *info, int operation)
{
	if (operation & LOCK_UN)
		fuse_reply_err(req, 0);
	else
		refuse(req);
}

void locks_operations(struct fuse_lowlevel_ops *ops)
{
	ops->getlk = op_getlk;
	ops->setlk = op_setlk;
	ops->flock = op_flock;
}
