/*
 * internal.h -- the common parts of all transports: the table of functions, and the head of queues, connections and
 * regions. Only transports include it; all other code includes transport.h.
 */
#ifndef FARNOVA_COMMON_TRANSPORT_INTERNAL_H
#define FARNOVA_COMMON_TRANSPORT_INTERNAL_H

#include <stdarg.h>
#include <sys/queue.h>

#include "common/transport/base/credits.h"
#include "common/transport/base/events.h"
#include "common/transport/transport.h"

#define TRANSPORT_MESSAGE_LIMIT      (64u * 1024)
#define TRANSPORT_DEFAULT_MESSAGE    (16u * 1024 + 512)
#define TRANSPORT_DEFAULT_DEPTH      64u
#define TRANSPORT_DEFAULT_OPERATIONS 64u
#define TRANSPORT_OPERATION_LIMIT    4096u
#define TRANSPORT_RIGHTS             (TRANSPORT_REMOTE_READ | TRANSPORT_REMOTE_WRITE | TRANSPORT_LOCAL_WRITE)
#define TRANSPORT_PEER_SIZE          160

/* The limits that one side sends to the other; the receiver checks them with transport_hello_check. */
struct transport_hello {
	uint32_t message_size;
	uint32_t receive_depth; /* receive buffers at most */
	uint32_t receive_first; /* at the beginning; more come as credits */
	uint32_t operations;
	struct transport_ticket ticket; /* of the connecting side */
};

/*
 * The functions of one transport. The registry, transport.c, sets `ops` of the queues, listeners and pending
 * connections that these functions create; a connection uses the `ops` of its queue. The registry checks the arguments
 * that do not depend on the transport (see each function), so that all transports refuse the same ones.
 */
struct transport_ops {
	enum transport_kind kind;
	bool needs_region;
	uint32_t receive_first; /* receive buffers of a new connection; 0 = receive_depth */
	int (*available)(char *why, size_t why_size);
	int (*queue_create)(struct transport_queue **out);
	void (*queue_destroy)(struct transport_queue *queue);
	/* Do pending work and push events; called only while the ring is empty. */
	int (*work)(struct transport_queue *queue, int max);
	int (*fd)(const struct transport_queue *queue);
	int (*arm)(struct transport_queue *queue);
	int (*listen)(const char *host, uint16_t port, struct transport_listener **out, char *why, size_t why_size);
	void (*listener_close)(struct transport_listener *listener);
	int (*listener_fd)(const struct transport_listener *listener);
	int (*listener_next)(struct transport_listener *listener, struct transport_pending **out);
	/* `own` is within the limits, with defaults filled in; `join`, if not NULL, is on `queue` and up, and has not
	 * joined another one. */
	int (*accept)(struct transport_pending *pending, struct transport_queue *queue,
	              const struct transport_hello *own, struct transport_conn *join, struct transport_conn **out);
	void (*reject)(struct transport_pending *pending, int error);
	int (*connect)(struct transport_queue *queue, const char *host, uint16_t port,
	               const struct transport_hello *own, int timeout_ms, struct transport_conn **out, char *why,
	               size_t why_size);
	void (*close)(struct transport_conn *conn);
	int (*local_cpu)(const struct transport_conn *conn); /* NULL: always unknown */
	/* The connection is up, a credit is available, 0 < length <= max_message. The function takes the credit. */
	int (*send)(struct transport_conn *conn, const struct iovec *iov, int count, uint32_t length, unsigned flags);
	/* Send what was posted with TRANSPORT_MORE, because no post follows. */
	void (*flush)(struct transport_conn *conn);
	/* The credit is already counted as owed; return it to the peer if it is overdue. */
	void (*release)(struct transport_conn *conn, const void *data);
	/* length > 0, base + length does not wrap, the rights are known. */
	int (*register_)(struct transport_conn *conn, void *address, size_t length, uint64_t base, unsigned rights,
	                 struct transport_region **out);
	void (*deregister)(struct transport_region *region);
	/* The connection is up, length > 0, `local` is in `region` if there is one. */
	int (*read)(struct transport_conn *conn, void *local, struct transport_region *region, uint64_t remote,
	            uint64_t key, uint32_t length, void *context, unsigned flags);
	int (*write)(struct transport_conn *conn, const void *local, struct transport_region *region, uint64_t remote,
	             uint64_t key, uint32_t length, void *context, unsigned flags);
};

/* transport_kinds -- the transports of this program, by enum transport_kind (kinds.c). */
extern const struct transport_ops *const transport_kinds[TRANSPORT_KINDS];

struct transport_queue {
	const struct transport_ops *ops;
	struct event_ring events;
	uint64_t activity; /* increases with everything that arrives */
};

struct transport_listener {
	const struct transport_ops *ops;
	uint16_t port;
};

struct transport_pending {
	const struct transport_ops *ops;
	struct transport_hello hello; /* limits of the peer */
	uint64_t host;                /* from transport_host_number */
	char peer[TRANSPORT_PEER_SIZE];
};

struct transport_conn {
	const struct transport_ops *ops;
	struct transport_queue *queue;
	void *user;
	struct transport_hello own, theirs;
	struct credits credits;
	uint32_t receive_limit;        /* receive buffers to have at most at present; there may still be more */
	struct transport_conn *domain; /* whose registrations the peer may use through it; itself unless it joined */
	LIST_HEAD(, transport_conn) joined;   /* connections that joined this one */
	LIST_ENTRY(transport_conn) of_joined; /* if it joined */
	LIST_HEAD(, transport_region) regions;
	bool dead; /* its TRANSPORT_CLOSED is in the ring or was delivered */
	char peer[TRANSPORT_PEER_SIZE];
};

struct transport_region {
	struct transport_conn *conn;
	LIST_ENTRY(transport_region) entry; /* in the list of the connection */
	uint8_t *address;
	size_t length;
	uint64_t base;
	uint64_t key;
	unsigned rights;
};

/* transport_hello_check -- -EPROTO unless the peer's limits are valid. */
int transport_hello_check(const struct transport_hello *hello);

/* transport_conn_init -- fill the common head and reserve room for events; -ENOMEM. */
int transport_conn_init(struct transport_conn *conn, struct transport_queue *queue, const struct transport_hello *own,
                        const struct transport_hello *theirs, const char *peer);
/* transport_conn_fini -- drop the connection's events and their reserved room. */
void transport_conn_fini(struct transport_conn *conn);

/* transport_conn_failed -- push the only TRANSPORT_CLOSED event; false if it was pushed already. */
bool transport_conn_failed(struct transport_conn *conn, int status);
void transport_push_message(struct transport_conn *conn, const void *data, uint32_t length);
void transport_push_done(struct transport_conn *conn, void *context);

/* transport_conn_join -- share the registrations of `domain` from now on. transport_conn_part -- undo it, and part from
 * those that joined `conn`. */
void transport_conn_join(struct transport_conn *conn, struct transport_conn *domain);
void transport_conn_part(struct transport_conn *conn);

void transport_region_link(struct transport_region *region, struct transport_conn *conn);
void transport_region_unlink(struct transport_region *region);

/* transport_why -- write the reason to `why`, if the caller wants it, and return `error`. */
int transport_why(int error, char *why, size_t why_size, const char *format, ...) __attribute__((format(printf, 4, 5)));

struct sockaddr;
/* transport_host_number -- see transport_pending_host. */
uint64_t transport_host_number(const struct sockaddr *address);
/* transport_format_address -- "192.0.2.1:7", "[::1]:7" or "unix:/path". */
void transport_format_address(const struct sockaddr *address, uint32_t size, char *out, size_t out_size);

#endif
