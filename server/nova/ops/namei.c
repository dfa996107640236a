/*
 * namei.c -- functions that the operations on names share, and the operations that change nothing: lookup, readdir and
 * readlink.
 */
#include "server/nova/ops/namei.h"

#include "common/crc.h"
#include "server/nova/inode/incore.h"
#include "server/nova/inode/perm.h"
#include "server/nova/space/slots.h"
#include "server/nova/space/worker.h"

#include <errno.h>
#include <string.h>

#define NAMES_AHEAD 8u /* that a listing prefetches */

int namei_check(const char *name, size_t length)
{
	if (length > NOVA_NAME_MAX)
		return -ENAMETOOLONG;
	return entry_name_ok(name, length) ? 0 : -EINVAL;
}

int namei_may_add(const struct nova_call *call, const struct nova_inode *dir)
{
	if (!inode_is(dir, S_IFDIR))
		return -ENOTDIR;
	if (dir->life != NOVA_LIFE_ALLOCATED)
		return -ENOENT;
	return perm_check(call->cred, dir, PERM_WRITE | PERM_EXEC);
}

int namei_same_project(const struct nova_inode *inode, const struct nova_inode *dir)
{
	return dir->flags & NOVA_FILE_PROJECT_INHERIT && dir->project != inode->project ? -EXDEV : 0;
}

int namei_room(struct nova *fs, struct nova_inode *dir, uint32_t more)
{
	int rc = dir_index_reserve(&dir->dir, more);

	if (!rc)
		incore_index_changed(fs, dir);
	return rc;
}

void namei_added(struct txn *txn, struct nova_inode *dir, const struct dir_entry *added)
{
	dir_index_add(&dir->dir, added);
	if (added->type == S_IFDIR >> 12)
		dir->subdirs++;
	dir->mtime_ns = dir->ctime_ns = txn->now;
	worker_count(&txn->worker->promised, 1);
}

void namei_replaced(struct txn *txn, struct nova_inode *dir, struct dir_entry *replaced, const struct dir_entry *by)
{
	dir->subdirs += (by->type == S_IFDIR >> 12) - (replaced->type == S_IFDIR >> 12);
	dir_index_replace(replaced, by);
	dir->mtime_ns = dir->ctime_ns = txn->now;
}

void namei_removed(struct txn *txn, struct nova_inode *dir, struct dir_entry *removed)
{
	if (removed->type == S_IFDIR >> 12)
		dir->subdirs--;
	dir_index_remove(&dir->dir, removed);
	dir->mtime_ns = dir->ctime_ns = txn->now;
	worker_count(&txn->worker->promised, -1);
}

/* ---- lookup --------------------------------------------------------------------------------------------------- */

/* The inode of `name`. An inode with a name in a locked directory is alive, so its generation is that of the slot. */
static int find_handle(const struct nova_call *call, struct nova_handle dir, const char *name, size_t length,
                       struct nova_handle *found)
{
	struct nova *fs = call->worker->fs;
	CLEANUP_UNLOCK struct nova_inode *inode = NULL;
	int rc = inode_read(call->worker, dir, true, &inode);

	if (rc)
		return rc;
	if (!inode_is(inode, S_IFDIR))
		return -ENOTDIR;
	rc = perm_check(call->cred, inode, PERM_EXEC);
	if (rc)
		return rc;
	if (length == 1 && name[0] == '.') {
		*found = dir;
		return 0;
	}
	if (length == 2 && name[0] == '.' && name[1] == '.') {
		if (inode->life != NOVA_LIFE_ALLOCATED)
			return -ENOENT;
		found->ino.n = __atomic_load_n(&inode->parent, __ATOMIC_RELAXED);
	} else {
		uint32_t hash = dir_index_hash(fs->hash_seed, name, length);
		const struct dir_entry *entry = dir_index_likely(&inode->dir, hash);

		if (length < 1)
			return -ENOENT;
		if (length > NOVA_NAME_MAX)
			return -ENAMETOOLONG;
		/* The name on the medium and the inode's lines miss the cache alike: prefetch all at once. */
		if (entry)
			incore_prefetch(fs, entry->ino);
		entry = dir_index_find(&inode->dir, fs->pm->base, hash, name, length);
		if (!entry)
			return inode->partial ? -EIO : -ENOENT;
		found->ino.n = entry->ino;
	}
	found->generation = slots_generation(fs, found->ino.n);
	return 0;
}

