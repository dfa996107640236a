/*
 * write.c -- writes of file data: through the staging ring, small writes in the message.
 *
 * The data are copied to memory of the call before the connection's lock is taken (client/link/user_memory.h).
 */
#include "client/io/write.h"

#include "client/link/user_memory.h"
#include "client/session/call.h"

#include <errno.h>
#include <limits.h>

#define SMALL_WRITE  2048u /* sent in the message */
#define WRITE_CHUNKS 3u    /* changes in flight for one call */

static int receive_write(struct farnova *fs, struct call *call, const struct proto_reply *reply)
{
	uint64_t *end = call->result;
	uint32_t length =
	    call->request.op == PROTO_WRITE ? call->request.write.length : call->request.write_commit.length;
	if (call->on_new_connection)
		layout_drop(&fs->layouts, call->file->inode);
	else
		layout_written(&fs->layouts, call->file->inode, reply);
	if (end)
		*end = reply->write.offset + length;
	return 0;
}

struct call *write_new(struct farnova_file *file, uint32_t length, uint64_t offset, bool append, uint64_t *end)
{
	struct farnova *fs = file->fs;
	uint32_t flags = append ? PROTO_WRITE_APPEND : 0;
	bool small = length <= SMALL_WRITE && length <= atomic_load_explicit(&fs->write_small, memory_order_relaxed);
	struct call *call = call_new(fs, small ? PROTO_WRITE : PROTO_WRITE_COMMIT);

	if (!call)
		return NULL;
	call->receive = receive_write;
	call->result = end;
	call->file = file;
	call->changing = &file->inode->changing;
	call->memory = buffers_take(&fs->buffers, length);
	call->memory_size = length;
	if (!call->memory) {
		call_free(fs, call);
		return NULL;
	}
	if (small) {
		call->request.write.offset = offset;
		call->request.write.flags = flags;
		call->request.write.length = length;
		call->request.write.data = call->memory;
	} else {
		call->request.write_commit.offset = offset;
		call->request.write_commit.flags = flags;
		call->request.write_commit.length = length;
		call->staged_length = length;
		call->staging = &call->request.write_commit.staging;
	}
	return call;
}

uint32_t write_most(const struct farnova *fs)
{
	return atomic_load_explicit(&fs->write_chunk, memory_order_relaxed);
}

/* A sequence of changes, some of them in flight. Chunks after a failed one do not count as written. */
struct row {
	struct call *calls[WRITE_CHUNKS];
	uint32_t lengths[WRITE_CHUNKS];
	uint64_t ends[WRITE_CHUNKS];
	unsigned first, count;
	size_t written;
	uint64_t end;
	int error;
};

/* fetch -- a call for the next change, with its data copied from the caller's memory; the lock is not held. */
static int fetch(struct farnova_file *file, struct row *row, unsigned i, const uint8_t *data, uint64_t offset,
                 bool append)
{
	struct call *call = write_new(file, row->lengths[i], offset, append, &row->ends[i]);

	if (!call)
		return -ENOMEM;
	int error = user_copy_in(call->memory, data, row->lengths[i]);
	if (error)
		call_free(file->fs, call);
	row->calls[i] = call;
	return error;
}

/* finish_first -- wait for the oldest change in flight; lock held. */
static void finish_first(struct farnova *fs, struct row *row)
{
	unsigned i = row->first;
	int status = call_finish(fs, row->calls[i]);

	if (row->error == 0 && status == 0) {
		row->written += row->lengths[i];
		row->end = row->ends[i];
	} else if (row->error == 0) {
		row->error = status;
	}
	row->first = (row->first + 1) % WRITE_CHUNKS;
	row->count--;
}

/* write_row -- start all changes in order, with at most `most` in flight; the lock is not held. Returns 0, or the error
 * of copying from the caller's memory. */
static int write_row(struct farnova_file *file, struct row *row, const uint8_t *data, size_t length, uint64_t offset,
                     bool append, unsigned most)
{
	struct farnova *fs = file->fs;
	uint32_t chunk = write_most(fs);
	size_t started = 0;
	int error = 0;

	while (started < length && row->error == 0) {
		unsigned i = (row->first + row->count) % WRITE_CHUNKS;
		row->lengths[i] = length - started < chunk ? (uint32_t)(length - started) : chunk;
		error = fetch(file, row, i, user_at(data, started), offset + started, append);
		if (error)
			break;
		connection_lock(&fs->link);
		call_start(fs, row->calls[i], poller_self());
		started += row->lengths[i];
		row->count++;
		while (row->count == most || (row->count > 0 && started == length))
			finish_first(fs, row);
		connection_unlock(&fs->link);
	}
	if (row->count > 0) {
		connection_lock(&fs->link);
		while (row->count > 0)
			finish_first(fs, row);
		connection_unlock(&fs->link);
	}
	return error;
}

int write_limit(const struct farnova_file *file, uint64_t offset, size_t *length)
{
	if (file->fs->link.forked)
		return -ECHILD;
	if (!(file->flags & PROTO_OPEN_WRITE))
		return -EBADF;
	if (*length > SSIZE_MAX)
		*length = SSIZE_MAX;
	if (*length > 0 && offset >= INT64_MAX)
		return -EFBIG;
	if (*length > 0 && *length > INT64_MAX - offset)
		*length = INT64_MAX - offset;
	return 0;
}

ssize_t write_file(struct farnova_file *file, const void *data, size_t length, uint64_t offset, bool append,
                   uint64_t *end)
{
	struct row row = {.end = offset};
	int error = write_limit(file, offset, &length);

	*end = offset;
	if (error || length == 0)
		return error;
	/* Appends keep their order only if one starts after the previous one has ended. */
	error = write_row(file, &row, data, length, offset, append, append ? 1 : WRITE_CHUNKS);
	*end = row.end;
	if (row.written > 0)
		return (ssize_t)row.written;
	return row.error ? row.error : error;
}
