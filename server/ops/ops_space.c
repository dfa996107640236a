/*
 * ops_space.c -- operations on space: where a file has data (FALLOCATE, SEEK, COPY), and limits of projects (QUOTA_GET,
 * QUOTA_SET).
 */
#include "common/container_of.h"
#include "server/net/conn.h"
#include "server/ops/bulk_call.h"
#include "server/ops/ops.h"
#include "server/ops/request.h"
#include "server/state/session.h"
#include "server/state/state.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#define BLOCK         4096u
#define RESERVE_SLICE (64ull << 20) /* one change reserves at most so much: some 100 microseconds */

#define MOVES (PROTO_FALLOCATE_COLLAPSE_RANGE | PROTO_FALLOCATE_INSERT_RANGE)

static_assert(PROTO_FALLOCATE_KEEP_SIZE == NOVA_FALLOCATE_KEEP_SIZE &&
                  PROTO_FALLOCATE_PUNCH_HOLE == NOVA_FALLOCATE_PUNCH_HOLE &&
                  PROTO_FALLOCATE_COLLAPSE_RANGE == NOVA_FALLOCATE_COLLAPSE_RANGE &&
                  PROTO_FALLOCATE_ZERO_RANGE == NOVA_FALLOCATE_ZERO_RANGE &&
                  PROTO_FALLOCATE_INSERT_RANGE == NOVA_FALLOCATE_INSERT_RANGE,
              "modes pass through");

/* Whether free space and the file's own blocks could hold it all. If not, the reservation is not even begun. */
static bool may_reserve(struct request *rq, struct proto_handle file, uint64_t length)
{
	struct nova_statfs st;
	struct nova_attr attr;

	nova_statfs(rq->shared->nova, &st);
	return nova_getattr(&rq->call, core_handle(file), &attr) < 0 ||
	       length / BLOCK <= st.available_blocks + attr.blocks;
}

/*
 * The session's own layout stays valid except for the range, as after a write. The reply has no extents, because a
 * range that was reserved, punched or copied is seldom read at once. The layout ends if extents move (collapsing,
 * inserting), if the request takes several changes, since one reply cannot describe them, or if a bulk thread makes the
 * change.
 */
