/*
 * zone_format.h -- stores the headers and chunk tables of a new zone.
 */
#ifndef FARNOVA_NOVA_ZONE_FORMAT_H
#define FARNOVA_NOVA_ZONE_FORMAT_H

#include "server/nova/core.h"

uint32_t zone_header_crc(const struct nova_zone_header *header);

/* zone_format -- store headers and chunk tables of a zone that is not part of the file system yet. Its chunks become
 * general, but the one at block `slots_block` (0 = none) becomes a chunk of slots. Not fenced. */
void zone_format(struct pm *pm, uint32_t index, uint64_t first, uint64_t blocks, uint64_t slots_block);

#endif
