/*
 * requests.c -- begins and ends the handling of a request, for all FUSE operations.
 */
#include "client/fuse/callers.h"
#include "client/fuse/interrupts.h"
#include "client/fuse/mount_state.h"

#include <errno.h>
#include <string.h>

struct mount_state *mount_enter(fuse_req_t req)
{
	struct mount_state *state = fuse_req_userdata(req);

	interrupts_begin(req);
	int error = callers_apply(state->fs, req);
	if (!error && farnova_set_umask(state->fs, fuse_req_ctx(req)->umask & 0777))
		error = -errno;
	if (!error)
		return state;
	fuse_reply_err(req, -error);
	return NULL;
}

struct mount_state *mount_enter_unjudged(fuse_req_t req)
{
	struct mount_state *state = fuse_req_userdata(req);

	interrupts_begin(req);
	if (!farnova_set_cred(state->fs, NULL))
		return state;
	fuse_reply_err(req, errno);
	return NULL;
}

void mount_reply_errno(fuse_req_t req)
{
	const struct mount_state *state = fuse_req_userdata(req);
	int error = errno;

	if (error == ESTALE)
		retries_stale(state->retries, fuse_req_ctx(req)->pid);
	fuse_reply_err(req, error);
}

void mount_reply_status(fuse_req_t req, int returned)
{
	const struct mount_state *state = fuse_req_userdata(req);

	if (returned < 0) {
		mount_reply_errno(req);
		return;
	}
	retries_done(state->retries, fuse_req_ctx(req)->pid);
	fuse_reply_err(req, 0);
}

int mount_entry(struct mount_state *state, struct farnova_handle handle, const struct stat *st,
                struct fuse_entry_param *entry)
{
	memset(entry, 0, sizeof(*entry));
	entry->ino = nodes_get(state->nodes, handle);
	if (!entry->ino)
		return -ENOMEM;
	entry->generation = handle.generation;
	entry->attr = *st;
	entry->attr_timeout = state->timeout;
	entry->entry_timeout = state->timeout;
	return 0;
}
