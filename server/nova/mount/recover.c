/*
 * recover.c -- the parallel scan of slots and logs at mount.
 *
 * Each thread takes the next chunk of slots. It claims the blocks of each inode in one shared bitmap, so a block of two
 * inodes is detected in any order. The scan keeps only the bitmap, the free slots and the counts: indexes are built
 * again on first use.
 */
#include "server/nova/mount/recover.h"

#include "common/clock.h"
#include "server/nova/inode/replay.h"
#include "server/nova/inode/xattr_index.h"
#include "server/nova/log/inode_log.h"
#include "server/nova/space/alloc.h"
#include "server/nova/space/project.h"
#include "server/nova/space/slots.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define THREADS_MAX    64u
#define SCAN_WHY       200u
#define SLOTS_AHEAD    8u
/* Chunks that a thread takes at once: few, so that the threads share a small pool evenly; but several, so that they do
 * not contend for the counter where most chunks hold no slots. */
#define CHUNKS_AT_ONCE 8u

struct scan {
	struct nova *fs;
	uint64_t next_chunk; /* atomic */
	uint64_t scanned;    /* chunks of slots that are done; atomic */
	int rc;              /* atomic: the first error */
	pthread_mutex_t lock;
	char why[SCAN_WHY]; /* the first error's; under the lock */
	uint64_t inodes;    /* under the lock, as are the next three */
	uint64_t promised;
	uint64_t orphans;
	uint64_t damaged; /* inodes that a rescue mount skipped */
};

/* The state of one thread. */
struct scanner {
	struct scan *scan;
	int64_t report_ns;       /* when to log the progress next; INT64_MAX = another thread does */
	struct nova_inode inode; /* never shared: its lock is not used */
	struct slot_runs runs;
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
	const struct nova_inode *inode = &scanner->inode;
	struct extent extent;
	uint64_t at = 0;

