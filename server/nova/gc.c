/*
 * gc.c -- keep logs short: what lives in a log's first pages moves to its end, and the pages go.
 *
 * A log is a queue. A slice of GC looks at the first few pages, appends what of them still lives like any other append,
 * and moves {tail, head} as one record: the log then begins behind those pages. Before that commit nothing has
 * happened, after it nothing is there twice. Between slices the log is an ordinary one, so whatever else appends to it,
 * in this thread or another, needs to know nothing of GC, and a slice needs to know nothing of what came before it.
 * Pages that are wholly dead cost a look; a file that is rewritten in order has no others at its log's beginning.
 *
 * When: `limit_pages` allows a log so many pages for what lives in it; an append to a longer one first runs one slice.
 * A slice takes microseconds, so it runs in the thread that appends, under the lock it has already. Logs that nothing
 * is appended to for a while are shortened further by whoever calls nova_gc_step (gc_queue.c).
 */
#include "server/nova/gc.h"

#include "server/nova/gc_queue.h"
#include "server/nova/inode.h"
#include "server/nova/inode_log.h"
#include "server/nova/journal.h"
#include "server/nova/names.h"
#include "server/nova/project.h"
#include "server/nova/words.h"
#include "server/nova/xattr_index.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define SLICE_PAGES    4u                                                /* that a slice looks at */
#define SLICE_LINES    (NOVA_SLOT_LINES + SLICE_PAGES * NOVA_PAGE_LINES) /* that lie in them */
#define SLICE_LOOKS    4096u                                             /* extents that it compares */
#define FREE_PAGES     9u                                                /* that any log may have beside what lives */
#define IDLE_PAGES     2u /* the same of a log that nothing is appended to */
#define LOOKS_PER_LINE 8u /* lines looked at for each that was appended */
#define SAID           256u
#define STOPPED        1 /* the walk ended early */

/* Extents of a file that lie in a row, to be told by one entry. */
struct extent_run {
	uint64_t file_block;
	uint64_t value; /* as file_index.h has it */
	uint64_t count;
	struct nova_request request;
};

static_assert(FREE_PAGES > SLICE_PAGES, "the page of the tail is never looked at");

struct slice {
	struct nova_worker *worker;
	struct inode *inode;
	struct log_append log;
	struct extent_run run; /* not yet appended */
	struct {
		uint64_t file_block;
		uint64_t value;
		uint64_t count;
	} said[SAID]; /* what lately went into runs, by file block */
	uint64_t looks;
	uint64_t lines;        /* appended */
	uint64_t position;     /* of the WRITE entry in which the slice stopped, */
	uint64_t block;        /* and the file block behind what was copied of it */
	uint64_t symlink_line; /* where the SYMLINK entry lies now, 0 = it was not moved */
	unsigned moved;
	struct {
		uint64_t *line; /* what says where an entry of a name or of limits lies, */
		uint64_t now;   /* and where it lies now */
	} lines_moved[SLICE_LINES];
	unsigned xattrs_moved;
	struct {
		uint32_t place;
		uint64_t line;
	} xattrs[SLICE_LINES]; /* likewise */
};

/* ---- when ----------------------------------------------------------------------------------------------------- */

/* How many lines what lives takes, with nothing between. */
static uint64_t live_lines(const struct inode *inode)
{
	return 3 + inode->dir.lines + inode->file.extents + xattr_lines(inode);
}

/*
 * So many pages a log may have before an append: as many bytes as live lines and FREE_PAGES, or, where that leaves too
 * little dead for each look to find some, a quarter more than the lines. Copying costs the more the denser a log is: of
 * a file overwritten at random in single blocks, u lines are copied for 1 - u that are appended, where the live part of
 * the log is (u - 1) / ln u: with a quarter more u is 0.63.
 */
static uint64_t limit_pages(const struct inode *inode)
{
	uint64_t lines = live_lines(inode) > inode->gc.live ? live_lines(inode) : inode->gc.live;
	uint64_t dense = lines * NOVA_LINE_SIZE / NOVA_BLOCK_SIZE + FREE_PAGES;
	uint64_t loose = (lines + lines / 4) / NOVA_PAGE_LINES;

	return dense > loose ? dense : loose;
}

