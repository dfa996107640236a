/*
 * recover.c -- the parallel scan of slots and logs at mount.
 *
 * Each thread takes the next chunk of slots. What an inode uses is claimed in one shared bitmap, so a block that two
 * inodes claim is found whoever comes first. Nothing is kept but the bitmap, the free slots and the counts: indexes
 * are built again on first use.
 */
#include "server/nova/recover.h"

#include "server/nova/alloc.h"
#include "server/nova/inode_log.h"
#include "server/nova/remap.h"
#include "server/nova/replay.h"
#include "server/nova/slots.h"
#include "server/nova/xattr_index.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define THREADS_MAX 64u
#define SCAN_WHY    200u

struct scan {
	struct nova *fs;
	uint64_t next_chunk; /* atomic */
	int err;             /* atomic: the first error */
	pthread_mutex_t lock;
	char why[SCAN_WHY]; /* the first error's; under the lock */
	uint64_t inodes;    /* under the lock, as are the next three */
	uint64_t promised;
	uint64_t orphans;
	uint64_t damaged; /* inodes that a rescue stepped over */
};

/* What one thread is at. */
struct scanner {
	struct scan *scan;
	struct inode inode; /* never shared: its lock is not used */
	char why[SCAN_WHY];
	uint64_t inodes;
	uint64_t promised;
	uint64_t orphans;
	uint64_t damaged;
};

static int claim(struct scanner *scanner, uint64_t first, uint64_t count, const char *what)
{
	struct nova *fs = scanner->scan->fs;

	for (uint64_t chunk = chunk_of_block(first); chunk <= chunk_of_block(first + count - 1); chunk++)
		if (fs->chunks[chunk]) {
			snprintf(scanner->why, sizeof scanner->why,
			         "inode %llu: %s at block %llu lies among inode slots",
			         (unsigned long long)scanner->inode.ino, what, (unsigned long long)first);
			return -EIO;
		}
	if (alloc_claim(fs, first, count))
		return 0;
	snprintf(scanner->why, sizeof scanner->why, "inode %llu: %s at block %llu (%llu blocks) is used twice",
	         (unsigned long long)scanner->inode.ino, what, (unsigned long long)first, (unsigned long long)count);
	return -EIO;
}

static int claim_page(void *context, uint64_t block)
{
	return claim(context, block, 1, "log page");
}

static int claim_data(struct scanner *scanner)
{
	const struct inode *inode = &scanner->inode;
	struct extent extent;
	uint64_t at = 0;

	while (remap_next_extent(&inode->file, &at, &extent)) {
		int err = claim(scanner, file_block_of(extent.value), extent.count, "data");

		if (err)
			return err;
	}
	if (inode->symlink_line) {
		const struct nova_entry *entry = line_at(scanner->scan->fs, inode->symlink_line);
		uint64_t blob = le64_get(ENTRY_CONST_PAYLOAD(nova_symlink_entry, entry)->blob);

		if (blob)
			return claim(scanner, blob, 1, "target");
	}
	return 0;
}

static int claim_blob(void *context, uint64_t first, uint64_t count)
{
	return claim(context, first, count, "extended attribute");
}

static int claim_xattrs(struct scanner *scanner)
{
	const struct inode *inode = &scanner->inode;
	int err = 0;

	for (uint32_t i = 0; !err && i < xattr_count(inode); i++)
		err = xattr_each_run(line_at(scanner->scan->fs, inode->xattrs->refs[i].line), claim_blob, scanner);
	return err;
}

static int scan_slot(struct scanner *scanner, struct slot_chunk *chunk, uint64_t ino)
{
	struct nova *fs = scanner->scan->fs;
	struct inode *inode = &scanner->inode;
	uint32_t i = slot_index(chunk, ino);
	int err;

	inode->ino = ino;
	if (fs->crashed && !fs->read_only)
		pm_flush(fs->pm, &slot_at(fs, ino)->words, sizeof(struct nova_slot_words));
	err = replay_life(fs, ino, &inode->generation, &inode->life, scanner->why, sizeof scanner->why);
	if (err)
		return err;
	chunk->generation[i] = inode->generation;
	if (inode->life == NOVA_LIFE_NEVER || inode->life == NOVA_LIFE_FREE) {
		if (inode->generation != SLOT_GENERATION_MAX)
			slots_add_free(chunk, ino);
		return 0;
	}
	err = replay_inode(fs, inode, claim_page, scanner, scanner->why, sizeof scanner->why);
	if (!err)
		err = claim_data(scanner);
	if (!err)
		err = claim_xattrs(scanner);
	scanner->inodes++;
	scanner->promised += inode->dir.live + inode->unwritten;
	scanner->orphans += inode->life != NOVA_LIFE_ALLOCATED;
	scanner->damaged += inode->partial;
	replay_reset(inode);
	return err;
}

