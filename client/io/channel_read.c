/*
 * channel_read.c -- reads by the channel of the calling thread: one round of READs under the layout.
 *
 * Until the READs have ended the thread takes no lock but that of its channel, and writes nothing that threads of other
 * channels read (docs/client.md). What needs the server, or more than one round, is left to a reading.
 */
#include "client/io/channel_read.h"

#include "client/io/round.h"
#include "client/session/call.h"
#include "client/session/channel.h"
#include "client/session/send.h"
#include "common/clock.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

/* It belongs to the thread that reads, until that frees or abandons it. */
struct channel_reading {
	struct channel *channel;
	size_t length;
	struct waiter *waiter;
	bool done, abandoned;
	bool recalled; /* the server may have been waiting for it */
	size_t count;  /* of one that is done: bytes; 0: they are of no use */
	struct round round;
};

static void on_reads_done(struct connection *link, struct operations *operations)
{
	struct channel_reading *reading = container_of(operations, struct channel_reading, round.reads.operations);
	struct channel *channel = reading->channel;

	if (reading->round.posting)
		return;
	reading->count = round_end(&reading->round);
	reading->recalled = layout_reads_recalled(&channel->fs->layouts, &reading->round.reads);
	reading->done = true;
	if (!reading->abandoned) {
		poller_wake(link, reading->waiter);
		return;
	}
	round_drop(&reading->round);
	if (reading->round.memory)
		buffers_return(&channel->buffers, reading->round.memory, reading->length);
	cache_return(&channel->readings, reading);
}

static struct channel_reading *new_reading(struct channel *channel, size_t length)
{
	struct channel_reading *reading = cache_take(&channel->readings, sizeof(*reading));

	if (!reading)
		return NULL;
	memset(reading, 0, offsetof(struct channel_reading, round.pieces));
	reading->channel = channel;
	reading->length = length;
	reading->round.lane = &channel->lane;
	reading->round.reads.operations.on_done = on_reads_done;
	return reading;
}

/* free_reading -- the lock is not held. */
static void free_reading(struct channel_reading *reading)
{
	struct channel *channel = reading->channel;

	if (reading->round.piece_count > 0 && !round_needs_memory(&channel->lane)) {
		connection_lock(&channel->link);
		round_drop(&reading->round);
		connection_unlock(&channel->link);
	}
	if (reading->round.memory)
		buffers_return(&channel->buffers, reading->round.memory, reading->length);
	cache_return(&channel->readings, reading);
}

/* begin -- post the READs; false: this cannot be read by the channel now. Lock held. */
static bool begin(struct channel_reading *reading, const struct farnova_file *file, uint64_t offset)
{
	struct channel *channel = reading->channel;
	struct farnova *fs = channel->fs;
	struct round *round = &reading->round;
	uint64_t missing;

	if (channel->link.state != CONNECTION_UP || file->error || !layout_usable(&fs->layouts, file->inode))
		return false;
	if (round_needs_memory(&channel->lane) && !(round->memory = buffers_take(&channel->buffers, reading->length)))
		return false;
	return round_begin(round, &fs->layouts, file->inode, offset, reading->length, fs->session.max_read, &missing) ==
	       ROUND_BEGUN;
}

/* wait_for -- wait until the READs have ended; lock held. -ETIMEDOUT: it was abandoned. */
static int wait_for(struct channel_reading *reading, int64_t deadline_ns)
{
	struct connection *link = &reading->channel->link;

	while (!reading->done) {
		if (poller_cancelled(link, reading->waiter) || (deadline_ns && clock_now_ns() >= deadline_ns)) {
			reading->abandoned = true;
			return -ETIMEDOUT;
		}
		poller_wait(link, reading->waiter, deadline_ns);
	}
	return 0;
}

/* quiesce -- the server may have been waiting for the end of READs by a channel. */
static void quiesce(struct farnova *fs)
{
	connection_lock(&fs->link);
	return_layouts(fs, false);
	connection_unlock(&fs->link);
}

static ssize_t copy_out(const struct channel_reading *reading, uint8_t *to, bool *end)
{
	size_t copied = round_copy_out(&reading->round, 0, to, reading->count);

	*end = reading->round.to_end || copied < reading->count;
	return copied > 0 ? (ssize_t)copied : -EFAULT;
}

ssize_t channel_read(struct farnova_file *file, uint8_t *to, size_t length, uint64_t offset, bool *end)
{
	struct farnova *fs = file->fs;
	struct channel *channel = channel_mine(fs);
	struct channel_reading *reading = channel ? new_reading(channel, length) : NULL;
	int error = -EAGAIN;

	if (!reading)
		return -EAGAIN;
	reading->waiter = poller_self();
	connection_lock(&channel->link);
	if (begin(reading, file, offset))
		error = wait_for(reading, call_deadline(fs));
	connection_unlock(&channel->link);
	if (error == -ETIMEDOUT)
		return error;
	if (reading->recalled)
		quiesce(fs);
	ssize_t count = reading->count > 0 ? copy_out(reading, to, end) : -EAGAIN;
	free_reading(reading);
	return count;
}
