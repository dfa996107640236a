/*
 * channel.c -- the further connections of a session, by which its client READs.
 */
#include "server/state/channel.h"

#include "server/net/conn.h"
#include "server/state/session.h"
#include "server/state/state.h"

#include <errno.h>

struct state *channel_thread(struct registry *registry, struct transport_ticket ticket)
{
	return ticket.number ? registry_holder(registry, ticket.number, ticket.key) : NULL;
}

struct session *channel_of_ticket(struct state *state, struct transport_ticket ticket, enum transport_kind kind,
                                  int *error)
{
	struct state *owner;

	*error = 0;
	if (ticket.number == 0)
		return NULL;
	struct session *session =
	    (struct session *)(void *)registry_get(&state->shared->registry, ticket.number, state, &owner);
	if (!session || session->registered.key != ticket.key)
		*error = -EACCES;
	else if (!session->conn || session->conn->broken || transport_conn_kind(session->conn->transport) != kind)
		*error = -ENOTCONN;
	else if (session->channel_count >= PROTO_MAX_CHANNELS)
		*error = -EUSERS;
	return *error ? NULL : session;
}

void channel_opened(struct session *session, struct conn *conn)
{
	conn->channel_of = session;
	conn->next_channel = session->channels;
	session->channels = conn;
	session->channel_count++;
}

int channel_bind(struct conn *conn, const struct proto_request *request)
{
	const struct session *session = conn->channel_of;

	if (!session)
		return conn->unbound ? conn->unbound : -EACCES;
	if (request->bind_conn.session != session->registered.id ||
	    request->bind_conn.session_key != session->registered.key)
		return -EACCES;
	conn->bound = true;
	return 0;
}

void channel_left(struct conn *conn)
{
	struct session *session = conn->channel_of;

	if (!session)
		return;
	struct conn **link = &session->channels;
	while (*link != conn)
		link = &(*link)->next_channel;
	*link = conn->next_channel;
	session->channel_count--;
	conn->channel_of = NULL;
}

void channel_close_all(struct session *session)
{
	while (session->channels) {
		struct conn *conn = session->channels;

		channel_left(conn);
		conn_close(conn);
	}
}
