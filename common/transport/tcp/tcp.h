/*
 * tcp.h -- a connection of the tcp transport, for its own files: tcp.c (queues), tcp_input.c (input from the peer) and
 * tcp_setup.c (listening and connecting), which use tcp_conn.c (connections, posts), tcp_output.c (output to the peer)
 * and tcp_wire.c.
 */
#ifndef FARNOVA_COMMON_TRANSPORT_TCP_H
#define FARNOVA_COMMON_TRANSPORT_TCP_H

#include "common/transport/tcp/tcp_output.h"

/* A read, or a write that requests an acknowledgement. The peer answers in the order of posting. */
struct tcp_operation {
	uint8_t *local; /* target of a read */
	uint32_t length;
	struct tcp_region *region;
	void *context;
};

/* A received message; the caller gets `data`. */
struct tcp_slot {
	struct tcp_slot *next;       /* in the free list */
	LIST_ENTRY(tcp_slot) of_all; /* in the list of all slots of the connection */
	_Alignas(64) uint8_t data[];
};

/* The frame that is being received. */
struct tcp_input {
	uint8_t header[TCP_HEADER_SIZE];
	uint32_t have; /* received bytes of the header */
	bool in_body;
	struct tcp_frame frame;
	uint8_t *destination;
	uint64_t remaining;
	struct tcp_slot *slot;     /* of a message */
	struct tcp_region *region; /* of a write */
};

struct tcp_conn {
	struct transport_conn base;
	TAILQ_ENTRY(tcp_conn) link;   /* in the queue: connections that are up, dead, or closed and to be freed */
	TAILQ_ENTRY(tcp_conn) unsent; /* in the queue, while output is pending */
	bool in_unsent;
	bool wants_writable; /* epoll reports when the socket is writable */
	int fd;
	bool within_host; /* the peer is on this host */
	struct tcp_input input;
	struct tcp_output output;
	uint32_t acks; /* completed writes of the peer, not acknowledged yet */
	struct tcp_operation *operations;
	uint32_t operation_mask, operation_head, operation_tail;
	struct tcp_slot *free_slots;
	LIST_HEAD(, tcp_slot) all_slots;
	uint32_t slots, free_slot_count;
	bool credits_awaited;        /* the peer has none, and new ones are owed to it */
	struct tcp_region **regions; /* by the index in their keys */
	uint32_t region_capacity;
	uint32_t *next_free; /* by index: the next free index; region_capacity ends the list */
	uint32_t first_free;
};

struct tcp_queue {
	struct transport_queue base;
	int epoll;
	uint32_t count; /* connections that are up */
	TAILQ_HEAD(tcp_conns, tcp_conn) living, dead, closed, unsent;
	uint8_t *buffer; /* data of a socket read behind the expected body */
	size_t buffer_size;
};

static inline struct tcp_conn *tcp_conn_of(struct transport_conn *conn)
{
	return (struct tcp_conn *)conn;
}

static inline struct tcp_queue *tcp_queue_of(const struct tcp_conn *conn)
{
	return (struct tcp_queue *)conn->base.queue;
}

/* tcp_conn_create -- create a connection over a connected socket after the exchange of hellos. Takes ownership of the
 * socket even on failure. */
int tcp_conn_create(struct transport_queue *queue, int fd, const struct transport_hello *own,
                    const struct transport_hello *theirs, const char *peer, struct transport_conn **out);

/* tcp_conn_fail -- end the connection: TRANSPORT_CLOSED with `status`. `reason` (may be NULL) is logged, and the peer
 * gets an error frame. */
void tcp_conn_fail(struct tcp_conn *conn, int status, const char *reason);

/* tcp_conn_flush -- send what the socket accepts, and arrange for the rest to follow. */
void tcp_conn_flush(struct tcp_conn *conn);

/* tcp_conn_frame -- queue a frame, with the credits owed. */
void tcp_conn_frame(struct tcp_conn *conn, struct tcp_frame frame, uint32_t answers);

/* tcp_conn_region -- the region of a key, of this connection or the one that it joined, if it permits `right` for the
 * whole range, else NULL. */
struct tcp_region *tcp_conn_region(struct tcp_conn *conn, uint64_t key, uint64_t remote, uint32_t length,
                                   unsigned right);

/* tcp_input_receive -- read from the socket (one system call) and process the data. */
void tcp_input_receive(struct tcp_conn *conn);
/* tcp_input_bytes -- process bytes from the peer. */
void tcp_input_bytes(struct tcp_conn *conn, const uint8_t *bytes, size_t count);

/* tcp_conn.c: the contract's functions */
void tcp_close(struct transport_conn *base);
int tcp_local_cpu(const struct transport_conn *base);
void tcp_flush(struct transport_conn *conn);
int tcp_send(struct transport_conn *base, const struct iovec *iov, int count, uint32_t length, unsigned flags);
void tcp_release(struct transport_conn *base, const void *data);
int tcp_read(struct transport_conn *base, void *local, struct transport_region *region, uint64_t remote, uint64_t key,
             uint32_t length, void *context, unsigned flags);
int tcp_write(struct transport_conn *base, const void *local, struct transport_region *region, uint64_t remote,
              uint64_t key, uint32_t length, void *context, unsigned flags);
int tcp_register(struct transport_conn *base, void *address, size_t length, uint64_t remote_base, unsigned rights,
                 struct transport_region **out);
void tcp_deregister(struct transport_region *base);

/* tcp_setup.c */
int tcp_listen(const char *host, uint16_t port, struct transport_listener **out, char *why, size_t why_size);
void tcp_listener_close(struct transport_listener *listener);
int tcp_listener_fd(const struct transport_listener *listener);
int tcp_listener_next(struct transport_listener *listener, struct transport_pending **out);
int tcp_accept(struct transport_pending *pending, struct transport_queue *queue, const struct transport_hello *own,
               struct transport_conn *join, struct transport_conn **out);
void tcp_reject(struct transport_pending *pending, int error);
int tcp_connect(struct transport_queue *queue, const char *host, uint16_t port, const struct transport_hello *own,
                int timeout_ms, struct transport_conn **out, char *why, size_t why_size);

#endif
