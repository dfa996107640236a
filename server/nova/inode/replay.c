/*
 * replay.c -- rebuild an inode's attributes and index from its log. Nothing read is trusted.
 */
#include "server/nova/inode/replay.h"

#include "server/nova/inode/acl_eval.h"
#include "server/nova/inode/xattr_index.h"
#include "server/nova/log/inode_log.h"
#include "server/nova/media/ro_overlay.h"
#include "server/nova/media/words.h"
#include "server/nova/space/alloc.h"
#include "server/nova/space/project.h"
#include "server/nova/space/slots.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A NAME_GONE entry that is put off. */
struct gone {
	uint64_t cookie;
	uint64_t ino;
	uint64_t position;
};

struct replay {
	struct nova *fs;
	struct nova_inode *inode;
	const struct nova_slot *slot; /* a copy to be read in its place, or NULL */
	const struct log_walk *walk;
	struct slot_runs *runs; /* in place of the index, NULL = build the index */
	bool unsorted;          /* GC has moved names: their cookies are out of order, and names go at the end */
	struct gone *gone;
	size_t gone_count;
	size_t gone_room;
	int (*page)(void *context, uint64_t block);
	void *page_context;
	char *why;
	size_t why_size;
};

static int refuse(struct replay *replay, uint64_t position, const char *reason)
{
	snprintf(replay->why, replay->why_size, "inode %llu, log position %llu: %s",
	         (unsigned long long)replay->inode->ino, (unsigned long long)position, reason);
	return -EIO;
}

void replay_reset(struct nova_inode *inode)
{
	file_index_clear(&inode->file);
	dir_index_clear(&inode->dir);
	xattr_forget(inode);
	inode->indexed = false;
}

/* ---- words ---------------------------------------------------------------------------------------------------- */

/* Two copies that differ are made equal before the slot is used; the caller's fence makes it durable. */
static bool slot_word(struct nova *fs, uint64_t ino, enum nova_word_kind kind, uint64_t owner, le64 *pair,
                      const char *name, uint64_t *value)
{
	enum word_state state = word_read(kind, owner, &pair[0], &pair[1], value);

	if (state == WORD_GOOD)
		return true;
	if (state == WORD_LOST)
		return false;
	if (state == WORD_HALF)
		log_warn(NOVA_LOG_NAME, "inode %llu: one copy of its %s word was damaged%s", (unsigned long long)ino,
		         name, fs->read_only ? "" : ", repaired");
	/* The newer of two heads cannot be told; nothing but damage leaves them apart once the journal is replayed. */
	if (state == WORD_MOVED && kind == NOVA_WORD_HEAD)
		return false;
	if (!fs->read_only)
		word_pair_store(fs->pm, pair, word_make(kind, owner, *value));
	return true;
}

int replay_life(struct nova *fs, uint64_t ino, uint32_t *generation, uint8_t *state, char *why, size_t why_size)
{
	uint64_t value;

	if (!slot_word(fs, ino, NOVA_WORD_LIFE, ino, slot_words(fs, ino)->life, "life", &value)) {
		snprintf(why, why_size, "inode %llu: both copies of its life word are damaged",
		         (unsigned long long)ino);
		return -EIO;
	}
	if (value >> 40 || (value & 0xff) > NOVA_LIFE_FREE) {
		snprintf(why, why_size, "inode %llu: its life word has no known state", (unsigned long long)ino);
		return -EIO;
	}
	*generation = (uint32_t)(value >> 8);
	*state = (uint8_t)value;
	return 0;
}

/* ---- a file's blocks without an index -------------------------------------------------------------------------- */

