/*
 * snapshot.h -- reads all that a file system holds through the core's API into a listing.
 */
#ifndef FARNOVA_TESTS_CRASH_SNAPSHOT_H
#define FARNOVA_TESTS_CRASH_SNAPSHOT_H

#include "server/nova/nova.h"
#include "tests/model/listing.h"

/* snapshot_take -- replace what *listing holds. -errno, with a line that says where, if something cannot be read. */
int snapshot_take(struct listing *listing, const struct nova_call *call, struct nova_handle root);

/* snapshot_nameless -- append what a handle means, as `path`, if that is alive and has no name; 0 also if not. */
int snapshot_nameless(struct listing *listing, const struct nova_call *call, struct nova_handle handle,
                      const char *path);

#endif
