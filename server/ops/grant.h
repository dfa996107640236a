/*
 * grant.h -- grants extents to a client and registers their blocks.
 */
#ifndef FARNOVA_SERVER_GRANT_H
#define FARNOVA_SERVER_GRANT_H

#include "proto/proto.h"
#include "server/state/layout/layout.h"

#include <stdint.h>

struct request;

/*
 * grant_extents -- the extents of [offset, offset + length) of the file that `holder` holds, from `offset` on as far as
 * registrations and the reply allow; at most `max`. Returns the number of extents, in order; 0 also if registering
 * failed, which is logged. `size` receives the file's size. -errno: the file's extents cannot be read, or not yet
 * (-EBUSY, see nova_may_defer), and the reply must not grant a layout.
 */
int grant_extents(struct request *rq, struct layout_holder *holder, uint64_t offset, uint64_t length,
                  struct proto_extent *extents, uint32_t max, uint64_t *size);

/* extent_window -- the greatest range that one request is granted: registering takes time, more so with verbs. */
uint64_t extent_window(const struct request *rq);

#endif
