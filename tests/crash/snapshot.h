/*
 * snapshot.h -- reads all that a file system holds through the core's API into a listing.
 */
#ifndef FARNOVA_TESTS_CRASH_SNAPSHOT_H
#define FARNOVA_TESTS_CRASH_SNAPSHOT_H

#include "server/nova/nova.h"
#include "tests/model/listing.h"

/* snapshot_take -- replace what *listing holds. -errno, with a line that says where, if something cannot be read. */
int snapshot_take(struct listing *listing, const struct nova_call *call, struct nova_handle root);

#endif
