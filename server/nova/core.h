/*
 * core.h -- the structures of a running file system, shared by the core's own files and by nobody else.
 *
 * Lock order: rename lock; one inode that is waited for; then only inodes taken by trylock (a pointer to an in-core
 * inode may have come to mean another slot by the time its lock is had, so no order among inodes could be kept); then
 * the slots lock; a worker's spin lock; a zone's lock. Whoever locks an inode checks at once that it lives, and lets go
 * at once if it does not: so the creator of an inode may spin for the lock of the slot it was given while it holds the
 * directory.
 */
#ifndef FARNOVA_NOVA_CORE_H
#define FARNOVA_NOVA_CORE_H

#include "common/log.h"
#include "common/pm/pm.h"
#include "server/nova/inode/dir_index.h"
#include "server/nova/inode/file_index.h"
#include "server/nova/log/log_state.h"
#include "server/nova/media/format.h"
#include "server/nova/nova.h"
#include "server/nova/space/space_use.h"

#include <pthread.h>
#include <sched.h>
#include <sys/stat.h>

#define NOVA_LOG_NAME "nova"

/* A file of 4 PiB needs five levels of index; nothing in the format is bound to this. */
#define NOVA_FILE_BLOCKS_MAX (1ULL << 40)
#define NOVA_FILE_SIZE_MAX   (NOVA_FILE_BLOCKS_MAX << NOVA_BLOCK_SHIFT)
static_assert(NOVA_FILE_BLOCKS_MAX <= NOVA_EXTENT_PLACES, "every file block can be told by a packed extent");
static_assert(NOVA_EXTENT_UNWRITTEN == FILE_UNWRITTEN, "a packed extent has the value that the index has");

#define NOVA_GROUP_BLOCKS    512u /* 2 MiB: what free space is counted by */
#define NOVA_GROUPS_PER_ZONE (NOVA_ZONE_BLOCKS / NOVA_GROUP_BLOCKS)
#define NOVA_ZONE_MAP_WORDS  (NOVA_ZONE_BLOCKS / 64)
#define NOVA_WORKER_BLOCKS   256u
#define NOVA_WORKER_SLOTS    128u
#define NOVA_INODE_SLAB      32u
#define NOVA_PROJECT_BUCKETS 256u
#define NOVA_CACHE_LINE      64

struct zone {
	pthread_mutex_t lock;
	uint64_t first;   /* block of the pool */
	uint64_t blocks;  /* with its own headers */
	uint64_t *bitmap; /* 1 = used; NOVA_ZONE_MAP_WORDS words */
	uint64_t free;
	uint32_t cursor;     /* group where the last search ended */
	uint32_t whole;      /* groups that are wholly free; atomic, as is the next */
	uint32_t longest;    /* no run of free blocks within a group is longer */
	uint32_t slot_group; /* the group that is kept for slots, NOVA_GROUPS_PER_ZONE = none */
	uint16_t group_free[NOVA_GROUPS_PER_ZONE];
	uint16_t group_run[NOVA_GROUPS_PER_ZONE]; /* no run of free blocks in the group is longer */
};

/* How far GC has got with a log (gc.c). Lost with the index; zero is a beginning. */
struct gc_state {
	uint64_t round;     /* position at which this round ends: the tail when it began */
	uint64_t copied;    /* lines in which it has written extents again so far */
	uint64_t sweep;     /* position before which no extent lives once the sweep has ended, 0 = there is none */
	uint64_t swept;     /* file block up to which it has written all extents again */
	uint64_t extents;   /* of the file, when GC was last asked, */
	uint64_t blocks;    /* and its blocks */
	uint64_t split;     /* extents that were cut in two since this round began, at most, */
	uint64_t was_split; /* and those from before it that it may not have met yet */
	uint64_t position;  /* entries with extents before this one need no second look, */
	uint32_t index;     /* nor of this one the extents before, */
	uint64_t block;     /* nor of that one the file blocks before */
	uint64_t limit;     /* a log of fewer pages is let be, because there was no space */
	uint64_t tail;      /* when GC was last asked, 0 = not yet */
	uint64_t rest;      /* pages that were left when the idle log was last shortened */
	bool queued;        /* it waits for that again */
	bool sweep_due;     /* a sweep is to begin as soon as the log has room for it */
};

