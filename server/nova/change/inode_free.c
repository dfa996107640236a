/*
 * inode_free.c -- frees inodes.
 */
#include "server/nova/change/inode_free.h"

#include "server/nova/inode/inode.h"
#include "server/nova/inode/xattr_index.h"
#include "server/nova/media/slot_words.h"
#include "server/nova/media/words.h"
#include "server/nova/space/project.h"
#include "server/nova/space/release.h"
#include "server/nova/space/slots.h"
#include "server/nova/space/worker.h"

void inode_free_begin(struct txn *txn, struct nova_inode *inode)
{
	txn_life(txn, inode, inode->pins ? NOVA_LIFE_ORPHAN : NOVA_LIFE_FREE);
}

/* The commit that freed this inode is durable: free its blocks, pages and slot. */
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
	if (inode->log.head)
		log_free_pages(worker, inode->generation, inode->log.head, inode->log.tail_page);
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

/* A life word alone needs no journal record: it is one word, and its two copies can differ only as {old, new}. */
void inode_free_orphan(const struct nova_call *call, struct nova_inode *inode)
{
	struct nova *fs = call->worker->fs;
	const struct slot_word_values values = {
	    .life = life_value(inode->generation, NOVA_LIFE_FREE),
	    .tail = inode->log.tail,
	    .head = inode->log.head,
	};

	slot_words_store(fs, inode->ino, inode->generation, &values);
	pm_fence(fs->pm);
	__atomic_fetch_sub(&fs->nameless, 1, __ATOMIC_RELAXED);
	release_all(call, inode);
}
