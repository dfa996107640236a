/*
 * image_checkpoint.h -- reads the checkpoint of the allocation state, for fsck and dump.
 */
#ifndef FARNOVA_SERVER_POOL_IMAGE_CHECKPOINT_H
#define FARNOVA_SERVER_POOL_IMAGE_CHECKPOINT_H

#include "server/pool/image/image.h"

struct image_checkpoint {
	const struct nova_checkpoint *head;
	uint8_t *bytes; /* a copy of the stream */
	uint64_t length;
	uint64_t at;
};

struct image_checkpoint_section {
	uint32_t type;
	bool valid; /* it is within the stream, and its CRC is right */
	uint64_t length;
	const uint8_t *payload; /* unaligned */
};

/*
 * image_checkpoint_open -- read the checkpoint whose first block is `block`. -EINVAL if it is invalid: *why continues
 * the sentence "the saved allocation state ..."; -ENOMEM. It may be of an older unmount: the caller checks that.
 */
int image_checkpoint_open(struct image_checkpoint *checkpoint, const struct image *image, uint64_t block,
                          const char **why);
void image_checkpoint_close(struct image_checkpoint *checkpoint);

/* image_checkpoint_next -- the next section; false at the end. After an invalid section others may not be found. */
bool image_checkpoint_next(struct image_checkpoint *checkpoint, struct image_checkpoint_section *section);

#endif
