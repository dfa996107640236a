/*
 * verbs.c -- the contract over RDMA verbs: completion queues, posts and registrations.
 *
 * A request asks for a completion only if something waits for it, or once in a number of requests. That completion
 * covers all earlier requests, since a send queue completes in order. Posts with TRANSPORT_MORE are linked and share
 * one doorbell.
 */
#include "common/transport/verbs/verbs_ops.h"

#include "common/transport/verbs/verbs.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/log.h"

#define COMPLETIONS_AT_ONCE 32
#define POLLS_PER_CM_LOOK   4096 /* a check for connection events is a system call */

/* ---- completion queues ------------------------------------------------------------------------------------------ */

static void free_closed(struct verbs_queue *queue)
{
	while (queue->closed != NULL) {
		struct verbs_conn *conn = queue->closed;

		queue->closed = conn->next_closed;
		free(conn);
	}
}

static void verbs_queue_destroy(struct transport_queue *base)
{
	struct verbs_queue *queue = (struct verbs_queue *)base;

	free_closed(queue);
	while (queue->cqs != NULL) {
		struct verbs_cq *cq = queue->cqs;

		queue->cqs = cq->next;
		ibv_destroy_cq(cq->cq);
		ibv_destroy_comp_channel(cq->channel);
		free(cq);
	}
	if (queue->cm != NULL)
		rdma_destroy_event_channel(queue->cm);
	if (queue->epoll >= 0)
		close(queue->epoll);
	free(queue->places);
	free(queue);
}

static int verbs_queue_create(struct transport_queue **out)
{
	struct epoll_event interest = {.events = EPOLLIN};
	struct verbs_queue *queue = calloc(1, sizeof(*queue));
	int rc;

	if (queue == NULL)
		return -ENOMEM;
	queue->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (queue->epoll >= 0)
		queue->cm = rdma_create_event_channel();
	if (queue->cm == NULL || fcntl(queue->cm->fd, F_SETFL, O_NONBLOCK) != 0 ||
	    epoll_ctl(queue->epoll, EPOLL_CTL_ADD, queue->cm->fd, &interest) != 0) {
		rc = errno != 0 ? -errno : -ENODEV;
		verbs_queue_destroy(&queue->base);
		return rc;
	}
	*out = &queue->base;
	return 0;
}

static int verbs_queue_fd(const struct transport_queue *queue)
{
	return ((const struct verbs_queue *)queue)->epoll;
}

/* ---- posting ---------------------------------------------------------------------------------------------------- */

static struct verbs_request *request(struct verbs_conn *conn, uint32_t position)
{
	return &conn->requests[position & conn->request_mask];
}

static void ring_doorbell(struct verbs_conn *conn)
{
	struct ibv_send_wr *first, *bad;
	int rc;

	if (conn->unposted == 0 || conn->base.dead)
		return;
	first = &request(conn, conn->tail - conn->unposted)->wr;
	conn->unposted = 0;
	rc = ibv_post_send(conn->id->qp, first, &bad);
	if (rc != 0)
		verbs_conn_fail(conn, -rc, "the queue pair takes no more requests");
}

static bool has_slot(const struct verbs_conn *conn)
{
	return conn->tail - conn->head < conn->depth - VERBS_CREDIT_SLOTS;
}

static void enter_unposted(struct verbs_conn *conn)
{
	struct verbs_queue *queue = verbs_queue_of(conn);

	if (conn->in_unposted)
		return;
	conn->next_unposted = queue->unposted;
	queue->unposted = conn;
	conn->in_unposted = true;
}

/* The operation of the request at the tail is filled in: decide whether it needs a completion, link it, and post unless
 * another follows. */
