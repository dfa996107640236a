/*
 * gc.c -- when logs are kept short, and how: what lives in a log's first pages moves to its end, and the pages go.
 *
 * A log is a queue. A slice of GC looks at the first few pages, appends what of them still lives like any other append,
 * and moves {tail, head} as one record: the log then begins behind those pages. Before that commit nothing has
 * happened, after it nothing is there twice. Between slices the log is an ordinary one, so whatever else appends to it,
 * in this thread or another, needs to know nothing of GC, and a slice needs to know nothing of what came before it.
 * Pages that are wholly dead cost a look; a file that is rewritten in order has no others at its log's beginning.
 * Extents are appended packed, four in a line: so what lives of a fragmented file is a quarter of its log at most.
 *
 * A sweep writes all extents of a file again in the file's order, where that alone makes one of many parts. Then every
 * extent told before its beginning is dead, without a look.
 *
 * When: `limit_pages` allows a log so many pages for what lives in it; an append to a longer one first runs one slice.
 * A slice takes microseconds, so it runs in the thread that appends, under the lock it has already. Logs that nothing
 * is appended to for a while are shortened further by whoever calls nova_gc_step (gc_step.c).
 */
#include "server/nova/change/gc.h"

#include "server/nova/change/gc_queue.h"
#include "server/nova/change/gc_scan.h"
#include "server/nova/change/gc_slice.h"
#include "server/nova/change/gc_sweep.h"
#include "server/nova/inode/xattr_index.h"
#include "server/nova/space/worker.h"

#include <errno.h>

#define FREE_PAGES     9u /* that any log may have beside what lives */
#define IDLE_PAGES     2u /* the same of a log that nothing is appended to */
#define SCANS_PER_LINE 8u /* lines looked at for each that was appended or died */

static_assert(FREE_PAGES > GC_SLICE_PAGES, "the page of the tail is never looked at");

/* ---- when ----------------------------------------------------------------------------------------------------- */

/* How many lines what lives takes with nothing between, but for extents. */
static uint64_t other_lines(const struct nova_inode *inode)
{
	return 3 + inode->dir.lines + xattr_lines(inode);
}

/* Extents of which GC may come to write more than it takes away: those that may lie in the log as parts of entries that
 * were longer once, as many as were cut in two since a round of GC looked at them; before a sweep, all. */
static uint64_t parts(const struct nova_inode *inode)
{
	uint64_t split = inode->gc.was_split + inode->gc.split;

	return !inode->gc.sweep_due && split < inode->file.extents ? split : inode->file.extents;
}

/*
 * So many pages a log may have before an append.
 *
 * Extents: 64 bytes for each, less what a round of GC can add before it takes away: parts of old entries get places of
 * their own, four in a line, and every slice adds some lines. So the log has never more than 64 bytes for each and
 * FREE_PAGES, a slice's own pages aside. As copied extents are packed, three quarters of that and more are dead.
 *
 * Names and attributes: the same where FREE_PAGES leave enough dead, else a quarter more than their lines. Copying
 * costs the more the denser a log is: of lines that die at random, u are copied for 1 - u that are appended, where the
 * live part of the log is (u - 1) / ln u: with a quarter more u is 0.63.
 */
static uint64_t limit_pages(const struct nova_inode *inode)
{
	uint64_t others = other_lines(inode);
	uint64_t extents = inode->file.extents;
	uint64_t lines = extents - extents / 32 - parts(inode) / NOVA_EXTENTS_PER_LINE;
	uint64_t dense = (others + lines) * NOVA_LINE_SIZE / NOVA_BLOCK_SIZE + FREE_PAGES;
	uint64_t loose = (others + others / 4) / NOVA_PAGE_LINES + lines * NOVA_LINE_SIZE / NOVA_BLOCK_SIZE;

	return dense > loose ? dense : loose;
}

/* More than these it shall not have in any case. */
static uint64_t bound_pages(const struct nova_inode *inode)
{
	return (other_lines(inode) + inode->file.extents) * NOVA_LINE_SIZE / NOVA_BLOCK_SIZE + FREE_PAGES;
}

static uint64_t log_pages(const struct nova_inode *inode)
{
	return inode->log.tail_page ? (inode->log.tail_first - gc_first_position(inode)) / NOVA_PAGE_LINES + 1 : 0;
}

static bool is_due(const struct nova_inode *inode)
{
	uint64_t pages = log_pages(inode);

	if (pages <= FREE_PAGES || pages < inode->gc.limit)
		return false;
	return inode->gc.sweep || inode->gc.sweep_due || pages > limit_pages(inode);
}

