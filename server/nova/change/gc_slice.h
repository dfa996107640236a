/*
 * gc_slice.h -- one slice of GC: it appends live entries and commits them.
 *
 * A slice merges extents into runs and packs them, several in a line; it copies other entries unchanged. The inode is
 * locked for writing, and its index is in DRAM.
 */
#ifndef FARNOVA_NOVA_GC_SLICE_H
#define FARNOVA_NOVA_GC_SLICE_H

#include "server/nova/inode/nova_inode.h"
#include "server/nova/log/inode_log.h"

#define GC_SLICE_PAGES     4u                                                   /* the most that a slice scans */
#define GC_SLICE_LINES     (NOVA_SLOT_LINES + GC_SLICE_PAGES * NOVA_PAGE_LINES) /* in the slot and these pages */
#define GC_SCAN_SOFT_LIMIT 320u /* extents: after so many a slice begins no other page */
#define GC_SCAN_HARD_LIMIT 640u /* extents: after so many it stops within a page */
#define GC_SEEN            256u

/* Adjacent extents of a file, which become one extent. */
struct gc_run {
	struct extent extent;
	uint32_t born; /* EPOCH at the birth of its extents */
};

struct gc_slice {
	struct nova_worker *worker;
	struct nova_inode *inode;
	struct log_append log;
	struct gc_run run; /* not yet in `gathered` */
	uint32_t born;     /* of the extents in `gathered` */
	uint64_t scanned;
	uint64_t lines;        /* of extents, appended */
	uint64_t page;         /* being scanned */
	uint64_t done;         /* how many pages have been scanned */
	uint64_t done_last;    /* the last of these pages */
	uint64_t position;     /* of the entry in which the slice stopped, 0 = in none */
	unsigned index;        /* the extent of that entry */
	uint64_t block;        /* the file block after the copied part of that extent */
	uint64_t symlink_line; /* the new line of the SYMLINK entry, 0 = it was not moved */
	unsigned moved;
	unsigned xattrs_moved;
	unsigned gathered_count;
	struct extent seen[GC_SEEN]; /* recent runs, hashed by file block */
	/* gc_slice_begin leaves the fields below uninitialised. */
	struct extent gathered[NOVA_EXTENTS_MAX]; /* not yet appended */
	struct {
		uint64_t *line; /* in the index: the line of an entry of a name or of limits */
		uint64_t now;   /* the new line of that entry */
	} lines_moved[GC_SLICE_LINES];
	struct {
		uint32_t place;
		uint64_t line;
	} xattrs[GC_SLICE_LINES]; /* the same for extended attributes */
};

/* gc_slice_begin -- stores nothing. */
void gc_slice_begin(struct gc_slice *slice, struct nova_worker *worker, struct nova_inode *inode);

/* gc_slice_copy -- append the entry unchanged; *line receives its new line. -ENOSPC. */
int gc_slice_copy(struct gc_slice *slice, const struct nova_entry *old, uint64_t *line);

/* gc_slice_look -- the first extent of the current map at or after file block `at`, cut off at `end`. */
struct extent gc_slice_look(struct gc_slice *slice, uint64_t at, uint64_t end);

/* gc_slice_add -- add a live extent of an entry that was born in this epoch. -ENOSPC. */
int gc_slice_add(struct gc_slice *slice, const struct extent *live, uint32_t born);

/* gc_slice_end -- commit the appended entries and free the scanned pages. On an error the caller drops the append. */
int gc_slice_end(struct gc_slice *slice);

/* gc_first_position -- the position at which the log's first page begins, if it has pages. */
static inline uint64_t gc_first_position(const struct nova_inode *inode)
{
	return inode->log.start ? inode->log.start : NOVA_SLOT_LINES;
}

#endif