static void post(struct verbs_conn *conn, struct verbs_request *this, uint32_t bytes, unsigned flags)
{
	this->wr.wr_id = verbs_work_id(conn, conn->tail & ~VERBS_RECEIVE_BIT);
	this->wr.next = NULL;
	this->wr.sg_list = &this->sge;
	this->wr.num_sge = 1;
	this->ring_end = conn->send_tail;
	conn->unsignalled++;
	conn->unsignalled_bytes += bytes;
	/* The ring also needs a completion to free it before it is full. */
	if (this->context != NULL || conn->unsignalled >= conn->signal_every ||
	    conn->unsignalled_bytes >= conn->send_size / 4) {
		this->wr.send_flags |= IBV_SEND_SIGNALED;
		conn->unsignalled = 0;
		conn->unsignalled_bytes = 0;
	}
	if (conn->unposted > 0)
		request(conn, conn->tail - 1)->wr.next = &this->wr;
	conn->unposted++;
	conn->tail++;
	if ((flags & TRANSPORT_MORE) != 0)
		enter_unposted(conn);
	else
		ring_doorbell(conn);
}

static void verbs_flush(struct transport_conn *conn)
{
	ring_doorbell(verbs_conn_of(conn));
}

/* Allocate `length` contiguous bytes; NULL: no room now. */
static uint8_t *ring_take(struct verbs_conn *conn, uint32_t length)
{
	uint64_t at, skip;

	/* Start at offset 0 again if nothing is outstanding (a request that completes later would set the head
	 * back). */
	if (conn->head == conn->tail)
		conn->send_head = conn->send_tail = 0;
	at = conn->send_tail & (conn->send_size - 1);
	skip = conn->send_size - at < length ? conn->send_size - at : 0;
	if (conn->send_tail - conn->send_head + skip + length > conn->send_size)
		return NULL;
	conn->send_tail += skip + length;
	return conn->send_bytes + ((conn->send_tail - length) & (conn->send_size - 1));
}

static uint32_t immediate(struct verbs_conn *conn, uint32_t kind)
{
	conn->receive.awaited = false;
	return htobe32(kind | credits_collect(&conn->base.credits));
}

static int verbs_send(struct transport_conn *base, const struct iovec *iov, int count, uint32_t length, unsigned flags)
{
	struct verbs_conn *conn = verbs_conn_of(base);
	struct verbs_request *this = request(conn, conn->tail);
	uint8_t *place = has_slot(conn) ? ring_take(conn, length) : NULL;
	size_t offset = 0;

	if (place == NULL)
		return -EAGAIN;
	for (int i = 0; i < count; i++) {
		if (iov[i].iov_len > 0)
			memcpy(place + offset, iov[i].iov_base, iov[i].iov_len);
		offset += iov[i].iov_len;
	}
	base->credits.available--;
	*this = (struct verbs_request){
	    .wr = {.opcode = IBV_WR_SEND_WITH_IMM,
	           .send_flags = length <= conn->inline_limit ? IBV_SEND_INLINE : 0,
	           .imm_data = immediate(conn, 0)},
	    .sge = {.addr = (uintptr_t)place, .length = length, .lkey = conn->send_mr->lkey},
	};
	post(conn, this, length, flags);
	return 0;
}

static bool must_send_credits(const struct verbs_conn *conn)
{
	return credits_overdue(&conn->base.credits) || conn->receive.awaited;
}

/* Send only credits. They have their own slots; if those are in use, a later completion calls this again. */
static void send_credits(struct verbs_conn *conn)
{
	struct verbs_request *this = request(conn, conn->tail);

	if (conn->base.dead || conn->tail - conn->head >= conn->depth)
		return;
	*this = (struct verbs_request){
	    .wr = {.opcode = IBV_WR_SEND_WITH_IMM, .imm_data = immediate(conn, VERBS_CREDIT_ONLY)},
	    .sge = {.addr = (uintptr_t)conn->send_bytes + conn->send_size,
	            .length = VERBS_CREDIT_SIZE,
	            .lkey = conn->send_mr->lkey},
	};
	post(conn, this, 0, 0);
}

