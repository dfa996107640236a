/*
 * replay_entry.c -- applies the entries of a log to an inode. Everything read is validated.
 */
#include "server/nova/inode/replay_internal.h"

#include "server/nova/inode/xattr_index.h"
#include "server/nova/space/alloc.h"
#include "server/nova/space/project.h"
#include "server/nova/space/slots.h"

#include <errno.h>

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
			return replay_refuse(replay, position, "size out of range");
		if (size <= inode->size)
			replay_truncate(replay, (size + NOVA_BLOCK_SIZE - 1) >> NOVA_BLOCK_SHIFT);
		inode->size = size;
	}
	if (mask & NOVA_ATTR_ATIME && mask != NOVA_ATTR_ATIME)
		return replay_refuse(replay, position, "an access time with other attributes in one entry");
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

/* `size` is the size of the file after the entry. A value of 0 is a hole. */
static int take_extent(struct replay *replay, const struct extent *extent, uint64_t size, uint64_t position)
{
	uint64_t block = file_block_of(extent->value);

	if (replay->inode->type != S_IFREG >> 12)
		return replay_refuse(replay, position, "data in an inode that is no file");
	if (extent->count == 0 || extent->file_block >= NOVA_FILE_BLOCKS_MAX ||
	    extent->count > NOVA_FILE_BLOCKS_MAX - extent->file_block || size > NOVA_FILE_SIZE_MAX)
		return replay_refuse(replay, position, "file range out of bounds");
	/* Blocks with data are within the size of the file; only reserved blocks and holes may be beyond its end. */
	if (file_readable(extent->value) &&
	    extent->file_block + extent->count > (size + NOVA_BLOCK_SIZE - 1) >> NOVA_BLOCK_SHIFT)
		return replay_refuse(replay, position, "data beyond the end of the file");
	if (block && !alloc_valid(replay->fs, block, extent->count))
		return replay_refuse(replay, position, "blocks outside the space for data");
	return replay_set_blocks(replay, extent->file_block, extent->count, extent->value);
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
		return replay_refuse(replay, position, "blocks in an unknown state");
	if (le64_get(write->block) & FILE_UNWRITTEN)
		return replay_refuse(replay, position, "blocks outside the space for data");
	rc = take_extent(replay, &extent, le64_get(write->size), position);
	if (rc)
		return rc;
	inode->size = le64_get(write->size);
	inode->mtime_ns = inode->ctime_ns = (int64_t)le64_get(write->time_ns);
	return 0;
}

/* GC writes times and everything else in the entries after this one. */
static int extents_entry(struct replay *replay, const struct nova_entry *entry, uint64_t position)
{
	uint64_t size = le64_get(ENTRY_CONST_PAYLOAD(nova_extents_entry, entry)->size);
	unsigned count = entry_extents_count(entry);

	if (count == 0)
		return replay_refuse(replay, position, "the number of extents does not match the number of lines");
	for (unsigned i = 0; i < count; i++) {
		const struct extent extent = entry_extent(entry, i);
		int rc;

		if (!file_block_of(extent.value))
			return replay_refuse(replay, position, "an extent without blocks");
		rc = take_extent(replay, &extent, size, position);
		if (rc)
			return rc;
	}
	replay->inode->size = size;
	return 0;
}

static int symlink_entry(struct replay *replay, const struct nova_entry *entry, uint64_t position, uint64_t line)
{
	const struct nova_symlink_entry *symlink = ENTRY_CONST_PAYLOAD(nova_symlink_entry, entry);
	uint32_t length = le16_get(symlink->length);
	uint64_t blob = le64_get(symlink->blob);

	if (replay->inode->type != S_IFLNK >> 12)
		return replay_refuse(replay, position, "a target in an inode that is no symbolic link");
	if (length < 1 || length > NOVA_SYMLINK_MAX || entry->lines != entry_symlink_lines(length) ||
	    (length > NOVA_SYMLINK_INLINE_MAX) != (blob != 0))
		return replay_refuse(replay, position, "a target of impossible length");
	if (blob && !alloc_valid(replay->fs, blob, 1))
		return replay_refuse(replay, position, "a target outside the space for data");
	replay->inode->symlink_line = line;
	replay->inode->size = length;
	replay->inode->space.blocks = blob != 0;
	return 0;
}

static int xattr_entry(struct replay *replay, const struct nova_entry *entry, uint64_t position, uint64_t line)
{
	int rc;
	const char *wrong = xattr_replay(replay->fs, replay->inode, entry, line, &rc);

	return wrong ? replay_refuse(replay, position, wrong) : rc;
}

static int parent_entry(struct replay *replay, const struct nova_parent_entry *parent, uint64_t position)
{
	uint64_t ino = le64_get(parent->parent);

	if (replay->inode->type != S_IFDIR >> 12 || !slots_chunk(replay->fs, ino))
		return replay_refuse(replay, position, "an impossible parent");
	__atomic_store_n(&replay->inode->parent, ino, __ATOMIC_RELAXED);
	replay->inode->ctime_ns = (int64_t)le64_get(parent->time_ns);
	return 0;
}

/* After the first replay of the root's log, the newest limits are those in DRAM. */
static int quota_entry(struct replay *replay, const struct nova_quota_entry *quota, uint64_t position, uint64_t line)
{
	struct nova *fs = replay->fs;
	const uint64_t limits[PROJECT_KINDS] = {le64_get(quota->blocks), le64_get(quota->inodes)};
	struct project *project;

	if (replay->inode->ino != fs->root.ino.n || le32_get(quota->project) == 0)
		return replay_refuse(replay, position,
		                     "limits of a project outside the root directory, or of project 0");
	if (fs->limits_known)
		return 0;
	project = project_find(fs, le32_get(quota->project));
	if (!project)
		return -ENOMEM;
	project_set_limits(project, limits);
	*project_line(project) = line;
	return 0;
}

int replay_entry(void *context, const struct nova_entry *entry, uint64_t position, uint64_t line)
{
	struct replay *replay = context;
	struct nova_inode *inode = replay->inode;
	const struct nova_times_entry *times;

	if (le16_get(entry->flags) || le32_get(entry->view) || le32_get(entry->born) > le32_get(entry->epoch))
		return replay_refuse(replay, position, "an entry of a kind this version does not know");
	if (le32_get(entry->born) > inode->log.born)
		inode->log.born = le32_get(entry->born);
	switch (entry->type) {
	case NOVA_ENTRY_NAME:
		return replay_name(replay, entry, position, line);
	case NOVA_ENTRY_SYMLINK:
		return symlink_entry(replay, entry, position, line);
	case NOVA_ENTRY_XATTR:
		if (replay->runs)
			return -EAGAIN;
		return xattr_entry(replay, entry, position, line);
	case NOVA_ENTRY_EXTENTS:
		/* After GC a log is never inside the slot: only a forged log has this entry there. */
		if (replay->runs)
			return -EAGAIN;
		return extents_entry(replay, entry, position);
	default:
		break;
	}
	if (entry->lines != 1)
		return replay_refuse(replay, position, "entry of wrong length");
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
		return replay_name_gone(replay, ENTRY_CONST_PAYLOAD(nova_name_gone_entry, entry), position);
	case NOVA_ENTRY_QUOTA:
		return quota_entry(replay, ENTRY_CONST_PAYLOAD(nova_quota_entry, entry), position, line);
	case NOVA_ENTRY_PARENT:
		return parent_entry(replay, ENTRY_CONST_PAYLOAD(nova_parent_entry, entry), position);
	default:
		return replay_refuse(replay, position, "entry of unknown type");
	}
}
