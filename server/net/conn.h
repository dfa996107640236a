/*
 * conn.h -- one connection of a client to a thread: messages received and sent, and its end.
 *
 * The states of a connection:
 *
 *     (none) --conn_open--> NEW: `session` is NULL; only HELLO and BIND_CONN are understood
 *     NEW --session_hello, a new session--> IN USE: `session` is set
 *     NEW --session_hello, one to resume--> RESUMING: `resuming` is set, the session is being transferred
 *     NEW --BIND_CONN--> BOUND: `bound` is set; a channel of a session, without further messages (state/channel.h)
 *     RESUMING --the session has arrived, or there is none and a new one is made--> IN USE
 *     any --conn_fail--> BROKEN: `broken` is set; nothing more is sent or taken from it
 *     any --conn_close, by session_close_conn between two batches of events--> freed
 *
 * Used by its thread only. A connection that fails is marked, not freed: callers may use it until its thread closes it.
 */
#ifndef FARNOVA_SERVER_CONN_H
#define FARNOVA_SERVER_CONN_H

#include "common/transport/transport.h"
#include "proto/proto.h"
#include "server/net/turns.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct guest;
struct net;
struct session;
struct out_message;

#define CONN_RECEIVES (256u + CONN_NOTICES) /* the most messages that a client sends and that are not taken yet */
#define CONN_NOTICES  16u                   /* beside requests in slots */

/* A message that has arrived and waits for its connection's turn. */
struct in_message {
	const void *data; /* owned by the transport, valid until transport_release */
	uint32_t length;
};

struct conn {
	struct conn *previous, *next; /* of the thread */
	struct net *net;
	struct transport_conn *transport;
	struct guest *guest;     /* in the table of all connections */
	struct session *session; /* NULL before HELLO, and of a channel */
	/* owned by server/state/channel.c */
	struct session *channel_of; /* the session whose connection it has joined, or NULL */
	struct conn *next_channel;  /* of that session */
	int unbound;                /* -errno: its ticket was refused */
	bool bound;                 /* BIND_CONN has come */
	uint64_t token;             /* identifies the connection within the thread; never used again */
	int64_t opened_ms;
	int64_t heard_ms;
	int64_t extended_ms; /* by how much its time-outs were extended since it was heard last */
	bool resuming;       /* HELLO has come; its session is being transferred from another thread */
	bool broken;         /* to be closed between two batches of events */
	struct conn_turn turn;
	struct in_message in[CONN_RECEIVES]; /* a ring, as long as the client's credits */
	unsigned in_first, in_count;
	int ended; /* -errno of the transport's end, 0 = it has not ended; the connection fails once `in` is empty */
	/* Messages for which the client had no credit. */
	struct out_message *out_first, *out_last;
	unsigned out_replies, most_replies;
	int64_t out_since_ms;
};

/* conn_open -- accept a connection, which joins the connection `join` if that is not NULL. -errno, logged; `pending` and
 * `guest` are consumed in any case. */
int conn_open(struct net *net, struct transport_pending *pending, enum transport_kind kind, struct transport_conn *join,
              struct guest *guest, struct conn **out);

/* conn_greeted -- the connection has a session now. */
void conn_greeted(struct conn *conn, struct session *session);

/* conn_set_slots -- the client may have so many requests in flight: as many messages are received, up to CONN_RECEIVES. */
void conn_set_slots(struct conn *conn, unsigned slots);

/* conn_drop -- end a connection without a session, since another connection needs its place. */
void conn_drop(struct conn *conn);

/* conn_received, conn_ended -- the transport has a message, or has ended: the connection waits for its turn. */
void conn_received(struct conn *conn, const void *data, uint32_t length);
void conn_ended(struct conn *conn, int status);

/* conn_waits -- whether the connection has anything to be done. conn_take -- take its oldest message, which the caller
 * must release. False if there is none: then `ended`, if it is not 0, says why the connection is to fail. */
bool conn_waits(const struct conn *conn);
bool conn_take(struct conn *conn, struct in_message *message);

/* conn_reply_room -- the greatest length of a reply's body, in bytes. */
uint32_t conn_reply_room(const struct conn *conn);

/* conn_send -- send a message, or keep it until the client has credit. Never waits; the connection of a client that
 * does not receive its replies is ended. */
void conn_send(struct conn *conn, const void *message, size_t length, bool reply);

/* conn_flush -- send messages that had no credit; returns whether any are left. */
bool conn_flush(struct conn *conn);

/* conn_heard -- the client has sent something. */
void conn_heard(struct conn *conn);

/* conn_extend_timers -- the thread could not run for so long: extend the connection's time-outs by that, but by no more
 * than `most_ms` in all until the client is heard. */
void conn_extend_timers(struct conn *conn, int64_t late_ms, int64_t most_ms);

/* conn_fail -- the connection is to end; `why` is logged (NULL: not at all). */
void conn_fail(struct conn *conn, const char *why);

/* conn_log_peer_error -- log what a client did wrong, at a bounded rate for each reason. */
void conn_log_peer_error(struct conn *conn, const char *what, const char *why);

/*
 * conn_close -- close and free the connection, its queue pair first. The session's layouts may end only after this has
 * returned, see session_close_conn. Must not be called while a batch of events is being handled.
 */
void conn_close(struct conn *conn);

#endif
