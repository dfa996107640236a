/*
 * gc.c -- rewrite a log that is mostly dead.
 *
 * What lives is written to a new chain of pages whose first position is the tail, so positions go on rising and no old
 * line can be taken for a new one; then {head, tail} move as one record. The old pages are free after that. The cost is
 * O(live) for each time the dead part has grown to as much again: amortised O(1) an append.
 */
#include "server/nova/gc.h"

#include "server/nova/inode.h"
#include "server/nova/inode_log.h"
#include "server/nova/journal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define DEAD_MIN (16u * NOVA_PAGE_LINES)

/* How many lines the live entries take. */
static uint64_t live_lines(const struct inode *inode)
{
	uint64_t lines = 3;
	uint64_t at = 0;

	for (uint32_t i = 0; i < inode->dir.count; i++)
		if (inode->dir.entries[i].line)
			lines += entry_name_lines(inode->dir.entries[i].length);
	while (file_index_next(&inode->file, at, &at)) {
		uint64_t count;

		file_index_run(&inode->file, at, UINT32_MAX, &count);
		at += count;
		lines++;
	}
	return lines;
}

static int copy_entry(struct nova_worker *worker, struct log_append *chain, uint64_t from_line, uint64_t *to_line)
{
	const struct nova_entry *old = line_at(worker->fs, from_line);
	struct nova_request request = chain->request;
	struct entry_buffer buffer;
	int err;

	memcpy(&buffer, old, (size_t)old->lines * NOVA_LINE_SIZE);
	chain->request = (struct nova_request){
	    .client = le32_get(old->request_client),
	    .slot = le16_get(old->request_slot),
	    .sequence = le32_get(old->request_sequence),
	};
	err = log_append_entry(worker, chain, &buffer.entry, NULL, to_line);
	chain->request = request;
	return err;
}

/* Names keep their cookies, their order and who asked for them. `lines` receives where each entry lies now. */
static int copy_names(struct nova_worker *worker, const struct inode *inode, struct log_append *chain, uint64_t *lines)
{
	for (uint32_t i = 0; i < inode->dir.count; i++) {
		int err;

		lines[i] = 0;
		if (!inode->dir.entries[i].line)
			continue;
		err = copy_entry(worker, chain, inode->dir.entries[i].line, &lines[i]);
		if (err)
			return err;
	}
	return 0;
}

static int write_extents(struct nova_worker *worker, const struct inode *inode, struct log_append *chain)
{
	uint64_t at = 0;

	while (file_index_next(&inode->file, at, &at)) {
		struct entry_buffer buffer;
		struct nova_entry *entry = entry_start(&buffer, NOVA_ENTRY_WRITE);
		struct nova_write_entry *write = ENTRY_PAYLOAD(nova_write_entry, entry);
		uint64_t count;
		uint64_t block = file_index_run(&inode->file, at, NOVA_ZONE_BLOCKS, &count);
		uint64_t zone_left = NOVA_ZONE_BLOCKS - (block - NOVA_PREAMBLE_BLOCKS) % NOVA_ZONE_BLOCKS;
		int err;

		if (count > zone_left)
			count = zone_left;
		write->file_block = le64_of(at);
		write->block = le64_of(block);
		write->count = le32_of((uint32_t)count);
		write->size = le64_of(inode->size);
		write->time_ns = le64_of((uint64_t)inode->mtime_ns);
		err = log_append_entry(worker, chain, entry, NULL, NULL);
		if (err)
			return err;
		at += count;
	}
	return 0;
}