/* What lay in [file_block, file_block + count) is gone, and `value`, if it is not 0, lies there. */
static void runs_set(struct slot_runs *runs, uint64_t file_block, uint64_t count, uint64_t value)
{
	uint64_t end = file_block + count;

	for (uint32_t i = 0; i < runs->count;) {
		uint64_t first = runs->run[i].file_block;
		uint64_t last = first + runs->run[i].count;
		uint64_t before = file_block > first ? file_block - first : 0;
		uint64_t after = last > end ? last - end : 0;

		if (file_block >= last || end <= first) {
			i++;
			continue;
		}
		if (after && before) {
			runs->run[runs->count] = runs->run[i];
			runs->run[runs->count].file_block = end;
			runs->run[runs->count].count = after;
			runs->run[runs->count++].value += end - first;
		} else if (after) {
			runs->run[i].file_block = end;
			runs->run[i].count = after;
			runs->run[i].value += end - first;
		}
		if (before)
			runs->run[i].count = before;
		else if (!after)
			runs->run[i] = runs->run[--runs->count];
	}
	if (value) {
		runs->run[runs->count].file_block = file_block;
		runs->run[runs->count].count = count;
		runs->run[runs->count++].value = value;
	}
}

static void truncate_blocks(struct replay *replay, uint64_t from)
{
	if (replay->runs)
		runs_set(replay->runs, from, UINT64_MAX - from, 0);
	else
		file_index_truncate(&replay->inode->file, from, NULL, NULL);
}

static int set_blocks(struct replay *replay, uint64_t file_block, uint64_t count, uint64_t value)
{
	struct file_index *index = &replay->inode->file;

	if (replay->runs) {
		runs_set(replay->runs, file_block, count, value);
		return 0;
	}
	if (value) {
		int rc = file_index_reserve(index, file_block, count);

		if (rc)
			return rc;
		file_index_set_run(index, file_block, value, count, NULL, NULL);
	} else {
		for (uint64_t at = file_block; file_index_next(index, at, &at) && at < file_block + count; at++)
			file_index_set(index, at, 0);
	}
	return 0;
}

/* ---- entries -------------------------------------------------------------------------------------------------- */

static int attr_entry(struct replay *replay, const struct nova_attr_entry *attr, uint64_t position)
{
	struct nova_inode *inode = replay->inode;
	unsigned mask = le16_get(attr->mask);
	int64_t time = (int64_t)le64_get(attr->time_ns);

	if (mask & NOVA_ATTR_MODE)
		inode->mode = le16_get(attr->mode) & 07777;
	if (mask & NOVA_ATTR_UID)
		inode->uid = le32_get(attr->uid);
	if (mask & NOVA_ATTR_GID)
		inode->gid = le32_get(attr->gid);
	if (mask & NOVA_ATTR_NLINK)
		inode->nlink = le32_get(attr->nlink);
	if (mask & NOVA_ATTR_FLAGS)
		inode->flags = le32_get(attr->flags);
	if (mask & NOVA_ATTR_SIZE) {
		uint64_t size = le64_get(attr->size);

		if (size > NOVA_FILE_SIZE_MAX)
			return refuse(replay, position, "size out of range");
		if (size <= inode->size)
			truncate_blocks(replay, (size + NOVA_BLOCK_SIZE - 1) >> NOVA_BLOCK_SHIFT);
		inode->size = size;
	}
	if (mask & NOVA_ATTR_ATIME && mask != NOVA_ATTR_ATIME)
		return refuse(replay, position, "an access time that is not alone");
	if (mask & NOVA_ATTR_PROJECT)
		inode->project = le32_get(attr->project);
	if (mask == NOVA_ATTR_ATIME) {
		inode->atime_ns = time;
		return 0;
	}
	inode->ctime_ns = time;
	if (mask & (NOVA_ATTR_MTIME | NOVA_ATTR_BIRTH))
		inode->mtime_ns = time;
	if (mask & NOVA_ATTR_BIRTH)
		inode->atime_ns = time;
	return 0;
}

