/*
 * events.h -- events that a transport has ready before the caller asks for them.
 *
 * The ring never fails to take an event: each connection reserves room beforehand for all it can have outstanding, and
 * a transport works only when the ring is empty.
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

/* events_reserve -- make room for `count` more; -ENOMEM. */
int events_reserve(struct event_ring *ring, uint32_t count);
void events_unreserve(struct event_ring *ring, uint32_t count);
void events_destroy(struct event_ring *ring);

void events_push(struct event_ring *ring, const struct transport_event *event);
int events_take(struct event_ring *ring, struct transport_event *events, int max);
/* events_forget -- drop the events of a connection that is being closed. */
void events_forget(struct event_ring *ring, const struct transport_conn *conn);

static inline uint32_t events_ready(const struct event_ring *ring)
{
	return ring->tail - ring->head;
}

#endif