/* Where the log's first page begins, if it has one. */
static uint64_t first_page_position(const struct inode *inode)
{
	return inode->log_start ? inode->log_start : NOVA_SLOT_LINES;
}

static uint64_t log_pages(const struct inode *inode)
{
	return inode->tail_page ? (inode->tail_first - first_page_position(inode)) / NOVA_PAGE_LINES + 1 : 0;
}

/* ---- what lives ----------------------------------------------------------------------------------------------- */

/* The entry as it is, and who asked for it. */
static int copy_entry(struct slice *slice, const struct nova_entry *old, uint64_t *line)
{
	struct entry_page buffer;

	memcpy(&buffer, old, (size_t)old->lines * NOVA_LINE_SIZE);
	slice->log.request = (struct nova_request){
	    .client = le32_get(old->request_client),
	    .slot = le16_get(old->request_slot),
	    .sequence = le32_get(old->request_sequence),
	};
	slice->lines += old->lines;
	return log_append_entry(slice->worker, &slice->log, &buffer.entry, NULL, line);
}

static int put_run(struct slice *slice)
{
	const struct inode *inode = slice->inode;
	struct entry_buffer buffer;
	struct nova_entry *entry;

	if (!slice->run.count)
		return 0;
	entry = entry_write(&buffer, slice->run.file_block, slice->run.value, slice->run.count, inode->size,
	                    inode->mtime_ns);
	slice->log.request = slice->run.request;
	slice->run.count = 0;
	slice->lines++;
	return log_append_entry(slice->worker, &slice->log, entry, NULL, NULL);
}

/*
 * An old entry and a newer one can say the same of a block, that was freed and taken again for the same place; of a
 * file of few blocks most old entries do. Then all of them seem to live. To copy it more than once does no harm but
 * takes lines, so a slice remembers what it has copied, as far as there is room.
 */
static bool is_said(struct slice *slice, const struct extent_run *run)
{
	unsigned i = (unsigned)(run->file_block % SAID);

	if (slice->said[i].value == run->value && slice->said[i].file_block == run->file_block &&
	    slice->said[i].count >= run->count)
		return true;
	slice->said[i].file_block = run->file_block;
	slice->said[i].value = run->value;
	slice->said[i].count = run->count;
	return false;
}

/* One more piece that lives; where it goes on from the last one both become one entry. */
static int add_run(struct slice *slice, const struct extent_run *more)
{
	struct extent_run *run = &slice->run;
	uint64_t in_zone = (file_block_of(run->value) - NOVA_PREAMBLE_BLOCKS) % NOVA_ZONE_BLOCKS + run->count;
	int err;

	if (run->count && more->file_block == run->file_block + run->count && more->value == run->value + run->count &&
	    in_zone < NOVA_ZONE_BLOCKS) {
		run->count += more->count;
		run->request = more->request;
		return 0;
	}
	err = put_run(slice);
	*run = *more;
	return err;
}

/*
 * What the file still has of an extent. It may be in many pieces by now: the slice stops where it has done enough, and
 * the next goes on there.
 */
static int keep_extents(struct slice *slice, const struct nova_entry *entry, uint64_t position)
{
	const struct nova_write_entry *write = ENTRY_CONST_PAYLOAD(nova_write_entry, entry);
	const struct inode *inode = slice->inode;
	uint64_t first = le64_get(write->file_block);
	uint64_t value = entry_write_value(write);
	uint64_t end = first + le32_get(write->count);
	uint64_t at = position == inode->gc.position ? inode->gc.block : first;
	uint64_t count;

	if (!value || position < inode->gc.position)
		return 0;
	for (; file_index_next(&inode->file, at, &at) && at < end; at += count) {
		struct extent_run live = {
		    .file_block = at,
		    .value = file_index_run(&inode->file, at, end - at, &count),
		    .request = {le32_get(entry->request_client), le16_get(entry->request_slot),
		                le32_get(entry->request_sequence)},
		};
		int err = 0;

		if (slice->lines >= SLICE_LINES || slice->looks >= SLICE_LOOKS) {
			slice->position = position;
			slice->block = at;
			return STOPPED;
		}
		slice->looks++;
		live.count = count;
		if (live.value == value + (at - first) && !is_said(slice, &live))
			err = add_run(slice, &live);
		if (err)
			return err;
	}
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
	struct dir_entry *found = names_find(slice->worker->fs, slice->inode, entry_name(entry), name->name_length);

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
		return 0; /* what the others say is said anew by write_attributes, or is of names and extents before
		             them */
	}
}