/* `size` is what the file has with them. A value of 0 is a hole. */
static int take_extent(struct replay *replay, const struct extent *extent, uint64_t size, uint64_t position)
{
	uint64_t block = file_block_of(extent->value);

	if (replay->inode->type != S_IFREG >> 12)
		return refuse(replay, position, "data in what is not a file");
	if (extent->count == 0 || extent->file_block >= NOVA_FILE_BLOCKS_MAX ||
	    extent->count > NOVA_FILE_BLOCKS_MAX - extent->file_block || size > NOVA_FILE_SIZE_MAX)
		return refuse(replay, position, "file range out of bounds");
	/* What can be read lies within the file; only reserved blocks and holes may lie beyond its end. */
	if (file_readable(extent->value) &&
	    extent->file_block + extent->count > (size + NOVA_BLOCK_SIZE - 1) >> NOVA_BLOCK_SHIFT)
		return refuse(replay, position, "data beyond the end of the file");
	if (block && !alloc_valid(replay->fs, block, extent->count))
		return refuse(replay, position, "blocks outside the space for data");
	return set_blocks(replay, extent->file_block, extent->count, extent->value);
}

static int write_entry(struct replay *replay, const struct nova_write_entry *write, uint64_t position)
{
	struct nova_inode *inode = replay->inode;
	const struct extent extent = {
	    .file_block = le64_get(write->file_block),
	    .value = entry_write_value(write),
	    .count = le32_get(write->count),
	};
	uint32_t flags = le32_get(write->flags);
	int rc;

	if (flags & ~NOVA_WRITE_UNWRITTEN || (flags && !extent.value))
		return refuse(replay, position, "blocks in a state this version does not know");
	if (le64_get(write->block) & FILE_UNWRITTEN)
		return refuse(replay, position, "blocks outside the space for data");
	rc = take_extent(replay, &extent, le64_get(write->size), position);
	if (rc)
		return rc;
	inode->size = le64_get(write->size);
	inode->mtime_ns = inode->ctime_ns = (int64_t)le64_get(write->time_ns);
	return 0;
}

/* Times, as everything else that GC gathers, are told by the entries behind it. */
static int extents_entry(struct replay *replay, const struct nova_entry *entry, uint64_t position)
{
	uint64_t size = le64_get(ENTRY_CONST_PAYLOAD(nova_extents_entry, entry)->size);
	unsigned count = entry_extents_count(entry);

	if (count == 0)
		return refuse(replay, position, "a number of extents that is not that of its lines");
	for (unsigned i = 0; i < count; i++) {
		const struct extent extent = entry_extent(entry, i);
		int rc;

		if (!file_block_of(extent.value))
			return refuse(replay, position, "an extent without blocks");
		rc = take_extent(replay, &extent, size, position);
		if (rc)
			return rc;
	}
	replay->inode->size = size;
	return 0;
}

static bool same_name(const struct replay *replay, const struct dir_entry *a, const struct dir_entry *b)
{
	return a->length == b->length && memcmp(entry_name(line_at(replay->fs, a->line)),
	                                        entry_name(line_at(replay->fs, b->line)), a->length) == 0;
}

/* A rename has made a name lead to another inode: a name with the same bytes and cookie takes the old one's place. */
static int replace_name(struct replay *replay, struct dir_entry *old, const struct dir_entry *by)
{
	if (!same_name(replay, old, by))
		return refuse(replay, by->cookie, "two names have this cookie");
	if (old->type == S_IFDIR >> 12)
		replay->inode->subdirs--;
	dir_index_replace(old, by);
	return 0;
}

