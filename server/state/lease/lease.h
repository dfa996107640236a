/*
 * lease.h -- leases of inodes: their holders, the changes that end them, and recalls.
 *
 * The holder of a lease may use what it knows of the inode without asking, until an invalidation. There may be several
 * kinds of lease; this file has what all kinds share. For each inode with leases or with a change under way the table
 * lists the holders and the changes. lease.c alone maintains these invariants:
 *
 *  1. A lease is granted only while no change of what it covers is under way. A change waits until all leases of other
 *     sessions have been recalled and returned. So while a session holds a lease, only its own changes run, and what it
 *     knows stays true until an invalidation.
 *  2. The invalidations of a session are numbered from 1. `quiesced` >= n means that the session has acted on
 *     invalidation n and uses nothing that n took from it. Only then does a recalled lease end.
 *  3. When a session ends, its queue pair is destroyed before lease_owner_end, so nothing above can happen while it
 *     still READs.
 *
 * The states of a holder:
 *
 *     (none) --lease_grant--> HOLDING
 *     HOLDING --lease_change_begin of another session--> POSTED --its mail is delivered--> RECALLED
 *     HOLDING --lease_recall--> RECALLED
 *     HOLDING --lease_give_up, a change of its own with `drop_own`--> LEAVING
 *     POSTED --lease_give_up, a change of its own--> RECALLED
 *     RECALLED, LEAVING --lease_quiesced--> removed         any --lease_owner_end--> removed
 *
 * A holder must not stay RECALLED for longer than the recall time-out (lease_tick): then the caller ends the session's
 * connection, which ends the lease, and the session gets a penalty (penalty.h).
 *
 * A change waits for HOLDING, POSTED and RECALLED holders of other sessions, but not for LEAVING ones: these have given
 * up the lease but may not have quiesced yet.
 *
 * Thread safety: the session's thread uses an owner and its holders; the lock of the inode's shard protects the fields
 * that other threads use. No lock of the table is held while the core is called.
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
	LEASE_DATA, /* of a file's extents and size: see layout.h */
	LEASE_KINDS,
};

struct lease_entry;
struct lease_owner;
struct lease_table;

enum lease_state { LEASE_HOLDING, LEASE_POSTED, LEASE_RECALLED, LEASE_LEAVING };

/* The first member of the holder structure of each kind. */
struct lease_holder {
	struct mail mail;          /* to the owner's thread: recall this lease */
	struct lease_owner *owner; /* NULL once removed */
	struct lease_entry *entry;
	struct lease_holder *next_of_entry;
	/* In owner->holding (newest use first) or owner->returning (by number). */
	struct lease_holder *previous, *next;
	struct proto_handle handle;
	enum lease_kind kind;
	enum lease_state state; /* under the shard's lock */
	bool mail_pending;      /* under the shard's lock: the mail is on its way, so the holder must not be freed */
	uint64_t number;        /* RECALLED, LEAVING: of the invalidation that ended the lease */
	int64_t issued_ms;      /* when that was issued */
	int64_t since_ms;       /* the same, plus the time in which the server could not run */
};

/* The operations of a kind. All are called in the owner's thread. */
struct lease_kind_ops {
	size_t holder_size; /* of a structure that begins with a struct lease_holder and may be all zeros */
	/* The lease is being recalled: from now on the server grants nothing more under it. Called under the shard's
	 * lock, `number` is set. */
	void (*on_recall)(struct lease_holder *holder);
	/* The session has quiesced: end its rights under the lease before changes continue. */
	void (*on_end)(struct lease_owner *owner, struct lease_holder *holder);
	/* The holder is no longer in the table: no other thread adds to it any more. */
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
	/* Send a RECALL to the session; with `handle.ino` 0 it only asks for `quiesced`. */
	void (*notify)(struct lease_owner *owner, uint64_t number, struct proto_handle handle);
	/* The session has quiesced `number`: end everything but holders that waits for it. Called before on_end. */
	void (*on_quiesced)(struct lease_owner *owner, uint64_t number);

	bool connected;
	uint64_t invalidation_issued; /* the newest */
	uint64_t quiesced;
	uint64_t asked; /* the newest number that a RECALL asked the session to quiesce */
	struct penalty penalty;
	struct lease_list holding;   /* HOLDING and POSTED */
	struct lease_list returning; /* RECALLED and LEAVING */
};

/* ---- the table -------------------------------------------------------------------------------------------------- */

