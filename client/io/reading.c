/*
 * reading.c -- one read of a file: by RDMA READ under a layout, else by message.
 */
#include "client/io/reading.h"

#include "client/link/user_memory.h"
#include "client/session/receive.h"
#include "client/session/send.h"
#include "common/clock.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define ASK_AHEAD (16u * 1024 * 1024)

static void step(struct farnova *fs, struct reading *reading);
static void by_message(struct farnova *fs, struct reading *reading);

/* ---- memory ----------------------------------------------------------------------------------------------------- */

static void on_reads_done(struct connection *link, struct operations *operations);

struct reading *reading_new(struct farnova_file *file, size_t length, uint64_t offset)
{
	struct reading *reading = cache_take(&file->fs->readings, sizeof(*reading));

	if (!reading)
		return NULL;
	memset(reading, 0, offsetof(struct reading, round.pieces));
	reading->fs = file->fs;
	reading->file = file;
	reading->length = length;
	reading->offset = offset;
	reading->round.lane = &file->fs->lane;
	reading->round.reads.operations.on_done = on_reads_done;
	return reading;
}

static int take_memory(struct farnova *fs, struct reading *reading)
{
	if (!reading->memory)
		reading->memory = buffers_take(&fs->buffers, reading->length);
	return reading->memory ? 0 : -ENOMEM;
}

static void free_memory(struct farnova *fs, struct reading *reading)
{
	if (reading->memory)
		buffers_return(&fs->buffers, reading->memory, reading->length);
	cache_return(&fs->readings, reading);
}

void reading_free(struct reading *reading)
{
	struct farnova *fs = reading->fs;

	if (reading->round.piece_count > 0 && !round_needs_memory(&fs->lane)) {
		connection_lock(&fs->link);
		round_drop(&reading->round);
		connection_unlock(&fs->link);
	}
	free_memory(fs, reading);
}

/* ---- what was read ---------------------------------------------------------------------------------------------- */

/* flatten -- bring `count` bytes of the round to `memory`, after those of earlier rounds; lock held. */
static int flatten(struct farnova *fs, struct reading *reading, size_t count)
{
	int error = take_memory(fs, reading);

	if (error) {
		round_drop(&reading->round);
		return error;
	}
	round_flatten(&reading->round, reading->memory + reading->filled, count);
	reading->filled += count;
	return 0;
}

size_t reading_copy_out(const struct reading *reading, size_t from, uint8_t *to, size_t length)
{
	size_t have = (size_t)reading->count;

	if (length > have - from)
		length = have - from;
	if (reading->round.piece_count == 0)
		return user_copy_out(to, reading->memory + from, length);
	/* The data of the only round were left where they arrived. */
	return round_copy_out(&reading->round, from, to, length);
}

/* tell -- the reading is done, with `count`. */
static void tell(struct farnova *fs, struct reading *reading, ssize_t count)
{
	file_put(reading->file);
	reading->file = NULL;
	reading->done = true;
	reading->count = count;
	if (reading->on_done)
		reading->on_done(fs, reading);
	else
		poller_wake(&fs->link, reading->waiter);
}

/* finish -- end with what was read so far, or with `error` if that is nothing. */
static void finish(struct farnova *fs, struct reading *reading, int error)
{
	if (!reading->abandoned) {
		tell(fs, reading, error && reading->filled == 0 ? error : (ssize_t)reading->filled);
		return;
	}
	round_drop(&reading->round);
	file_put(reading->file);
	free_memory(fs, reading);
}

/* round_done -- a round by READ has read `count` bytes. */
static void round_done(struct farnova *fs, struct reading *reading, size_t count)
{
	if (count == reading->length) {
		tell(fs, reading, (ssize_t)count); /* the data stay where they are: reading_copy_out takes them there */
		return;
	}
	int error = flatten(fs, reading, count);
	reading->end = reading->round.to_end;
	if (error || reading->end || reading->filled == reading->length)
		finish(fs, reading, error);
	else
		step(fs, reading);
}

/* ---- reading under a layout ------------------------------------------------------------------------------------- */

static void quiesce(struct farnova *fs)
{
	if (fs->layouts.return_due > fs->layouts.quiesced_sent)
		return_layouts(fs, false);
}

