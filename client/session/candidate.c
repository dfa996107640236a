/*
 * candidate.c -- a new connection that is not in use yet: it is made, and carries one request at a time.
 */
#include "client/session/candidate.h"

#include "common/clock.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

/* left_ms -- the remaining time of a wait of at most `limit_ms`. */
static int left_ms(const struct candidate *candidate, int limit_ms)
{
	int64_t left = limit_ms;

	if (candidate->deadline_ns) {
		left = (candidate->deadline_ns - clock_now_ns()) / CLOCK_NS_PER_MS;
		left = left < 0 ? 0 : left < limit_ms ? left : limit_ms;
	}
	return (int)left;
}

int candidate_trouble(struct candidate *candidate, int error, const char *what)
{
	char words[128];
	snprintf(candidate->why, sizeof(candidate->why), "%s: %s", what, strerror_r(-error, words, sizeof(words)));
	return error;
}

void candidate_discard(struct candidate *candidate)
{
	if (candidate->conn)
		transport_close(candidate->conn);
	if (candidate->queue)
		transport_queue_destroy(candidate->queue);
	candidate->conn = NULL;
	candidate->queue = NULL;
}

int candidate_next_message(struct candidate *candidate, int64_t deadline_ns, struct transport_event *event)
{
	for (;;) {
		int count = transport_poll(candidate->queue, event, 1);
		if (count < 0)
			return count;
		if (count > 0 && event->type == TRANSPORT_CLOSED)
			return event->status;
		if (count > 0 && event->type == TRANSPORT_MESSAGE)
			return 0;
		if (count > 0)
			continue;
		int64_t left = (deadline_ns - clock_now_ns()) / CLOCK_NS_PER_MS;
		if (left <= 0)
			return -ETIMEDOUT;
		if (candidate->poller && atomic_load(&candidate->poller->stop))
			return -ECANCELED;
		struct pollfd fds[2] = {
		    {.fd = transport_fd(candidate->queue), .events = POLLIN},
		    {.fd = candidate->poller ? candidate->poller->background_wake_fd : -1, .events = POLLIN}};
		if (transport_arm(candidate->queue) == 0 && poll(fds, 2, (int)left) > 0 && fds[1].revents)
			poller_take_wake(candidate->poller);
	}
}

int candidate_connect(struct candidate *candidate, enum transport_kind kind, const struct url *url,
                      const struct transport_options *options, int timeout_ms)
{
	candidate->queue = NULL;
	candidate->conn = NULL;
	int error = transport_queue_create(kind, &candidate->queue);
	if (error)
		return candidate_trouble(candidate, error, "cannot make a completion queue");
	return transport_connect(candidate->queue, url->host, url->port, options, left_ms(candidate, timeout_ms),
	                         &candidate->conn, candidate->why, sizeof(candidate->why));
}

int candidate_ask(struct candidate *candidate, struct proto_request *request, int timeout_ms, uint8_t *buffer,
                  size_t size, struct proto_reply *reply)
{
	int64_t deadline_ns = clock_now_ns() + left_ms(candidate, timeout_ms) * CLOCK_NS_PER_MS;
	struct transport_event event;
	const char *why;
	int length, error;

	request->quiesced = request->close_first = 0;
	length = proto_encode_request(request, buffer, size);
	if (length < 0)
		return length;
	struct iovec iov = {.iov_base = buffer, .iov_len = (size_t)length};
	error = transport_send(candidate->conn, &iov, 1, 0);
	if (error)
		return error;
	for (;;) {
		error = candidate_next_message(candidate, deadline_ns, &event);
		if (error)
			return error;
		bool recall = proto_is_recall(event.data, event.length);
		if (!recall)
			error = proto_decode_reply(event.data, event.length, reply, &why);
		if (!recall && !error)
			snprintf(candidate->reason, sizeof(candidate->reason), "%.*s", (int)reply->reason.length,
			         reply->reason.length ? reply->reason.data : "");
		transport_release(candidate->conn, event.data);
		if (error)
			return -EPROTO;
		/* A recall needs no action: no layout has been granted on this connection yet. */
		if (recall)
			continue;
		if (reply->slot != request->slot || reply->sequence != request->sequence)
			return -EPROTO;
		/* A PING in slot 0 may get the cached reply to the request that the slot had before the connection was
		 * lost. */
		return reply->op == request->op || request->op == PROTO_PING ? 0 : -EPROTO;
	}
}
