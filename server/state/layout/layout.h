/*
 * layout.h -- who may READ which file's blocks, and when a freed block may be used again.
 *
 * A layout lets a session READ a file's blocks without asking. The table knows, for each inode with layouts or with a
 * change under way, its holders and the changes. The invariants, which layout.c implements and nothing else may touch:
 *
 *  1. A layout is granted only while no change of the inode is under way. A change that finds layouts of other sessions
 *     waits until each has been recalled and has returned. So while a session holds a layout only its own changes run,
 *     and what it was told stays true until it is told otherwise.
 *  2. What a session is told is numbered (invalidations, from 1). `quiesced` >= n says that the session has acted on n
 *     and has no READ in flight that was started before. Only then is a recalled layout gone, a replaced region's
 *     registration ended, and a block freed under n used again.
 *  3. A session that ends has its queue pair destroyed before layout_owner_end, and so before any of the above.
 *
 * States of a holder: HOLDING -> POSTED (a change in another thread wants it back) -> RECALLED (the session has been
 * told, changes wait) -> gone. HOLDING -> LEAVING (given up by the session's own CLOSE or truncation: changes need not
 * wait, blocks do) -> gone.
 *
 * Thread safety: an owner and its holders are used by the session's thread; what other threads need of them is under
 * the lock of the inode's shard. No lock of the table is held while the core is called, and none is taken inside it.
 */
#ifndef FARNOVA_SERVER_LAYOUT_H
#define FARNOVA_SERVER_LAYOUT_H

#include "proto/proto.h"
#include "server/net/mailbox.h"
#include "server/nova/nova.h"
#include "server/state/layout/regions.h"

#include <stdbool.h>
#include <stdint.h>

struct layout_table;
struct layout_entry;

/* layout_table_create -- `share_ms`: how long after a recall an inode has no layouts. NULL without memory. */
struct layout_table *layout_table_create(unsigned share_ms);
/* layout_table_destroy -- all owners must have ended. */
void layout_table_destroy(struct layout_table *table);

/* layout_quarantined_blocks -- how many freed blocks wait for READs to end. */
uint64_t layout_quarantined_blocks(const struct layout_table *table);

/* layout_quarantine_blocks -- for struct nova_mount_options; `context` is the table, `freed->change` a struct
 * layout_change of which `owner` is set, or NULL. */
enum nova_quarantine layout_quarantine_blocks(void *context, const struct nova_freed *freed);

/* layout_sweep -- forget inodes that were kept only because sharing forbade layouts; call about once a second. */
void layout_sweep(struct layout_table *table, int64_t now_ms);

/* ---- owners ----------------------------------------------------------------------------------------------------- */

enum layout_state { LAYOUT_HOLDING, LAYOUT_POSTED, LAYOUT_RECALLED, LAYOUT_LEAVING };

struct quarantined;

struct layout_holder {
	struct mail mail; /* to the owner's thread: recall this */
	struct layout_owner *owner;
	struct layout_entry *entry; /* NULL once dead */
	struct layout_holder *next_of_entry;
	/* In owner->holding (newest use first) or owner->returning (by number). */
	struct layout_holder *previous, *next;
	struct proto_handle handle;
	enum layout_state state;         /* under the shard's lock */
	bool mail_pending;               /* under the shard's lock: the mail is on its way, the holder must stay */
	uint64_t number;                 /* RECALLED, LEAVING: invalidation that told the session */
	int64_t since_ms;                /* when it was told */
	struct region_set regions;       /* HOLDING, POSTED */
	struct region *retired;          /* RECALLED, LEAVING: ended when the holder goes */
	struct quarantined *quarantined; /* blocks that wait for this holder to go; under the shard's lock */
};

struct holder_list {
	struct layout_holder *first, *last;
	size_t count;
};

/* A session's half of the table. Set the first group of fields before the first grant. */
struct layout_owner {
	struct layout_table *table;
	struct mailbox *mailbox;  /* of the session's thread */
	struct nova_worker *nova; /* of the session's thread */
	size_t max_regions;
	/* Send a RECALL to the session; `handle.ino` 0 asks only for its `quiesced`. */
	void (*notify)(struct layout_owner *owner, uint64_t number, struct proto_handle handle);

