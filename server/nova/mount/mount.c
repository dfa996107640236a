/*
 * mount.c -- mount, unmount, workers, and queries about a mounted file system.
 */
#include "common/clock.h"
#include "common/random.h"
#include "server/nova/inode/inode.h"

#include "server/nova/change/client_table.h"
#include "server/nova/change/gc_queue.h"
#include "server/nova/inode/replay.h"
#include "server/nova/log/journal.h"
#include "server/nova/media/rescue.h"
#include "server/nova/media/ro_overlay.h"
#include "server/nova/media/super.h"
#include "server/nova/media/unsafe_shutdown.h"
#include "server/nova/mount/checkpoint.h"
#include "server/nova/mount/clients_load.h"
#include "server/nova/mount/owner.h"
#include "server/nova/mount/recover.h"
#include "server/nova/mount/zones.h"
#include "server/nova/space/alloc.h"
#include "server/nova/space/project.h"
#include "server/nova/space/slots.h"
#include "server/nova/space/worker.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define PROGRESS_MS 1000u

int nova_probe(const struct pm *pm, char *why, size_t why_size)
{
	struct super_info info;
	char unused[1];

	return super_read(pm, &info, why ? why : unused, why ? why_size : sizeof unused);
}

static void destroy(struct nova *fs)
{
	ro_overlay_free(fs->ro_overlay);
	for (uint32_t i = 0; i < NOVA_JOURNAL_RINGS; i++)
		free(fs->workers[i]);
	incore_fini(fs);
	slots_fini(fs);
	project_fini(fs);
	alloc_fini(fs);
	gc_queue_fini(fs);
	client_table_free(fs);
	pthread_mutex_destroy(&fs->slots_lock);
	pthread_mutex_destroy(&fs->rename_lock);
	pthread_mutex_destroy(&fs->projects_lock);
	pthread_mutex_destroy(&fs->workers_lock);
	pthread_mutex_destroy(&fs->dead_lock);
	free(fs);
}

static struct nova *new_fs(struct pm *pm, const struct nova_mount_options *options, const struct super_info *info)
{
	struct nova *fs = calloc(1, sizeof *fs);

	if (!fs || gc_queue_init(fs)) {
		free(fs);
		return NULL;
	}
	pthread_mutex_init(&fs->slots_lock, NULL);
	pthread_mutex_init(&fs->rename_lock, NULL);
	pthread_mutex_init(&fs->projects_lock, NULL);
	pthread_mutex_init(&fs->workers_lock, NULL);
	pthread_mutex_init(&fs->dead_lock, NULL);
	fs->pm = pm;
	fs->rescue = options->rescue;
	fs->read_only = options->read_only || options->rescue || pm->read_only || super_needs_read_only(&info->super);
	fs->quarantine = options->quarantine;
	fs->quarantine_context = options->quarantine_context;
	memcpy(fs->uuid, info->super.uuid, sizeof fs->uuid);
	memcpy(fs->handle_key, info->super.handle_key, sizeof fs->handle_key);
	memcpy(fs->label, info->super.label, sizeof info->super.label);
	fs->mount_count = info->clean >> 1;
	fs->epoch = (uint32_t)info->epoch;
	fs->blocks = info->blocks;
	fs->root.ino.n = le64_get(info->super.root_ino);
	fs->clients_ino = le64_get(info->super.clients_ino);
	fs->cache_bytes = options->cache_bytes;
	fs->progress_ns = (options->progress_ms ? options->progress_ms : PROGRESS_MS) * 1000000LL;
	if (random_fill(&fs->hash_seed, sizeof fs->hash_seed) != 0)
		fs->hash_seed = (uint64_t)(uintptr_t)fs * 0x9e3779b97f4a7c15ULL;
	fs->chunk_count = (fs->blocks - NOVA_PREAMBLE_BLOCKS) / NOVA_CHUNK_BLOCKS;
	fs->chunks = calloc(fs->chunk_count, sizeof *fs->chunks);
	if (!fs->chunks || alloc_init(fs) || (!fs->read_only && client_table_new(fs))) {
		destroy(fs);
		return NULL;
	}
	return fs;
}

