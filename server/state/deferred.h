/*
 * deferred.h -- requests that wait: for layouts to return, for quarantined blocks to come free, for a bulk thread, or
 * for others' turn.
 *
 * A request that must wait is run again from its start once what it waited for has come. Its message is copied, since
 * its receive buffer goes back to the client, whose LAYOUT_RETURN others may be waiting for.
 *
 *     (none) --deferred_change, _no_space, _bulk, _yield--> waiting --deferred_keep--> kept with its session
 *     kept --its mail, deferred_retry_space: state->resume--> running again --deferred_done--> freed
 *     kept --deferred_cancel_all--> without a session --its mail, deferred_retry_space--> freed
 *
 * Used by the session's thread only.
 */
#ifndef FARNOVA_SERVER_DEFERRED_H
#define FARNOVA_SERVER_DEFERRED_H

#include "proto/proto.h"
#include "server/state/bulk.h"
#include "server/state/layout/layout.h"

#include <stdbool.h>
#include <stdint.h>

struct session;
struct state;

/*
 * Work of a request that a bulk thread does, and what came of it. The request's handler makes it and knows what it is.
 * `run` is called by a bulk thread; `discard` frees it, by the session's thread, once it is not wanted any more.
 */
struct deferred_work {
	void (*run)(struct deferred_work *work, struct nova_worker *worker);
	void (*discard)(struct deferred_work *work, struct nova_worker *worker);
};

#define DEFERRED 1 /* the request waits, and will be run again from the start */

struct deferred {
	struct lease_waiter waiter;       /* first: its mail leads here */
	struct deferred *previous, *next; /* of the session */
	struct session *session;          /* NULL once cancelled */
	struct state *state;
	bool attached;       /* on the session's list */
	bool waiting_change; /* it has announced a change that is not running yet */
	bool may_go;         /* the mail that says that it may has come */
	bool waiting_space;
	bool waiting_turn;          /* for `job` */
	struct bulk_job job;        /* its mail: the request may go on */
	struct deferred_work *work; /* of the request: for a bulk thread, or done by one; NULL = none */
	uint64_t progress;          /* of a request that is done in slices: the handler's */
	nova_ino load;              /* an inode whose log is read */
	unsigned loads;             /* how often it has waited for a log to be read */
	struct deferred *next_space;
	int64_t since_ms; /* of the first wait for space; 0 = none */
	uint16_t slot;
	uint32_t sequence;
	uint32_t length;
	uint8_t *message; /* NULL: no memory for the copy, its connection is about to end */
};

/*
 * In what follows `*deferred` is what the request waited in before, NULL for one that did not; it is set where the
 * request is to wait.
 *
 * deferred_change -- announce a change of a file's blocks or size. 0: make it, then layout_change_end. DEFERRED, also
 * while the session keeps as many blocks in quarantine as it, or the file's project, may; or -ENOMEM.
 */
int deferred_change(struct session *session, struct deferred **deferred, struct proto_handle handle, bool drop_own,
                    struct layout_change *change);

/*
 * deferred_no_space -- an operation failed with `error`, -ENOSPC or -EDQUOT. DEFERRED if blocks are quarantined that may
 * come free, for the latter by this session; who keeps them is to say so within the recall time-out or loses its
 * connection. Else `error`, which is final.
 */
int deferred_no_space(struct session *session, struct deferred **deferred, int error);

/*
 * deferred_bulk -- have a bulk thread run `work`, which the request owns from then on: (*deferred)->work when it is run
 * again. DEFERRED; -EAGAIN if there is no such thread, -ENOMEM: `work` is still the caller's.
 *
 * deferred_bulk_again -- the same with the work that it has.
 */
int deferred_bulk(struct session *session, struct deferred **deferred, struct deferred_work *work);
int deferred_bulk_again(struct session *session, struct deferred **deferred);

/* deferred_load -- have the log of an inode read by a bulk thread. DEFERRED; -EAGAIN: do it here, since there is no such
 * thread, or it was done often enough for one request. */
int deferred_load(struct session *session, struct deferred **deferred, nova_ino ino);

/* deferred_yield -- a slice of the request is done, and it has noted its `progress`: it is run again once what others
 * have sent has been handled. DEFERRED, or -ENOMEM. */
int deferred_yield(struct session *session, struct deferred **deferred, uint64_t progress);

/* deferred_keep -- the request waits: its slot is busy, and its message is copied the first time. -ENOMEM: its
 * connection must end. */
int deferred_keep(struct deferred *deferred, const struct proto_request *request, const void *message, uint32_t length);

/* deferred_done -- the request has been answered: free it, and end what it announced and did not make. */
void deferred_done(struct deferred *deferred);

/* deferred_cancel_all -- the session's connection has ended: its waiting requests will be sent again by the client. */
void deferred_cancel_all(struct session *session);

/* deferred_retry_space -- run again what waited for space. deferred_retry_soon -- some may have come free. */
void deferred_retry_space(struct state *state);
void deferred_retry_soon(struct state *state);

/* deferred_free -- for the thread's spare; NULL is allowed. */
void deferred_free(struct deferred *deferred);

#endif
