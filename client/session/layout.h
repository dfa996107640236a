/*
 * layout.h -- the layouts of this client: which files it may READ, where their extents lie, and which READs are in
 * flight.
 *
 * The protocol that prevents READs of reused blocks (docs/layouts.md): a READ first notes the newest invalidation that
 * the client has acted on, then looks up the extent, and stays in the list until it completes. `quiesced` is the lowest
 * noted number.
 *
 * The connection's lock guards all of this. A thread that READs by a channel (channel.h) has only the channel's lock.
 * So whatever such a thread looks at (layouts, extents, `seen`, `return_due`, whether an inode is there) changes only
 * while the locks of all channels are held too, and each connection has a list of its own of READs in flight.
 */
#ifndef FARNOVA_CLIENT_LAYOUT_H
#define FARNOVA_CLIENT_LAYOUT_H

#include "client/include/farnova.h"
#include "client/link/poller.h"
#include "client/session/extent_tree.h"
#include "proto/proto.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

struct connection;

/* An inode that this connection has open. */
struct inode {
	LIST_ENTRY(inode) entry; /* in its bucket */
	struct proto_handle handle;
	unsigned opens;
	bool layout; /* held: `size` and the extents are valid */
	uint64_t size;
	struct extents extents;
	int64_t ask_ns; /* earliest time to request a layout, after a recall or a refusal because of other writers */
	/*
	 * Number of this client's changes in progress. Other clients may see a change before this client handles its
	 * reply. Until then a READ under the layout could return data older than what a caller already knows.
	 */
	atomic_uint changing;
	uint64_t ended;                    /* how many layouts have ended */
	struct invalidation *invalidation; /* the program keeps contents: to be given to it when the layout ends */
};

/* The one-sided READs that a call has in flight. */
struct reads {
	TAILQ_ENTRY(reads) entry; /* sorted by `seen` */
	uint64_t seen;
	struct operations operations;
	bool lost; /* the connection ended before they completed */
};

/*
 * A file of which the program keeps contents outside of the library (farnova_pread_cached).
 *
 *             layout_keep                        layout_drop                      layout_invalidated
 *   reserved -------------> with its inode ---------------------> in the list -----------------------> freed
 *                                |                                     | layout_drop_all                  ^
 *                                | layout_close                        v                                  |
 *                                +--> freed                       in no list ----- layout_invalidated ----+
 *
 * While it is in the list, `quiesced` stays below the invalidation that ended the layout, so the server lets no change
 * run. After a loss of the connection the server waits for nothing, so it is in no list.
 */
struct invalidation {
	struct farnova_invalidation program; /* what the program sees; first */
	TAILQ_ENTRY(invalidation) entry;     /* sorted by `seen` */
	uint64_t seen;
	bool listed;
};

/* The READs in flight by one connection, the oldest first. That connection's lock guards them. */
struct reads_list {
	struct connection *link;
	TAILQ_HEAD(, reads) list;
	atomic_uint_least64_t oldest; /* `seen` of the first, UINT64_MAX: none; any thread reads it */
};

LIST_HEAD(inode_bucket, inode);

struct layouts {
	struct inode_bucket *buckets;
	size_t bucket_count, inode_count;
	struct extent_pool pool;
	struct reads_list reads; /* by the session's connection */
	struct reads_list *channels[PROTO_MAX_CHANNELS];
	unsigned channel_count;
	TAILQ_HEAD(, invalidation) invalidations; /* that the program has to carry out, the oldest first */
	void (*invalidate)(void *context, struct farnova_invalidation *invalidation);
	void *invalidate_context;
	uint64_t seen;             /* newest invalidation that was acted on */
	uint64_t quiesced_sent;    /* the last `quiesced` that was sent to the server */
	uint64_t return_due;       /* newest recall that needs an answer */
	atomic_uint blind_changes; /* changes in progress whose file only the reply identifies */
};