static void on_reads_done(struct connection *link, struct operations *operations)
{
	struct farnova *fs = farnova_of(link);
	struct reading *reading = container_of(operations, struct reading, round.reads.operations);

	if (reading->round.posting)
		return;
	size_t covered = round_end(&reading->round);
	quiesce(fs);
	if (reading->abandoned)
		finish(fs, reading, 0);
	else if (covered == 0)
		by_message(fs, reading);
	else
		round_done(fs, reading, covered);
}

/* stall -- go on after a poll, when those before it go on. */
static void stall(struct farnova *fs, struct reading *reading)
{
	reading->stalled = true;
	TAILQ_INSERT_TAIL(&fs->stalled, reading, entry);
}

/* one_sided -- try a round by READ alone. `*missing`: the part that is UNCOVERED. */
static enum round_state one_sided(struct farnova *fs, struct reading *reading, uint64_t *missing)
{
	struct round *round = &reading->round;

	if (round_needs_memory(&fs->lane) && take_memory(fs, reading) != 0)
		return ROUND_BY_MESSAGE;
	round->memory = reading->memory ? reading->memory + reading->filled : NULL;
	enum round_state state =
	    round_begin(round, &fs->layouts, reading->file->inode, reading->offset + reading->filled,
	                reading->length - reading->filled, fs->session.max_read, missing);
	if (state == ROUND_BUSY)
		stall(fs, reading);
	if (state != ROUND_BEGUN)
		quiesce(fs);
	return state;
}

/* ---- layouts ---------------------------------------------------------------------------------------------------- */

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

bool reading_may_ask(const struct farnova_file *file)
{
	const struct inode *inode = file->inode;

	return S_ISREG(file->mode) && !inode->changing && !file->fs->layouts.blind_changes &&
	       clock_now_ns() >= inode->ask_ns;
}

struct call *reading_ask(struct farnova_file *file, uint64_t offset)
{
	struct call *call = call_new(file->fs, PROTO_LAYOUT_GET);

	if (!call)
		return NULL;
	call->receive = receive_layout;
	call->file = file;
	call->request.layout_get.offset = offset;
	call->request.layout_get.length = offset < INT64_MAX - ASK_AHEAD ? ASK_AHEAD : INT64_MAX - offset;
	return call;
}

bool reading_asked(struct farnova_file *file, uint64_t offset, int status)
{
	struct inode *inode = file->inode;
	struct proto_extent extent;
	bool usable = status == 0 && layout_usable(&file->fs->layouts, inode);

	if (usable && (offset >= inode->size || extents_find(&inode->extents, offset, &extent)))
		return true;
	/* Refused, or granted without this part: do not ask again with every read. */
	if (status || usable)
		layout_refused(inode);
	return false;
}

static void on_layout(struct farnova *fs, struct call *call)
{
	struct reading *reading = call->owner;
	int status = call->status;

	reading->calls[0] = NULL;
	call_free(fs, call);
	if (reading_asked(reading->file, reading->missing, status))
		step(fs, reading);
	else
		by_message(fs, reading);
}

/* ask_layout -- request a layout that covers `missing`, once; false if that is not allowed now, or without memory. */
static bool ask_layout(struct farnova *fs, struct reading *reading, uint64_t missing)
{
	bool may = !reading->asked && reading_may_ask(reading->file);
	struct call *call = may ? reading_ask(reading->file, missing) : NULL;

	if (!call)
		return false;
	reading->asked = true;
	reading->missing = missing;
	call->on_done = on_layout;
	call->owner = reading;
	reading->calls[0] = call;
	reading->call_count = 1;
	call_start(fs, call, NULL);
	return true;
}

/* ---- reading by message ----------------------------------------------------------------------------------------- */

static int receive_read(struct farnova *fs, struct call *call, const struct proto_reply *reply)
{
	uint8_t *to = call->result;

	if (reply->read.length > call->request.read.length)
		return -EPROTO;
	if (!to)
		return 0;
	memcpy(to, reply->read.data, reply->read.length);
	call->request.read.length -= reply->read.length; /* what is missing */
	return 0;
}

/* messages_done -- all replies of a round have come. */
static void messages_done(struct farnova *fs, struct reading *reading)
{
	int error = 0;

	for (unsigned i = 0; i < reading->call_count && error == 0 && !reading->end; i++) {
		error = reading->status[i];
		if (error == 0)
			reading->filled += reading->got[i];
		/* The file may have grown after a short reply: data of later replies do not follow those of the short
		 * one. */
		reading->end = error == 0 && reading->less[i];
	}
	if (error || reading->end || reading->filled == reading->length)
		finish(fs, reading, error);
	else
		step(fs, reading);
}

