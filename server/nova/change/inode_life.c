/*
 * inode_life.c -- birth and death of inodes.
 */
#include "server/nova/change/inode_life.h"

#include "server/nova/inode/inode.h"
#include "server/nova/media/slot_words.h"
#include "server/nova/media/words.h"
#include "server/nova/space/alloc.h"
#include "server/nova/space/project.h"
#include "server/nova/space/release.h"
#include "server/nova/space/slots.h"

#include <errno.h>
#include <string.h>

/* ---- birth ---------------------------------------------------------------------------------------------------- */

/* While the life word says NEVER or FREE nothing else in the slot is judged, so its lines are written in place. */
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
	int err;

	err = slots_take(worker, &ino);
	if (err)
		return err;
	err = inode_lock_free(worker, ino, &inode);
	if (err) {
		slots_put(worker, ino);
		return err;
	}
	generation = slots_generation(fs, ino) + 1;
	inode->generation = generation;
	inode->life = NOVA_LIFE_FREE;
	inode->loaded = true;
	inode->space.quota = NULL;
	inode->space.blocks = inode->space.charged = 0;
	inode->tail = inode->head = inode->log_start = inode->tail_page = inode->tail_first = 0;
	inode->btime_ns = txn->now;
	store_header(fs, inode, birth);
	*log = txn_log_newborn(txn, inode);
	if (birth->flags)
		mask |= NOVA_ATTR_FLAGS;
	if (birth->project)
		mask |= NOVA_ATTR_PROJECT;
	err = project_begin(fs, &inode->space, birth->project);
	if (!err)
		err = txn_attr(txn, *log, mask, &attr);
	if (!err)
		err = xattr_birth_append(txn, *log, &birth->xattrs);
	if (err) {
		txn_drop(txn);
		inode_create_abort(txn, inode, birth);
		return err;
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
	xattr_birth_show(txn->worker, inode, &birth->xattrs);
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
	xattr_birth_drop(txn->worker, &birth->xattrs);
	xattr_forget(inode);
	project_end(&inode->space);
	slots_put(txn->worker, inode->ino);
	inode_unlock(inode);
}

/* ---- death ---------------------------------------------------------------------------------------------------- */

void inode_free_begin(struct txn *txn, struct nova_inode *inode)
{
	txn_life(txn, inode, inode->pins ? NOVA_LIFE_ORPHAN : NOVA_LIFE_FREE);
}

/* The commit that ended this inode is durable: its blocks, pages and slot are free. */
static void release_all(const struct nova_call *call, struct nova_inode *inode)
{
	struct nova_worker *worker = call->worker;
	struct nova *fs = worker->fs;
	struct release release = {.worker = worker, .ino = inode->ino, .space = &inode->space, .change = call->change};

	file_index_truncate(&inode->file, 0, release_block, &release);
	if (inode_is(inode, S_IFLNK) && inode->symlink_line) {
		const struct nova_entry *entry = line_at(fs, inode->symlink_line);
		uint64_t blob = le64_get(ENTRY_CONST_PAYLOAD(nova_symlink_entry, entry)->blob);

		if (blob)
			release_block(&release, blob);
	}
	xattr_release(&release, inode);
	release_flush(&release);
	if (inode->head)
		log_free_pages(worker, inode, inode->head, inode->tail_page);
	incore_index_drop(fs, inode);
	inode->life = NOVA_LIFE_FREE;
	project_end(&inode->space);
	worker_count(&worker->inodes, -1);
	slots_put(worker, inode->ino);
}

void inode_free_done(struct txn *txn, struct nova_inode *inode)
{
	inode->nlink = 0;
	inode->ctime_ns = txn->now;
	if (inode->pins) {
		inode->life = NOVA_LIFE_ORPHAN;
		__atomic_fetch_add(&txn->worker->fs->nameless, 1, __ATOMIC_RELAXED);
	} else {
		release_all(txn->call, inode);
	}
}

/* A life word alone needs no record: it is one word, and its copies may differ only as {old, new}. */
void inode_free_orphan(const struct nova_call *call, struct nova_inode *inode)
{
	struct nova *fs = call->worker->fs;
	struct slot_word_values values = slot_words_of(inode);

	values.life = life_value(inode->generation, NOVA_LIFE_FREE);
	slot_words_store(fs, inode, &values);
	pm_fence(fs->pm);
	__atomic_fetch_sub(&fs->nameless, 1, __ATOMIC_RELAXED);
	release_all(call, inode);
}
