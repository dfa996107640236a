/*
 * stream.c -- the table of files that are written in order.
 */
#include "server/nova/space/stream.h"

#include "server/nova/space/zone.h"

#define WAYS 4u /* the table is 4-way set associative */

void stream_give_back(struct nova_worker *worker, struct stream *stream)
{
	if (stream->left)
		zone_free(worker->fs, stream->first, stream->left);
	worker->stream_blocks -= stream->left;
	stream->left = 0;
	stream->first = 0;
}

void streams_drain(struct nova_worker *worker)
{
	for (unsigned i = 0; i < NOVA_WORKER_STREAMS && worker->stream_blocks; i++)
		stream_give_back(worker, &worker->streams[i]);
}

struct stream *stream_of(struct nova_worker *worker, const struct alloc_file *file)
{
	struct stream *set = &worker->streams[file->ino % (NOVA_WORKER_STREAMS / WAYS) * WAYS];
	struct stream *oldest = set;

	for (unsigned i = 0; i < WAYS; i++) {
		struct stream *stream = &set[i];

		if (stream->ino == file->ino && stream->generation == file->generation)
			return stream;
		if (stream->used < oldest->used)
			oldest = stream;
	}
	stream_give_back(worker, oldest);
	*oldest = (struct stream){.ino = file->ino, .generation = file->generation, .next = UINT64_MAX};
	return oldest;
}

uint64_t stream_take(struct nova_worker *worker, struct stream *stream, uint64_t file_block, uint64_t want,
                     uint64_t *first)
{
	uint64_t got = stream->left < want ? stream->left : want;

	*first = stream->first;
	stream->first += got;
	stream->left -= got;
	worker->stream_blocks -= got;
	stream->order += got;
	stream->next = file_block + got;
	return got;
}
