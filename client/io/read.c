/*
 * read.c -- reads of file data: by READs under a layout, else by message.
 */
#include "client/io/read.h"

#include "client/session/call.h"
#include "client/session/send.h"

#include "common/clock.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

#define READ_PIECE    BOUNCE_SIZE    /* of one READ */
#define READ_PIECES   32u            /* under way at a time for one call */
#define READ_CHUNK    (1024u * 1024) /* a recall waits at most for so much to be read */
#define ASK_AHEAD     (16u * 1024 * 1024)
#define READ_MESSAGES 8u /* READ requests under way at a time for one call */

/* ---- reading under a layout ------------------------------------------------------------------------------------- */

struct piece {
	uint8_t *to;
	uint64_t address, key;
	uint32_t length;
	int bounce;
};

/* plan -- the READs for [offset, offset + length); holes are filled with zeros. Returns how many bytes are covered. */
static size_t plan(struct inode *inode, uint8_t *to, size_t length, uint64_t offset, struct piece *pieces,
                   unsigned *count)
{
	struct proto_extent extent;
	size_t covered = 0;

	*count = 0;
	while (covered < length && extents_find(&inode->extents, offset + covered, &extent)) {
		uint64_t part = length - covered < extent.length ? length - covered : extent.length;
		if (extent.key == 0) {
			memset(to + covered, 0, part);
			covered += part;
			continue;
		}
		if (*count == READ_PIECES)
			break;
		part = part < READ_PIECE ? part : READ_PIECE;
		pieces[(*count)++] = (struct piece){.to = to + covered,
		                                    .address = extent.address,
		                                    .key = extent.key,
		                                    .length = (uint32_t)part,
		                                    .bounce = -1};
		covered += part;
	}
	return covered;
}

/* post -- start a planned READ. -EAGAIN: something that others hold is needed first. */
static int post(struct farnova *fs, struct reads *reads, struct piece *piece, unsigned flags)
{
	void *local = piece->to;

	if (fs->bounce.memory) {
		if (piece->bounce < 0)
			piece->bounce = bounce_take(&fs->bounce);
		if (piece->bounce < 0)
			return -EAGAIN;
		local = bounce_at(&fs->bounce, piece->bounce);
	}
	int error = transport_read(fs->link.transport, local, fs->bounce.region, piece->address, piece->key,
	                           piece->length, &reads->operations, flags);
	if (error == 0) {
		reads->operations.outstanding++;
		fs->link.counts.reads++;
		fs->link.counts.read_bytes += piece->length;
	} else if (error != -EAGAIN) {
		connection_lose(&fs->link, error, "a READ was refused");
	}
	return error;
}

/*
 * post_all -- start the planned READs in order; returns how many. With none under way it waits for what others hold;
 * with some it does with those, since waiting for room while holding some could be waiting for itself.
 */
static unsigned post_all(struct farnova *fs, struct reads *reads, struct piece *pieces, unsigned count)
{
	unsigned posted = 0;

	while (posted < count && !reads->lost) {
		int error = post(fs, reads, &pieces[posted], posted + 1 < count ? TRANSPORT_MORE : 0);
		if (error == 0) {
			posted++;
		} else if (posted > 0 || error != -EAGAIN) {
			break;
		} else {
			reads->operations.waiter->resource = true;
			poller_wait(&fs->link, reads->operations.waiter, 0);
		}
	}
	return posted;
}

/* collect -- from the bounce buffers to where the data are wanted. */
static void collect(struct farnova *fs, const struct reads *reads, struct piece *pieces, unsigned count,
                    unsigned posted)
{
	for (unsigned i = 0; i < count; i++) {
		if (pieces[i].bounce < 0)
			continue;
		if (i < posted && !reads->lost)
			memcpy(pieces[i].to, bounce_at(&fs->bounce, pieces[i].bounce), pieces[i].length);
		bounce_return(&fs->bounce, pieces[i].bounce);
	}
	poller_wake_resource(&fs->link);
}

/*
 * read_one_sided -- by READs alone; the lock is held. Returns the bytes read, which may be fewer than asked for; 0 at
 * the end of the file; -ENODATA if the layout says nothing about `offset`; -ECONNRESET if the connection was lost.
 */
static ssize_t read_one_sided(struct farnova *fs, struct inode *inode, uint8_t *to, size_t length, uint64_t offset)
{
	struct piece pieces[READ_PIECES];
	struct reads reads = {.operations.waiter = poller_self()};
	unsigned count;

	if (offset >= inode->size)
		return 0;
	if (length > inode->size - offset)
		length = inode->size - offset;
	layout_reads_begin(&fs->layouts, &reads);
	size_t covered = plan(inode, to, length, offset, pieces, &count);
	unsigned posted = post_all(fs, &reads, pieces, count);
	while (reads.operations.outstanding > 0 && !reads.lost)
		poller_wait(&fs->link, reads.operations.waiter, 0);
	collect(fs, &reads, pieces, count, posted);
	if (layout_reads_end(&fs->layouts, &reads))
		return_layouts(fs, false);
	if (reads.lost)
		return -ECONNRESET;
	if (posted < count)
		covered = (size_t)(pieces[posted].to - to);
	return covered > 0 ? (ssize_t)covered : -ENODATA;
}

