/*
 * image_checkpoint.c -- reads the allocation state that a clean unmount saved.
 */
#include "server/pool/image/image_checkpoint.h"

#include "common/crc.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define CRC_START 0xffffffffu

static bool head_valid(const struct nova_saved *head)
{
	uint32_t runs = le32_get(head->run_count);
	struct nova_saved copy = *head;

	if (le64_get(head->magic) != NOVA_SAVED_MAGIC || runs > NOVA_SAVED_RUNS)
		return false;
	copy.crc = le32_of(0);
	return crc32c(CRC_START, &copy, 64 + runs * sizeof(struct nova_saved_run)) == le32_get(head->crc);
}

static bool run_valid(const struct medium *medium, uint64_t block, uint64_t count)
{
	if (count == 0 || count > NOVA_ZONE_BLOCKS || !medium_usable_block(medium, block) ||
	    !medium_usable_block(medium, block + count - 1))
		return false;
	return (block - NOVA_PREAMBLE_BLOCKS) / NOVA_ZONE_BLOCKS ==
	       (block + count - 1 - NOVA_PREAMBLE_BLOCKS) / NOVA_ZONE_BLOCKS;
}

static int copy_runs(struct medium_saved *saved, const struct medium *medium, const char **why)
{
	uint64_t length = le64_get(saved->head->length), filled = 0;

	if (length > medium->size) {
		*why = "is longer than the pool";
		return -EINVAL;
	}
	saved->bytes = malloc(length + 1);
	if (!saved->bytes)
		return -ENOMEM;
	for (uint32_t i = 0; i < le32_get(saved->head->run_count); i++) {
		uint64_t block = le64_get(saved->head->runs[i].block), count = le64_get(saved->head->runs[i].count);
		uint64_t size = length - filled;

		if (!run_valid(medium, block, count)) {
			*why = "lies in blocks that are not usable";
			return -EINVAL;
		}
		if (size > count * NOVA_BLOCK_SIZE)
			size = count * NOVA_BLOCK_SIZE;
		memcpy(saved->bytes + filled, medium_block(medium, block), size);
		filled += size;
	}
	if (filled < length) {
		*why = "is longer than its blocks";
		return -EINVAL;
	}
	saved->length = length;
	return 0;
}

int medium_saved_open(struct medium_saved *saved, const struct medium *medium, uint64_t block, const char **why)
{
	int rc;

	*saved = (struct medium_saved){0};
	if (!medium_usable_block(medium, block)) {
		*why = "is not in a usable block";
		return -EINVAL;
	}
	saved->head = medium_block(medium, block);
	if (!head_valid(saved->head)) {
		*why = "has a damaged head";
		return -EINVAL;
	}
	rc = copy_runs(saved, medium, why);
	if (rc)
		medium_saved_close(saved);
	return rc;
}

void medium_saved_close(struct medium_saved *saved)
{
	free(saved->bytes);
	saved->bytes = NULL;
}

static uint32_t section_crc(const struct nova_saved_section *header, le64 mount_count, const uint8_t *payload,
                            uint64_t length)
{
	uint32_t crc = crc32c(CRC_START, &header->type, sizeof(header->type));

	crc = crc32c(crc, &header->length, sizeof(header->length));
	crc = crc32c(crc, &mount_count, sizeof(mount_count));
	return crc32c(crc, payload, length);
}

bool medium_saved_next(struct medium_saved *saved, struct medium_saved_section *section)
{
	uint64_t left = saved->length - saved->at;
	struct nova_saved_section header;

	if (left == 0)
		return false;
	*section = (struct medium_saved_section){0};
	if (left < sizeof(header)) {
		saved->at = saved->length;
		return true;
	}
	memcpy(&header, saved->bytes + saved->at, sizeof(header));
	section->type = le32_get(header.type);
	section->length = le64_get(header.length);
	section->payload = saved->bytes + saved->at + sizeof(header);
	left -= sizeof(header);
	if (section->length > left) {
		saved->at = saved->length;
		return true;
	}
	section->valid =
	    section_crc(&header, saved->head->mount_count, section->payload, section->length) == le32_get(header.crc);
	left -= section->length;
	saved->at = saved->length - (left < -section->length % 8 ? 0 : left - -section->length % 8);
	return true;
}
