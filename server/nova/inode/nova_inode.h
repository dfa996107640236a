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

/* The progress of GC in a log (change/gc.c). It is lost with the index; zeros are the initial state. */
struct gc_state {
	uint64_t round;     /* position at which this round ends: the tail when it began */
	uint64_t copied;    /* lines of extents that this round has appended so far */
	uint64_t sweep;     /* position before which all extents are dead once the sweep has ended, 0 = no sweep */
	uint64_t swept;     /* file block up to which the sweep has written all extents again */
	uint64_t extents;   /* of the file, at the last call of gc_if_due */
	uint64_t blocks;    /* of the file, at the same call */
	uint64_t split;     /* extents that were split since this round began, at most */
	uint64_t was_split; /* extents split before this round that it may not have scanned yet */
	uint64_t position;  /* extents of entries before this one are done, */
	uint32_t index;     /* those of this entry before this index, */
	uint64_t block;     /* and of the extent at this index the file blocks before this one */
	uint64_t limit;     /* GC ignores a log of fewer pages, because the last slice failed */
	uint64_t tail;      /* at the last call of gc_if_due, 0 = never called */
	uint64_t rest;      /* pages that were left after the last idle GC */
	bool queued;        /* in the queue for idle GC */
	bool sweep_due;     /* a sweep is to begin as soon as the log has room for it */
};

/* An inode in DRAM, in the state of `generation`. All fields are under the lock. incore.h says who may keep a pointer
 * to it. State that must survive eviction is in the slot and the log, or the inode is pinned. */
struct nova_inode {
	pthread_rwlock_t lock;
	uint64_t ino; /* the slot it belongs to now, 0 = none */
	uint32_t generation;
	uint8_t life; /* enum nova_life */
	uint8_t type; /* S_IFMT bits >> 12 */
	uint16_t mode;
	uint32_t flags;  /* NOVA_FLAG_* */
	bool loaded;     /* the log has been replayed */
	bool indexed;    /* the index is complete */
	bool used;       /* since the hand of the clock passed; atomic */
	bool has_xattrs; /* known with the attributes; stays while the index is dropped */
	bool partial;    /* rescue: a directory of which only the names before a damage are known */
	uint32_t pins;   /* nova_open minus nova_close */
	uint32_t busy;   /* workers that hold it for long, or are about to (long.h); atomic */
	uint32_t closes; /* nova_close's that are left to those workers; each has a pin; atomic */
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
	uint64_t index_bytes; /* of this index, as counted in fs->index_bytes */
	/* While it belongs to no slot: in the worker's free_inodes. While it is dead and has its blocks: in fs->dead. */
	SLIST_ENTRY(nova_inode) next_free;
	struct xattr_index *xattrs; /* NULL while there are none */
	/* The XATTR entry with the access ACL, or NULL; stays while the index is dropped. */
	const struct nova_entry *acl;
};

#endif
