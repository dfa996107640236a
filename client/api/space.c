/*
 * space.c -- space of files: fallocate, seek for data and holes, and copies within the server.
 */
#include "client/api/space.h"

#include "client/api/attr.h"
#include "client/api/position.h"
#include "client/api/result.h"
#include "client/include/farnova.h"
#include "client/link/user_memory.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

_Static_assert(FALLOC_FL_KEEP_SIZE == PROTO_FALLOCATE_KEEP_SIZE && FALLOC_FL_PUNCH_HOLE == PROTO_FALLOCATE_PUNCH_HOLE &&
                   FALLOC_FL_COLLAPSE_RANGE == PROTO_FALLOCATE_COLLAPSE_RANGE &&
                   FALLOC_FL_ZERO_RANGE == PROTO_FALLOCATE_ZERO_RANGE &&
                   FALLOC_FL_INSERT_RANGE == PROTO_FALLOCATE_INSERT_RANGE,
               "the protocol's modes are Linux's");

static int fail(struct farnova_file *file, int error, const char *operation)
{
	return error_handle(file->fs, error, operation, file->inode->handle.ino);
}

/* ---- fallocate -------------------------------------------------------------------------------------------------- */

/* changed -- apply a change to the layout. After a repeated request the layout is dropped: its reply does not describe
 * the first execution. */
static void changed(struct farnova *fs, const struct call *call, bool moved, uint64_t size, uint64_t offset,
                    uint64_t length)
{
	if (moved || call->on_new_connection)
		layout_drop(&fs->layouts, call->file->inode);
	else
		layout_replaced(&fs->layouts, call->file->inode, size, offset, length);
}

static int receive_allocated(struct farnova *fs, struct call *call, const struct proto_reply *reply)
{
	bool moved = call->request.fallocate.mode & (PROTO_FALLOCATE_COLLAPSE_RANGE | PROTO_FALLOCATE_INSERT_RANGE);

	changed(fs, call, moved, reply->fallocate.attr.size, reply->fallocate.replaced_offset,
	        reply->fallocate.replaced_length);
	return 0;
}

int space_allocate_call(struct farnova_file *file, int mode, off_t offset, off_t length, struct call **out)
{
	if (offset < 0 || length <= 0)
		return -EINVAL;
	if (length > INT64_MAX - offset)
		return -EFBIG;
	if (!(file->flags & PROTO_OPEN_WRITE))
		return -EBADF;
	if (mode & ~(int)PROTO_FALLOCATE_MODES)
		return -EOPNOTSUPP;
	struct call *call = *out = call_new(file->fs, PROTO_FALLOCATE);
	if (!call)
		return -ENOMEM;
	call->receive = receive_allocated;
	call->file = file;
	call->changing = &file->inode->changing;
	call->request.fallocate.offset = (uint64_t)offset;
	call->request.fallocate.length = (uint64_t)length;
	call->request.fallocate.mode = (uint32_t)mode;
	return 0;
}

int farnova_fallocate(struct farnova_file *file, int mode, off_t offset, off_t length)
{
	struct call *call;
	int error = space_allocate_call(file, mode, offset, length, &call);

	if (error == 0)
		error = call_run(file->fs, call);
	return error ? fail(file, error, "allocate space in") : 0;
}

/* ---- seek ------------------------------------------------------------------------------------------------------- */

static int receive_seek(struct farnova *fs, struct call *call, const struct proto_reply *reply)
{
	if (call->result)
		*(int64_t *)call->result = (int64_t)reply->seek.offset;
	return 0;
}

int64_t space_seek(struct farnova_file *file, int64_t offset, int whence)
{
	int64_t found = 0;

	if (offset < 0)
		return -ENXIO;
	struct call *call = call_new(file->fs, PROTO_SEEK);

	if (!call)
		return -ENOMEM;
	call->receive = receive_seek;
	call->result = &found;
	call->file = file;
	call->request.seek.offset = (uint64_t)offset;
	call->request.seek.what = whence == SEEK_DATA ? PROTO_SEEK_DATA : PROTO_SEEK_HOLE;
	int error = call_run(file->fs, call);
	return error ? error : found;
}