	bool connected;               /* registrations are alive */
	uint64_t invalidation_issued; /* newest invalidation number given out */
	uint64_t quiesced;
	uint64_t asked;                       /* newest number a RECALL has asked the session to quiesce */
	size_t regions;                       /* registered now */
	struct holder_list holding;           /* HOLDING and POSTED */
	struct holder_list returning;         /* RECALLED and LEAVING */
	struct quarantined *quarantine_first; /* of changes by this session itself, by number */
	struct quarantined *quarantine_last;
	uint64_t quarantined_blocks; /* in that list */
};

void layout_owner_init(struct layout_owner *owner, struct layout_table *table);

/*
 * layout_note_quiesced -- a request said `quiesced`: let go what waited for it. -EPROTO if the session was never told
 * so many invalidations.
 */
int layout_note_quiesced(struct layout_owner *owner, uint64_t quiesced);

/* layout_request_quiesce -- ask the session for its `quiesced`, if anything waits for it that it was not asked for yet.
 */
void layout_request_quiesce(struct layout_owner *owner);

/*
 * layout_tick -- call a few times a second: asks a session that blocks have waited for; -ETIMEDOUT when it has not
 * answered a recall or such a request for `lease_ms`, and its connection is to be ended.
 */
int layout_tick(struct layout_owner *owner, int64_t now_ms, int64_t lease_ms);

/* layout_extend -- nobody could be heard for so long: what the session owes is due so much later. */
void layout_extend(struct layout_owner *owner, int64_t late_ms);

/*
 * layout_owner_end -- all layouts of the session end; its connection has been closed before, so nothing can be READ
 * through it any more. The owner may be used again afterwards; its numbering goes on.
 */
void layout_owner_end(struct layout_owner *owner);

/* ---- grants ----------------------------------------------------------------------------------------------------- */

/*
 * layout_grant -- enter `owner` as a holder of the inode, or find that it is one. From now on until it has returned no
 * other session's change runs, so what nova_map says afterwards may be handed out. -EBUSY while a change is under way,
 * sharing forbids layouts or the session has too much to return; -ENOMEM.
 */
int layout_grant(struct layout_owner *owner, struct proto_handle handle, struct layout_holder **out);

/* layout_room -- whether `holder` may have one more region; recalls the session's least recently used other layout if
 * that is needed to make room later. */
bool layout_room(struct layout_owner *owner, const struct layout_holder *holder);

/* layout_file_closed -- the session has closed its last open of the inode and forgotten its extents. */
void layout_file_closed(struct layout_owner *owner, struct proto_handle handle);

/* ---- changes ---------------------------------------------------------------------------------------------------- */

/* A request that waits for layouts to return. The caller embeds it; it stays until resumed or cancelled. */
struct layout_waiter {
	struct mail mail; /* set `mail.deliver`: called in the owner's thread when the change may go on */
	struct layout_owner *owner;
	struct layout_entry *entry;
	struct layout_waiter *next;
	uint64_t ino;
	bool posted; /* under the shard's lock */
};

struct layout_change {
	struct layout_owner *owner;
	struct layout_entry *entry;
	struct layout_holder *own; /* the session's own layout, which goes on */
	uint64_t ino;
	uint64_t number; /* the invalidation under which blocks it frees are quarantined */
	bool recalled;   /* others had to give up their layouts for it */
};

/*
 * layout_change_begin -- announce a change of the inode. 0: it may run now. 1: layouts are being recalled; once
 * waiter->mail has been delivered call layout_change_go (or layout_change_abandon). -ENOMEM. With `drop_own` the
 * session's own layout ends too, and the session is told by a RECALL.
 */
int layout_change_begin(struct layout_owner *owner, struct proto_handle handle, bool drop_own,
                        struct layout_waiter *waiter, struct layout_change *change);

/* layout_change_go -- the change that waited with `waiter` may run now. */
void layout_change_go(struct layout_waiter *waiter, bool drop_own, struct layout_change *change);

/* layout_change_abandon -- the change that waited will not run; its mail has been delivered. */
void layout_change_abandon(struct layout_waiter *waiter);

/* layout_change_cancel -- it will not run, and may still be waiting. False: the mail is on its way, keep the waiter. */
bool layout_change_cancel(struct layout_waiter *waiter);

/* What a change means for the session's own layout of the file. */
struct layout_effect {
	struct layout_holder *holder; /* NULL: it holds none */
	uint64_t offset, length;      /* what it knew of this range is no longer true */
};

/*
 * layout_change_end -- it has run (or failed); [offset, offset + length) of the file has changed, in whole blocks;
 * length 0: nothing has. Registrations that touch the range are retired.
 */
void layout_change_end(struct layout_change *change, uint64_t offset, uint64_t length, struct layout_effect *effect);

#endif
