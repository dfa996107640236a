/*
 * stream.h -- a worker's table of files that are written in order, and of the blocks that are reserved for each.
 *
 * All of it is under the worker's spin lock.
 */
#ifndef FARNOVA_NOVA_STREAM_H
#define FARNOVA_NOVA_STREAM_H

#include "server/nova/space/worker.h"

/* A file that blocks are taken for. */
struct alloc_file {
	uint64_t ino;
	uint32_t generation;
	uint64_t whole_blocks; /* of its size; what lies beyond lets it grow */
};

/* stream_of -- the file's stream, or the one that was used longest ago, made the file's. */
struct stream *stream_of(struct nova_worker *worker, const struct alloc_file *file);

/* stream_take -- up to `want` of the blocks that the stream has left, for the file blocks from `file_block` on. */
uint64_t stream_take(struct nova_worker *worker, struct stream *stream, uint64_t file_block, uint64_t want,
                     uint64_t *first);

/* stream_give_back -- what one stream has left is free again. streams_drain -- the same for all of the worker's. */
void stream_give_back(struct nova_worker *worker, struct stream *stream);
void streams_drain(struct nova_worker *worker);

#endif
