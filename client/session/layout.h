/*
 * layout.h -- which files this client may READ, where their bytes lie, and which READs are under way.
 *
 * The rule that keeps freed blocks from being read (docs/layouts.md): a READ notes the newest invalidation acted
 * on, then looks up the extent, and stays in the list until it has completed; `quiesced` is the oldest noted number.
 * All of it under the connection's lock.
 */
#ifndef FARNOVA_CLIENT_LAYOUT_H
#define FARNOVA_CLIENT_LAYOUT_H

#include "client/link/poller.h"
#include "client/session/extent_tree.h"
#include "proto/proto.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

struct connection;

/* A file some farnova_file of this connection has open. */
struct inode {
	LIST_ENTRY(inode) entry; /* in its bucket */
	struct proto_handle handle;
	unsigned opens;
	bool layout; /* held: `size` and the extents are true */
	uint64_t size;
	struct extents extents;
	int64_t ask_ns; /* no layout is asked for before this time: a recall or a refusal said that others write */
	/*
	 * Changes of this client under way. Until the reply of a change has been acted on other clients may have seen
	 * it already, so a READ under the layout could show something older than what a caller here knows of.
	 */
	unsigned changing;
};

/* One-sided READs that a call has under way. */
struct reads {
	TAILQ_ENTRY(reads) entry; /* in order of `seen` */
	uint64_t seen;
	struct operations operations;
	bool lost; /* the connection has ended before they completed */
};

LIST_HEAD(inode_bucket, inode);

struct layouts {
	struct inode_bucket *buckets;
	size_t bucket_count, inode_count;
	struct extent_pool pool;
	TAILQ_HEAD(, reads) reads; /* under way, the oldest first */
	uint64_t seen;             /* newest invalidation acted on */
	uint64_t quiesced_sent;    /* the `quiesced` the server has been told */
	uint64_t return_due;       /* newest recall to answer */
	unsigned blind_changes;    /* changes under way of files not known before the reply */
};

int layout_init(struct layouts *layouts);
void layout_destroy(struct layouts *layouts);

/*
 * layout_reserve -- memory for layout_open, to be had before a request that may change something, as an open that fails
 * must not; NULL without memory. To be freed if it has not been used.
 *
 * layout_open -- the inode of `handle`, one open more; it takes what was reserved, and leaves NULL there, if the inode
 * was not open. layout_close undoes it.
 */
struct inode *layout_reserve(void);
struct inode *layout_open(struct layouts *layouts, struct proto_handle handle, struct inode **reserved);
void layout_close(struct layouts *layouts, struct inode *inode);

/* layout_granted -- the server's answer to OPEN, REOPEN or LAYOUT_GET: the extents are true from now on. */
void layout_granted(struct layouts *layouts, struct inode *inode, uint64_t size, const struct proto_extent *extents,
                    uint32_t count);
/* layout_refused -- the server has said no: ask again later. */
void layout_refused(struct inode *inode);
/* layout_written -- what the reply to a write of this client says of the layout. */
void layout_written(struct layouts *layouts, struct inode *inode, const struct proto_reply *reply);
/* layout_replaced -- of the layout, if the file has one, only [offset, offset + length) is not true any more; the file
 * has `size` bytes now. */
void layout_replaced(struct layouts *layouts, struct inode *inode, uint64_t size, uint64_t offset, uint64_t length);
/* layout_drop -- forget the layout of the file, if it has one. */
void layout_drop(struct layouts *layouts, struct inode *inode);
void layout_drop_handle(struct layouts *layouts, struct proto_handle handle);
/* layout_drop_all -- layouts end with the connection, and READs under way are lost. */
void layout_drop_all(struct layouts *layouts, struct connection *link);

/* layout_recall -- act on a recall. */
void layout_recall(struct layouts *layouts, const struct proto_recall *recall);

/* layout_usable -- whether the file may be READ now. */
bool layout_usable(const struct layouts *layouts, const struct inode *inode);

/* layout_reads_begin, layout_reads_end -- around the look-up of extents and the READs of them. True: the server may be
 * waiting to be told what has quiesced. */
void layout_reads_begin(struct layouts *layouts, struct reads *reads);
bool layout_reads_end(struct layouts *layouts, struct reads *reads);

/* layout_quiesced -- for the header of every request. */
uint64_t layout_quiesced(const struct layouts *layouts);

#endif
