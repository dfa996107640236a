/*
 * super.c -- superblocks.
 */
#include "server/nova/media/super.h"

#include "common/crc.h"
#include "server/nova/media/words.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define SUPER_FIXED 256u /* bytes before the words, which the CRC covers */

uint32_t super_crc(const struct nova_super *super)
{
	struct nova_super copy = *super;

	copy.crc = le32_of(0);
	return crc32c(0xffffffff, &copy, SUPER_FIXED);
}

uint64_t super_usable_blocks(uint64_t bytes)
{
	uint64_t blocks = bytes >> NOVA_BLOCK_SHIFT;
	uint64_t last;

	if (blocks < NOVA_MIN_POOL_BLOCKS)
		return 0;
	blocks &= ~(uint64_t)(NOVA_CHUNK_BLOCKS - 1);
	last = (blocks - NOVA_PREAMBLE_BLOCKS) % NOVA_ZONE_BLOCKS;
	return last <= NOVA_ZONE_FIRST_CHUNK ? blocks - last : blocks;
}

/* ---- superblocks ---------------------------------------------------------------------------------------------- */

static struct nova_super *super_at(const struct pm *pm, unsigned copy)
{
	return pm_at(pm, (uint64_t)(copy ? NOVA_SUPER_BLOCK_1 : NOVA_SUPER_BLOCK_0) << NOVA_BLOCK_SHIFT);
}

bool super_intact(const struct nova_super *super)
{
	return le64_get(super->magic) == NOVA_MAGIC && le32_get(super->crc) == super_crc(super);
}

static int check_geometry(const struct pm *pm, const struct super_info *info, char *why, size_t why_size)
{
	const struct nova_super *super = &info->super;
	uint64_t root = le64_get(super->root_ino);
	uint64_t clients = le64_get(super->clients_ino);

	if (le32_get(super->block_size) != NOVA_BLOCK_SIZE || le32_get(super->zone_blocks) != NOVA_ZONE_BLOCKS ||
	    le32_get(super->journal_rings) != NOVA_JOURNAL_RINGS) {
		snprintf(why, why_size, "this program does not support the superblock's block, zone or journal sizes");
		return -EPROTONOSUPPORT;
	}
	if (info->blocks != super_usable_blocks(info->blocks << NOVA_BLOCK_SHIFT) ||
	    info->blocks > pm->size >> NOVA_BLOCK_SHIFT) {
		snprintf(why, why_size, "the file system has %llu blocks but the pool holds %llu: was it cut off?",
		         (unsigned long long)info->blocks, (unsigned long long)(pm->size >> NOVA_BLOCK_SHIFT));
		return -EIO;
	}
	if (ino_block(root) < NOVA_PREAMBLE_BLOCKS || ino_block(root) >= info->blocks) {
		snprintf(why, why_size, "the root directory lies outside the pool");
		return -EIO;
	}
	if (ino_block(clients) < NOVA_PREAMBLE_BLOCKS || ino_block(clients) >= info->blocks || clients == root) {
		snprintf(why, why_size, "the client table lies outside the pool");
		return -EIO;
	}
	return 0;
}

bool super_needs_read_only(const struct nova_super *super)
{
	return le64_get(super->ro_compat) & ~NOVA_KNOWN_RO_COMPAT;
}

int super_check_features(const struct nova_super *super, char *why, size_t why_size)
{
	uint64_t incompat = le64_get(super->incompat) & ~NOVA_KNOWN_INCOMPAT;

	if (le32_get(super->version) != NOVA_FORMAT_VERSION) {
		bool older = le32_get(super->version) < NOVA_FORMAT_VERSION;

		snprintf(why, why_size, "the pool has format version %u, this program reads version %u: %s",
		         le32_get(super->version), (unsigned)NOVA_FORMAT_VERSION,
		         older ? "serve it with the older program and copy its files to a new pool"
		               : "use a newer program");
		return -EPROTONOSUPPORT;
	}
	if (incompat) {
		snprintf(why, why_size, "the pool uses features this program does not know (incompat %#llx)",
		         (unsigned long long)incompat);
		return -EPROTONOSUPPORT;
	}
	return 0;
}

