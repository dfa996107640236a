/* base.c -- the common parts of all transports. */
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "common/transport/base/internal.h"

int transport_why(int error, char *why, size_t why_size, const char *format, ...)
{
	va_list arguments;

	if (why == NULL || why_size == 0)
		return error;
	va_start(arguments, format);
	vsnprintf(why, why_size, format, arguments);
	va_end(arguments);
	return error;
}

/* The host chooses the lower 64 bits of an IPv6 address itself, so they do not identify it. */
uint64_t transport_host_number(const struct sockaddr *address)
{
	const struct in6_addr *v6 = &((const struct sockaddr_in6 *)address)->sin6_addr;
	uint32_t v4;
	uint64_t number;

	if (address->sa_family == AF_INET)
		return ((const struct sockaddr_in *)address)->sin_addr.s_addr;
	if (address->sa_family != AF_INET6)
		return 0;
	if (IN6_IS_ADDR_V4MAPPED(v6)) {
		memcpy(&v4, v6->s6_addr + 12, sizeof(v4));
		return v4;
	}
	memcpy(&number, v6->s6_addr, sizeof(number));
	return number;
}

void transport_format_address(const struct sockaddr *address, uint32_t size, char *out, size_t out_size)
{
	const struct sockaddr_un *path = (const struct sockaddr_un *)address;
	char host[NI_MAXHOST], port[NI_MAXSERV];

	if (address->sa_family == AF_UNIX && size > offsetof(struct sockaddr_un, sun_path) && path->sun_path[0])
		snprintf(out, out_size, "unix:%.*s", (int)(size - offsetof(struct sockaddr_un, sun_path)),
		         path->sun_path);
	else if (address->sa_family == AF_UNIX)
		snprintf(out, out_size, "unix");
	else if (getnameinfo(address, size, host, sizeof(host), port, sizeof(port), NI_NUMERICHOST | NI_NUMERICSERV))
		snprintf(out, out_size, "unknown");
	else
		snprintf(out, out_size, strchr(host, ':') ? "[%.100s]:%.10s" : "%.100s:%.10s", host, port);
}

int transport_hello_check(const struct transport_hello *hello)
{
	if (hello->message_size == 0 || hello->message_size > TRANSPORT_MESSAGE_LIMIT)
		return -EPROTO;
	if (hello->receive_depth == 0 || hello->receive_depth > CREDITS_MAX)
		return -EPROTO;
	if (hello->receive_first == 0 || hello->receive_first > hello->receive_depth)
		return -EPROTO;
	if (hello->operations == 0 || hello->operations > TRANSPORT_OPERATION_LIMIT)
		return -EPROTO;
	return 0;
}

/* Each receive buffer, each operation and the end of the connection can be an event. */
static uint32_t events_of(const struct transport_conn *conn)
{
	return conn->own.receive_depth + conn->own.operations + 1;
}

int transport_conn_init(struct transport_conn *conn, struct transport_queue *queue, const struct transport_hello *own,
                        const struct transport_hello *theirs, const char *peer)
{
	conn->ops = queue->ops;
	conn->queue = queue;
	conn->domain = conn;
	conn->own = *own;
	conn->theirs = *theirs;
	conn->receive_limit = own->receive_depth;
	credits_init(&conn->credits, own->receive_first, theirs->receive_first, theirs->receive_depth);
	snprintf(conn->peer, sizeof(conn->peer), "%s", peer);
	return events_reserve(&queue->events, events_of(conn));
}

void transport_conn_fini(struct transport_conn *conn)
{
	events_forget(&conn->queue->events, conn);
	events_unreserve(&conn->queue->events, events_of(conn));
}

bool transport_conn_failed(struct transport_conn *conn, int status)
{
	if (conn->dead)
		return false;
	conn->dead = true;
	events_push(&conn->queue->events,
	            &(struct transport_event){.type = TRANSPORT_CLOSED, .conn = conn, .status = status});
	return true;
}

void transport_push_message(struct transport_conn *conn, const void *data, uint32_t length)
{
	events_push(&conn->queue->events,
	            &(struct transport_event){.type = TRANSPORT_MESSAGE, .conn = conn, .data = data, .length = length});
}

void transport_push_done(struct transport_conn *conn, void *context)
{
	events_push(&conn->queue->events,
	            &(struct transport_event){.type = TRANSPORT_DONE, .conn = conn, .context = context});
}

void transport_conn_join(struct transport_conn *conn, struct transport_conn *domain)
{
	conn->domain = domain;
	LIST_INSERT_HEAD(&domain->joined, conn, of_joined);
}

void transport_conn_part(struct transport_conn *conn)
{
	struct transport_conn *other;

	if (conn->domain != conn)
		LIST_REMOVE(conn, of_joined);
	conn->domain = conn;
	while ((other = LIST_FIRST(&conn->joined)) != NULL) {
		LIST_REMOVE(other, of_joined);
		other->domain = other;
	}
}

void transport_region_link(struct transport_region *region, struct transport_conn *conn)
{
	region->conn = conn;
	LIST_INSERT_HEAD(&conn->regions, region, entry);
}

void transport_region_unlink(struct transport_region *region)
{
	LIST_REMOVE(region, entry);
}
