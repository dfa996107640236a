/*
 * deferred.h -- deferred requests: they wait for the return of layouts, for quarantined blocks, for a bulk thread, or
 * for their next turn.
 *
 * A deferred request is run again from its start when its wait has ended. Its message is copied, so that the receive
 * buffer becomes free for the client again: other requests may be waiting for a LAYOUT_RETURN of this client.
 *
 *     (none) --deferred_change, _no_space, _bulk, _yield--> waiting --deferred_keep--> kept with its session
 *     kept --its mail, deferred_retry_space: state->resume--> running again --deferred_done--> freed
 *     kept --deferred_cancel_all--> without a session --its mail, deferred_retry_space--> freed
 *     kept, its final work has begun --deferred_cancel_all--> lost --its mail: state->resume--> running again
 *
 * Final work changes the pool, so once it has begun the request can no longer be dropped. If the connection ends then,
 * the request stays in its slot and holds the session (`lost` of struct session): the client can resume the session
 * only when the reply is cached.
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
 * Work that a bulk thread does for a request, and its result. The handler of the request creates it and knows its type.
 * A bulk thread calls `run`; the session's thread calls `discard`, which frees the work, when it is no longer needed.
 */
struct deferred_work {
	bool final;                   /* it changes the pool, which others see */
	nova_ino inodes[BULK_INODES]; /* as in a struct bulk_job */
	void (*run)(struct deferred_work *work, struct nova_worker *worker);
	void (*discard)(struct deferred_work *work, struct nova_worker *worker);
};

#define DEFERRED 1 /* the request waits, and will be run again from the start */

struct deferred {
	struct lease_waiter waiter;       /* first: its mail is cast to this structure */
	struct deferred *previous, *next; /* of the session */
	struct session *session;          /* NULL once cancelled */
	struct state *state;
	bool attached;       /* on the session's list */
	bool waiting_change; /* it has announced a change that is not running yet */
	bool may_go;         /* the waiter's mail has been delivered: the change may run */
	bool lost;           /* its connection has ended while its final work ran */
	bool waiting_space;
	bool waiting_turn;          /* for `job` */
	struct bulk_job job;        /* its mail resumes the request */
	struct deferred_work *work; /* for a bulk thread, or done by one; NULL = none */
	uint64_t progress;          /* belongs to the handler, 0 at first */
	nova_ino load;              /* the inode whose log is being read */
	unsigned loads;             /* how often the request has waited for a log */
	struct deferred *next_space;
	int64_t since_ms; /* of the first wait for space; 0 = none */
	uint16_t slot;
	uint32_t sequence;
	uint32_t length;
	uint8_t *message; /* NULL: no memory for the copy, the connection is about to end */
};

/*
 * In the functions below `*deferred` is the structure of a request that has waited before, else NULL. They set it if
 * the request must wait.
 *
 * deferred_change -- announce a change of a file's blocks or size. 0: make the change, then call layout_change_end.
 * DEFERRED, also while the session has reached the limit of quarantined blocks, its own or the file's project's; or
 * -ENOMEM.
 */
int deferred_change(struct session *session, struct deferred **deferred, struct proto_handle handle, bool drop_own,
                    struct layout_change *change);

/*
 * deferred_no_space -- an operation failed with `error`, -ENOSPC or -EDQUOT. DEFERRED if quarantined blocks may become
 * free (for -EDQUOT: blocks quarantined for this session); the sessions that they wait for must quiesce within the
 * recall time-out or lose their connections. Else `error`, which is final.
 */
int deferred_no_space(struct session *session, struct deferred **deferred, int error);

/*
 * deferred_bulk -- let a bulk thread run `work`. The request owns `work` from then on: it is (*deferred)->work when the
 * request is run again. DEFERRED; on -EAGAIN (no bulk thread) and -ENOMEM the caller still owns `work`.
 *
 * deferred_bulk_again -- the same with (*deferred)->work.
 */
int deferred_bulk(struct session *session, struct deferred **deferred, struct deferred_work *work);
int deferred_bulk_again(struct session *session, struct deferred **deferred);

/* deferred_drop_work -- discard the request's work, if it has any. */
void deferred_drop_work(struct deferred *deferred);

/* deferred_load -- let a bulk thread read the log of an inode. DEFERRED; -EAGAIN: the caller must read it itself,
 * because there is no bulk thread or no memory, or the request has already waited for LOADS_MAX logs. */
int deferred_load(struct session *session, struct deferred **deferred, nova_ino ino);

/* deferred_busy -- a bulk thread holds the inode: wait until its work is done. DEFERRED; -EAGAIN: no memory. */
int deferred_busy(struct session *session, struct deferred **deferred, nova_ino ino);

/* deferred_yield -- one slice of the request is done, up to `progress`: run it again after messages of other
 * connections have been handled. DEFERRED, or -ENOMEM. */
int deferred_yield(struct session *session, struct deferred **deferred, uint64_t progress);

/* deferred_keep -- the request waits: mark its slot busy, and copy its message the first time. -ENOMEM: the caller must
 * end the connection. */
int deferred_keep(struct deferred *deferred, const struct proto_request *request, const void *message, uint32_t length);

/* deferred_done -- the request has been answered: free it, and abandon a change that it announced but did not make. */
void deferred_done(struct deferred *deferred);

/* deferred_cancel -- drop the request as if it had never arrived: its slot takes the same sequence again. */
void deferred_cancel(struct deferred *deferred);

/* deferred_cancel_all -- the session's connection has ended: cancel its deferred requests, which the client will send
 * again. Those whose final work has begun become `lost`. */
void deferred_cancel_all(struct session *session);

/* deferred_retry_space -- run all requests again that wait for space. deferred_retry_soon -- blocks may have become
 * free: have the loop retry soon. */
void deferred_retry_space(struct state *state);
void deferred_retry_soon(struct state *state);

/* deferred_free -- frees the thread's spare structure; NULL is allowed. */
void deferred_free(struct deferred *deferred);

#endif
