/*
 * inode_free.c -- frees inodes and their blocks.
 *
 * To free a large file takes long. A worker that other clients wait for (`hurried`) therefore only queues such a file in
 * fs->dead; nova_free_dead() frees it later. A queued inode is free on the medium and cannot be found any more, but its
 * slot, its in-core inode and its blocks are not reused yet. After a crash the mount's scan finds no owner of these
 * blocks, so they are free.
 */
#include "server/nova/change/inode_free.h"

#include "server/nova/inode/inode.h"
#include "server/nova/inode/replay.h"
#include "server/nova/inode/xattr_index.h"
#include "server/nova/media/slot_words.h"
#include "server/nova/media/words.h"
#include "server/nova/space/project.h"
#include "server/nova/space/release.h"
#include "server/nova/space/returning.h"
#include "server/nova/space/slots.h"
#include "server/nova/space/worker.h"

#define LOG_LINE_NS 5u /* estimated time to free a log page, per line of the page */

void inode_free_begin(struct txn *txn, struct nova_inode *inode)
{
	txn_life(txn, inode, inode->pins ? NOVA_LIFE_ORPHAN : NOVA_LIFE_FREE);
}

/* The approximate number of log pages. */
static uint64_t log_blocks(const struct nova *fs, const struct nova_inode *inode)
{
	return inode->log.head ? replay_lines(fs, inode->ino) / NOVA_PAGE_LINES : 0;
}

/* `counted` as in struct release. */
static void free_blocks(struct nova_worker *worker, const void *change, struct nova_inode *inode, uint64_t *counted)
{
	struct release release = {
	    .worker = worker, .ino = inode->ino, .space = &inode->space, .change = change, .counted = counted};

	file_index_truncate(&inode->file, 0, release_block, &release);
	if (inode_is(inode, S_IFLNK) && inode->symlink_line) {
		const struct nova_entry *entry = line_at(worker->fs, inode->symlink_line);
		uint64_t blob = le64_get(ENTRY_CONST_PAYLOAD(nova_symlink_entry, entry)->blob);

		if (blob)
			release_block(&release, blob);
	}
	xattr_release(&release, inode);
	release_flush(&release);
	if (counted)
		__atomic_fetch_sub(counted, log_blocks(worker->fs, inode), __ATOMIC_RELAXED);
	if (inode->log.head)
		log_free_pages(worker, inode->generation, inode->log.head, inode->log.tail_page);
	incore_index_drop(worker->fs, inode);
	slots_put(worker, inode->ino);
}

/* Load the file index if it has been evicted, to know the blocks to free. Slot and log are unchanged since the inode was
 * in use. If they cannot be read, the inode and its blocks stay unused until the next mount finds them free. */
static bool load_index(struct nova_worker *worker, struct nova_inode *inode)
{
	int rc;

	inode->life = NOVA_LIFE_ORPHAN;
	rc = inode_load(worker, inode);
	inode->life = NOVA_LIFE_FREE;
	if (rc)
		__atomic_fetch_add(&worker->fs->quarantined_blocks, inode->space.blocks + 1, __ATOMIC_RELAXED);
	return rc == 0;
}

static bool takes_long(const struct nova *fs, const struct nova_inode *inode)
{
	return !inode->indexed || inode_costs_much(file_index_cost(&inode->file, 0, UINT64_MAX, inode->space.blocks) +
	                                           LOG_LINE_NS * replay_lines(fs, inode->ino));
}

/* Queue the inode for nova_free_dead(). The pin keeps it in core. */
static void queue_dead(struct nova *fs, struct nova_inode *inode)
{
	inode->pins = 1;
	returning_begin(fs);
	__atomic_fetch_add(&fs->dead_files, 1, __ATOMIC_RELAXED);
	__atomic_fetch_add(&fs->dead_blocks, inode->space.blocks + log_blocks(fs, inode), __ATOMIC_RELAXED);
	pthread_mutex_lock(&fs->dead_lock);
	SLIST_INSERT_HEAD(&fs->dead, inode, next_free);
	pthread_mutex_unlock(&fs->dead_lock);
}

/* Free blocks, log pages and slot of the inode; the commit that freed it is durable. */
static void release_all(const struct nova_call *call, struct nova_inode *inode)
{
	struct nova_worker *worker = call->worker;

	inode->life = NOVA_LIFE_FREE;
	worker_count(&worker->inodes, -1);
	if (worker->hurried && takes_long(worker->fs, inode))
		queue_dead(worker->fs, inode);
	else if (load_index(worker, inode))
		free_blocks(worker, call->change, inode, NULL);
	project_end(&inode->space);
}

/* The inode is locked for as long as freeing takes. Only a request with a stale handle can still ask for it; because of
 * `busy` a worker that may defer does not wait for the lock. */
bool nova_free_dead(struct nova_worker *worker)
{
	struct nova *fs = worker->fs;
	struct nova_inode *inode;
	uint64_t blocks;
	bool loaded;

	pthread_mutex_lock(&fs->dead_lock);
	inode = SLIST_FIRST(&fs->dead);
	if (inode)
		SLIST_REMOVE_HEAD(&fs->dead, next_free);
	pthread_mutex_unlock(&fs->dead_lock);
	if (!inode)
		return false;
	__atomic_fetch_add(&inode->busy, 1, __ATOMIC_SEQ_CST);
	pthread_rwlock_wrlock(&inode->lock);
	blocks = inode->space.blocks;
	loaded = load_index(worker, inode);
	inode->space.quota = NULL; /* its project has been refunded */
	if (loaded)
		free_blocks(worker, NULL, inode, &fs->dead_blocks);
	else
		__atomic_fetch_sub(&fs->dead_blocks, blocks + log_blocks(fs, inode), __ATOMIC_RELAXED);
	inode->pins = 0;
	inode_unlock(inode);
	__atomic_fetch_sub(&inode->busy, 1, __ATOMIC_SEQ_CST);
	__atomic_fetch_sub(&fs->dead_files, 1, __ATOMIC_RELAXED);
	returning_end(fs, 1);
	return true;
}

bool nova_has_dead(const struct nova *fs)
{
	return __atomic_load_n(&fs->dead_files, __ATOMIC_RELAXED) > 0;
}

uint64_t nova_dead_blocks(const struct nova *fs)
{
	return __atomic_load_n(&fs->dead_blocks, __ATOMIC_RELAXED);
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

/* A change of LIFE alone needs no journal record: it is a single word, and a crash can leave its two copies only as
 * {old, new}, of which the mount takes the greater. */
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
