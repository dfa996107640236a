/*
 * tcp_input.c -- input from the peer: frames are read from the socket, validated and executed.
 *
 * All input is hostile until validated. The peer's reads and writes are executed against the connection's own table of
 * regions. A body is received directly at its destination, so at most a header is kept between two calls.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "common/transport/tcp/tcp.h"

#define RECEIVE_MOST (128u * 1024) /* of a body in one system call */
#define LONG_BODY    (16u * 1024)
#define BETWEEN_LONG 1024u /* received with the end of a long body: the next header, or a short message */

static struct tcp_slot *take_slot(struct tcp_conn *conn)
{
	struct tcp_slot *slot = conn->free_slots;
	size_t size = (conn->base.own.message_size + 63u) & ~63u;

	if (slot != NULL) {
		conn->free_slots = slot->next;
		conn->free_slot_count--;
		return slot;
	}
	slot = aligned_alloc(64, sizeof(*slot) + size);
	if (slot == NULL)
		return NULL;
	LIST_INSERT_HEAD(&conn->all_slots, slot, of_all);
	conn->slots++;
	return slot;
}

static void begin_body(struct tcp_conn *conn, uint8_t *destination)
{
	conn->input.in_body = true;
	conn->input.destination = destination;
	conn->input.remaining = conn->input.frame.length;
}

/* Credits that the peer has, or that are on their way. */
static uint32_t credits_left(const struct tcp_conn *conn)
{
	const struct credits *credits = &conn->base.credits;

	return credits->depth - credits->owed - (conn->slots - conn->free_slot_count);
}

/* The peer has used half of its credits, and the user may hold all messages for long: give it as many as it may have.
 * They cost nothing until they are used. */
static void grow(struct tcp_conn *conn)
{
	struct credits *credits = &conn->base.credits;

	if (credits->depth >= conn->base.receive_limit)
		return;
	credits->owed += conn->base.receive_limit - credits->depth;
	credits->depth = conn->base.receive_limit;
	conn->credits_awaited = true;
}

static void begin_message(struct tcp_conn *conn, const struct tcp_frame *frame)
{
	struct tcp_slot *slot;

	if (frame->length > conn->base.own.message_size) {
		tcp_conn_fail(conn, -EPROTO, "message larger than this side receives");
		return;
	}
	if (credits_left(conn) == 0) {
		tcp_conn_fail(conn, -EPROTO, "message without a credit");
		return;
	}
	slot = take_slot(conn);
	if (slot == NULL) {
		tcp_conn_fail(conn, -ENOMEM, "no memory for a message");
		return;
	}
	conn->input.slot = slot;
	if (credits_left(conn) <= conn->base.credits.depth / 2)
		grow(conn);
	begin_body(conn, slot->data);
}

static void send_acks(struct tcp_conn *conn)
{
	if (conn->acks == 0)
		return;
	tcp_conn_frame(conn, (struct tcp_frame){.type = TCP_WRITE_ACK, .length = conn->acks}, conn->acks);
	conn->acks = 0;
}

/* Whether the peer exceeds the number of outstanding operations of its hello; the output's reserve has that size. */
static bool too_many(const struct tcp_conn *conn)
{
	return conn->output.answers + conn->acks >= conn->base.theirs.operations;
}

static void execute_read(struct tcp_conn *conn, const struct tcp_frame *frame)
{
	struct tcp_region *region;

	if (too_many(conn)) {
		tcp_conn_fail(conn, -EPROTO, "more outstanding operations than agreed");
		return;
	}
	region = tcp_conn_region(conn, frame->key, frame->remote, frame->length, TRANSPORT_REMOTE_READ);
	if (region == NULL) {
		tcp_conn_fail(conn, -EACCES, "read outside what the key allows");
		return;
	}
	send_acks(conn); /* answers are sent in the order of the operations */
	tcp_conn_frame(conn, (struct tcp_frame){.type = TCP_READ_RESPONSE, .length = frame->length}, 0);
	tcp_output_external(&conn->output, region->base.address + (frame->remote - region->base.base), frame->length,
	                    region, 1);
}

static void begin_write(struct tcp_conn *conn, const struct tcp_frame *frame)
{
	struct tcp_region *region;

	if (frame->wants_ack && too_many(conn)) {
		tcp_conn_fail(conn, -EPROTO, "more outstanding operations than agreed");
		return;
	}
	region = tcp_conn_region(conn, frame->key, frame->remote, frame->length, TRANSPORT_REMOTE_WRITE);
	if (region == NULL) {
		tcp_conn_fail(conn, -EACCES, "write outside what the key allows");
		return;
	}
	conn->input.region = region;
	begin_body(conn, region->base.address + (frame->remote - region->base.base));
}

static struct tcp_operation *oldest_operation(const struct tcp_conn *conn)
{
	if (conn->operation_head == conn->operation_tail)
		return NULL;
	return &conn->operations[conn->operation_head & conn->operation_mask];
}

static void finish_operation(struct tcp_conn *conn, const struct tcp_operation *operation)
{
	conn->operation_head++;
	if (operation->region != NULL)
		operation->region->local_users--;
	if (operation->context != NULL)
		transport_push_done(&conn->base, operation->context);
}

static void begin_response(struct tcp_conn *conn, const struct tcp_frame *frame)
{
	struct tcp_operation *operation = oldest_operation(conn);

	if (operation == NULL || operation->local == NULL || operation->length != frame->length)
		tcp_conn_fail(conn, -EPROTO, "answer to a read that was not asked for");
	else
		begin_body(conn, operation->local);
}

