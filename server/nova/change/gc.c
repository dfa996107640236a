/*
 * gc.c -- keep logs short: what lives in a log's first pages moves to its end, and the pages go.
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
 * is appended to for a while are shortened further by whoever calls nova_gc_step (gc_queue.c).
 */
#include "server/nova/change/gc.h"

#include "server/nova/change/gc_queue.h"
#include "server/nova/inode/inode.h"
#include "server/nova/inode/xattr_index.h"
#include "server/nova/log/inode_log.h"
#include "server/nova/log/journal.h"
#include "server/nova/media/words.h"
#include "server/nova/space/project.h"
#include "server/nova/space/worker.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define SLICE_PAGES     4u                                                /* that a slice looks at */
#define SLICE_LINES     (NOVA_SLOT_LINES + SLICE_PAGES * NOVA_PAGE_LINES) /* that lie in them */
#define SCAN_SOFT_LIMIT 320u                                              /* extents: then no other page is begun, */
#define SCAN_HARD_LIMIT 640u                                              /* and then not even this one ended */
#define SCAN_BLOCKS     8192u                                             /* of an extent that one look takes in, */
#define BLOCKS_PER_SCAN 64u /* since it takes the time of a look for so many */
#define FREE_PAGES      9u  /* that any log may have beside what lives */
#define IDLE_PAGES      2u  /* the same of a log that nothing is appended to */
#define SCANS_PER_LINE  8u  /* lines looked at for each that was appended or died */
#define SEEN            256u
#define STOPPED         1 /* the walk ended early */

/* Extents of a file that lie in a row, to be told as one. */
struct extent_run {
	struct extent extent;
	struct nova_request request;
};

static_assert(FREE_PAGES > SLICE_PAGES, "the page of the tail is never looked at");
static_assert(SCAN_HARD_LIMIT >= SCAN_SOFT_LIMIT + NOVA_EXTENTS_MAX, "a page of packed extents is always ended");
static_assert(SCAN_HARD_LIMIT * BLOCKS_PER_SCAN + SCAN_BLOCKS <= NOVA_EXTENT_BLOCKS_MAX,
              "all that a slice looks at could be told as one extent");

struct slice {
	struct nova_worker *worker;
	struct nova_inode *inode;
	struct log_append log;
	struct extent_run run;     /* not yet among the gathered */
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
	struct extent seen[SEEN]; /* what lately went into runs, by file block */
	/* What follows is not set before it is used. */
	struct extent gathered[NOVA_EXTENTS_MAX]; /* not yet appended */
	struct {
		uint64_t *line; /* what says where an entry of a name or of limits lies, */
		uint64_t now;   /* and where it lies now */
	} lines_moved[SLICE_LINES];
	struct {
		uint32_t place;
		uint64_t line;
	} xattrs[SLICE_LINES]; /* likewise */
};

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

/* Where the log's first page begins, if it has one. */
static uint64_t first_page_position(const struct nova_inode *inode)
{
	return inode->log.start ? inode->log.start : NOVA_SLOT_LINES;
}

static uint64_t log_pages(const struct nova_inode *inode)
{
	return inode->log.tail_page ? (inode->log.tail_first - first_page_position(inode)) / NOVA_PAGE_LINES + 1 : 0;
}

/* ---- what lives ----------------------------------------------------------------------------------------------- */

static struct nova_request request_of(const struct nova_entry *entry)
{
	return (struct nova_request){
	    .client = le32_get(entry->request_client),
	    .slot = le16_get(entry->request_slot),
	    .sequence = le32_get(entry->request_sequence),
	};
}

/* The entry as it is, and who asked for it. */
static int copy_entry(struct slice *slice, const struct nova_entry *old, uint64_t *line)
{
	struct entry_page buffer;

	memcpy(&buffer, old, (size_t)old->lines * NOVA_LINE_SIZE);
	slice->log.request = request_of(old);
	return log_append_entry(slice->worker, &slice->log, &buffer.entry, NULL, line);
}

static int put_entry(struct slice *slice, struct nova_entry *entry, const struct nova_request *request)
{
	slice->log.request = *request;
	slice->lines += entry->lines;
	return log_append_entry(slice->worker, &slice->log, entry, NULL, NULL);
}

