/*
 * write.c -- writes of file data: through the staging ring, small writes in the message.
 *
 * The caller copies its data to memory of the library before it takes the connection's lock
 * (client/link/user_memory.h).
 */
#include "client/io/write.h"

#include "client/link/user_memory.h"
#include "client/session/call.h"

#include <errno.h>
#include <limits.h>

#define SMALL_WRITE  2048u       /* sent in the message */
#define ON_STACK     (8u * 1024) /* data of this size need no buffer */
#define WRITE_CHUNKS 3u          /* changes in flight for one call */

static int receive_write(struct farnova *fs, struct call *call, const struct proto_reply *reply)
{
	uint64_t *end = call->result;
	uint32_t length =
	    call->request->op == PROTO_WRITE ? call->request->write.length : call->request->write_commit.length;
	if (call->on_new_connection)
		layout_drop(&fs->layouts, call->file->inode);
	else
		layout_written(&fs->layouts, call->file->inode, reply);
	*end = reply->write.offset + length;
	return 0;
}

/* start_write -- start the write of a chunk, which is one atomic change. */
static void start_write(struct farnova_file *file, struct call *call, struct proto_request *request, const void *data,
                        uint32_t length, uint64_t offset, bool append, uint64_t *end)
{
	struct farnova *fs = file->fs;
	uint32_t flags = append ? PROTO_WRITE_APPEND : 0;

	*call = (struct call){.request = request,
	                      .receive = receive_write,
	                      .result = end,
	                      .file = file,
	                      .changing = &file->inode->changing};
	if (length <= SMALL_WRITE && length <= fs->session.max_write) {
		request->op = PROTO_WRITE;
		request->write.offset = offset;
		request->write.flags = flags;
		request->write.length = length;
		request->write.data = data;
	} else {
		request->op = PROTO_WRITE_COMMIT;
		request->write_commit.offset = offset;
		request->write_commit.flags = flags;
		request->write_commit.length = length;
		call->staged = data;
		call->staged_length = length;
		call->staging = &request->write_commit.staging;
	}
	call_start(fs, call);
}

/* A sequence of changes, some of them in flight. Chunks after a failed one do not count as written. */
struct row {
	struct call calls[WRITE_CHUNKS];
	struct proto_request requests[WRITE_CHUNKS];
	uint8_t *memory[WRITE_CHUNKS]; /* copies of the data: the caller's memory is read only once */
	uint32_t lengths[WRITE_CHUNKS];
	uint64_t ends[WRITE_CHUNKS];
	unsigned first, count;
	size_t written;
	uint64_t end;
	int error;
	uint8_t small[ON_STACK]; /* for a write that fits in it */
};

/* fetch -- copy the data of the next change from the caller's memory; the lock is not held. */
static int fetch(struct farnova *fs, struct row *row, unsigned i, const uint8_t *data, bool all)
{
	row->memory[i] = all && row->lengths[i] <= ON_STACK ? row->small : buffers_take(&fs->buffers);
	if (!row->memory[i])
		return -ENOMEM;
	int error = user_copy_in(row->memory[i], data, row->lengths[i]);
	if (error && row->memory[i] != row->small)
		buffers_return(&fs->buffers, row->memory[i]);
	return error;
}

/* finish_first -- wait for the oldest change in flight; lock held. */
static void finish_first(struct farnova *fs, struct row *row)
{
	unsigned i = row->first;
	int status = call_finish(fs, &row->calls[i]);

	if (row->memory[i] != row->small)
		buffers_return(&fs->buffers, row->memory[i]);
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
	uint32_t chunk = atomic_load_explicit(&fs->write_chunk, memory_order_relaxed);
	size_t started = 0;
	int error = 0;

	while (started < length && row->error == 0) {
		unsigned i = (row->first + row->count) % WRITE_CHUNKS;
		row->lengths[i] = length - started < chunk ? (uint32_t)(length - started) : chunk;
		error = fetch(fs, row, i, data + started, row->lengths[i] == length);
		if (error)
			break;
		connection_lock(&fs->link);
		start_write(file, &row->calls[i], &row->requests[i], row->memory[i], row->lengths[i], offset + started,
		            append, &row->ends[i]);
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

ssize_t write_file(struct farnova_file *file, const void *data, size_t length, uint64_t offset, bool append,
                   uint64_t *end)
{
	struct row row;

	if (!(file->flags & PROTO_OPEN_WRITE))
		return -EBADF;
	if (length == 0) {
		*end = offset;
		return 0;
	}
	if (length > SSIZE_MAX)
		length = SSIZE_MAX;
	if (offset > INT64_MAX || length > INT64_MAX - offset) {
		if (offset >= INT64_MAX)
			return -EFBIG;
		length = INT64_MAX - offset;
	}
	row.first = row.count = 0;
	row.written = 0;
	row.error = 0;
	row.end = offset;
	/* Appends keep their order only if one starts after the previous one has ended. */
	int error = write_row(file, &row, data, length, offset, append, append ? 1 : WRITE_CHUNKS);
	*end = row.end;
	if (row.written > 0)
		return (ssize_t)row.written;
	return row.error ? row.error : error;
}
