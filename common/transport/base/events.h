/*
 * events.h -- events that a transport has produced before the caller polls for them.
 *
 * The ring always has room for an event: each connection reserves room for all its possible events, and a transport
 * works only while the ring is empty.
 */
#ifndef FARNOVA_COMMON_TRANSPORT_EVENTS_H
#define FARNOVA_COMMON_TRANSPORT_EVENTS_H

#include "common/transport/transport.h"

struct event_ring {
	struct transport_event *slots;
	uint32_t allocated; /* slots, a power of two or 0 */
	uint32_t reserved;
	uint32_t head, tail;
};

/* events_reserve -- reserve room for `count` more events; -ENOMEM. */
int events_reserve(struct event_ring *ring, uint32_t count);
void events_unreserve(struct event_ring *ring, uint32_t count);
void events_destroy(struct event_ring *ring);

void events_push(struct event_ring *ring, const struct transport_event *event);
int events_take(struct event_ring *ring, struct transport_event *events, int max);
/* events_forget -- remove the events of a connection that is being closed. */
void events_forget(struct event_ring *ring, const struct transport_conn *conn);

static inline uint32_t events_ready(const struct event_ring *ring)
{
	return ring->tail - ring->head;
}

#endif