/* The first `count` of the gathered extents become an entry. */
static int put_extents(struct slice *slice, unsigned count)
{
	const struct nova_inode *inode = slice->inode;
	const struct extent *first = slice->gathered;
	struct entry_page page;
	struct nova_entry *entry;

	if (count == 1) {
		struct entry_buffer buffer;

		entry =
		    entry_write(&buffer, first->file_block, first->value, first->count, inode->size, inode->mtime_ns);
		slice->gathered_count = 0;
		return put_entry(slice, entry, &slice->asked);
	}
	entry = entry_extents(&page, first, count, inode->size);
	slice->gathered_count -= count;
	memmove(slice->gathered, slice->gathered + count, slice->gathered_count * sizeof *first);
	return put_entry(slice, entry, &slice->asked);
}

/* Entries as long as there are extents to fill what the page has left, so that none is padded; at the end the rest. */
static int put_gathered(struct slice *slice, bool rest)
{
	for (;;) {
		uint64_t room = log_append_room(&slice->log);
		unsigned fit = entry_extents_room(room ? room : NOVA_PAGE_LINES);
		int err;

		if (slice->gathered_count < fit && (!rest || !slice->gathered_count))
			return 0;
		err = put_extents(slice, slice->gathered_count < fit ? slice->gathered_count : fit);
		if (err)
			return err;
	}
}

/* The run is whole. */
static int gather_run(struct slice *slice)
{
	if (!slice->run.extent.count)
		return 0;
	slice->asked = slice->run.request;
	slice->gathered[slice->gathered_count++] = slice->run.extent;
	slice->run.extent.count = 0;
	return put_gathered(slice, false);
}

/*
 * An old entry and a newer one can say the same of a block, that was freed and taken again for the same place; of a
 * file of few blocks most old entries do. Then all of them seem to live. To copy it more than once does no harm but
 * takes room, so a slice remembers what it has copied, as far as there is room.
 */
static bool was_seen(struct slice *slice, const struct extent *live)
{
	struct extent *seen = &slice->seen[live->file_block % SEEN];

	if (seen->value == live->value && seen->file_block == live->file_block && seen->count >= live->count)
		return true;
	*seen = *live;
	return false;
}

/* One more piece that lives; where it goes on from the last one both become one. */
static int add_run(struct slice *slice, const struct extent *live, const struct nova_request *request)
{
	struct extent *run = &slice->run.extent;
	uint64_t in_zone = (file_block_of(run->value) - NOVA_PREAMBLE_BLOCKS) % NOVA_ZONE_BLOCKS + run->count;
	int err = 0;

	if (run->count && live->file_block == run->file_block + run->count && live->value == run->value + run->count &&
	    in_zone < NOVA_ZONE_BLOCKS) {
		run->count += live->count;
	} else {
		err = gather_run(slice);
		*run = *live;
	}
	slice->run.request = *request;
	return err;
}

/* What lies at a file block and goes on up to `end`, which takes the longer the more that is. */
static struct extent look_at(struct slice *slice, uint64_t at, uint64_t end)
{
	struct extent live = {.file_block = at};
	uint64_t most = end - at < SCAN_BLOCKS ? end - at : SCAN_BLOCKS;

	live.value = file_index_run(&slice->inode->file, at, most, &live.count);
	slice->scanned += 1 + live.count / BLOCKS_PER_SCAN;
	return live;
}

/* What the file still has of an extent from file block `at` on. It may be in many pieces by now: where the slice has
 * done enough it stops, and *stop is the file block with which the next one goes on. */
static int keep_extent(struct slice *slice, const struct extent *extent, uint64_t at, const struct nova_entry *entry,
                       uint64_t *stop)
{
	const struct file_index *file = &slice->inode->file;
	const struct nova_request request = request_of(entry);
	uint64_t end = extent->file_block + extent->count;
	struct extent live;

	/* Most extents of a file that has many are single blocks. */
	if (extent->count == 1 && (at > extent->file_block || file_index_get(file, at) != extent->value)) {
		slice->scanned++;
		return 0;
	}
	for (; file_index_next(file, at, &at) && at < end; at += live.count) {
		int err = 0;

		if (slice->scanned >= SCAN_HARD_LIMIT) {
			*stop = at;
			return STOPPED;
		}
		live = look_at(slice, at, end);
		if (live.value == extent->value + (at - extent->file_block) && !was_seen(slice, &live))
			err = add_run(slice, &live, &request);
		if (err)
			return err;
	}
	return 0;
}

