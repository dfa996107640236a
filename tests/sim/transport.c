/*
 * transport.c -- the transport's contract on the simulated network: queues, messages and memory.
 */
#include "tests/sim/network.h"

#include "tests/sim/descriptors.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define OPERATION_MOST (1u << 20)

static uint64_t key_count;

/* ---- queues ----------------------------------------------------------------------------------------------------- */

static int sim_available(char *why, size_t why_size)
{
	return 0;
}

static int sim_queue_create(struct transport_queue **out)
{
	struct sim_queue *queue = network_allocate(sizeof(*queue));

	queue->fd = descriptor_open();
	TAILQ_INIT(&queue->arrived);
	LIST_INIT(&queue->conns);
	*out = &queue->base;
	return 0;
}

static void sim_queue_destroy(struct transport_queue *base)
{
	struct sim_queue *queue = (struct sim_queue *)base;

	if (!LIST_EMPTY(&queue->conns))
		sim_failed("a queue is destroyed before its connections");
	descriptor_close(queue->fd);
	free(queue);
}

static void take_item(struct sim_conn *conn, struct item *item)
{
	if (item->type == MESSAGE) {
		TAILQ_INSERT_TAIL(&conn->taken, item, entry);
		transport_push_message(&conn->base, item->data, item->length);
		return;
	}
	if (item->type == END) {
		transport_conn_failed(&conn->base, item->status);
	} else {
		struct operation *operation = &conn->operations[conn->operation_head++ % conn->base.own.operations];

		if (operation->context)
			transport_push_done(&conn->base, operation->context);
	}
	network_free(item);
}

static int sim_work(struct transport_queue *base, int max)
{
	struct sim_queue *queue = (struct sim_queue *)base;
	struct sim_conn *conn;
	struct item *item;

	LIST_FOREACH(conn, &queue->conns, entry)
	network_flush(conn);
	for (; max > 0 && (item = TAILQ_FIRST(&queue->arrived)) != NULL; max--) {
		TAILQ_REMOVE(&queue->arrived, item, entry);
		take_item(item->link->end[item->to], item);
	}
	if (TAILQ_EMPTY(&queue->arrived))
		descriptor_set(queue->fd, false);
	return 0;
}

static int sim_fd(const struct transport_queue *base)
{
	return ((const struct sim_queue *)base)->fd;
}

static int sim_arm(struct transport_queue *base)
{
	struct sim_queue *queue = (struct sim_queue *)base;

	if (!TAILQ_EMPTY(&queue->arrived))
		return 1;
	descriptor_set(queue->fd, false);
	return 0;
}

/* ---- messages and memory ---------------------------------------------------------------------------------------- */

static int sim_send(struct transport_conn *base, const struct iovec *iov, int count, uint32_t length, unsigned flags)
{
	struct sim_conn *conn = conn_of(base);
	struct item *item;
	size_t at = 0;

	if (network_has_no_room(conn))
		return -EAGAIN;
	base->credits.available--;
	item = network_item(conn, MESSAGE, REQUESTS, length);
	item->length = length;
	for (int i = 0; i < count; at += iov[i++].iov_len)
		memcpy(item->data + at, iov[i].iov_base, iov[i].iov_len);
	network_post(conn, item, flags);
	return 0;
}

static void sim_flush(struct transport_conn *base)
{
	network_flush(conn_of(base));
}

static void sim_release(struct transport_conn *base, const void *data)
{
	struct item *item = (struct item *)((uintptr_t)data - offsetof(struct item, data));
	struct sim_conn *conn = conn_of(base);

	TAILQ_REMOVE(&conn->taken, item, entry);
	memset(item->data, POISON, item->length);
	network_free(item);
	conn->unreleased--;
	if (base->credits.depth > base->receive_limit) { /* of what is above the limit the peer gets nothing back */
		base->credits.depth--;
		base->credits.owed--;
	}
	if (credits_overdue(&base->credits) && !conn->over)
		network_answer(conn, network_item(conn, CREDIT, ANSWERS, 0));
}