/* An inode in DRAM; what it says is of the generation it names. Everything is under the lock. incore.h says who may
 * hold a pointer to one. What must outlive its being given up lies in the slot and the log, or it is pinned. */
struct nova_inode {
	pthread_rwlock_t lock;
	uint64_t ino; /* the slot it belongs to now, 0 = none */
	uint32_t generation;
	uint8_t life; /* enum nova_life */
	uint8_t type; /* S_IFMT bits >> 12 */
	uint16_t mode;
	uint32_t flags; /* NOVA_FLAG_* */
	bool loaded;    /* the log has been replayed */
	bool indexed;   /* the index is complete */
	bool used;      /* since the hand of the clock passed; atomic */
	bool partial;   /* rescue: a directory of which the names up to a damage are known */
	uint32_t pins;  /* nova_open minus nova_close */
	uint32_t nlink;
	uint32_t uid;
	uint32_t gid;
	uint32_t rdev;
	uint32_t project;
	uint32_t subdirs;
	uint64_t size;
	struct space_use space;
	int64_t atime_ns;
	int64_t mtime_ns;
	int64_t ctime_ns;
	int64_t btime_ns;
	uint64_t parent; /* directories; atomic, changes under the rename lock */

	struct log_state log;
	struct gc_state gc;

	uint64_t symlink_line; /* where the SYMLINK entry lies: offset in the pool / 64 */
	struct file_index file;
	struct dir_index dir;
	uint64_t index_bytes;         /* what of the index is counted in fs->index_bytes */
	struct nova_inode *next_free; /* while it belongs to no slot: the worker's next one */
	struct xattr_index *xattrs;   /* NULL while there are none */
	/* The XATTR entry with the access ACL, or NULL; stays while the index is dropped. */
	const struct nova_entry *acl;
};

/* A chunk of slots. */
struct slot_chunk {
	uint64_t first_ino;
	struct slot_chunk *next_free; /* in fs->free_chunks, under the slots lock, as are the next three */
	bool listed;
	uint32_t free_count;
	uint64_t free[NOVA_SLOTS_PER_CHUNK / 64];
	/* Both atomic, and asked for together. Workers take slots in rows and should not write to each other's lines:
	 * the first begins one. */
	struct slot_place {
		struct nova_inode *inode;
		uint32_t generation; /* present or last life's */
	} slots[NOVA_SLOTS_PER_CHUNK] __attribute__((aligned(NOVA_CACHE_LINE)));
};

struct inode_slab {
	struct inode_slab *next;
	struct nova_inode inodes[NOVA_INODE_SLAB];
};

#define NOVA_WORKER_STREAMS 32u

/* A file that is written in order, and the run of free blocks in which it goes on (alloc_stream.c). */
struct stream {
	uint64_t ino;
	uint32_t generation;
	uint32_t window; /* blocks that were reserved last */
	uint64_t order;  /* blocks that were written in order so far */
	uint64_t next;   /* file block with which the next write begins if it goes on */
	uint64_t first;  /* block of the pool that is next */
	uint64_t left;
	uint64_t used; /* when, by the worker's clock of streams */
};

struct nova_worker {
	struct nova *fs;
	uint32_t ring;
	uint64_t sequence;         /* of the newest record of the ring */
	struct nova_record record; /* the newest record */

	bool lock; /* spin: what follows is also taken from by others when space runs out */
	uint32_t block_count;
	uint64_t run_first; /* a run of free blocks to take single ones from */
	uint64_t run_left;
	uint64_t blocks[NOVA_WORKER_BLOCKS]; /* single free blocks */
	uint64_t stream_blocks;              /* that all streams have left */
	uint64_t stream_clock;
	struct stream streams[NOVA_WORKER_STREAMS];
	uint32_t slot_count;
	uint64_t slots[NOVA_WORKER_SLOTS]; /* free slots, as inode numbers */

	struct nova_inode *free_inodes; /* in-core inodes that belong to no slot */
	uint32_t passed_by;             /* looks at cold inodes that left them cold */