static int name_entry(struct replay *replay, const struct nova_entry *entry, uint64_t position, uint64_t line)
{
	const struct nova_name_entry *name = ENTRY_CONST_PAYLOAD(nova_name_entry, entry);
	struct dir_index *dir = &replay->inode->dir;
	uint64_t ino = le64_get(name->ino);
	struct dir_entry added = {
	    .cookie = le64_get(name->cookie),
	    .line = line,
	    .ino = ino,
	    .type = name->file_type & 0xf,
	    .length = name->name_length,
	};
	int rc;

	if (replay->inode->type != S_IFDIR >> 12)
		return refuse(replay, position, "a name in what is not a directory");
	if (!entry_name_ok(entry_name(entry), name->name_length) || entry->lines != entry_name_lines(name->name_length))
		return refuse(replay, position, "an impossible name");
	if (added.cookie > position)
		return refuse(replay, position, "a name's cookie comes later than the name");
	if (!slots_chunk(replay->fs, ino) && !replay->fs->rescue)
		return refuse(replay, position, "a name leads to no inode");
	added.hash = dir_index_hash(replay->fs->hash_seed, entry_name(entry), name->name_length);
	replay->inode->mtime_ns = replay->inode->ctime_ns = (int64_t)le64_get(name->time_ns);
	if (added.type == S_IFDIR >> 12)
		replay->inode->subdirs++;
	if (dir->count && added.cookie <= dir_index_entry(dir, dir->count - 1)->cookie) {
		struct dir_entry *old = replay->unsorted ? NULL : dir_index_at(dir, added.cookie);

		if (old)
			return replace_name(replay, old, &added);
		replay->unsorted = true;
	}
	rc = dir_index_reserve(dir, 1);
	if (!rc)
		dir_index_add(dir, &added);
	return rc;
}

/* GC drops what was dead in a log's first pages: of a name that was there only the going may be left. */
static int remove_name(struct replay *replay, const struct gone *gone)
{
	struct nova_inode *inode = replay->inode;
	struct dir_entry *entry = dir_index_at(&inode->dir, gone->cookie);

	if (entry ? entry->ino != gone->ino : gone->cookie >= replay->walk->log_start)
		return refuse(replay, gone->position, "removal of a name that is not there");
	if (!entry)
		return 0;
	if (entry->type == S_IFDIR >> 12)
		inode->subdirs--;
	dir_index_remove(&inode->dir, entry);
	return 0;
}

static int put_off(struct replay *replay, const struct gone *gone)
{
	if (replay->gone_count == replay->gone_room) {
		size_t room = replay->gone_room ? 2 * replay->gone_room : 64;
		struct gone *more = realloc(replay->gone, room * sizeof *more);

		if (!more)
			return -ENOMEM;
		replay->gone = more;
		replay->gone_room = room;
	}
	replay->gone[replay->gone_count++] = *gone;
	return 0;
}

static int name_gone_entry(struct replay *replay, const struct nova_name_gone_entry *payload, uint64_t position)
{
	struct nova_inode *inode = replay->inode;
	struct gone gone = {le64_get(payload->cookie), le64_get(payload->ino), position};

	if (inode->type != S_IFDIR >> 12)
		return refuse(replay, position, "a name goes from what is not a directory");
	inode->mtime_ns = inode->ctime_ns = (int64_t)le64_get(payload->time_ns);
	return replay->unsorted ? put_off(replay, &gone) : remove_name(replay, &gone);
}

/* Names with one cookie are one name, which has come to lead elsewhere: the last of them holds. */
static int drop_replaced_names(struct replay *replay)
{
	struct dir_index *dir = &replay->inode->dir;

	for (uint32_t i = 1; i < dir->count; i++) {
		struct dir_entry *old = dir_index_entry(dir, i - 1);
		struct dir_entry *by = dir_index_entry(dir, i);

		if (old->cookie != by->cookie)
			continue;
		if (!old->line || !same_name(replay, old, by))
			return refuse(replay, by->cookie, "two names have this cookie");
		if (old->type == S_IFDIR >> 12)
			replay->inode->subdirs--;
		dir_index_remove(dir, old);
	}
	return 0;
}

/* The cookie of a name that has gone is not given again, so names that are gone may be taken away last and in any
 * order. */
static int names_load_done(struct replay *replay)
{
	struct dir_index *dir = &replay->inode->dir;
	int rc = 0;

	if (!replay->unsorted)
		return dir_index_load_done(dir);
	dir_index_sort(dir);
	rc = drop_replaced_names(replay);
	for (size_t i = 0; !rc && i < replay->gone_count; i++)
		rc = remove_name(replay, &replay->gone[i]);
	return rc ? rc : dir_index_load_done(dir);
}

