/* transport.c -- the functions of the contract: they select the transport from the registry and call it. */
#include <stdlib.h>
#include <string.h>

#include "common/transport/base/internal.h"

static const char *const names[] = {[TRANSPORT_TCP] = "tcp", [TRANSPORT_VERBS] = "verbs"};

/* ---- kinds ------------------------------------------------------------------------------------------------------ */

int transport_available(enum transport_kind kind, char *why, size_t why_size)
{
	return transport_kinds[kind]->available(why, why_size);
}

const char *transport_kind_name(enum transport_kind kind)
{
	return names[kind];
}

int transport_kind_from_name(const char *name, enum transport_kind *kind)
{
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strcmp(name, names[i]) == 0) {
			*kind = (enum transport_kind)i;
			return 0;
		}
	}
	return -EINVAL;
}

/* ---- completion queues ------------------------------------------------------------------------------------------ */

int transport_queue_create(enum transport_kind kind, struct transport_queue **out)
{
	int rc = transport_kinds[kind]->queue_create(out);

	if (rc == 0)
		(*out)->ops = transport_kinds[kind];
	return rc;
}

void transport_queue_destroy(struct transport_queue *queue)
{
	if (queue == NULL)
		return;
	events_destroy(&queue->events);
	queue->ops->queue_destroy(queue);
}

int transport_poll(struct transport_queue *queue, struct transport_event *events, int max)
{
	int count, rc;

	if (max <= 0)
		return -EINVAL;
	count = events_take(&queue->events, events, max);
	if (count == max)
		return count;
	rc = queue->ops->work(queue, max - count);
	if (rc < 0)
		return count > 0 ? count : rc;
	return count + events_take(&queue->events, events + count, max - count);
}

uint64_t transport_activity(const struct transport_queue *queue)
{
	return queue->activity;
}

int transport_fd(const struct transport_queue *queue)
{
	return queue->ops->fd(queue);
}

int transport_arm(struct transport_queue *queue)
{
	if (events_ready(&queue->events) > 0)
		return 1;
	return queue->ops->arm(queue);
}

/* ---- connections ------------------------------------------------------------------------------------------------ */

int transport_listen(enum transport_kind kind, const char *host, uint16_t port, struct transport_listener **out,
                     char *why, size_t why_size)
{
	int rc = transport_kinds[kind]->listen(host, port, out, why, why_size);

	if (rc == 0)
		(*out)->ops = transport_kinds[kind];
	return rc;
}

void transport_listener_close(struct transport_listener *listener)
{
	if (listener != NULL)
		listener->ops->listener_close(listener);
}

int transport_listener_fd(const struct transport_listener *listener)
{
	return listener->ops->listener_fd(listener);
}

uint16_t transport_listener_port(const struct transport_listener *listener)
{
	return listener->port;
}

int transport_listener_next(struct transport_listener *listener, struct transport_pending **out)
{
	int rc = listener->ops->listener_next(listener, out);

	if (rc == 0)
		(*out)->ops = listener->ops;
	return rc;
}

static int own_limits(const struct transport_ops *ops, const struct transport_options *options,
                      struct transport_hello *own)
{
	*own = (struct transport_hello){.message_size = TRANSPORT_DEFAULT_MESSAGE,
	                                .receive_depth = TRANSPORT_DEFAULT_DEPTH,
	                                .operations = TRANSPORT_DEFAULT_OPERATIONS};
	if (options != NULL && options->message_size != 0)
		own->message_size = options->message_size;
	if (options != NULL && options->receive_depth != 0)
		own->receive_depth = options->receive_depth;
	if (options != NULL && options->operations != 0)
		own->operations = options->operations;
	if (options != NULL)
		own->ticket = options->ticket;
	own->receive_first = own->receive_depth;
	if (ops->receive_first != 0 && ops->receive_first < own->receive_first)
		own->receive_first = ops->receive_first;
	return transport_hello_check(own) == 0 ? 0 : -EINVAL;
}

int transport_accept(struct transport_pending *pending, struct transport_queue *queue,
                     const struct transport_options *options, struct transport_conn **out)
{
	struct transport_conn *join = options != NULL ? options->join : NULL;
	struct transport_hello own;
	int rc = own_limits(queue->ops, options, &own);

	if (rc == 0 && (pending->ops != queue->ops || (join != NULL && (join->queue != queue || join->domain != join))))
		rc = -EINVAL;
	if (rc == 0 && join != NULL && join->dead)
		rc = -ENOTCONN;
	if (rc != 0) {
		transport_reject(pending, ECONNREFUSED);
		return rc;
	}
	return pending->ops->accept(pending, queue, &own, join, out);
}

void transport_reject(struct transport_pending *pending, int error)
{
	pending->ops->reject(pending, error);
}

uint64_t transport_pending_host(const struct transport_pending *pending)
{
	return pending->host;
}

struct transport_ticket transport_pending_ticket(const struct transport_pending *pending)
{
	return pending->hello.ticket;
}

int transport_connect(struct transport_queue *queue, const char *host, uint16_t port,
                      const struct transport_options *options, int timeout_ms, struct transport_conn **out, char *why,
                      size_t why_size)
{
	struct transport_hello own;
	int rc = own_limits(queue->ops, options, &own);

	if (rc != 0)
		return transport_why(rc, why, why_size,
		                     "connect to %s: message size, receive depth or operations out of range", host);
	return queue->ops->connect(queue, host, port, &own, timeout_ms, out, why, why_size);
}

