/*
 * super.h -- superblocks: read, checked in one place, repaired from each other.
 */
#ifndef FARNOVA_NOVA_SUPER_H
#define FARNOVA_NOVA_SUPER_H

#include "server/nova/core.h"

/* What the superblocks say. */
struct super_info {
	struct nova_super super; /* the good copy */
	uint64_t clean;          /* mount count << 1 | clean */
	uint64_t epoch;
	uint64_t blocks;
	uint64_t checkpoint; /* block of the checkpoint of the allocation state, 0 = none */
	uint64_t device;     /* as unsafe_shutdown_value gave it at the last mount */
	unsigned damaged;    /* copies that are (0 or 1) */
};

/* super_read -- find a good superblock and check it. Errors as nova_mount's; stores nothing. */
int super_read(const struct pm *pm, struct super_info *info, char *why, size_t why_size);

/* super_repair -- store the good copy over the damaged one, and CHECKPOINT = 0: what was saved is no longer true once
 * anything is stored. Not fenced. */
void super_repair(struct pm *pm, const struct super_info *info);

/* super_set_handle_key -- give a pool that has none a key: both superblocks are stored anew, one after the other, so that
 * a crash leaves a whole one. Fences. */
void super_set_handle_key(struct pm *pm, struct super_info *info, const uint8_t key[16]);

/* super_set_clean -- store the clean word in both superblocks and fence. */
void super_set_clean(struct pm *pm, uint64_t mount_count, bool clean);

/* super_set_checkpoint -- store the CHECKPOINT word in both superblocks; not fenced. CLEAN goes with it, in any order:
 * CHECKPOINT alone is not looked at, and CLEAN alone makes the next mount scan. */
void super_set_checkpoint(struct pm *pm, uint64_t block);

/* super_set_device -- store the DEVICE word in both superblocks and fence. */
void super_set_device(struct pm *pm, uint64_t value);

/* super_intact, super_check_features -- the steps of super_read: magic and CRC; version and feature bits. */
bool super_intact(const struct nova_super *super);
int super_check_features(const struct nova_super *super, char *why, size_t why_size);

/* super_needs_read_only -- the pool uses features that this program can read but must not write. */
bool super_needs_read_only(const struct nova_super *super);

uint32_t super_crc(const struct nova_super *super);

/* super_usable_blocks -- how many of a pool's blocks a file system has: whole chunks, no last zone without any. */
uint64_t super_usable_blocks(uint64_t bytes);

#endif
