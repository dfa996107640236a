/*
 * session.h -- a connection and its session: what every call of the library stands on.
 *
 * Everything here is guarded by the connection's lock.
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
 * One of the session's slots: one request at a time. Slot 0 is the background thread's.
 *
 *            take_slot                     call_reply, refuse
 *   free ---------------> busy, with a call -----------------------------------------> free
 *                              | abandon: the caller has given up          call_reply    ^
 *                              +--------------> busy, without a call --------------------+
 *   free --------------------------------------> (a CLOSE: nobody waits)
 *            call_flush_closes
 *
 * A lost connection changes nothing of it: call_lost marks the calls as not sent, and they go again in their slots.
 */
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

LIST_HEAD(open_files, farnova_file);

struct farnova {
	struct connection link;
	pthread_t background;

	/* what was asked for */
	struct url url;
	int timeout_ms; /* -1: for ever */
	uint8_t client[16];
	struct proto_handle root;
	bool leaving; /* it is being disconnected: nothing is closed one by one */

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
	struct buffers buffers;
	atomic_uint
	    write_chunk; /* bytes of a write that is one atomic change, at most BUFFER_SIZE; read without the lock */

	struct layouts layouts;
	struct creds creds;
	struct open_files files; /* all that are open, directories too */

	uint8_t message[PROTO_MAX_MESSAGE]; /* the request being encoded */
	struct proto_reply reply;           /* the reply being acted on */
};

static inline struct farnova *farnova_of(struct connection *link)
{
	return container_of(link, struct farnova, link);
}

#endif