/* A pool that was copied without its key gets a new key; in a read-only mount the key is not stored. */
static int make_handle_key(struct nova *fs, struct super_info *info)
{
	static const uint8_t none[sizeof fs->handle_key];

	if (memcmp(fs->handle_key, none, sizeof none) != 0)
		return 0;
	if (random_fill(fs->handle_key, sizeof fs->handle_key) != 0)
		return -EIO;
	if (!fs->read_only)
		super_set_handle_key(fs->pm, info, fs->handle_key);
	return 0;
}

static int check_root(struct nova *fs, char *why, size_t why_size)
{
	uint64_t ino = fs->root.ino.n;
	uint32_t generation;
	uint8_t life;
	int rc;

	if (!slots_chunk(fs, ino)) {
		snprintf(why, why_size, "the root directory does not lie in a chunk of slots");
		return -EIO;
	}
	rc = replay_life(fs, ino, &generation, &life, why, why_size);
	if (rc)
		return rc;
	if (life != NOVA_LIFE_ALLOCATED || slot_at(fs, ino)->header.type != S_IFDIR >> 12) {
		snprintf(why, why_size, "the root inode is not a directory in use");
		return -EIO;
	}
	fs->root.generation = generation;
	return 0;
}

/*
 * The order: after a crash, the journal is replayed and fenced before anything else is read. A killed process leaves
 * stores that can be read but were never flushed. A later power failure must not undo what recovery relied on, so
 * recovery flushes every word that it reads.
 */
static int recover(struct nova *fs, struct super_info *info, const struct nova_mount_options *options, char *why,
                   size_t why_size)
{
	bool clean = info->clean & 1;
	bool scan = !clean || options->full_scan || fs->rescue;
	int rc = 0;

	fs->crashed = !clean;
	if (!fs->read_only) {
		super_repair(fs->pm, info);
		if (clean)
			unsafe_shutdown_note(fs->pm, info);
		rc = owner_claim(fs, info, options);
		super_set_clean(fs->pm, ++fs->mount_count, false);
	}
	if (!rc)
		rc = make_handle_key(fs, info);
	if (!rc)
		rc = zones_load(fs, why, why_size);
	if (!rc)
		rc = clean ? journal_load(fs, why, why_size) : journal_replay(fs, why, why_size);
	if (!rc)
		fs->scanned = scan || !checkpoint_load(fs, info->checkpoint, info->clean >> 1);
	if (!rc && fs->scanned)
		rc = recover_scan(fs, options->recovery_threads, why, why_size);
	fs->limits_known = true;
	if (!rc)
		rc = check_root(fs, why, why_size);
	if (!rc && !fs->read_only)
		rc = clients_load(fs, !clean, options->recovery_threads, why, why_size);
	if (!rc && !clean && !fs->read_only)
		unsafe_shutdown_note(fs->pm, info);
	if (rc)
		owner_release(fs);
	/* If the mount of a clean pool is refused, the pool stays unchanged: its journal need not be replayed. */
	if (rc && clean && !fs->read_only)
		super_set_clean(fs->pm, fs->mount_count, true);
	return rc;
}

int nova_mount(struct pm *pm, const struct nova_mount_options *options, struct nova **out, char *why, size_t why_size)
{
	static const struct nova_mount_options defaults;
	struct super_info info;
	int64_t start = clock_now_ns();
	char unused[1];
	struct nova *fs;
	int rc;

	if (!options)
		options = &defaults;
	if (!why) {
		why = unused;
		why_size = sizeof unused;
	}
	why[0] = 0;
	*out = NULL;
	rc = options->rescue ? rescue_super(pm, &info, why, why_size) : super_read(pm, &info, why, why_size);
	if (rc)
		return rc;
	rc = unsafe_shutdown_check(pm, &info, options, why, why_size);
	if (!rc && !options->read_only && !options->rescue && !pm->read_only)
		rc = owner_watch(pm, &info, options, why, why_size);
	if (rc)
		return rc;
	if (super_needs_read_only(&info.super))
		log_warn(NOVA_LOG_NAME,
		         "the pool uses features this program cannot write (ro_compat %#llx): mounted read-only",
		         (unsigned long long)le64_get(info.super.ro_compat));
	fs = new_fs(pm, options, &info);
	if (!fs) {
		snprintf(why, why_size, "not enough memory for the pool's maps");
		return -ENOMEM;
	}
	rc = recover(fs, &info, options, why, why_size);
	if (rc) {
		if (rc == -ENOMEM)
			snprintf(why, why_size, "not enough memory to read the pool's logs");
		destroy(fs);
		return rc;
	}
	log_info(NOVA_LOG_NAME, "mounted in %.3f s: %llu inodes, %llu of %llu blocks free; last unmount was %s, %s",
	         (double)(clock_now_ns() - start) / 1e9, (unsigned long long)fs->inodes,
	         (unsigned long long)fs->free_blocks, (unsigned long long)fs->usable_blocks,
	         info.clean & 1 ? "clean" : "not clean",
	         fs->scanned ? "all logs were read" : "its saved state was used");
	if (fs->nameless)
		log_info(NOVA_LOG_NAME, "%llu inodes without a name wait for nova_reclaim_orphans",
		         (unsigned long long)fs->nameless);
	*out = fs;
	return 0;
}

