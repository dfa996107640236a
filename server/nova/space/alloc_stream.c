/*
 * alloc_stream.c -- blocks for files that are written in order.
 *
 * A worker serves many files. If each took its blocks from the worker's one run, files that grow together would lie
 * interleaved, block by block. So a worker remembers the last files it wrote and where each would go on. A write that
 * goes on there, and any large one, takes its blocks from a run reserved for that file: 16 blocks at first, each time
 * twice as many, up to 2 MiB; behind the last run where there is space, and from there on where file and pool are
 * aligned to 2 MiB alike. What is reserved counts as free and goes back when others need the place in the table, or
 * when space runs out. A file that is written once, or here and there, reserves nothing.
 *
 * A block that a write at the end of the file leaves partly empty will be written again, copied, by the write that goes
 * on. It lies elsewhere until it is full: then it gets its place behind the blocks before it.
 */
#include "server/nova/space/alloc.h"

#include "server/nova/space/stream.h"
#include "server/nova/space/worker.h"
#include "server/nova/space/zone.h"

#include <errno.h>

#define WINDOW_MIN 16u
#define LARGE      64u  /* a write of so many blocks reserves from the first on */
#define FREE_SHARE 256u /* one stream reserves at most this part of what is free */

#define IN_ORDER 16u /* blocks written again in order before the file counts as one that is */

/* ---- reserve -------------------------------------------------------------------------------------------------- */

/* How much to reserve for `want` blocks from `file_block` on: the window, but not past where 2 MiB of the file end, so
 * that the next can lie in a group. */
static uint64_t reserve_size(uint32_t window, uint64_t file_block, uint64_t want, uint64_t spare)
{
	uint64_t to_boundary = NOVA_GROUP_BLOCKS - file_block % NOVA_GROUP_BLOCKS;
	uint64_t size = want >= LARGE ? to_boundary : window;

	if (size > to_boundary)
		size = to_boundary;
	if (size < want)
		size = want;
	return size > want + spare ? want + spare : size;
}

/* A fresh run for the stream, which has none left. False if there is none that is worth it. */
static bool refill(struct nova_worker *worker, const struct alloc_file *file, uint64_t file_block, uint64_t want)
{
	uint64_t spare = __atomic_load_n(&worker->fs->free_blocks, __ATOMIC_RELAXED) / FREE_SHARE;
	struct stream *stream;
	uint64_t goal;
	uint64_t size;
	uint64_t first;
	uint64_t got;

	if (spare < WINDOW_MIN)
		return false;
	spin_lock(&worker->lock);
	stream = stream_of(worker, file);
	goal = stream->first;
	stream->window = stream->window < WINDOW_MIN          ? WINDOW_MIN
	                 : stream->window < NOVA_GROUP_BLOCKS ? 2 * stream->window
	                                                      : NOVA_GROUP_BLOCKS;
	size = reserve_size(stream->window, file_block, want, spare);
	spin_unlock(&worker->lock);
	/* Where a new 2 MiB of the file begin, a group of the pool is better than to go on in the middle of one. */
	if (file_block % NOVA_GROUP_BLOCKS == 0 && goal % NOVA_GROUP_BLOCKS && size >= NOVA_GROUP_BLOCKS)
		goal = 0;
	got = alloc_reserve_run(worker, goal, size, size < WINDOW_MIN ? size : WINDOW_MIN, &first);
	if (!got)
		return false;
	spin_lock(&worker->lock);
	stream->first = first;
	stream->left = got;
	worker->stream_blocks += got;
	spin_unlock(&worker->lock);
	return true;
}

/* ---- data ----------------------------------------------------------------------------------------------------- */

/* Note where the file goes on, and how many of these blocks come from its own run: 0 = they may lie anywhere. */
static uint64_t plan(struct nova_worker *worker, const struct alloc_file *file, uint64_t file_block, uint64_t want,
                     bool unfilled, uint64_t *first, uint64_t *got)
{
	bool grows = file_block + want > file->whole_blocks;
	struct stream *stream;
	uint64_t own = 0;

	*got = 0;
	spin_lock(&worker->lock);
	stream = stream_of(worker, file);
	stream->used = ++worker->stream_clock;
	if (file_block != stream->next) {
		stream_give_back(worker, stream);
		stream->order = 0;
		stream->window = 0;
	} else if (grows || stream->order >= IN_ORDER) {
		own = want - unfilled;
	}
	if (want >= LARGE)
		own = want;
	if (stream->left && own)
		*got = stream_take(worker, stream, file_block, own, first);
	else
		stream->order += want;
	if (*got == 0 || *got == want)
		stream->next = file_block + want - unfilled;
	spin_unlock(&worker->lock);
	return own;
}

int64_t alloc_data(struct nova_worker *worker, const struct alloc_file *file, uint64_t file_block, uint64_t want,
                   bool unfilled, uint64_t *first)
{
	uint64_t got;
	uint64_t own = plan(worker, file, file_block, want, unfilled, first, &got);

	if (!got && own && refill(worker, file, file_block, own)) {
		struct stream *stream;

		spin_lock(&worker->lock);
		stream = stream_of(worker, file);
		got = stream_take(worker, stream, file_block, own, first);
		if (got == want)
			stream->next -= unfilled;
		spin_unlock(&worker->lock);
	}
	if (got)
		return (int64_t)got;
	return alloc_run(worker, own ? own : want, false, first);
}
