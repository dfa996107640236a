/*
 * zones.h -- zone headers and chunk tables: checked, and repaired from their second copies.
 */
#ifndef FARNOVA_NOVA_ZONES_H
#define FARNOVA_NOVA_ZONES_H

#include "server/nova/core.h"

/* zones_load -- check the headers and chunk tables of all zones, register the chunks of slots and claim their blocks.
 * -EIO with `why`, -ENOMEM. */
int zones_load(struct nova *fs, char *why, size_t why_size);

#endif
