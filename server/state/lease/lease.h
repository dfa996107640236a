/*
 * lease.h -- what a session may know without asking: holders, the changes that take it from them, and recalls.
 *
 * A lease of an inode lets its holder go by what it was told of the inode until it is told otherwise. There may be
 * several kinds, each with its own use; what they have in common is here. For each inode with leases or with a change
 * under way the table knows the holders and the changes. The invariants, which lease.c implements and nothing else may
 * touch:
 *
 *  1. A lease is granted only while no change of what it covers is under way. A change that finds leases of other
 *     sessions waits until each has been recalled and has returned. So while a session holds a lease only its own
 *     changes run, and what it was told stays true until it is told otherwise.
 *  2. What a session is told is numbered (invalidations, from 1). `quiesced` >= n says that the session has acted on n
 *     and uses nothing that n took from it. Only then is a recalled lease gone.
 *  3. A session that ends has its queue pair destroyed before lease_owner_end, and so before any of the above.
 *
 * The states of a holder:
 *
 *     (none) --lease_grant--> HOLDING
 *     HOLDING --lease_change_begin of another session--> POSTED --its mail is delivered--> RECALLED
 *     HOLDING --lease_recall--> RECALLED
 *     HOLDING --lease_give_up, a change of its own with `drop_own`--> LEAVING
 *     POSTED --lease_give_up, a change of its own--> RECALLED
 *     RECALLED, LEAVING --lease_quiesced--> gone            any --lease_owner_end--> gone
 *
 * A holder that stays RECALLED for longer than the recall time-out is an offence (lease_tick): the session's connection
 * is to be ended, which ends the lease, and the session has a penalty (penalty.h).
 *
 * Changes wait for HOLDING, POSTED and RECALLED holders of other sessions, not for LEAVING ones: those have given up
 * what they knew, but may be using it still.
 *
 * Thread safety: an owner and its holders are used by the session's thread; what other threads need of them is under
 * the lock of the inode's shard. No lock of the table is held while the core is called.
 */
#ifndef FARNOVA_SERVER_LEASE_H
#define FARNOVA_SERVER_LEASE_H

#include "proto/proto.h"
#include "server/net/mailbox.h"
#include "server/state/lease/penalty.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum lease_kind {
	LEASE_DATA, /* where a file's blocks are, and its size: see layout.h */
	LEASE_KINDS,
};

struct lease_entry;
struct lease_owner;
struct lease_table;

enum lease_state { LEASE_HOLDING, LEASE_POSTED, LEASE_RECALLED, LEASE_LEAVING };

/* The first member of what a kind has of its own. */
struct lease_holder {
	struct mail mail;          /* to the owner's thread: recall this */
	struct lease_owner *owner; /* NULL once gone */
	struct lease_entry *entry;
	struct lease_holder *next_of_entry;
	/* In owner->holding (newest use first) or owner->returning (by number). */
	struct lease_holder *previous, *next;
	struct proto_handle handle;
	enum lease_kind kind;
	enum lease_state state; /* under the shard's lock */
	bool mail_pending;      /* under the shard's lock: the mail is on its way, the holder must stay */
	uint64_t number;        /* RECALLED, LEAVING: invalidation that told the session */
	int64_t told_ms;        /* when that was */
	int64_t since_ms;       /* the same, but later by the time in which the server could not run */
};

/* What a kind does. All are called in the owner's thread. */
struct lease_kind_ops {
	size_t holder_size; /* of a structure that begins with a struct lease_holder and is valid as zeros */
	/* The session is being told that the lease has ended: nothing more is given out by it. Under the shard's lock,
	 * `number` is set. */
	void (*on_recall)(struct lease_holder *holder);
	/* The session uses nothing of it any more; what it may still do by it must end before changes go on. */
	void (*on_end)(struct lease_owner *owner, struct lease_holder *holder);
	/* It is out of the table: no other thread adds to it any more. */
	void (*on_gone)(struct lease_owner *owner, struct lease_holder *holder);
};

struct lease_list {
	struct lease_holder *first, *last;
	size_t count;
};

/* A session's half of the table. Set the first group of fields before the first grant. */
struct lease_owner {
	struct lease_table *table;
	struct mailbox *mailbox; /* of the session's thread */
	/* Send a RECALL to the session; `handle.ino` 0 asks only for its `quiesced`. */
	void (*notify)(struct lease_owner *owner, uint64_t number, struct proto_handle handle);
	/* The session has quiesced `number`: end what waits for it beside holders. Comes before their on_end. */
	void (*on_quiesced)(struct lease_owner *owner, uint64_t number);

	bool connected;
	uint64_t invalidation_issued; /* the newest */
	uint64_t quiesced;
	uint64_t asked; /* newest number a RECALL has asked the session to quiesce */
	struct penalty penalty;
	struct lease_list holding;   /* HOLDING and POSTED */
	struct lease_list returning; /* RECALLED and LEAVING */
};

