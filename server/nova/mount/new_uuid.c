/*
 * new_uuid.c -- makes an unmounted copy of a pool a pool of its own: another UUID, another key, no clients.
 *
 * The order: first both superblocks are alike, without a checkpoint, whose head has the old UUID; then the identities
 * end, so that no client of the original is ever taken for one of the copy; then the superblocks get the UUID and the
 * key, one after the other. A crash leaves the old UUID until the first superblock has the new one. Until then the
 * pool has at most lost its checkpoint and its identities.
 */
#include "common/random.h"
#include "common/uuid.h"
#include "server/nova/media/super.h"
#include "server/nova/mount/clients_load.h"
#include "server/nova/mount/owner.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

int nova_pool_uuid(const struct pm *pm, uint8_t uuid[16])
{
	const uint32_t blocks[] = {NOVA_SUPER_BLOCK_0, NOVA_SUPER_BLOCK_1};

	if (pm->size >> NOVA_BLOCK_SHIFT < NOVA_MIN_POOL_BLOCKS)
		return -ENODATA;
	for (unsigned i = 0; i < 2; i++) {
		const struct nova_super *super = pm_at(pm, block_offset(blocks[i]));

		if (!super_intact(super))
			continue;
		memcpy(uuid, super->uuid, sizeof super->uuid);
		return 0;
	}
	return -ENODATA;
}

/* Read the superblock of a pool that nobody uses and that needs no recovery. */
static int look(const struct pm *pm, struct super_info *info, char *why, size_t why_size)
{
	static const struct nova_mount_options defaults;
	int rc = super_read(pm, info, why, why_size);

	if (!rc)
		rc = owner_watch(pm, info, &defaults, why, why_size);
	if (rc)
		return rc;
	if (super_needs_read_only(&info->super)) {
		snprintf(why, why_size, "the pool uses features this program cannot write (ro_compat %#llx)",
		         (unsigned long long)le64_get(info->super.ro_compat));
		return -EROFS;
	}
	if (pm->read_only)
		return -EROFS;
	if (info->clean & 1 && !info->owner)
		return 0;
	snprintf(why, why_size, "it was not unmounted cleanly: %s",
	         "start farnovad on it and stop that, or copy the pool again while nothing serves it");
	return -EUCLEAN;
}

int nova_new_uuid(struct pm *pm, uint8_t old_uuid[16], uint8_t new_uuid[16], char *why, size_t why_size)
{
	const struct nova_mount_options read_only = {.read_only = true};
	struct super_info info;
	char unused[1];
	uint8_t key[16];
	struct nova *fs;
	int rc;

	if (!why) {
		why = unused;
		why_size = sizeof unused;
	}
	rc = look(pm, &info, why, why_size);
	if (rc)
		return rc;
	memcpy(old_uuid, info.super.uuid, sizeof info.super.uuid);
	rc = random_fill(new_uuid, sizeof info.super.uuid);
	if (!rc)
		rc = random_fill(key, sizeof key);
	if (rc) {
		snprintf(why, why_size, "no random numbers: %s", strerror(-rc));
		return rc;
	}
	uuid_mark(new_uuid);
	/* It stores nothing, and knows how to read a log. */
	rc = nova_mount(pm, &read_only, &fs, why, why_size);
	if (rc)
		return rc;
	super_repair(pm, &info); /* the next step fences */
	rc = clients_empty(fs, why, why_size);
	nova_unmount(fs);
	if (!rc)
		super_set_identity(pm, &info, new_uuid, key);
	return rc;
}
