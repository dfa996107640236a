/*
 * request.h -- a request being handled: what its handler is given, and what handlers have in common.
 */
#ifndef FARNOVA_SERVER_REQUEST_H
#define FARNOVA_SERVER_REQUEST_H

#include "proto/proto.h"
#include "server/nova/nova.h"
#include "server/state/deferred.h"
#include "server/state/layout/layout.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct conn;
struct open;
struct session;
struct state;
struct state_shared;

struct request {
	struct state_shared *shared;
	struct state *state; /* of the thread */
	struct conn *conn;
	struct session *session;
	const struct proto_request *in;
	struct proto_reply *out;
	struct nova_call call;
	struct deferred *deferred; /* not NULL if it has waited before */
	bool walked;               /* what it is about was found by a path */
};

/*
 * request_change -- announce a change of a file's blocks or size, which the caller has found to be allowed: nobody loses
 * a layout for a request that is refused. 0: make it, then layout_change_end. DEFERRED: return that. -ENOMEM.
 */
int request_change(struct request *rq, struct proto_handle handle, bool drop_own, struct layout_change *change);

/* request_change_open -- the same for an open; whether it may still be written to is asked first, if that matters. */
int request_change_open(struct request *rq, const struct open *open, bool append, bool drop_own,
                        struct layout_change *change);

/*
 * request_space -- `rc` is what an operation ended with. Where it found no space, or too little under its project's
 * limit, although blocks are quarantined that may come free soon: DEFERRED, and the request is run again. Else `rc`.
 */
int request_space(struct request *rq, int rc);

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
