/*
 * layout.h -- which sessions may READ a file's blocks, and when a freed block may be reused.
 *
 * A layout is the lease (state/lease) of a file's extents: its holder may READ their blocks without asking. A layout
 * has two things that other leases lack: registrations of the blocks, and the blocks themselves, which must not be
 * reused during READs. It adds one invariant to those of leases: the registration of a region that invalidation n
 * replaced ends only when the session has quiesced n or has lost its queue pair, and a block that was freed under n is
 * reused only then.
 *
 * Thread safety: the session's thread uses an owner and its holders; the lock of the inode's shard protects the fields
 * that other threads use. The core calls layout_quarantine_blocks, which takes a shard's lock; no shard's lock is held
 * while the core is called.
 */
#ifndef FARNOVA_SERVER_LAYOUT_H
#define FARNOVA_SERVER_LAYOUT_H

#include "proto/proto.h"
#include "server/nova/nova.h"
#include "server/state/layout/regions.h"
#include "server/state/layout/shortage.h"
#include "server/state/lease/lease.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct layout_table;

/*
 * layout_table_create -- `share_ms`: for how long after a recall no layout of the inode is granted. `session_blocks`:
 * how many blocks one session may keep in quarantine before its own changes wait. NULL without memory.
 */
struct layout_table *layout_table_create(unsigned share_ms, uint64_t session_blocks);
/* layout_table_destroy -- all owners must have ended. */
void layout_table_destroy(struct layout_table *table);

/* layout_quarantined_blocks -- how many freed blocks wait for READs to end. */
uint64_t layout_quarantined_blocks(const struct layout_table *table);

/* layout_quarantine_blocks -- for struct nova_mount_options; `context` is the table, `freed->change` a struct
 * layout_change of which `lease.owner` is set, or NULL. */
enum nova_quarantine layout_quarantine_blocks(void *context, const struct nova_freed *freed);

/* layout_sweep -- see lease_sweep. */
void layout_sweep(struct layout_table *table);

/* ---- owners ----------------------------------------------------------------------------------------------------- */

struct quarantined;

struct layout_holder {
	struct lease_holder lease;       /* first */
	struct region_set regions;       /* HOLDING, POSTED */
	struct region *retired;          /* RECALLED, LEAVING: they end with the holder */
	struct quarantined *quarantined; /* blocks that wait for the end of this holder; under the shard's lock */
};

/* A session's half of the table. Set the first group of fields, and those of `lease`, before the first grant. */
struct layout_owner {
	struct lease_owner lease; /* first */
	struct layout_table *table;
	struct nova_worker *nova; /* of the session's thread */
	size_t max_regions;

	size_t regions;                       /* registered now */
	struct quarantined *quarantine_first; /* of changes by this session itself, by number */
	struct quarantined *quarantine_last;
	/* Blocks in that list and with holders: not reused before this session has quiesced. Atomic: other threads add
	 * to it. */
	atomic_uint_least64_t quarantined_blocks;
	atomic_uint_least64_t charged_blocks; /* of these, the blocks that are charged to a project */
	struct debtor debtor;                 /* where space is short */
	uint64_t demanded;                    /* changes of its own wait until the session quiesces it, 0 = none */
	int64_t demanded_issued_ms, demanded_since_ms; /* as issued_ms and since_ms of a holder */
};

void layout_owner_init(struct layout_owner *owner, struct layout_table *table);

/* layout_request_quiesce -- ask the session for `quiesced`, if anything waits for a number that was not asked for yet.
 */
void layout_request_quiesce(struct layout_owner *owner);

/* layout_demand_quiesce -- the same if the session's own changes wait for the answer: it must answer within the recall
 * time-out. */
void layout_demand_quiesce(struct layout_owner *owner);

/*
 * layout_space_short -- an operation has found no space; from any thread. layout_ask_for_space -- if the session keeps
 * blocks, ask it to quiesce. layout_due -- whose connection is to be ended for that, see shortage_due.
 */
void layout_space_short(struct layout_table *table);
void layout_ask_for_space(struct layout_owner *owner, int64_t now_ms);
const struct debtor *layout_due(struct layout_table *table, int64_t now_ms, int64_t recall_ms);

/* layout_is_full -- whether the session has reached its limit of quarantined blocks. */
bool layout_is_full(const struct layout_owner *owner);

/*
 * layout_tick -- call a few times a second. Asks the session for `quiesced` when blocks have waited for it. -ETIMEDOUT
 * when the session has not answered a recall or a demand for `recall_ms`, or such a request, on which nobody waits, for
 * `lease_ms`: the session has got its penalty, and the caller must end its connection.
 */
int layout_tick(struct layout_owner *owner, int64_t now_ms, int64_t recall_ms, int64_t lease_ms);

/* layout_extend -- see lease_extend. */
void layout_extend(struct layout_owner *owner, int64_t late_ms, int64_t most_ms);

/* layout_owner_end -- see lease_owner_end. */
void layout_owner_end(struct layout_owner *owner);

/* ---- grants ----------------------------------------------------------------------------------------------------- */

/* layout_grant -- see lease_grant. The caller may send the session the result of a later nova_map. */
int layout_grant(struct layout_owner *owner, struct proto_handle handle, struct layout_holder **out);

/* layout_room -- whether `holder` may have one more region. If not, recalls the session's least recently used other
 * layout to make room later. */
bool layout_room(struct layout_owner *owner, const struct layout_holder *holder);

/* layout_file_closed -- the session has closed its last open of the inode and dropped its extents. */
void layout_file_closed(struct layout_owner *owner, struct proto_handle handle);

/* ---- changes ---------------------------------------------------------------------------------------------------- */

struct layout_change {
	struct lease_change lease; /* first */
	struct layout_holder *own; /* the session's own layout, which continues */
};

/* layout_change_begin, layout_change_go -- see lease_change_begin, lease_change_go. Blocks that the change frees are
 * quarantined under its number. */
int layout_change_begin(struct layout_owner *owner, struct proto_handle handle, bool drop_own,
                        struct lease_waiter *waiter, struct layout_change *change);
void layout_change_go(struct lease_waiter *waiter, bool drop_own, struct layout_change *change);

/* The effect of a change on the session's own layout of the file. */
struct layout_effect {
	struct layout_holder *holder; /* NULL: it holds none */
	uint64_t offset, length;      /* the session's extents of this range are no longer valid */
};

/*
 * layout_change_end -- the change has run (or failed). [offset, offset + length) of the file has changed, in whole
 * blocks; length 0: nothing has changed. Retires the registrations that touch the range.
 */
void layout_change_end(struct layout_change *change, uint64_t offset, uint64_t length, struct layout_effect *effect);

#endif
