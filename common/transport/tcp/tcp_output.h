/*
 * tcp_output.h -- the pending output of a connection, in order.
 *
 * Headers and messages are copied into a ring of bytes. The data of writes and read responses stay where they are;
 * segments refer to them. All memory is allocated at the start: posts of this side are refused without room, and a
 * reserve is kept for responses that the peer may still request. So reading from the peer never waits for writing to it
 * (if both sides waited, they would wait for ever).
 */
#ifndef FARNOVA_COMMON_TRANSPORT_TCP_OUTPUT_H
#define FARNOVA_COMMON_TRANSPORT_TCP_OUTPUT_H

#include "common/transport/tcp/tcp_wire.h"

struct tcp_region {
	struct transport_region base;
	uint32_t index;       /* index in the connection's table */
	uint32_t unsent;      /* segments of responses that refer to it */
	uint32_t local_users; /* operations of this side that use it as their local end */
};

struct tcp_segment {
	const uint8_t *external; /* NULL: the next bytes of the ring */
	uint64_t length;
	struct tcp_region *region; /* the region of the external bytes of a read response */
	uint8_t *owned;            /* a copy that replaces the external bytes */
	uint32_t answers;          /* operations of the peer that are answered when this is sent */
};

struct tcp_output {
	uint8_t *ring;
	uint64_t ring_size, ring_head, ring_tail;
	struct tcp_segment *segments;
	uint32_t capacity, head, tail;
	uint64_t ring_reserve;
	uint32_t segment_reserve;
	bool head_started; /* part of the first segment was sent: it must not grow any more */
	uint32_t answers;  /* operations of the peer that are not completely answered yet */
};

int tcp_output_init(struct tcp_output *output, const struct transport_hello *own, const struct transport_hello *theirs);
void tcp_output_fini(struct tcp_output *output);
/* tcp_output_forget -- the connection has ended: drop all output and all references to regions. */
void tcp_output_forget(struct tcp_output *output);

static inline bool tcp_output_empty(const struct tcp_output *output)
{
	return output->head == output->tail;
}

/* tcp_output_has_room -- whether there is room for a post of this side with `bytes` in the ring, apart from the
 * reserve. */
bool tcp_output_has_room(const struct tcp_output *output, uint64_t bytes);
/* tcp_output_has_reserve -- whether the reserve has room for another frame without a body. */
bool tcp_output_has_reserve(const struct tcp_output *output);

/* The caller has checked that there is room. */
void tcp_output_frame(struct tcp_output *output, const struct tcp_frame *frame, uint32_t answers);
void tcp_output_copy(struct tcp_output *output, const struct iovec *iov, int count);
void tcp_output_external(struct tcp_output *output, const void *bytes, uint64_t length, struct tcp_region *region,
                         uint32_t answers);

/* tcp_output_flush -- send up to TCP_FLUSH_MOST to the socket. 0: all sent; 1: the socket would accept more; -EAGAIN:
 * continue when it is writable; other -errno: the connection is broken. */
#define TCP_FLUSH_MOST (256u * 1024) /* limit, so that a peer that requests much does not delay others */
int tcp_output_flush(struct tcp_output *output, int fd);

/* tcp_output_detach -- copy unsent data of a region that is about to be deregistered; -ENOMEM, or -ENOBUFS if it is too
 * much. */
int tcp_output_detach(struct tcp_output *output, struct tcp_region *region);

#endif