/* Attributes and times, as they are now. They come last: their entries carry the newest request of the log. */
static int write_attributes(struct nova_worker *worker, const struct inode *inode, struct log_append *log)
{
	struct entry_buffer buffer;
	struct nova_entry *entry;
	struct nova_attr_entry *attr;
	struct nova_times_entry *times;
	int err;

	log->request = inode->last_request;
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
	/* The WRITE entries before gave the size already; to give it again would drop the blocks beyond the end. */
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
 * an ATTR entry), and the head is made durable at home before anything else may move this inode's tail: the third
 * fence. The next to move it may be another worker, whose commit could become durable before this head word: then
 * replay would find the record's tail too old to apply its head.
 */
static void switch_head(struct nova_worker *worker, const struct log_append *log, uint64_t head)
{
	const struct inode *inode = log->inode;
	const struct journal_word words[] = {
	    {.inode = inode, .value = log->position, .kind = NOVA_WORD_TAIL},
	    {.inode = inode, .value = head, .kind = NOVA_WORD_HEAD},
	};

	journal_commit(worker, words, 2);
	journal_settle(worker);
}

/* Copies of attributes count as soon as they are committed: a later slice need not make them again. */
static void show_xattrs(const struct slice *slice)
{
	for (unsigned i = 0; i < slice->xattrs_moved; i++)
		xattr_moved(slice->worker->fs, slice->inode, slice->xattrs[i].place, slice->xattrs[i].line);
}

static uint64_t page_after(const struct nova *fs, const struct inode *inode, uint64_t block)
{
	const struct nova_page_header *header = &((const struct nova_page *)block_at(fs, block))->header;
	uint64_t next;

	if (word_read(NOVA_WORD_NEXT, word_owner(block, inode->generation), &header->next[0], &header->next[1],
	              &next) == WORD_LOST)
		return 0;
	return next;
}

/* The first pages, up to and with `last`, are dead: the log goes on from the next one, which begins at `start`. */
static int drop_pages(struct slice *slice, uint64_t last, uint64_t start)
{
	struct inode *inode = slice->inode;
	uint64_t old = inode->head;
	uint64_t head = page_after(slice->worker->fs, inode, last);

	if (!head)
		return -EIO;
	switch_head(slice->worker, &slice->log, head);
	inode->head = head;
	inode->log_start = start;
	log_append_done(&slice->log);
	for (unsigned i = 0; i < slice->moved; i++)
		*slice->lines_moved[i].line = slice->lines_moved[i].now;
	show_xattrs(slice);
	if (slice->symlink_line)
		inode->symlink_line = slice->symlink_line;
	log_free_pages(slice->worker, inode, old, last);
	return 0;
}

/* A round is over when every line that was there at its beginning has been looked at. What it found living should be
 * what the index counts; it is more where entries of one extent come in no order, so that they cannot be merged. */
static void end_round(struct inode *inode)
{
	struct gc_state *gc = &inode->gc;

	if (first_page_position(inode) < gc->round)
		return;
	gc->live = gc->copied > live_lines(inode) + live_lines(inode) / 4 ? gc->copied : 0;
	gc->copied = 0;
	gc->round = inode->tail;
}