int super_read(const struct pm *pm, struct super_info *info, char *why, size_t why_size)
{
	const struct nova_super *supers[2];
	bool intact[2];
	int rc;

	if (pm->size >> NOVA_BLOCK_SHIFT < NOVA_MIN_POOL_BLOCKS) {
		snprintf(why, why_size, "not a farnova pool: it is smaller than 10 MiB");
		return -EINVAL;
	}
	for (unsigned i = 0; i < 2; i++) {
		supers[i] = super_at(pm, i);
		intact[i] = super_intact(supers[i]);
	}
	if (!intact[0] && !intact[1]) {
		bool magic = le64_get(supers[0]->magic) == NOVA_MAGIC || le64_get(supers[1]->magic) == NOVA_MAGIC;

		snprintf(why, why_size, "%s",
		         magic ? "both superblocks are damaged"
		               : "not a farnova pool (no superblock): make one with `farnova mkfs`");
		return magic ? -EIO : -EINVAL;
	}
	info->damaged = !intact[0] + !intact[1];
	info->super = *supers[intact[0] ? 0 : 1];
	rc = super_check_features(&info->super, why, why_size);
	if (rc)
		return rc;
	if (word_read(NOVA_WORD_CLEAN, 0, &supers[0]->clean, &supers[1]->clean, &info->clean) == WORD_LOST ||
	    word_read(NOVA_WORD_EPOCH, 0, &supers[0]->epoch, &supers[1]->epoch, &info->epoch) == WORD_LOST ||
	    word_read(NOVA_WORD_BLOCKS, 0, &supers[0]->blocks, &supers[1]->blocks, &info->blocks) == WORD_LOST) {
		snprintf(why, why_size, "a word is damaged in both superblocks");
		return -EIO;
	}
	if (word_read(NOVA_WORD_CHECKPOINT, 0, &supers[0]->checkpoint, &supers[1]->checkpoint, &info->checkpoint) ==
	    WORD_LOST)
		info->checkpoint = 0;
	if (word_read(NOVA_WORD_DEVICE, 0, &supers[0]->device, &supers[1]->device, &info->device) == WORD_LOST)
		info->device = 0;
	if (word_read(NOVA_WORD_OWNER, 0, &supers[0]->owner, &supers[1]->owner, &info->owner) == WORD_LOST)
		info->owner = 0;
	if (word_read(NOVA_WORD_HOST, 0, &supers[0]->host, &supers[1]->host, &info->host) == WORD_LOST)
		info->host = 0;
	return check_geometry(pm, info, why, why_size);
}

static void store_word(struct pm *pm, le64 *place, enum nova_word_kind kind, uint64_t value)
{
	pm_set8(pm, place, word_make(kind, 0, value));
	pm_flush(pm, place, sizeof *place);
}

void super_repair(struct pm *pm, const struct super_info *info)
{
	for (unsigned i = 0; i < 2; i++) {
		struct nova_super *super = super_at(pm, i);
		uint64_t value;

		/* A change of the UUID or the key that was cut off between the two leaves two intact ones that differ. */
		if (memcmp(super, &info->super, SUPER_FIXED) != 0) {
			log_warn(NOVA_LOG_NAME, "superblock %u %s, restored from the other", i,
			         super_intact(super) ? "differed" : "was damaged");
			pm_copy(pm, super, &info->super, SUPER_FIXED);
		}
		if (!word_value(NOVA_WORD_EPOCH, 0, pm_get8(&super->epoch), &value) || value != info->epoch)
			store_word(pm, &super->epoch, NOVA_WORD_EPOCH, info->epoch);
		if (!word_value(NOVA_WORD_BLOCKS, 0, pm_get8(&super->blocks), &value) || value != info->blocks)
			store_word(pm, &super->blocks, NOVA_WORD_BLOCKS, info->blocks);
		if (!word_value(NOVA_WORD_CHECKPOINT, 0, pm_get8(&super->checkpoint), &value) || value != 0)
			store_word(pm, &super->checkpoint, NOVA_WORD_CHECKPOINT, 0);
		if (!word_value(NOVA_WORD_DEVICE, 0, pm_get8(&super->device), &value) || value != info->device)
			store_word(pm, &super->device, NOVA_WORD_DEVICE, info->device);
	}
}

/* One after the other, so that a crash leaves at least one intact. */
static void store_fixed(struct pm *pm, struct super_info *info)
{
	info->super.crc = le32_of(super_crc(&info->super));
	for (unsigned i = 2; i-- > 0;) {
		pm_copy(pm, super_at(pm, i), &info->super, SUPER_FIXED);
		pm_fence(pm);
	}
}

void super_set_handle_key(struct pm *pm, struct super_info *info, const uint8_t key[16])
{
	memcpy(info->super.handle_key, key, sizeof info->super.handle_key);
	store_fixed(pm, info);
}

void super_set_identity(struct pm *pm, struct super_info *info, const uint8_t uuid[16], const uint8_t key[16])
{
	memcpy(info->super.uuid, uuid, sizeof info->super.uuid);
	memcpy(info->super.handle_key, key, sizeof info->super.handle_key);
	store_fixed(pm, info);
}

/* Fenced here, because a worker's first commit runs in another thread, and a fence covers only its own thread's stores.
 */
void super_set_clean(struct pm *pm, uint64_t mount_count, bool clean)
{
	for (unsigned i = 0; i < 2; i++)
		store_word(pm, &super_at(pm, i)->clean, NOVA_WORD_CLEAN, mount_count << 1 | clean);
	pm_fence(pm);
}

void super_set_device(struct pm *pm, uint64_t value)
{
	for (unsigned i = 0; i < 2; i++)
		store_word(pm, &super_at(pm, i)->device, NOVA_WORD_DEVICE, value);
	pm_fence(pm);
}

void super_set_checkpoint(struct pm *pm, uint64_t block)
{
	for (unsigned i = 0; i < 2; i++)
		store_word(pm, &super_at(pm, i)->checkpoint, NOVA_WORD_CHECKPOINT, block);
}
