/*
 * call.h -- a request and its reply.
 */
#ifndef FARNOVA_CLIENT_CALL_H
#define FARNOVA_CLIENT_CALL_H

#include "client/session/session.h"

/*
 * A call is its caller's (on the stack) and stays in place until it is done. `request` and everything it points to must
 * stay too, since it is sent again after a reconnect.
 */
struct call {
	struct proto_request *request; /* op and body; the rest of the header is filled in */
	/* Acts on a reply with status 0, in order of arrival, with the lock held by any thread; may be NULL. Returns 0
	 * or the -errno the call fails with. */
	int (*receive)(struct farnova *fs, struct call *call, const struct proto_reply *reply);
	void *result;                /* for `receive` */
	struct farnova_file *file;   /* whose open id the request names, or NULL */
	struct farnova_file *source; /* of a COPY, or NULL */
	unsigned *changing;          /* counter of changes under way to be kept meanwhile, or NULL */
	const void *staged;          /* data that go through the staging ring first, or NULL: */
	uint32_t staged_length;      /* so many bytes, */
	uint64_t *staging;           /* and where in the request their place is told */

	/* private to call.c */
	struct waiter *waiter;
	int64_t deadline_ns;     /* 0: none */
	uint64_t first_epoch;    /* the connection it was first sent on, 0: it has not been sent */
	uint64_t session;        /* the session it was first sent in */
	uint64_t latest_session; /* the session it was last sent in */
	uint64_t staged_epoch;   /* the connection that its data were last given to */
	unsigned piece;          /* of the staging ring */
	uint16_t slot;
	bool holds_slot, holds_piece, sent, done;
	bool on_new_connection; /* on another than at first: what the reply says of layouts has ended */
	bool maybe_executed;    /* it was sent in a session that has ended: it may have been executed there */
	int status;
};

/* call_start -- send the request; returns without waiting for the reply. Lock held, may be given up meanwhile. */
void call_start(struct farnova *fs, struct call *call);

/*
 * call_finish -- wait for the reply. 0 or -errno: the server's; -ETIMEDOUT once the time of the connection's options has
 * passed since call_start; -ECONNRESET if the server was restarted and the call may have been executed before, where to
 * send it again would not be the same. Lock held, given up meanwhile.
 */
int call_finish(struct farnova *fs, struct call *call);

/* call_run -- lock, start, finish, unlock. */
int call_run(struct farnova *fs, struct call *call);

/* call_deadline -- when a wait that begins now is to end; 0: never. */
int64_t call_deadline(const struct farnova *fs);

/* call_wait_up -- wait until there is a connection; -ETIMEDOUT, also if the call is cancelled. Lock held. */
int call_wait_up(struct farnova *fs, int64_t deadline_ns);

/* call_close -- CLOSE an open without waiting for the reply, with the next request or soon. Lock held. */
void call_close(struct farnova *fs, uint64_t open);
/* call_flush_closes -- send those that wait, as far as slots are free; `flags` for the last of them. Lock held. */
void call_flush_closes(struct farnova *fs, unsigned flags);

/* call_ping -- PING in slot 0 if that is free; lock held. */
void call_ping(struct farnova *fs);

/* call_reply -- give a reply to its call; false if there is none for it, which is the server's fault. Lock held. */
bool call_reply(struct farnova *fs, const struct proto_reply *reply);

/* call_lost -- the connection has ended: requests under way are to be sent again. Lock held. */
void call_lost(struct farnova *fs);
/* call_session_new, call_session_resumed -- ... on a new connection, in a new session or in the same. Lock held. */
void call_session_new(struct farnova *fs);
void call_session_resumed(struct farnova *fs);

#endif