static int receive_layout(struct farnova *fs, struct call *call, const struct proto_reply *reply)
{
	struct inode *inode = call->file->inode;

	if (call->on_new_connection)
		return 0; /* what it grants may have ended with the connection before; ask again */
	if (reply->layout.granted)
		layout_granted(&fs->layouts, inode, reply->layout.size, reply->layout.extents,
		               reply->layout.extent_count);
	else
		layout_refused(inode);
	return 0;
}

/* ask_layout -- have the layout tell of `offset`, if it may be asked for now; true if it is worth looking again. */
static bool ask_layout(struct farnova_file *file, uint64_t offset)
{
	struct farnova *fs = file->fs;
	struct inode *inode = file->inode;
	struct proto_request request;
	struct proto_extent extent;
	struct call call = {.request = &request, .receive = receive_layout, .file = file};

	if (!S_ISREG(file->mode) || inode->changing || fs->layouts.blind_changes || clock_now_ns() < inode->ask_ns)
		return false;
	request.op = PROTO_LAYOUT_GET;
	request.layout_get.offset = offset;
	request.layout_get.length = offset < INT64_MAX - ASK_AHEAD ? ASK_AHEAD : INT64_MAX - offset;
	call_start(fs, &call);
	if (call_finish(fs, &call) != 0) {
		layout_refused(inode);
		return false;
	}
	if (!layout_usable(&fs->layouts, inode))
		return false;
	if (offset >= inode->size || extents_find(&inode->extents, offset, &extent))
		return true;
	layout_refused(inode); /* granted, but no room for this part: not to be asked with every read */
	return false;
}

/* ---- reading by message ----------------------------------------------------------------------------------------- */

struct answer {
	uint8_t *to;
	uint32_t length;
};

static int receive_read(struct farnova *fs, struct call *call, const struct proto_reply *reply)
{
	struct answer *answer = call->result;

	if (reply->read.length > call->request->read.length)
		return -EPROTO;
	memcpy(answer->to, reply->read.data, reply->read.length);
	answer->length = reply->read.length;
	return 0;
}

/* read_by_message -- the lock is held. Fewer bytes than asked for: the end of the file, or enough for now. */
static ssize_t read_by_message(struct farnova_file *file, uint8_t *to, size_t length, uint64_t offset, bool *end)
{
	struct farnova *fs = file->fs;
	struct proto_request requests[READ_MESSAGES];
	struct call calls[READ_MESSAGES];
	struct answer answers[READ_MESSAGES];
	unsigned count = 0;
	size_t asked = 0;
	ssize_t got = 0;
	int error = 0;

	while (count < READ_MESSAGES && asked < length) {
		uint32_t part =
		    length - asked < fs->session.max_read ? (uint32_t)(length - asked) : fs->session.max_read;
		requests[count].op = PROTO_READ;
		requests[count].read.offset = offset + asked;
		requests[count].read.length = part;
		answers[count] = (struct answer){.to = to + asked};
		calls[count] = (struct call){
		    .request = &requests[count], .receive = receive_read, .result = &answers[count], .file = file};
		call_start(fs, &calls[count]);
		asked += part;
		count++;
	}
	for (unsigned i = 0; i < count; i++) {
		int status = call_finish(fs, &calls[i]);
		if (error || *end)
			continue;
		error = status;
		if (status == 0)
			got += answers[i].length;
		/* What comes after a short answer may be more than the file had when it was given. */
		*end = status == 0 && answers[i].length < requests[i].read.length;
	}
	return error && got == 0 ? error : got;
}

/* ---- reading ---------------------------------------------------------------------------------------------------- */

/* read_some -- the lock is held; at least one byte unless it is the end. */
static ssize_t read_some(struct farnova_file *file, uint8_t *to, size_t length, uint64_t offset, bool *end)
{
	struct farnova *fs = file->fs;
	struct inode *inode = file->inode;
	int64_t deadline_ns = 0;

	for (;;) {
		if (call_wait_up(fs, &deadline_ns) != 0)
			return -ETIMEDOUT;
		if (file->error)
			return file->error;
		ssize_t count = -ENODATA;
		if (layout_usable(&fs->layouts, inode))
			count = read_one_sided(fs, inode, to, length, offset);
		*end = count == 0;
		if (count >= 0)
			return count;
		if (count == -ECONNRESET || (fs->link.state == CONNECTION_UP && ask_layout(file, offset)))
			continue;
		return read_by_message(file, to, length, offset, end);
	}
}

ssize_t read_file(struct farnova_file *file, void *buffer, size_t length, uint64_t offset)
{
	struct farnova *fs = file->fs;
	size_t done = 0;
	ssize_t count = 0;
	bool end = false;

	if (!(file->flags & PROTO_OPEN_READ))
		return -EBADF;
	if (S_ISDIR(file->mode))
		return -EISDIR;
	if (length > SSIZE_MAX)
		length = SSIZE_MAX;
	if (offset >= INT64_MAX || length == 0)
		return 0;
	if (length > INT64_MAX - offset)
		length = INT64_MAX - offset;
	connection_lock(&fs->link);
	poller_called(&fs->link.poller);
	while (done < length && !end) {
		size_t part = length - done < READ_CHUNK ? length - done : READ_CHUNK;
		count = read_some(file, (uint8_t *)buffer + done, part, offset + done, &end);
		if (count < 0)
			break;
		done += (size_t)count;
	}
	connection_unlock(&fs->link);
	return count < 0 && done == 0 ? count : (ssize_t)done;
}
