/*
 * gc_slice.c -- one slice of GC: appends live entries, commits them and frees the scanned pages.
 */
#include "server/nova/change/gc_slice.h"

#include "server/nova/inode/inode.h"
#include "server/nova/inode/xattr_index.h"
#include "server/nova/log/journal.h"
#include "server/nova/media/words.h"
#include "server/nova/space/worker.h"

#include <errno.h>
#include <string.h>

#define SCAN_BLOCKS     8192u /* the most blocks of an extent that one look covers */
#define BLOCKS_PER_SCAN 64u   /* so many more blocks cost as much time as one more look */
static_assert(GC_SCAN_HARD_LIMIT * BLOCKS_PER_SCAN + SCAN_BLOCKS <= NOVA_EXTENT_BLOCKS_MAX,
              "all that a slice looks at could be told as one extent");

/* The copy keeps the epoch in which the old entry was born. */
int gc_slice_copy(struct gc_slice *slice, const struct nova_entry *old, uint64_t *line)
{
	struct entry_page buffer;

	memcpy(&buffer, old, (size_t)old->lines * NOVA_LINE_SIZE);
	slice->log.born = le32_get(old->born);
	return log_append_entry(slice->worker, &slice->log, &buffer.entry, NULL, line);
}

static int put_entry(struct gc_slice *slice, struct nova_entry *entry)
{
	slice->log.born = slice->born;
	slice->lines += entry->lines;
	return log_append_entry(slice->worker, &slice->log, entry, NULL, NULL);
}

/* Append the first `count` gathered extents as one entry. */
static int put_extents(struct gc_slice *slice, unsigned count)
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
		return put_entry(slice, entry);
	}
	entry = entry_extents(&page, first, count, inode->size);
	slice->gathered_count -= count;
	memmove(slice->gathered, slice->gathered + count, slice->gathered_count * sizeof *first);
	return put_entry(slice, entry);
}

/* Append an entry whenever the gathered extents fill the rest of the page, so that no page needs padding. With `rest`
 * append all. */
static int put_gathered(struct gc_slice *slice, bool rest)
{
	for (;;) {
		uint64_t room = log_append_room(&slice->log);
		unsigned fit = entry_extents_room(room ? room : NOVA_PAGE_LINES);
		int rc;

		if (slice->gathered_count < fit && (!rest || !slice->gathered_count))
			return 0;
		rc = put_extents(slice, slice->gathered_count < fit ? slice->gathered_count : fit);
		if (rc)
			return rc;
	}
}

/* The run is complete: add it to the gathered extents. */
static int gather_run(struct gc_slice *slice)
{
	int rc = 0;

	if (!slice->run.extent.count)
		return 0;
	/* The extents of an entry have one epoch of birth. */
	if (slice->born != slice->run.born)
		rc = put_gathered(slice, true);
	if (rc)
		return rc;
	slice->born = slice->run.born;
	slice->gathered[slice->gathered_count++] = slice->run.extent;
	slice->run.extent.count = 0;
	return put_gathered(slice, false);
}

/* If the extent continues the current run within a zone, and was born in its epoch, the run grows by it; else it begins
 * a new run. */
int gc_slice_add(struct gc_slice *slice, const struct extent *live, uint32_t born)
{
	struct extent *run = &slice->run.extent;
	uint64_t in_zone = (file_block_of(run->value) - NOVA_PREAMBLE_BLOCKS) % NOVA_ZONE_BLOCKS + run->count;
	int rc = 0;

	if (run->count && slice->run.born == born && live->file_block == run->file_block + run->count &&
	    live->value == run->value + run->count && in_zone < NOVA_ZONE_BLOCKS) {
		run->count += live->count;
	} else {
		rc = gather_run(slice);
		*run = *live;
	}
	slice->run.born = born;
	return rc;
}

/* The time grows with the length of the extent, so SCAN_BLOCKS limits it. */
struct extent gc_slice_look(struct gc_slice *slice, uint64_t at, uint64_t end)
{
	struct extent live = {.file_block = at};
	uint64_t most = end - at < SCAN_BLOCKS ? end - at : SCAN_BLOCKS;

