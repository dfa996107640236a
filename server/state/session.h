/*
 * session.h -- the server's state of a client beyond its connection: credentials, opens, slots, layouts, staging ring.
 *
 * A session belongs to one identity, and an identity has at most one session (docs/exactly-once.md). Only the thread
 * that has the session uses it. When the connection ends, layouts and registrations end with it; opens and cached
 * replies stay for the lease time. Within that time the client may reconnect, also to another thread.
 *
 *     (none) --HELLO: open_session--> connected
 *     connected --session_close_conn--> away --HELLO: transfer_requested--> in a mail to the connection's thread
 *     connected --HELLO on another connection: transfer_requested ends the old one--> in a mail
 *     in a mail --transfer_delivered: attach--> connected
 *     in a mail --transfer_delivered: requested by its identity only--> freed, and a new session opened
 *     in a mail --transfer_delivered: its connection has ended, or attach fails--> away
 *     away --session_tick: its lease time is over--> freed
 *     connected --session_bye--> ended --session_close_conn--> freed
 *
 * If a bulk thread is making a change for the session when the connection ends, the change goes on. Until it is made
 * the session is neither freed nor handed on; mail that asks for the session is parked.
 *
 * Several connections may ask for one session at the same time. If a thread is asked for a session that it has handed
 * on, it forwards the request to the thread that has the session. All requests are answered one after the other: each
 * takes the session from the one before, and the last keeps it. A new session is opened only if none has that number
 * and key; if the identity has another session, that one ends first.
 *
 * The states of a slot, with n the sequence of its newest request. In a new session a slot is UNUSED. Its sequences
 * continue those of the identity's earlier sessions, so its first request may have any sequence but 0, and the
 * identity's intent for the slot decides whether that request was executed before:
 *
 *     UNUSED --its first request--> as IDLE by request n + 1, or answered from the intent
 *     IDLE --request n + 1--> RUNNING --its reply is sent--> IDLE, the reply cached if the table of operations says so
 *     RUNNING --deferred_keep--> WAITING: `busy` is set --state->resume--> RUNNING
 *     WAITING --deferred_cancel_all--> IDLE with n - 1, as if the request had never arrived; but if a bulk thread is
 *         making its change, WAITING until that is made, and only then can the client resume the session
 *     IDLE --request n again--> the cached reply is sent; if there is none RUNNING, or answered from the intent if there
 *         was one that is forgotten (slot_table.h)
 *     IDLE --any other sequence--> the connection is ended, as by any request to a WAITING slot
 */
#ifndef FARNOVA_SERVER_SESSION_H
#define FARNOVA_SERVER_SESSION_H

#include "proto/proto.h"
#include "server/state/cred.h"
#include "server/state/layout/layout.h"
#include "server/state/open_table.h"
#include "server/state/registry.h"
#include "server/state/slot_table.h"

#include <stdbool.h>
#include <stdint.h>

struct bulk_owner;
struct conn;
struct deferred;
struct nova_client;
struct state;
struct transport_region;

struct session {
	struct registered registered;    /* first */
	struct state *state;             /* of the thread that has it */
	struct session *previous, *next; /* of the thread */
	struct conn *conn;               /* NULL while the client is away */
	struct conn *channels;           /* further connections (channel.h) */
	unsigned channel_count;
	int64_t left_ms;                        /* while `conn` is NULL: when the connection ended */
	int64_t expires_ms;                     /* the same: until when the client may reconnect */
	bool ended;                             /* the client has said BYE */
	bool known;                             /* the client named its identity, and the pool still had it */
	struct nova_client *client;             /* its identity, held; NULL = none */
	unsigned lost;                          /* how many deferred requests hold it: see deferred.h */
	bool dead, dead_close;                  /* destroy it, and close its opens, once `lost` is 0 */
	struct mail *parked;                    /* transfers that wait until `lost` is 0; newest first */
	void (*found)(struct session *session); /* called when `lost` becomes 0 */
	struct cred_table creds;
	struct open_table opens;
	struct layout_owner layouts;
	uint8_t *staging;
	struct transport_region *staging_region;
	struct deferred *deferred; /* deferred requests */
	struct bulk_owner *bulk;   /* the owner of their jobs */
	struct slot_table slots;
};

/* session_hello -- the first message of a connection: open a session or request the transfer of the client's old one.
 */
void session_hello(struct state *state, struct conn *conn, const struct proto_request *hello);

/*
 * session_close_conn -- close the connection, and then, if it has a session, end the session's layouts and cancel its
 * deferred requests; the session waits for its client for the lease time. The session's channels are closed before. Not
 * while a batch of events is being handled.
 */
void session_close_conn(struct conn *conn);

/*
 * session_staging -- grant the staging ring to the client, which is connected, or take it back: its memory is registered
 * and takes space only while it is granted. The client gives it back when none of its requests needs it. -errno of
 * transport_register.
 */
int session_staging(struct session *session, bool want);

/* session_bye -- the client ends the session: closes its opens; the rest is freed with the connection. */
void session_bye(struct session *session);

/* session_close_open -- close one of the session's opens; -EBADF if it has none of that number. */
int session_close_open(struct session *session, uint64_t id);

/* session_quiesced -- a request carried `quiesced`: end what waited for it. -EPROTO if the number is greater than that
 * of any invalidation issued. */
int session_quiesced(struct session *session, uint64_t quiesced);

/* session_note_slots -- a message of the client, which is connected, says that it uses so many slots and knows this
 * window. */
void session_note_slots(struct session *session, uint32_t used, uint16_t window);

/* session_tick -- check deadlines; may fail the connection, or free a session whose client has not reconnected. */
void session_tick(struct session *session);

/* session_space_short -- an operation has found no space: ask all sessions of the thread that keep blocks to quiesce; end
 * the connection of one of them if it is due. */
void session_space_short(struct state *state);

/*
 * session_extend_lease -- the thread received nothing for `late_ms`: extend the session's lease time by that, to twice
 * its length at most. For `stalled_ms` of that time the thread could not run: extend the session's deadlines for
 * recalls by so much.
 */
void session_extend_lease(struct session *session, int64_t late_ms, int64_t stalled_ms);

/* session_free -- with `close_opens` false, orphans are left to the next mount's grace period. */
void session_free(struct session *session, bool close_opens);

#endif
