/*
 * slot_table.h -- the slots of a session: which of them its client may use, and the replies that they keep.
 *
 * **The window.** A client puts new requests into slots below `window`, and repeats what is in flight in any slot. The
 * window follows the client's wish and the session's share of all slots. Each window has a number; every reply carries
 * both, and every request the number of the newest window that the client knows, and how many slots it uses:
 *
 *     settled --slot_table_tick, a wider window--> announced: `limit` grows with it at once
 *     settled --slot_table_tick, a narrower one--> announced: `limit` stays, since the client may not know it yet
 *     announced --slot_table_heard: the client knows it and uses no slot beyond it--> settled: `limit` is the window
 *
 * A request in a slot from `limit` on breaks the protocol. So what a client can have in flight is bounded by the widest
 * window that it may still know.
 *
 * **The replies.** A slot keeps the reply to its newest request, if the table of operations says so, in memory of its
 * own. They are freed when the client has said that it uses fewer slots. Then a repeat, which no correct client sends,
 * is judged by the identity's intent, as after a restart.
 *
 * Used by the session's thread only.
 */
#ifndef FARNOVA_SERVER_SLOT_TABLE_H
#define FARNOVA_SERVER_SLOT_TABLE_H

#include "proto/proto.h"

#include <stdbool.h>
#include <stdint.h>

#define SLOT_REPLY_SIZE  256u /* the largest reply without extents or data */
#define SLOT_TABLE_PAGE  64u  /* slots that are allocated together */
#define SLOT_TABLE_PAGES (PROTO_MAX_SLOTS / SLOT_TABLE_PAGE)

struct slot {
	uint32_t sequence; /* of the newest request; 0 = unused in this session */
	uint16_t reply_length;
	uint16_t reply_room : 14; /* bytes at `reply` */
	uint16_t busy : 1;        /* the request is deferred: see deferred.h */
	uint16_t forgotten : 1;   /* it had a reply, which was freed, or for which there was no memory */
	uint8_t *reply;           /* its reply, if running it again could change the result */
};

struct slot_table {
	struct slot *pages[SLOT_TABLE_PAGES]; /* NULL: none of its slots was used */
	uint32_t wanted;                      /* by the client */
	uint16_t window, number;              /* see above */
	uint16_t limit;                       /* slots from this number on are refused */
	uint16_t replies;                     /* slots from this number on have no memory for a reply */
	uint16_t peak;                        /* most slots that the client used since the last tick; 0 = not heard */
};

/* slot_table_init -- of a new session, whose client wants `wanted` slots (0 = does not care), and may repeat requests in
 * the first `used` ones, which its identity's last session had. `share` is what the session may have. */
void slot_table_init(struct slot_table *table, uint32_t wanted, uint32_t used, uint32_t share);
void slot_table_free(struct slot_table *table);

/* slot_table_wants -- how many slots the client wants from now on; 0 = does not care. */
void slot_table_wants(struct slot_table *table, uint32_t slots);

/* slot_table_find -- a slot. -EPROTO: the client may not use it. -ENOMEM. */
int slot_table_find(struct slot_table *table, uint32_t number, struct slot **out);
/* slot_table_get -- a slot that slot_table_find has returned before. */
struct slot *slot_table_get(const struct slot_table *table, uint32_t number);

/* slot_table_heard -- a message of the client says that it uses `used` slots and knows this window. Whether `limit` has
 * changed. */
bool slot_table_heard(struct slot_table *table, uint32_t used, uint16_t window);

/* slot_table_tick -- from time to time: announce another window if the share has changed, and free replies that the
 * client has. `judged`: the pool has the session's intents, so replies need not be kept. */
void slot_table_tick(struct slot_table *table, uint32_t share, bool judged);

/* slot_table_keep -- keep the reply to the newest request of the slot. slot_table_drop -- a new request begins: forget
 * the reply to the one before. */
void slot_table_keep(struct slot_table *table, uint32_t number, const void *reply, uint32_t length);
void slot_table_drop(struct slot *slot);

#endif
