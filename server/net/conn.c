/*
 * conn.c -- one connection of a client to a thread: messages received and sent, and its end.
 */
#include "server/net/conn.h"

#include "common/log.h"
#include "proto/proto.h"
#include "server/net/admission.h"
#include "server/net/net.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define OTHER_REPLIES 4u /* to requests without a slot, such as HELLO and BYE */

struct out_message {
	struct out_message *next;
	size_t length;
	bool reply;
	uint8_t data[];
};

int conn_open(struct net *net, struct transport_pending *pending, enum transport_kind kind, struct transport_conn *join,
              struct guest *guest, struct conn **out)
{
	const struct transport_options options = {
	    .message_size = net->message_size,
	    .receive_depth = CONN_RECEIVES,
	    .join = join,
	};
	struct conn *conn = calloc(1, sizeof(*conn));
	if (!conn) {
		transport_reject(pending, ENOMEM);
		admission_leave(guest);
		return -ENOMEM;
	}
	int rc = turns_join(&net->turns, &conn->turn, guest->host);
	if (rc < 0) {
		free(conn);
		transport_reject(pending, ENOMEM);
		admission_leave(guest);
		return rc;
	}
	rc = transport_accept(pending, net->queues[kind], &options, &conn->transport);
	if (rc < 0) {
		log_warn_limited("conn", "cannot accept a connection over %s: %s", transport_kind_name(kind),
		                 strerror(-rc));
		turns_leave(&net->turns, &conn->turn);
		free(conn);
		admission_leave(guest);
		return rc;
	}
	conn->net = net;
	conn->guest = guest;
	guest->conn = conn;
	conn->token = ++net->next_token;
	conn->opened_ms = conn->heard_ms = net->now_ms;
	conn_set_slots(conn, 0);
	transport_set_user(conn->transport, conn);
	conn->next = net->conns;
	if (conn->next)
		conn->next->previous = conn;
	net->conns = conn;
	log_debug("conn", "%s connected over %s", transport_peer(conn->transport), transport_kind_name(kind));
	*out = conn;
	return 0;
}

void conn_greeted(struct conn *conn, struct session *session)
{
	conn->session = session;
	admission_greeted(conn->guest);
}

/* A client has at most one request in each slot, so no more replies than slots can wait. */
void conn_set_slots(struct conn *conn, unsigned slots)
{
	conn->most_replies = slots + OTHER_REPLIES;
	transport_set_receives(conn->transport,
	                       slots + CONN_NOTICES < CONN_RECEIVES ? slots + CONN_NOTICES : CONN_RECEIVES);
}

void conn_drop(struct conn *conn)
{
	if (!conn->session)
		conn_fail(conn, "it has no session, and another connection needs its place");
}

void conn_received(struct conn *conn, const void *data, uint32_t length)
{
	if (conn->broken || conn->in_count == CONN_RECEIVES) {
		conn_fail(conn, "it sent a message without a credit");
		transport_release(conn->transport, data);
		return;
	}
	conn_heard(conn);
	conn->in[(conn->in_first + conn->in_count++) % CONN_RECEIVES] =
	    (struct in_message){.data = data, .length = length};
	turns_ready(&conn->net->turns, &conn->turn, conn->net->now_ns);
}

void conn_ended(struct conn *conn, int status)
{
	conn->ended = status < 0 ? status : -ECONNRESET;
	turns_ready(&conn->net->turns, &conn->turn, conn->net->now_ns);
}

bool conn_waits(const struct conn *conn)
{
	return !conn->broken && (conn->in_count > 0 || conn->ended);
}

bool conn_take(struct conn *conn, struct in_message *message)
{
	if (conn->broken || conn->in_count == 0)
		return false;
	*message = conn->in[conn->in_first];
	conn->in_first = (conn->in_first + 1) % CONN_RECEIVES;
	conn->in_count--;
	return true;
}

void conn_fail(struct conn *conn, const char *why)
{
	static struct log_limits limits;

	if (conn->broken)
		return;
	if (why)
		log_write_limited(log_limit_of(&limits, why), LOG_LEVEL_INFO, "conn", "ending the connection of %s: %s",
		                  transport_peer(conn->transport), why);
	conn->broken = true;
	conn->net->broken++;
}