/* ---- the table -------------------------------------------------------------------------------------------------- */

/* lease_table_create -- `kinds` by enum lease_kind. `share_ms`: how long after a recall an inode has no leases. NULL
 * without memory. lease_table_destroy -- all owners must have ended. */
struct lease_table *lease_table_create(const struct lease_kind_ops *const kinds[LEASE_KINDS], unsigned share_ms);
void lease_table_destroy(struct lease_table *table);

/* lease_sweep -- forget inodes that were kept only because sharing forbade leases; call about once a second. */
void lease_sweep(struct lease_table *table);

/* ---- owners ----------------------------------------------------------------------------------------------------- */

void lease_owner_init(struct lease_owner *owner, struct lease_table *table);

/*
 * lease_quiesced -- a request said `quiesced`: let go what waited for it. -EPROTO if the session was never told so many
 * invalidations.
 */
int lease_quiesced(struct lease_owner *owner, uint64_t quiesced);

/* lease_request_quiesce -- ask the session for its `quiesced`, if there is a number that it was not asked for yet. */
void lease_request_quiesce(struct lease_owner *owner);

/*
 * lease_tick -- call a few times a second. -ETIMEDOUT when a recall has not been answered for `recall_ms`: the session
 * has its penalty, and its connection is to be ended.
 */
int lease_tick(struct lease_owner *owner, int64_t now_ms, int64_t recall_ms);

/* lease_extend -- nobody could be heard for so long: what the session owes is due so much later, but no more than
 * `most_ms` in all. */
void lease_extend(struct lease_owner *owner, int64_t late_ms, int64_t most_ms);

/*
 * lease_owner_end -- all leases of the session end; its connection has been closed before, so nothing can be READ
 * through it any more. The owner may be used again afterwards; its numbering goes on.
 */
void lease_owner_end(struct lease_owner *owner);

/* ---- grants ----------------------------------------------------------------------------------------------------- */

/*
 * lease_grant -- enter `owner` as a holder of the inode, or find that it is one. From now on until it has returned no
 * other session's change runs, so what the core says afterwards may be handed out. -EBUSY while a change is under way,
 * sharing forbids leases, the session has too much to return or a penalty; -ENOMEM.
 */
int lease_grant(struct lease_owner *owner, enum lease_kind kind, struct proto_handle handle, struct lease_holder **out);

/* lease_recall -- take back a lease that is HOLDING or POSTED. */
void lease_recall(struct lease_holder *holder);

/* lease_give_up -- the session has forgotten, by its own doing, what it was told of the inode. */
void lease_give_up(struct lease_owner *owner, enum lease_kind kind, struct proto_handle handle);

/* ---- changes ---------------------------------------------------------------------------------------------------- */

/* A request that waits for leases to return. The caller embeds it; it stays until resumed or cancelled. */
struct lease_waiter {
	struct mail mail; /* set `mail.deliver`: called in the owner's thread when the change may go on */
	struct lease_owner *owner;
	struct lease_entry *entry;
	struct lease_waiter *next;
	enum lease_kind kind;
	uint64_t ino;
	bool posted; /* under the shard's lock */
};

struct lease_change {
	struct lease_owner *owner;
	struct lease_entry *entry;
	struct lease_holder *own; /* the session's own lease, which goes on */
	enum lease_kind kind;
	uint64_t ino;
	uint64_t number; /* of `own`: the invalidation by which the session learns of the change */
	bool recalled;   /* others had to give up their leases for it */
};

/*
 * lease_change_begin -- announce a change of what leases of this kind of the inode cover. 0: it may run now. 1: leases
 * are being recalled; once waiter->mail has been delivered call lease_change_go (or lease_change_abandon). -ENOMEM.
 * With `drop_own` the session's own lease ends too, and the session is told by a RECALL.
 */
int lease_change_begin(struct lease_owner *owner, enum lease_kind kind, struct proto_handle handle, bool drop_own,
                       struct lease_waiter *waiter, struct lease_change *change);

/* lease_is_shared -- whether a change of the inode by `owner` would have to recall now. */
bool lease_is_shared(struct lease_owner *owner, enum lease_kind kind, struct proto_handle handle);

/* lease_change_go -- the change that waited with `waiter` may run now. */
void lease_change_go(struct lease_waiter *waiter, bool drop_own, struct lease_change *change);

/* lease_change_end -- it has run, or failed. */
void lease_change_end(struct lease_change *change);

/* lease_change_abandon -- the change that waited will not run; its mail has been delivered. */
void lease_change_abandon(struct lease_waiter *waiter);

/* lease_change_cancel -- it will not run, and may still be waiting. False: the mail is on its way, keep the waiter. */
bool lease_change_cancel(struct lease_waiter *waiter);

#endif
