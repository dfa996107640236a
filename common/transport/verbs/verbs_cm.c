/*
 * verbs_cm.c -- establishes verbs connections with the connection manager.
 *
 * The limits of each side are sent as private data of the connect request and of its acceptance. A pending connection
 * has its own event channel, so that the thread that accepts it shares nothing with the listener; on acceptance it
 * moves to its queue's channel.
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/le.h"
#include "common/log.h"
#include "common/transport/verbs/verbs.h"

#define VERBS_MAGIC   0x3152564f4e524146ull /* "FARNOVR1" */
#define VERBS_VERSION 3u
#define BACKLOG       512
#define RETRIES       7
#define RNR_RETRIES   6 /* finite (7 means unlimited): with credits an honest peer never causes it */

struct wire_hello {
	le64 magic;
	le32 version;
	le32 message_size;
	le32 receive_depth;
	le32 operations;
	le32 receive_first;
	le32 reserved;
	le64 ticket_number, ticket_key;
};
static_assert(sizeof(struct wire_hello) <= 56, "private data of a connect request");

struct verbs_listener {
	struct transport_listener base;
	struct rdma_event_channel *channel;
	struct rdma_cm_id *id;
};

struct verbs_pending {
	struct transport_pending base;
	struct rdma_event_channel *channel;
	struct rdma_cm_id *id;
	uint8_t read_depth, served_depth; /* reads that the peer can serve, and that it will request */
};

static struct wire_hello encode(const struct transport_hello *hello)
{
	return (struct wire_hello){
	    .magic = le64_of(VERBS_MAGIC),
	    .version = le32_of(VERBS_VERSION),
	    .message_size = le32_of(hello->message_size),
	    .receive_depth = le32_of(hello->receive_depth),
	    .operations = le32_of(hello->operations),
	    .receive_first = le32_of(hello->receive_first),
	    .ticket_number = le64_of(hello->ticket.number),
	    .ticket_key = le64_of(hello->ticket.key),
	};
}

static int decode(const struct rdma_conn_param *from, struct transport_hello *hello, const char **reason)
{
	struct wire_hello wire;

	*reason = "it does not speak farnova's protocol";
	if (from->private_data == NULL || from->private_data_len < sizeof(wire))
		return -EPROTO;
	memcpy(&wire, from->private_data, sizeof(wire));
	if (le64_get(wire.magic) != VERBS_MAGIC)
		return -EPROTO;
	*reason = "it speaks another version of farnova's transport";
	if (le32_get(wire.version) != VERBS_VERSION)
		return -EPROTO;
	hello->message_size = le32_get(wire.message_size);
	hello->receive_depth = le32_get(wire.receive_depth);
	hello->operations = le32_get(wire.operations);
	hello->receive_first = le32_get(wire.receive_first);
	hello->ticket.number = le64_get(wire.ticket_number);
	hello->ticket.key = le64_get(wire.ticket_key);
	*reason = "its limits are out of range";
	return transport_hello_check(hello);
}

static void format_peer(struct rdma_cm_id *id, char *peer, size_t size)
{
	const struct sockaddr *address = rdma_get_peer_addr(id);

	transport_format_address(
	    address, address->sa_family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in), peer,
	    size);
}

static struct rdma_event_channel *open_channel(void)
{
	struct rdma_event_channel *channel = rdma_create_event_channel();

	if (channel != NULL)
		fcntl(channel->fd, F_SETFL, O_NONBLOCK);
	return channel;
}

static uint8_t least(uint8_t a, uint8_t b)
{
	return a < b ? a : b;
}

/* ---- listening -------------------------------------------------------------------------------------------------- */

