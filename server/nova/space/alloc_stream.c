/*
 * alloc_stream.c -- blocks for files that are written in order.
 *
 * A worker serves many files. If all took their blocks from the worker's one run, files that grow at the same time
 * would be interleaved, block by block. So a worker remembers the files that it wrote last, and the file block with
 * which each would continue. A write that continues there, and any large write, takes its blocks from a run that is
 * reserved for that file: 16 blocks at first, then twice as many each time, up to 2 MiB. A new run begins behind the
 * last one if there is space. Where a new 2 MiB of the file begin, a run of 2 MiB is aligned to 2 MiB in the pool.
 * Reserved blocks count as free. They are returned when another file needs the place in the table, or when space runs
 * out. A file that is written once, or at random, reserves nothing.
 *
 * If a write leaves the last block of the file partly empty, the next write copies that block and fills it. Until it is
 * full the block is allocated elsewhere; the full block gets its place behind the blocks before it.
 */
#include "server/nova/space/alloc.h"

#include "server/nova/space/stream.h"
#include "server/nova/space/worker.h"
#include "server/nova/space/zone.h"

#include <errno.h>

#define WINDOW_MIN 16u
#define LARGE      64u  /* a write of so many blocks or more reserves at once */
#define FREE_SHARE 256u /* one stream reserves at most this fraction of the free blocks */

#define IN_ORDER 16u /* after so many blocks overwritten in order, overwrites reserve too */

/* ---- reserve -------------------------------------------------------------------------------------------------- */

/* How many blocks to reserve for `want` blocks from `file_block` on: the window, but not beyond a boundary of 2 MiB in
 * the file, so that the next 2 MiB can be aligned in the pool. */
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

/* Reserve a new run for the stream, which has no blocks left. False if there is no run that is long enough. */
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
	/* At a boundary of 2 MiB in the file, an aligned group is better than a run that begins within one. */
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

/* Note where the file continues. Returns how many of these blocks are to come from its own run; *got of them have been
 * taken. 0 = the blocks may be anywhere. */
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
                   bool unfilled, enum alloc_use use, uint64_t *first)
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
	return alloc_run(worker, own ? own : want, use, first);
}
