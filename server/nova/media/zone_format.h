/*
 * zone_format.h -- headers and chunk tables of a zone, as they are stored.
 */
#ifndef FARNOVA_NOVA_ZONE_FORMAT_H
#define FARNOVA_NOVA_ZONE_FORMAT_H

#include "server/nova/core.h"

uint32_t zone_header_crc(const struct nova_zone_header *header);

/* zone_format -- headers and chunk tables of a zone nobody looks at yet: all general but the chunk at `slots_block`
 * (0: all). Not fenced. */
void zone_format(struct pm *pm, uint32_t index, uint64_t first, uint64_t blocks, uint64_t slots_block);

#endif