/* Attributes and times come last: their entries carry the newest request of the old log. */
static int write_attributes(struct nova_worker *worker, const struct inode *inode, struct log_append *chain)
{
	struct entry_buffer buffer;
	struct nova_entry *entry;
	struct nova_attr_entry *attr;
	struct nova_times_entry *times;
	int err;

	if (inode_is(inode, S_IFDIR)) {
		entry = entry_start(&buffer, NOVA_ENTRY_PARENT);
		ENTRY_PAYLOAD(nova_parent_entry, entry)->parent = le64_of(inode->parent);
		ENTRY_PAYLOAD(nova_parent_entry, entry)->time_ns = le64_of((uint64_t)inode->ctime_ns);
		err = log_append_entry(worker, chain, entry, NULL, NULL);
		if (err)
			return err;
	}
	entry = entry_start(&buffer, NOVA_ENTRY_ATTR);
	attr = ENTRY_PAYLOAD(nova_attr_entry, entry);
	attr->mask = le16_of(NOVA_ATTR_MODE | NOVA_ATTR_UID | NOVA_ATTR_GID | NOVA_ATTR_NLINK | NOVA_ATTR_SIZE);
	attr->mode = le16_of(inode->mode);
	attr->uid = le32_of(inode->uid);
	attr->gid = le32_of(inode->gid);
	attr->nlink = le32_of(inode->nlink);
	attr->size = le64_of(inode->size);
	attr->time_ns = le64_of((uint64_t)inode->ctime_ns);
	err = log_append_entry(worker, chain, entry, NULL, NULL);
	if (err)
		return err;
	entry = entry_start(&buffer, NOVA_ENTRY_TIMES);
	times = ENTRY_PAYLOAD(nova_times_entry, entry);
	times->atime_ns = le64_of((uint64_t)inode->atime_ns);
	times->mtime_ns = le64_of((uint64_t)inode->mtime_ns);
	times->ctime_ns = le64_of((uint64_t)inode->ctime_ns);
	return log_append_entry(worker, chain, entry, NULL, NULL);
}

static int write_chain(struct nova_worker *worker, const struct inode *inode, struct log_append *chain, uint64_t *lines,
                       uint64_t *symlink_line)
{
	int err = copy_names(worker, inode, chain, lines);

	*symlink_line = 0;
	if (!err && inode->symlink_line)
		err = copy_entry(worker, chain, inode->symlink_line, symlink_line);
	if (!err)
		err = write_extents(worker, inode, chain);
	if (!err)
		err = write_attributes(worker, inode, chain);
	return err;
}

/*
 * Head and tail move as one record. A head word has no age of its own, so it is made durable at home before anything
 * else may move this inode's tail: the third fence. The next to move it may be another worker, whose commit could
 * become durable before this head word: then replay would find the record's tail too old to apply its head.
 */
static void switch_log(struct nova_worker *worker, const struct inode *inode, const struct log_append *chain)
{
	const struct journal_word words[] = {
	    {.ino = inode->ino, .value = chain->position, .generation = inode->generation, .kind = NOVA_WORD_TAIL},
	    {.ino = inode->ino, .value = chain->first_new, .generation = inode->generation, .kind = NOVA_WORD_HEAD},
	};

	journal_commit(worker, words, 2);
	pm_fence(worker->fs->pm);
}

int gc_now(struct nova_worker *worker, struct inode *inode)
{
	uint64_t old_head = inode->head;
	uint64_t old_last = inode->tail_page;
	uint64_t *lines = malloc((inode->dir.count + 1) * sizeof *lines);
	struct log_append chain;
	uint64_t symlink_line;
	int err;

	if (!lines)
		return -ENOMEM;
	log_append_start(&chain, inode, &inode->last_request, false);
	chain.detached = true;
	chain.page = 0;
	/* The head page of a rewritten log must start beyond the slot's lines. */
	if (chain.position <= NOVA_SLOT_LINES)
		chain.position = NOVA_SLOT_LINES + 1;
	chain.page_first = chain.position;
	err = write_chain(worker, inode, &chain, lines, &symlink_line);
	if (err) {
		log_append_drop(worker, &chain);
		free(lines);
		return err;
	}
	switch_log(worker, inode, &chain);
	inode->log_start = le64_get(((struct nova_page *)block_at(worker->fs, chain.first_new))->header.first_position);
	inode->head = chain.first_new;
	log_append_done(&chain);
	inode->symlink_line = symlink_line;
	for (uint32_t i = 0; i < inode->dir.count; i++)
		inode->dir.entries[i].line = lines[i];
	free(lines);
	if (old_head)
		log_free_pages(worker, inode, old_head, old_last);
	return 0;
}

void gc_if_due(struct nova_worker *worker, struct inode *inode)
{
	uint64_t total = inode->tail - inode->log_start;
	uint64_t live;

	if (total <= DEAD_MIN || total <= inode->gc_limit)
		return;
	live = live_lines(inode);
	if (total < live + (live > DEAD_MIN ? live : DEAD_MIN) || gc_now(worker, inode)) {
		/* Not worth it yet, or no space for it now: look again when the log has grown by as much as lives. */
		inode->gc_limit = total + (live > DEAD_MIN ? live : DEAD_MIN);
		return;
	}
	inode->gc_limit = live + (2 * live > DEAD_MIN ? 2 * live : DEAD_MIN);
}
