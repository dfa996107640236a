/*
 * image_checkpoint.c -- reads the checkpoint of the allocation state.
 */
#include "server/pool/image/image_checkpoint.h"

#include "common/crc.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define CRC_START 0xffffffffu

static bool head_valid(const struct nova_checkpoint *head)
{
	uint32_t runs = le32_get(head->run_count);
	struct nova_checkpoint copy = *head;

	if (le64_get(head->magic) != NOVA_CHECKPOINT_MAGIC || runs > NOVA_CHECKPOINT_RUNS)
		return false;
	copy.crc = le32_of(0);
	return crc32c(CRC_START, &copy, 64 + runs * sizeof(struct nova_checkpoint_run)) == le32_get(head->crc);
}

static bool run_valid(const struct image *image, uint64_t block, uint64_t count)
{
	if (count == 0 || count > NOVA_ZONE_BLOCKS || !image_usable_block(image, block) ||
	    !image_usable_block(image, block + count - 1))
		return false;
	return (block - NOVA_PREAMBLE_BLOCKS) / NOVA_ZONE_BLOCKS ==
	       (block + count - 1 - NOVA_PREAMBLE_BLOCKS) / NOVA_ZONE_BLOCKS;
}

static int copy_runs(struct image_checkpoint *checkpoint, const struct image *image, const char **why)
{
	uint64_t length = le64_get(checkpoint->head->length), filled = 0;

	if (length > image->size) {
		*why = "is longer than the pool";
		return -EINVAL;
	}
	checkpoint->bytes = malloc(length + 1);
	if (!checkpoint->bytes)
		return -ENOMEM;
	for (uint32_t i = 0; i < le32_get(checkpoint->head->run_count); i++) {
		uint64_t block = le64_get(checkpoint->head->runs[i].block),
		         count = le64_get(checkpoint->head->runs[i].count);
		uint64_t size = length - filled;

		if (!run_valid(image, block, count)) {
			*why = "lies in blocks that are not usable";
			return -EINVAL;
		}
		if (size > count * NOVA_BLOCK_SIZE)
			size = count * NOVA_BLOCK_SIZE;
		memcpy(checkpoint->bytes + filled, image_block(image, block), size);
		filled += size;
	}
	if (filled < length) {
		*why = "is longer than its blocks";
		return -EINVAL;
	}
	checkpoint->length = length;
	return 0;
}

int image_checkpoint_open(struct image_checkpoint *checkpoint, const struct image *image, uint64_t block,
                          const char **why)
{
	int rc;

	*checkpoint = (struct image_checkpoint){0};
	if (!image_usable_block(image, block)) {
		*why = "is not in a usable block";
		return -EINVAL;
	}
	checkpoint->head = image_block(image, block);
	if (!head_valid(checkpoint->head)) {
		*why = "has a damaged head";
		return -EINVAL;
	}
	rc = copy_runs(checkpoint, image, why);
	if (rc)
		image_checkpoint_close(checkpoint);
	return rc;
}

void image_checkpoint_close(struct image_checkpoint *checkpoint)
{
	free(checkpoint->bytes);
	checkpoint->bytes = NULL;
}

static uint32_t section_crc(const struct nova_checkpoint_section *header, le64 mount_count, const uint8_t *payload,
                            uint64_t length)
{
	uint32_t crc = crc32c(CRC_START, &header->type, sizeof(header->type));

	crc = crc32c(crc, &header->length, sizeof(header->length));
	crc = crc32c(crc, &mount_count, sizeof(mount_count));
	return crc32c(crc, payload, length);
}

bool image_checkpoint_next(struct image_checkpoint *checkpoint, struct image_checkpoint_section *section)
{
	uint64_t left = checkpoint->length - checkpoint->at;
	struct nova_checkpoint_section header;

	if (left == 0)
		return false;
	*section = (struct image_checkpoint_section){0};
	if (left < sizeof(header)) {
		checkpoint->at = checkpoint->length;
		return true;
	}
	memcpy(&header, checkpoint->bytes + checkpoint->at, sizeof(header));
	section->type = le32_get(header.type);
	section->length = le64_get(header.length);
	section->payload = checkpoint->bytes + checkpoint->at + sizeof(header);
	left -= sizeof(header);
	if (section->length > left) {
		checkpoint->at = checkpoint->length;
		return true;
	}
	section->valid = section_crc(&header, checkpoint->head->mount_count, section->payload, section->length) ==
	                 le32_get(header.crc);
	left -= section->length;
	checkpoint->at = checkpoint->length - (left < -section->length % 8 ? 0 : left - -section->length % 8);
	return true;
}
