/*
 * gc_scan.c -- scans a log's first pages: which entries are live, and when a round has ended.
 */
#include "server/nova/change/gc_scan.h"

#include "common/assert.h"
#include "server/nova/change/gc_slice.h"
#include "server/nova/change/gc_sweep.h"
#include "server/nova/inode/inode.h"
#include "server/nova/inode/xattr_index.h"
#include "server/nova/space/project.h"
#include "server/nova/space/worker.h"

#include <errno.h>
#include <stdio.h>

#define STOPPED 1 /* the walk ended early */

static_assert(GC_SCAN_HARD_LIMIT >= GC_SCAN_SOFT_LIMIT + NOVA_EXTENTS_MAX, "a page of packed extents is always ended");

/* How many extents a WRITE or EXTENTS entry has; a hole is not an extent. */
static unsigned count_in(const struct nova_entry *entry)
{
	if (entry->type == NOVA_ENTRY_EXTENTS)
		return entry_extents_count(entry);
	return entry_write_value(ENTRY_CONST_PAYLOAD(nova_write_entry, entry)) != 0;
}

static struct extent extent_in(const struct nova_entry *entry, unsigned i)
{
	const struct nova_write_entry *write = ENTRY_CONST_PAYLOAD(nova_write_entry, entry);

	if (entry->type == NOVA_ENTRY_EXTENTS)
		return entry_extent(entry, i);
	return (struct extent){
	    .file_block = le64_get(write->file_block),
	    .value = entry_write_value(write),
	    .count = le32_get(write->count),
	};
}

/*
 * An old entry and a newer one can map a file block to the same block, if that block was freed and allocated again for
 * the same file block; in a file of few blocks most old entries do. Then all these entries seem live. To copy an extent
 * more than once is harmless but takes space, so a slice remembers recent copies in a table of GC_SEEN.
 */
static bool was_seen(struct gc_slice *slice, const struct extent *live)
{
	struct extent *seen = &slice->seen[live->file_block % GC_SEEN];

	if (seen->value == live->value && seen->file_block == live->file_block && seen->count >= live->count)
		return true;
	*seen = *live;
	return false;
}

/* Keep the parts of an extent that are still live, from file block `at` on. There may be many parts: after enough work
 * this returns STOPPED, and *stop is the file block from which the next slice continues. */
static int keep_extent(struct gc_slice *slice, const struct extent *extent, uint64_t at, const struct nova_entry *entry,
                       uint64_t *stop)
{
	const struct file_index *file = &slice->inode->file;
	uint64_t end = extent->file_block + extent->count;
	struct extent live;

	/* If a file has many extents, most of them are single blocks. */
	if (extent->count == 1 && (at > extent->file_block || file_index_get(file, at) != extent->value)) {
		slice->scanned++;
		return 0;
	}
	for (; file_index_next(file, at, &at) && at < end; at += live.count) {
		int rc = 0;

		if (slice->scanned >= GC_SCAN_HARD_LIMIT) {
			*stop = at;
			return STOPPED;
		}
		live = gc_slice_look(slice, at, end);
		if (live.value == extent->value + (at - extent->file_block) && !was_seen(slice, &live))
			rc = gc_slice_add(slice, &live, le32_get(entry->born));
		if (rc)
			return rc;
	}
	return 0;
}

static int keep_extents(struct gc_slice *slice, const struct nova_entry *entry, uint64_t position)
{
	const struct gc_state *gc = &slice->inode->gc;
	bool resume = position == gc->position;
	unsigned count = count_in(entry);

	if (position < gc->position)
		return 0;
	for (unsigned i = resume ? gc->index : 0; i < count; i++) {
		struct extent extent = extent_in(entry, i);
		uint64_t from = extent.file_block;
		int rc;

		if (resume && i == gc->index && from < gc->block)
			from = gc->block;
		if (position < gc->sweep && from < gc->swept)
			from = gc->swept;
		rc = keep_extent(slice, &extent, from, entry, &slice->block);
		if (rc == STOPPED) {
			slice->position = position;
			slice->index = i;
		}
		if (rc)
			return rc;
	}
	return 0;
}

/*
 * Prefetch the index nodes of all extents of a page before the first is checked, so that cache misses overlap instead
 * of following each other. The entries are not yet validated: here they only choose what to prefetch.
 */
static void prefetch_page(const struct file_index *file, const struct nova_page *page)
{
	const struct nova_entry *entry;

	for (unsigned i = 0; i < NOVA_PAGE_LINES; i += entry->lines) {
		entry = (const void *)page->lines[i];
		if (entry->lines == 0 || i + entry->lines > NOVA_PAGE_LINES)
			return;
		if (entry->type != NOVA_ENTRY_WRITE && entry->type != NOVA_ENTRY_EXTENTS)
			continue;
		for (unsigned n = 0, count = count_in(entry); n < count; n++)
			file_index_prefetch(file, extent_in(entry, n).file_block);
	}
}

/* Called before the entries of each page. */
static int begin_page(void *context, uint64_t block)
{
	struct gc_slice *slice = context;

	if (slice->page) {
		slice->done++;
		slice->done_last = slice->page;
	}
	if (slice->done && slice->scanned >= GC_SCAN_SOFT_LIMIT)
		return STOPPED;
	slice->page = block;
	if (slice->inode->file.extents)
		prefetch_page(&slice->inode->file, block_at(slice->worker->fs, block));
	return 0;
}

