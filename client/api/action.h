/*
 * action.h -- a request on an inode that is given by path: finds the inode, then sends the request; does not wait.
 *
 *        action_start
 *            |
 *            v       found           the reply
 *        FINDING ----------> ACTING -----------> done
 *            ^                 |  ^ `again`: a further part
 *            |                 |  +---+
 *            +--- ESTALE ------+------+
 *
 * If the file was replaced and deleted between the two messages, the second one fails with ESTALE. (Within one message
 * the server repeats the walk.) Then the path is walked again, now by an open without rights, which keeps the file alive
 * until the second message has been executed: however often others replace the file, the second attempt succeeds. The
 * number of attempts is limited, since a session may be lost with its opens, or the directory deleted.
 *
 * Of an inode that is given by handle only the second message is sent. The connection's lock guards an action from
 * action_start until it is done.
 */
#ifndef FARNOVA_CLIENT_ACTION_H
#define FARNOVA_CLIENT_ACTION_H

#include "client/session/opening.h"

struct action {
	struct farnova *fs;
	struct proto_string path; /* must stay valid; `data` NULL: `*handle` is set */
	uint32_t flags;           /* for the walk: PROTO_LOOKUP_NOFOLLOW */

	/* what is to be done */
	struct call *call;           /* of the action until action_release; its owner and on_done are private */
	struct proto_handle *handle; /* in the request: receives the handle */
	/* May be NULL: the file has these attributes; the request may be changed. */
	void (*found)(struct action *action, const struct proto_attr *attr);
	/* May be NULL: the call has ended with `*status`, which may be changed. True: the request, which may have been
	 * changed, is to be sent again. */
	bool (*again)(struct action *action, int *status);
	void *argument; /* for the two */

	/* Instead of a thread that waits: it is done; lock held. */
	void (*on_done)(struct action *action);
	void *owner; /* for `on_done` */
	int status;  /* of one that is done: 0 or -errno */

	/* private to action.c */
	struct waiter *waiter;
	bool done;
	uint32_t cred;
	unsigned tries;
	atomic_uint *changing;
	struct call *current;
	struct proto_attr attr;
	struct opened opened;
	struct farnova_file *pin; /* the open that keeps the file, or NULL */
};

/* action_start -- begin, on behalf of the calling thread's credential. It may be done on return. Lock held. */
void action_start(struct action *action);
/* action_abandon -- nobody is interested in it any more: its memory is the caller's again. Lock held. */
void action_abandon(struct action *action);
/* action_release -- free what an action has that was not started, or is done or abandoned. The lock is not held. */
void action_release(struct action *action);

/* action_run -- start, wait and release. Returns the status; -ETIMEDOUT if one of the requests took too long. */
int action_run(struct action *action);
/* action_by_path -- the same for the program's `path`. action_by_handle -- for an inode. */
int action_by_path(struct action *action, const char *path, uint32_t flags);
int action_by_handle(struct action *action, struct proto_handle handle);

#endif