/*
 * The mount of a clean pool does not read the journal and, with a checkpoint, does not read the logs. So no slot word
 * may depend on the journal, and the checkpoint must be durable and named before CLEAN is set. Quarantined blocks are
 * free after a restart, but the core does not know which blocks these are: then there is no checkpoint, and the next
 * mount scans the logs.
 */
static void end_cleanly(struct nova *fs)
{
	while (!SLIST_EMPTY(&fs->dead))
		nova_free_dead(fs->workers[0]);
	for (uint32_t i = 0; i < NOVA_JOURNAL_RINGS; i++)
		if (fs->workers[i]) {
			journal_flush_slot_words(fs->workers[i]);
			alloc_drain(fs->workers[i]);
			slots_drain(fs->workers[i]);
		}
	if (fs->quarantined_blocks)
		log_info(NOVA_LOG_NAME,
		         "%llu blocks are still quarantined for readers: the next mount will read all logs",
		         (unsigned long long)fs->quarantined_blocks);
	else
		super_set_checkpoint(fs->pm, checkpoint_store(fs));
	owner_release(fs);
	super_set_clean(fs->pm, fs->mount_count, true);
}

void nova_unmount(struct nova *fs)
{
	if (!fs->read_only)
		end_cleanly(fs);
	destroy(fs);
}

/* ---- workers -------------------------------------------------------------------------------------------------- */

int nova_worker_open(struct nova *fs, struct nova_worker **out)
{
	int rc = -EBUSY;

	*out = NULL;
	pthread_mutex_lock(&fs->workers_lock);
	for (uint32_t i = 0; i < NOVA_JOURNAL_RINGS && rc == -EBUSY; i++) {
		struct nova_worker *worker = fs->workers[i];

		if (fs->ring_taken[i])
			continue;
		if (!worker)
			worker = aligned_alloc(NOVA_CACHE_LINE, sizeof *worker);
		if (!worker) {
			rc = -ENOMEM;
			break;
		}
		if (!fs->workers[i]) {
			memset(worker, 0, sizeof *worker);
			worker->fs = fs;
			worker->ring = i;
			worker->sequence = fs->ring_sequence[i];
			__atomic_store_n(&fs->workers[i], worker, __ATOMIC_RELEASE);
			__atomic_store_n(&fs->workers_ever, i + 1, __ATOMIC_RELEASE);
		}
		fs->ring_taken[i] = true;
		worker->hurried = worker->may_defer = false;
		*out = worker;
		rc = 0;
	}
	pthread_mutex_unlock(&fs->workers_lock);
	return rc;
}

/* The structure stays: other threads read its counts, and its ring continues with its sequence. */
void nova_worker_close(struct nova_worker *worker)
{
	struct nova *fs = worker->fs;

	if (!fs->read_only) {
		journal_flush_slot_words(worker);
		alloc_drain(worker);
		slots_drain(worker);
	}
	pthread_mutex_lock(&fs->workers_lock);
	fs->ring_taken[worker->ring] = false;
	pthread_mutex_unlock(&fs->workers_lock);
}

/* ---- about the file system ------------------------------------------------------------------------------------ */

void nova_handle_key(const struct nova *fs, uint8_t key[16])
{
	memcpy(key, fs->handle_key, sizeof fs->handle_key);
}

bool nova_read_only(const struct nova *fs)
{
	return fs->read_only;
}

struct nova_handle nova_root(const struct nova *fs)
{
	return fs->root;
}

struct pm *nova_pm(const struct nova *fs)
{
	return fs->pm;
}
