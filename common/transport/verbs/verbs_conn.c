/*
 * verbs_conn.c -- the objects of a connection: protection domain, queue pair, send ring.
 *
 * Each connection has its own protection domain, so a key of one connection is useless on another. There is no shared
 * receive queue: it would bind connections to one domain. verbs_receive.c bounds what receive buffers take instead.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "common/log.h"
#include "common/transport/verbs/verbs.h"

#define CQ_ENTRIES     4096
#define INLINE_WANTED  256
#define PLACES_AT_MOST 65536u

static uint32_t least(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

/* ---- completion queues ------------------------------------------------------------------------------------------ */

static void cq_free(struct verbs_cq *cq)
{
	if (cq->cq != NULL)
		ibv_destroy_cq(cq->cq);
	if (cq->channel != NULL)
		ibv_destroy_comp_channel(cq->channel);
	free(cq);
}

static int cq_create(struct verbs_queue *queue, struct ibv_context *device, uint32_t capacity, struct verbs_cq **out)
{
	struct epoll_event interest = {.events = EPOLLIN};
	struct verbs_cq *cq = calloc(1, sizeof(*cq));
	int rc;

	if (cq == NULL)
		return -ENOMEM;
	cq->device = device;
	cq->capacity = capacity;
	cq->channel = ibv_create_comp_channel(device);
	if (cq->channel != NULL)
		cq->cq = ibv_create_cq(device, (int)capacity, cq, cq->channel, 0);
	if (cq->cq == NULL || fcntl(cq->channel->fd, F_SETFL, O_NONBLOCK) != 0 ||
	    epoll_ctl(queue->epoll, EPOLL_CTL_ADD, cq->channel->fd, &interest) != 0) {
		rc = errno != 0 ? -errno : -ENOMEM;
		cq_free(cq);
		return rc;
	}
	cq->next = queue->cqs;
	queue->cqs = cq;
	*out = cq;
	return 0;
}

static int cq_reserve(struct verbs_queue *queue, struct ibv_context *device, uint32_t room, uint32_t max_entries,
                      struct verbs_cq **out)
{
	struct verbs_cq *cq = queue->cqs;
	int rc = 0;

	while (cq != NULL && (cq->device != device || cq->capacity - cq->reserved < room))
		cq = cq->next;
	if (cq == NULL) {
		if (room > max_entries)
			return -EINVAL;
		rc = cq_create(queue, device, room > CQ_ENTRIES ? room : least(CQ_ENTRIES, max_entries), &cq);
	}
	if (rc != 0)
		return rc;
	cq->reserved += room;
	*out = cq;
	return 0;
}

/* ---- the table of connections ----------------------------------------------------------------------------------- */

static int take_place(struct verbs_queue *queue, struct verbs_conn *conn)
{
	uint32_t index = 0, grown;
	struct verbs_place *places;

	while (index < queue->place_count && queue->places[index].conn != NULL)
		index++;
	if (index == queue->place_count) {
		if (index == PLACES_AT_MOST)
			return -ENOSPC;
		grown = index == 0 ? 16 : 2 * index;
		places = realloc(queue->places, grown * sizeof(*places));
		if (places == NULL)
			return -ENOMEM;
		memset(places + index, 0, (grown - index) * sizeof(*places));
		queue->places = places;
		queue->place_count = grown;
	}
	queue->places[index].conn = conn;
	conn->handle = (uint32_t)++queue->places[index].generation << 16 | index;
	return 0;
}

/* ---- building --------------------------------------------------------------------------------------------------- */

static int create_queue_pair(struct verbs_conn *conn)
{
	struct ibv_qp_init_attr attributes = {
	    .send_cq = conn->cq->cq,
	    .recv_cq = conn->cq->cq,
	    .cap = {.max_send_wr = conn->depth,
	            .max_recv_wr = conn->receive_room,
	            .max_send_sge = 1,
	            .max_recv_sge = 1,
	            .max_inline_data = INLINE_WANTED},
	    .qp_type = IBV_QPT_RC,
	};

	if (rdma_create_qp(conn->id, conn->pd, &attributes) != 0) {
		attributes.cap.max_inline_data = 0; /* not every device supports inline sends */
		if (rdma_create_qp(conn->id, conn->pd, &attributes) != 0)
			return -errno;
	}
	conn->inline_limit = attributes.cap.max_inline_data;
	return 0;
}

static int size_queues(struct verbs_conn *conn, const struct transport_hello *own, const struct ibv_device_attr *device)
{
	uint32_t requests = 1;

	conn->receive_room = own->receive_depth + VERBS_CREDIT_SLOTS;
	conn->depth = own->operations + own->receive_depth + 2 * VERBS_CREDIT_SLOTS;
	conn->depth = least(conn->depth, (uint32_t)device->max_qp_wr);
	if (conn->receive_room > (uint32_t)device->max_qp_wr || conn->depth < 2 * VERBS_CREDIT_SLOTS)
		return -EINVAL;
	conn->signal_every = least(conn->depth, own->operations) / 4;
	conn->signal_every = conn->signal_every == 0 ? 1 : conn->signal_every;
	while (requests < conn->depth)
		requests *= 2;
	conn->request_mask = requests - 1;
	conn->requests = calloc(requests, sizeof(*conn->requests));
	return conn->requests != NULL ? 0 : -ENOMEM;
}

