/*
 * regions.h -- the registrations of a file's blocks for READs by one session, in order of file offset.
 *
 * A region is one run of blocks that are adjacent in the file and in the pool, registered read-only in the session's
 * protection domain with its offset in the pool as the remote address. A region is at most REGION_CHUNK long and does
 * not cross a multiple of it. So a change of a few blocks ends the registration of few bytes, and registering is quick.
 *
 * Used by the session's thread only.
 */
#ifndef FARNOVA_SERVER_REGIONS_H
#define FARNOVA_SERVER_REGIONS_H

#include "common/transport/transport.h"

#include <stddef.h>
#include <stdint.h>

#define REGION_CHUNK (256u * 1024)

struct region {
	struct region *next;                   /* in a list of regions that are no longer part of a set */
	uint64_t offset, length;               /* in the file, bytes, multiples of 4096 */
	uint64_t address;                      /* offset in the pool = remote address */
	struct transport_region *registration; /* NULL once the connection is gone */
};

/* The regions of REGION_CHUNK bytes of the file: at most 64, so that adding or removing one moves few others. */
struct region_chunk {
	uint64_t number; /* offset in the file / REGION_CHUNK */
	uint32_t count, capacity;
	struct region **items; /* disjoint, in order of offset */
};

struct region_set {
	struct region_chunk *chunks; /* in order of number */
	size_t count, capacity;
};

/* region_next -- the first region that touches [offset, end), NULL if none does. */
struct region *region_next(const struct region_set *set, uint64_t offset, uint64_t end);

/*
 * region_add -- register `length` bytes of the pool (mapped at `base`) at `address` as [offset, offset + length) of the
 * file. The range lies within one chunk and overlaps no region of the set. -ENOMEM, or what transport_register says.
 */
int region_add(struct region_set *set, struct transport_conn *conn, uint8_t *base, uint64_t offset, uint64_t length,
               uint64_t address, struct region **out);

/* region_take -- remove all regions that touch [offset, offset + length) from the set; returns them as a list. */
struct region *region_take(struct region_set *set, uint64_t offset, uint64_t length);

/*
 * region_end_list -- end the registrations of a list and free it; returns how many. `connected` is false once the
 * connection has been closed: that has ended its registrations already.
 */
size_t region_end_list(struct region *list, bool connected);

void region_set_free(struct region_set *set);

#endif
