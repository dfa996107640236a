/*
 * image_checkpoint.h -- the allocation state that a clean unmount saved, for fsck and dump.
 */
#ifndef FARNOVA_SERVER_POOL_IMAGE_CHECKPOINT_H
#define FARNOVA_SERVER_POOL_IMAGE_CHECKPOINT_H

#include "server/pool/image/image.h"

struct medium_saved {
	const struct nova_saved *head;
	uint8_t *bytes; /* a copy of the stream */
	uint64_t length;
	uint64_t at;
};

struct medium_saved_section {
	uint32_t type;
	bool valid; /* it lies within the stream and its CRC holds */
	uint64_t length;
	const uint8_t *payload; /* unaligned */
};

/*
 * medium_saved_open -- read the state whose first block is `block`. -EINVAL if it is none, with the words that go on
 * after "the saved allocation state"; -ENOMEM. Whether it is of the last unmount is not asked.
 */
int medium_saved_open(struct medium_saved *saved, const struct medium *medium, uint64_t block, const char **why);
void medium_saved_close(struct medium_saved *saved);

/* medium_saved_next -- the next section; false at the end. One that is not valid may hide those after it. */
bool medium_saved_next(struct medium_saved *saved, struct medium_saved_section *section);

#endif
