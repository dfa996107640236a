/*
 * checkpoint_stream.h -- the byte stream that holds the sections of a checkpoint. It is stored in runs of free blocks.
 */
#ifndef FARNOVA_NOVA_CHECKPOINT_STREAM_H
#define FARNOVA_NOVA_CHECKPOINT_STREAM_H

#include "server/nova/core.h"

/* A stream that is written. Without runs only its length and CRC are computed. */
struct checkpoint_sink {
	struct nova *fs;
	const struct nova_checkpoint_run *runs; /* or NULL */
	uint64_t length;                        /* bytes put so far */
	uint32_t crc;                           /* over the bytes put since the caller set it */
	uint64_t run;                           /* the buffer goes into block `at` of this run */
	uint64_t at;
	uint32_t filled; /* bytes in the buffer */
	uint8_t buffer[NOVA_BLOCK_SIZE] __attribute__((aligned(64)));
};

void checkpoint_put(struct checkpoint_sink *sink, const void *data, uint64_t size);

/* checkpoint_put_end -- store the rest of the buffer. Not fenced. */
void checkpoint_put_end(struct checkpoint_sink *sink);

/* A stream, or a part of one, that is read. */
struct checkpoint_source {
	const struct nova *fs;
	const struct nova_checkpoint *head;
	uint64_t run; /* the next byte is byte `offset` of this run */
	uint64_t offset;
	uint64_t left; /* bytes up to the end of the part */
};

/* checkpoint_get -- copy the next `size` bytes to `to`; NULL: skip them. False if fewer are left. */
bool checkpoint_get(struct checkpoint_source *source, void *to, uint64_t size);

/* checkpoint_get_crc -- continue *crc over the next `size` bytes and skip them. False if fewer are left. */
bool checkpoint_get_crc(struct checkpoint_source *source, uint64_t size, uint32_t *crc);

#endif