static void verbs_release(struct transport_conn *base, const void *data)
{
	struct verbs_conn *conn = verbs_conn_of(base);
	int rc = verbs_receive_release(conn, data);

	if (base->dead)
		return;
	if (rc != 0)
		verbs_conn_fail(conn, rc, "the queue pair takes no more receive buffers");
	else if (must_send_credits(conn))
		send_credits(conn);
}

static int post_operation(struct verbs_conn *conn, enum ibv_wr_opcode opcode, const void *local,
                          struct transport_region *region, uint64_t remote, uint64_t key, uint32_t length,
                          void *context, unsigned flags)
{
	struct verbs_region *with = (struct verbs_region *)region;
	struct verbs_request *this = request(conn, conn->tail);
	uint64_t offset = (uintptr_t)local - (uintptr_t)region->address;

	if (length > conn->operation_limit)
		return -EMSGSIZE;
	if (!has_slot(conn) || conn->operations >= conn->base.own.operations)
		return -EAGAIN;
	*this = (struct verbs_request){
	    .wr = {.opcode = opcode, .wr.rdma = {.remote_addr = remote, .rkey = (uint32_t)key}},
	    .sge = {.addr = region->base + offset, .length = length, .lkey = with->mr->lkey},
	    .context = context,
	    .operation = true,
	};
	conn->operations++;
	post(conn, this, 0, flags);
	return 0;
}

static int verbs_read(struct transport_conn *conn, void *local, struct transport_region *region, uint64_t remote,
                      uint64_t key, uint32_t length, void *context, unsigned flags)
{
	return post_operation(verbs_conn_of(conn), IBV_WR_RDMA_READ, local, region, remote, key, length, context,
	                      flags);
}

static int verbs_write(struct transport_conn *conn, const void *local, struct transport_region *region, uint64_t remote,
                       uint64_t key, uint32_t length, void *context, unsigned flags)
{
	return post_operation(verbs_conn_of(conn), IBV_WR_RDMA_WRITE, local, region, remote, key, length, context,
	                      flags);
}

/* ---- completions ------------------------------------------------------------------------------------------------ */

static struct verbs_conn *find_conn(const struct verbs_queue *queue, uint64_t work_id)
{
	uint32_t handle = (uint32_t)(work_id >> 32), index = handle & 0xffff;
	struct verbs_conn *conn = index < queue->place_count ? queue->places[index].conn : NULL;

	return conn != NULL && conn->handle == handle && !conn->base.dead ? conn : NULL;
}

static void complete_failed(struct verbs_conn *conn, enum ibv_wc_status status)
{
	switch (status) {
	case IBV_WC_WR_FLUSH_ERR:
		/* The peer has ended the connection, or refused an access of its own. */
		verbs_conn_fail(conn, -ECONNRESET, NULL);
		return;
	case IBV_WC_REM_ACCESS_ERR:
	case IBV_WC_REM_INV_REQ_ERR:
	case IBV_WC_REM_OP_ERR:
		verbs_conn_fail(conn, -EACCES, "the peer refused an access");
		return;
	case IBV_WC_RETRY_EXC_ERR:
	case IBV_WC_RESP_TIMEOUT_ERR:
		verbs_conn_fail(conn, -ETIMEDOUT, "the peer does not answer");
		return;
	case IBV_WC_RNR_RETRY_EXC_ERR:
		verbs_conn_fail(conn, -EPROTO, "the peer had no receive buffer for a message it gave a credit for");
		return;
	default:
		verbs_conn_fail(conn, -EIO, ibv_wc_status_str(status));
	}
}

