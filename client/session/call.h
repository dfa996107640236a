/*
 * call.h -- a request and its reply.
 *
 * docs/client.md has the states of a call. The connection's lock guards it from call_start on.
 */
#ifndef FARNOVA_CLIENT_CALL_H
#define FARNOVA_CLIENT_CALL_H

#include "client/session/session.h"

enum call_state { CALL_NEW, CALL_WAITING, CALL_SENT, CALL_DONE };

/*
 * A call is memory of the library and belongs to who made it, until call_finish or call_run consumes it or it is
 * abandoned. What `request` points to must stay valid as long, since a reconnect repeats the request.
 */
struct call {
	/* Handles a reply with status 0, in order of arrival, in any thread, with the lock held; may be NULL. Returns 0
	 * or the -errno of the call. If the call was abandoned, `result` is NULL: only what the reply says of shared
	 * state is to be applied. */
	int (*receive)(struct farnova *fs, struct call *call, const struct proto_reply *reply);
	void *result; /* for `receive` */
	/* Instead of a thread that waits: the call is DONE; lock held. It may free the call. */
	void (*on_done)(struct farnova *fs, struct call *call);
	void *owner; /* for `on_done` */
	struct farnova_file
	    *file; /* the open file that the request names, or NULL; has a reference from call_start on */
	struct farnova_file *source; /* the source of a COPY, or NULL; the same */
	atomic_uint *changing;       /* counter that includes this call while it runs, or NULL; of an inode of `file` */
	void *memory;                /* data of the request (buffers.h), or NULL: freed with the call */
	size_t memory_size;
	uint32_t staged_length; /* bytes of `memory` to WRITE into the staging ring first, 0: none */
	uint64_t *staging;      /* the field of the request that receives the offset in the ring */
	int status;             /* of a call that is DONE: 0 or -errno */

	/* private to call.c */
	TAILQ_ENTRY(call) entry; /* in fs->unsent while WAITING */
	enum call_state state;
	struct waiter *waiter;
	int64_t deadline_ns;     /* 0: none */
	uint64_t first_epoch;    /* epoch of the connection that it was first sent on; 0: not sent yet */
	uint64_t session;        /* the session it was first sent in */
	uint64_t latest_session; /* the session it was last sent in */
	uint64_t identity;       /* under which it was first sent; 0: none, or its slot is gone */
	unsigned piece;          /* of the staging ring */
	uint16_t slot;
	bool holds_slot, holds_piece, abandoned;
	bool on_new_connection; /* sent again on a newer connection: what the reply says of layouts is void */
	/* It was sent under an identity that the server has given up, and may have been executed. */
	bool maybe_executed;
	/* -errno: it must not be executed any more. It is sent again only to get its result in case that it was executed
	 * before, and else fails with this error; 0: none. */
	int refused;

	struct proto_request request; /* op and body; the header is filled in when it is sent */
};

/* call_new -- a call for a request of `op`; NULL without memory. The lock is not needed. call_free -- free a call that
 * was not started, or is DONE and has an owner. */
struct call *call_new(struct farnova *fs, uint16_t op);
void call_free(struct farnova *fs, struct call *call);

/* call_refuse_staged -- end all calls that wait and have data for the staging ring, with `error`. Lock held. */
void call_refuse_staged(struct farnova *fs, int error);

/* call_start -- begin the call; does not wait. `waiter` is the thread to be woken, NULL if the call has `on_done`. The
 * credential is that of the file, else of the calling thread. Lock held. */
void call_start(struct farnova *fs, struct call *call, struct waiter *waiter);
/* call_start_as -- the same with the credential of this number (cred.h), in any thread. */
void call_start_as(struct farnova *fs, struct call *call, struct waiter *waiter, uint32_t cred);

/* call_renew -- make a call that is DONE and has an owner one to be started, with the same request, but without files and
 * counter. */
void call_renew(struct call *call);

/*
 * call_finish -- wait for the reply and free the call. Returns 0 or -errno: the server's; -ETIMEDOUT if the time limit
 * of the connection has passed since call_start; -ECONNRESET if the session was lost, and with it the server's
 * record of whether it has executed the call. Lock held; released meanwhile.
 */
int call_finish(struct farnova *fs, struct call *call);

/* call_run -- lock, start, finish, unlock. `call` may be NULL: -ENOMEM. */
int call_run(struct farnova *fs, struct call *call);

/* call_abandon -- nobody is interested in the call any more: it ends, and is freed, by itself. Lock held. */
void call_abandon(struct farnova *fs, struct call *call);

/* call_pump -- send calls that wait, as far as there are slots, credits and room; lock held. */
void call_pump(struct farnova *fs);

/* call_deadline -- the deadline of a wait that begins now; 0: none. */
int64_t call_deadline(const struct farnova *fs);
/* call_passed -- whether the calling thread must stop waiting: the deadline has passed, or its calls are cancelled. */
bool call_passed(const struct farnova *fs, int64_t deadline_ns);

/* call_reply -- complete the call that a reply belongs to; false if there is none, which is an error of the server.
 * Lock held. */
bool call_reply(struct farnova *fs, const struct proto_reply *reply);

/* call_lost -- the connection has ended: requests in flight wait again. Lock held. */
void call_lost(struct farnova *fs);
/* call_session_new, call_session_resumed -- prepare the slots for a new session, or for the same session on a new
 * connection. Lock held. */
void call_session_new(struct farnova *fs);
void call_session_resumed(struct farnova *fs);
/* call_end_all -- end abandoned calls and free the cache of calls: the connection has ended for good. Lock held. */
void call_end_all(struct farnova *fs);

#endif
