/* tcp_output.c -- the ordered output of a connection, gathered from a ring and from the memory of regions. */
#include "common/transport/tcp/tcp_output.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define GATHER       64            /* parts in one system call */
#define DETACH_LIMIT (16ull << 20) /* bytes copied for a region that is deregistered while being sent */

static uint64_t power_of_two(uint64_t at_least)
{
	uint64_t size = 64;

	while (size < at_least)
		size *= 2;
	return size;
}

int tcp_output_init(struct tcp_output *output, const struct transport_hello *own, const struct transport_hello *theirs)
{
	/* One response for each operation, and a credit, an acknowledgement and an error frame. */
	uint64_t reserve = TCP_HEADER_SIZE * ((uint64_t)theirs->operations + 4);

	*output = (struct tcp_output){
	    .ring_size = power_of_two(reserve + 4ull * (theirs->message_size + TCP_HEADER_SIZE) +
	                              (uint64_t)own->operations * TCP_HEADER_SIZE),
	    .capacity = (uint32_t)power_of_two(2 * theirs->operations + 8 + 2 * own->operations + 8),
	    .ring_reserve = reserve,
	    .segment_reserve = 2 * theirs->operations + 8,
	};
	output->ring = malloc(output->ring_size);
	output->segments = calloc(output->capacity, sizeof(*output->segments));
	if (output->ring == NULL || output->segments == NULL) {
		tcp_output_fini(output);
		return -ENOMEM;
	}
	return 0;
}

static struct tcp_segment *segment(struct tcp_output *output, uint32_t position)
{
	return &output->segments[position & (output->capacity - 1)];
}

static void drop_first(struct tcp_output *output)
{
	struct tcp_segment *first = segment(output, output->head++);

	output->answers -= first->answers;
	if (first->region != NULL)
		first->region->unsent--;
	free(first->owned);
	output->head_started = false;
}

void tcp_output_forget(struct tcp_output *output)
{
	while (!tcp_output_empty(output))
		drop_first(output);
	output->ring_head = output->ring_tail = 0;
}

void tcp_output_fini(struct tcp_output *output)
{
	tcp_output_forget(output);
	free(output->ring);
	free(output->segments);
	*output = (struct tcp_output){0};
}

bool tcp_output_has_room(const struct tcp_output *output, uint64_t bytes)
{
	uint64_t used = output->ring_tail - output->ring_head;
	uint32_t segments = output->tail - output->head;

	return used + bytes + output->ring_reserve <= output->ring_size &&
	       segments + 2 + output->segment_reserve <= output->capacity;
}

bool tcp_output_has_reserve(const struct tcp_output *output)
{
	uint64_t used = output->ring_tail - output->ring_head;

	return used + TCP_HEADER_SIZE <= output->ring_size && output->tail - output->head + 2 <= output->capacity;
}

static void append_ring(struct tcp_output *output, const void *bytes, uint64_t length, uint32_t answers)
{
	uint64_t at = output->ring_tail & (output->ring_size - 1);
	uint64_t first = output->ring_size - at < length ? output->ring_size - at : length;
	struct tcp_segment *last = segment(output, output->tail - 1);
	bool started = output->head_started && output->tail - output->head == 1;

	memcpy(output->ring + at, bytes, first);
	memcpy(output->ring, (const uint8_t *)bytes + first, length - first);
	output->ring_tail += length;
	output->answers += answers;
	if (!tcp_output_empty(output) && !started && last->external == NULL) {
		last->length += length;
		last->answers += answers;
		return;
	}
	*segment(output, output->tail++) = (struct tcp_segment){.length = length, .answers = answers};
}

void tcp_output_frame(struct tcp_output *output, const struct tcp_frame *frame, uint32_t answers)
{
	uint8_t header[TCP_HEADER_SIZE];

	tcp_frame_encode(frame, header);
	append_ring(output, header, sizeof(header), answers);
}

void tcp_output_copy(struct tcp_output *output, const struct iovec *iov, int count)
{
	for (int i = 0; i < count; i++)
		if (iov[i].iov_len > 0)
			append_ring(output, iov[i].iov_base, iov[i].iov_len, 0);
}

void tcp_output_external(struct tcp_output *output, const void *bytes, uint64_t length, struct tcp_region *region,
                         uint32_t answers)
{
	*segment(output, output->tail++) =
	    (struct tcp_segment){.external = bytes, .length = length, .region = region, .answers = answers};
	output->answers += answers;
	if (region != NULL)
		region->unsent++;
}

/* Gather the first parts, up to `most` bytes. */
static int gather(struct tcp_output *output, struct iovec *iov, uint64_t most)
{
	uint64_t position = output->ring_head;
	int count = 0;

	for (uint32_t i = output->head; i != output->tail && count <= GATHER - 2 && most > 0; i++) {
		const struct tcp_segment *part = segment(output, i);
		uint64_t at = position & (output->ring_size - 1), whole;
		uint64_t length = part->length < most ? part->length : most;

		most -= length;
		if (part->external != NULL) {
			iov[count++] = (struct iovec){(void *)part->external, length};
			continue;
		}
		whole = output->ring_size - at < length ? output->ring_size - at : length;
		iov[count++] = (struct iovec){output->ring + at, whole};
		if (whole < length)
			iov[count++] = (struct iovec){output->ring, length - whole};
		position += length;
	}
	return count;
}

static void advance(struct tcp_output *output, uint64_t sent)
{
	while (sent > 0) {
		struct tcp_segment *first = segment(output, output->head);
		uint64_t part = sent < first->length ? sent : first->length;

		if (first->external == NULL)
			output->ring_head += part;
		else
			first->external += part;
		first->length -= part;
		sent -= part;
		output->head_started = true;
		if (first->length == 0)
			drop_first(output);
	}
	/* Start at offset 0 again, so that a connection that never queues much touches little memory. */
	if (output->ring_head == output->ring_tail)
		output->ring_head = output->ring_tail = 0;
}

int tcp_output_flush(struct tcp_output *output, int fd)
{
	uint64_t most = TCP_FLUSH_MOST;
	struct iovec iov[GATHER];

	while (!tcp_output_empty(output)) {
		struct msghdr message = {.msg_iov = iov, .msg_iovlen = (size_t)gather(output, iov, most)};
		ssize_t sent = sendmsg(fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (sent < 0 && errno == EINTR)
			continue;
		if (sent < 0)
			return errno == EWOULDBLOCK ? -EAGAIN : -errno;
		advance(output, (uint64_t)sent);
		most -= (uint64_t)sent;
		if (most == 0)
			return tcp_output_empty(output) ? 0 : 1;
	}
	return 0;
}

int tcp_output_detach(struct tcp_output *output, struct tcp_region *region)
{
	uint64_t copied = 0;

	for (uint32_t i = output->head; i != output->tail && region->unsent > 0; i++) {
		struct tcp_segment *part = segment(output, i);

		if (part->region != region)
			continue;
		copied += part->length;
		if (copied > DETACH_LIMIT)
			return -ENOBUFS;
		part->owned = malloc(part->length);
		if (part->owned == NULL)
			return -ENOMEM;
		memcpy(part->owned, part->external, part->length);
		part->external = part->owned;
		part->region = NULL;
		region->unsent--;
	}
	return 0;
}
