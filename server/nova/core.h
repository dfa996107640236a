/*
 * core.h -- a mounted file system: the state that all floors of the core share. Only the core uses it.
 *
 * It is below the floors, which define their own structures; here these are incomplete types.
 *
 * Lock order: the rename lock; one inode by a blocking lock; further inodes only by trylock; the slots lock; a worker's
 * spin lock; a zone's lock. There is no order among inodes: a pointer to an in-core inode may refer to another slot by
 * the time its lock is taken. A thread that locks an inode checks at once that the inode is alive, and else unlocks it
 * at once. So the creator of an inode may spin for the lock of its new slot while it holds the directory.
 */
#ifndef FARNOVA_NOVA_CORE_H
#define FARNOVA_NOVA_CORE_H

#include "common/log.h"
#include "common/pm/pm.h"
#include "server/nova/media/format.h"
#include "server/nova/nova.h"

#include <pthread.h>
#include <sys/queue.h>
#include <sys/stat.h>

#define NOVA_LOG_NAME "nova"

#define NOVA_PROJECT_BUCKETS 256u
#define NOVA_CACHE_LINE      64

/* What an allocation is for, which decides how much of the reserve it may use (space/alloc.h). */
enum alloc_use {
	ALLOC_GROWS,    /* more will be in use: none */
	ALLOC_REPLACES, /* about as much will be in use when the change is done: the part for such changes */
	ALLOC_FREES,    /* less will be in use, or the space was promised: all */
};

struct client_table;
struct gc_queue;
struct inode_slab;
struct owner;
struct project;
struct ro_overlay;
struct slot_chunk;
struct zone;

struct nova {
	struct pm *pm;
	bool read_only;
	bool rescue;                   /* read-only, and damage is skipped */
	bool crashed;                  /* the last mount did not end cleanly */
	int64_t progress_ns;           /* how often a long scan logs its progress */
	bool scanned;                  /* the mount has read all logs: it used no checkpoint */
	struct ro_overlay *ro_overlay; /* slots' words that a read-only mount has replayed, NULL = none */
	enum nova_quarantine (*quarantine)(void *context, const struct nova_freed *freed);
	void *quarantine_context;
	uint8_t uuid[16];
	uint8_t handle_key[16];
	char label[65];
	uint64_t mount_count;
	uint32_t epoch;
	uint64_t blocks; /* in the pool */
	struct nova_handle root;
	uint64_t clients_ino; /* the client table; not counted among the inodes */
	uint64_t hash_seed;

	uint32_t zone_count;
	struct zone *zones;
	uint64_t usable_blocks;
	uint64_t base_reserve;    /* blocks that growth leaves */
	uint64_t removal_reserve; /* those of them that are left for removals: see alloc.h */
	uint64_t free_blocks;     /* in the zones; atomic */
	uint64_t *bitmap;         /* of all zones */

	uint64_t chunk_count;
	struct slot_chunk **chunks; /* by chunk of the pool, NULL where the chunk is general; atomic */

	pthread_mutex_t slots_lock;
	SLIST_HEAD(, slot_chunk) free_chunks;
	uint64_t slot_chunks;     /* how many chunks of slots there are; atomic */
	struct inode_slab *slabs; /* atomic; pushed under the slots lock, never removed */

	struct gc_queue *gc;
	struct owner *owner;          /* NULL: not claimed */
	struct client_table *clients; /* NULL in a read-only mount */

	pthread_mutex_t rename_lock;

	struct project *projects[NOVA_PROJECT_BUCKETS]; /* atomic; pushed under the lock, never removed */
	pthread_mutex_t projects_lock;
	bool limits_known; /* the root's log has been replayed: limits in a later replay may be old */

	pthread_mutex_t workers_lock;
	struct nova_worker *workers[NOVA_JOURNAL_RINGS]; /* atomic; a worker stays until unmount */
	uint32_t workers_ever;                           /* atomic: rings from this one on have had no worker */
	bool ring_taken[NOVA_JOURNAL_RINGS];
	uint64_t ring_sequence[NOVA_JOURNAL_RINGS];

	int64_t promised;     /* at mount, and by closed workers; atomic */
	int64_t inodes;       /* the same */
	uint64_t nameless;    /* inodes without a name; atomic */
	uint64_t dead_files;  /* in `dead`, or being freed; atomic */
	uint64_t dead_blocks; /* their blocks; atomic */
	uint64_t returning;   /* work after which blocks are free (space/returning.h); atomic */
	uint64_t returned;    /* how much such work has ended; atomic */
	pthread_mutex_t dead_lock;
	SLIST_HEAD(, nova_inode) dead; /* their blocks are to be freed: change/inode_free.h */
	uint64_t quarantined_blocks;   /* atomic */

	uint64_t cache_bytes;          /* limit of in-core inodes and their indexes, 0 = by the number of slots */
	uint64_t incore;               /* in-core inodes; atomic */
	uint64_t index_bytes;          /* of all indexes; atomic */
	uint64_t index_goal;           /* the clock's hand moves while index_bytes is greater; atomic */
	struct inode_slab *sweep_hand; /* atomic; NULL = a turn begins */
};

static inline uint64_t block_offset(uint64_t block)
{
	return block << NOVA_BLOCK_SHIFT;
}

static inline void *block_at(const struct nova *fs, uint64_t block)
{
	return pm_at(fs->pm, block << NOVA_BLOCK_SHIFT);
}

static inline struct nova_slot *slot_at(const struct nova *fs, uint64_t ino)
{
	return pm_at(fs->pm, ino * NOVA_SLOT_SIZE);
}

static inline void *line_at(const struct nova *fs, uint64_t line)
{
	return pm_at(fs->pm, line * NOVA_LINE_SIZE);
}

static inline uint64_t chunk_of_block(uint64_t block)
{
	return (block - NOVA_PREAMBLE_BLOCKS) / NOVA_CHUNK_BLOCKS;
}

static inline uint64_t ino_block(uint64_t ino)
{
	return ino / (NOVA_BLOCK_SIZE / NOVA_SLOT_SIZE);
}

#endif