/* ---- copy ------------------------------------------------------------------------------------------------------- */

static int receive_copied(struct farnova *fs, struct call *call, const struct proto_reply *reply)
{
	changed(fs, call, false, reply->copy.attr.size, reply->copy.replaced_offset, reply->copy.replaced_length);
	if (call->result)
		*(ssize_t *)call->result = (ssize_t)reply->copy.count;
	return 0;
}

int space_copy_call(struct farnova_file *in, uint64_t in_offset, struct farnova_file *out, uint64_t out_offset,
                    uint64_t length, ssize_t *count, struct call **made)
{
	*made = NULL;
	*count = 0;
	if (in->fs != out->fs)
		return -EXDEV;
	if (!(in->flags & PROTO_OPEN_READ) || !(out->flags & PROTO_OPEN_WRITE) || out->flags & PROTO_OPEN_APPEND)
		return -EBADF;
	if (in_offset > INT64_MAX || out_offset > INT64_MAX)
		return -EINVAL;
	if (length > PROTO_MAX_COPY)
		length = PROTO_MAX_COPY;
	if (length > INT64_MAX - in_offset)
		length = INT64_MAX - in_offset; /* the maximum file size */
	if (length == 0)
		return 0;
	if (length > INT64_MAX - out_offset)
		return -EFBIG;
	struct call *call = *made = call_new(out->fs, PROTO_COPY);
	if (!call)
		return -ENOMEM;
	call->receive = receive_copied;
	call->result = count;
	call->file = out;
	call->source = in;
	call->changing = &out->inode->changing;
	call->request.copy.from_offset = in_offset;
	call->request.copy.to_offset = out_offset;
	call->request.copy.length = length;
	return 0;
}

static ssize_t copy(struct farnova_file *in, uint64_t in_offset, struct farnova_file *out, uint64_t out_offset,
                    uint64_t length)
{
	struct call *call;
	ssize_t count;
	int error = space_copy_call(in, in_offset, out, out_offset, length, &count, &call);

	if (error == 0 && call)
		error = call_run(out->fs, call);
	return error ? error : count;
}

static void unlock_positions(struct farnova_file *a, struct farnova_file *b)
{
	if (a)
		position_unlock(a);
	if (b && b != a)
		position_unlock(b);
}

/* lock_positions -- lock the positions that are used, in the order of addresses; each may be NULL. */
static int lock_positions(struct farnova_file *a, struct farnova_file *b)
{
	if (a && b && a > b)
		return lock_positions(b, a);
	int error = a ? position_lock(a) : 0;
	if (error || !b || b == a)
		return error;
	error = position_lock(b);
	if (error)
		unlock_positions(a, NULL);
	return error;
}

ssize_t farnova_copy_file_range(struct farnova_file *in, off_t *in_offset, struct farnova_file *out, off_t *out_offset,
                                size_t length, unsigned flags)
{
	struct farnova_file *in_moves = in_offset ? NULL : in, *out_moves = out_offset ? NULL : out;

	uint64_t from = 0, to = 0;
	ssize_t count = flags ? -EINVAL : 0;

	if (count == 0 && in_offset)
		count = user_copy_in(&from, in_offset, sizeof(from));
	if (count == 0 && out_offset)
		count = user_copy_in(&to, out_offset, sizeof(to));
	if (count == 0)
		count = lock_positions(in_moves, out_moves);
	if (count < 0)
		return fail(out, (int)count, "copy into");
	from = in_offset ? from : in->position.offset;
	to = out_offset ? to : out->position.offset;
	count = copy(in, from, out, to, length);
	if (count > 0) {
		from += (uint64_t)count;
		to += (uint64_t)count;
		in->position.offset = in_offset ? in->position.offset : from;
		out->position.offset = out_offset ? out->position.offset : to;
	}
	unlock_positions(in_moves, out_moves);
	int error = count > 0 && in_offset ? user_give(in_offset, &from, sizeof(from)) : 0;
	if (count > 0 && out_offset && error == 0)
		error = user_give(out_offset, &to, sizeof(to));
	count = error ? error : count;
	return count < 0 ? fail(out, (int)count, "copy into") : count;
}
