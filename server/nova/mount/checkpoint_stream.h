/*
 * checkpoint_stream.h -- the stream of bytes in which a clean unmount saves its sections, scattered over runs of free
 * blocks.
 */
#ifndef FARNOVA_NOVA_CHECKPOINT_STREAM_H
#define FARNOVA_NOVA_CHECKPOINT_STREAM_H

#include "server/nova/core.h"

/* Where a stream goes. Without runs it is only measured. */
struct checkpoint_sink {
	struct nova *fs;
	const struct nova_checkpoint_run *runs; /* NULL: only measure */
	uint64_t length;                        /* bytes put so far */
	uint32_t crc;                           /* over what was put since the caller set it */
	uint64_t run;                           /* the run and the block in it that are filled next */
	uint64_t at;
	uint32_t filled;
	uint8_t buffer[NOVA_BLOCK_SIZE] __attribute__((aligned(64)));
};

void checkpoint_put(struct checkpoint_sink *sink, const void *data, uint64_t size);

/* checkpoint_put_end -- store what is still in the buffer. Not fenced. */
void checkpoint_put_end(struct checkpoint_sink *sink);

/* A piece of a stream, to be read from its beginning. */
struct checkpoint_source {
	const struct nova *fs;
	const struct nova_checkpoint *head;
	uint64_t run; /* where the next byte lies: run, and byte in the run */
	uint64_t offset;
	uint64_t left; /* bytes up to the end of the piece */
};

/* checkpoint_get -- the next `size` bytes; false if there are not so many. `to` NULL: step over them. */
bool checkpoint_get(struct checkpoint_source *source, void *to, uint64_t size);

/* checkpoint_get_crc -- the CRC over the next `size` bytes, continued from `crc`; they are stepped over. */
bool checkpoint_get_crc(struct checkpoint_source *source, uint64_t size, uint32_t *crc);

#endif
