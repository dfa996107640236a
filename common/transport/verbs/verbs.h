/*
 * verbs.h -- a connection of the verbs transport, for its own files: verbs.c (queues, completions, posts,
 * registrations), verbs_conn.c (the objects a connection is made of), verbs_cm.c (how connections come to be),
 * verbs_device.c (what the host has).
 */
#ifndef FARNOVA_COMMON_TRANSPORT_VERBS_H
#define FARNOVA_COMMON_TRANSPORT_VERBS_H

#include <infiniband/verbs.h>
#include <rdma/rdma_cma.h>

#include "common/transport/base/internal.h"

/*
 * A completion queue and its channel, on one device. Each connection takes room for all its work requests on one that
 * has it, so that none can overflow. Completions of a queue pair that was destroyed may still lie in it: their room is
 * `stale` until the queue has been seen empty.
 */
struct verbs_cq {
	struct verbs_cq *next;
	struct ibv_context *device;
	struct ibv_comp_channel *channel;
	struct ibv_cq *cq;
	uint32_t capacity, reserved, stale;
	bool armed; /* an event is asked for and has not been taken */
};

/* A place in the table by which completions find their connection; the generation tells its tenants apart. */
struct verbs_place {
	struct verbs_conn *conn;
	uint16_t generation;
};

struct verbs_queue {
	struct transport_queue base;
	int epoll; /* over the channels of all below */
	struct rdma_event_channel *cm;
	struct verbs_cq *cqs;
	struct verbs_place *places;
	uint32_t place_count;
	struct verbs_conn *closed;   /* freed at the next poll */
	struct verbs_conn *unposted; /* with posts that wait for more */
	uint32_t polls;              /* since connection events were looked for */
};

/* A work request of the send queue, from its posting until a completion at or after it. */
struct verbs_request {
	struct ibv_send_wr wr;
	struct ibv_sge sge;
	void *context;
	uint64_t ring_end; /* the send ring is free up to here when it has completed */
	bool operation;
};

struct verbs_conn {
	struct transport_conn base;
	struct verbs_conn *next_closed, *next_unposted;
	bool in_unposted;
	bool ready; /* the common head is filled: events may be pushed */
	uint32_t handle;
	struct rdma_cm_id *id;
	struct ibv_pd *pd;
	struct verbs_cq *cq;
	uint32_t cq_room;
	uint32_t inline_limit, operation_limit; /* bytes */
	uint8_t read_depth, served_depth;       /* reads outstanding on the wire, ours and the peer's */

	uint8_t *receive_bytes;
	struct ibv_mr *receive_mr;
	uint32_t receive_stride, receive_count, held;

	uint8_t *send_bytes; /* a ring of send_size bytes, and 64 more for credits */
	struct ibv_mr *send_mr;
	uint64_t send_size, send_head, send_tail;

	struct verbs_request *requests;
	uint32_t request_mask, depth, head, tail; /* head: oldest not known complete; tail: next to be used */
	uint32_t unposted;                        /* the newest so many are linked and not yet posted */
	uint32_t unsignalled, signal_every;
	uint64_t unsignalled_bytes;
	uint32_t operations; /* reads and writes among them */
};

struct verbs_region {
	struct transport_region base;
	struct ibv_mr *mr;
};

#define VERBS_RECEIVE_BIT  0x80000000u /* of the low half of a work request's id; the rest: buffer, or position */
#define VERBS_CREDIT_ONLY  0x80000000u /* of the immediate word: no message; the low half counts credits */
#define VERBS_CREDIT_SLOTS 4u          /* receive buffers and send slots beyond the agreed, for credits alone */
#define VERBS_CREDIT_SIZE  8u

static inline struct verbs_conn *verbs_conn_of(struct transport_conn *conn)
{
	return (struct verbs_conn *)conn;
}

static inline struct verbs_queue *verbs_queue_of(const struct verbs_conn *conn)
{
	return (struct verbs_queue *)conn->base.queue;
}

static inline uint64_t verbs_work_id(const struct verbs_conn *conn, uint32_t low)
{
	return (uint64_t)conn->handle << 32 | low;
}

/* verbs_device_available -- as transport_available. */
int verbs_device_available(char *why, size_t why_size);

/* verbs_conn_build -- protection domain, queue pair and receive buffers for `id`, which is bound to a device. On
 * failure `id` stays the caller's. */
int verbs_conn_build(struct transport_queue *queue, struct rdma_cm_id *id, const struct transport_hello *own,
                     struct verbs_conn **out);
/* verbs_conn_complete -- the peer's limits are known: the connection can be used. */
int verbs_conn_complete(struct verbs_conn *conn, const struct transport_hello *own,
                        const struct transport_hello *theirs, const char *peer);
/* verbs_conn_destroy -- end everything that was built, the queue pair first, and `id`; the structure itself is freed by
 * the queue. */
void verbs_conn_destroy(struct verbs_conn *conn);
int verbs_conn_post_receive(struct verbs_conn *conn, uint32_t buffer);

/* verbs_conn_fail -- TRANSPORT_CLOSED with `status`; the peer is told by a disconnect. */
void verbs_conn_fail(struct verbs_conn *conn, int status, const char *reason);

int verbs_listen(const char *host, uint16_t port, struct transport_listener **out, char *why, size_t why_size);
void verbs_listener_close(struct transport_listener *listener);
int verbs_listener_fd(const struct transport_listener *listener);
int verbs_listener_next(struct transport_listener *listener, struct transport_pending **out);
int verbs_accept(struct transport_pending *pending, struct transport_queue *queue, const struct transport_hello *own,
                 struct transport_conn **out);
void verbs_reject(struct transport_pending *pending, int error);
int verbs_connect(struct transport_queue *queue, const char *host, uint16_t port, const struct transport_hello *own,
                  int timeout_ms, struct transport_conn **out, char *why, size_t why_size);

#endif