/* Move a time by `late_ms`, but not into the future: something may have been received since the thread runs again. */
static void later(int64_t *at_ms, int64_t late_ms, int64_t now_ms)
{
	*at_ms = *at_ms + late_ms < now_ms ? *at_ms + late_ms : now_ms;
}

void conn_heard(struct conn *conn)
{
	conn->heard_ms = conn->net->now_ms;
	conn->extended_ms = 0;
}

void conn_extend_timers(struct conn *conn, int64_t late_ms, int64_t most_ms)
{
	int64_t now = conn->net->now_ms;

	if (late_ms > most_ms - conn->extended_ms)
		late_ms = most_ms - conn->extended_ms;
	conn->extended_ms += late_ms;
	later(&conn->opened_ms, late_ms, now);
	later(&conn->heard_ms, late_ms, now);
	later(&conn->out_since_ms, late_ms, now);
}

void conn_log_peer_error(struct conn *conn, const char *what, const char *why)
{
	static struct log_limits limits;

	log_write_limited(log_limit_of(&limits, why), LOG_LEVEL_WARN, "conn", "%s: %s refused: %s",
	                  transport_peer(conn->transport), what, why);
}

static void keep_message(struct conn *conn, const void *message, size_t length, bool reply)
{
	if (reply && ++conn->out_replies > conn->most_replies) {
		conn_fail(conn, "it does not receive its replies");
		return;
	}
	struct out_message *out = malloc(sizeof(*out) + length);
	if (!out) {
		conn_fail(conn, "out of memory for a message to it");
		return;
	}
	out->next = NULL;
	out->length = length;
	out->reply = reply;
	memcpy(out->data, message, length);
	if (conn->out_last) {
		conn->out_last->next = out;
	} else {
		conn->out_first = out;
		conn->out_since_ms = conn->net->now_ms;
		conn->net->stalled++;
	}
	conn->out_last = out;
}

uint32_t conn_reply_room(const struct conn *conn)
{
	uint32_t most = transport_max_message(conn->transport);

	return (most < PROTO_MAX_MESSAGE ? most : PROTO_MAX_MESSAGE) - PROTO_REPLY_HEADER;
}

void conn_send(struct conn *conn, const void *message, size_t length, bool reply)
{
	if (conn->broken)
		return;
	if (!conn->out_first) {
		struct iovec iov = {.iov_base = (void *)(uintptr_t)message, .iov_len = length};
		int rc = transport_send(conn->transport, &iov, 1, 0);
		if (rc == 0)
			return;
		if (rc != -EAGAIN) {
			conn_fail(conn, strerror(-rc));
			return;
		}
	}
	keep_message(conn, message, length, reply);
}

static void drop_first(struct conn *conn)
{
	struct out_message *out = conn->out_first;

	conn->out_first = out->next;
	if (out->reply)
		conn->out_replies--;
	free(out);
	if (!conn->out_first) {
		conn->out_last = NULL;
		conn->net->stalled--;
	}
}

bool conn_flush(struct conn *conn)
{
	while (conn->out_first && !conn->broken) {
		struct out_message *out = conn->out_first;
		struct iovec iov = {.iov_base = out->data, .iov_len = out->length};
		int rc = transport_send(conn->transport, &iov, 1, 0);
		if (rc == -EAGAIN)
			break;
		if (rc < 0) {
			conn_fail(conn, strerror(-rc));
			break;
		}
		conn->out_since_ms = conn->net->now_ms;
		drop_first(conn);
	}
	return conn->out_first;
}

void conn_close(struct conn *conn)
{
	struct net *net = conn->net;

	while (conn->out_first)
		drop_first(conn);
	if (conn->broken)
		net->broken--;
	if (conn->previous)
		conn->previous->next = conn->next;
	else
		net->conns = conn->next;
	if (conn->next)
		conn->next->previous = conn->previous;

	turns_leave(&net->turns, &conn->turn);
	transport_close(conn->transport);
	admission_leave(conn->guest);
	free(conn);
	atomic_fetch_sub(&net->load, 1);
}
