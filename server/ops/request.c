/*
 * request.c -- shared by the handlers of operations.
 */
#include "server/ops/request.h"

#include "common/clock.h"
#include "server/state/session.h"
#include "server/state/state.h"

#include <errno.h>
#include <time.h>

int request_change(struct request *rq, struct proto_handle handle, bool drop_own, struct layout_change *change)
{
	int rc = deferred_change(rq->session, &rq->deferred, handle, drop_own, change);

	if (rc == 0)
		rq->call.change = change;
	return rc;
}

int request_change_open(struct request *rq, const struct open *open, bool append, bool drop_own,
                        struct layout_change *change)
{
	struct proto_handle handle = open->file->handle;

	rq->call.opened = true;
	/* The file may have become immutable since it was opened. Check that before a recall; without a recall the
	 * change itself checks it. */
	if (lease_is_shared(&rq->session->layouts.lease, LEASE_DATA, handle)) {
		int rc = nova_may_write(&rq->call, core_handle(handle), append ? NOVA_WRITE_APPEND : 0);
		if (rc < 0)
			return rc;
	}
	return request_change(rq, handle, drop_own, change);
}

int request_space(struct request *rq, int rc)
{
	return rc == -ENOSPC || rc == -EDQUOT ? deferred_no_space(rq->session, &rq->deferred, rc) : rc;
}

void request_accessed(struct request *rq, struct nova_handle file, const struct nova_attr *attr)
{
	const struct config *config = rq->shared->config;

	if (config->keep_atime)
		return;
	if (!config->strict_atime && attr && !nova_atime_due(attr, clock_wall_coarse_ns()))
		return;
	nova_accessed(&rq->call, file, config->strict_atime ? NOVA_ATIME_STRICT : NOVA_ATIME_RELATIVE);
}

void request_attr(const struct nova_attr *in, struct proto_attr *out)
{
	*out = (struct proto_attr){
	    .handle = wire_handle(in->handle),
	    .mode = in->mode,
	    .nlink = in->nlink,
	    .uid = in->uid,
	    .gid = in->gid,
	    .rdev = in->rdev,
	    .flags = in->flags | (in->has_xattrs ? PROTO_FILE_XATTRS : 0),
	    .project = in->project,
	    .size = in->size,
	    .blocks = in->blocks,
	    .atime_ns = in->atime_ns,
	    .mtime_ns = in->mtime_ns,
	    .ctime_ns = in->ctime_ns,
	    .btime_ns = in->btime_ns,
	    .change = in->change,
	};
}
