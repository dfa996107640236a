/*
 * connection.h -- one connection to a server and its session: what every call of the library stands on.
 *
 * Everything here is guarded by the connection's lock. A thread that waits for something (its reply, its READs, a free
 * slot) gives the lock up meanwhile: see poller.h. Replies and recalls are acted on in the order they arrive, by
 * whichever thread received them, never later by the thread they are for: only so is what is known of layouts true.
 */
#ifndef FARNOVA_CLIENT_CONNECTION_H
#define FARNOVA_CLIENT_CONNECTION_H

#include "client/include/farnova.h"
#include "client/link/bounce.h"
#include "client/link/counts.h"
#include "client/link/poller.h"
#include "client/link/staging.h"
#include "client/link/url.h"
#include "client/session/cred.h"
#include "client/session/extent_tree.h"
#include "client/session/layout.h"
#include "common/transport/transport.h"
#include "proto/proto.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define CLOSES_DEFERRED 32u

enum connection_state {
	CONNECTION_UP,
	CONNECTION_LOST, /* the background thread is getting it back */
	CONNECTION_ENDED /* being disconnected */
};

struct call;

/* One of the session's slots: one request at a time. Slot 0 is the background thread's. */
struct slot {
	uint32_t sequence; /* of the newest request */
	bool busy;
	/*
	 * The request in it. NULL in a busy slot: nobody waits for the reply, either since it is a CLOSE or since its
	 * caller has given up; the slot is free once the reply has come.
	 */
	struct call *call;
	uint64_t closes; /* the open that the request closes, 0 = none */
};

struct session {
	uint64_t id, key;
	uint64_t instance;
	uint8_t pool[16];
	uint32_t slots;
	uint32_t lease_ms;
	uint32_t max_read, max_write;
	uint64_t staging_address, staging_key;
};

struct farnova {
	atomic_uint wanted; /* threads that want the lock: who polls lets them in */
	pthread_mutex_t lock;

	/* what was asked for */
	struct url url;
	char name[320]; /* farnova://HOST:PORT (tcp), for messages */
	enum transport_kind kind;
	int timeout_ms; /* -1: for ever */
	uint8_t client[16];
	struct proto_handle root;

	/* the connection */
	enum connection_state state;
	uint64_t epoch; /* one more with each connection */
	int64_t lost_ns;
	char trouble[512]; /* why it was lost, or why it cannot be had back */
	struct transport_queue *queue;
	struct transport_conn *conn;
	bool heard;       /* something arrived since the background thread last looked */
	bool sent;        /* the same for the other way */
	int64_t heard_ns; /* when it last saw that, for each */
	int64_t sent_ns;

	struct counts counts;

	struct poller poller;
	pthread_t background;

	/* the session */
	struct session session;
	struct slot slots[PROTO_MAX_SLOTS];
	uint64_t free_slots;              /* a bit for each */
	uint64_t closes[CLOSES_DEFERRED]; /* opens whose CLOSE goes with the next request */
	unsigned close_count;

	/* data */
	struct staging staging;
	void *staging_memory; /* on verbs the ring's image here, from which WRITEs go; else NULL */
	struct transport_region *staging_region;
	struct bounce bounce;

	struct layouts layouts;
	struct creds creds;
	struct farnova_file *files; /* all that are open, directories too */

	uint8_t message[PROTO_MAX_MESSAGE]; /* the request being encoded */
	struct proto_reply reply;           /* the reply being acted on */
};

/* connection_lock, connection_unlock -- the lock of everything above. */
void connection_lock(struct farnova *fs);
void connection_unlock(struct farnova *fs);

/* connection_lose -- the connection has ended or must: close it and wake everyone; lock held. `status` is -errno. */
void connection_lose(struct farnova *fs, int status, const char *why);

/* connection_message -- act on a message of the server; lock held. */
void connection_message(struct farnova *fs, const void *data, uint32_t length);

/* connection_tick -- the background thread's work while the connection is up: keepalive, closes, returns; lock held. */
void connection_tick(struct farnova *fs, bool idle);

/* connection_send -- encode and send; -EAGAIN without credit; loses the connection on any other failure. Lock held. */
int connection_send(struct farnova *fs, struct proto_request *request, unsigned flags);

/* connection_name -- the server and transport in words. */
const char *connection_name(const struct farnova *fs);
/* connection_trouble -- why the server is away, or ""; takes the lock. */
void connection_trouble(struct farnova *fs, char *words, size_t size);

#endif
