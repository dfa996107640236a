/*
 * tcp_wire.h -- the frames of the tcp transport: layout, and the one place that validates headers.
 *
 * A connection begins with one hello in each direction. Every frame has a header of 24 bytes; some types have a body of
 * `length` bytes.
 */
#ifndef FARNOVA_COMMON_TRANSPORT_TCP_WIRE_H
#define FARNOVA_COMMON_TRANSPORT_TCP_WIRE_H

#include <assert.h>
#include <stdbool.h>

#include "common/le.h"
#include "common/transport/base/internal.h"

#define TCP_HEADER_SIZE     24
#define TCP_RECEIVE_FIRST   64u /* receive buffers of a new connection, or all if that is fewer */
#define TCP_HELLO_SIZE      48  /* header and body */
#define TCP_OPERATION_LIMIT (1u << 30)

enum tcp_frame_type {
	TCP_HELLO = 1,     /* body: the limits of the sender */
	TCP_MESSAGE,       /* body: the message */
	TCP_READ_REQUEST,  /* requests length bytes at (remote, key); no body */
	TCP_READ_RESPONSE, /* body: the data of the oldest unanswered read */
	TCP_WRITE,         /* body: to be stored at (remote, key) */
	TCP_WRITE_ACK,     /* the `length` oldest writes that requested it are done; no body */
	TCP_CREDIT,        /* only the credits that every header carries */
	TCP_ERROR,         /* length: an errno; the sender has ended the connection */
};

#define TCP_FLAG_ACK 1u /* in a write: acknowledge it when it is done */

struct tcp_frame {
	enum tcp_frame_type type;
	bool wants_ack;
	uint16_t credits;
	uint32_t length;
	uint64_t remote;
	uint64_t key;
};

void tcp_frame_encode(const struct tcp_frame *frame, uint8_t out[TCP_HEADER_SIZE]);

/* tcp_frame_decode -- -EPROTO, with the reason as text, for an invalid header. The receiver checks limits that depend
 * on the connection (message size, keys, credits). */
int tcp_frame_decode(const uint8_t bytes[TCP_HEADER_SIZE], struct tcp_frame *frame, const char **reason);

void tcp_hello_encode(const struct transport_hello *hello, uint8_t out[TCP_HELLO_SIZE]);
int tcp_hello_decode(const uint8_t bytes[TCP_HELLO_SIZE], struct transport_hello *hello, const char **reason);

#endif
