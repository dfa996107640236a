/*
 * connection.c -- the connection's lock, its end, and what the server's messages do.
 */
#include "client/link/connection.h"

#include "client/session/call.h"
#include "common/clock.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

void connection_lock(struct farnova *fs)
{
	atomic_fetch_add_explicit(&fs->wanted, 1, memory_order_relaxed);
	pthread_mutex_lock(&fs->lock);
	atomic_fetch_sub_explicit(&fs->wanted, 1, memory_order_relaxed);
}

void connection_unlock(struct farnova *fs)
{
	pthread_mutex_unlock(&fs->lock);
}

const char *connection_name(const struct farnova *fs)
{
	return fs->name;
}

void connection_trouble(struct farnova *fs, char *words, size_t size)
{
	connection_lock(fs);
	snprintf(words, size, "%s", fs->state == CONNECTION_UP ? "" : fs->trouble);
	connection_unlock(fs);
}

void connection_lose(struct farnova *fs, int status, const char *why)
{
	char words[128];

	if (fs->state != CONNECTION_UP)
		return;
	snprintf(fs->trouble, sizeof(fs->trouble), "the connection was lost: %s%s%s", why ? why : "", why ? ": " : "",
	         strerror_r(-status, words, sizeof(words)));
	fs->state = CONNECTION_LOST;
	transport_close(fs->conn);
	fs->conn = NULL;
	fs->staging_region = NULL;
	fs->bounce.region = NULL;
	call_lost(fs);
	layout_drop_all(fs);
	poller_wake_all(fs);
}

int connection_send(struct farnova *fs, struct proto_request *request, unsigned flags)
{
	request->quiesced = layout_quiesced(&fs->layouts);
	int length = proto_encode_request(request, fs->message, sizeof(fs->message));
	if (length < 0) {
		connection_lose(fs, length, "a request could not be encoded");
		return length;
	}
	struct iovec iov = {.iov_base = fs->message, .iov_len = (size_t)length};
	int error = transport_send(fs->conn, &iov, 1, flags);
	if (error == 0) {
		fs->counts.requests[request->op]++;
		fs->layouts.quiesced_sent = request->quiesced;
		fs->sent = true;
	} else if (error != -EAGAIN) {
		connection_lose(fs, error, "a request could not be sent");
	}
	return error;
}

static void receive_recall(struct farnova *fs, const void *data, uint32_t length)
{
	struct proto_recall recall;
	const char *why;

	if (proto_decode_recall(data, length, &recall, &why) != 0) {
		connection_lose(fs, -EPROTO, why);
		return;
	}
	layout_recall(&fs->layouts, &recall);
	layout_return(fs, false);
}

static void receive_reply(struct farnova *fs, const void *data, uint32_t length)
{
	const char *why = "it answers what was not asked";

	if (proto_decode_reply(data, length, &fs->reply, &why) != 0 || !call_reply(fs, &fs->reply)) {
		connection_lose(fs, -EPROTO, why);
		return;
	}
	/* Only now: what the reply said of layouts has been acted on. */
	if (fs->reply.invalidation > fs->layouts.seen)
		fs->layouts.seen = fs->reply.invalidation;
}

void connection_message(struct farnova *fs, const void *data, uint32_t length)
{
	fs->counts.received++;
	if (proto_is_recall(data, length))
		receive_recall(fs, data, length);
	else
		receive_reply(fs, data, length);
}

void connection_tick(struct farnova *fs, bool idle)
{
	int64_t now = clock_now_ns();
	int64_t lease_ns = (int64_t)fs->session.lease_ms * 1000000;

	if (fs->state != CONNECTION_UP)
		return;
	if (fs->heard)
		fs->heard_ns = now;
	if (fs->sent)
		fs->sent_ns = now;
	fs->heard = fs->sent = false;
	if (now - fs->heard_ns > lease_ns) {
		connection_lose(fs, -ETIMEDOUT, "the server has been silent for a lease");
		return;
	}
	if (idle)
		call_flush_closes(fs, 0);
	layout_return(fs, idle);
	if (fs->state == CONNECTION_UP && now - fs->sent_ns > lease_ns / 3)
		call_ping(fs);
}
