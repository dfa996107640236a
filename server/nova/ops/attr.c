/*
 * attr.c -- attributes: getattr, access, setattr with truncation.
 *
 * Reads change nothing here; a caller that wants access times calls nova_accessed (atime.c).
 */
#include "server/nova/change/txn.h"

#include "server/nova/inode/inode.h"
#include "server/nova/inode/perm.h"
#include "server/nova/ops/xattr.h"
#include "server/nova/space/alloc.h"
#include "server/nova/space/project.h"
#include "server/nova/space/release.h"
#include "server/nova/space/worker.h"

#include <errno.h>
#include <string.h>

#define SET_TIMES (NOVA_SET_ATIME | NOVA_SET_MTIME | NOVA_SET_ATIME_NOW | NOVA_SET_MTIME_NOW)
#define SET_ALL                                                                                                        \
	(NOVA_SET_MODE | NOVA_SET_UID | NOVA_SET_GID | NOVA_SET_SIZE | NOVA_SET_FLAGS | SET_TIMES | NOVA_SET_PROJECT)

static_assert(NOVA_FILE_IMMUTABLE == NOVA_FLAG_IMMUTABLE && NOVA_FILE_APPEND == NOVA_FLAG_APPEND &&
                  NOVA_FILE_PROJECT_INHERIT == NOVA_FLAG_PROJECT_INHERIT,
              "the medium's flags are the interface's");

int nova_getattr(const struct nova_call *call, struct nova_handle file, struct nova_attr *attr)
{
	return inode_look(call->worker, file, attr);
}

int nova_access(const struct nova_call *call, struct nova_handle file, int mask)
{
	CLEANUP_UNLOCK struct nova_inode *inode = NULL;
	int rc = inode_read(call->worker, file, false, &inode);

	return rc ? rc : perm_check(call->cred, inode, (unsigned)mask & 7);
}

/* ---- setattr -------------------------------------------------------------------------------------------------- */

/* The planned change of an inode. */
struct change {
	uint16_t mode;
	uint32_t uid;
	uint32_t gid;
	uint64_t size;
	int64_t atime_ns;
	int64_t mtime_ns;
	uint32_t flags;
	uint32_t project;
	struct project *quota;
	uint64_t tail_block; /* private copy of the block in which the file will end, 0 = none is needed */
	bool sized;
	bool unprivileged; /* the inode loses its capabilities */
};

static int may_chown(const struct nova_cred *cred, const struct nova_inode *inode, unsigned mask,
                     const struct nova_attr *in)
{
	if (cred_super(cred) || !(mask & (NOVA_SET_UID | NOVA_SET_GID)))
		return 0;
	if (cred->uid != inode->uid)
		return -EPERM;
	if (mask & NOVA_SET_UID && in->uid != inode->uid)
		return -EPERM;
	if (mask & NOVA_SET_GID && in->gid != inode->gid && !cred_in_group(cred, in->gid))
		return -EPERM;
	return 0;
}

/* A caller with write access may set both times to now, and a change of size sets a time. To set one time alone to now
 * needs the same rights as to set it to a given time (utimensat(2)). */
static bool needs_owner_for_times(unsigned mask)
{
	bool both = mask & NOVA_SET_ATIME_NOW && mask & NOVA_SET_MTIME_NOW;

	if (mask & NOVA_SET_SIZE)
		return mask & (NOVA_SET_ATIME | NOVA_SET_MTIME) || (mask & NOVA_SET_ATIME_NOW && !both);
	return mask & (NOVA_SET_ATIME | NOVA_SET_MTIME) || (mask & SET_TIMES && !both);
}

static int may_set_times(const struct nova_cred *cred, const struct nova_inode *inode, unsigned mask)
{
	if (!(mask & SET_TIMES) || !perm_owner(cred, inode))
		return 0;
	return needs_owner_for_times(mask) ? -EPERM : perm_check(cred, inode, PERM_WRITE);
}

