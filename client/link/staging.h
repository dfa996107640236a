/*
 * staging.h -- allocates pieces of the session's staging ring to writes.
 *
 * Pieces are allocated in order around the ring and returned in any order. The space of a piece becomes free when all
 * pieces allocated before it have been returned too. Allocates no memory and takes no lock: the caller holds the
 * connection's lock.
 */
#ifndef FARNOVA_CLIENT_STAGING_H
#define FARNOVA_CLIENT_STAGING_H

#include <stdbool.h>
#include <stdint.h>

#define STAGING_PIECES 64u /* at a time; the maximum number of slots of a session */
#define STAGING_ALIGN  64u /* pieces start on a cache line, so that the server copies whole lines */

struct staging {
	uint64_t size;
	uint64_t head; /* bytes allocated so far, with padding; head - tail <= size */
	uint64_t tail; /* bytes freed so far */
	unsigned first, count;
	struct {
		uint64_t end; /* the value of head after this piece */
		bool returned;
	} pieces[STAGING_PIECES]; /* a ring itself, oldest at `first` */
};

/* staging_init -- an empty ring of `size` bytes, a multiple of STAGING_ALIGN. */
void staging_init(struct staging *ring, uint64_t size);

/* staging_take -- allocate `length` adjacent bytes at `*offset` as `*piece`. False: no space now (never, if > size). */
bool staging_take(struct staging *ring, uint32_t length, uint64_t *offset, unsigned *piece);

/* staging_return -- return a piece whose data are not needed any more. */
void staging_return(struct staging *ring, unsigned piece);

#endif
