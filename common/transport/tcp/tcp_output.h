/*
 * tcp_output.h -- what a connection has still to put on its socket, in order.
 *
 * Headers and messages are copied into a ring of bytes; the bytes of writes and of read responses stay where they are
 * and are named by segments. Memory is fixed at the start: posts of this side are refused when there is no room, and a
 * reserve is kept for the responses that the peer may still ask for, so that reading from the peer never has to wait
 * for writing to it (two sides that both waited would wait for ever).
 */
#ifndef FARNOVA_COMMON_TRANSPORT_TCP_OUTPUT_H
#define FARNOVA_COMMON_TRANSPORT_TCP_OUTPUT_H

#include "common/transport/tcp/tcp_wire.h"

struct tcp_region {
	struct transport_region base;
	uint32_t index;       /* in the connection's table */
	uint32_t unsent;      /* segments of responses that lie in it */
	uint32_t local_users; /* operations of this side that use it as the local end */
};

struct tcp_segment {
	const uint8_t *external; /* NULL: the next bytes of the ring */
	uint64_t length;
	struct tcp_region *region; /* external bytes of a read response lie in it */
	uint8_t *owned;            /* a copy that replaced them */
	uint32_t answers;          /* operations of the peer that are answered once this is out */
};

struct tcp_output {
	uint8_t *ring;
	uint64_t ring_size, ring_head, ring_tail;
	struct tcp_segment *segments;
	uint32_t capacity, head, tail;
	uint64_t ring_reserve;
	uint32_t segment_reserve;
	bool head_started; /* part of the first segment is out: it must not grow any more */
	uint32_t answers;  /* operations of the peer that are not yet answered in full */
};

int tcp_output_init(struct tcp_output *output, const struct transport_hello *own, const struct transport_hello *theirs);
void tcp_output_fini(struct tcp_output *output);
/* tcp_output_forget -- the connection has ended: nothing more goes out, and no region is held any longer. */
void tcp_output_forget(struct tcp_output *output);

static inline bool tcp_output_empty(const struct tcp_output *output)
{
	return output->head == output->tail;
}

/* tcp_output_has_room -- for a post of this side of `bytes` in the ring, beyond the reserve. */
bool tcp_output_has_room(const struct tcp_output *output, uint64_t bytes);
/* tcp_output_has_reserve -- for one more frame without a body, within the reserve. */
bool tcp_output_has_reserve(const struct tcp_output *output);

/* The caller has made sure of the room. */
void tcp_output_frame(struct tcp_output *output, const struct tcp_frame *frame, uint32_t answers);
void tcp_output_copy(struct tcp_output *output, const struct iovec *iov, int count);
void tcp_output_external(struct tcp_output *output, const void *bytes, uint64_t length, struct tcp_region *region,
                         uint32_t answers);

/* tcp_output_flush -- hand to the socket what it takes, up to TCP_FLUSH_MOST; 0: all out; 1: it would take more;
 * -EAGAIN: the rest once it is writable; other -errno: broken. */
#define TCP_FLUSH_MOST (256u * 1024) /* so that a peer that asks for much does not keep others waiting */
int tcp_output_flush(struct tcp_output *output, int fd);

/* tcp_output_detach -- copy what is still to be sent from the region, for it is about to go; -ENOMEM, or -ENOBUFS where
 * it would be too much to keep. */
int tcp_output_detach(struct tcp_output *output, struct tcp_region *region);

#endif
