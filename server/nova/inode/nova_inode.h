/*
 * nova_inode.h -- an inode in DRAM.
 */
#ifndef FARNOVA_NOVA_NOVA_INODE_H
#define FARNOVA_NOVA_NOVA_INODE_H

#include "server/nova/core.h"
#include "server/nova/inode/dir_index.h"
#include "server/nova/inode/file_index.h"
#include "server/nova/log/log_state.h"
#include "server/nova/space/space_use.h"

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
	uint32_t flags;   /* NOVA_FLAG_* */
	bool loaded;      /* the log has been replayed */
	bool indexed;     /* the index is complete */
	bool used;        /* since the hand of the clock passed; atomic */
	bool has_xattrs;  /* known with the attributes; stays while the index is dropped */
	bool partial;     /* rescue: a directory of which the names up to a damage are known */
	uint32_t pins;    /* nova_open minus nova_close */
	uint32_t loading; /* nova_load is at it, or about to be; atomic */
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
	uint64_t index_bytes;              /* what of the index is counted in fs->index_bytes */
	SLIST_ENTRY(nova_inode) next_free; /* while it belongs to no slot: the worker's next one */
	struct xattr_index *xattrs;        /* NULL while there are none */
	/* The XATTR entry with the access ACL, or NULL; stays while the index is dropped. */
	const struct nova_entry *acl;
};

#endif
