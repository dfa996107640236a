/*
 * checkpoint_stream.c -- writes and reads the stream of a checkpoint, which is stored in runs of blocks.
 */
#include "server/nova/mount/checkpoint_stream.h"

#include "common/crc.h"

#include <string.h>

static void store_block(struct checkpoint_sink *sink)
{
	struct nova *fs = sink->fs;
	const struct nova_checkpoint_run *run = &sink->runs[sink->run];
	uint32_t lines = (sink->filled + NOVA_LINE_SIZE - 1) / NOVA_LINE_SIZE;

	memset(sink->buffer + sink->filled, 0, lines * NOVA_LINE_SIZE - sink->filled);
	pm_copy(fs->pm, block_at(fs, le64_get(run->block) + sink->at), sink->buffer, lines * NOVA_LINE_SIZE);
	sink->filled = 0;
	if (++sink->at == le64_get(run->count)) {
		sink->at = 0;
		sink->run++;
	}
}

void checkpoint_put(struct checkpoint_sink *sink, const void *data, uint64_t size)
{
	const uint8_t *from = data;

	sink->crc = crc32c(sink->crc, data, size);
	sink->length += size;
	while (sink->runs && size) {
		uint32_t n = NOVA_BLOCK_SIZE - sink->filled;

		if (n > size)
			n = (uint32_t)size;
		memcpy(sink->buffer + sink->filled, from, n);
		sink->filled += n;
		from += n;
		size -= n;
		if (sink->filled == NOVA_BLOCK_SIZE)
			store_block(sink);
	}
}

void checkpoint_put_end(struct checkpoint_sink *sink)
{
	if (sink->filled)
		store_block(sink);
}

/* The next bytes, up to the end of the run and at most `size`. The caller of checkpoint_get has checked the runs. */
static uint64_t next_piece(struct checkpoint_source *source, uint64_t size, const uint8_t **piece)
{
	const struct nova_checkpoint_run *run = &source->head->runs[source->run];
	uint64_t bytes = le64_get(run->count) << NOVA_BLOCK_SHIFT;
	uint64_t n = bytes - source->offset < size ? bytes - source->offset : size;

	*piece = (const uint8_t *)block_at(source->fs, le64_get(run->block)) + source->offset;
	source->offset += n;
	source->left -= n;
	if (source->offset == bytes) {
		source->offset = 0;
		source->run++;
	}
	return n;
}

bool checkpoint_get(struct checkpoint_source *source, void *to, uint64_t size)
{
	uint8_t *at = to;

	if (size > source->left)
		return false;
	while (size) {
		const uint8_t *piece;
		uint64_t n = next_piece(source, size, &piece);

		if (at) {
			memcpy(at, piece, n);
			at += n;
		}
		size -= n;
	}
	return true;
}

bool checkpoint_get_crc(struct checkpoint_source *source, uint64_t size, uint32_t *crc)
{
	if (size > source->left)
		return false;
	while (size) {
		const uint8_t *piece;
		uint64_t n = next_piece(source, size, &piece);

		*crc = crc32c(*crc, piece, n);
		size -= n;
	}
	return true;
}
