/*
 * super.h -- superblocks: reads and checks them, and repairs one from the other.
 */
#ifndef FARNOVA_NOVA_SUPER_H
#define FARNOVA_NOVA_SUPER_H

#include "server/nova/core.h"

/* The content of the superblocks. */
struct super_info {
	struct nova_super super; /* the good copy */
	uint64_t clean;          /* mount count << 1 | clean */
	uint64_t epoch;
	uint64_t blocks;
	uint64_t checkpoint; /* block of the checkpoint of the allocation state, 0 = none */
	uint64_t device;     /* as unsafe_shutdown_value gave it at the last mount */
	uint64_t owner;      /* the instance that serves the pool, 0 = none; and the next: its host */
	uint64_t host;
	unsigned damaged; /* number of damaged copies (0 or 1) */
};

/* super_read -- find a good superblock and check it. Errors as nova_mount's; stores nothing. */
int super_read(const struct pm *pm, struct super_info *info, char *why, size_t why_size);

/* super_repair -- store the good copy over one that is damaged or differs, and set CHECKPOINT = 0: the checkpoint is
 * invalid once anything is stored. Not fenced. */
void super_repair(struct pm *pm, const struct super_info *info);

/* super_set_handle_key -- set the key of a pool that has none: stores both superblocks again, one after the other, so
 * that a crash leaves at least one intact. Fences. */
void super_set_handle_key(struct pm *pm, struct super_info *info, const uint8_t key[16]);

/* super_set_identity -- likewise the UUID and the key, together: each superblock has the old ones or the new ones. Both
 * superblocks must be intact, durably. Fences. */
void super_set_identity(struct pm *pm, struct super_info *info, const uint8_t uuid[16], const uint8_t key[16]);

/* super_set_clean -- store the clean word in both superblocks and fence. */
void super_set_clean(struct pm *pm, uint64_t mount_count, bool clean);

/* super_set_checkpoint -- store the CHECKPOINT word in both superblocks; not fenced. CLEAN may become durable before or
 * after it: without CLEAN a mount ignores CHECKPOINT, and without CHECKPOINT it reads all logs. */
void super_set_checkpoint(struct pm *pm, uint64_t block);

/* super_set_device -- store the DEVICE word in both superblocks and fence. */
void super_set_device(struct pm *pm, uint64_t value);

/* super_intact, super_check_features -- the steps of super_read: magic and CRC; version and feature bits. */
bool super_intact(const struct nova_super *super);
int super_check_features(const struct nova_super *super, char *why, size_t why_size);

/* super_needs_read_only -- whether the pool uses features that this program can read but must not write. */
bool super_needs_read_only(const struct nova_super *super);

uint32_t super_crc(const struct nova_super *super);

/* super_usable_blocks -- the blocks of a pool that a file system uses: whole chunks, and no last zone without a chunk.
 */
uint64_t super_usable_blocks(uint64_t bytes);

#endif