int layout_init(struct layouts *layouts);
void layout_destroy(struct layouts *layouts);

/* layout_reads_init -- a list without READs, of a connection. layout_add_channel -- READs are made with its lock alone
 * too; before the connection is used by more than one thread. */
void layout_reads_init(struct reads_list *reads, struct connection *link);
void layout_add_channel(struct layouts *layouts, struct reads_list *reads);

/*
 * layout_reserve -- allocate memory for layout_open; NULL without memory. Call it before a request that may change
 * something, since such a request must not fail afterwards. The caller frees it if layout_open did not use it.
 *
 * layout_open -- the inode of `handle` with one more open. If the inode was not open yet, it uses the reserved memory
 * and sets that pointer to NULL. layout_close undoes layout_open.
 */
struct inode *layout_reserve(void);
struct inode *layout_open(struct layouts *layouts, struct proto_handle handle, struct inode **reserved);
void layout_close(struct layouts *layouts, struct inode *inode);

/* layout_granted -- the reply to OPEN, REOPEN or LAYOUT_GET grants a layout: its extents are valid from now on. */
void layout_granted(struct layouts *layouts, struct inode *inode, uint64_t size, const struct proto_extent *extents,
                    uint32_t count);
/* layout_refused -- the server refused a layout: ask again later. */
void layout_refused(struct inode *inode);
/* layout_written -- apply what the reply to a write of this client says of the layout. */
void layout_written(struct layouts *layouts, struct inode *inode, const struct proto_reply *reply);
/* layout_replaced -- invalidate only [offset, offset + length) of the layout, if there is one; the file's size is now
 * `size`. */
void layout_replaced(struct layouts *layouts, struct inode *inode, uint64_t size, uint64_t offset, uint64_t length);
/* layout_drop -- forget the layout of the file, if there is one, and tell the program if it keeps contents. */
void layout_drop(struct layouts *layouts, struct inode *inode);
void layout_drop_handle(struct layouts *layouts, struct proto_handle handle);
/* layout_drop_all -- the session's connection has ended: forget all layouts, and lose its READs. layout_lose_reads --
 * this connection has ended: its READs in flight are lost; its lock is held. */
void layout_drop_all(struct layouts *layouts);
void layout_lose_reads(struct reads_list *reads);

/*
 * layout_keep -- the program keeps contents of the file until its layout ends; the layout is held. If that was not
 * known yet, it uses `*reserved` and sets it to NULL. The caller frees what is left.
 *
 * layout_invalidated -- the program keeps nothing of the file any more; frees the structure. True: the server may be
 * waiting for a newer `quiesced`.
 */
void layout_keep(struct inode *inode, struct invalidation **reserved);
bool layout_invalidated(struct layouts *layouts, struct invalidation *invalidation);

/* layout_see -- everything has been done that invalidations up to `number` ask for. */
void layout_see(struct layouts *layouts, uint64_t number);

/* layout_recall -- process a recall. */
void layout_recall(struct layouts *layouts, const struct proto_recall *recall);

/* layout_usable -- whether the client may READ the file now. The lock of the connection or of a channel is held. */
bool layout_usable(const struct layouts *layouts, const struct inode *inode);

/*
 * layout_reads_begin, layout_reads_end -- enclose the lookup of extents and the READs of them by the connection of
 * `list`, whose lock is held. layout_reads_recalled -- whether the server may have been waiting for their end.
 */
void layout_reads_begin(const struct layouts *layouts, struct reads_list *list, struct reads *reads);
void layout_reads_end(struct reads_list *list, struct reads *reads);
bool layout_reads_recalled(const struct layouts *layouts, const struct reads *reads);

/* layout_channels_behind -- whether a channel has READs in flight that the server may be waiting for. */
bool layout_channels_behind(const struct layouts *layouts);

/* layout_quiesced -- the value of `quiesced` for the header of every request. */
uint64_t layout_quiesced(const struct layouts *layouts);

#endif
