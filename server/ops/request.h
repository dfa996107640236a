/*
 * request.h -- a request being handled: what its handler is given, and what becomes of one that must wait.
 */
#ifndef FARNOVA_SERVER_REQUEST_H
#define FARNOVA_SERVER_REQUEST_H

#include "proto/proto.h"
#include "server/nova/nova.h"
#include "server/state/layout/layout.h"
#include "server/state/open_table.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct conn;
struct server;
struct session;
struct worker;

#define REQUEST_DEFERRED 1 /* a handler's result: the request waits and will be run again from the start */

/*
 * A request that waits, with a copy of its message: its receive buffer goes back to the client, whose LAYOUT_RETURN
 * others may be waiting for. When it may go on it is decoded and run again.
 */
struct deferred {
	struct layout_waiter waiter;      /* first: its mail leads here */
	struct deferred *previous, *next; /* of the session */
	struct session *session;          /* NULL once cancelled */
	struct worker *worker;
	bool attached;       /* on the session's list */
	bool waiting_change; /* it has announced a change that is not running yet */
	bool may_go;         /* the mail that says that it may has come */
	bool waiting_space;
	struct deferred *next_space;
	int64_t since_ms; /* of the first wait for space; 0 = none */
	uint16_t slot;
	uint32_t sequence;
	uint32_t length;
	uint8_t *message; /* NULL: no memory for the copy, its connection is about to end */
};

struct request {
	struct server *server;
	struct worker *worker;
	struct conn *conn;
	struct session *session;
	const struct proto_request *in;
	struct proto_reply *out;
	struct nova_call call;
	struct deferred *deferred; /* not NULL if it has waited before */
};

/* request_run -- run what was decoded into worker->request, and answer it. `deferred` as in struct request. */
void request_run(struct conn *conn, const void *message, uint32_t length, struct deferred *deferred);

/*
 * request_change -- announce a change of a file's blocks or size. 0: make it, then request_change_end.
 * REQUEST_DEFERRED: return that. -ENOMEM.
 */
int request_change(struct request *rq, struct proto_handle handle, bool drop_own, struct layout_change *change);

/*
 * request_no_space -- an operation found no space. REQUEST_DEFERRED if blocks are quarantined that may come free soon:
 * the request waits and is run again; -ENOSPC if it is final.
 */
int request_no_space(struct request *rq);

/* request_cancel_all -- the session's connection has ended: its waiting requests will be sent again by the client. */
void request_cancel_all(struct session *session);

/* request_retry_space -- run again what waited for space. */
void request_retry_space(struct worker *worker);

/* request_deferred_free -- for the worker's spare. */
void request_deferred_free(struct deferred *deferred);

static inline struct nova_handle core_handle(struct proto_handle h)
{
	return (struct nova_handle){.ino = {h.ino}, .generation = h.generation};
}

static inline struct proto_handle wire_handle(struct nova_handle h)
{
	return (struct proto_handle){.ino = h.ino.n, .generation = h.generation};
}

/*
 * request_accessed -- the request has read of this inode: its access time follows the server's policy. `attr` is what
 * the inode is like now, or NULL. That it cannot be set is no reason to refuse the reading.
 */
void request_accessed(struct request *rq, struct nova_handle file, const struct nova_attr *attr);

/* request_attr -- attributes as they go on the wire. */
void request_attr(const struct nova_attr *in, struct proto_attr *out);

#endif
