/*
 * request.h -- a request that is being handled, and functions that the handlers share.
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
struct nova_outcome;
struct open;
struct session;
struct state;
struct state_shared;

struct request {
	struct state_shared *shared;
	struct state *state; /* of the thread */
	struct conn *conn;   /* NULL: it has ended, and the request ends now */
	struct session *session;
	const struct proto_request *in;
	struct proto_reply *out;
	struct nova_call call;
	struct deferred *deferred; /* not NULL if it has waited before */
	bool walked;               /* its inode was found by a path */
	bool by_bulk;              /* its change takes long: see bulk_call.h */
	/* Not NULL: it was executed before this session, with this result. */
	const struct nova_outcome *outcome;
};

/*
 * request_change -- announce a change of a file's blocks or size. The caller has checked that it is allowed: a refused
 * request must not cause a recall. 0: make the change, then call layout_change_end. DEFERRED: return that. -ENOMEM.
 */
int request_change(struct request *rq, struct proto_handle handle, bool drop_own, struct layout_change *change);

/* request_change_open -- the same for an open file. If there will be a recall, first checks that the file may still be
 * written. */
int request_change_open(struct request *rq, const struct open *open, bool append, bool drop_own,
                        struct layout_change *change);

/*
 * request_space -- `rc` is the result of an operation. If it is -ENOSPC or -EDQUOT, and quarantined blocks may become
 * free soon: DEFERRED, and the request will be run again. Else `rc`.
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
 * request_accessed -- the request has read from this inode: set its access time according to the server's policy.
 * `attr` has its present attributes, or is NULL. Errors are ignored: they must not make the read fail.
 */
void request_accessed(struct request *rq, struct nova_handle file, const struct nova_attr *attr);

/* request_attr -- convert attributes to their form on the wire. */
void request_attr(const struct nova_attr *in, struct proto_attr *out);

#endif