/* A rescue steps over damage: the inode will tell it again when it is used. */
static int step_over(struct scanner *scanner, int err)
{
	if (err != -EIO || !scanner->scan->fs->rescue)
		return err;
	log_warn(NOVA_LOG_NAME, "%s", scanner->why);
	scanner->damaged++;
	return 0;
}

static void scan_failed(struct scanner *scanner, int err)
{
	struct scan *scan = scanner->scan;

	pthread_mutex_lock(&scan->lock);
	if (!scan->err) {
		memcpy(scan->why, scanner->why, sizeof scan->why);
		__atomic_store_n(&scan->err, err, __ATOMIC_RELAXED);
	}
	pthread_mutex_unlock(&scan->lock);
}

static void *scan_thread(void *context)
{
	struct scan *scan = context;
	struct nova *fs = scan->fs;
	struct scanner *scanner = calloc(1, sizeof *scanner);

	if (!scanner) {
		pthread_mutex_lock(&scan->lock);
		__atomic_store_n(&scan->err, -ENOMEM, __ATOMIC_RELAXED);
		pthread_mutex_unlock(&scan->lock);
		return NULL;
	}
	scanner->scan = scan;
	while (!__atomic_load_n(&scan->err, __ATOMIC_RELAXED)) {
		uint64_t c = __atomic_fetch_add(&scan->next_chunk, 1, __ATOMIC_RELAXED);
		struct slot_chunk *chunk;
		int err = 0;

		if (c >= fs->chunk_count)
			break;
		chunk = fs->chunks[c];
		for (uint32_t i = 0; chunk && !err && i < NOVA_SLOTS_PER_CHUNK; i++)
			err = step_over(scanner, scan_slot(scanner, chunk, chunk->first_ino + i));
		if (err)
			scan_failed(scanner, err);
	}
	/* Repairs were made by this thread, so this thread fences. */
	if (!fs->read_only)
		pm_fence(fs->pm);
	pthread_mutex_lock(&scan->lock);
	scan->inodes += scanner->inodes;
	scan->promised += scanner->promised;
	scan->orphans += scanner->orphans;
	scan->damaged += scanner->damaged;
	pthread_mutex_unlock(&scan->lock);
	free(scanner);
	return NULL;
}

int recover_scan(struct nova *fs, unsigned threads, char *why, size_t why_size)
{
	struct scan scan = {.fs = fs, .lock = PTHREAD_MUTEX_INITIALIZER};
	pthread_t helpers[THREADS_MAX];
	unsigned started = 0;

	if (threads == 0)
		threads = (unsigned)sysconf(_SC_NPROCESSORS_ONLN);
	if (threads > THREADS_MAX)
		threads = THREADS_MAX;
	/* This thread scans too; where the system gives fewer threads the scan only takes longer. */
	while (started + 1 < threads && !pthread_create(&helpers[started], NULL, scan_thread, &scan))
		started++;
	scan_thread(&scan);
	for (unsigned i = 0; i < started; i++)
		pthread_join(helpers[i], NULL);
	pthread_mutex_destroy(&scan.lock);
	if (scan.err) {
		snprintf(why, why_size, "%s", scan.why);
		return scan.err;
	}
	fs->inodes = (int64_t)scan.inodes;
	fs->promised = (int64_t)scan.promised;
	fs->nameless = scan.orphans;
	slots_list(fs);
	alloc_count(fs);
	if (scan.damaged)
		log_warn(NOVA_LOG_NAME, "%llu inodes are damaged; what else there is can be read",
		         (unsigned long long)scan.damaged);
	return 0;
}