static void complete_requests(struct verbs_conn *conn, uint32_t position)
{
	uint32_t count = ((position - conn->head) & ~VERBS_RECEIVE_BIT) + 1;

	if (count > conn->tail - conn->head) {
		verbs_conn_fail(conn, -EIO, "the device completed a request that was not posted");
		return;
	}
	for (; count > 0; count--) {
		struct verbs_request *this = request(conn, conn->head++);

		conn->send_head = this->ring_end;
		conn->operations -= this->operation ? 1 : 0;
		if (this->context != NULL)
			transport_push_done(&conn->base, this->context);
	}
	if (must_send_credits(conn))
		send_credits(conn);
}

static void complete_receive(struct verbs_conn *conn, const struct ibv_wc *wc)
{
	uint32_t buffer = (uint32_t)wc->wr_id & ~VERBS_RECEIVE_BIT;
	uint8_t *bytes = verbs_receive_at(conn, buffer);
	uint32_t word = be32toh(wc->imm_data);
	int rc;

	if (bytes == NULL) {
		verbs_conn_fail(conn, -EIO, "the device filled a buffer that was not posted");
		return;
	}
	if (wc->opcode != IBV_WC_RECV || (wc->wc_flags & IBV_WC_WITH_IMM) == 0 ||
	    (word & ~(VERBS_CREDIT_ONLY | CREDITS_MAX)) != 0) {
		verbs_conn_fail(conn, -EPROTO, "the peer sent something that is no message");
		return;
	}
	if (credits_grant(&conn->base.credits, word & CREDITS_MAX) != 0) {
		verbs_conn_fail(conn, -EPROTO, "more credits than were taken");
		return;
	}
	if ((word & VERBS_CREDIT_ONLY) != 0) {
		rc = verbs_receive_again(conn, buffer);
		if (rc != 0)
			verbs_conn_fail(conn, rc, "the queue pair takes no more receive buffers");
		return;
	}
	if (wc->byte_len == 0 || wc->byte_len > conn->base.own.message_size) {
		verbs_conn_fail(conn, -EPROTO, "message length out of range");
		return;
	}
	rc = verbs_receive_took(conn);
	if (rc != 0) {
		verbs_conn_fail(conn, rc,
		                rc == -EPROTO ? "message without a credit"
		                              : "the queue pair takes no more receive buffers");
		return;
	}
	transport_push_message(&conn->base, bytes, wc->byte_len);
	if (must_send_credits(conn))
		send_credits(conn);
}

static void complete(struct verbs_queue *queue, const struct ibv_wc *wc)
{
	struct verbs_conn *conn = find_conn(queue, wc->wr_id);

	if (conn == NULL)
		return; /* of a connection that has ended */
	if (wc->status == IBV_WC_SUCCESS && (wc->wr_id & VERBS_RECEIVE_BIT) == 0)
		complete_requests(conn, (uint32_t)wc->wr_id);
	else if (wc->status == IBV_WC_SUCCESS)
		complete_receive(conn, wc);
	else if ((wc->wr_id & VERBS_RECEIVE_BIT) != 0 && wc->status != IBV_WC_WR_FLUSH_ERR)
		/* The status of this error depends on the device. */
		verbs_conn_fail(conn, -EPROTO, "the peer sent what fits no receive buffer");
	else
		complete_failed(conn, wc->status);
}

/* Take completions until the queue is empty or there are `max` events. */
static int take_completions(struct verbs_queue *queue, struct verbs_cq *cq, uint32_t max)
{
	struct ibv_wc completions[COMPLETIONS_AT_ONCE];
	int count = COMPLETIONS_AT_ONCE;

	while (count == COMPLETIONS_AT_ONCE && events_ready(&queue->base.events) < max) {
		count = ibv_poll_cq(cq->cq, COMPLETIONS_AT_ONCE, completions);
		if (count < 0)
			return -EIO;
		queue->base.activity += (uint64_t)count;
		for (int i = 0; i < count; i++)
			complete(queue, &completions[i]);
	}
	if (count < COMPLETIONS_AT_ONCE) {
		cq->reserved -= cq->stale;
		cq->stale = 0;
	}
	return 0;
}

