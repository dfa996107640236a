/*
 * transport.h -- one contract for moving messages and memory between two hosts, with the semantics of RDMA verbs.
 *
 * Two transports implement it: `verbs` (rdma_cm connections, RC queue pairs) and `tcp` (TCP or UNIX sockets, where the
 * peer's library executes reads and writes by copying, and checks every key, bound and right). For its users they
 * differ only in speed.
 *
 * The contract:
 *
 *  - A connection carries messages reliably, in order, each whole. A sender may have as many unreleased messages at its
 *    peer as the peer has receive buffers (credits). Beyond that transport_send returns -EAGAIN; it never blocks and
 *    never drops a message. Credits come back with later messages, or by themselves when half of them are owed. Over
 *    verbs a connection has few receive buffers at first. A side whose buffers are all in use adds more, up to its
 *    receive_depth, and the peer receives their credits. transport_set_receives bounds them further.
 *  - transport_read and transport_write act on memory that the peer has registered, named by (address, key). The peer's
 *    program takes no part. Writes and messages of one connection are executed at the peer in the order in which they
 *    were posted: a message sent after a write is seen there only when the written bytes are. A read may be executed
 *    after what was posted behind it (RC without a fence): who needs an order waits for the read's completion.
 *  - Registrations belong to a connection (its protection domain): a key of one is refused on any other. An address out
 *    of range, a missing right or an unknown key ends the connection at both ends and touches no memory.
 *  - An accepted connection may join another one on the same queue: then the peer can use the registrations of that one
 *    through both. Only the one that others joined registers memory for the peer. Those that joined are closed first.
 *  - Any error on a connection ends it: one TRANSPORT_CLOSED event with the reason; pending operations are lost.
 *  - The completion of a write says nothing about durability.
 *  - A zero-length read, write or message is refused with -EINVAL.
 *
 * Threads: only one thread at a time may use a completion queue and the connections on it; the caller ensures this.
 * Different queues are independent. A pending connection may be passed to another thread.
 */
#ifndef FARNOVA_COMMON_TRANSPORT_TRANSPORT_H
#define FARNOVA_COMMON_TRANSPORT_TRANSPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

enum transport_kind { TRANSPORT_TCP, TRANSPORT_VERBS };
#define TRANSPORT_KINDS 2u

struct transport_queue;    /* completion queue */
struct transport_listener; /* accepts connections */
struct transport_pending;  /* a connection request that was not accepted yet */
struct transport_conn;     /* a connection and its protection domain */
struct transport_region;   /* a registered range */

/* What a connecting side says of itself before any message; opaque to the transport. Zeros: nothing. */
struct transport_ticket {
	uint64_t number, key;
};

struct transport_options {
	uint32_t message_size;          /* largest message this side receives; at most 64 KiB; 0 = 16 KiB + 512 */
	uint32_t receive_depth;         /* receive buffers at most; 0 = 64 */
	uint32_t operations;            /* reads and writes outstanding at a time; 0 = 64 */
	struct transport_ticket ticket; /* of transport_connect: for the other side's transport_pending_ticket */
	struct transport_conn *join;    /* of transport_accept: the connection to join, or NULL */
};

/* transport_available -- 0 if this host can use the transport now, else -errno with what is missing and what to do in
 * `why` (no RDMA device, port down, memlock limit ...). */
int transport_available(enum transport_kind kind, char *why, size_t why_size);

/* transport_kind_name -- "tcp" or "verbs"; transport_kind_from_name -- -EINVAL for anything else. */
const char *transport_kind_name(enum transport_kind kind);
int transport_kind_from_name(const char *name, enum transport_kind *kind);

/* ---- completion queues ------------------------------------------------------------------------------------------ */

enum transport_event_type {
	TRANSPORT_MESSAGE, /* data, length: valid until transport_release */
	TRANSPORT_DONE,    /* the read or write posted with `context` has completed; status 0 */
	TRANSPORT_CLOSED,  /* the connection has ended; status says why (-ECONNRESET, -EPROTO ...); close it */
};

struct transport_event {
	enum transport_event_type type;
	struct transport_conn *conn;
	const void *data;
	uint32_t length;
	void *context;
	int status;
};

int transport_queue_create(enum transport_kind kind, struct transport_queue **out);
/* All its connections must have been closed. */
void transport_queue_destroy(struct transport_queue *queue);

/* transport_poll -- return up to `max` events without waiting; the number, or -errno if the queue itself failed. It
 * also does the transport's own work (executes the peer's reads and writes, returns credits). */
int transport_poll(struct transport_queue *queue, struct transport_event *events, int max);

/*
 * transport_activity -- a counter of everything that arrives, including what causes no event: over tcp, transport_poll
 * executes the peer's reads and writes. A loop that polls before it blocks continues to poll while the counter grows.
 */
uint64_t transport_activity(const struct transport_queue *queue);

/* transport_fd -- a descriptor that becomes readable when there is something to poll, after transport_arm; for poll(2),
 * epoll and libevent. The queue owns it. */
int transport_fd(const struct transport_queue *queue);

/* transport_arm -- request a wake-up. 0: armed. 1: there may be events already: poll again before waiting. */
int transport_arm(struct transport_queue *queue);

/* ---- connections ------------------------------------------------------------------------------------------------ */

/*
 * transport_listen -- listen at `host` (name or address; an absolute path is a UNIX socket with tcp) and `port` (0 =
 * any free one). `why` receives a sentence on failure.
 */
int transport_listen(enum transport_kind kind, const char *host, uint16_t port, struct transport_listener **out,
                     char *why, size_t why_size);
