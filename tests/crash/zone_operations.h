/*
 * zone_operations.h -- operations on what lies in two zones, and what has to be there before them; for the table in
 * operations.c. The file is /d/empty: two blocks in the first zone, two in the second.
 */
#ifndef FARNOVA_TESTS_CRASH_ZONE_OPERATIONS_H
#define FARNOVA_TESTS_CRASH_ZONE_OPERATIONS_H

#include "tests/crash/world.h"

/* zones_reserve -- the blocks are reserved. zones_fill -- they hold data. */
void zones_reserve(struct world *world);
void zones_fill(struct world *world);
/* zones_free_group -- a whole group is free in a first zone that is full otherwise. */
void zones_free_group(struct world *world);

/* More than that group holds, at once. */
int zones_write(struct world *world);
int zones_fallocate(struct world *world);

/* All four blocks. */
int zones_overwrite(struct world *world);
int zones_truncate(struct world *world);
int zones_punch(struct world *world);
int zones_unlink(struct world *world);
int zones_copy(struct world *world);

/* The last block of the first zone goes, so that what lies in the second moves up. */
int zones_collapse(struct world *world);

#endif
