/*
 * call.h -- a request and its reply.
 */
#ifndef FARNOVA_CLIENT_CALL_H
#define FARNOVA_CLIENT_CALL_H

#include "client/session/session.h"

/*
 * The caller owns the call (on its stack) and must keep it in place until it is done. `request` and everything it
 * points to must stay valid too, since a reconnect repeats the request.
 */
struct call {
	struct proto_request *request; /* op and body; call_start fills in the rest of the header */
	/* Handles a reply with status 0, in order of arrival, in any thread, with the lock held; may be NULL. Returns 0
	 * or the -errno of the call. */
	int (*receive)(struct farnova *fs, struct call *call, const struct proto_reply *reply);
	void *result;                /* for `receive` */
	struct farnova_file *file;   /* the open file that the request names, or NULL */
	struct farnova_file *source; /* the source of a COPY, or NULL */
	unsigned *changing;          /* counter that includes this call while it runs, or NULL */
	const void *staged;          /* data to WRITE into the staging ring first, or NULL */
	uint32_t staged_length;      /* number of bytes of `staged` */
	uint64_t *staging;           /* the field of the request that receives the offset in the ring */

	/* private to call.c */
	struct waiter *waiter;
	int64_t deadline_ns;     /* 0: none */
	uint64_t first_epoch;    /* epoch of the connection that it was first sent on; 0: not sent yet */
	uint64_t session;        /* the session it was first sent in */
	uint64_t latest_session; /* the session it was last sent in */
	uint64_t identity;       /* under which it was first sent; 0: none, or its slot is gone */
	uint64_t staged_epoch;   /* epoch of the connection that last took the staged data */
	unsigned piece;          /* of the staging ring */
	uint16_t slot;
	bool holds_slot, holds_piece, sent, done;
	bool on_new_connection; /* sent again on a newer connection: what the reply says of layouts is void */
	bool
	    maybe_executed; /* it was sent under an identity that the server has given up, and may have been executed */
	int status;
};

/* call_start -- send the request; does not wait for the reply. Lock held; may be released meanwhile. */
void call_start(struct farnova *fs, struct call *call);

/*
 * call_finish -- wait for the reply. Returns 0 or -errno: the server's; -ETIMEDOUT if the time limit of the connection
 * has passed since call_start; -ECONNRESET if the session was lost, and with it the server's record of whether it has
 * executed the call. Lock held; released meanwhile.
 */
int call_finish(struct farnova *fs, struct call *call);

/* call_run -- lock, start, finish, unlock. */
int call_run(struct farnova *fs, struct call *call);

/* call_deadline -- the deadline of a wait that begins now; 0: none. */
int64_t call_deadline(const struct farnova *fs);

/* call_wait_up -- wait until the connection is up; -ETIMEDOUT, also if the call is cancelled. Lock held. */
int call_wait_up(struct farnova *fs, int64_t deadline_ns);

/* call_close -- CLOSE an open with the next request or soon, without waiting for a reply. Lock held. */
void call_close(struct farnova *fs, uint64_t open);
/* call_flush_closes -- send pending closes while slots are free; `flags` are those of the send. Lock held. */
void call_flush_closes(struct farnova *fs, unsigned flags);

/* call_ping -- send PING in slot 0 if that slot is free; lock held. */
void call_ping(struct farnova *fs);

/* call_reply -- complete the call that a reply belongs to; false if there is none, which is an error of the server.
 * Lock held. */
bool call_reply(struct farnova *fs, const struct proto_reply *reply);

/* call_lost -- the connection has ended: mark requests in flight to be sent again. Lock held. */
void call_lost(struct farnova *fs);
/* call_session_new, call_session_resumed -- prepare the slots for a new session, or for the same session on a new
 * connection. Lock held. */
void call_session_new(struct farnova *fs);
void call_session_resumed(struct farnova *fs);

#endif