static int bind_listener(struct verbs_listener *listener, const char *host, uint16_t port, char *why, size_t why_size)
{
	struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE}, *list;
	bool any = *host == '\0' || strcmp(host, "*") == 0;
	char service[8];
	int rc;

	snprintf(service, sizeof(service), "%u", port);
	rc = getaddrinfo(any ? NULL : host, service, &hints, &list);
	if (rc != 0)
		return transport_why(-EADDRNOTAVAIL, why, why_size, "cannot find the address of host %s: %s", host,
		                     gai_strerror(rc));
	rc = -EADDRNOTAVAIL;
	for (struct addrinfo *entry = list; entry != NULL && rc != 0; entry = entry->ai_next)
		rc = rdma_bind_addr(listener->id, entry->ai_addr) == 0 ? 0 : -errno;
	freeaddrinfo(list);
	if (rc == -ENODEV || rc == -EADDRNOTAVAIL)
		return transport_why(
		    rc, why, why_size,
		    "cannot listen on %s: no RDMA device has that address; give one of an interface with "
		    "an RDMA device (rdma link), or use the tcp transport",
		    host);
	if (rc == 0 && rdma_listen(listener->id, BACKLOG) != 0)
		rc = -errno;
	return transport_why(rc, why, why_size, "cannot listen on %s port %u over RDMA: %s", host, port, strerror(-rc));
}

int verbs_listen(const char *host, uint16_t port, struct transport_listener **out, char *why, size_t why_size)
{
	struct verbs_listener *listener;
	int rc;

	if (host[0] == '/')
		return transport_why(-EINVAL, why, why_size, "cannot listen on %s over RDMA: a path is for tcp", host);
	listener = calloc(1, sizeof(*listener));
	if (listener == NULL)
		return transport_why(-ENOMEM, why, why_size, "cannot listen on %s: no memory", host);
	listener->channel = open_channel();
	if (listener->channel == NULL || rdma_create_id(listener->channel, &listener->id, NULL, RDMA_PS_TCP) != 0)
		rc = transport_why(errno != 0 ? -errno : -ENODEV, why, why_size,
		                   "cannot listen on %s: this host has no RDMA connection manager (modprobe rdma_ucm)",
		                   host);
	else
		rc = bind_listener(listener, host, port, why, why_size);
	if (rc != 0) {
		verbs_listener_close(&listener->base);
		return rc;
	}
	listener->base.port = ntohs(rdma_get_src_port(listener->id));
	*out = &listener->base;
	return 0;
}

void verbs_listener_close(struct transport_listener *base)
{
	struct verbs_listener *listener = (struct verbs_listener *)base;

	if (listener->id != NULL)
		rdma_destroy_id(listener->id);
	if (listener->channel != NULL)
		rdma_destroy_event_channel(listener->channel);
	free(listener);
}

int verbs_listener_fd(const struct transport_listener *listener)
{
	return ((const struct verbs_listener *)listener)->channel->fd;
}

static void turn_away(struct rdma_cm_id *id, const char *reason)
{
	char peer[TRANSPORT_PEER_SIZE];

	format_peer(id, peer, sizeof(peer));
	log_warn_limited("transport", "%s turned away: %s", peer, reason);
	rdma_reject(id, NULL, 0);
	rdma_destroy_id(id);
}

static int make_pending(struct rdma_cm_id *id, const struct transport_hello *hello, const struct rdma_conn_param *asked,
                        struct transport_pending **out)
{
	struct verbs_pending *pending = calloc(1, sizeof(*pending));

	if (pending != NULL)
		pending->channel = open_channel();
	if (pending == NULL || pending->channel == NULL || rdma_migrate_id(id, pending->channel) != 0) {
		if (pending != NULL && pending->channel != NULL)
			rdma_destroy_event_channel(pending->channel);
		free(pending);
		return -ENOMEM;
	}
	pending->base.hello = *hello;
	format_peer(id, pending->base.peer, sizeof(pending->base.peer));
	pending->base.host = transport_host_number(rdma_get_peer_addr(id));
	pending->id = id;
	pending->served_depth = asked->responder_resources;
	pending->read_depth = asked->initiator_depth;
	*out = &pending->base;
	return 0;
}

int verbs_listener_next(struct transport_listener *base, struct transport_pending **out)
{
	struct verbs_listener *listener = (struct verbs_listener *)base;
	struct rdma_cm_event *event;

	while (rdma_get_cm_event(listener->channel, &event) == 0) {
		struct rdma_cm_id *id = event->id;
		struct rdma_conn_param asked = event->param.conn;
		bool request = event->event == RDMA_CM_EVENT_CONNECT_REQUEST;
		struct transport_hello hello;
		const char *reason = "no memory";
		int rc = request ? decode(&event->param.conn, &hello, &reason) : 0;

		rdma_ack_cm_event(event);
		if (!request)
			continue;
		if (rc == 0 && make_pending(id, &hello, &asked, out) == 0)
			return 0;
		turn_away(id, rc == 0 ? "no memory" : reason);
	}
	return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR ? -EAGAIN : -errno;
}