void transport_close(struct transport_conn *conn)
{
	if (conn != NULL)
		conn->ops->close(conn);
}

void transport_set_user(struct transport_conn *conn, void *user)
{
	conn->user = user;
}

void *transport_user(const struct transport_conn *conn)
{
	return conn->user;
}

enum transport_kind transport_conn_kind(const struct transport_conn *conn)
{
	return conn->ops->kind;
}

uint32_t transport_max_message(const struct transport_conn *conn)
{
	return conn->theirs.message_size;
}

int transport_local_cpu(const struct transport_conn *conn)
{
	return conn->ops->local_cpu != NULL ? conn->ops->local_cpu(conn) : -1;
}

const char *transport_peer(const struct transport_conn *conn)
{
	return conn->peer;
}

/* ---- messages and memory ---------------------------------------------------------------------------------------- */

/* Flush earlier posts with TRANSPORT_MORE, because the post that should follow was refused. */
static int refused(struct transport_conn *conn, int error)
{
	if (error == -EAGAIN)
		conn->ops->flush(conn);
	return error;
}

int transport_send(struct transport_conn *conn, const struct iovec *iov, int count, unsigned flags)
{
	uint64_t length = 0;

	for (int i = 0; i < count; i++)
		if (__builtin_add_overflow(length, (uint64_t)iov[i].iov_len, &length))
			return -EMSGSIZE;
	if (conn->dead)
		return -ENOTCONN;
	if (length == 0)
		return -EINVAL;
	if (length > conn->theirs.message_size)
		return -EMSGSIZE;
	if (conn->credits.available == 0)
		return refused(conn, -EAGAIN);
	return refused(conn, conn->ops->send(conn, iov, count, (uint32_t)length, flags));
}

void transport_flush(struct transport_conn *conn)
{
	if (!conn->dead)
		conn->ops->flush(conn);
}

void transport_set_receives(struct transport_conn *conn, uint32_t count)
{
	uint32_t most = conn->own.receive_depth;

	conn->receive_limit = count == 0 ? 1 : count < most ? count : most;
}

void transport_release(struct transport_conn *conn, const void *data)
{
	conn->credits.owed++;
	conn->ops->release(conn, data);
}

int transport_register(struct transport_conn *conn, void *address, size_t length, uint64_t base, unsigned rights,
                       struct transport_region **out)
{
	uint64_t end;

	if (conn->dead)
		return -ENOTCONN;
	/* Devices translate whole pages: the offset within a page must be the same on both sides. */
	if ((rights & (TRANSPORT_REMOTE_READ | TRANSPORT_REMOTE_WRITE)) != 0 &&
	    ((base ^ (uintptr_t)address) & (TRANSPORT_PAGE_SIZE - 1)) != 0)
		return -EINVAL;
	if (conn->domain != conn && (rights & (TRANSPORT_REMOTE_READ | TRANSPORT_REMOTE_WRITE)) != 0)
		return -EINVAL;
	if (length == 0 || (rights & ~TRANSPORT_RIGHTS) != 0 || __builtin_add_overflow(base, (uint64_t)length, &end) ||
	    __builtin_add_overflow((uintptr_t)address, length, &end))
		return -EINVAL;
	return conn->ops->register_(conn, address, length, base, rights, out);
}

void transport_deregister(struct transport_region *region)
{
	if (region != NULL)
		region->conn->ops->deregister(region);
}

uint64_t transport_region_key(const struct transport_region *region)
{
	return region->key;
}

bool transport_needs_region(const struct transport_conn *conn)
{
	return conn->ops->needs_region;
}

static int check_local(const struct transport_conn *conn, const void *local, const struct transport_region *region,
                       uint32_t length, bool lands)
{
	uintptr_t offset;

	if (conn->dead)
		return -ENOTCONN;
	if (length == 0 || local == NULL)
		return -EINVAL;
	if (region == NULL)
		return conn->ops->needs_region ? -EINVAL : 0;
	offset = (uintptr_t)local - (uintptr_t)region->address;
	if (region->conn != conn || offset >= region->length || length > region->length - offset)
		return -EINVAL;
	if (lands && (region->rights & (TRANSPORT_LOCAL_WRITE | TRANSPORT_REMOTE_WRITE)) == 0)
		return -EINVAL;
	return 0;
}

int transport_read(struct transport_conn *conn, void *local, struct transport_region *region, uint64_t remote,
                   uint64_t key, uint32_t length, void *context, unsigned flags)
{
	int rc = check_local(conn, local, region, length, true);

	if (rc != 0)
		return rc;
	return refused(conn, conn->ops->read(conn, local, region, remote, key, length, context, flags));
}

int transport_write(struct transport_conn *conn, const void *local, struct transport_region *region, uint64_t remote,
                    uint64_t key, uint32_t length, void *context, unsigned flags)
{
	int rc = check_local(conn, local, region, length, false);

	if (rc != 0)
		return rc;
	return refused(conn, conn->ops->write(conn, local, region, remote, key, length, context, flags));
}
