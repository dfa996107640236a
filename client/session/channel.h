/*
 * channel.h -- channels: further connections of the session, by which threads READ without the lock of the session's
 * connection.
 *
 * Each channel has a lock, a poller, a lane and buffers of its own. docs/client.md has the states and what is shared.
 */
#ifndef FARNOVA_CLIENT_CHANNEL_H
#define FARNOVA_CLIENT_CHANNEL_H

#include "client/link/buffers.h"
#include "client/link/cache.h"
#include "client/link/connection.h"
#include "client/session/lane.h"

#include <stdbool.h>
#include <stdint.h>

struct farnova;

#define CHANNEL_ALIGN 128 /* so that no two channels share a cache line, nor the pair that is fetched together */

struct channel {
	_Alignas(CHANNEL_ALIGN) struct connection link;
	struct farnova *fs;
	struct lane lane;
	struct reads_list reads;
	struct buffers buffers;
	struct cache readings; /* free readings of this channel (client/io/channel_read.c) */
	/* owned by the thread that connects channels */
	int64_t due_ns, pause_ns;
};

struct channels {
	struct channel *list;
	unsigned count;
	atomic_uint next; /* for the next thread that wants one */
	pthread_t thread; /* connects them */
	bool running;
	pthread_mutex_t lock; /* guards the two below; nothing is taken inside */
	pthread_cond_t wake;
	bool stop, wanted;
};

/* channels_init -- no channels. channels_make -- so many, that are down; while one thread uses the session. -errno.
 * channels_destroy -- free them; after channels_end. */
void channels_init(struct farnova *fs);
int channels_make(struct farnova *fs, unsigned count);
void channels_destroy(struct farnova *fs);

/*
 * channels_start -- try to connect each channel; a thread goes on to connect those that are not connected. A server that
 * refuses them is no error: reads go by the session's connection then. -errno.
 */
int channels_start(struct farnova *fs);
/* channels_stop -- end the thread, and all waits of it. channels_end -- close all channels; no thread waits. */
void channels_stop(struct farnova *fs);
void channels_end(struct farnova *fs);

/* channel_mine -- the channel of the calling thread; NULL: the connection has none. It may be down. */
struct channel *channel_mine(struct farnova *fs);

/* channels_wake -- the session's connection is up, or a channel is lost: connect channels. */
void channels_wake(struct farnova *fs);
/* channels_lose -- the session's connection is lost, and its channels with it. Its lock is held. */
void channels_lose(struct farnova *fs);
/* channels_look -- handle what has arrived on channels that no thread polls. The lock of the session's connection is
 * held. */
void channels_look(struct farnova *fs);

#endif
