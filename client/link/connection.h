/*
 * connection.h -- one connection to a server: its lock, its states, and the handlers of what arrives.
 *
 * The lock of a connection guards everything that belongs to it, including the state that upper layers attach to it. A
 * thread that waits (for its reply, its READs, a free slot) releases the lock meanwhile: see poller.h. The thread that
 * receives a message handles it at once, in order of arrival, whichever thread waits for it. Handling it later would
 * make the known layouts stale.
 *
 * The states, and what makes each transition:
 *
 *            connection_up                       connection_lose
 *   ENDED ------------------> UP ------------------------------------------> LOST
 *     ^                       |  ^                                            |
 *     |    connection_end     |  |  connection_up, called by on_reconnect     |
 *     +-----------------------+  +--------------------------------------------+
 *     |                                  connection_end                       |
 *     +-----------------------------------------------------------------------+
 */
#ifndef FARNOVA_CLIENT_CONNECTION_H
#define FARNOVA_CLIENT_CONNECTION_H

#include "client/link/counts.h"
#include "client/link/poller.h"
#include "common/transport/transport.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum connection_state {
	CONNECTION_ENDED, /* not connected yet, or disconnected for good */
	CONNECTION_UP,
	CONNECTION_LOST /* the background thread is reconnecting */
};

struct connection;

/* The handlers of the layer above. All are called with the connection's lock held. */
struct connection_handler {
	/* on_message -- handle a message of the server. */
	void (*on_message)(struct connection *link, const void *data, uint32_t length);
	/* on_polled -- the transport was polled: send what could not be sent before. May be NULL. */
	void (*on_polled)(struct connection *link);
	/* on_lost -- the connection has ended: its registrations are gone, and messages sent may be lost. */
	void (*on_lost)(struct connection *link);
	/* on_tick -- periodic work of the background thread while the connection is up; `idle`: no call is in progress.
	 * Returns the time in ns until the next tick is due. */
	int64_t (*on_tick)(struct connection *link, bool idle);
	/* on_reconnect -- reconnect, with a pause after each failure; releases the lock meanwhile. */
	void (*on_reconnect)(struct connection *link);
};

struct connection {
	atomic_uint wanted; /* threads waiting for the lock: a polling thread releases it for them */
	pthread_mutex_t lock;
	const struct connection_handler *handler;

	TAILQ_ENTRY(connection) forks; /* owned by fork.c */
	bool forked; /* this process is a child of the one that connected: nothing can be sent or received */

	char name[320]; /* farnova://HOST:PORT (tcp), for messages */
	enum transport_kind kind;

	enum connection_state state;
	uint64_t epoch;    /* counts connections */
	char trouble[512]; /* why it was lost, or why a reconnect failed */
	struct transport_queue *queue;
	struct transport_conn *transport;
	bool more;        /* further posts follow at once: each may be posted with TRANSPORT_MORE */
	bool heard;       /* something arrived since the background thread's last check */
	bool sent;        /* something was sent since then */
	int64_t heard_ns; /* time of the last check that found `heard`, and `sent` */
	int64_t sent_ns;

	struct counts counts;
	struct poller poller;
};

/* connection_init -- initialize a connection in state ENDED; -errno. connection_destroy -- free it after
 * connection_end. */
int connection_init(struct connection *link, const struct connection_handler *handler);
void connection_destroy(struct connection *link);

/* connection_lock, connection_unlock -- the lock of the connection and of everything that belongs to it. */
static inline void connection_lock(struct connection *link)
{
	atomic_fetch_add_explicit(&link->wanted, 1, memory_order_relaxed);
	pthread_mutex_lock(&link->lock);
	atomic_fetch_sub_explicit(&link->wanted, 1, memory_order_relaxed);
}

static inline void connection_unlock(struct connection *link)
{
	pthread_mutex_unlock(&link->lock);
}

/* connection_up -- start to use `transport` with its `queue`; the connection takes ownership of both. Lock held. */
void connection_up(struct connection *link, struct transport_queue *queue, struct transport_conn *transport);

/* connection_lose -- close the connection after an error and wake all waiting threads; lock held. `status` is
 * -errno. */
void connection_lose(struct connection *link, int status, const char *why);

/* connection_end -- close the connection for good; lock held, no thread waits. */
void connection_end(struct connection *link);

/* connection_send -- send a message; -EAGAIN without credit; any other failure loses the connection. Lock held. */
int connection_send(struct connection *link, const void *message, size_t length, unsigned flags);

/* connection_check_silence -- lose the connection if nothing has arrived for `lease_ns`. Returns the time in ns since
 * something was sent. Lock held, state UP. */
int64_t connection_check_silence(struct connection *link, int64_t lease_ns);

/* connection_name -- server and transport as text. */
const char *connection_name(const struct connection *link);
/* connection_trouble -- why the connection is down, or ""; takes the lock. */
void connection_trouble(struct connection *link, char *words, size_t size);

#endif