static int move_entry(struct gc_slice *slice, const struct nova_entry *entry, uint64_t *line)
{
	fn_assert(slice->moved < GC_SLICE_LINES);
	slice->lines_moved[slice->moved].line = line;
	return gc_slice_copy(slice, entry, &slice->lines_moved[slice->moved++].now);
}

/* The newest QUOTA entry of a project is live. */
static int keep_limits(struct gc_slice *slice, const struct nova_entry *entry, uint64_t line)
{
	uint32_t id = le32_get(ENTRY_CONST_PAYLOAD(nova_quota_entry, entry)->project);
	struct project *project = project_find(slice->worker->fs, id);

	if (!project)
		return -ENOMEM;
	return line == *project_line(project) ? move_entry(slice, entry, project_line(project)) : 0;
}

/* A copied name keeps its cookie, so the order of a listing does not change. */
static int keep_name(struct gc_slice *slice, const struct nova_entry *entry, uint64_t line)
{
	const struct nova_name_entry *name = ENTRY_CONST_PAYLOAD(nova_name_entry, entry);
	struct dir_entry *found =
	    inode_find_name(slice->worker->fs, slice->inode, entry_name(entry), name->name_length);

	if (!found || found->line != line)
		return 0;
	return move_entry(slice, entry, &found->line);
}

static int keep_xattr(struct gc_slice *slice, const struct nova_entry *entry, uint64_t line)
{
	uint32_t place = xattr_place(slice->worker->fs, slice->inode, entry, line);

	if (place == xattr_count(slice->inode))
		return 0;
	fn_assert(slice->xattrs_moved < GC_SLICE_LINES);
	slice->xattrs[slice->xattrs_moved].place = place;
	return gc_slice_copy(slice, entry, &slice->xattrs[slice->xattrs_moved++].line);
}

static int keep_entry(void *context, const struct nova_entry *entry, uint64_t position, uint64_t line)
{
	struct gc_slice *slice = context;

	switch (entry->type) {
	case NOVA_ENTRY_WRITE:
	case NOVA_ENTRY_EXTENTS:
		return keep_extents(slice, entry, position);
	case NOVA_ENTRY_NAME:
		return keep_name(slice, entry, line);
	case NOVA_ENTRY_XATTR:
		return keep_xattr(slice, entry, line);
	case NOVA_ENTRY_SYMLINK:
		return line == slice->inode->symlink_line ? gc_slice_copy(slice, entry, &slice->symlink_line) : 0;
	case NOVA_ENTRY_QUOTA:
		return keep_limits(slice, entry, line);
	default:
		return 0; /* write_attributes writes attributes again; the rest removes names or extents of older
		             entries */
	}
}

/* Begin the first round. */
static void begin_round(struct nova_inode *inode)
{
	inode->gc.round = inode->log.tail;
	inode->gc.was_split += inode->gc.split;
	inode->gc.split = 0;
}

/*
 * A round has ended when GC has scanned every line that was in the log at its beginning. The extents that it appended
 * should take a quarter of the lines allowed for extents. They take more where the parts of one extent are out of order
 * in the log, as after random writes into reserved blocks: in log order they cannot be merged, so a sweep follows.
 */
static void end_round(struct nova_inode *inode)
{
	struct gc_state *gc = &inode->gc;

	if (gc_first_position(inode) < gc->round)
		return;
	if (gc->sweep_due)
		gc_sweep_begin(inode);
	gc->copied = 0;
	gc->was_split = gc->split;
	gc->split = 0;
	gc->round = inode->log.tail;
}

/* If the slice stops within a page, the copied extents of that page are in the log twice, which is correct, until a
 * later slice frees the page. */
int gc_scan_slice(struct nova_worker *worker, struct nova_inode *inode, uint64_t pages, char *why, size_t why_size)
{
	struct gc_slice slice;
	struct log_walk walk = {
	    .fs = worker->fs,
	    .ino = inode->ino,
	    .generation = inode->generation,
	    .tail = gc_first_position(inode) + pages * NOVA_PAGE_LINES,
	    .head = inode->log.head,
	    .repair = true,
	    .page = begin_page,
	    .entry = keep_entry,
	    .context = &slice,
	};
	int rc;

	gc_slice_begin(&slice, worker, inode);
	if (!inode->gc.round)
		begin_round(inode);
	rc = log_walk(&walk);
	if (!rc) {
		slice.done++;
		slice.done_last = walk.last_page;
	}
	if (rc >= 0)
		rc = gc_slice_end(&slice);
	if (rc) {
		snprintf(why, why_size, "%s", walk.why);
		log_append_drop(worker, &slice.log);
		return rc;
	}
	inode->gc.copied += slice.lines;
	inode->gc.sweep_due |= !inode->gc.sweep && inode->gc.copied > inode->file.extents / 2 + NOVA_PAGE_LINES;
	if (slice.position) {
		inode->gc.position = slice.position;
		inode->gc.index = slice.index;
		inode->gc.block = slice.block;
	}
	if (slice.done)
		end_round(inode);
	return 0;
}