int nova_lookup(const struct nova_call *call, struct nova_handle dir, const char *name, size_t length,
                struct nova_attr *attr)
{
	/* Between the two locks the name may have been removed or may refer to another inode: then look again. */
	for (unsigned attempt = 0;; attempt++) {
		struct nova_handle found;
		int rc = find_handle(call, dir, name, length, &found);

		if (rc)
			return rc;
		rc = inode_look(call->worker, found, attr);
		if (!rc)
			return 0;
		if (rc != -ESTALE || attempt == 100)
			return rc == -ESTALE ? -EIO : rc;
	}
}

/* ---- readdir -------------------------------------------------------------------------------------------------- */

int nova_readdir(const struct nova_call *call, struct nova_handle dir, uint64_t cookie, uint64_t *until,
                 bool (*emit)(void *context, const struct nova_dirent *entry), void *context)
{
	struct nova *fs = call->worker->fs;
	CLEANUP_UNLOCK struct nova_inode *inode = NULL;
	int rc = inode_read(call->worker, dir, true, &inode);
	uint32_t i;

	if (rc)
		return rc;
	if (!inode_is(inode, S_IFDIR))
		return -ENOTDIR;
	if (!call->opened) {
		rc = perm_check(call->cred, inode, PERM_READ);
		if (rc)
			return rc;
	}
	/* Later names have positions that the log has not reached yet. */
	if (until && !*until)
		*until = inode->log.tail;
	/* The first possible position of a name is 1 (after an ATTR entry), so cookie 0 is before all names. */
	for (i = dir_index_after(&inode->dir, cookie); i < inode->dir.count; i++) {
		const struct dir_entry *entry = dir_index_entry(&inode->dir, i);
		struct nova_dirent out = {
		    .cookie = entry->cookie,
		    .ino = {entry->ino},
		    .type = (uint32_t)entry->type << 12,
		    .length = entry->length,
		};

		if (i + NAMES_AHEAD < inode->dir.count)
			__builtin_prefetch(dir_index_entry(&inode->dir, i + NAMES_AHEAD));
		if (until && entry->cookie >= *until)
			break;
		if (!entry->line)
			continue;
		out.name = entry_name(line_at(fs, entry->line));
		if (!emit(context, &out))
			return 0;
	}
	return inode->partial ? -EIO : 0;
}

/* ---- readlink ------------------------------------------------------------------------------------------------- */

ssize_t nova_readlink(const struct nova_call *call, struct nova_handle file, char *buffer, size_t size)
{
	struct nova *fs = call->worker->fs;
	CLEANUP_UNLOCK struct nova_inode *inode = NULL;
	const struct nova_entry *entry;
	const struct nova_symlink_entry *symlink;
	const uint8_t *target;
	uint64_t blob;
	int rc = inode_read(call->worker, file, true, &inode);

	if (rc)
		return rc;
	if (!inode_is(inode, S_IFLNK))
		return -EINVAL;
	entry = line_at(fs, inode->symlink_line);
	symlink = ENTRY_CONST_PAYLOAD(nova_symlink_entry, entry);
	blob = le64_get(symlink->blob);
	target = blob ? block_at(fs, blob) : (const uint8_t *)entry + ENTRY_TARGET_OFFSET;
	if (blob && crc32c(0xffffffff, target, inode->size) != le32_get(symlink->blob_crc)) {
		log_error_limited(NOVA_LOG_NAME, "inode %llu: the target of the symbolic link is damaged",
		                  (unsigned long long)inode->ino);
		return -EIO;
	}
	memcpy(buffer, target, size < inode->size ? size : inode->size);
	return (ssize_t)inode->size;
}
