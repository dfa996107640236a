/*
 * read.c -- reads of file data: by RDMA READ under a layout, else by message.
 *
 * While the connection's lock is held, data arrive in memory of the library. The caller copies them to its own memory
 * after it has released the lock (client/link/user_memory.h).
 */
#include "client/io/read.h"

#include "client/link/user_memory.h"
#include "client/session/call.h"
#include "client/session/send.h"
#include "common/clock.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

#define READ_PIECE     BOUNCE_SIZE /* bytes of one READ */
#define READ_PIECES    32u         /* READs in flight for one call */
#define PLANNED_PIECES 64u         /* holes are pieces too */
#define READ_CHUNK     BUFFER_SIZE /* a recall waits at most for a read of this size */
#define SMALL_READ     (8u * 1024) /* is read into the stack */
#define ASK_AHEAD      (16u * 1024 * 1024)
#define READ_MESSAGES  8u       /* READ messages in flight for one call */
#define BOUNCE_WAIT_NS 10000000 /* wait for a free buffer; then the read goes by message */

/* A contiguous part of a chunk: a READ, or a hole. */
struct piece {
	size_t at; /* offset in the chunk */
	size_t length;
	uint64_t address, key; /* key 0: a hole */
	int bounce;            /* -1: the READ targets the chunk's memory */
};

/* A chunk being read, and where its bytes arrive. */
struct landing {
	uint8_t *memory; /* READ_CHUNK bytes, or `small`; NULL: not allocated yet */
	struct piece pieces[PLANNED_PIECES];
	unsigned count; /* 0: all data are in `memory` */
	size_t size;    /* bytes wanted; decides whether `small` is enough */
	uint8_t small[SMALL_READ];
};

static int landing_memory(struct farnova *fs, struct landing *landing)
{
	if (!landing->memory)
		landing->memory = landing->size <= SMALL_READ ? landing->small : buffers_take(&fs->buffers);
	return landing->memory ? 0 : -ENOMEM;
}

/* copy_out -- copy `length` bytes of the data that have arrived to the caller's memory; the lock is not held. Returns
 * the bytes copied. */
static size_t copy_out(struct farnova *fs, const struct landing *landing, uint8_t *to, size_t length)
{
	size_t done = 0;

	if (landing->count == 0)
		return user_copy_out(to, landing->memory, length);
	for (unsigned i = 0; i < landing->count && done < length; i++) {
		const struct piece *piece = &landing->pieces[i];
		size_t part = length - done < piece->length ? length - done : piece->length, copied;
		if (piece->key == 0)
			copied = user_zero(to + done, part);
		else if (piece->bounce >= 0)
			copied = user_copy_out(to + done, bounce_at(&fs->bounce, piece->bounce), part);
		else
			copied = user_copy_out(to + done, landing->memory + piece->at, part);
		done += copied;
		if (copied < part)
			break;
	}
	return done;
}

/* return_bounces -- return the bounce buffers of the chunk; lock held. */
static void return_bounces(struct farnova *fs, struct landing *landing)
{
	bool any = false;

	for (unsigned i = 0; i < landing->count; i++) {
		if (landing->pieces[i].bounce < 0)
			continue;
		bounce_return(&fs->bounce, landing->pieces[i].bounce);
		landing->pieces[i].bounce = -1;
		any = true;
	}
	if (any)
		poller_wake_resource(&fs->link);
}

/* landing_end -- free the memory of the chunk; the lock is not held. */
static void landing_end(struct farnova *fs, struct landing *landing)
{
	if (landing->count > 0 && fs->bounce.memory) {
		connection_lock(&fs->link);
		return_bounces(fs, landing);
		connection_unlock(&fs->link);
	}
	if (landing->memory && landing->memory != landing->small)
		buffers_return(&fs->buffers, landing->memory);
}

/* ---- reading under a layout ------------------------------------------------------------------------------------- */

/* plan -- split [offset, offset + length) into READs and holes. Returns how many bytes the layout covers; `*reads`
 * receives the number of READs. */
static size_t plan(struct inode *inode, size_t length, uint64_t offset, struct landing *landing, unsigned *reads)
{
	struct proto_extent extent;
	size_t covered = 0;

	*reads = 0;
	landing->count = 0;
	while (covered < length && landing->count < PLANNED_PIECES &&
	       extents_find(&inode->extents, offset + covered, &extent)) {
		size_t part = length - covered < extent.length ? length - covered : extent.length;
		if (extent.key != 0 && (*reads)++ == READ_PIECES)
			break;
		if (extent.key != 0 && part > READ_PIECE)
			part = READ_PIECE;
		landing->pieces[landing->count++] = (struct piece){
		    .at = covered, .length = part, .address = extent.address, .key = extent.key, .bounce = -1};
		covered += part;
	}
	return covered;
}

