/*
 * write.c -- writes of file data: through the staging ring, small ones in the message.
 */
#include "client/io/write.h"

#include "client/session/call.h"

#include <errno.h>
#include <limits.h>

#define SMALL_WRITE  2048u          /* travels in the message */
#define WRITE_CHUNK  (1024u * 1024) /* one atomic change */
#define WRITE_CHUNKS 3u             /* under way at a time for one call */

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

/* start_write -- of a piece that is one atomic change. */
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

/* A row of changes, some of them under way: what comes after one that failed does not count as written. */
struct row {
	struct call calls[WRITE_CHUNKS];
	struct proto_request requests[WRITE_CHUNKS];
	uint32_t lengths[WRITE_CHUNKS];
	uint64_t ends[WRITE_CHUNKS];
	unsigned first, count;
	size_t written;
	uint64_t end;
	int error;
};

static void finish_first(struct farnova *fs, struct row *row)
{
	unsigned i = row->first;
	int status = call_finish(fs, &row->calls[i]);

	if (row->error == 0 && status == 0) {
		row->written += row->lengths[i];
		row->end = row->ends[i];
	} else if (row->error == 0) {
		row->error = status;
	}
	row->first = (row->first + 1) % WRITE_CHUNKS;
	row->count--;
}

ssize_t write_file(struct farnova_file *file, const void *data, size_t length, uint64_t offset, bool append,
                   uint64_t *end)
{
	struct farnova *fs = file->fs;
	struct row row;
	size_t started = 0;

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
	/* Appended pieces come in order only one after the other. */
	unsigned most = append ? 1 : WRITE_CHUNKS;
	row.first = row.count = 0;
	row.written = 0;
	row.error = 0;
	row.end = offset;
	connection_lock(&fs->link);
	size_t chunk = WRITE_CHUNK < fs->staging.size ? WRITE_CHUNK : fs->staging.size;
	while (started < length && row.error == 0) {
		unsigned i = (row.first + row.count) % WRITE_CHUNKS;
		row.lengths[i] = (uint32_t)(length - started < chunk ? length - started : chunk);
		start_write(file, &row.calls[i], &row.requests[i], (const uint8_t *)data + started, row.lengths[i],
		            offset + started, append, &row.ends[i]);
		started += row.lengths[i];
		row.count++;
		if (row.count == most)
			finish_first(fs, &row);
	}
	while (row.count > 0)
		finish_first(fs, &row);
	connection_unlock(&fs->link);
	*end = row.end;
	return row.written > 0 ? (ssize_t)row.written : row.error;
}