static int symlink_entry(struct replay *replay, const struct nova_entry *entry, uint64_t position, uint64_t line)
{
	const struct nova_symlink_entry *symlink = ENTRY_CONST_PAYLOAD(nova_symlink_entry, entry);
	uint32_t length = le16_get(symlink->length);
	uint64_t blob = le64_get(symlink->blob);

	if (replay->inode->type != S_IFLNK >> 12)
		return refuse(replay, position, "a target in what is not a symbolic link");
	if (length < 1 || length > NOVA_SYMLINK_MAX || entry->lines != entry_symlink_lines(length) ||
	    (length > NOVA_SYMLINK_INLINE_MAX) != (blob != 0))
		return refuse(replay, position, "a target of impossible length");
	if (blob && !alloc_valid(replay->fs, blob, 1))
		return refuse(replay, position, "a target outside the space for data");
	replay->inode->symlink_line = line;
	replay->inode->size = length;
	replay->inode->space.blocks = blob != 0;
	return 0;
}

static int xattr_entry(struct replay *replay, const struct nova_entry *entry, uint64_t position, uint64_t line)
{
	int rc;
	const char *wrong = xattr_replay(replay->fs, replay->inode, entry, line, &rc);

	return wrong ? refuse(replay, position, wrong) : rc;
}

static int parent_entry(struct replay *replay, const struct nova_parent_entry *parent, uint64_t position)
{
	uint64_t ino = le64_get(parent->parent);

	if (replay->inode->type != S_IFDIR >> 12 || !slots_chunk(replay->fs, ino))
		return refuse(replay, position, "a parent that cannot be");
	__atomic_store_n(&replay->inode->parent, ino, __ATOMIC_RELAXED);
	replay->inode->ctime_ns = (int64_t)le64_get(parent->time_ns);
	return 0;
}

/* Limits are known from the first replay of the root's log on; then the newest are those in DRAM. */
static int quota_entry(struct replay *replay, const struct nova_quota_entry *quota, uint64_t position, uint64_t line)
{
	struct nova *fs = replay->fs;
	const uint64_t limits[PROJECT_KINDS] = {le64_get(quota->blocks), le64_get(quota->inodes)};
	struct project *project;

	if (replay->inode->ino != fs->root.ino.n || le32_get(quota->project) == 0)
		return refuse(replay, position, "limits of a project where there can be none");
	if (fs->limits_known)
		return 0;
	project = project_find(fs, le32_get(quota->project));
	if (!project)
		return -ENOMEM;
	project_set_limits(project, limits);
	*project_line(project) = line;
	return 0;
}

static int replay_entry(void *context, const struct nova_entry *entry, uint64_t position, uint64_t line)
{
	struct replay *replay = context;
	struct nova_inode *inode = replay->inode;
	const struct nova_times_entry *times;

	inode->log.last_request = (struct nova_request){
	    .client = le32_get(entry->request_client),
	    .slot = le16_get(entry->request_slot),
	    .sequence = le32_get(entry->request_sequence),
	};
	switch (entry->type) {
	case NOVA_ENTRY_NAME:
		return name_entry(replay, entry, position, line);
	case NOVA_ENTRY_SYMLINK:
		return symlink_entry(replay, entry, position, line);
	case NOVA_ENTRY_XATTR:
		if (replay->runs)
			return -EAGAIN;
		return xattr_entry(replay, entry, position, line);
	case NOVA_ENTRY_EXTENTS:
		/* GC leaves no log within its slot: only a forged one has it there. */
		if (replay->runs)
			return -EAGAIN;
		return extents_entry(replay, entry, position);
	default:
		break;
	}
	if (entry->lines != 1)
		return refuse(replay, position, "entry of wrong length");
	switch (entry->type) {
	case NOVA_ENTRY_ATTR:
		return attr_entry(replay, ENTRY_CONST_PAYLOAD(nova_attr_entry, entry), position);
	case NOVA_ENTRY_TIMES:
		times = ENTRY_CONST_PAYLOAD(nova_times_entry, entry);
		inode->atime_ns = (int64_t)le64_get(times->atime_ns);
		inode->mtime_ns = (int64_t)le64_get(times->mtime_ns);
		inode->ctime_ns = (int64_t)le64_get(times->ctime_ns);
		return 0;
	case NOVA_ENTRY_WRITE:
		return write_entry(replay, ENTRY_CONST_PAYLOAD(nova_write_entry, entry), position);
	case NOVA_ENTRY_NAME_GONE:
		return name_gone_entry(replay, ENTRY_CONST_PAYLOAD(nova_name_gone_entry, entry), position);
	case NOVA_ENTRY_QUOTA:
		return quota_entry(replay, ENTRY_CONST_PAYLOAD(nova_quota_entry, entry), position, line);
	case NOVA_ENTRY_PARENT:
		return parent_entry(replay, ENTRY_CONST_PAYLOAD(nova_parent_entry, entry), position);
	default:
		return refuse(replay, position, "entry of a type this version does not know");
	}
}