/* post -- start a planned READ. -EAGAIN: it needs a resource that is in use. */
static int post(struct farnova *fs, struct reads *reads, struct landing *landing, struct piece *piece, unsigned flags)
{
	void *local;

	if (fs->bounce.memory) {
		if (piece->bounce < 0)
			piece->bounce = bounce_take(&fs->bounce);
		if (piece->bounce < 0)
			return -EAGAIN;
		local = bounce_at(&fs->bounce, piece->bounce);
	} else {
		int error = landing_memory(fs, landing);
		if (error)
			return error;
		local = landing->memory + piece->at;
	}
	int error = transport_read(fs->link.transport, local, fs->bounce.region, piece->address, piece->key,
	                           (uint32_t)piece->length, &reads->operations, flags);
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
 * post_all -- start the planned READs in order; returns how many pieces are in flight or holes. If no READ is in
 * flight, it waits a short time for resources of other threads. If some are in flight, it stops with those: waiting for
 * more while it holds some could be waiting for itself.
 */
static unsigned post_all(struct farnova *fs, struct reads *reads, struct landing *landing)
{
	int64_t deadline_ns = 0;
	unsigned posted = 0;

	while (posted < landing->count && !reads->lost) {
		struct piece *piece = &landing->pieces[posted];
		int error = 0;
		if (piece->key != 0)
			error = post(fs, reads, landing, piece, posted + 1 < landing->count ? TRANSPORT_MORE : 0);
		if (error == 0) {
			posted++;
		} else if (reads->operations.outstanding > 0 || error != -EAGAIN) {
			break;
		} else {
			if (deadline_ns == 0)
				deadline_ns = clock_now_ns() + BOUNCE_WAIT_NS;
			reads->operations.waiter->resource = true;
			if (poller_wait(&fs->link, reads->operations.waiter, deadline_ns) != 0)
				break;
		}
	}
	return posted;
}

/*
 * read_one_sided -- read by RDMA READ only; the lock is held. Returns the bytes read, possibly fewer than `length`; `*end`
 * tells whether they reach the end of the file: what follows later is of another state of it. -ENODATA if the layout
 * does not cover `offset`; -EAGAIN if no READ could be posted; -ECONNRESET if the connection was lost; -ETIMEDOUT.
 *
 * A READ that succeeds proves that the server had not ended this connection, and with it the layout, when the READ was
 * executed. Where the end of the file or a hole alone would be the answer, nothing proves that: this program may have
 * stood still, or its network, while others changed the file. That is -EAGAIN too: the server must be asked.
 *
 * What is read later may be of another state of the file. So a read that a single message can answer is done whole or
 * not at all: if the layout does not cover a part of it, that is -ENODATA, with the part's offset in `*missing`.
 */
static ssize_t read_one_sided(struct farnova *fs, struct inode *inode, struct landing *landing, size_t length,
                              uint64_t offset, int64_t deadline_ns, bool *end, uint64_t *missing)
{
	struct reads reads = {.operations.waiter = poller_self()};
	bool timed_out = false;
	unsigned needed;

	*end = false;
	if (offset >= inode->size)
		return -EAGAIN;
	bool to_end = length > inode->size - offset;
	if (to_end)
		length = inode->size - offset;
	bool whole = length <= fs->session.max_read;
	size_t covered = plan(inode, length, offset, landing, &needed);
	*missing = offset + covered;
	if (covered == 0 || (whole && covered < length) || needed == 0) {
		landing->count = 0;
		return covered == length ? -EAGAIN : -ENODATA;
	}
	layout_reads_begin(&fs->layouts, &reads);
	unsigned posted = post_all(fs, &reads, landing);
	while (reads.operations.outstanding > 0 && !reads.lost) {
		/* A READ in flight would write to the memory later: the connection must end if the wait ends. */
		if (poller_wait(&fs->link, reads.operations.waiter, deadline_ns) == -ETIMEDOUT &&
		    reads.operations.outstanding > 0 && !reads.lost) {
			connection_lose(&fs->link, -ETIMEDOUT, "a READ was not answered in time");
			timed_out = true;
		}
	}
	if (layout_reads_end(&fs->layouts, &reads))
		return_layouts(fs, false);
	if (posted < landing->count)
		covered = landing->pieces[posted].at;
	if (reads.lost || covered == 0 || (whole && covered < length)) {
		return_bounces(fs, landing);
		landing->count = 0;
		return timed_out ? -ETIMEDOUT : reads.lost ? -ECONNRESET : -EAGAIN;
	}
	*end = to_end && covered == length;
	return (ssize_t)covered;
}

static int receive_layout(struct farnova *fs, struct call *call, const struct proto_reply *reply)
{
	struct inode *inode = call->file->inode;

	if (call->on_new_connection)
		return 0; /* the layout may have ended with the previous connection; ask again */
	if (reply->layout.granted)
		layout_granted(&fs->layouts, inode, reply->layout.size, reply->layout.extents,
		               reply->layout.extent_count);
	else
		layout_refused(inode);
	return 0;
}

bool read_ask_layout(struct farnova_file *file, uint64_t offset)
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
	layout_refused(inode); /* granted, but it cannot hold this part: do not ask again with every read */
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

/* read_by_message -- the lock is held. May return fewer bytes than `length`, at the end of the file or before it;
 * `*end` tells. */
static ssize_t read_by_message(struct farnova_file *file, struct landing *landing, size_t length, uint64_t offset,
                               bool *end)
{
	struct farnova *fs = file->fs;
	struct proto_request requests[READ_MESSAGES];
	struct call calls[READ_MESSAGES];
	struct answer answers[READ_MESSAGES];
	unsigned count = 0;
	size_t asked = 0;
	ssize_t got = 0;
	int error = landing_memory(fs, landing);

	landing->count = 0;
	if (error)
		return error;
	while (count < READ_MESSAGES && asked < length) {
		uint32_t part =
		    length - asked < fs->session.max_read ? (uint32_t)(length - asked) : fs->session.max_read;
		requests[count].op = PROTO_READ;
		requests[count].read.offset = offset + asked;
		requests[count].read.length = part;
		answers[count] = (struct answer){.to = landing->memory + asked};
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
		/* The file may have grown after a short reply: data of later replies do not follow those of the short
		 * one. */
		*end = status == 0 && answers[i].length < requests[i].read.length;
	}
	return error && got == 0 ? error : got;
}

/* ---- reading ---------------------------------------------------------------------------------------------------- */

/* read_some -- the lock is held; reads at least one byte unless at the end of the file. */
static ssize_t read_some(struct farnova_file *file, struct landing *landing, size_t length, uint64_t offset, bool *end)
{
	struct farnova *fs = file->fs;
	struct inode *inode = file->inode;
	int64_t deadline_ns = call_deadline(fs);
	uint64_t missing = offset;
	bool asked = false;

	for (;;) {
		if (call_wait_up(fs, deadline_ns) != 0)
			return -ETIMEDOUT;
		if (file->error)
			return file->error;
		ssize_t count = -ENODATA;
		if (layout_usable(&fs->layouts, inode))
			count = read_one_sided(fs, inode, landing, length, offset, deadline_ns, end, &missing);
		if (count >= 0 || count == -ETIMEDOUT)
			return count;
		if (count == -ECONNRESET)
			continue;
		if (count == -ENODATA && !asked && fs->link.state == CONNECTION_UP && read_ask_layout(file, missing)) {
			asked = true;
			continue;
		}
		return read_by_message(file, landing, length, offset, end);
	}
}

/* read_chunk -- read up to READ_CHUNK bytes into the caller's memory; the lock is not held. */
static ssize_t read_chunk(struct farnova_file *file, uint8_t *to, size_t length, uint64_t offset, bool *end)
{
	struct farnova *fs = file->fs;
	struct landing landing;

	landing.memory = NULL;
	landing.count = 0;
	landing.size = length;
	connection_lock(&fs->link);
	poller_called(&fs->link.poller);
	ssize_t count = read_some(file, &landing, length, offset, end);
	connection_unlock(&fs->link);
	if (count > 0) {
		size_t copied = copy_out(fs, &landing, to, (size_t)count);
		*end = *end || copied < (size_t)count;
		count = copied > 0 ? (ssize_t)copied : -EFAULT;
	}
	landing_end(fs, &landing);
	return count;
}

ssize_t read_file(struct farnova_file *file, void *buffer, size_t length, uint64_t offset)
{
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
	while (done < length && !end) {
		size_t part = length - done < READ_CHUNK ? length - done : READ_CHUNK;
		count = read_chunk(file, (uint8_t *)buffer + done, part, offset + done, &end);
		if (count < 0)
			break;
		done += (size_t)count;
	}
	return count < 0 && done == 0 ? count : (ssize_t)done;
}
