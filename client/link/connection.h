/*
 * connection.h -- one connection to a server: its lock, its state, and who acts on what arrives.
 *
 * Everything that belongs to a connection is guarded by its lock, what the floors above keep with it included. A thread
 * that waits for something (its reply, its READs, a free slot) gives the lock up meanwhile: see poller.h. Messages are
 * acted on in the order they arrive, by whichever thread received them, never later by the thread they are for: only so
 * is what is known of layouts true.
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
	CONNECTION_ENDED, /* not connected yet, or being disconnected */
	CONNECTION_UP,
	CONNECTION_LOST /* the background thread is getting it back */
};

struct connection;

/* What the floor above does for a connection. All are called with its lock held. */
struct connection_handler {
	/* on_message -- act on a message of the server. */
	void (*on_message)(struct connection *link, const void *data, uint32_t length);
	/* on_lost -- the connection has ended: what was registered with it is gone, what was sent may be lost. */
	void (*on_lost)(struct connection *link);
	/* on_tick -- the background thread's work while the connection is up; `idle`: no call is being made. Returns
	 * for how many ns it need not be called again. */
	int64_t (*on_tick)(struct connection *link, bool idle);
	/* on_reconnect -- one attempt to get the connection back, and a pause after a failure; gives the lock up. */
	void (*on_reconnect)(struct connection *link);
};

struct connection {
	atomic_uint wanted; /* threads that want the lock: who polls lets them in */
	pthread_mutex_t lock;
	const struct connection_handler *handler;

	char name[320]; /* farnova://HOST:PORT (tcp), for messages */
	enum transport_kind kind;

	enum connection_state state;
	uint64_t epoch;    /* one more with each connection */
	char trouble[512]; /* why it was lost, or why it cannot be had back */
	struct transport_queue *queue;
	struct transport_conn *transport;
	bool heard;       /* something arrived since the background thread last looked */
	bool sent;        /* the same for the other way */
	int64_t heard_ns; /* when it last saw that, for each */
	int64_t sent_ns;

	struct counts counts;
	struct poller poller;
};

/* connection_init -- a connection that is not there yet; -errno. connection_destroy -- after connection_end. */
int connection_init(struct connection *link, const struct connection_handler *handler);
void connection_destroy(struct connection *link);

/* connection_lock, connection_unlock -- the lock of the connection and all that belongs to it. */
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

/* connection_up -- `transport` with its `queue` is the connection from now on; both are the connection's. Lock held. */
void connection_up(struct connection *link, struct transport_queue *queue, struct transport_conn *transport);

/* connection_lose -- the connection has ended or must: close it and wake everyone; lock held. `status` is -errno. */
void connection_lose(struct connection *link, int status, const char *why);

/* connection_end -- close it for good; lock held, no thread waits. */
void connection_end(struct connection *link);

/* connection_send -- one message; -EAGAIN without credit; loses the connection on any other failure. Lock held. */
int connection_send(struct connection *link, const void *message, size_t length, unsigned flags);

/* connection_check_silence -- lose a connection from which nothing has come for `lease_ns`; how long nothing has been
 * sent. Lock held, state UP. */
int64_t connection_check_silence(struct connection *link, int64_t lease_ns);

/* connection_name -- the server and transport in words. */
const char *connection_name(const struct connection *link);
/* connection_trouble -- why the server is away, or ""; takes the lock. */
void connection_trouble(struct connection *link, char *words, size_t size);

#endif