static int replay_page(void *context, uint64_t block)
{
	struct replay *replay = context;

	return replay->page ? replay->page(replay->page_context, block) : 0;
}

/* ---- the inode ------------------------------------------------------------------------------------------------ */

static int read_header(struct replay *replay)
{
	struct nova_inode *inode = replay->inode;
	const struct nova_slot *slot = replay->slot ? replay->slot : slot_at(replay->fs, inode->ino);
	const struct nova_slot_header *header = &slot->header;

	if (le32_get(header->crc) != entry_header_crc(header, inode->ino, inode->generation) ||
	    le32_get(header->generation) != inode->generation)
		return refuse(replay, 0, "damaged slot header");
	switch (header->type << 12) {
	case S_IFREG:
	case S_IFDIR:
	case S_IFLNK:
	case S_IFIFO:
	case S_IFSOCK:
	case S_IFCHR:
	case S_IFBLK:
		break;
	default:
		return refuse(replay, 0, "slot header of unknown type");
	}
	inode->type = header->type;
	inode->rdev = le32_get(header->rdev);
	inode->btime_ns = (int64_t)le64_get(header->birth_ns);
	__atomic_store_n(&inode->parent, le64_get(header->parent), __ATOMIC_RELAXED);
	if (inode->type == S_IFDIR >> 12 && !slots_chunk(replay->fs, inode->parent))
		return refuse(replay, 0, "a parent that cannot be");
	return 0;
}

static int read_words(struct replay *replay)
{
	struct nova_inode *inode = replay->inode;
	struct nova_slot_words *words = slot_words(replay->fs, inode->ino);
	uint64_t owner = word_owner(inode->ino, inode->generation);

	if (!slot_word(replay->fs, inode->ino, NOVA_WORD_TAIL, owner, words->tail, "tail", &inode->log.tail))
		return refuse(replay, 0, "both copies of the tail word are damaged");
	if (inode->log.tail == 0)
		return refuse(replay, 0, "an inode without a log");
	inode->log.head = 0;
	if (inode->log.tail > NOVA_SLOT_LINES &&
	    !slot_word(replay->fs, inode->ino, NOVA_WORD_HEAD, owner, words->head, "head", &inode->log.head))
		return refuse(replay, 0, "the copies of the head word are damaged");
	return 0;
}

static void count_blocks(struct nova_inode *inode)
{
	struct extent extent;
	uint64_t at = 0;

	inode->space.blocks = 0;
	while (file_index_next_extent(&inode->file, &at, &extent)) {
		inode->space.blocks += extent.count;
		if (extent.value & FILE_UNWRITTEN)
			inode->space.unwritten += extent.count;
	}
}

static void forget(struct nova_inode *inode)
{
	replay_reset(inode);
	inode->size = inode->space.blocks = inode->space.unwritten = 0;
	inode->flags = inode->project = 0;
	inode->space.quota = NULL;
	inode->acl = NULL;
	inode->has_xattrs = false;
	inode->subdirs = 0;
	inode->symlink_line = 0;
}

