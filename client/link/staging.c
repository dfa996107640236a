/*
 * staging.c -- allocates pieces of the session's staging ring to writes.
 */
#include "client/link/staging.h"

#include <string.h>

void staging_init(struct staging *ring, uint64_t size)
{
	memset(ring, 0, sizeof(*ring));
	ring->size = size;
}

bool staging_take(struct staging *ring, uint32_t length, uint64_t *offset, unsigned *piece)
{
	if (ring->count == STAGING_PIECES)
		return false;
	if (ring->count == 0) {
		/* Empty: start at offset 0, so that a piece as large as the ring always fits. */
		ring->head = ring->tail = 0;
	}
	uint64_t need = ((uint64_t)length + STAGING_ALIGN - 1) / STAGING_ALIGN * STAGING_ALIGN;
	uint64_t position = ring->head % ring->size;
	uint64_t skip = position + need > ring->size ? ring->size - position : 0;
	if (ring->head + skip + need - ring->tail > ring->size)
		return false;
	ring->head += skip + need;
	*offset = skip ? 0 : position;
	*piece = (ring->first + ring->count) % STAGING_PIECES;
	ring->pieces[*piece].end = ring->head;
	ring->pieces[*piece].returned = false;
	ring->count++;
	return true;
}

void staging_return(struct staging *ring, unsigned piece)
{
	ring->pieces[piece].returned = true;
	while (ring->count > 0 && ring->pieces[ring->first].returned) {
		ring->tail = ring->pieces[ring->first].end;
		ring->first = (ring->first + 1) % STAGING_PIECES;
		ring->count--;
	}
}
