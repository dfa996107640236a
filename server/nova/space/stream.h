/*
 * stream.h -- a worker's table of files that are written in order, and of the blocks that are reserved for each.
 *
 * The caller holds the worker's spin lock.
 */
#ifndef FARNOVA_NOVA_STREAM_H
#define FARNOVA_NOVA_STREAM_H

#include "server/nova/space/worker.h"

/* The file for which blocks are allocated. */
struct alloc_file {
	uint64_t ino;
	uint32_t generation;
	uint64_t whole_blocks; /* full blocks of its size; a write beyond them makes the file grow */
};

/* stream_of -- the file's stream. If it has none, the least recently used stream of its set becomes its stream. */
struct stream *stream_of(struct nova_worker *worker, const struct alloc_file *file);

/* stream_take -- take up to `want` of the stream's reserved blocks, for the file blocks from `file_block` on. */
uint64_t stream_take(struct nova_worker *worker, struct stream *stream, uint64_t file_block, uint64_t want,
                     uint64_t *first);

/* stream_give_back -- return a stream's reserved blocks to the zone. streams_drain -- the same for all streams. */
void stream_give_back(struct nova_worker *worker, struct stream *stream);
void streams_drain(struct nova_worker *worker);

#endif
