/*
 * receive.c -- the session's handlers for messages, ticks and the loss of the connection.
 */
#include "client/session/receive.h"

#include "client/session/call.h"
#include "client/session/send.h"
#include "client/session/slots.h"
#include "client/session/staging_ring.h"
#include "common/clock.h"

#include <errno.h>

#define BEHIND_NS 5000000 /* until the next look at READs by channels that the server may be waiting for */

static void receive_recall(struct farnova *fs, const void *data, uint32_t length)
{
	struct proto_recall recall;
	const char *why;

	if (proto_decode_recall(data, length, &recall, &why) != 0) {
		connection_lose(&fs->link, -EPROTO, why);
		return;
	}
	layout_recall(&fs->layouts, &recall);
	return_layouts(fs, false);
	/* Nobody may be polling a channel, if those that read by it have given up. */
	if (layout_channels_behind(&fs->layouts))
		poller_wake(&fs->link, &fs->link.poller.background);
}

/* take_reply -- false if nothing was asked to which this is the reply. */
static bool take_reply(struct farnova *fs)
{
	if (fs->reply.op != PROTO_STAGING)
		return call_reply(fs, &fs->reply);
	int error = staging_ring_reply(fs, &fs->reply);
	if (error && error != -EPROTO)
		call_refuse_staged(fs, error);
	return error != -EPROTO;
}

static void receive_reply(struct farnova *fs, const void *data, uint32_t length)
{
	const char *why = "it answers what was not asked";

	if (proto_decode_reply(data, length, &fs->reply, &why) != 0 || !take_reply(fs)) {
		connection_lose(&fs->link, -EPROTO, why);
		return;
	}
	slots_window(fs, fs->reply.slots, fs->reply.window);
	/* Only after the layout information of the reply has been applied. */
	layout_see(&fs->layouts, fs->reply.invalidation);
}

void receive_message(struct connection *link, const void *data, uint32_t length)
{
	struct farnova *fs = farnova_of(link);

	link->counts.received++;
	if (proto_is_recall(data, length))
		receive_recall(fs, data, length);
	else
		receive_reply(fs, data, length);
}

void receive_polled(struct connection *link)
{
	struct farnova *fs = farnova_of(link);

	if (!TAILQ_EMPTY(&fs->unsent) || fs->unsettled > 0)
		call_pump(fs);
}

void receive_lost(struct connection *link)
{
	struct farnova *fs = farnova_of(link);

	fs->staging_region = NULL;
	staging_ring_lost(fs);
	fs->lane.bounce.region = NULL;
	channels_lose(fs);
	call_lost(fs);
	layout_drop_all(&fs->layouts);
}

int64_t receive_tick(struct connection *link, bool idle)
{
	struct farnova *fs = farnova_of(link);
	int64_t lease_ns = fs->session.lease_ms * CLOCK_NS_PER_MS;

	if (link->state != CONNECTION_UP)
		return lease_ns / 6;
	int64_t quiet_ns = connection_check_silence(link, lease_ns);
	bool behind = layout_channels_behind(&fs->layouts);
	if (behind)
		channels_look(fs);
	if (link->state == CONNECTION_UP && idle)
		slots_flush_closes(fs, 0);
	return_layouts(fs, idle);
	if (link->state == CONNECTION_UP)
		staging_ring_tick(fs);
	if (link->state == CONNECTION_UP && quiet_ns > lease_ns / 3)
		slots_ping(fs);
	return behind ? BEHIND_NS : lease_ns / 6;
}