static void on_read(struct farnova *fs, struct call *call)
{
	struct reading *reading = call->owner;
	unsigned i = 0;

	while (reading->calls[i] != call)
		i++;
	reading->calls[i] = NULL;
	reading->status[i] = call->status;
	reading->got[i] -= call->request.read.length;
	reading->less[i] = call->request.read.length > 0;
	call_free(fs, call);
	if (--reading->pending == 0)
		messages_done(fs, reading);
}

static void by_message(struct farnova *fs, struct reading *reading)
{
	size_t at = reading->filled;
	int error = take_memory(fs, reading);

	round_drop(&reading->round);
	reading->call_count = 0;
	/* All are made before the first is started, which may end at once. */
	while (error == 0 && reading->call_count < READING_MESSAGES && at < reading->length) {
		struct call *call = call_new(fs, PROTO_READ);
		uint32_t part = reading->length - at < fs->session.max_read ? (uint32_t)(reading->length - at)
		                                                            : fs->session.max_read;
		if (!call)
			break;
		call->receive = receive_read;
		call->result = reading->memory + at;
		call->on_done = on_read;
		call->owner = reading;
		call->file = reading->file;
		call->request.read.offset = reading->offset + at;
		call->request.read.length = part;
		reading->got[reading->call_count] = part;
		reading->calls[reading->call_count++] = call;
		at += part;
	}
	unsigned count = reading->pending = reading->call_count;
	if (count == 0) {
		finish(fs, reading, error ? error : -ENOMEM);
		return;
	}
	struct call *calls[READING_MESSAGES];
	memcpy(calls, reading->calls, sizeof(calls));
	for (unsigned i = 0; i < count; i++)
		call_start(fs, calls[i], NULL);
}

/* ---- a reading -------------------------------------------------------------------------------------------------- */

/* step -- begin the next round. */
static void step(struct farnova *fs, struct reading *reading)
{
	struct farnova_file *file = reading->file;
	uint64_t missing = reading->offset + reading->filled;
	enum round_state state = ROUND_UNCOVERED;

	if (fs->link.state != CONNECTION_UP || file->error)
		state = ROUND_BY_MESSAGE;
	else if (layout_usable(&fs->layouts, file->inode))
		state = one_sided(fs, reading, &missing);
	if (state == ROUND_BY_MESSAGE || (state == ROUND_UNCOVERED && !ask_layout(fs, reading, missing)))
		by_message(fs, reading);
}

void reading_start(struct reading *reading)
{
	struct farnova *fs = reading->file->fs;

	file_get(reading->file);
	poller_called(&fs->link.poller);
	step(fs, reading);
}

void reading_abandon(struct reading *reading)
{
	struct farnova *fs = reading->file->fs;

	reading->abandoned = true;
	if (reading->stalled)
		TAILQ_REMOVE(&fs->stalled, reading, entry);
	for (unsigned i = 0; i < reading->call_count; i++) {
		if (reading->calls[i])
			call_abandon(fs, reading->calls[i]);
	}
	reading->call_count = 0;
	if (reading->round.reads.operations.outstanding == 0)
		finish(fs, reading, 0);
}

/* resume_stalled -- go on with the readings that lack a resource, in order. They all lack the same, so the first that
 * stalls again is the last that is tried: with hundreds of them, to try all after each poll would take most of the time. */
static void resume_stalled(struct farnova *fs)
{
	struct reading *reading;

	while (fs->link.state == CONNECTION_UP && (reading = TAILQ_FIRST(&fs->stalled)) != NULL) {
		TAILQ_REMOVE(&fs->stalled, reading, entry);
		reading->stalled = false;
		step(fs, reading);
		/* Where it did not stall it may not be there any more. */
		if (TAILQ_LAST(&fs->stalled, stalled_readings) != reading)
			continue;
		TAILQ_REMOVE(&fs->stalled, reading, entry);
		TAILQ_INSERT_HEAD(&fs->stalled, reading, entry);
		return;
	}
}

void reading_polled(struct connection *link)
{
	struct farnova *fs = farnova_of(link);

	receive_polled(link);
	if (TAILQ_EMPTY(&fs->stalled))
		return;
	link->more = true;
	resume_stalled(fs);
	link->more = false;
	if (link->state == CONNECTION_UP)
		transport_flush(link->transport);
}
