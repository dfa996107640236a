/*
 * session.h -- what the server knows of a client beyond its connection: credentials, opens, slots, layouts, staging.
 *
 * Used by the thread that has it. When the connection ends, layouts and registrations end with it; opens and cached
 * replies stay for a lease, in which the client may come back, also to another thread.
 *
 *     (none) --HELLO: open_session--> connected
 *     connected --session_close_conn--> away --HELLO: transfer_requested--> in a mail to the connection's thread
 *     connected --HELLO on another connection: transfer_requested ends the old one--> in a mail
 *     in a mail --transfer_delivered: attach--> connected
 *     in a mail --transfer_delivered: its connection has ended, or attach fails--> away
 *     away --session_tick: its lease has run out--> freed
 *     connected --session_bye--> ended --session_close_conn--> freed
 *
 * Several connections may ask for one session at the same time. A thread that is asked for a session which it has handed
 * on passes the question on to the thread that has it: all are answered in turn, each takes the session from the one
 * before, and the last has it. A new session is opened only where there is none of that number and key.
 *
 * A slot, with n the sequence of its newest request:
 *
 *     IDLE --request n + 1--> RUNNING --its reply is sent--> IDLE, the reply cached if the table of operations says so
 *     RUNNING --deferred_keep--> WAITING: `busy` is set --state->resume--> RUNNING
 *     WAITING --deferred_cancel_all--> IDLE with n - 1: as if it had never come
 *     IDLE --request n again--> the cached reply is sent, or RUNNING where there is none
 *     IDLE --any other sequence--> the connection is broken; so is it by any request to WAITING
 */
#ifndef FARNOVA_SERVER_SESSION_H
#define FARNOVA_SERVER_SESSION_H

#include "proto/proto.h"
#include "server/state/cred.h"
#include "server/state/layout/layout.h"
#include "server/state/open_table.h"
#include "server/state/registry.h"

#include <stdbool.h>
#include <stdint.h>

struct conn;
struct deferred;
struct state;
struct transport_region;

#define CACHED_REPLY_SIZE 256u /* no reply without extents or data is larger */

struct slot {
	uint32_t sequence; /* of the newest request */
	bool busy;         /* it waits: for layouts to return or for space */
	uint16_t cached_length;
	uint8_t cached_reply[CACHED_REPLY_SIZE]; /* its reply, where executing it again would do harm */
};

struct session {
	struct registered registered;    /* first */
	struct state *state;             /* of the thread that has it */
	struct session *previous, *next; /* of the thread */
	struct conn *conn;               /* NULL while the client is away */
	int64_t left_ms;                 /* while `conn` is NULL: since when */
	int64_t expires_ms;              /* and until when it may come back */
	bool ended;                      /* the client has said BYE */
	struct cred_table creds;
	struct open_table opens;
	struct layout_owner layouts;
	uint8_t *staging;
	struct transport_region *staging_region;
	struct deferred *deferred; /* requests that wait */
	struct slot slots[PROTO_MAX_SLOTS];
};

/* session_hello -- the first message of a connection: open a session or send for the one the client had. */
void session_hello(struct state *state, struct conn *conn, const struct proto_request *hello);

/*
 * session_close_conn -- close the connection, and then let its session, if it has one, know: layouts end, waiting
 * requests are forgotten, and the session waits for its client for a lease. Not while a batch of events is being
 * handled.
 */
void session_close_conn(struct conn *conn);

/* session_bye -- the client ends it: opens are closed, the rest goes with the connection. */
void session_bye(struct session *session);

/* session_close_open -- close one of its opens; -EBADF if it has none of that number. */
int session_close_open(struct session *session, uint64_t id);

/* session_quiesced -- a request said `quiesced`: let go what waited for it. -EPROTO if it was never told so many
 * invalidations. */
int session_quiesced(struct session *session, uint64_t quiesced);

/* session_tick -- leases; may fail the connection, or free a session whose client has not come back. */
void session_tick(struct session *session);

/*
 * session_extend_lease -- the thread heard nobody for `late_ms`: the session's lease grows by it, to two at most. For
 * `stalled_ms` of it the thread could not run: what the session owes others is due so much later.
 */
void session_extend_lease(struct session *session, int64_t late_ms, int64_t stalled_ms);

/* session_free -- `close_opens` false leaves orphans to the next mount's grace period. */
void session_free(struct session *session, bool close_opens);

#endif
