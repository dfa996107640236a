/*
 * bounce.h -- registered buffers that READs land in where the transport needs that (verbs).
 *
 * A caller's own memory is not registered: that costs more than copying, and a caller may free it at any time.
 */
#ifndef FARNOVA_CLIENT_BOUNCE_H
#define FARNOVA_CLIENT_BOUNCE_H

#include "common/transport/transport.h"

#include <stdbool.h>
#include <stdint.h>

#define BOUNCE_SIZE  (64u * 1024)
#define BOUNCE_COUNT 32u

struct bounce {
	uint8_t *memory; /* BOUNCE_COUNT buffers; NULL: the transport needs none */
	struct transport_region *region;
	uint32_t free; /* a bit for each */
};

/* bounce_init -- register the buffers with `conn`. After a reconnect memory, and what is taken of it, stay as
 * they are. */
int bounce_init(struct bounce *bounce, struct transport_conn *conn);
void bounce_destroy(struct bounce *bounce);

/* bounce_take -- the number of a free buffer or -1; bounce_return gives it back. */
int bounce_take(struct bounce *bounce);
void bounce_return(struct bounce *bounce, int number);
void *bounce_at(const struct bounce *bounce, int number);

#endif