void transport_listener_close(struct transport_listener *listener);
int transport_listener_fd(const struct transport_listener *listener);
uint16_t transport_listener_port(const struct transport_listener *listener);
/* transport_listener_next -- the next connection request; -EAGAIN if there is none. */
int transport_listener_next(struct transport_listener *listener, struct transport_pending **out);

/* transport_accept -- accept a connection; its events go to `queue`. Consumes `pending` even on failure. -EINVAL if the
 * connection to join is on another queue or has joined another one itself; -EXDEV if it is on another device. */
int transport_accept(struct transport_pending *pending, struct transport_queue *queue,
                     const struct transport_options *options, struct transport_conn **out);
/* transport_reject -- reject a connection; its connect fails with `error`, an errno (over verbs always
 * ECONNREFUSED). */
void transport_reject(struct transport_pending *pending, int error);
/* transport_pending_host -- a number that all connections of a host share: its IPv4 address, the first 64 bits of its
 * IPv6 address, or 0 for UNIX sockets. */
uint64_t transport_pending_host(const struct transport_pending *pending);

/* transport_pending_ticket -- the ticket that the connecting side gave. */
struct transport_ticket transport_pending_ticket(const struct transport_pending *pending);

/* transport_connect -- connect within `timeout_ms`; blocks. `why` receives a sentence on failure. */
int transport_connect(struct transport_queue *queue, const char *host, uint16_t port,
                      const struct transport_options *options, int timeout_ms, struct transport_conn **out, char *why,
                      size_t why_size);

/*
 * transport_close -- end the connection: first the queue pair, then its registrations, so that on return no peer can
 * access memory through it. Remaining registrations are ended; their structures are freed. No event of this connection
 * follows. It may be called while a batch of events is handled: skip events of a closed connection.
 */
void transport_close(struct transport_conn *conn);

void transport_set_user(struct transport_conn *conn, void *user);
void *transport_user(const struct transport_conn *conn);
enum transport_kind transport_conn_kind(const struct transport_conn *conn);
/* transport_max_message -- the largest message the peer receives. */
uint32_t transport_max_message(const struct transport_conn *conn);
/* transport_local_cpu -- the CPU from which a peer on this host last sent something; -1 if the peer is on another host
 * or the CPU is unknown. A polling loop should avoid the CPU that its peer needs. */
int transport_local_cpu(const struct transport_conn *conn);
/* transport_peer -- the peer's address as text; the connection owns it. */
const char *transport_peer(const struct transport_conn *conn);

/* ---- messages and memory ---------------------------------------------------------------------------------------- */

#define TRANSPORT_MORE 1u /* another post follows at once: one doorbell (or system call) can serve both */

/* transport_send -- send a message gathered from `iov`, which is copied before return. -EAGAIN: no credit or no room;
 * -EMSGSIZE. */
int transport_send(struct transport_conn *conn, const struct iovec *iov, int count, unsigned flags);

/* transport_flush -- send what was posted with TRANSPORT_MORE, if nothing followed. */
void transport_flush(struct transport_conn *conn);

/* transport_release -- free the buffer of the message at `data`; it returns to the peer as a credit. */
void transport_release(struct transport_conn *conn, const void *data);

/*
 * transport_set_receives -- have up to `count` receive buffers from now on; at least 1, and no more than `receive_depth`
 * of the options, which it is at first. The peer gets more credits when it has used all of them, and fewer as it sends
 * messages: some are not returned.
 */
void transport_set_receives(struct transport_conn *conn, uint32_t count);

#define TRANSPORT_REMOTE_READ  1u
#define TRANSPORT_REMOTE_WRITE 2u
#define TRANSPORT_LOCAL_WRITE  4u /* this side's reads may use it as the target */
#define TRANSPORT_PAGE_SIZE    4096u

/*
 * transport_register -- let the peer access [address, address + length) as [base, base + length) with `rights`; without
 * a remote right, make it usable as the local end of transport_read and transport_write. With a remote right `base` and
 * `address` must agree modulo TRANSPORT_PAGE_SIZE (-EINVAL): devices translate whole pages. -EOPNOTSUPP if the memory
 * cannot be pinned (fsdax, page cache), -ENOMEM above the memlock limit.
 */
int transport_register(struct transport_conn *conn, void *address, size_t length, uint64_t base, unsigned rights,
                       struct transport_region **out);
/* transport_deregister -- on return the peer cannot access the range through this registration any more. */
void transport_deregister(struct transport_region *region);
uint64_t transport_region_key(const struct transport_region *region);

/* transport_needs_region -- whether the local end of a read or write must be in a registered region (verbs: yes). */
bool transport_needs_region(const struct transport_conn *conn);

/*
 * transport_read, transport_write -- move `length` bytes between `local` (in `region`, which may be NULL if
 * transport_needs_region returns false) and the peer's memory (`remote`, `key`). The caller must not change the local
 * bytes until the operation has completed. With a `context` a TRANSPORT_DONE event reports completion; without it, the
 * reply to a later message implies the completion of a write. -EAGAIN: too many outstanding. -EMSGSIZE: more than the
 * device moves in one operation (every device moves 1 MiB). The target region of a read needs TRANSPORT_LOCAL_WRITE or
 * TRANSPORT_REMOTE_WRITE.
 */
int transport_read(struct transport_conn *conn, void *local, struct transport_region *region, uint64_t remote,
                   uint64_t key, uint32_t length, void *context, unsigned flags);
int transport_write(struct transport_conn *conn, const void *local, struct transport_region *region, uint64_t remote,
                    uint64_t key, uint32_t length, void *context, unsigned flags);

#endif
