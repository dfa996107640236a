/*
 * unsafe_shutdown.c -- compares the device's unsafe-shutdown count with the DEVICE word.
 */
#include "server/nova/media/unsafe_shutdown.h"

#include <errno.h>
#include <stdio.h>

#define HALF 0xffffffu /* of a word's 48 bits */

uint64_t unsafe_shutdown_value(const struct pm *pm)
{
	uint64_t id = pm->device & HALF;

	if (!pm->device)
		return 0;
	return (pm->unsafe_shutdowns & HALF) << 24 | (id ? id : 1);
}

int unsafe_shutdown_check(const struct pm *pm, const struct super_info *info, const struct nova_mount_options *options,
                          char *why, size_t why_size)
{
	uint64_t now = unsafe_shutdown_value(pm);
	bool read_only = options->read_only || options->rescue || pm->read_only;

	if (info->clean & 1 || !now || !info->device || now == info->device)
		return 0;
	if ((now & HALF) != (info->device & HALF)) {
		log_warn(NOVA_LOG_NAME,
		         "the pool was in use on another device when it was last mounted: it is unknown whether "
		         "that device has lost acknowledged changes");
		return 0;
	}
	if (!read_only && !options->accept_unsafe_shutdown) {
		snprintf(
		    why, why_size,
		    "the device has counted %llu unsafe shutdowns since the pool was mounted, and the pool was in use: "
		    "its last stores may be lost, in metadata and in files. Save what matters (farnovad --rescue), "
		    "check it with `farnova fsck`, then start once with --accept-unsafe-shutdown",
		    (unsigned long long)(((now >> 24) - (info->device >> 24)) & HALF));
		return -EUCLEAN;
	}
	log_warn(NOVA_LOG_NAME,
	         "the device has counted unsafe shutdowns while the pool was in use: acknowledged changes may "
	         "be lost or torn, in metadata and in files");
	return 0;
}

void unsafe_shutdown_note(struct pm *pm, const struct super_info *info)
{
	uint64_t now = unsafe_shutdown_value(pm);

	if (now != info->device)
		super_set_device(pm, now);
}
