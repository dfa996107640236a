/*
 * session.h -- a connection and its session: the state that every call of the library uses.
 *
 * The connection's lock guards everything here.
 */
#ifndef FARNOVA_CLIENT_SESSION_H
#define FARNOVA_CLIENT_SESSION_H

#include "client/include/farnova.h"
#include "client/link/bounce.h"
#include "client/link/buffers.h"
#include "client/link/connection.h"
#include "client/link/staging.h"
#include "client/link/url.h"
#include "client/session/cred.h"
#include "client/session/layout.h"
#include "common/container_of.h"
#include "proto/proto.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#define CLOSES_DEFERRED 32u

struct call;
struct farnova_file;

/*
 * A slot of the session holds one request at a time. Slot 0 belongs to the background thread.
 *
 *            take_slot                     call_reply, refuse
 *   free ---------------> busy, with a call -----------------------------------------> free
 *                              | give_up: the deadline has passed          call_reply    ^
 *                              +--------------> busy, without a call --------------------+
 *   free --------------------------------------> (a CLOSE: nobody waits)
 *            call_flush_closes
 *
 * A lost connection does not change these states: call_lost marks the calls as not sent, and they are sent again in
 * their slots. Nor does a lost session: slots and their sequences belong to the identity, and go on in the next session.
 */
struct slot {
	uint32_t sequence; /* sequence number of the newest request */
	bool busy;
	/*
	 * The call whose request is in the slot. NULL in a busy slot: nobody waits for the reply, because the request
	 * is a CLOSE or its caller has given up; the reply frees the slot.
	 */
	struct call *call;
	uint64_t closes; /* open that the request closes, 0 = none */
	/* Credential of the request, which uses it while the slot is busy: if its number meant another one, a request
	 * that the server executes late would be executed for another user. */
	uint32_t cred;
};

/* What the client is to the pool, longer than a session: docs/exactly-once.md. */
struct identity {
	uint64_t number; /* 0: none yet, or the server keeps none */
	uint8_t key[16]; /* random, chosen by this library; secret */
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
	uint64_t free_slots;              /* one bit for each slot */
	uint64_t closes[CLOSES_DEFERRED]; /* opens to be closed with the next requests */
	unsigned close_count;

	/* data */
	struct staging staging;
	void *staging_memory; /* on verbs the local image of the ring, source of WRITEs; else NULL */
	struct transport_region *staging_region;
	struct bounce bounce;
	struct buffers buffers;
	atomic_uint
	    write_chunk; /* bytes of a write that is one atomic change, at most BUFFER_SIZE; read without the lock */

	struct layouts layouts;
	struct creds creds;
	struct open_files files; /* all open files and directories */

	uint8_t message[PROTO_MAX_MESSAGE]; /* the request being encoded */
	struct proto_reply reply;           /* the reply being acted on */
};

static inline struct farnova *farnova_of(struct connection *link)
{
	return container_of(link, struct farnova, link);
}

#endif
