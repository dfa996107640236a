/*
 * rescue.h -- what a rescue mount goes by where both copies of something are damaged. Nothing is stored.
 */
#ifndef FARNOVA_NOVA_RESCUE_H
#define FARNOVA_NOVA_RESCUE_H

#include "server/nova/media/super.h"

/*
 * rescue_super -- as super_read, but what both superblocks have lost is taken from the format's constants and from the
 * pool's size. -EINVAL with `why` if nothing says that this is a farnova pool, -EPROTONOSUPPORT as super_read.
 */
int rescue_super(const struct pm *pm, struct super_info *info, char *why, size_t why_size);

/* rescue_chunk_kind -- slots if most of the chunk's 128 places for slots hold a life word of their own. */
enum nova_chunk_kind rescue_chunk_kind(const struct nova *fs, uint64_t first_block);

#endif