static void free_pending(struct verbs_pending *pending)
{
	if (pending->id != NULL)
		rdma_destroy_id(pending->id);
	rdma_destroy_event_channel(pending->channel);
	free(pending);
}

void verbs_reject(struct transport_pending *base, int error)
{
	struct verbs_pending *pending = (struct verbs_pending *)base;

	rdma_reject(pending->id, NULL, 0);
	free_pending(pending);
}

int verbs_accept(struct transport_pending *base, struct transport_queue *queue, const struct transport_hello *own,
                 struct transport_conn *join, struct transport_conn **out)
{
	struct verbs_pending *pending = (struct verbs_pending *)base;
	struct wire_hello hello = encode(own);
	struct rdma_conn_param answer = {
	    .private_data = &hello,
	    .private_data_len = sizeof(hello),
	    .rnr_retry_count = RNR_RETRIES,
	};
	struct verbs_conn *conn;
	int rc = verbs_conn_build(queue, pending->id, own, join, &conn);

	if (rc != 0) {
		verbs_reject(base, ECONNREFUSED);
		return rc;
	}
	rc = verbs_conn_complete(conn, own, &base->hello, base->peer);
	if (rc == 0 && rdma_migrate_id(pending->id, ((struct verbs_queue *)queue)->cm) != 0)
		rc = -errno;
	answer.responder_resources = least(conn->served_depth, pending->served_depth);
	answer.initiator_depth = least(conn->read_depth, pending->read_depth);
	if (rc == 0 && rdma_accept(pending->id, &answer) != 0)
		rc = -ECONNRESET; /* the peer has gone */
	pending->id = NULL;       /* owned by the connection now */
	free_pending(pending);
	if (rc != 0) {
		verbs_conn_destroy(conn);
		return rc;
	}
	if (join != NULL)
		transport_conn_join(&conn->base, join);
	*out = &conn->base;
	return 0;
}

/* ---- connecting ------------------------------------------------------------------------------------------------- */

static int event_error(const struct rdma_cm_event *event)
{
	switch (event->event) {
	case RDMA_CM_EVENT_REJECTED:
		return -ECONNREFUSED;
	case RDMA_CM_EVENT_UNREACHABLE:
		return event->status < 0 ? event->status : -EHOSTUNREACH;
	case RDMA_CM_EVENT_ADDR_ERROR:
	case RDMA_CM_EVENT_ROUTE_ERROR:
		return event->status < 0 ? event->status : -EHOSTUNREACH;
	default:
		return event->status < 0 ? event->status : -ECONNABORTED;
	}
}

/* Wait for the event that reports the step's success. The last event has the peer's limits. */
static int wait_for(struct rdma_event_channel *channel, enum rdma_cm_event_type expected, int64_t deadline,
                    struct transport_hello *theirs, const char **reason)
{
	struct pollfd ready = {.fd = channel->fd, .events = POLLIN};
	struct rdma_cm_event *event;
	int rc;

	while (rdma_get_cm_event(channel, &event) != 0) {
		int64_t left = deadline - clock_now_ms();

		if (errno != EAGAIN && errno != EINTR)
			return -errno;
		if (left <= 0)
			return -ETIMEDOUT;
		if (poll(&ready, 1, (int)left) < 0 && errno != EINTR)
			return -errno;
	}
	rc = event->event == expected ? 0 : event_error(event);
	if (rc == 0 && theirs != NULL)
		rc = decode(&event->param.conn, theirs, reason);
	rdma_ack_cm_event(event);
	return rc;
}

static int resolve(struct rdma_cm_id *id, const struct sockaddr *address, int64_t deadline)
{
	const char *reason;
	int64_t left = deadline - clock_now_ms();
	int rc;

	if (left <= 0)
		return -ETIMEDOUT;
	if (rdma_resolve_addr(id, NULL, (struct sockaddr *)address, (int)left) != 0)
		return -errno;
	rc = wait_for(id->channel, RDMA_CM_EVENT_ADDR_RESOLVED, deadline, NULL, &reason);
	if (rc != 0)
		return rc;
	if (rdma_resolve_route(id, (int)left) != 0)
		return -errno;
	return wait_for(id->channel, RDMA_CM_EVENT_ROUTE_RESOLVED, deadline, NULL, &reason);
}