static int may_resize(const struct nova_call *call, const struct nova_inode *inode, unsigned mask,
                      const struct nova_attr *in)
{
	if (!(mask & NOVA_SET_SIZE))
		return 0;
	if (inode_is(inode, S_IFDIR))
		return -EISDIR;
	if (!inode_is(inode, S_IFREG))
		return -EINVAL;
	if (in->size > NOVA_FILE_SIZE_MAX)
		return -EFBIG;
	return call->opened ? 0 : perm_check(call->cred, inode, PERM_WRITE);
}

/* The flags apply to everyone; the old flags count, not those that the change sets. */
static int flags_allow(const struct nova_inode *inode, unsigned mask, bool as_write)
{
	const unsigned kept = (as_write ? 0 : NOVA_SET_MODE) | NOVA_SET_UID | NOVA_SET_GID | NOVA_SET_PROJECT;
	int rc = mask & kept || needs_owner_for_times(mask) ? perm_flags_kept(inode) : 0;

	if (!rc && as_write)
		rc = perm_flags(inode, true);
	if (!rc && mask & NOVA_SET_SIZE)
		rc = perm_flags(inode, false);
	if (!rc && mask & (NOVA_SET_ATIME_NOW | NOVA_SET_MTIME_NOW))
		rc = perm_flags(inode, true);
	return rc;
}

static int may_set_flags(const struct nova_cred *cred, const struct nova_inode *inode, unsigned mask,
                         const struct nova_attr *in)
{
	/* Only the superuser may choose whose limits an inode counts to. */
	if (mask & NOVA_SET_PROJECT && !cred_super(cred))
		return -EPERM;
	if (!(mask & NOVA_SET_FLAGS))
		return 0;
	if (in->flags & NOVA_FLAG_PROJECT_INHERIT && !inode_is(inode, S_IFDIR))
		return -EOPNOTSUPP;
	if (!inode_is(inode, S_IFREG) && !inode_is(inode, S_IFDIR))
		return -EOPNOTSUPP;
	if (in->flags & ~NOVA_FLAGS_KNOWN)
		return -EOPNOTSUPP;
	if ((in->flags ^ inode->flags) & NOVA_FLAGS_KNOWN && !cred_super(cred))
		return -EPERM;
	return perm_owner(cred, inode);
}

/* A caller with write access may clear what a write clears. */
static bool sets_mode_as_write(const struct nova_call *call, const struct nova_inode *inode, unsigned mask,
                               const struct nova_attr *in)
{
	return mask & NOVA_SET_MODE && perm_only_takes_set_ids(call->cred, inode, in->mode & 07777) &&
	       (call->opened || perm_check(call->cred, inode, PERM_WRITE) == 0);
}

static int may_set(const struct nova_call *call, const struct nova_inode *inode, unsigned mask,
                   const struct nova_attr *in)
{
	bool as_write = sets_mode_as_write(call, inode, mask, in);
	int rc = flags_allow(inode, mask, as_write);

	if (!rc)
		rc = may_set_flags(call->cred, inode, mask, in);
	if (!rc)
		rc = may_chown(call->cred, inode, mask, in);
	if (!rc && mask & NOVA_SET_MODE && !as_write)
		rc = perm_owner(call->cred, inode);
	if (!rc && mask & NOVA_SET_MODE && inode_is(inode, S_IFLNK))
		rc = -EOPNOTSUPP;
	if (!rc)
		rc = may_set_times(call->cred, inode, mask);
	if (!rc)
		rc = may_resize(call, inode, mask, in);
	if (!rc)
		rc = may_set_flags(call->cred, inode, mask, in);
	return rc;
}