/* How many extents an entry with extents has; a hole is none. */
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

static int keep_extents(struct slice *slice, const struct nova_entry *entry, uint64_t position)
{
	const struct gc_state *gc = &slice->inode->gc;
	bool resume = position == gc->position;
	unsigned count = count_in(entry);

	if (position < gc->position)
		return 0;
	for (unsigned i = resume ? gc->index : 0; i < count; i++) {
		struct extent extent = extent_in(entry, i);
		uint64_t from = extent.file_block;
		int err;

		if (resume && i == gc->index && from < gc->block)
			from = gc->block;
		if (position < gc->sweep && from < gc->swept)
			from = gc->swept;
		err = keep_extent(slice, &extent, from, entry, &slice->block);
		if (err == STOPPED) {
			slice->position = position;
			slice->index = i;
		}
		if (err)
			return err;
	}
	return 0;
}

/*
 * What the index says of all extents of a page is fetched before the first of them is looked at, so that what the cache
 * lacks comes together and not one by one. The entries are not checked yet: they only choose what to fetch.
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

/* Another page, before its entries are looked at. */
static int begin_page(void *context, uint64_t block)
{
	struct slice *slice = context;

	if (slice->page) {
		slice->done++;
		slice->done_last = slice->page;
	}
	if (slice->done && slice->scanned >= SCAN_SOFT_LIMIT)
		return STOPPED;
	slice->page = block;
	if (slice->inode->file.extents)
		prefetch_page(&slice->inode->file, block_at(slice->worker->fs, block));
	return 0;
}

static int move_entry(struct slice *slice, const struct nova_entry *entry, uint64_t *line)
{
	slice->lines_moved[slice->moved].line = line;
	return copy_entry(slice, entry, &slice->lines_moved[slice->moved++].now);
}

/* The newest limits of a project live on. */
static int keep_limits(struct slice *slice, const struct nova_entry *entry, uint64_t line)
{
	uint32_t id = le32_get(ENTRY_CONST_PAYLOAD(nova_quota_entry, entry)->project);
	struct project *project = project_find(slice->worker->fs, id);

	if (!project)
		return -ENOMEM;
	return line == *project_line(project) ? move_entry(slice, entry, project_line(project)) : 0;
}

/* Names keep their cookies: the order in which they are read from the directory does not change. */
static int keep_name(struct slice *slice, const struct nova_entry *entry, uint64_t line)
{
	const struct nova_name_entry *name = ENTRY_CONST_PAYLOAD(nova_name_entry, entry);
	struct dir_entry *found =
	    inode_find_name(slice->worker->fs, slice->inode, entry_name(entry), name->name_length);

	if (!found || found->line != line)
		return 0;
	return move_entry(slice, entry, &found->line);
}

static int keep_xattr(struct slice *slice, const struct nova_entry *entry, uint64_t line)
{
	uint32_t place = xattr_place(slice->worker->fs, slice->inode, entry, line);

	if (place == xattr_count(slice->inode))
		return 0;
	slice->xattrs[slice->xattrs_moved].place = place;
	return copy_entry(slice, entry, &slice->xattrs[slice->xattrs_moved++].line);
}

static int keep_entry(void *context, const struct nova_entry *entry, uint64_t position, uint64_t line)
{
	struct slice *slice = context;

	switch (entry->type) {
	case NOVA_ENTRY_WRITE:
	case NOVA_ENTRY_EXTENTS:
		return keep_extents(slice, entry, position);
	case NOVA_ENTRY_NAME:
		return keep_name(slice, entry, line);
	case NOVA_ENTRY_XATTR:
		return keep_xattr(slice, entry, line);
	case NOVA_ENTRY_SYMLINK:
		return line == slice->inode->symlink_line ? copy_entry(slice, entry, &slice->symlink_line) : 0;
	case NOVA_ENTRY_QUOTA:
		return keep_limits(slice, entry, line);
	default:
		return 0; /* what the others say is written again by write_attributes, or is of names and extents before
		             them */
	}
}