static int ask_in(struct verbs_conn *conn, const struct transport_hello *own, int64_t deadline,
                  struct transport_hello *theirs, const char **reason)
{
	struct wire_hello hello = encode(own);
	struct rdma_conn_param request = {
	    .private_data = &hello,
	    .private_data_len = sizeof(hello),
	    .responder_resources = conn->served_depth,
	    .initiator_depth = conn->read_depth,
	    .retry_count = RETRIES,
	    .rnr_retry_count = RNR_RETRIES,
	};

	if (rdma_connect(conn->id, &request) != 0)
		return -errno;
	return wait_for(conn->id->channel, RDMA_CM_EVENT_ESTABLISHED, deadline, theirs, reason);
}

static int connect_address(struct transport_queue *queue, struct rdma_event_channel *channel,
                           const struct sockaddr *address, const struct transport_hello *own, int64_t deadline,
                           struct transport_conn **out, const char **reason)
{
	char peer[TRANSPORT_PEER_SIZE];
	struct transport_hello theirs;
	struct verbs_conn *conn;
	struct rdma_cm_id *id;
	int rc;

	if (rdma_create_id(channel, &id, NULL, RDMA_PS_TCP) != 0)
		return -errno;
	rc = resolve(id, address, deadline);
	if (rc == 0)
		rc = verbs_conn_build(queue, id, own, NULL, &conn);
	if (rc != 0) {
		rdma_destroy_id(id);
		return rc;
	}
	rc = ask_in(conn, own, deadline, &theirs, reason);
	format_peer(id, peer, sizeof(peer));
	if (rc == 0)
		rc = verbs_conn_complete(conn, own, &theirs, peer);
	if (rc == 0 && rdma_migrate_id(id, ((struct verbs_queue *)queue)->cm) != 0)
		rc = -errno;
	if (rc != 0) {
		verbs_conn_destroy(conn);
		return rc;
	}
	*out = &conn->base;
	return 0;
}

static int explain(int rc, const char *host, uint16_t port, const char *reason, char *why, size_t why_size)
{
	const char *hint = "";

	if (rc == -ECONNREFUSED)
		hint = "; is farnovad running there, over verbs?";
	else if (rc == -ENODEV || rc == -EADDRNOTAVAIL || rc == -EHOSTUNREACH || rc == -ENETUNREACH)
		hint = "; no RDMA device of this host leads there (rdma link), or use the tcp transport";
	else if (rc == -ENOMEM)
		hint = "; raise the limit of locked memory (ulimit -l)";
	return transport_why(rc, why, why_size, "cannot connect to %s port %u over RDMA: %s%s", host, port,
	                     reason != NULL ? reason : strerror(-rc), hint);
}

int verbs_connect(struct transport_queue *queue, const char *host, uint16_t port, const struct transport_hello *own,
                  int timeout_ms, struct transport_conn **out, char *why, size_t why_size)
{
	struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM}, *list;
	int64_t deadline = clock_now_ms() + timeout_ms;
	struct rdma_event_channel *channel;
	const char *reason = NULL;
	char service[8];
	int rc;

	if (host[0] == '/')
		return transport_why(-EINVAL, why, why_size, "cannot connect to %s over RDMA: a path is for tcp", host);
	snprintf(service, sizeof(service), "%u", port);
	rc = getaddrinfo(host, service, &hints, &list);
	if (rc != 0)
		return transport_why(-EADDRNOTAVAIL, why, why_size, "cannot find the address of host %s: %s", host,
		                     gai_strerror(rc));
	channel = open_channel();
	rc = channel != NULL ? -EADDRNOTAVAIL : -ENODEV;
	for (struct addrinfo *entry = list; channel != NULL && entry != NULL && rc != 0; entry = entry->ai_next)
		rc = connect_address(queue, channel, entry->ai_addr, own, deadline, out, &reason);
	freeaddrinfo(list);
	if (channel != NULL)
		rdma_destroy_event_channel(channel);
	return rc == 0 ? 0 : explain(rc, host, port, reason, why, why_size);
}
