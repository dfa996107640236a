/*
 * verbs.h -- a connection of the verbs transport, for its own files: verbs.c (queues, completions, posts,
 * registrations), verbs_conn.c (the objects of a connection), verbs_receive.c (its receive buffers), verbs_cm.c
 * (establishing connections), verbs_device.c (the devices of the host, memory for them).
 */
#ifndef FARNOVA_COMMON_TRANSPORT_VERBS_H
#define FARNOVA_COMMON_TRANSPORT_VERBS_H

#include <infiniband/verbs.h>
#include <rdma/rdma_cma.h>

#include "common/transport/base/internal.h"
#include "common/transport/verbs/verbs_receive.h"

/*
 * A completion queue and its channel, on one device. Each connection reserves room for all its work requests in one
 * completion queue, so that none can overflow. Completions of a destroyed queue pair may still be in it: their room is
 * `stale` until the queue was seen empty.
 */
struct verbs_cq {
	struct verbs_cq *next;
	struct ibv_context *device;
	struct ibv_comp_channel *channel;
	struct ibv_cq *cq;
	uint32_t capacity, reserved, stale;
	bool armed; /* an event is requested and has not been taken */
};

/* An entry of the table that maps completions to connections; the generation distinguishes successive users. */
struct verbs_place {
	struct verbs_conn *conn;
	uint16_t generation;
};

struct verbs_queue {
	struct transport_queue base;
	int epoll; /* covers the channels of all objects below */
	struct rdma_event_channel *cm;
	struct verbs_cq *cqs;
	struct verbs_place *places;
	uint32_t place_count;
	struct verbs_conn *closed;   /* freed at the next poll */
	struct verbs_conn *unposted; /* with linked posts that are not posted yet */
	uint32_t polls;              /* since the last check for connection events */
};

/* A work request of the send queue, from its post until a completion of it or of a later one. */
struct verbs_request {
	struct ibv_send_wr wr;
	struct ibv_sge sge;
	void *context;
	uint64_t ring_end; /* the send ring is free up to here after completion */
	bool operation;
};

struct verbs_conn {
	struct transport_conn base;
	struct verbs_conn *next_closed, *next_unposted;
	bool in_unposted;
	bool ready; /* the common head is filled: events may be pushed */
	uint32_t handle;
	struct rdma_cm_id *id;
	struct ibv_pd *pd; /* its own, unless it joined another connection */
	bool owns_pd;
	struct verbs_cq *cq;
	uint32_t cq_room;
	uint32_t inline_limit, operation_limit; /* bytes */
	uint8_t read_depth, served_depth;       /* reads in flight, ours and the peer's */

	uint32_t receive_room; /* receive buffers that the queue pair has room for */
	struct verbs_receive receive;

	uint8_t *send_bytes; /* a ring of send_size bytes, plus 64 for credits */
	struct ibv_mr *send_mr;
	uint64_t send_size, send_head, send_tail;

	struct verbs_request *requests;
	uint32_t request_mask, depth, head, tail; /* head: oldest not known to be complete; tail: next free */
	uint32_t unposted;                        /* number of newest requests that are linked but not posted */
	uint32_t unsignalled, signal_every;
	uint64_t unsignalled_bytes;
	uint32_t operations; /* number of reads and writes among them */
};

struct verbs_region {
	struct transport_region base;
	struct ibv_mr *mr;
};

#define VERBS_RECEIVE_BIT  0x80000000u /* in the low half of a work request's id; the other bits: buffer, or position */
#define VERBS_CREDIT_ONLY  0x80000000u /* in the immediate word: no message; the low half counts credits */
#define VERBS_CREDIT_SLOTS 4u          /* additional receive buffers and send slots for credits */
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

/* verbs_conn_build -- create protection domain, queue pair and receive buffers for `id`, which is bound to a device; with
 * `join` in the domain of that connection. On failure the caller still owns `id`. */
int verbs_conn_build(struct transport_queue *queue, struct rdma_cm_id *id, const struct transport_hello *own,
                     const struct transport_conn *join, struct verbs_conn **out);
/* verbs_conn_complete -- make the connection usable once the peer's limits are known. */
int verbs_conn_complete(struct verbs_conn *conn, const struct transport_hello *own,
                        const struct transport_hello *theirs, const char *peer);
/* verbs_conn_destroy -- destroy all objects, the queue pair first, and `id`; the queue frees the structure itself. */
void verbs_conn_destroy(struct verbs_conn *conn);

/* verbs_allocate_registered -- `size` zeroed bytes of whole pages, registered for local use; -ENOMEM and as ibv_reg_mr.
 * On failure the caller frees what `bytes` and `mr` have. */
int verbs_allocate_registered(struct ibv_pd *pd, size_t size, uint8_t **bytes, struct ibv_mr **mr);

/* verbs_conn_fail -- push TRANSPORT_CLOSED with `status` and disconnect, which informs the peer. */
void verbs_conn_fail(struct verbs_conn *conn, int status, const char *reason);

int verbs_listen(const char *host, uint16_t port, struct transport_listener **out, char *why, size_t why_size);
void verbs_listener_close(struct transport_listener *listener);
int verbs_listener_fd(const struct transport_listener *listener);
int verbs_listener_next(struct transport_listener *listener, struct transport_pending **out);
int verbs_accept(struct transport_pending *pending, struct transport_queue *queue, const struct transport_hello *own,
                 struct transport_conn *join, struct transport_conn **out);
void verbs_reject(struct transport_pending *pending, int error);
int verbs_connect(struct transport_queue *queue, const char *host, uint16_t port, const struct transport_hello *own,
                  int timeout_ms, struct transport_conn **out, char *why, size_t why_size);

#endif