static void plan(const struct nova_call *call, const struct nova_inode *inode, unsigned mask,
                 const struct nova_attr *in, int64_t now, struct change *change)
{
	bool chown = mask & (NOVA_SET_UID | NOVA_SET_GID);

	*change = (struct change){
	    .mode = inode->mode,
	    .uid = mask & NOVA_SET_UID ? in->uid : inode->uid,
	    .gid = mask & NOVA_SET_GID ? in->gid : inode->gid,
	    .size = mask & NOVA_SET_SIZE ? in->size : inode->size,
	    .atime_ns = inode->atime_ns,
	    .mtime_ns = inode->mtime_ns,
	    .flags = mask & NOVA_SET_FLAGS ? in->flags : inode->flags,
	    .project = mask & NOVA_SET_PROJECT ? in->project : inode->project,
	    .sized = mask & NOVA_SET_SIZE,
	};
	if (mask & NOVA_SET_SIZE)
		change->mode = perm_mode_after_write(call->cred, inode);
	if (chown)
		change->mode &= perm_mode_after_chown(call->cred, inode);
	change->unprivileged = (mask & NOVA_SET_SIZE || (chown && !inode_is(inode, S_IFDIR))) &&
	                       xattr_has_privileges(call->worker->fs, inode);
	if (mask & NOVA_SET_MODE) {
		change->mode = in->mode & 07777;
		if (!cred_super(call->cred) && !cred_in_group(call->cred, change->gid))
			change->mode &= (uint16_t)~S_ISGID;
	}
	if (mask & (NOVA_SET_SIZE | NOVA_SET_MTIME_NOW))
		change->mtime_ns = now;
	if (mask & NOVA_SET_MTIME)
		change->mtime_ns = in->mtime_ns;
	if (mask & NOVA_SET_ATIME_NOW)
		change->atime_ns = now;
	if (mask & NOVA_SET_ATIME)
		change->atime_ns = in->atime_ns;
}

/* The new end is within a block: the rest of the block must be zero, so the block is copied with a zero end. */
static int cut_block(struct nova_worker *worker, const struct nova_inode *inode, struct change *change)
{
	uint32_t kept = change->size & (NOVA_BLOCK_SIZE - 1);
	uint8_t bytes[NOVA_BLOCK_SIZE] __attribute__((aligned(64)));
	uint64_t old;
	int64_t got;

	if (change->size >= inode->size || kept == 0)
		return 0;
	old = file_readable(file_index_get(&inode->file, change->size >> NOVA_BLOCK_SHIFT));
	if (!old)
		return 0;
	got = alloc_run(worker, 1, ALLOC_FREES, &change->tail_block);
	if (got < 0) {
		change->tail_block = 0;
		return (int)got;
	}
	memcpy(bytes, block_at(worker->fs, old), kept);
	memset(bytes + kept, 0, sizeof bytes - kept);
	pm_copy(worker->fs->pm, block_at(worker->fs, change->tail_block), bytes, sizeof bytes);
	return 0;
}

static int append_times(struct txn *txn, struct log_append *log, const struct change *change)
{
	struct entry_buffer buffer;
	struct nova_entry *entry = entry_start(&buffer, NOVA_ENTRY_TIMES);
	struct nova_times_entry *times = ENTRY_PAYLOAD(nova_times_entry, entry);

	times->atime_ns = le64_of((uint64_t)change->atime_ns);
	times->mtime_ns = le64_of((uint64_t)change->mtime_ns);
	times->ctime_ns = le64_of((uint64_t)txn->now);
	return txn_entry(txn, log, entry, NULL, NULL);
}

static int append_cut(struct txn *txn, struct log_append *log, const struct change *change)
{
	struct entry_buffer buffer;

	return txn_entry(
	    txn, log,
	    entry_write(&buffer, change->size >> NOVA_BLOCK_SHIFT, change->tail_block, 1, change->size, txn->now), NULL,
	    NULL);
}

/* All entries of one setattr: at most one of each, in one commit. */
static int append_change(struct txn *txn, struct nova_inode *inode, struct log_append *log, const struct change *change)
{
	struct nova_attr_entry attr = {
	    .mode = le16_of(change->mode),
	    .uid = le32_of(change->uid),
	    .gid = le32_of(change->gid),
	    .size = le64_of(change->size),
	    .flags = le32_of(change->flags),
	    .project = le32_of(change->project),
	};
	unsigned mask = NOVA_ATTR_MODE | NOVA_ATTR_UID | NOVA_ATTR_GID;
	int rc;

	if (change->sized)
		mask |= NOVA_ATTR_SIZE | NOVA_ATTR_MTIME;
	if (change->flags != inode->flags)
		mask |= NOVA_ATTR_FLAGS;
	if (change->project != inode->project)
		mask |= NOVA_ATTR_PROJECT;
	rc = txn_attr(txn, log, mask, &attr);
	if (!rc && change->tail_block)
		rc = append_cut(txn, log, change);
	if (!rc && change->unprivileged)
		rc = xattr_append_unprivileged(txn, inode, log);
	/* With a size, the ATTR entry already sets mtime = now. */
	if (!rc &&
	    (change->atime_ns != inode->atime_ns || change->mtime_ns != (change->sized ? txn->now : inode->mtime_ns)))
		rc = append_times(txn, log, change);
	return rc;
}

