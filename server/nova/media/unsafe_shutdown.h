/*
 * unsafe_shutdown.h -- whether the device beneath has lost what it had promised to keep.
 *
 * On power failure the platform flushes what is on its way to the medium (ADR). Where that fails the device counts an
 * unsafe shutdown, and stores that were fenced may be gone: no recovery can know which. The DEVICE word holds the count
 * and the device it is of, as they were when the pool was last mounted. Another count after a mount that did not end
 * cleanly means that the file system was in use when the flush failed.
 */
#ifndef FARNOVA_NOVA_UNSAFE_SHUTDOWN_H
#define FARNOVA_NOVA_UNSAFE_SHUTDOWN_H

#include "server/nova/media/super.h"

/* unsafe_shutdown_value -- of the DEVICE word for this pool now; 0 = the device does not tell. */
uint64_t unsafe_shutdown_value(const struct pm *pm);

/* unsafe_shutdown_check -- before anything is stored. -EUCLEAN with `why` if the pool must not be mounted like this. */
int unsafe_shutdown_check(const struct pm *pm, const struct super_info *info, const struct nova_mount_options *options,
                          char *why, size_t why_size);

/* unsafe_shutdown_note -- store what the device tells now, if it is something else. Fenced. Before CLEAN is cleared
 * where the pool is clean, after recovery where it is not. */
void unsafe_shutdown_note(struct pm *pm, const struct super_info *info);

#endif