static void take_acks(struct tcp_conn *conn, uint32_t count)
{
	for (; count > 0; count--) {
		struct tcp_operation *operation = oldest_operation(conn);

		if (operation == NULL || operation->local != NULL) {
			tcp_conn_fail(conn, -EPROTO, "acknowledgement of a write that was not sent");
			return;
		}
		finish_operation(conn, operation);
	}
}

static void begin_frame(struct tcp_conn *conn, const uint8_t header[TCP_HEADER_SIZE])
{
	struct tcp_frame *frame = &conn->input.frame;
	const char *reason;

	if (tcp_frame_decode(header, frame, &reason) != 0) {
		tcp_conn_fail(conn, -EPROTO, reason);
		return;
	}
	if (credits_grant(&conn->base.credits, frame->credits) != 0) {
		tcp_conn_fail(conn, -EPROTO, "more credits than were taken");
		return;
	}
	switch (frame->type) {
	case TCP_HELLO:
		tcp_conn_fail(conn, -EPROTO, "second hello");
		return;
	case TCP_MESSAGE:
		begin_message(conn, frame);
		return;
	case TCP_READ_REQUEST:
		execute_read(conn, frame);
		return;
	case TCP_READ_RESPONSE:
		begin_response(conn, frame);
		return;
	case TCP_WRITE:
		begin_write(conn, frame);
		return;
	case TCP_WRITE_ACK:
		take_acks(conn, frame->length);
		return;
	case TCP_CREDIT:
		return;
	case TCP_ERROR:
		tcp_conn_fail(conn, -(int)frame->length, NULL);
		return;
	}
}

static void end_body(struct tcp_conn *conn)
{
	struct tcp_input *input = &conn->input;

	input->in_body = false;
	if (input->frame.type == TCP_MESSAGE) {
		transport_push_message(&conn->base, input->slot->data, input->frame.length);
		input->slot = NULL;
	} else if (input->frame.type == TCP_READ_RESPONSE) {
		finish_operation(conn, oldest_operation(conn));
	} else if (input->frame.wants_ack) {
		conn->acks++;
	}
}

static void advance_body(struct tcp_conn *conn, size_t count)
{
	conn->input.destination += count;
	conn->input.remaining -= count;
	if (conn->input.remaining == 0)
		end_body(conn);
}

static void take_bytes(struct tcp_conn *conn, const uint8_t *bytes, size_t count)
{
	struct tcp_input *input = &conn->input;

	while (count > 0 && !conn->base.dead) {
		size_t part;

		if (input->in_body) {
			part = count < input->remaining ? count : input->remaining;
			memcpy(input->destination, bytes, part);
			advance_body(conn, part);
		} else if (input->have == 0 && count >= TCP_HEADER_SIZE) {
			part = TCP_HEADER_SIZE;
			begin_frame(conn, bytes);
		} else {
			part = TCP_HEADER_SIZE - input->have;
			part = count < part ? count : part;
			memcpy(input->header + input->have, bytes, part);
			input->have += (uint32_t)part;
			if (input->have == TCP_HEADER_SIZE) {
				input->have = 0;
				begin_frame(conn, input->header);
			}
		}
		bytes += part;
		count -= part;
	}
}

static void answer(struct tcp_conn *conn)
{
	if (conn->base.dead)
		return;
	send_acks(conn);
	if (!tcp_output_empty(&conn->output) || conn->credits_awaited)
		tcp_conn_flush(conn);
}

void tcp_input_bytes(struct tcp_conn *conn, const uint8_t *bytes, size_t count)
{
	take_bytes(conn, bytes, count);
	answer(conn);
}

/* How much to receive into the queue's buffer. A long body is often followed by another one, which should be received
 * at its destination too, and not be copied there. */
static size_t behind_body(const struct tcp_conn *conn)
{
	const struct tcp_operation *operation = oldest_operation(conn);
	bool within = conn->input.in_body && conn->input.frame.length >= LONG_BODY;
	bool expected = operation != NULL && operation->local != NULL && operation->length >= LONG_BODY;

	return within || expected ? BETWEEN_LONG : tcp_queue_of(conn)->buffer_size;
}

void tcp_input_receive(struct tcp_conn *conn)
{
	struct tcp_queue *queue = tcp_queue_of(conn);
	size_t body = conn->input.in_body ? conn->input.remaining : 0;
	ssize_t count;

	/* Receive a long body in parts, so that other connections are served in between. */
	bool whole = body <= RECEIVE_MOST;
	if (!whole)
		body = RECEIVE_MOST;
	size_t behind = behind_body(conn);
	struct iovec iov[2] = {{conn->input.destination, body}, {queue->buffer, behind}};
	struct msghdr message = {.msg_iov = iov, .msg_iovlen = whole ? 2 : 1};

	do
		count = body > 0 ? recvmsg(conn->fd, &message, MSG_DONTWAIT)
		                 : recv(conn->fd, queue->buffer, behind, MSG_DONTWAIT);
	while (count < 0 && errno == EINTR);
	if (count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
		return;
	if (count <= 0) {
		tcp_conn_fail(conn, count == 0 ? -ECONNRESET : -errno, NULL);
		return;
	}
	queue->base.activity++;
	if ((size_t)count < body)
		body = (size_t)count;
	if (body > 0)
		advance_body(conn, body);
	tcp_input_bytes(conn, queue->buffer, (size_t)count - body);
}