static void show_change(const struct nova_call *call, struct nova_inode *inode, const struct change *change,
                        int64_t now)
{
	struct nova_worker *worker = call->worker;
	struct release release = {.worker = worker, .ino = inode->ino, .space = &inode->space, .change = call->change};
	uint64_t kept = (change->size + NOVA_BLOCK_SIZE - 1) >> NOVA_BLOCK_SHIFT;

	if (change->tail_block) {
		release_block(&release, file_index_set(&inode->file, kept - 1, change->tail_block));
		inode->space.blocks++;
	}
	if (change->sized && change->size <= inode->size)
		file_index_truncate(&inode->file, kept, release_block, &release);
	release_flush(&release);
	inode->mode = change->mode;
	inode->uid = change->uid;
	inode->gid = change->gid;
	inode->flags = change->flags;
	if (change->unprivileged)
		xattr_show_unprivileged(worker, inode);
	inode->size = change->size;
	inode->atime_ns = change->atime_ns;
	inode->mtime_ns = change->mtime_ns;
	inode->ctime_ns = now;
	inode->flags = change->flags;
	inode->project = change->project;
	project_move(&inode->space, change->quota);
}

/* About how many ns it takes to cut the file. Behind its end there are only reserved blocks. */
static uint64_t cut_cost(const struct nova_inode *inode, uint64_t size)
{
	uint64_t kept = (size + NOVA_BLOCK_SIZE - 1) >> NOVA_BLOCK_SHIFT;
	uint64_t end = (inode->size + NOVA_BLOCK_SIZE - 1) >> NOVA_BLOCK_SHIFT;

	return file_index_cost(&inode->file, kept, inode->space.unwritten ? UINT64_MAX : end, inode->space.blocks);
}

int nova_may_setattr(const struct nova_call *call, struct nova_handle file, unsigned mask, const struct nova_attr *in)
{
	CLEANUP_UNLOCK struct nova_inode *inode = NULL;
	int rc;

	if (mask & ~SET_ALL)
		return -EINVAL;
	rc = inode_read(call->worker, file, false, &inode);
	return rc ? rc : may_set(call, inode, mask, in);
}

int nova_setattr(const struct nova_call *call, struct nova_handle file, unsigned mask, const struct nova_attr *in,
                 struct nova_attr *out)
{
	struct nova_worker *worker = call->worker;
	CLEANUP_UNLOCK struct nova_inode *inode = NULL;
	struct change change;
	enum alloc_use use;
	struct txn txn;
	int rc;

	if (mask & ~SET_ALL)
		return -EINVAL;
	rc = inode_write(worker, file, true, &inode);
	if (!rc)
		rc = may_set(call, inode, mask, in);
	if (!rc && mask & NOVA_SET_SIZE && in->size <= inode->size)
		rc = inode_defer_long(worker, inode, cut_cost(inode, in->size));
	if (rc)
		return rc;
	if (mask) {
		txn_start(&txn, call);
		txn_effect(&txn, 0, 0);
		plan(call, inode, mask, in, txn.now, &change);
		change.quota = change.project ? project_find(worker->fs, change.project) : NULL;
		if (change.project && !change.quota)
			return -ENOMEM;
		use = change.size < inode->size ? ALLOC_FREES : ALLOC_REPLACES;
		rc = cut_block(worker, inode, &change);
		if (!rc)
			rc = append_change(&txn, inode, txn_log(&txn, inode, use), &change);
		if (rc) {
			txn_drop(&txn);
			pm_fence(worker->fs->pm);
			if (change.tail_block)
				alloc_free(worker, change.tail_block, 1);
			return rc;
		}
		txn_commit(&txn);
		show_change(call, inode, &change, txn.now);
	}
	if (out)
		inode_attr(inode, out);
	return 0;
}
