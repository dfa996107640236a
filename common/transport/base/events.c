/* events.c -- the ring of pending events. */
#include "common/transport/base/events.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

static struct transport_event *slot(const struct event_ring *ring, uint32_t position)
{
	return &ring->slots[position & (ring->allocated - 1)];
}

int events_reserve(struct event_ring *ring, uint32_t count)
{
	uint32_t need = ring->reserved + count, size = ring->allocated ? ring->allocated : 64;
	struct transport_event *slots;

	if (need < count || need > UINT32_MAX / 4)
		return -ENOMEM;
	while (size < need)
		size *= 2;
	if (size != ring->allocated) {
		slots = calloc(size, sizeof(*slots));
		if (slots == NULL)
			return -ENOMEM;
		for (uint32_t i = ring->head; i != ring->tail; i++)
			slots[i & (size - 1)] = *slot(ring, i);
		free(ring->slots);
		ring->slots = slots;
		ring->allocated = size;
	}
	ring->reserved = need;
	return 0;
}

void events_unreserve(struct event_ring *ring, uint32_t count)
{
	ring->reserved -= count;
}

void events_destroy(struct event_ring *ring)
{
	free(ring->slots);
	*ring = (struct event_ring){0};
}

void events_push(struct event_ring *ring, const struct transport_event *event)
{
	assert(events_ready(ring) < ring->allocated);
	*slot(ring, ring->tail++) = *event;
}

int events_take(struct event_ring *ring, struct transport_event *events, int max)
{
	int count = 0;

	while (count < max && ring->head != ring->tail)
		events[count++] = *slot(ring, ring->head++);
	return count;
}

void events_forget(struct event_ring *ring, const struct transport_conn *conn)
{
	uint32_t kept = ring->head;

	for (uint32_t i = ring->head; i != ring->tail; i++)
		if (slot(ring, i)->conn != conn)
			*slot(ring, kept++) = *slot(ring, i);
	ring->tail = kept;
}
