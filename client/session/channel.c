/*
 * channel.c -- channels: how they are connected, shared out among threads, and lost.
 */
#include "client/session/channel.h"

#include "client/session/candidate.h"
#include "client/session/session.h"
#include "common/clock.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CONNECT_MS       1000
#define ANSWER_MS        1000
#define FIRST_PAUSE_NS   50000000LL
#define LONGEST_PAUSE_NS 5000000000LL
#define LOOK_NS          1000000000LL /* between looks at idle channels */
#define RECEIVES         4u
#define MESSAGE_SIZE     256u

static struct channel *channel_of(struct connection *link)
{
	return container_of(link, struct channel, link);
}

/* ---- handlers of a channel's connection ------------------------------------------------------------------------- */

static void on_message(struct connection *link, const void *data, uint32_t length)
{
	(void)data;
	(void)length;
	connection_lose(link, -EPROTO, "the server sent a message on a channel");
}

static void on_lost(struct connection *link)
{
	struct channel *channel = channel_of(link);

	channel->lane.bounce.region = NULL;
	layout_lose_reads(&channel->reads);
	channels_wake(channel->fs);
}

static const struct connection_handler handler = {.on_message = on_message, .on_lost = on_lost};

/* ---- connecting ------------------------------------------------------------------------------------------------- */

/* bind_conn -- the first exchange on a new connection. */
static int bind_conn(struct candidate *candidate, struct transport_ticket ticket)
{
	struct proto_request request;
	struct proto_reply *reply = malloc(sizeof(*reply));
	uint8_t buffer[MESSAGE_SIZE];

	if (!reply)
		return -ENOMEM;
	request.op = PROTO_BIND_CONN;
	request.slot = PROTO_SLOT_NONE;
	request.sequence = 0;
	request.cred = 0;
	request.slots_used = 0;
	request.window = 0;
	request.bind_conn.session = ticket.number;
	request.bind_conn.session_key = ticket.key;
	int error = candidate_ask(candidate, &request, ANSWER_MS, buffer, sizeof(buffer), reply);
	if (error == 0)
		error = -(int)reply->status;
	free(reply);
	return error ? candidate_trouble(candidate, error, "the server refuses a channel") : 0;
}

/* take_up -- use the candidate, if the connection is still that of the ticket. */
static int take_up(struct channel *channel, struct candidate *candidate, uint64_t epoch)
{
	struct farnova *fs = channel->fs;
	int error = -ECONNRESET;

	connection_lock(&fs->link);
	connection_lock(&channel->link);
	if (fs->link.state == CONNECTION_UP && fs->link.epoch == epoch && !channel->link.poller.stop) {
		connection_up(&channel->link, candidate->queue, candidate->conn);
		error = 0;
	} else {
		channel->lane.bounce.region = NULL;
	}
	connection_unlock(&channel->link);
	connection_unlock(&fs->link);
	return error;
}

/* try_connect -- connect a channel that is down. -ENOTCONN: the session has no connection. */
static int try_connect(struct channel *channel)
{
	struct farnova *fs = channel->fs;
	struct transport_options options = {.message_size = PROTO_MESSAGE_SIZE, .receive_depth = RECEIVES};
	struct candidate candidate = {.poller = &channel->link.poller};

	connection_lock(&fs->link);
	bool up = fs->link.state == CONNECTION_UP;
	uint64_t epoch = fs->link.epoch;
	options.ticket = (struct transport_ticket){.number = fs->session.id, .key = fs->session.key};
	connection_unlock(&fs->link);
	if (!up)
		return -ENOTCONN;
	connection_lock(&channel->link);
	if (channel->link.queue)
		transport_queue_destroy(channel->link.queue);
	channel->link.queue = NULL;
	connection_unlock(&channel->link);

	int error = candidate_connect(&candidate, fs->link.kind, &fs->url, &options, CONNECT_MS);
	if (error == 0)
		error = bind_conn(&candidate, options.ticket);
	if (error == 0)
		error = bounce_init(&channel->lane.bounce, candidate.conn);
	if (error == 0)
		error = take_up(channel, &candidate, epoch);
	if (error == 0)
		return 0;
	candidate_discard(&candidate);
	connection_lock(&channel->link);
	snprintf(channel->link.trouble, sizeof(channel->link.trouble), "%s", candidate.why);
	connection_unlock(&channel->link);
	return error;
}

/* maintain -- connect the channel if that is due, or look after it. Returns when to come again, in ns. */
static int64_t maintain(struct channel *channel)
{
	int64_t now = clock_now_ns();

	connection_lock(&channel->link);
	bool up = channel->link.state == CONNECTION_UP;
	if (up)
		poller_look(&channel->link);
	up = channel->link.state == CONNECTION_UP;
	connection_unlock(&channel->link);
	if (up) {
		channel->pause_ns = FIRST_PAUSE_NS;
		channel->due_ns = 0;
		return now + LOOK_NS;
	}
	if (now < channel->due_ns)
		return channel->due_ns;
	int error = try_connect(channel);
	if (error == 0 || error == -ENOTCONN)
		return clock_now_ns() + LOOK_NS; /* or when the session's connection is up */
	channel->due_ns = clock_now_ns() + channel->pause_ns;
	channel->pause_ns = 2 * channel->pause_ns < LONGEST_PAUSE_NS ? 2 * channel->pause_ns : LONGEST_PAUSE_NS;
	return channel->due_ns;
}

