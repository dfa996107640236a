/*
 * gc.c -- the policy of GC: when GC shortens a log, and by how much.
 *
 * A log is a queue. A slice of GC scans the first few pages, appends their live entries by an ordinary append, and
 * moves {tail, head} in one record: then the log begins behind these pages. Before that commit the log is unchanged;
 * after it no entry is in the log twice. Between slices the log is an ordinary log. So other appends, in this thread or
 * another, need to know nothing of GC, and a slice needs to know nothing of earlier appends. A page without live
 * entries costs one scan; a file that is rewritten in order has only such pages at the beginning of its log. GC packs
 * extents, four in a line: so the live part of a fragmented file's log becomes a quarter of it at most.
 *
 * A sweep writes all extents of a file again in the order of the file, where only that order lets GC merge them. Then
 * every extent entry before the beginning of the sweep is dead, and GC need not check it.
 *
 * When: `limit_pages` gives the pages that a log may have for its live entries; an append to a longer log first runs
 * slices. A slice takes microseconds, so it runs in the appending thread, under the lock that this thread holds.
 * nova_gc_step (gc_step.c) shortens the logs of inodes that have not changed for a while still further.
 */
#include "server/nova/change/gc.h"

#include "server/nova/change/gc_queue.h"
#include "server/nova/change/gc_scan.h"
#include "server/nova/change/gc_slice.h"
#include "server/nova/change/gc_sweep.h"
#include "server/nova/inode/xattr_index.h"
#include "server/nova/space/worker.h"

#include <errno.h>

#define FREE_PAGES     9u /* pages that any log may have beyond its live entries */
#define IDLE_PAGES     2u /* the same for a log without recent appends */
#define SCANS_PER_LINE 8u /* lines scanned for each line that was appended or became dead */

static_assert(FREE_PAGES > GC_SLICE_PAGES, "the page of the tail is never looked at");

/* ---- when ----------------------------------------------------------------------------------------------------- */

/* How many lines the live entries take, without those of extents. */
static uint64_t other_lines(const struct nova_inode *inode)
{
	return 3 + inode->dir.lines + xattr_lines(inode);
}

/* Extents for which GC may append more than it frees: those that are parts of older, longer entries. There are at most
 * as many as were split since a round of GC scanned them; before a sweep, all extents count. */
static uint64_t parts(const struct nova_inode *inode)
{
	uint64_t split = inode->gc.was_split + inode->gc.split;

	return !inode->gc.sweep_due && split < inode->file.extents ? split : inode->file.extents;
}

/*
 * How many pages a log may have before an append.
 *
 * Extents: 64 bytes for each, less what a round of GC can add before it frees pages: each part of an old entry becomes
 * a packed extent of its own, four in a line, and every slice adds some lines. So the log never has more than 64 bytes
 * for each extent plus FREE_PAGES, besides a slice's own pages. As GC packs extents, at least three quarters of that
 * are dead.
 *
 * Names and attributes: the same where FREE_PAGES leave enough dead lines, else their lines and a quarter more. The
 * denser a log, the more copying costs. If lines become dead at random, GC copies u lines for 1 - u lines appended,
 * where the live part of the log is (u - 1) / ln u. With a quarter more, u is 0.63.
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

/* The most pages that the log may have in any case. */
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
	/* Where a sweep has reached the bound, slices that free pages make room for the rest of the sweep. */
	if (inode->gc.sweep && (!inode->gc.swept || pages + 2 < bound_pages(inode)))
		rc = gc_sweep_slice(worker, inode);
	else
		rc = gc_scan_slice(worker, inode, pages - 1 < GC_SLICE_PAGES ? pages - 1 : GC_SLICE_PAGES, why,
		                   sizeof why);
	if (rc == -EIO)
		log_error(NOVA_LOG_NAME, "inode %llu: its log cannot be shortened: %s; run `farnova fsck` on the pool",
		          (unsigned long long)inode->ino, why[0] ? why : "a link word is damaged");
	/* No space: try again when the log has grown. Damage: never try again, so that what is readable stays. */
	inode->gc.limit = rc == -EIO ? UINT64_MAX : rc ? pages + 1 : 0;
	return rc == 0;
}

/*
 * Count how extents changed since the last call; returns how many fewer there are. An operation removes or replaces one
 * run of file blocks. It splits an extent only if the whole run was inside that extent: then there are more extents
 * than before, but not more blocks. For a log that was just read, all extents count as split.
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

/* To how many pages idle GC shortens the log. A smaller `share` gives a higher limit, for the decision to begin: a
 * round copies all live entries and must free enough pages to be worth that. */
static uint64_t idle_limit(const struct nova_inode *inode, uint64_t share)
{
	uint64_t lines = other_lines(inode) + inode->file.extents / NOVA_EXTENTS_PER_LINE;

	return IDLE_PAGES + (lines + lines / share) / NOVA_PAGE_LINES;
}

static bool is_worth_idling(const struct nova_inode *inode)
{
	uint64_t pages = log_pages(inode);
	uint64_t rest = inode->gc.rest;

	/* A round checks every extent, though it packs four in a line: so much must have been appended since. */
	rest += (rest + inode->file.extents / NOVA_PAGE_LINES) / 16 + IDLE_PAGES;
	return pages > 2 * IDLE_PAGES && pages > rest && pages > idle_limit(inode, 8);
}

/*
 * One slice keeps up with appends of some lines. After an append of many lines (a write to scattered blocks), or after
 * the removal of many extents, more slices run. A log that has reached its bound nevertheless gets one slice for each
 * of these lines.
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

/* Whether a sweep is under way, or pages are left before its beginning: their extents are dead and cheap to free. */
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
