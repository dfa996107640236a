/*
 * action.c -- requests on an inode that is given by path.
 */
#include "client/api/action.h"

#include "client/api/names.h"

#include <errno.h>

#define ATTEMPTS 10u

static void find(struct action *action);

static void unpin(struct action *action)
{
	if (action->pin)
		file_put(action->pin);
	action->pin = NULL;
}

/* over -- an attempt has ended with `status`. */
static void over(struct action *action, int status)
{
	unpin(action);
	if (status == -ESTALE && action->path.data && ++action->tries < ATTEMPTS) {
		find(action);
		return;
	}
	cred_unuse(&action->fs->creds, action->cred);
	action->status = status;
	action->done = true;
	if (action->on_done)
		action->on_done(action);
	else
		poller_wake(&action->fs->link, action->waiter);
}

static void start_call(struct action *action, struct call *call, void (*on_done)(struct farnova *, struct call *))
{
	call->owner = action;
	call->on_done = on_done;
	action->current = call;
	call_start_as(action->fs, call, NULL, action->cred);
}

/* ---- acting ----------------------------------------------------------------------------------------------------- */

static void on_acted(struct farnova *fs, struct call *call);

static void act(struct action *action)
{
	action->call->changing = action->changing;
	start_call(action, action->call, on_acted);
}

static void on_acted(struct farnova *fs, struct call *call)
{
	struct action *action = call->owner;
	int status = call->status;

	action->current = NULL;
	call_renew(call);
	if (action->again && action->again(action, &status))
		act(action);
	else
		over(action, status);
}

/* ---- finding ---------------------------------------------------------------------------------------------------- */

static void found(struct action *action, int status)
{
	action->current = NULL;
	if (status) {
		over(action, status);
		return;
	}
	*action->handle = action->attr.handle;
	if (action->found)
		action->found(action, &action->attr);
	act(action);
}

static void on_looked_up(struct farnova *fs, struct call *call)
{
	struct action *action = call->owner;
	int status = call->status;

	call_free(fs, call);
	found(action, status);
}

static void on_pinned(struct farnova *fs, struct call *call)
{
	struct action *action = call->owner;
	int status = call->status;

	call_free(fs, call);
	action->pin = file_opened(&action->opened, status);
	found(action, status);
}

/* open_pin -- the call that finds the file by an open without rights; NULL without memory. */
static struct call *open_pin(struct action *action)
{
	bool follow = !(action->flags & PROTO_LOOKUP_NOFOLLOW);
	struct proto_request request;
	struct call *call;

	request.op = PROTO_OPEN;
	request.open.dir = action->fs->root;
	request.open.mode = 0;
	request.open.umask = 0;
	request.open.path = action->path;
	if (file_opening(action->fs, &request, PROTO_OPEN_PATH | (follow ? 0 : PROTO_OPEN_NOFOLLOW), &action->attr,
	                 &action->opened, &call) != 0)
		return NULL;
	action->opened.file->cred = action->cred;
	return call;
}

static void find(struct action *action)
{
	struct farnova *fs = action->fs;
	bool pin = action->tries > 0;
	struct call *call =
	    pin ? open_pin(action) : names_lookup_call(fs, fs->root, action->path, action->flags, &action->attr);

	if (call)
		start_call(action, call, pin ? on_pinned : on_looked_up);
	else
		over(action, -ENOMEM);
}

/* ---- an action -------------------------------------------------------------------------------------------------- */

void action_start(struct action *action)
{
	struct farnova *fs = action->fs;

	action->cred = cred_number(&fs->creds);
	cred_use(&fs->creds, action->cred);
	action->changing = action->call->changing;
	action->call->changing = NULL;
	if (action->path.data)
		find(action);
	else
		act(action);
}

void action_abandon(struct action *action)
{
	struct farnova *fs = action->fs;

	if (action->current == action->call)
		action->call = NULL; /* it is freed when it ends */
	if (action->current)
		call_abandon(fs, action->current);
	action->current = NULL;
	if (action->opened.file)
		file_opened(&action->opened, -ECANCELED);
	unpin(action);
	cred_unuse(&fs->creds, action->cred);
}

void action_release(struct action *action)
{
	if (action->call)
		call_free(action->fs, action->call);
	action->call = NULL;
}

int action_run(struct action *action)
{
	struct farnova *fs = action->fs;

	connection_lock(&fs->link);
	action->waiter = poller_self();
	action_start(action);
	while (!action->done) {
		int64_t deadline_ns = action->current->deadline_ns;
		if (fs->link.forked || call_passed(fs, deadline_ns)) {
			action_abandon(action);
			action->status = fs->link.forked ? -ECHILD : -ETIMEDOUT;
			break;
		}
		poller_wait(&fs->link, action->waiter, deadline_ns);
	}
	connection_unlock(&fs->link);
	action_release(action);
	return action->status;
}

int action_by_path(struct action *action, const char *path, uint32_t flags)
{
	struct path copy;
	int error = names_path(path, &copy);

	if (error) {
		action_release(action);
		return error;
	}
	action->path = copy.string;
	action->flags = flags;
	return action_run(action);
}

int action_by_handle(struct action *action, struct proto_handle handle)
{
	*action->handle = handle;
	return action_run(action);
}