/* Attributes and times, as they are now. They come last: their entries carry the newest request of the log. */
static int write_attributes(struct nova_worker *worker, const struct nova_inode *inode, struct log_append *log)
{
	struct entry_buffer buffer;
	struct nova_entry *entry;
	struct nova_attr_entry *attr;
	struct nova_times_entry *times;
	int err;

	log->request = inode->log.last_request;
	if (inode_is(inode, S_IFDIR)) {
		entry = entry_start(&buffer, NOVA_ENTRY_PARENT);
		ENTRY_PAYLOAD(nova_parent_entry, entry)->parent = le64_of(inode->parent);
		ENTRY_PAYLOAD(nova_parent_entry, entry)->time_ns = le64_of((uint64_t)inode->ctime_ns);
		err = log_append_entry(worker, log, entry, NULL, NULL);
		if (err)
			return err;
	}
	entry = entry_start(&buffer, NOVA_ENTRY_ATTR);
	attr = ENTRY_PAYLOAD(nova_attr_entry, entry);
	/* The entries of extents before gave the size already; to give it again would drop the blocks beyond the end.
	 */
	attr->mask = le16_of(NOVA_ATTR_MODE | NOVA_ATTR_UID | NOVA_ATTR_GID | NOVA_ATTR_NLINK | NOVA_ATTR_FLAGS |
	                     NOVA_ATTR_PROJECT | (inode->file.extents ? 0 : NOVA_ATTR_SIZE));
	attr->mode = le16_of(inode->mode);
	attr->uid = le32_of(inode->uid);
	attr->gid = le32_of(inode->gid);
	attr->nlink = le32_of(inode->nlink);
	attr->size = le64_of(inode->size);
	attr->flags = le32_of(inode->flags);
	attr->project = le32_of(inode->project);
	attr->time_ns = le64_of((uint64_t)inode->ctime_ns);
	err = log_append_entry(worker, log, entry, NULL, NULL);
	if (err)
		return err;
	entry = entry_start(&buffer, NOVA_ENTRY_TIMES);
	times = ENTRY_PAYLOAD(nova_times_entry, entry);
	times->atime_ns = le64_of((uint64_t)inode->atime_ns);
	times->mtime_ns = le64_of((uint64_t)inode->mtime_ns);
	times->ctime_ns = le64_of((uint64_t)inode->ctime_ns);
	return log_append_entry(worker, log, entry, NULL, NULL);
}

/* ---- a slice -------------------------------------------------------------------------------------------------- */

/*
 * Head and tail move as one record. A head word has no age of its own, so the tail must move with it (there is always
 * an ATTR entry), and the head is made durable in the slot before anything else may move this inode's tail: the third
 * fence. The next to move it may be another worker, whose commit could become durable before this head word: then
 * replay would find the record's tail too old to apply its head.
 */
static void switch_head(struct nova_worker *worker, const struct log_append *log, uint64_t head)
{
	const struct log_owner *owner = &log->owner;
	const struct journal_word words[] = {
	    {.ino = owner->ino, .generation = owner->generation, .value = log->position, .kind = NOVA_WORD_TAIL},
	    {.ino = owner->ino, .generation = owner->generation, .value = head, .kind = NOVA_WORD_HEAD},
	};

	journal_commit(worker, words, 2);
	journal_flush_slot_words(worker);
}

/* Copies of attributes count as soon as they are committed: a later slice need not make them again. */
static void show_xattrs(const struct slice *slice)
{
	for (unsigned i = 0; i < slice->xattrs_moved; i++)
		xattr_moved(slice->worker->fs, slice->inode, slice->xattrs[i].place, slice->xattrs[i].line);
}

static uint64_t page_after(const struct nova *fs, const struct nova_inode *inode, uint64_t block)
{
	const struct nova_page_header *header = &((const struct nova_page *)block_at(fs, block))->header;
	uint64_t next;

	if (word_read(NOVA_WORD_NEXT, word_owner(block, inode->generation), &header->next[0], &header->next[1],
	              &next) == WORD_LOST)
		return 0;
	return next;
}

