/*
 * ops_space.c -- operations on where a file has data: FALLOCATE, SEEK, COPY.
 */
#include "server/net/conn.h"
#include "server/ops/ops.h"
#include "server/ops/request.h"
#include "server/state/session.h"

#include <assert.h>
#include <errno.h>

#define MOVES (PROTO_FALLOCATE_COLLAPSE_RANGE | PROTO_FALLOCATE_INSERT_RANGE)

static_assert(PROTO_FALLOCATE_KEEP_SIZE == NOVA_FALLOCATE_KEEP_SIZE &&
                  PROTO_FALLOCATE_PUNCH_HOLE == NOVA_FALLOCATE_PUNCH_HOLE &&
                  PROTO_FALLOCATE_COLLAPSE_RANGE == NOVA_FALLOCATE_COLLAPSE_RANGE &&
                  PROTO_FALLOCATE_ZERO_RANGE == NOVA_FALLOCATE_ZERO_RANGE &&
                  PROTO_FALLOCATE_INSERT_RANGE == NOVA_FALLOCATE_INSERT_RANGE,
              "modes pass through");

/*
 * The session's own layout goes on but for the range, as after a write; what has been reserved, punched or copied is
 * seldom read at once, so the reply has no extents. Collapsing and inserting move all that is behind them, and end it.
 */
int op_fallocate(struct request *rq)
{
	const struct proto_request *in = rq->in;
	struct layout_change change;
	struct layout_effect effect;
	const struct open *open;
	struct nova_attr attr;
	uint64_t from = 0, count = 0;

	int rc = ops_get_open(rq, in->fallocate.open, PROTO_OPEN_WRITE, &open);
	if (rc < 0)
		return rc;
	bool adds = !(in->fallocate.mode & ~PROTO_FALLOCATE_KEEP_SIZE);
	rc = request_change_open(rq, open, adds, in->fallocate.mode & MOVES, &change);
	if (rc != 0)
		return rc;
	rq->call.opened = true;
	uint64_t old_size = ops_old_size(rq, open->file->handle, &change);
	rc = nova_fallocate(&rq->call, core_handle(open->file->handle), in->fallocate.mode, in->fallocate.offset,
	                    in->fallocate.length, &attr);
	if (rc == 0)
		ops_range_changed(old_size, in->fallocate.offset, in->fallocate.length, &from, &count);
	layout_change_end(&change, from, count, &effect);
	if (rc < 0)
		return request_space(rq, rc);
	request_attr(&attr, &rq->out->fallocate.attr);
	rq->out->fallocate.replaced_offset = effect.offset;
	rq->out->fallocate.replaced_length = effect.length;
	return 0;
}

int op_seek(struct request *rq)
{
	const struct open *open;

	int rc = ops_get_open(rq, rq->in->seek.open, PROTO_OPEN_READ | PROTO_OPEN_WRITE, &open);
	if (rc < 0)
		return rc;
	rq->call.opened = true;
	return nova_seek(&rq->call, core_handle(open->file->handle), rq->in->seek.offset,
	                 rq->in->seek.what == PROTO_SEEK_DATA ? NOVA_SEEK_DATA : NOVA_SEEK_HOLE, &rq->out->seek.offset);
}

int op_copy(struct request *rq)
{
	const struct proto_request *in = rq->in;
	const struct open *from, *to;
	struct layout_change change;
	struct layout_effect effect;
	struct nova_attr attr;
	uint64_t start = 0, length = 0;

	int rc = ops_get_open(rq, in->copy.from_open, PROTO_OPEN_READ, &from);
	if (rc == 0)
		rc = ops_get_open(rq, in->copy.to_open, PROTO_OPEN_WRITE, &to);
	if (rc < 0)
		return rc;
	if (to->flags & PROTO_OPEN_APPEND)
		return -EBADF;
	rc = request_change_open(rq, to, false, false, &change);
	if (rc != 0)
		return rc;
	rq->call.opened = true;
	uint64_t old_size = ops_old_size(rq, to->file->handle, &change);
	ssize_t count =
	    nova_copy(&rq->call, core_handle(from->file->handle), in->copy.from_offset, core_handle(to->file->handle),
	              in->copy.to_offset, in->copy.length < PROTO_MAX_COPY ? in->copy.length : PROTO_MAX_COPY, &attr);
	if (count > 0)
		ops_range_changed(old_size, in->copy.to_offset, (uint64_t)count, &start, &length);
	layout_change_end(&change, start, length, &effect);
	if (count < 0)
		return request_space(rq, (int)count);
	rq->out->copy.count = (uint64_t)count;
	request_attr(&attr, &rq->out->copy.attr);
	rq->out->copy.replaced_offset = effect.offset;
	rq->out->copy.replaced_length = effect.length;
	return 0;
}
