/*
 * channel.h -- the further connections of a session, by which its client READs.
 *
 * A channel shares the registrations of the session's connection, and carries no messages but BIND_CONN and its reply.
 * It is served by the thread that has the session, so that a session's state belongs to one thread. The listener finds
 * that thread by the ticket of the connection (transport.h).
 *
 *     (none) --channel_of_ticket, channel_opened--> JOINED: conn->channel_of is set
 *     JOINED --channel_bind--> BOUND: conn->bound is set
 *     JOINED, BOUND --conn_fail, or the end of the session's connection: channel_close_all--> closed
 *
 * A connection whose ticket is refused is accepted by itself, so that BIND_CONN can tell the client why: conn->unbound.
 * Channels are closed before the session's connection, and so before any layout of the session ends: whatever waits for
 * the end of the client's READs waits for those of all channels. A channel is charged to its host as any connection,
 * and is among the first to be dropped where there are too many (admission.h).
 */
#ifndef FARNOVA_SERVER_CHANNEL_H
#define FARNOVA_SERVER_CHANNEL_H

#include "common/transport/transport.h"
#include "proto/proto.h"

struct conn;
struct registry;
struct session;
struct state;

/* channel_thread -- the thread that has the session of a ticket; NULL if there is none. Any thread. */
struct state *channel_thread(struct registry *registry, struct transport_ticket ticket);

/* channel_of_ticket -- the session, of this thread, that a new connection with this ticket may join. NULL: none, and
 * `*error` is the -errno for its BIND_CONN, 0 without a ticket. */
struct session *channel_of_ticket(struct state *state, struct transport_ticket ticket, enum transport_kind kind,
                                  int *error);

/* channel_opened -- the connection has joined that of the session. */
void channel_opened(struct session *session, struct conn *conn);

/* channel_bind -- the connection's first message is BIND_CONN. 0 or -errno for the reply. */
int channel_bind(struct conn *conn, const struct proto_request *request);

/* channel_left -- the connection is about to be closed. channel_close_all -- close all channels of the session. Not while
 * a batch of events is being handled. */
void channel_left(struct conn *conn);
void channel_close_all(struct session *session);

#endif