static int sim_register(struct transport_conn *base, void *address, size_t length, uint64_t remote_base,
                        unsigned rights, struct transport_region **out)
{
	struct transport_region *region = network_allocate(sizeof(*region));

	region->address = address;
	region->length = length;
	region->base = remote_base;
	region->rights = rights;
	region->key = ++key_count << 8 | (sim_random(SIM_SECRETS) & 0xff);
	transport_region_link(region, base);
	*out = region;
	return 0;
}

static bool is_used(const struct sim_conn *conn, const struct transport_region *region)
{
	for (uint32_t i = conn->operation_head; i != conn->operation_tail; i++)
		if (conn->operations[i % conn->base.own.operations].region == region)
			return true;
	return false;
}

static void sim_deregister(struct transport_region *region)
{
	struct sim_conn *conn = conn_of(region->conn);

	if (is_used(conn, region))
		network_fail(conn, -EFAULT, "a registration ended while an operation of this side was using it");
	transport_region_unlink(region);
	free(region);
}

static int remember(struct sim_conn *conn, void *local, struct transport_region *region, uint32_t length, void *context)
{
	if (conn->operation_tail - conn->operation_head >= conn->base.own.operations)
		return -EAGAIN;
	conn->operations[conn->operation_tail++ % conn->base.own.operations] =
	    (struct operation){.local = local, .length = length, .region = region, .context = context};
	return 0;
}

static int sim_read(struct transport_conn *base, void *local, struct transport_region *region, uint64_t remote,
                    uint64_t key, uint32_t length, void *context, unsigned flags)
{
	struct sim_conn *conn = conn_of(base);
	struct item *item;

	if (length > OPERATION_MOST)
		return -EMSGSIZE;
	if (network_has_no_room(conn) || remember(conn, local, region, length, context) != 0)
		return -EAGAIN;
	item = network_item(conn, READ, REQUESTS, 0);
	item->length = length;
	item->remote = remote;
	item->key = key;
	network_post(conn, item, flags);
	return 0;
}

static int sim_write(struct transport_conn *base, const void *local, struct transport_region *region, uint64_t remote,
                     uint64_t key, uint32_t length, void *context, unsigned flags)
{
	struct sim_conn *conn = conn_of(base);
	struct item *item;

	if (length > OPERATION_MOST)
		return -EMSGSIZE;
	if (network_has_no_room(conn) || (context && remember(conn, NULL, region, length, context) != 0))
		return -EAGAIN;
	item = network_item(conn, WRITE, REQUESTS, length);
	item->length = length;
	item->remote = remote;
	item->key = key;
	item->source = local;
	item->wants_ack = context != NULL;
	network_post(conn, item, flags);
	return 0;
}

/* ---- the table -------------------------------------------------------------------------------------------------- */

#define RECEIVE_FIRST 64u /* receive buffers of a new connection; more come as credits */

#define SIMULATED(of, wants_region)                                                                                    \
	{                                                                                                              \
		.kind = of, .needs_region = wants_region, .receive_first = RECEIVE_FIRST, .available = sim_available,  \
		.queue_create = sim_queue_create, .queue_destroy = sim_queue_destroy, .work = sim_work, .fd = sim_fd,  \
		.arm = sim_arm, .listen = sim_listen, .listener_close = sim_listener_close,                            \
		.listener_fd = sim_listener_fd, .listener_next = sim_listener_next, .accept = sim_accept,              \
		.reject = sim_reject, .connect = sim_connect, .close = sim_close, .send = sim_send,                    \
		.flush = sim_flush, .release = sim_release, .register_ = sim_register, .deregister = sim_deregister,   \
		.read = sim_read, .write = sim_write                                                                   \
	}

static const struct transport_ops as_tcp = SIMULATED(TRANSPORT_TCP, false);
static const struct transport_ops as_verbs = SIMULATED(TRANSPORT_VERBS, true);

const struct transport_ops *const transport_kinds[TRANSPORT_KINDS] = {
    [TRANSPORT_TCP] = &as_tcp,
    [TRANSPORT_VERBS] = &as_verbs,
};