static int read_fixed(struct replay *replay, struct log_walk *walk)
{
	int rc = read_header(replay);

	if (!rc)
		rc = read_words(replay);
	walk->tail = replay->inode->log.tail;
	walk->head = replay->inode->log.head;
	return rc;
}

/* After the log was read whole. */
static void take_place(struct nova_inode *inode, const struct log_walk *walk)
{
	inode->log.start = walk->log_start;
	inode->log.tail_page = walk->last_page;
	inode->log.tail_first = walk->last_first;
	if (inode->life != NOVA_LIFE_ALLOCATED)
		inode->nlink = 0;
	memset(&inode->gc, 0, sizeof inode->gc);
}

/* Its blocks have been counted: what its project is charged for it. */
static int take_project(struct nova *fs, struct nova_inode *inode)
{
	inode->space.charged = inode->space.blocks;
	if (!inode->project)
		return 0;
	inode->space.quota = project_find(fs, inode->project);
	return inode->space.quota ? 0 : -ENOMEM;
}

/* What only the whole log can show. */
static int check_whole(struct replay *replay)
{
	const char *wrong = xattr_check_places(replay->fs, replay->inode);

	if (!wrong && replay->inode->type == S_IFLNK >> 12 && !replay->inode->symlink_line)
		wrong = "a symbolic link without a target";
	return wrong ? refuse(replay, 0, wrong) : 0;
}

static void count_runs(struct nova_inode *inode, const struct slot_runs *runs)
{
	for (uint32_t i = 0; i < runs->count; i++) {
		inode->space.blocks += runs->run[i].count;
		if (runs->run[i].value & FILE_UNWRITTEN)
			inode->space.unwritten += runs->run[i].count;
	}
}

int replay_slot(struct nova *fs, struct nova_inode *inode, struct slot_runs *runs, char *why, size_t why_size)
{
	struct replay replay = {.fs = fs, .inode = inode, .runs = runs, .why = why, .why_size = why_size};
	struct log_walk walk = {.fs = fs,
	                        .ino = inode->ino,
	                        .generation = inode->generation,
	                        .repair = !fs->read_only,
	                        .entry = replay_entry,
	                        .context = &replay};
	int rc;

	replay.walk = &walk;
	runs->count = 0;
	forget(inode);
	inode->partial = false;
	rc = read_fixed(&replay, &walk);
	if (!rc && (inode->type == S_IFDIR >> 12 || inode->log.tail > NOVA_SLOT_LINES))
		rc = -EAGAIN;
	if (!rc)
		rc = log_walk(&walk);
	if (!rc)
		rc = check_whole(&replay);
	if (rc && walk.why[0])
		snprintf(why, why_size, "%s", walk.why);
	if (rc)
		return rc;
	take_place(inode, &walk);
	count_runs(inode, runs);
	inode->space.blocks += xattr_blocks(inode);
	return take_project(fs, inode);
}

/*
 * As much of the slot as its tail says, while others may store to it: word by word, each of which is an atom on the
 * medium. Whatever mixture that is, checksums and words tell; so this race is no fault.
 */
__attribute__((no_sanitize("thread"))) static void copy_slot(const struct nova *fs, uint64_t ino, uint64_t tail,
                                                             struct nova_slot *copy)
{
	const volatile uint64_t *from = (const volatile uint64_t *)(const void *)slot_at(fs, ino);
	uint64_t *to = (uint64_t *)(void *)copy;
	size_t words = (offsetof(struct nova_slot, log) + tail * NOVA_LINE_SIZE) / sizeof *to;

	for (size_t i = 0; i < words; i++)
		to[i] = from[i];
}

/* A word both copies of which say the same. */
static bool sound_word(enum nova_word_kind kind, uint64_t owner, const le64 *pair, uint64_t *value)
{
	return word_read(kind, owner, &pair[0], &pair[1], value) == WORD_GOOD;
}