static bool shorten(struct nova_worker *worker, struct nova_inode *inode)
{
	uint64_t pages = log_pages(inode);
	char why[160] = "";
	int rc;

	if (pages < 2 || pages < inode->gc.limit)
		return false;
	if (inode->gc.sweep_due && pages <= limit_pages(inode))
		gc_sweep_begin(inode);
	/* Where a sweep has come to the bound, slices that take pages away make room for the rest of it. */
	if (inode->gc.sweep && (!inode->gc.swept || pages + 2 < bound_pages(inode)))
		rc = gc_sweep_slice(worker, inode);
	else
		rc = gc_scan_slice(worker, inode, pages - 1 < GC_SLICE_PAGES ? pages - 1 : GC_SLICE_PAGES, why,
		                   sizeof why);
	if (rc == -EIO)
		log_error(NOVA_LOG_NAME, "inode %llu: its log cannot be shortened: %s; run `farnova fsck` on the pool",
		          (unsigned long long)inode->ino, why[0] ? why : "a link word is damaged");
	/* No space: try again when the log has grown. Damage: let be what can still be read. */
	inode->gc.limit = rc == -EIO ? UINT64_MAX : rc ? pages + 1 : 0;
	return rc == 0;
}

/*
 * What became of the extents since GC was last asked; returns how many fewer there are. An operation takes away or
 * replaces one row of file blocks. It cuts an extent in two only where all of that row was in this extent: then there
 * are more extents than before, and no more blocks. Of a log that was just read nothing is known.
 */
static uint64_t count_extents(struct nova_inode *inode)
{
	struct gc_state *gc = &inode->gc;
	uint64_t before = gc->extents;

	gc->extents = inode->file.extents;
	if (!gc->tail)
		gc->was_split = gc->extents;
	else
		gc->split += gc->extents > before && inode->space.blocks <= gc->blocks;
	gc->blocks = inode->space.blocks;
	return gc->extents < before ? before - gc->extents : 0;
}

/* How far the log is shortened while nothing else happens, and how much longer it must be to begin with it: so that a
 * round, which passes over all that lives, is not for little. */
static uint64_t idle_limit(const struct nova_inode *inode, uint64_t share)
{
	uint64_t lines = other_lines(inode) + inode->file.extents / NOVA_EXTENTS_PER_LINE;

	return IDLE_PAGES + (lines + lines / share) / NOVA_PAGE_LINES;
}

static bool is_worth_idling(const struct nova_inode *inode)
{
	uint64_t pages = log_pages(inode);
	uint64_t rest = inode->gc.rest;

	/* A round looks at every extent, though it packs four in a line: so much must have been appended since. */
	rest += (rest + inode->file.extents / NOVA_PAGE_LINES) / 16 + IDLE_PAGES;
	return pages > 2 * IDLE_PAGES && pages > rest && pages > idle_limit(inode, 8);
}

/*
 * One slice keeps up with appends of some lines; an append of many, a write to scattered blocks, is followed by more,
 * as is what took many extents away. A log that has come to its bound all the same gets a slice for each of these
 * lines.
 */
void gc_if_due(struct nova_worker *worker, struct nova_inode *inode)
{
	struct gc_state *gc = &inode->gc;
	uint64_t lines = gc->tail ? inode->log.tail - gc->tail : 0;
	uint64_t slices = 0;

	lines += count_extents(inode);
	while (is_due(inode) && (slices <= lines * SCANS_PER_LINE / GC_SLICE_LINES ||
	                         (slices <= lines && log_pages(inode) > bound_pages(inode)))) {
		if (!shorten(worker, inode))
			break;
		slices++;
	}
	gc->tail = inode->log.tail;
	if (!gc->queued && is_worth_idling(inode))
		gc_queue(worker->fs, inode);
}

/* ---- while nothing else happens ------------------------------------------------------------------------------- */

/* A sweep leaves whole pages of dead extents, which go at once. */
static bool is_sweeping(const struct nova_inode *inode)
{
	const struct gc_state *gc = &inode->gc;

	return gc->sweep || gc->sweep_due || gc_first_position(inode) + NOVA_PAGE_LINES <= gc->position;
}

bool gc_idle_slice(struct nova_worker *worker, struct nova_inode *inode, uint64_t end)
{
	if ((gc_first_position(inode) < end || is_sweeping(inode)) && log_pages(inode) > idle_limit(inode, 16) &&
	    shorten(worker, inode))
		return true;
	inode->gc.rest = log_pages(inode);
	return false;
}
