/* tcp_wire.c -- the frames of the tcp transport. */
#include "common/transport/tcp/tcp_wire.h"

#include <errno.h>
#include <string.h>

#define TCP_MAGIC   0x3141564f4e524146ull /* "FARNOVA1" */
#define TCP_VERSION 2u

struct wire_header {
	uint8_t type;
	uint8_t flags;
	le16 credits;
	le32 length;
	le64 remote;
	le64 key;
};
static_assert(sizeof(struct wire_header) == TCP_HEADER_SIZE, "header");

struct wire_hello {
	struct wire_header header;
	le64 magic;
	le32 version;
	le32 message_size;
	le32 receive_depth;
	le32 operations;
};
static_assert(sizeof(struct wire_hello) == TCP_HELLO_SIZE, "hello");

void tcp_frame_encode(const struct tcp_frame *frame, uint8_t out[TCP_HEADER_SIZE])
{
	struct wire_header wire = {
	    .type = (uint8_t)frame->type,
	    .flags = frame->wants_ack ? TCP_FLAG_ACK : 0,
	    .credits = le16_of(frame->credits),
	    .length = le32_of(frame->length),
	    .remote = le64_of(frame->remote),
	    .key = le64_of(frame->key),
	};

	memcpy(out, &wire, sizeof(wire));
}

static int refuse(const char **reason, const char *text)
{
	*reason = text;
	return -EPROTO;
}

int tcp_frame_decode(const uint8_t bytes[TCP_HEADER_SIZE], struct tcp_frame *frame, const char **reason)
{
	struct wire_header wire;

	memcpy(&wire, bytes, sizeof(wire));
	*frame = (struct tcp_frame){
	    .type = (enum tcp_frame_type)wire.type,
	    .wants_ack = wire.flags == TCP_FLAG_ACK,
	    .credits = le16_get(wire.credits),
	    .length = le32_get(wire.length),
	    .remote = le64_get(wire.remote),
	    .key = le64_get(wire.key),
	};
	if (wire.type < TCP_HELLO || wire.type > TCP_ERROR)
		return refuse(reason, "unknown frame type");
	if (wire.flags != 0 && !(frame->type == TCP_WRITE && wire.flags == TCP_FLAG_ACK))
		return refuse(reason, "unknown flags");
	if (frame->type != TCP_HELLO && frame->type != TCP_READ_REQUEST && frame->type != TCP_WRITE &&
	    (frame->remote | frame->key) != 0)
		return refuse(reason, "an address in a frame that has none");
	switch (frame->type) {
	case TCP_HELLO:
		if (frame->length != TCP_HELLO_SIZE - TCP_HEADER_SIZE || frame->credits != 0)
			return refuse(reason, "malformed hello");
		return 0;
	case TCP_MESSAGE:
		if (frame->length == 0 || frame->length > TRANSPORT_MESSAGE_LIMIT)
			return refuse(reason, "message length out of range");
		return 0;
	case TCP_READ_REQUEST:
	case TCP_READ_RESPONSE:
	case TCP_WRITE:
		if (frame->length == 0 || frame->length > TCP_OPERATION_LIMIT)
			return refuse(reason, "length of a read or write out of range");
		return 0;
	case TCP_WRITE_ACK:
		if (frame->length == 0 || frame->length > TRANSPORT_OPERATION_LIMIT)
			return refuse(reason, "count of acknowledged writes out of range");
		return 0;
	case TCP_CREDIT:
		if (frame->length != 0 || frame->credits == 0)
			return refuse(reason, "malformed credit");
		return 0;
	case TCP_ERROR:
		if (frame->length == 0 || frame->length > 4095)
			return refuse(reason, "malformed error");
		return 0;
	}
	return refuse(reason, "unknown frame type");
}

void tcp_hello_encode(const struct transport_hello *hello, uint8_t out[TCP_HELLO_SIZE])
{
	struct wire_hello wire = {
	    .magic = le64_of(TCP_MAGIC),
	    .version = le32_of(TCP_VERSION),
	    .message_size = le32_of(hello->message_size),
	    .receive_depth = le32_of(hello->receive_depth),
	    .operations = le32_of(hello->operations),
	};

	memcpy(out, &wire, sizeof(wire));
	tcp_frame_encode(&(struct tcp_frame){.type = TCP_HELLO,
	                                     .length = TCP_HELLO_SIZE - TCP_HEADER_SIZE,
	                                     .remote = hello->ticket.number,
	                                     .key = hello->ticket.key},
	                 out);
}

int tcp_hello_decode(const uint8_t bytes[TCP_HELLO_SIZE], struct transport_hello *hello, const char **reason)
{
	struct tcp_frame frame;
	struct wire_hello wire;
	int rc = tcp_frame_decode(bytes, &frame, reason);

	memcpy(&wire, bytes, sizeof(wire));
	if (rc != 0)
		return rc;
	if (frame.type != TCP_HELLO || le64_get(wire.magic) != TCP_MAGIC)
		return refuse(reason, "it does not speak farnova's protocol");
	if (le32_get(wire.version) != TCP_VERSION)
		return refuse(reason, "it speaks another version of farnova's transport");
	hello->message_size = le32_get(wire.message_size);
	hello->receive_depth = le32_get(wire.receive_depth);
	hello->receive_first = hello->receive_depth < TCP_RECEIVE_FIRST ? hello->receive_depth : TCP_RECEIVE_FIRST;
	hello->operations = le32_get(wire.operations);
	hello->ticket = (struct transport_ticket){.number = frame.remote, .key = frame.key};
	if (transport_hello_check(hello) != 0)
		return refuse(reason, "its limits are out of range");
	return 0;
}
