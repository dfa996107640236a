/*
 * staging.h -- which part of the session's staging ring holds the data of which write.
 *
 * Pieces are taken in order around the ring and given back in any order; space is free again once everything taken
 * before it has been given back. No memory, no locking: the caller holds the connection's lock.
 */
#ifndef FARNOVA_CLIENT_STAGING_H
#define FARNOVA_CLIENT_STAGING_H

#include <stdbool.h>
#include <stdint.h>

#define STAGING_PIECES 64u /* at a time; as many as a session can have slots */
#define STAGING_ALIGN  64u /* pieces begin on a cache line, so that the server copies whole lines */

struct staging {
	uint64_t size;
	uint64_t head; /* bytes ever taken, padding included; head - tail <= size */
	uint64_t tail; /* bytes ever freed */
	unsigned first, count;
	struct {
		uint64_t end; /* the value of head after this piece */
		bool returned;
	} pieces[STAGING_PIECES]; /* a ring of its own, oldest at `first` */
};

/* staging_init -- an empty ring of `size` bytes, a multiple of STAGING_ALIGN. */
void staging_init(struct staging *ring, uint64_t size);

/* staging_take -- `length` adjacent bytes at `*offset`, named `*piece`. False: no room now (for ever, if > size). */
bool staging_take(struct staging *ring, uint32_t length, uint64_t *offset, unsigned *piece);

/* staging_return -- the piece's data are not needed any more. */
void staging_return(struct staging *ring, unsigned piece);

#endif
