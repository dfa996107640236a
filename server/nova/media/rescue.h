/*
 * rescue.h -- reconstructs structures for a rescue mount if both copies are damaged. Stores nothing.
 */
#ifndef FARNOVA_NOVA_RESCUE_H
#define FARNOVA_NOVA_RESCUE_H

#include "server/nova/media/super.h"

/*
 * rescue_super -- as super_read, but values that both superblocks have lost are taken from the format's constants and
 * from the pool's size. -EINVAL with `why` if nothing shows that this is a farnova pool, -EPROTONOSUPPORT as
 * super_read.
 */
int rescue_super(const struct pm *pm, struct super_info *info, char *why, size_t why_size);

/* rescue_chunk_kind -- slots if most of the chunk's 128 places for slots have a valid life word. */
enum nova_chunk_kind rescue_chunk_kind(const struct nova *fs, uint64_t first_block);

#endif
