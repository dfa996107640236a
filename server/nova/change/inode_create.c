/*
 * inode_create.c -- creates inodes.
 */
#include "server/nova/change/inode_create.h"

#include "server/nova/inode/inode.h"
#include "server/nova/space/project.h"
#include "server/nova/space/slots.h"
#include "server/nova/space/worker.h"

#include <errno.h>
#include <string.h>

static int append_xattrs(struct txn *txn, struct nova_inode *inode, struct log_append *log, struct xattr_birth *birth)
{
	int rc = 0;

	for (unsigned i = 0; !rc && i < birth->count; i++)
		rc = xattr_append(txn->worker, inode, log, &birth->changes[i], txn->now);
	return rc;
}

static void drop_xattrs(struct nova_worker *worker, struct xattr_birth *birth)
{
	for (unsigned i = 0; i < birth->count; i++)
		xattr_drop(worker, &birth->changes[i]);
}

static void show_xattrs(struct nova_worker *worker, struct nova_inode *inode, const struct xattr_birth *birth)
{
	for (unsigned i = 0; i < birth->count; i++)
		xattr_show(worker, inode, &birth->changes[i]);
	if (birth->count)
		incore_index_changed(worker->fs, inode);
}

/* While the life word is NEVER or FREE, no reader evaluates the rest of the slot, so its lines are written in place. */
static void store_header(struct nova *fs, const struct nova_inode *inode, const struct birth *birth)
{
	struct nova_slot_header header __attribute__((aligned(64))) = {
	    .type = (uint8_t)(birth->mode >> 12),
	    .generation = le32_of(inode->generation),
	    .rdev = le32_of(birth->rdev),
	    .birth_ns = le64_of((uint64_t)inode->btime_ns),
	    .parent = le64_of(birth->parent),
	};

	header.crc = le32_of(entry_header_crc(&header, inode->ino, inode->generation));
	pm_copy(fs->pm, &slot_at(fs, inode->ino)->header, &header, sizeof header);
}

int inode_create_begin(struct txn *txn, struct birth *birth, struct nova_inode **out, struct log_append **log)
{
	struct nova_worker *worker = txn->worker;
	struct nova *fs = worker->fs;
	struct nova_attr_entry attr = {
	    .mode = le16_of(birth->mode & 07777),
	    .uid = le32_of(birth->uid),
	    .gid = le32_of(birth->gid),
	    .nlink = le32_of(birth->life == NOVA_LIFE_ALLOCATED),
	    .size = le64_of(birth->size),
	    .flags = le32_of(birth->flags),
	    .project = le32_of(birth->project),
	};
	unsigned mask =
	    NOVA_ATTR_BIRTH | NOVA_ATTR_MODE | NOVA_ATTR_UID | NOVA_ATTR_GID | NOVA_ATTR_NLINK | NOVA_ATTR_SIZE;
	uint32_t generation;
	struct nova_inode *inode;
	uint64_t ino;
	int rc;

	rc = slots_take(worker, &ino);
	if (rc)
		return rc;
	rc = inode_lock_free(worker, ino, &inode);
	if (rc) {
		slots_put(worker, ino);
		return rc;
	}
	generation = slots_generation(fs, ino) + 1;
	inode->generation = generation;
	inode->life = NOVA_LIFE_FREE;
	inode->loaded = true;
	inode->space.quota = NULL;
	inode->space.blocks = inode->space.charged = 0;
	inode->log.tail = inode->log.head = inode->log.start = inode->log.tail_page = inode->log.tail_first = 0;
	inode->log.born = 0;
	inode->btime_ns = txn->now;
	store_header(fs, inode, birth);
	*log = txn_log_new(txn, inode);
	if (birth->flags)
		mask |= NOVA_ATTR_FLAGS;
	if (birth->project)
		mask |= NOVA_ATTR_PROJECT;
	rc = project_begin(fs, &inode->space, birth->project);
	if (!rc)
		rc = txn_attr(txn, *log, mask, &attr);
	if (!rc)
		rc = append_xattrs(txn, inode, *log, &birth->xattrs);
	if (rc) {
		txn_drop(txn);
		inode_create_abort(txn, inode, birth);
		return rc;
	}
	txn_life(txn, inode, birth->life);
	*out = inode;
	return 0;
}

void inode_create_done(struct txn *txn, struct nova_inode *inode, const struct birth *birth)
{
	slots_set_generation(txn->worker->fs, inode->ino, inode->generation);
	inode->life = (uint8_t)birth->life;
	inode->type = (uint8_t)(birth->mode >> 12);
	inode->mode = birth->mode & 07777;
	inode->indexed = true;
	inode->pins = 0;
	inode->nlink = birth->life == NOVA_LIFE_ALLOCATED;
	inode->uid = birth->uid;
	inode->gid = birth->gid;
	inode->rdev = birth->rdev;
	inode->flags = birth->flags;
	inode->project = birth->project;
	inode->subdirs = 0;
	inode->size = birth->size;
	inode->space.blocks = inode->space.unwritten = 0;
	inode->atime_ns = inode->mtime_ns = inode->ctime_ns = txn->now;
	memset(&inode->gc, 0, sizeof inode->gc);
	inode->symlink_line = 0;
	inode->acl = NULL;
	inode->has_xattrs = false;
	show_xattrs(txn->worker, inode, &birth->xattrs);
	__atomic_store_n(&inode->parent, birth->parent, __ATOMIC_RELAXED);
	__atomic_store_n(&inode->used, true, __ATOMIC_RELAXED);
	worker_count(&txn->worker->inodes, 1);
	if (inode_nameless(inode))
		__atomic_fetch_add(&txn->worker->fs->nameless, 1, __ATOMIC_RELAXED);
}

void inode_create_abort(struct txn *txn, struct nova_inode *inode, struct birth *birth)
{
	/* What was stored into the slot must not land there after its next owner's stores. */
	pm_fence(txn->worker->fs->pm);
	inode->loaded = false;
	drop_xattrs(txn->worker, &birth->xattrs);
	xattr_forget(inode);
	project_end(&inode->space);
	slots_put(txn->worker, inode->ino);
	inode_unlock(inode);
}
