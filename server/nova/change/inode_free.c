/*
 * inode_free.c -- frees inodes.
 *
 * A worker that serves others leaves the blocks of a large file to another: the file is dead, on the medium and for all
 * who look for it, but keeps its slot, its in-core inode and its blocks until nova_free_dead. After a crash nothing
 * claims them, so they are free.
 */
#include "server/nova/change/inode_free.h"

#include "server/nova/inode/inode.h"
#include "server/nova/inode/replay.h"
#include "server/nova/inode/xattr_index.h"
#include "server/nova/media/slot_words.h"
#include "server/nova/media/words.h"
#include "server/nova/space/project.h"
#include "server/nova/space/release.h"
#include "server/nova/space/slots.h"
#include "server/nova/space/worker.h"

#define LOG_LINE_NS 5u /* to free a page costs that for each of its lines */

void inode_free_begin(struct txn *txn, struct nova_inode *inode)
{
	txn_life(txn, inode, inode->pins ? NOVA_LIFE_ORPHAN : NOVA_LIFE_FREE);
}

/* About how many blocks its log has beside its slot. */
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

/* The index may have been evicted. The slot and the log are as they were in the inode's life. Where they cannot be read
 * the inode and its blocks stay, until a mount finds them free. */
static bool is_known(struct nova_worker *worker, struct nova_inode *inode)
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

/* For nova_free_dead. The pin keeps it in core. */
static void put_off(struct nova *fs, struct nova_inode *inode)
{
	inode->pins = 1;
	__atomic_fetch_add(&fs->dead_files, 1, __ATOMIC_RELAXED);
	__atomic_fetch_add(&fs->dead_blocks, inode->space.blocks + log_blocks(fs, inode), __ATOMIC_RELAXED);
	pthread_mutex_lock(&fs->dead_lock);
	SLIST_INSERT_HEAD(&fs->dead, inode, next_free);
	pthread_mutex_unlock(&fs->dead_lock);
}

/* The commit that freed this inode is durable: free its blocks, pages and slot. */
static void release_all(const struct nova_call *call, struct nova_inode *inode)
{
	struct nova_worker *worker = call->worker;

	inode->life = NOVA_LIFE_FREE;
	worker_count(&worker->inodes, -1);
	if (worker->hurried && takes_long(worker->fs, inode))
		put_off(worker->fs, inode);
	else if (is_known(worker, inode))
		free_blocks(worker, call->change, inode, NULL);
	project_end(&inode->space);
}

/* Nobody looks for it, but with a handle that has become stale: these do not wait. */
bool nova_free_dead(struct nova_worker *worker)
{
	struct nova *fs = worker->fs;
	struct nova_inode *inode;
	uint64_t blocks;
	bool known;

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
	known = is_known(worker, inode);
	inode->space.quota = NULL; /* its project has been refunded */
	if (known)
		free_blocks(worker, NULL, inode, &fs->dead_blocks);
	else
		__atomic_fetch_sub(&fs->dead_blocks, blocks + log_blocks(fs, inode), __ATOMIC_RELAXED);
	inode->pins = 0;
	inode_unlock(inode);
	__atomic_fetch_sub(&inode->busy, 1, __ATOMIC_SEQ_CST);
	__atomic_fetch_sub(&fs->dead_files, 1, __ATOMIC_RELAXED);
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