	live.value = file_index_run(&slice->inode->file, at, most, &live.count);
	slice->scanned += 1 + live.count / BLOCKS_PER_SCAN;
	return live;
}

/* Append the current attributes and times, as born with the newest entry. */
static int write_attributes(struct nova_worker *worker, const struct nova_inode *inode, struct log_append *log)
{
	struct entry_buffer buffer;
	struct nova_entry *entry;
	struct nova_attr_entry *attr;
	struct nova_times_entry *times;
	int rc;

	log->born = inode->log.born;
	if (inode_is(inode, S_IFDIR)) {
		entry = entry_start(&buffer, NOVA_ENTRY_PARENT);
		ENTRY_PAYLOAD(nova_parent_entry, entry)->parent = le64_of(inode->parent);
		ENTRY_PAYLOAD(nova_parent_entry, entry)->time_ns = le64_of((uint64_t)inode->ctime_ns);
		rc = log_append_entry(worker, log, entry, NULL, NULL);
		if (rc)
			return rc;
	}
	entry = entry_start(&buffer, NOVA_ENTRY_ATTR);
	attr = ENTRY_PAYLOAD(nova_attr_entry, entry);
	/* The entries of extents have set the size already. A size in ATTR would drop the blocks beyond the end. */
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
	rc = log_append_entry(worker, log, entry, NULL, NULL);
	if (rc)
		return rc;
	entry = entry_start(&buffer, NOVA_ENTRY_TIMES);
	times = ENTRY_PAYLOAD(nova_times_entry, entry);
	times->atime_ns = le64_of((uint64_t)inode->atime_ns);
	times->mtime_ns = le64_of((uint64_t)inode->mtime_ns);
	times->ctime_ns = le64_of((uint64_t)inode->ctime_ns);
	return log_append_entry(worker, log, entry, NULL, NULL);
}

/*
 * Move head and tail in one record. A head word has no age of its own, so the tail must move with it (there is always
 * an ATTR entry). The third fence makes the head durable in the slot before any other commit can move this inode's
 * tail. Without it, the next commit, perhaps by another worker, could become durable before this head word: then replay
 * would find the record's tail too old and would not apply its head.
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

/* The index refers to the copies of attributes once they are committed, so a later slice need not copy them again. */
static void show_xattrs(const struct gc_slice *slice)
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

/* The scanned pages are dead: let the log begin at the next page. */
static int drop_pages(struct gc_slice *slice)
{
	struct nova_inode *inode = slice->inode;
	uint64_t old = inode->log.head;
	uint64_t head = page_after(slice->worker->fs, inode, slice->done_last);

	if (!head)
		return -EIO;
	switch_head(slice->worker, &slice->log, head);
	inode->log.head = head;
	inode->log.start = gc_first_position(inode) + slice->done * NOVA_PAGE_LINES;
	log_append_done(&slice->log);
	for (unsigned i = 0; i < slice->moved; i++)
		*slice->lines_moved[i].line = slice->lines_moved[i].now;
	show_xattrs(slice);
	if (slice->symlink_line)
		inode->symlink_line = slice->symlink_line;
	log_free_pages(slice->worker, inode->generation, old, slice->done_last);
	return 0;
}

/* Commits nothing if there is no page to free and no entry was appended. */
int gc_slice_end(struct gc_slice *slice)
{
	struct nova_inode *inode = slice->inode;
	int rc = gather_run(slice);

	if (!rc)
		rc = put_gathered(slice, true);
	if (!rc && !slice->done && slice->log.position == inode->log.tail)
		return 0;
	if (!rc)
		rc = write_attributes(slice->worker, inode, &slice->log);
	if (rc)
		return rc;
	if (slice->done)
		return drop_pages(slice);
	log_append_commit(slice->worker, &slice->log);
	show_xattrs(slice);
	return 0;
}

void gc_slice_begin(struct gc_slice *slice, struct nova_worker *worker, struct nova_inode *inode)
{
	memset(slice, 0, offsetof(struct gc_slice, gathered));
	slice->worker = worker;
	slice->inode = inode;
	inode_append_start(&slice->log, inode, ALLOC_REPLACES);
}