static int take_domain(struct verbs_conn *conn, const struct verbs_conn *join)
{
	if (join != NULL) {
		conn->pd = join->pd;
		return join->id->verbs == conn->id->verbs ? 0 : -EXDEV;
	}
	conn->pd = ibv_alloc_pd(conn->id->verbs);
	conn->owns_pd = conn->pd != NULL;
	return conn->owns_pd ? 0 : -errno;
}

static int build(struct verbs_conn *conn, const struct transport_hello *own, const struct transport_conn *join)
{
	struct verbs_queue *queue = verbs_queue_of(conn);
	struct ibv_device_attr device;
	struct ibv_port_attr port;
	int rc;

	if (ibv_query_device(conn->id->verbs, &device) != 0 ||
	    ibv_query_port(conn->id->verbs, conn->id->port_num, &port) != 0)
		return -ENODEV;
	conn->operation_limit = port.max_msg_sz;
	conn->read_depth = (uint8_t)least((uint32_t)device.max_qp_init_rd_atom, RDMA_MAX_INIT_DEPTH);
	conn->served_depth = (uint8_t)least((uint32_t)device.max_qp_rd_atom, RDMA_MAX_RESP_RES);
	rc = size_queues(conn, own, &device);
	if (rc != 0)
		return rc;
	rc = take_place(queue, conn);
	if (rc != 0)
		return rc;
	rc = cq_reserve(queue, conn->id->verbs, conn->depth + conn->receive_room, (uint32_t)device.max_cqe, &conn->cq);
	if (rc != 0)
		return rc;
	conn->cq_room = conn->depth + conn->receive_room;
	rc = take_domain(conn, (const struct verbs_conn *)join);
	if (rc == 0)
		rc = create_queue_pair(conn);
	return rc != 0 ? rc : verbs_receive_build(conn);
}

int verbs_conn_build(struct transport_queue *queue, struct rdma_cm_id *id, const struct transport_hello *own,
                     const struct transport_conn *join, struct verbs_conn **out)
{
	struct verbs_conn *conn = calloc(1, sizeof(*conn));
	int rc;

	if (conn == NULL)
		return -ENOMEM;
	conn->base.queue = queue;
	conn->base.ops = queue->ops;
	conn->base.own = *own;
	conn->id = id;
	rc = build(conn, own, join);
	if (rc != 0) {
		if (rc == -ENOMEM)
			log_error_limited("transport",
			                  "a connection's buffers cannot be registered: %s; raise the limit of locked "
			                  "memory (ulimit -l)",
			                  strerror(-rc));
		conn->id = NULL;
		if (id->qp != NULL)
			rdma_destroy_qp(id);
		verbs_conn_destroy(conn);
		return rc;
	}
	*out = conn;
	return 0;
}

int verbs_conn_complete(struct verbs_conn *conn, const struct transport_hello *own,
                        const struct transport_hello *theirs, const char *peer)
{
	uint64_t size = 64 * 1024;
	int rc;

	while (size < 3ull * theirs->message_size)
		size *= 2;
	conn->send_size = size;
	rc = verbs_allocate_registered(conn->pd, size + 64, &conn->send_bytes, &conn->send_mr);
	if (rc != 0)
		return rc;
	rc = transport_conn_init(&conn->base, conn->base.queue, own, theirs, peer);
	if (rc != 0)
		return rc;
	conn->ready = true;
	conn->id->context = conn;
	return 0;
}

/* ---- the end ---------------------------------------------------------------------------------------------------- */

void verbs_conn_fail(struct verbs_conn *conn, int status, const char *reason)
{
	if (!transport_conn_failed(&conn->base, status))
		return;
	if (reason != NULL)
		log_warn_limited("transport", "connection with %s ended: %s", conn->base.peer, reason);
	rdma_disconnect(conn->id); /* also moves the queue pair to the error state: nothing more is executed */
}

static void leave_unposted(struct verbs_conn *conn)
{
	struct verbs_conn **link = &verbs_queue_of(conn)->unposted;

	if (!conn->in_unposted)
		return;
	while (*link != conn)
		link = &(*link)->next_unposted;
	*link = conn->next_unposted;
	conn->in_unposted = false;
}

static void end_regions(struct verbs_conn *conn)
{
	while (!LIST_EMPTY(&conn->base.regions)) {
		struct verbs_region *region = (struct verbs_region *)LIST_FIRST(&conn->base.regions);

		transport_region_unlink(&region->base);
		ibv_dereg_mr(region->mr);
		free(region);
	}
	verbs_receive_free(conn);
	if (conn->send_mr != NULL)
		ibv_dereg_mr(conn->send_mr);
}

void verbs_conn_destroy(struct verbs_conn *conn)
{
	struct verbs_queue *queue = verbs_queue_of(conn);

	/* Destroy the queue pair first: while it exists, the peer can use the registrations. */
	if (conn->id != NULL && conn->id->qp != NULL)
		rdma_destroy_qp(conn->id);
	end_regions(conn);
	if (conn->owns_pd)
		ibv_dealloc_pd(conn->pd);
	if (conn->id != NULL)
		rdma_destroy_id(conn->id);
	if (conn->cq != NULL)
		conn->cq->stale += conn->cq_room;
	if (conn->handle != 0)
		queue->places[conn->handle & (PLACES_AT_MOST - 1)].conn = NULL;
	leave_unposted(conn);
	if (conn->ready)
		transport_conn_fini(&conn->base);
	free(conn->send_bytes);
	free(conn->requests);
	conn->next_closed = queue->closed;
	queue->closed = conn;
}
