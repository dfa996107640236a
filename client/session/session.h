/*
 * session.h -- a connection and its session: the state that every call of the library uses.
 *
 * The connection's lock guards everything here.
 */
#ifndef FARNOVA_CLIENT_SESSION_H
#define FARNOVA_CLIENT_SESSION_H

#include "client/include/farnova.h"
#include "client/link/buffers.h"
#include "client/link/cache.h"
#include "client/link/connection.h"
#include "client/link/staging.h"
#include "client/link/url.h"
#include "client/session/channel.h"
#include "client/session/cred.h"
#include "client/session/lane.h"
#include "client/session/layout.h"
#include "common/container_of.h"
#include "proto/proto.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#define CLOSES_DEFERRED 32u /* more are sent without waiting for the next request */

struct call;
struct farnova_file;

/*
 * A slot of the session holds one request at a time. Slot 0 belongs to the background thread.
 *
 *            get_slot                         call_reply, give_slot_back
 *   free ---------------> busy, with a call -----------------------------> free
 *   free ---------------> busy, without: a CLOSE, nobody waits -----------> free
 *         call_flush_closes                   call_reply
 *
 * A lost connection does not change these states: call_lost has the calls wait, and they are sent again in their slots.
 * Requests of abandoned calls and CLOSEs are settled by a PING (call.c).
 * A lost session does not change them either: slots and their sequences belong to the identity, and go on in the next
 * session; what nobody waits for is over then.
 *
 * A free slot is taken only if its number is below the window (docs/client.md), and the one with the lowest number.
 */
struct slot {
	uint32_t sequence; /* sequence number of the newest request */
	bool busy;
	bool unsettled;    /* a PING must be sent to find out about its last request */
	struct call *call; /* the call whose request is in the slot, or NULL: a CLOSE */
	uint64_t closes;   /* open that the request closes, 0 = none */
};

/* What the client is to the pool, longer than a session: docs/exactly-once.md. */
struct identity {
	uint64_t number; /* 0: none yet, or the server keeps none */
	uint8_t key[16]; /* random, chosen by this library; secret */
};

TAILQ_HEAD(call_list, call);

/* The server's memory for staged data: staging_ring.h has the states. */
struct staging_ring {
	enum { RING_NONE, RING_ASKED, RING_GRANTED, RING_GIVEN_BACK } state;
	uint64_t address, key; /* if granted */
	int64_t used_ns;       /* when a request last needed it */
};

struct session {
	uint64_t id, key;
	uint64_t instance;
	uint8_t pool[16];
	uint16_t slots;  /* the window: new requests go into slots below this number */
	uint16_t window; /* its number */
	uint32_t lease_ms;
	uint32_t max_read, max_write;
	struct staging_ring ring;
};

LIST_HEAD(open_files, farnova_file);

struct farnova {
	struct connection link;
	pthread_t background;

	/* what the caller requested */
	struct url url;
	int timeout_ms; /* -1: no limit */
	struct proto_handle root;
	bool leaving; /* farnova_disconnect has begun: files are not closed one by one */

	/* the session */
	struct identity identity;
	struct session session;
	struct slot slots[PROTO_MAX_SLOTS];
	uint64_t free_slots[PROTO_MAX_SLOTS / 64]; /* one bit for each slot but slot 0 */
	uint16_t slots_used;                       /* no slot from this number on is busy; slot 0 counts always */
	uint64_t *closes;                          /* opens to be closed with the next requests */
	unsigned close_count, close_capacity;
	unsigned unsettled;      /* slots that are */
	struct call_list unsent; /* calls that are WAITING, in the order in which they were started */
	bool pumping;            /* call_pump runs */
	struct cache calls;      /* free calls */
	struct cache readings;   /* free readings (client/io/reading.h) */
	TAILQ_HEAD(stalled_readings, reading) stalled; /* readings that go on when a resource is free, in their order */

	/* data */
	struct staging staging;
	void *staging_memory; /* on verbs the local image of the ring, source of WRITEs; else NULL */
	struct transport_region *staging_region;
	struct lane lane; /* of `link` */
	struct channels channels;
	struct buffers buffers;
	atomic_uint
	    write_chunk; /* bytes of a write that is one atomic change, at most BUFFER_SIZE; read without the lock */
	atomic_uint write_small; /* bytes that a WRITE carries; read without the lock */

	struct layouts layouts;
	struct creds creds;
	struct open_files files; /* all open files and directories */
	LIST_HEAD(, farnova_queue) queues;

	uint8_t message[PROTO_MAX_MESSAGE]; /* the request being encoded */
	struct proto_reply reply;           /* the reply being acted on */
};

/* session_init -- set up the state of a connection that has not been established, without a time limit. 0 or -errno.
 * session_destroy -- free what belongs to it: the connection and all calls have ended, and no file is open. */
int session_init(struct farnova *fs, const struct connection_handler *handler);
void session_destroy(struct farnova *fs);

static inline struct farnova *farnova_of(struct connection *link)
{
	return container_of(link, struct farnova, link);
}

#endif