/* The pages that are done are dead: the log goes on from the next one. */
static int drop_pages(struct slice *slice)
{
	struct nova_inode *inode = slice->inode;
	uint64_t old = inode->log.head;
	uint64_t head = page_after(slice->worker->fs, inode, slice->done_last);

	if (!head)
		return -EIO;
	switch_head(slice->worker, &slice->log, head);
	inode->log.head = head;
	inode->log.start = first_page_position(inode) + slice->done * NOVA_PAGE_LINES;
	log_append_done(&slice->log);
	for (unsigned i = 0; i < slice->moved; i++)
		*slice->lines_moved[i].line = slice->lines_moved[i].now;
	show_xattrs(slice);
	if (slice->symlink_line)
		inode->symlink_line = slice->symlink_line;
	log_free_pages(slice->worker, inode->generation, old, slice->done_last);
	return 0;
}

static void begin_sweep(struct nova_inode *inode)
{
	inode->gc.sweep_due = false;
	inode->gc.sweep = inode->log.tail;
	inode->gc.swept = 0;
}

/*
 * A round is over when every line that was there at its beginning has been looked at. What it wrote again of extents
 * should be a quarter of the lines that they are allowed. It is more where parts of one extent come in no order, as
 * after writes here and there into reserved blocks: in the log's order they cannot be merged, so a sweep follows.
 */
static void end_round(struct nova_inode *inode)
{
	struct gc_state *gc = &inode->gc;

	if (first_page_position(inode) < gc->round)
		return;
	if (gc->sweep_due)
		begin_sweep(inode);
	gc->copied = 0;
	gc->was_split = gc->split;
	gc->split = 0;
	gc->round = inode->log.tail;
}

/* Whatever extent an entry before the sweep told was written again by the sweep, or by whoever changed it meanwhile. */
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

/* The first one. */
static void begin_round(struct nova_inode *inode)
{
	inode->gc.round = inode->log.tail;
	inode->gc.was_split += inode->gc.split;
	inode->gc.split = 0;
}

/* What the slice gathered becomes part of the log, and the pages that are done go. */
static int end_slice(struct slice *slice)
{
	struct nova_inode *inode = slice->inode;
	int err = gather_run(slice);

	if (!err)
		err = put_gathered(slice, true);
	if (!err && !slice->done && slice->log.position == inode->log.tail)
		return 0;
	if (!err)
		err = write_attributes(slice->worker, inode, &slice->log);
	if (err)
		return err;
	if (slice->done)
		return drop_pages(slice);
	log_append_commit(slice->worker, &slice->log);
	show_xattrs(slice);
	return 0;
}

static void begin_slice(struct slice *slice, struct nova_worker *worker, struct nova_inode *inode)
{
	memset(slice, 0, offsetof(struct slice, gathered));
	slice->worker = worker;
	slice->inode = inode;
	inode_append_start(&slice->log, inode, &inode->log.last_request, false);
}

/* A slice of a sweep: extents are written again in the order of the file, each as long as it is by now. No page goes.
 */
static int sweep_slice(struct nova_worker *worker, struct nova_inode *inode)
{
	uint64_t at = inode->gc.swept;
	struct extent live;
	struct slice slice;
	bool more;
	int err = 0;

	begin_slice(&slice, worker, inode);
	while ((more = file_index_next(&inode->file, at, &at)) && !err && slice.scanned < SCAN_SOFT_LIMIT) {
		live = look_at(&slice, at, NOVA_FILE_BLOCKS_MAX);
		err = add_run(&slice, &live, &inode->log.last_request);
		at += live.count;
	}
	if (!err)
		err = end_slice(&slice);
	if (err) {
		log_append_drop(worker, &slice.log);
		return err;
	}
	inode->gc.swept = at;
	if (!more)
		end_sweep(inode);
	return 0;
}

/* Look at the first pages, up to `pages` of them. Where it had to stop within one, what it copied of that one is true
 * and there twice until the next slice drops the page. */
