/*
 * gc_sweep.c -- a sweep: once it has ended, every extent entry before its beginning is dead, without a check.
 */
#include "server/nova/change/gc_sweep.h"

#include "server/nova/change/gc_slice.h"

void gc_sweep_begin(struct nova_inode *inode)
{
	inode->gc.sweep_due = false;
	inode->gc.sweep = inode->log.tail;
	inode->gc.swept = 0;
}

/* Every live extent has been written again since the sweep began: by the sweep, or by an operation that changed it. */
static void end_sweep(struct nova_inode *inode)
{
	struct gc_state *gc = &inode->gc;

	gc->position = gc->sweep;
	gc->index = 0;
	gc->block = 0;
	gc->sweep = 0;
	gc->copied = 0;
	gc->was_split += gc->split;
	gc->split = 0;
	gc->round = inode->log.tail;
}

/* One slice of a sweep: it writes extents again in the order of the file, each with its present length. It frees no
 * page. */
int gc_sweep_slice(struct nova_worker *worker, struct nova_inode *inode)
{
	uint64_t at = inode->gc.swept;
	struct extent live;
	struct gc_slice slice;
	bool more;
	int rc = 0;

	gc_slice_begin(&slice, worker, inode);
	while ((more = file_index_next(&inode->file, at, &at)) && !rc && slice.scanned < GC_SCAN_SOFT_LIMIT) {
		live = gc_slice_look(&slice, at, NOVA_FILE_BLOCKS_MAX);
		/* The index does not say when an extent was born: EPOCH does not move yet, so all are of one epoch. */
		rc = gc_slice_add(&slice, &live, inode->log.born);
		at += live.count;
	}
	if (!rc)
		rc = gc_slice_end(&slice);
	if (rc) {
		log_append_drop(worker, &slice.log);
		return rc;
	}
	inode->gc.swept = at;
	if (!more)
		end_sweep(inode);
	return 0;
}