/* lease_table_create -- `kinds` by enum lease_kind. `share_ms`: for how long after a recall no lease of the inode is
 * granted. NULL without memory. lease_table_destroy -- all owners must have ended. */
struct lease_table *lease_table_create(const struct lease_kind_ops *const kinds[LEASE_KINDS], unsigned share_ms);
void lease_table_destroy(struct lease_table *table);

/* lease_sweep -- remove inodes that are in the table only because sharing forbade leases; call about once a second. */
void lease_sweep(struct lease_table *table);

/* ---- owners ----------------------------------------------------------------------------------------------------- */

void lease_owner_init(struct lease_owner *owner, struct lease_table *table);

/*
 * lease_quiesced -- a request carried `quiesced`: end all leases that waited for it. -EPROTO if the number is greater
 * than that of any invalidation issued.
 */
int lease_quiesced(struct lease_owner *owner, uint64_t quiesced);

/* lease_request_quiesce -- ask the session for `quiesced`, if there is an invalidation that was not asked for yet. */
void lease_request_quiesce(struct lease_owner *owner);

/*
 * lease_tick -- call a few times a second. -ETIMEDOUT when the session has not answered a recall for `recall_ms`: the
 * session has got its penalty, and the caller must end its connection.
 */
int lease_tick(struct lease_owner *owner, int64_t now_ms, int64_t recall_ms);

/* lease_extend -- the thread could not receive for `late_ms`: extend the session's deadlines by that time, each by at
 * most `most_ms` in all. */
void lease_extend(struct lease_owner *owner, int64_t late_ms, int64_t most_ms);

/*
 * lease_owner_end -- end all leases of the session. Its connection was closed before, so no READ through it is
 * possible. The owner may be used again afterwards; its numbers continue.
 */
void lease_owner_end(struct lease_owner *owner);

/* ---- grants ----------------------------------------------------------------------------------------------------- */

/*
 * lease_grant -- make `owner` a holder of the inode; it may be one already. From now on until it returns the lease, no
 * other session's change runs, so the caller may send it what the core says afterwards. -EBUSY while a change is under
 * way, while sharing forbids leases, or if the session has too many leases to return or a penalty; -ENOMEM.
 */
int lease_grant(struct lease_owner *owner, enum lease_kind kind, struct proto_handle handle, struct lease_holder **out);

/* lease_recall -- recall a lease that is HOLDING or POSTED. */
void lease_recall(struct lease_holder *holder);

/* lease_give_up -- the session has given up its lease of the inode by itself. */
void lease_give_up(struct lease_owner *owner, enum lease_kind kind, struct proto_handle handle);

/* ---- changes ---------------------------------------------------------------------------------------------------- */

/* A request that waits for the return of leases. The caller embeds it and keeps it until resumed or cancelled. */
struct lease_waiter {
	struct mail mail; /* set `mail.deliver`: called in the owner's thread when the change may continue */
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
	struct lease_holder *own; /* the session's own lease, which continues */
	enum lease_kind kind;
	uint64_t ino;
	uint64_t number; /* of `own`: of the invalidation that announces the change to the session */
	bool recalled;   /* leases of other sessions were recalled for the change */
};

/*
 * lease_change_begin -- announce a change of what leases of this kind of the inode cover. 0: it may run now. 1: leases
 * are being recalled; once waiter->mail has been delivered call lease_change_go (or lease_change_abandon). -ENOMEM.
 * With `drop_own` the session's own lease ends too, and the session gets a RECALL.
 */
int lease_change_begin(struct lease_owner *owner, enum lease_kind kind, struct proto_handle handle, bool drop_own,
                       struct lease_waiter *waiter, struct lease_change *change);

/* lease_is_shared -- whether a change of the inode by `owner` would have to recall now. */
bool lease_is_shared(struct lease_owner *owner, enum lease_kind kind, struct proto_handle handle);

/* lease_change_go -- the change that waited with `waiter` may run now. */
void lease_change_go(struct lease_waiter *waiter, bool drop_own, struct lease_change *change);

/* lease_change_end -- the change has run, or failed. */
void lease_change_end(struct lease_change *change);

/* lease_change_abandon -- a change that waited will not run; its mail has been delivered. */
void lease_change_abandon(struct lease_waiter *waiter);

/* lease_change_cancel -- a change will not run; it may still be waiting. False: the mail is on its way, so keep the
 * waiter. */
bool lease_change_cancel(struct lease_waiter *waiter);

#endif