int op_fallocate(struct request *rq)
{
	const struct proto_request *in = rq->in;
	bool adds = !(in->fallocate.mode & ~PROTO_FALLOCATE_KEEP_SIZE);
	/* Only a reservation may take several changes, each of which adds the next part of the range. */
	bool sliced = adds && in->fallocate.length > RESERVE_SLICE;
	uint64_t done = sliced && rq->deferred ? rq->deferred->progress : 0;
	struct bulk_args args = {.what = BULK_FALLOCATE,
	                         .mask = in->fallocate.mode,
	                         .offset = in->fallocate.offset + done,
	                         .length = in->fallocate.length - done};
	uint64_t from = 0, count = 0, old_size = 0;
	struct layout_change change;
	struct layout_effect effect;
	const struct open *open;
	struct nova_attr attr;
	ssize_t result = 0;

	int rc = ops_get_open(rq, in->fallocate.open, PROTO_OPEN_WRITE, &open);
	if (rc < 0)
		return rc;
	args.file = core_handle(open->file->handle);
	if (sliced && done == 0 && !may_reserve(rq, open->file->handle, args.length))
		return request_space(rq, -ENOSPC);
	if (sliced && args.length > RESERVE_SLICE)
		args.length = RESERVE_SLICE;
	/* The last of several changes completes the request; making the others again does no harm. */
	if (done + args.length < in->fallocate.length)
		rq->call.intent = NULL;
	if (!bulk_call_ended(rq, BULK_FALLOCATE, args.file, &change, &attr, &result)) {
		bool drop_own = sliced || in->fallocate.mode & MOVES || rq->by_bulk;
		rc = request_change_open(rq, open, adds, drop_own, &change);
		if (rc != 0)
			return rc;
		rq->call.opened = true;
		old_size = ops_old_size(rq, open->file->handle, &change);
		rc = bulk_call(rq, &args, &change, &attr, &result);
		if (rc != 0)
			return rc;
	}
	if (result == 0)
		ops_range_changed(old_size, in->fallocate.offset, in->fallocate.length, &from, &count);
	layout_change_end(&change, from, count, &effect);
	if (result < 0)
		return request_space(rq, (int)result);
	if (done + args.length < in->fallocate.length)
		return deferred_yield(rq->session, &rq->deferred, done + args.length);
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

/* ---- copies ----------------------------------------------------------------------------------------------------- */

#define COPY_HERE     (256u * 1024) /* the loop copies at most so much: some 100 microseconds */
#define COPY_ATTEMPTS 2u            /* to prepare a longer copy, if its source is changed meanwhile */
/* Prepared copies that there may be at a time, of one session and of one worker: their blocks are charged to nobody. */
#define COPIES_EACH   4u
#define COPIES_MAX    32u

/* The preparation of a long copy by a bulk thread; it changes nothing that anybody can see. `progress` of the deferred
 * request counts the attempts. */
struct copy_work {
	struct deferred_work work; /* first */
	struct state *state;
	struct nova_handle from, to;
	uint64_t from_offset, to_offset, length;
	struct nova_copy *copy; /* the prepared copy, if `rc` is 0 */
	int rc;
};

static void prepare_copy(struct deferred_work *work, struct nova_worker *worker)
{
	struct copy_work *copy = container_of(work, struct copy_work, work);

	copy->rc = nova_copy_prepare(worker, copy->from, copy->from_offset, copy->to, copy->to_offset, copy->length,
	                             &copy->copy);
}

static void discard_copy(struct deferred_work *work, struct nova_worker *worker)
{
	struct copy_work *copy = container_of(work, struct copy_work, work);

	nova_copy_discard(worker, copy->copy);
	copy->state->copies--;
	free(copy);
}

static struct copy_work *copy_work_of(const struct deferred *deferred)
{
	struct deferred_work *work = deferred ? deferred->work : NULL;

	return work && work->run == prepare_copy ? container_of(work, struct copy_work, work) : NULL;
}

static bool may_prepare(const struct request *rq)
{
	unsigned copies = 0;

	for (const struct deferred *deferred = rq->session->deferred; deferred; deferred = deferred->next)
		copies += copy_work_of(deferred) != NULL;
	return copies < COPIES_EACH && rq->state->copies < COPIES_MAX;
}

/* Have a bulk thread prepare a long copy. DEFERRED; -EAGAIN: there is no thread or no memory, too many copies are being
 * prepared, or the source was changed during each attempt. */
static int copy_beforehand(struct request *rq, struct nova_handle from, struct nova_handle to, uint64_t length)
{
	const struct proto_request *in = rq->in;
	uint64_t attempts = rq->deferred ? rq->deferred->progress : 0;
	struct copy_work *copy = attempts < COPY_ATTEMPTS && may_prepare(rq) ? malloc(sizeof(*copy)) : NULL;

	if (!copy)
		return -EAGAIN;
	*copy = (struct copy_work){.work = {.run = prepare_copy, .discard = discard_copy},
	                           .state = rq->state,
	                           .from = from,
	                           .to = to,
	                           .from_offset = in->copy.from_offset,
	                           .to_offset = in->copy.to_offset,
	                           .length = length,
	                           .rc = -EAGAIN};
	int rc = deferred_bulk(rq->session, &rq->deferred, &copy->work);
	if (rc < 0) {
		free(copy);
		return rc;
	}
	rq->state->copies++;
	rq->deferred->progress = attempts + 1;
	return rc;
}

/*
 * Before the change is announced. 0: copy *length bytes in the loop, or commit the prepared copy. DEFERRED, or why the
 * copy cannot be made. If it cannot be prepared, or there is space only in blocks that the target has reserved, *length
 * becomes a short piece, which the loop copies.
 */
static int copy_ahead(struct request *rq, struct nova_handle from, struct nova_handle to, uint64_t *length)
{
	const struct copy_work *work = copy_work_of(rq->deferred);
	int rc = work ? work->rc : -EAGAIN;

	if (rc != -EAGAIN && rc != -ENOSPC)
		return rc;
	if (work)
		deferred_drop_work(rq->deferred);
	if (*length <= COPY_HERE)
		return 0;
	if (rc == -EAGAIN)
		rc = copy_beforehand(rq, from, to, *length);
	if (rc != -EAGAIN && rc != -ENOSPC)
		return rc;
	*length = COPY_HERE;
	return 0;
}

/* Copy, or commit the prepared copy; after that it is gone, except after -EBUSY. */
static int copy_now(struct request *rq, struct nova_handle from, struct nova_handle to, uint64_t length,
                    const struct layout_change *change, struct nova_attr *attr, ssize_t *count)
{
	const struct proto_request *in = rq->in;
	struct copy_work *work = copy_work_of(rq->deferred);

	if (!work) {
		*count = nova_copy(&rq->call, from, in->copy.from_offset, to, in->copy.to_offset, length, attr);
		return 0;
	}
	const struct bulk_args args = {.what = BULK_COPY, .file = to, .from = from.ino, .copy = work->copy};
	if (rq->by_bulk) {
		work->copy = NULL;
		deferred_drop_work(rq->deferred);
	}
	int rc = bulk_call(rq, &args, change, attr, count);
	if (rc == 0 && *count != -EBUSY && !rq->by_bulk) {
		work->copy = NULL;
		deferred_drop_work(rq->deferred);
	}
	return rc;
}

int op_copy(struct request *rq)
{
	const struct proto_request *in = rq->in;
	const struct open *from, *to;
	struct layout_change change;
	struct layout_effect effect;
	struct nova_attr attr;
	uint64_t start = 0, length = 0, old_size = 0;
	uint64_t want = in->copy.length < PROTO_MAX_COPY ? in->copy.length : PROTO_MAX_COPY;
	ssize_t count = 0;

	int rc = ops_get_open(rq, in->copy.from_open, PROTO_OPEN_READ, &from);
	if (rc == 0)
		rc = ops_get_open(rq, in->copy.to_open, PROTO_OPEN_WRITE, &to);
	if (rc < 0)
		return rc;
	if (to->flags & PROTO_OPEN_APPEND)
		return -EBADF;
	struct nova_handle source = core_handle(from->file->handle), target = core_handle(to->file->handle);
	if (!bulk_call_ended(rq, BULK_COPY, target, &change, &attr, &count)) {
		rc = copy_ahead(rq, source, target, &want);
		if (rc == 0)
			rc = request_change_open(rq, to, false, rq->by_bulk, &change);
		if (rc != 0)
			return rc;
		rq->call.opened = true;
		old_size = ops_old_size(rq, to->file->handle, &change);
		rc = copy_now(rq, source, target, want, &change, &attr, &count);
		if (rc != 0)
			return rc;
	}
	if (count > 0)
		ops_range_changed(old_size, in->copy.to_offset, (uint64_t)count, &start, &length);
	layout_change_end(&change, start, length, &effect);
	if (count == -EAGAIN) /* the source has been changed since the copy was prepared */
		return op_copy(rq);
	if (count < 0) {
		/* There may be space only in blocks that the target has reserved; a copy without preparation can use
		 * them. */
		if (count == -ENOSPC && rq->deferred)
			rq->deferred->progress = COPY_ATTEMPTS;
		return request_space(rq, (int)count);
	}
	rq->out->copy.count = (uint64_t)count;
	request_attr(&attr, &rq->out->copy.attr);
	rq->out->copy.replaced_offset = effect.offset;
	rq->out->copy.replaced_length = effect.length;
	return 0;
}

/* ---- limits of projects ----------------------------------------------------------------------------------------- */

int op_quota_get(struct request *rq)
{
	struct nova_quota quota;

	int rc = nova_quota_get(rq->shared->nova, rq->in->quota_get.project, rq->in->quota_get.flags & PROTO_QUOTA_NEXT,
	                        &quota);
	if (rc < 0)
		return rc;
	rq->out->quota.project = quota.project;
	rq->out->quota.blocks = quota.blocks;
	rq->out->quota.block_limit = quota.block_limit;
	rq->out->quota.inodes = quota.inodes;
	rq->out->quota.inode_limit = quota.inode_limit;
	return 0;
}

int op_quota_set(struct request *rq)
{
	return nova_quota_set(&rq->call, rq->in->quota_set.project, rq->in->quota_set.block_limit,
	                      rq->in->quota_set.inode_limit);
}
