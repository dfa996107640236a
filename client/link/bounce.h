/*
 * bounce.h -- registered buffers as the target of READs, for transports that require registered memory (verbs).
 *
 * The library does not register the caller's memory: registration costs more than a copy, and the caller may free the
 * memory at any time.
 */
#ifndef FARNOVA_CLIENT_BOUNCE_H
#define FARNOVA_CLIENT_BOUNCE_H

#include "common/transport/transport.h"

#include <stdbool.h>
#include <stdint.h>

#define BOUNCE_SIZE  (64u * 1024)
#define BOUNCE_COUNT 32u

struct bounce {
	uint8_t *memory; /* BOUNCE_COUNT buffers; NULL if the transport needs none */
	struct transport_region *region;
	uint32_t free; /* one bit for each buffer */
};

/* bounce_init -- register the buffers with `conn`. A reconnect keeps the memory and the buffers that are taken. */
int bounce_init(struct bounce *bounce, struct transport_conn *conn);
void bounce_destroy(struct bounce *bounce);

/* bounce_take -- the number of a free buffer or -1; bounce_return frees it. */
int bounce_take(struct bounce *bounce);
void bounce_return(struct bounce *bounce, int number);
void *bounce_at(const struct bounce *bounce, int number);

#endif