/* Look at the first `pages`. Where it had to stop within one, what it copied is true and there twice, for now. */
static int run_slice(struct nova_worker *worker, struct inode *inode, uint64_t pages, char *why, size_t why_size)
{
	struct slice slice = {.worker = worker, .inode = inode};
	struct log_walk walk = {
	    .fs = worker->fs,
	    .ino = inode->ino,
	    .generation = inode->generation,
	    .tail = first_page_position(inode) + pages * NOVA_PAGE_LINES,
	    .head = inode->head,
	    .repair = true,
	    .entry = keep_entry,
	    .context = &slice,
	};
	int walked;
	int err;

	if (!inode->gc.round)
		inode->gc.round = inode->tail;
	log_append_start(&slice.log, inode, &inode->last_request, false);
	walked = err = log_walk(&walk);
	if (err >= 0)
		err = put_run(&slice);
	if (!err && walked == STOPPED && slice.log.position == inode->tail)
		goto stopped;
	if (!err)
		err = write_attributes(worker, inode, &slice.log);
	if (!err && walked == STOPPED) {
		log_append_commit(worker, &slice.log);
		show_xattrs(&slice);
	} else if (!err) {
		err = drop_pages(&slice, walk.last_page, walk.tail);
	}
	if (err) {
		snprintf(why, why_size, "%s", walk.why);
		log_append_drop(worker, &slice.log);
		return err;
	}
	inode->gc.copied += slice.lines;
	if (walked != STOPPED) {
		end_round(inode);
		return 0;
	}
stopped:
	inode->gc.position = slice.position;
	inode->gc.block = slice.block;
	return 0;
}

static bool is_due(const struct inode *inode)
{
	uint64_t pages = log_pages(inode);

	return pages > FREE_PAGES && pages >= inode->gc.limit && pages > limit_pages(inode);
}

bool gc_slice(struct nova_worker *worker, struct inode *inode)
{
	uint64_t pages = log_pages(inode);
	char why[160] = "";
	int err;

	if (pages < 2 || pages < inode->gc.limit)
		return false;
	err = run_slice(worker, inode, pages - 1 < SLICE_PAGES ? pages - 1 : SLICE_PAGES, why, sizeof why);
	if (err == -EIO)
		log_error(NOVA_LOG_NAME, "inode %llu: its log cannot be shortened: %s; run `farnova fsck` on the pool",
		          (unsigned long long)inode->ino, why[0] ? why : "a link word is damaged");
	/* No space: try again when the log has grown. Damage: let be what can still be read. */
	inode->gc.limit = err == -EIO ? UINT64_MAX : err ? pages + 1 : 0;
	return err == 0;
}

/* One slice keeps up with appends of some lines; an append of many, a write to scattered blocks, is followed by more.
 */
void gc_if_due(struct nova_worker *worker, struct inode *inode)
{
	struct gc_state *gc = &inode->gc;
	uint64_t slices = 1 + (inode->tail - gc->tail) * LOOKS_PER_LINE / SLICE_LINES;

	while (slices-- > 0 && is_due(inode))
		if (!gc_slice(worker, inode))
			break;
	gc->tail = inode->tail;
	if (!gc->queued && gc_idle_pages(inode))
		gc_queue(worker->fs, inode);
}

/* ---- while nothing else happens ------------------------------------------------------------------------------- */

/* How far the log is shortened then, and how much longer it must be to begin with it: so that a round, which passes
 * over all that lives, is not for little. */
static uint64_t idle_limit(const struct inode *inode, uint64_t share)
{
	uint64_t lines = live_lines(inode) > inode->gc.live ? live_lines(inode) : inode->gc.live;

	return IDLE_PAGES + (lines + lines / share) / NOVA_PAGE_LINES;
}

bool gc_idle_pages(const struct inode *inode)
{
	uint64_t pages = log_pages(inode);

	return pages > 2 * IDLE_PAGES && pages > inode->gc.rest + inode->gc.rest / 16 + IDLE_PAGES &&
	       pages > idle_limit(inode, 8);
}

bool gc_idle_slice(struct nova_worker *worker, struct inode *inode, uint64_t end)
{
	if (first_page_position(inode) < end && log_pages(inode) > idle_limit(inode, 16) && gc_slice(worker, inode))
		return true;
	inode->gc.rest = log_pages(inode);
	return false;
}