/* complete_all -- process all available completions, so that those before a disconnect are not lost. */
static void complete_all(struct verbs_queue *queue)
{
	for (struct verbs_cq *cq = queue->cqs; cq != NULL; cq = cq->next)
		take_completions(queue, cq, UINT32_MAX);
}

static void handle_event(struct verbs_queue *queue, struct verbs_conn *conn, enum rdma_cm_event_type type)
{
	switch (type) {
	case RDMA_CM_EVENT_DISCONNECTED:
		complete_all(queue);
		verbs_conn_fail(conn, -ECONNRESET, NULL);
		return;
	case RDMA_CM_EVENT_CONNECT_ERROR:
	case RDMA_CM_EVENT_UNREACHABLE:
	case RDMA_CM_EVENT_REJECTED:
		verbs_conn_fail(conn, -ECONNABORTED, "the peer did not complete the connection");
		return;
	case RDMA_CM_EVENT_DEVICE_REMOVAL:
		verbs_conn_fail(conn, -ENODEV, "its RDMA device was removed");
		return;
	default: /* established, timewait: nothing to do */
		return;
	}
}

static void take_cm_events(struct verbs_queue *queue)
{
	struct rdma_cm_event *event;

	while (rdma_get_cm_event(queue->cm, &event) == 0) {
		struct verbs_conn *conn = event->id->context;
		enum rdma_cm_event_type type = event->event;

		/* First acknowledge it: an id with an unacknowledged event cannot be destroyed. */
		rdma_ack_cm_event(event);
		handle_event(queue, conn, type);
	}
}

static void take_wake_up(struct verbs_cq *cq)
{
	struct ibv_cq *which;
	void *context;

	while (ibv_get_cq_event(cq->channel, &which, &context) == 0) {
		ibv_ack_cq_events(which, 1);
		cq->armed = false;
	}
}

static void post_unposted(struct verbs_queue *queue)
{
	while (queue->unposted != NULL) {
		struct verbs_conn *conn = queue->unposted;

		queue->unposted = conn->next_unposted;
		conn->in_unposted = false;
		ring_doorbell(conn);
	}
}

static int verbs_work(struct transport_queue *base, int max)
{
	struct verbs_queue *queue = (struct verbs_queue *)base;
	bool armed = false;
	int rc = 0;

	free_closed(queue);
	post_unposted(queue);
	for (struct verbs_cq *cq = queue->cqs; cq != NULL; cq = cq->next) {
		armed = armed || cq->armed;
		if (cq->armed)
			take_wake_up(cq);
	}
	for (struct verbs_cq *cq = queue->cqs; cq != NULL && rc == 0; cq = cq->next)
		rc = take_completions(queue, cq, (uint32_t)max);
	/* A connection event may have caused the wake-up. */
	if (armed || queue->cqs == NULL || ++queue->polls >= POLLS_PER_CM_LOOK) {
		queue->polls = 0;
		take_cm_events(queue);
	}
	return rc;
}

static int verbs_arm(struct transport_queue *base)
{
	struct verbs_queue *queue = (struct verbs_queue *)base;
	int rc;

	post_unposted(queue);
	for (struct verbs_cq *cq = queue->cqs; cq != NULL; cq = cq->next) {
		if (cq->armed)
			continue;
		rc = ibv_req_notify_cq(cq->cq, 0);
		if (rc != 0)
			return -rc;
		cq->armed = true;
	}
	/* Completions before the request caused no event. */
	for (struct verbs_cq *cq = queue->cqs; cq != NULL; cq = cq->next) {
		rc = take_completions(queue, cq, UINT32_MAX);
		if (rc != 0)
			return rc;
	}
	return events_ready(&base->events) > 0 ? 1 : 0;
}

/* ---- registrations ---------------------------------------------------------------------------------------------- */

