/*
 * unsafe_shutdown.h -- whether the device may have lost fenced stores.
 *
 * On power failure the platform flushes pending stores to the medium (ADR). If that fails, the device counts an unsafe
 * shutdown, and fenced stores may be lost; recovery cannot know which. The DEVICE word holds the count and the device
 * id of the last mount. A different count after a mount that did not end cleanly means that the file system was in use
 * when the flush failed.
 */
#ifndef FARNOVA_NOVA_UNSAFE_SHUTDOWN_H
#define FARNOVA_NOVA_UNSAFE_SHUTDOWN_H

#include "server/nova/media/super.h"

/* unsafe_shutdown_value -- the present value of the DEVICE word for this pool; 0 = the device has no count. */
uint64_t unsafe_shutdown_value(const struct pm *pm);

/* unsafe_shutdown_check -- before anything is stored. -EUCLEAN with `why` if the pool must not be mounted like this. */
int unsafe_shutdown_check(const struct pm *pm, const struct super_info *info, const struct nova_mount_options *options,
                          char *why, size_t why_size);

/* unsafe_shutdown_note -- store the present value, if it differs. Fenced. Call it before CLEAN is cleared if the pool
 * is clean, else after recovery. */
void unsafe_shutdown_note(struct pm *pm, const struct super_info *info);

#endif
