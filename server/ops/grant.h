/*
 * grant.h -- which extents a client is told of, and their registration.
 */
#ifndef FARNOVA_SERVER_GRANT_H
#define FARNOVA_SERVER_GRANT_H

#include "proto/proto.h"
#include "server/state/layout/layout.h"

#include <stdint.h>

struct request;

/*
 * grant_extents -- tell of [offset, offset + length) of the file that `holder` holds, from `offset` on as far as
 * registrations and the reply go; at most `max`. Returns how many extents, in order; 0 also where registering failed,
 * which is logged. `size` receives the file's size. -errno: where the file lies cannot be read, or not yet (-EBUSY, see
 * nova_may_defer), and the client must be told of no layout.
 */
int grant_extents(struct request *rq, struct layout_holder *holder, uint64_t offset, uint64_t length,
                  struct proto_extent *extents, uint32_t max, uint64_t *size);

/* extent_window -- how much of a file one request may be told of: registering takes time, more so with verbs. */
uint64_t extent_window(const struct request *rq);

#endif