	for (uint32_t i = 0; i < scanner->runs.count; i++) {
		int rc = claim(scanner, file_block_of(scanner->runs.run[i].value), scanner->runs.run[i].count, "data");

		if (rc)
			return rc;
	}
	while (file_index_next_extent(&inode->file, &at, &extent)) {
		int rc = claim(scanner, file_block_of(extent.value), extent.count, "data");

		if (rc)
			return rc;
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
	const struct nova_inode *inode = &scanner->inode;
	int rc = 0;

	for (uint32_t i = 0; !rc && i < xattr_count(inode); i++)
		rc = xattr_each_run(line_at(scanner->scan->fs, inode->xattrs->refs[i].line), claim_blob, scanner);
	return rc;
}

/* Prefetch the lines that most slots use, while the slots before are examined. */
static void prefetch_slot(const struct nova *fs, uint64_t ino)
{
	const uint8_t *slot = (const void *)slot_at(fs, ino);

	for (unsigned line = 0; line < 4; line++)
		__builtin_prefetch(slot + line * NOVA_LINE_SIZE);
}

static int scan_slot(struct scanner *scanner, struct slot_chunk *chunk, uint64_t ino)
{
	struct nova *fs = scanner->scan->fs;
	struct nova_inode *inode = &scanner->inode;
	uint32_t i = slot_index(ino);
	int rc;

	inode->ino = ino;
	rc = replay_life(fs, ino, &inode->generation, &inode->life, scanner->why, sizeof scanner->why);
	if (rc)
		return rc;
	chunk->slots[i].generation = inode->generation;
	if (inode->life == NOVA_LIFE_NEVER || inode->life == NOVA_LIFE_FREE) {
		if (inode->generation != SLOT_GENERATION_MAX)
			slots_add_free(chunk, ino);
		return 0;
	}
	/* The log of most files fits into the slot: then no index is built. */
	rc = replay_slot(fs, inode, &scanner->runs, scanner->why, sizeof scanner->why);
	if (rc == -EAGAIN) {
		scanner->runs.count = 0;
		rc = replay_inode(fs, inode, claim_page, scanner, scanner->why, sizeof scanner->why);
	}
	if (!rc)
		rc = claim_data(scanner);
	if (!rc)
		rc = claim_xattrs(scanner);
	if (!rc && inode->space.quota) {
		project_charge(inode->space.quota, PROJECT_BLOCKS, inode->space.blocks, true);
		project_charge(inode->space.quota, PROJECT_INODES, 1, true);
	}
	scanner->inodes += ino != fs->clients_ino;
	scanner->promised += inode->dir.live + inode->space.unwritten;
	scanner->orphans += inode->life != NOVA_LIFE_ALLOCATED;
	scanner->damaged += inode->partial;
	replay_reset(inode);
	return rc;
}

/* A rescue mount skips damaged inodes: their use will report the damage again. */
static int step_over(struct scanner *scanner, int rc)
{
	if (rc != -EIO || !scanner->scan->fs->rescue)
		return rc;
	log_warn(NOVA_LOG_NAME, "%s", scanner->why);
	scanner->damaged++;
	return 0;
}

static void scan_failed(struct scanner *scanner, int rc)
{
	struct scan *scan = scanner->scan;

	pthread_mutex_lock(&scan->lock);
	if (!scan->rc) {
		memcpy(scan->why, scanner->why, sizeof scan->why);
		__atomic_store_n(&scan->rc, rc, __ATOMIC_RELAXED);
	}
	pthread_mutex_unlock(&scan->lock);
}

static void report_progress(struct scanner *scanner)
{
	const struct scan *scan = scanner->scan;
	uint64_t done = __atomic_load_n(&scan->scanned, __ATOMIC_RELAXED);

	if (scanner->report_ns == INT64_MAX || clock_now_ns() < scanner->report_ns)
		return;
	log_info(NOVA_LOG_NAME, "reading all logs: %llu of %llu chunks of inodes, %llu %%", (unsigned long long)done,
	         (unsigned long long)scan->fs->slot_chunks, (unsigned long long)(done * 100 / scan->fs->slot_chunks));
	scanner->report_ns = clock_now_ns() + scan->fs->progress_ns;
}

static int scan_chunk(struct scanner *scanner, struct slot_chunk *chunk)
{
	struct nova *fs = scanner->scan->fs;
	bool flush = fs->crashed && !fs->read_only;
	int rc = 0;

	for (uint32_t i = 0; !rc && i < NOVA_SLOTS_PER_CHUNK; i++) {
		uint64_t ino = chunk->first_ino + i;

		if (i + SLOTS_AHEAD < NOVA_SLOTS_PER_CHUNK)
			prefetch_slot(fs, ino + SLOTS_AHEAD);
		rc = step_over(scanner, scan_slot(scanner, chunk, ino));
		/* After they were read: a flush may evict the line. All of them are fenced before the mount ends. */
		if (flush)
			pm_flush(fs->pm, &slot_at(fs, ino)->words, sizeof(struct nova_slot_words));
	}
	__atomic_fetch_add(&scanner->scan->scanned, 1, __ATOMIC_RELAXED);
	report_progress(scanner);
	return rc;
}

static void *scan_chunks(struct scan *scan, bool reports)
{
	struct nova *fs = scan->fs;
	struct scanner *scanner = calloc(1, sizeof *scanner);

	if (!scanner) {
		pthread_mutex_lock(&scan->lock);
		__atomic_store_n(&scan->rc, -ENOMEM, __ATOMIC_RELAXED);
		pthread_mutex_unlock(&scan->lock);
		return NULL;
	}
	scanner->scan = scan;
	scanner->report_ns = reports ? clock_now_ns() + fs->progress_ns : INT64_MAX;
	while (!__atomic_load_n(&scan->rc, __ATOMIC_RELAXED)) {
		uint64_t c = __atomic_fetch_add(&scan->next_chunk, CHUNKS_AT_ONCE, __ATOMIC_RELAXED);
		uint64_t end = c + CHUNKS_AT_ONCE < fs->chunk_count ? c + CHUNKS_AT_ONCE : fs->chunk_count;
		int rc = 0;

		if (c >= fs->chunk_count)
			break;
		for (; c < end && !rc; c++)
			if (fs->chunks[c])
				rc = scan_chunk(scanner, fs->chunks[c]);
		if (rc)
			scan_failed(scanner, rc);
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

static void *scan_thread(void *context)
{
	return scan_chunks(context, false);
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
	/* This thread scans too. If not all threads could be created, the scan only takes longer. */
	while (started + 1 < threads && !pthread_create(&helpers[started], NULL, scan_thread, &scan))
		started++;
	scan_chunks(&scan, true);
	for (unsigned i = 0; i < started; i++)
		pthread_join(helpers[i], NULL);
	pthread_mutex_destroy(&scan.lock);
	if (scan.rc) {
		snprintf(why, why_size, "%s", scan.why);
		return scan.rc;
	}
	fs->inodes = (int64_t)scan.inodes;
	fs->promised = (int64_t)scan.promised;
	fs->nameless = scan.orphans;
	slots_list(fs);
	alloc_count(fs);
	if (scan.damaged)
		log_warn(NOVA_LOG_NAME, "%llu inodes are damaged; all others can be read",
		         (unsigned long long)scan.damaged);
	return 0;
}