/* The kernel returns EFAULT both for memory that it does not pin for long (page cache, fsdax) and for memory that does
 * not exist. */
static int registration_error(int error, void *address, size_t length)
{
	uintptr_t start = (uintptr_t)address & ~(uintptr_t)4095;
	unsigned char resident;

	if (error == EOPNOTSUPP)
		return -EOPNOTSUPP;
	if (error == EFAULT && mincore((void *)start, 1, &resident) == 0)
		return -EOPNOTSUPP;
	return error != 0 ? -error : -ENOMEM;
}

static int verbs_register(struct transport_conn *base, void *address, size_t length, uint64_t remote_base,
                          unsigned rights, struct transport_region **out)
{
	struct verbs_conn *conn = verbs_conn_of(base);
	struct verbs_region *region = calloc(1, sizeof(*region));
	unsigned access = 0;
	int rc;

	if (region == NULL)
		return -ENOMEM;
	if ((rights & TRANSPORT_REMOTE_READ) != 0)
		access |= IBV_ACCESS_REMOTE_READ;
	if ((rights & TRANSPORT_REMOTE_WRITE) != 0)
		access |= IBV_ACCESS_REMOTE_WRITE | IBV_ACCESS_LOCAL_WRITE;
	if ((rights & TRANSPORT_LOCAL_WRITE) != 0)
		access |= IBV_ACCESS_LOCAL_WRITE;
	if ((rights & (TRANSPORT_REMOTE_READ | TRANSPORT_REMOTE_WRITE)) == 0)
		remote_base = (uintptr_t)address;
	region->mr = ibv_reg_mr_iova(conn->pd, address, length, remote_base, access);
	if (region->mr == NULL) {
		rc = registration_error(errno, address, length);
		free(region);
		return rc;
	}
	region->base.address = address;
	region->base.length = length;
	region->base.base = remote_base;
	region->base.rights = rights;
	region->base.key = region->mr->rkey;
	transport_region_link(&region->base, base);
	*out = &region->base;
	return 0;
}

static void verbs_deregister(struct transport_region *base)
{
	struct verbs_region *region = (struct verbs_region *)base;
	struct transport_conn *other;
	int rc = ibv_dereg_mr(region->mr);

	if (rc != 0) {
		/* The memory must not stay accessible: end the connections, which also ends the registration. */
		log_error("transport", "a registration of %s cannot be ended: %s", base->conn->peer, strerror(rc));
		verbs_conn_fail(verbs_conn_of(base->conn), -rc, "a registration could not be ended");
		LIST_FOREACH(other, &base->conn->joined, of_joined)
		verbs_conn_fail(verbs_conn_of(other), -rc, "a registration could not be ended");
	}
	transport_region_unlink(base);
	free(region);
}

static void verbs_close(struct transport_conn *base)
{
	struct verbs_conn *conn = verbs_conn_of(base);

	if (!base->dead)
		rdma_disconnect(conn->id);
	transport_conn_part(base);
	verbs_conn_destroy(conn);
}

const struct transport_ops transport_verbs_ops = {
    .kind = TRANSPORT_VERBS,
    .needs_region = true,
    .receive_first = VERBS_RECEIVE_FIRST,
    .available = verbs_device_available,
    .queue_create = verbs_queue_create,
    .queue_destroy = verbs_queue_destroy,
    .work = verbs_work,
    .fd = verbs_queue_fd,
    .arm = verbs_arm,
    .listen = verbs_listen,
    .listener_close = verbs_listener_close,
    .listener_fd = verbs_listener_fd,
    .listener_next = verbs_listener_next,
    .accept = verbs_accept,
    .reject = verbs_reject,
    .connect = verbs_connect,
    .close = verbs_close,
    .send = verbs_send,
    .flush = verbs_flush,
    .release = verbs_release,
    .register_ = verbs_register,
    .deregister = verbs_deregister,
    .read = verbs_read,
    .write = verbs_write,
};
