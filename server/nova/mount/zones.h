/*
 * zones.h -- zone headers and chunk tables: checked, and repaired from their second copies.
 */
#ifndef FARNOVA_NOVA_ZONES_H
#define FARNOVA_NOVA_ZONES_H

#include "server/nova/core.h"

/* zones_load -- check every zone's headers and chunk tables; fills the map of slot chunks and claims theirs. -EIO with
 * `why`, -ENOMEM. */
int zones_load(struct nova *fs, char *why, size_t why_size);

#endif