static void *connect_channels(void *argument)
{
	struct farnova *fs = argument;
	struct channels *channels = &fs->channels;
	sigset_t all;

	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, NULL);
	pthread_mutex_lock(&channels->lock);
	while (!channels->stop) {
		int64_t next_ns = INT64_MAX;

		channels->wanted = false;
		pthread_mutex_unlock(&channels->lock);
		for (unsigned i = 0; i < channels->count; i++) {
			int64_t due_ns = maintain(&channels->list[i]);
			next_ns = due_ns < next_ns ? due_ns : next_ns;
		}
		struct timespec until = clock_timespec(next_ns);
		pthread_mutex_lock(&channels->lock);
		while (!channels->stop && !channels->wanted && clock_now_ns() < next_ns)
			pthread_cond_clockwait(&channels->wake, &channels->lock, CLOCK_MONOTONIC, &until);
	}
	pthread_mutex_unlock(&channels->lock);
	return NULL;
}

/* ---- life ------------------------------------------------------------------------------------------------------- */

static int make(struct farnova *fs, struct channel *channel)
{
	memset(channel, 0, sizeof(*channel));
	int error = connection_init(&channel->link, &handler);
	if (error)
		return error;
	channel->fs = fs;
	channel->lane.link = &channel->link;
	channel->lane.reads = &channel->reads;
	channel->pause_ns = FIRST_PAUSE_NS;
	channel->link.kind = fs->link.kind;
	snprintf(channel->link.name, sizeof(channel->link.name), "%.280s, channel %u", fs->link.name,
	         fs->channels.count);
	layout_reads_init(&channel->reads, &channel->link);
	buffers_init(&channel->buffers);
	cache_init(&channel->readings);
	layout_add_channel(&fs->layouts, &channel->reads);
	return 0;
}

void channels_init(struct farnova *fs)
{
	pthread_mutex_init(&fs->channels.lock, NULL);
	pthread_cond_init(&fs->channels.wake, NULL);
}

int channels_make(struct farnova *fs, unsigned count)
{
	struct channels *channels = &fs->channels;

	if (count == 0)
		return 0;
	channels->list = aligned_alloc(CHANNEL_ALIGN, count * sizeof(*channels->list));
	if (!channels->list)
		return -ENOMEM;
	for (unsigned i = 0; i < count; i++) {
		int error = make(fs, &channels->list[i]);
		if (error)
			return error;
		channels->count++;
	}
	return 0;
}

int channels_start(struct farnova *fs)
{
	struct channels *channels = &fs->channels;

	if (channels->count == 0)
		return 0;
	for (unsigned i = 0; i < channels->count; i++)
		maintain(&channels->list[i]);
	int error = -pthread_create(&channels->thread, NULL, connect_channels, fs);
	channels->running = error == 0;
	return error;
}

void channels_stop(struct farnova *fs)
{
	struct channels *channels = &fs->channels;

	if (!channels->running)
		return;
	for (unsigned i = 0; i < channels->count; i++) {
		struct connection *link = &channels->list[i].link;

		connection_lock(link);
		link->poller.stop = true;
		poller_wake_all(link);
		connection_unlock(link);
	}
	pthread_mutex_lock(&channels->lock);
	channels->stop = true;
	pthread_cond_signal(&channels->wake);
	pthread_mutex_unlock(&channels->lock);
	pthread_join(channels->thread, NULL);
	channels->running = false;
}

void channels_end(struct farnova *fs)
{
	for (unsigned i = 0; i < fs->channels.count; i++) {
		struct channel *channel = &fs->channels.list[i];

		connection_lock(&channel->link);
		connection_end(&channel->link);
		layout_lose_reads(&channel->reads); /* those that were abandoned */
		connection_unlock(&channel->link);
	}
}

void channels_destroy(struct farnova *fs)
{
	struct channels *channels = &fs->channels;

	for (unsigned i = 0; i < channels->count; i++) {
		struct channel *channel = &channels->list[i];

		bounce_destroy(&channel->lane.bounce);
		cache_destroy(&channel->readings);
		buffers_destroy(&channel->buffers);
		connection_destroy(&channel->link);
	}
	pthread_cond_destroy(&channels->wake);
	pthread_mutex_destroy(&channels->lock);
	free(channels->list);
}

/* ---- use -------------------------------------------------------------------------------------------------------- */

struct channel *channel_mine(struct farnova *fs)
{
	struct channels *channels = &fs->channels;

	if (channels->count == 0)
		return NULL;
	uint32_t number = caller_get(&fs->creds.callers).channel;
	if (number == 0) {
		number = 1 + atomic_fetch_add_explicit(&channels->next, 1, memory_order_relaxed) % channels->count;
		caller_set_channel(&fs->creds.callers, number); /* without memory it asks again */
	}
	return &channels->list[number - 1];
}

void channels_wake(struct farnova *fs)
{
	struct channels *channels = &fs->channels;

	pthread_mutex_lock(&channels->lock);
	channels->wanted = true;
	pthread_cond_signal(&channels->wake);
	pthread_mutex_unlock(&channels->lock);
}

void channels_lose(struct farnova *fs)
{
	for (unsigned i = 0; i < fs->channels.count; i++) {
		struct connection *link = &fs->channels.list[i].link;

		connection_lock(link);
		connection_lose(link, -ECONNRESET, "the session's connection is lost");
		connection_unlock(link);
	}
}

void channels_look(struct farnova *fs)
{
	for (unsigned i = 0; i < fs->channels.count; i++) {
		struct connection *link = &fs->channels.list[i].link;

		connection_lock(link);
		poller_look(link);
		connection_unlock(link);
	}
}