	/* Log lines promised through this worker, for which space is kept: one for each name, to remove it, and one for
	 * each unwritten block, to write it; atomic. */
	int64_t promised;
	int64_t inodes; /* likewise */
} __attribute__((aligned(NOVA_CACHE_LINE)));

#define NOVA_GC_QUEUE 1024u

/* Logs that wait for being shortened while nothing else happens. */
struct gc_queue {
	pthread_mutex_t lock;
	uint32_t first;
	uint32_t count; /* atomic, changed under the lock */
	struct gc_waiting {
		uint64_t ino;
		uint32_t generation;
		uint64_t tail; /* when it was last looked at */
		uint64_t end;  /* the tail when GC of it began, 0 = it did not yet */
	} waiting[NOVA_GC_QUEUE];
};

struct nova {
	struct pm *pm;
	bool read_only;
	bool rescue;                   /* read-only, and damage is stepped over */
	bool crashed;                  /* the last mount did not end cleanly */
	int64_t tell_ns;               /* how often a long scan tells how far it is */
	bool scanned;                  /* all logs were read at mount: there was no saved state to go by */
	struct ro_overlay *ro_overlay; /* slots' words that a read-only mount has replayed, NULL = none */
	enum nova_quarantine (*quarantine)(void *context, const struct nova_freed *freed);
	void *quarantine_context;
	uint8_t uuid[16];
	char label[65];
	uint64_t mount_count;
	uint32_t epoch;
	uint64_t blocks; /* in the pool */
	struct nova_handle root;
	uint64_t hash_seed;

	uint32_t zone_count;
	struct zone *zones;
	uint64_t usable_blocks;
	uint64_t base_reserve;
	uint64_t free_blocks; /* in the zones; atomic */
	uint64_t *bitmap;     /* of all zones */

	uint64_t chunk_count;
	struct slot_chunk **chunks; /* by chunk of the pool, NULL where the chunk is general; atomic */

	pthread_mutex_t slots_lock;
	struct slot_chunk *free_chunks;
	uint64_t slot_chunks;     /* how many chunks of slots there are; atomic */
	struct inode_slab *slabs; /* atomic; pushed under the slots lock, never taken away */

	struct gc_queue gc;

	pthread_mutex_t rename_lock;

	struct project *projects[NOVA_PROJECT_BUCKETS]; /* atomic; pushed under the lock, never taken away */
	pthread_mutex_t projects_lock;
	bool limits_known; /* the root's log has been replayed: what a later replay finds of limits may be old */

	pthread_mutex_t workers_lock;
	struct nova_worker *workers[NOVA_JOURNAL_RINGS]; /* atomic; a worker once made stays until unmount */
	uint32_t workers_ever;                           /* atomic: rings from this one on have had no worker */
	bool ring_taken[NOVA_JOURNAL_RINGS];
	uint64_t ring_sequence[NOVA_JOURNAL_RINGS];

	int64_t promised;            /* at mount and of closed workers; atomic */
	int64_t inodes;              /* likewise */
	uint64_t nameless;           /* inodes without a name; atomic */
	uint64_t quarantined_blocks; /* atomic */

	uint64_t cache_bytes;          /* limit of in-core inodes and their indexes, 0 = by the number of slots */
	uint64_t incore;               /* in-core inodes; atomic */
	uint64_t index_bytes;          /* of all indexes; atomic */
	uint64_t index_goal;           /* with more the hand moves; atomic */
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

/* A count that only its worker changes and others read: no locked instruction, which would wait for stores underway. */
static inline void worker_count(int64_t *count, int change)
{
	__atomic_store_n(count, __atomic_load_n(count, __ATOMIC_RELAXED) + change, __ATOMIC_RELAXED);
}

static inline void spin_lock(bool *lock)
{
	while (__atomic_exchange_n(lock, true, __ATOMIC_ACQUIRE))
		while (__atomic_load_n(lock, __ATOMIC_RELAXED))
			sched_yield();
}

static inline void spin_unlock(bool *lock)
{
	__atomic_store_n(lock, false, __ATOMIC_RELEASE);
}

#endif