/* Life and tail of the slot as they are now, if both are sound, that generation lives and its log is in the slot. */
__attribute__((no_sanitize("thread"))) static bool peek_words(const struct nova *fs, uint64_t ino, uint32_t generation,
                                                              uint64_t *life, uint64_t *tail)
{
	struct nova_slot_words words = *slot_words(fs, ino);

	return sound_word(NOVA_WORD_LIFE, ino, words.life, life) && *life >> 8 == generation &&
	       life_has_log((enum nova_life)(*life & 0xff)) &&
	       sound_word(NOVA_WORD_TAIL, word_owner(ino, generation), words.tail, tail) && *tail > 0 &&
	       *tail <= NOVA_SLOT_LINES;
}

int replay_peek(struct nova *fs, struct nova_inode *inode)
{
	struct nova_slot slot __attribute__((aligned(NOVA_LINE_SIZE)));
	struct slot_runs runs;
	char why[200];
	struct replay replay = {
	    .fs = fs, .inode = inode, .runs = &runs, .slot = &slot, .why = why, .why_size = sizeof why};
	struct log_walk walk = {.fs = fs,
	                        .slot = &slot,
	                        .ino = inode->ino,
	                        .generation = inode->generation,
	                        .entry = replay_entry,
	                        .context = &replay};
	uint64_t life[2], tail[2];

	if (!peek_words(fs, inode->ino, inode->generation, &life[0], &tail[0]))
		return -EAGAIN;
	inode->life = (uint8_t)life[0];
	inode->log.tail = tail[0];
	copy_slot(fs, inode->ino, inode->log.tail, &slot);
	if (read_header(&replay) || inode->type == S_IFDIR >> 12)
		return -EAGAIN;
	replay.walk = &walk;
	runs.count = 0;
	walk.tail = inode->log.tail;
	if (log_walk(&walk) || check_whole(&replay))
		return -EAGAIN;
	count_runs(inode, &runs);
	/* Lines below a tail do not change, and those of another generation have other checksums: what was read is one
	 * state if the words are of one. */
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	if (!peek_words(fs, inode->ino, inode->generation, &life[1], &tail[1]) || life[1] != life[0] ||
	    tail[1] != tail[0])
		return -EAGAIN;
	return 0;
}

int replay_inode(struct nova *fs, struct nova_inode *inode, int (*page)(void *context, uint64_t block), void *context,
                 char *why, size_t why_size)
{
	struct replay replay = {
	    .fs = fs, .inode = inode, .page = page, .page_context = context, .why = why, .why_size = why_size};
	struct log_walk walk = {.fs = fs,
	                        .ino = inode->ino,
	                        .generation = inode->generation,
	                        .repair = !fs->read_only,
	                        .page = replay_page,
	                        .entry = replay_entry,
	                        .context = &replay};
	int names_err;
	int rc;

	replay.walk = &walk;
	forget(inode);
	rc = read_fixed(&replay, &walk);
	if (rc)
		return rc;
	dir_index_load(&inode->dir);
	rc = log_walk(&walk);
	/* A rescue shows the names before the damage, so they are put into order even then. */
	names_err = names_load_done(&replay);
	if (!rc)
		rc = names_err;
	free(replay.gone);
	if (!rc)
		rc = check_whole(&replay);
	if (rc && walk.why[0])
		snprintf(why, why_size, "%s", walk.why);
	inode->partial = rc == -EIO && fs->rescue && inode->type == S_IFDIR >> 12;
	if (inode->partial)
		log_warn(NOVA_LOG_NAME, "%s; the %u names before it are shown", why, inode->dir.live);
	else if (rc) {
		replay_reset(inode);
		return rc;
	}
	take_place(inode, &walk);
	if (inode->type == S_IFREG >> 12)
		count_blocks(inode);
	inode->space.blocks += xattr_blocks(inode);
	rc = take_project(fs, inode);
	if (rc) {
		replay_reset(inode);
		return rc;
	}
	inode->indexed = true;
	return 0;
}
