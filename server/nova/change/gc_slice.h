/*
 * gc_slice.h -- one slice of GC: what it appends of what lives, and its commit.
 *
 * Extents are gathered into runs and packed; entries of other kinds are copied as they are. The inode is locked for
 * writing, and its index is there.
 */
#ifndef FARNOVA_NOVA_GC_SLICE_H
#define FARNOVA_NOVA_GC_SLICE_H

#include "server/nova/inode/nova_inode.h"
#include "server/nova/log/inode_log.h"

#define GC_SLICE_PAGES     4u                                                   /* that a slice looks at */
#define GC_SLICE_LINES     (NOVA_SLOT_LINES + GC_SLICE_PAGES * NOVA_PAGE_LINES) /* that lie in them */
#define GC_SCAN_SOFT_LIMIT 320u /* extents: then no other page is begun, */
#define GC_SCAN_HARD_LIMIT 640u /* and then not even this one ended */
#define GC_SEEN            256u

/* Extents of a file that lie in a row, to be told as one. */
struct gc_run {
	struct extent extent;
	struct nova_request request;
};

struct gc_slice {
	struct nova_worker *worker;
	struct nova_inode *inode;
	struct log_append log;
	struct gc_run run;         /* not yet among the gathered */
	struct nova_request asked; /* the request of the last that is */
	uint64_t scanned;
	uint64_t lines;        /* of extents, appended */
	uint64_t page;         /* that is looked at, */
	uint64_t done;         /* how many pages are done, */
	uint64_t done_last;    /* and the last of them */
	uint64_t position;     /* of the entry in which the slice stopped, 0 = in none, */
	unsigned index;        /* its extent, */
	uint64_t block;        /* and the file block behind what was copied of it */
	uint64_t symlink_line; /* where the SYMLINK entry lies now, 0 = it was not moved */
	unsigned moved;
	unsigned xattrs_moved;
	unsigned gathered_count;
	struct extent seen[GC_SEEN]; /* what lately went into runs, by file block */
	/* What follows is not set before it is used. */
	struct extent gathered[NOVA_EXTENTS_MAX]; /* not yet appended */
	struct {
		uint64_t *line; /* what says where an entry of a name or of limits lies, */
		uint64_t now;   /* and where it lies now */
	} lines_moved[GC_SLICE_LINES];
	struct {
		uint32_t place;
		uint64_t line;
	} xattrs[GC_SLICE_LINES]; /* likewise */
};

/* gc_slice_begin -- nothing is stored. */
void gc_slice_begin(struct gc_slice *slice, struct nova_worker *worker, struct nova_inode *inode);

/* gc_slice_copy -- append the entry as it is, in the name of who asked for it; *line is where it lies now. -ENOSPC. */
int gc_slice_copy(struct gc_slice *slice, const struct nova_entry *old, uint64_t *line);

/* gc_slice_look -- what of the file blocks from `at` on, before `end`, lies in a row now, at `at` or later. */
struct extent gc_slice_look(struct gc_slice *slice, uint64_t at, uint64_t end);

/* gc_slice_add -- an extent that lives, which an entry of this request told. -ENOSPC. */
int gc_slice_add(struct gc_slice *slice, const struct extent *live, const struct nova_request *request);

/* gc_slice_end -- commit what was appended; the pages that are done go. On an error the caller drops the append. */
int gc_slice_end(struct gc_slice *slice);

/* gc_first_position -- where the log's first page begins, if it has one. */
static inline uint64_t gc_first_position(const struct nova_inode *inode)
{
	return inode->log.start ? inode->log.start : NOVA_SLOT_LINES;
}

#endif