static int run_slice(struct nova_worker *worker, struct nova_inode *inode, uint64_t pages, char *why, size_t why_size)
{
	struct slice slice;
	struct log_walk walk = {
	    .fs = worker->fs,
	    .ino = inode->ino,
	    .generation = inode->generation,
	    .tail = first_page_position(inode) + pages * NOVA_PAGE_LINES,
	    .head = inode->log.head,
	    .repair = true,
	    .page = begin_page,
	    .entry = keep_entry,
	    .context = &slice,
	};
	int err;

	begin_slice(&slice, worker, inode);
	if (!inode->gc.round)
		begin_round(inode);
	err = log_walk(&walk);
	if (!err) {
		slice.done++;
		slice.done_last = walk.last_page;
	}
	if (err >= 0)
		err = end_slice(&slice);
	if (err) {
		snprintf(why, why_size, "%s", walk.why);
		log_append_drop(worker, &slice.log);
		return err;
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

static bool is_due(const struct nova_inode *inode)
{
	uint64_t pages = log_pages(inode);

	if (pages <= FREE_PAGES || pages < inode->gc.limit)
		return false;
	return inode->gc.sweep || inode->gc.sweep_due || pages > limit_pages(inode);
}

bool gc_slice(struct nova_worker *worker, struct nova_inode *inode)
{
	uint64_t pages = log_pages(inode);
	char why[160] = "";
	int err;

	if (pages < 2 || pages < inode->gc.limit)
		return false;
	if (inode->gc.sweep_due && pages <= limit_pages(inode))
		begin_sweep(inode);
	/* Where a sweep has come to the bound, slices that take pages away make room for the rest of it. */
	if (inode->gc.sweep && (!inode->gc.swept || pages + 2 < bound_pages(inode)))
		err = sweep_slice(worker, inode);
	else
		err = run_slice(worker, inode, pages - 1 < SLICE_PAGES ? pages - 1 : SLICE_PAGES, why, sizeof why);
	if (err == -EIO)
		log_error(NOVA_LOG_NAME, "inode %llu: its log cannot be shortened: %s; run `farnova fsck` on the pool",
		          (unsigned long long)inode->ino, why[0] ? why : "a link word is damaged");
	/* No space: try again when the log has grown. Damage: let be what can still be read. */
	inode->gc.limit = err == -EIO ? UINT64_MAX : err ? pages + 1 : 0;
	return err == 0;
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
	while (is_due(inode) && (slices <= lines * SCANS_PER_LINE / SLICE_LINES ||
	                         (slices <= lines && log_pages(inode) > bound_pages(inode)))) {
		if (!gc_slice(worker, inode))
			break;
		slices++;
	}
	gc->tail = inode->log.tail;
	if (!gc->queued && gc_idle_pages(inode))
		gc_queue(worker->fs, inode);
}

/* ---- while nothing else happens ------------------------------------------------------------------------------- */

/* How far the log is shortened then, and how much longer it must be to begin with it: so that a round, which passes
 * over all that lives, is not for little. */
static uint64_t idle_limit(const struct nova_inode *inode, uint64_t share)
{
	uint64_t lines = other_lines(inode) + inode->file.extents / NOVA_EXTENTS_PER_LINE;

	return IDLE_PAGES + (lines + lines / share) / NOVA_PAGE_LINES;
}

bool gc_idle_pages(const struct nova_inode *inode)
{
	uint64_t pages = log_pages(inode);
	uint64_t rest = inode->gc.rest;

	/* A round looks at every extent, though it packs four in a line: so much must have been appended since. */
	rest += (rest + inode->file.extents / NOVA_PAGE_LINES) / 16 + IDLE_PAGES;
	return pages > 2 * IDLE_PAGES && pages > rest && pages > idle_limit(inode, 8);
}

/* A sweep leaves whole pages of dead extents, which go at once. */
static bool is_sweeping(const struct nova_inode *inode)
{
	const struct gc_state *gc = &inode->gc;

	return gc->sweep || gc->sweep_due || first_page_position(inode) + NOVA_PAGE_LINES <= gc->position;
}

bool gc_idle_slice(struct nova_worker *worker, struct nova_inode *inode, uint64_t end)
{
	if ((first_page_position(inode) < end || is_sweeping(inode)) && log_pages(inode) > idle_limit(inode, 16) &&
	    gc_slice(worker, inode))
		return true;
	inode->gc.rest = log_pages(inode);
	return false;
}
