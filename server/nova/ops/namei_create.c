/*
 * namei_create.c -- operations that make names: create, symlink, link.
 */
#include "common/crc.h"

#include "server/nova/inode/perm.h"
#include "server/nova/ops/namei.h"
#include "server/nova/ops/xattr.h"
#include "server/nova/space/alloc.h"
#include "server/nova/space/project.h"
#include "server/nova/space/worker.h"

#include <errno.h>
#include <string.h>

void birth_inherit(const struct nova_call *call, const struct nova_inode *dir, struct birth *birth)
{
	birth->uid = call->cred ? call->cred->uid : 0;
	birth->gid = call->cred ? call->cred->gid : 0;
	if (dir->mode & S_ISGID) {
		birth->gid = dir->gid;
		if (S_ISDIR(birth->mode))
			birth->mode |= S_ISGID;
	}
	if (dir->flags & NOVA_FILE_PROJECT_INHERIT) {
		birth->project = dir->project;
		if (S_ISDIR(birth->mode))
			birth->flags |= NOVA_FILE_PROJECT_INHERIT;
	}
	/* Only a member of the group may make a file that runs with the group's rights. */
	if (!S_ISDIR(birth->mode) && (birth->mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP) &&
	    !cred_super(call->cred) && !cred_in_group(call->cred, birth->gid))
		birth->mode &= ~(uint32_t)S_ISGID;
	xattr_inherit(call, dir, &birth->mode, &birth->xattrs);
}

/* A target that does not fit into the slot has a block of its own. */
static int store_target(struct txn *txn, struct nova_inode *inode, struct log_append *log, const char *target,
                        size_t length, uint64_t *blob, uint64_t *line)
{
	struct pm *pm = txn->worker->fs->pm;
	struct entry_buffer buffer;
	struct nova_entry *entry = entry_start(&buffer, NOVA_ENTRY_SYMLINK);
	struct nova_symlink_entry *symlink = ENTRY_PAYLOAD(nova_symlink_entry, entry);

	*blob = 0;
	symlink->length = le16_of((uint16_t)length);
	if (length > NOVA_SYMLINK_INLINE_MAX) {
		uint8_t block[NOVA_BLOCK_SIZE];
		int64_t got = project_grow(&inode->space, 1);

		if (!got)
			got = alloc_run(txn->worker, 1, ALLOC_GROWS, blob);
		if (got < 0) {
			*blob = 0;
			return (int)got;
		}
		memcpy(block, target, length);
		memset(block + length, 0, sizeof block - length);
		pm_copy(pm, block_at(txn->worker->fs, *blob), block, sizeof block);
		symlink->blob = le64_of(*blob);
		symlink->blob_crc = le32_of(crc32c(0xffffffff, target, length));
	} else {
		entry->lines = entry_symlink_lines(length);
		memset(buffer.more, 0, (size_t)(entry->lines - 1) * NOVA_LINE_SIZE);
		memcpy((uint8_t *)&buffer + ENTRY_TARGET_OFFSET, target, length);
	}
	return txn_entry(txn, log, entry, NULL, line);
}

/* Create and symlink: a new inode with its first name. */
static int make(const struct nova_call *call, struct nova_handle dir_handle, const char *name, size_t length,
                struct birth *birth, const char *target, struct nova_attr *attr)
{
	struct nova_worker *worker = call->worker;
	CLEANUP_UNLOCK struct nova_inode *dir = NULL;
	struct nova_inode *inode = NULL;
	struct log_append *log;
	struct dir_entry added;
	uint64_t blob = 0;
	uint64_t symlink_line = 0;
	struct txn txn;
	int rc = namei_check(name, length);

	if (rc)
		return rc;
	rc = inode_write(worker, dir_handle, true, &dir);
	if (rc)
		return rc;
	rc = namei_may_add(call, dir);
	if (rc != -ENOTDIR && rc != -ENOENT && inode_find_name(worker->fs, dir, name, length))
		return perm_check(call->cred, dir, PERM_EXEC) ? rc : -EEXIST;
	if (!rc)
		rc = namei_room(worker->fs, dir, 1);
	if (rc)
		return rc;
	birth_inherit(call, dir, birth);
	birth->parent = S_ISDIR(birth->mode) ? dir->ino : 0;

	txn_start(&txn, call);
	rc = inode_create_begin(&txn, birth, &inode, &log);
	if (rc)
		return rc;
	if (target)
		rc = store_target(&txn, inode, log, target, birth->size, &blob, &symlink_line);
	if (!rc)
		rc = txn_name(&txn, txn_log(&txn, dir, ALLOC_GROWS), name, length, inode->ino,
		              (uint8_t)(birth->mode >> 12), NULL, &added);
	if (rc) {
		txn_drop(&txn);
		inode_create_abort(&txn, inode, birth);
		if (blob)
			alloc_free(worker, blob, 1);
		return rc;
	}
	txn_effect(&txn, inode->ino, inode->generation);
	txn_commit(&txn);
	inode_create_done(&txn, inode, birth);
	inode->symlink_line = symlink_line;
	inode->space.blocks += blob != 0;
	inode->pins = birth->pinned;
	namei_added(&txn, dir, &added);
	if (attr)
		inode_attr(inode, attr);
	inode_unlock(inode);
	return 0;
}

int nova_create(const struct nova_call *call, struct nova_handle dir, const char *name, size_t length, uint32_t mode,
                uint32_t rdev, struct nova_attr *attr)
{
	struct birth birth = {.life = NOVA_LIFE_ALLOCATED, .mode = mode & (S_IFMT | 07777)};

	switch (mode & S_IFMT) {
	case S_IFCHR:
	case S_IFBLK:
		if (!cred_super(call->cred))
			return -EPERM;
		birth.rdev = rdev;
		break;
	case 0:
		birth.mode |= S_IFREG;
		break;
	case S_IFREG:
	case S_IFDIR:
	case S_IFIFO:
	case S_IFSOCK:
		break;
	default:
		return -EINVAL;
	}
	return make(call, dir, name, length, &birth, NULL, attr);
}

int nova_create_open(const struct nova_call *call, struct nova_handle dir, const char *name, size_t length,
                     uint32_t mode, struct nova_attr *attr)
{
	struct birth birth = {.life = NOVA_LIFE_ALLOCATED, .mode = S_IFREG | (mode & 07777), .pinned = true};

	return make(call, dir, name, length, &birth, NULL, attr);
}

int nova_symlink(const struct nova_call *call, struct nova_handle dir, const char *name, size_t length,
                 const char *target, size_t target_length, struct nova_attr *attr)
{
	struct birth birth = {.life = NOVA_LIFE_ALLOCATED, .mode = S_IFLNK | 0777, .size = target_length};

	if (target_length > NOVA_SYMLINK_MAX)
		return -ENAMETOOLONG;
	if (target_length < 1)
		return -ENOENT;
	if (memchr(target, 0, target_length))
		return -EINVAL;
	return make(call, dir, name, length, &birth, target, attr);
}

/* Whether the locked inode may get this name in the locked directory. */
static int may_link(const struct nova_call *call, const struct nova_inode *inode, struct nova_inode *dir,
                    const char *name, size_t length)
{
	struct nova *fs = call->worker->fs;
	int rc = namei_may_add(call, dir);

	if (rc != -ENOTDIR && rc != -ENOENT && inode_find_name(fs, dir, name, length))
		rc = perm_check(call->cred, dir, PERM_EXEC) ? rc : -EEXIST;
	if (rc)
		return rc;
	if (inode_is(inode, S_IFDIR))
		return -EPERM;
	if (inode->life == NOVA_LIFE_ORPHAN)
		return -ENOENT;
	rc = perm_flags_kept(inode);
	if (!rc)
		rc = namei_same_project(inode, dir);
	if (!rc && inode->nlink == UINT32_MAX)
		rc = -EMLINK;
	return rc ? rc : namei_room(fs, dir, 1);
}

static int link_locked(const struct nova_call *call, struct nova_inode *inode, struct nova_inode *dir, const char *name,
                       size_t length)
{
	struct dir_entry added;
	struct txn txn;
	int rc = may_link(call, inode, dir, name, length);

	if (rc)
		return rc;
	txn_start(&txn, call);
	txn_effect(&txn, 0, 0);
	rc = txn_attr(&txn, txn_log(&txn, inode, ALLOC_GROWS), NOVA_ATTR_NLINK,
	              &(struct nova_attr_entry){.nlink = le32_of(inode->nlink + 1)});
	if (!rc)
		rc = txn_name(&txn, txn_log(&txn, dir, ALLOC_GROWS), name, length, inode->ino, inode->type, NULL,
		              &added);
	if (!rc && inode->life == NOVA_LIFE_NAMELESS)
		txn_life(&txn, inode, NOVA_LIFE_ALLOCATED);
	if (rc) {
		txn_drop(&txn);
		return rc;
	}
	txn_commit(&txn);
	inode->nlink++;
	if (inode_nameless(inode))
		__atomic_fetch_sub(&call->worker->fs->nameless, 1, __ATOMIC_RELAXED);
	inode->life = NOVA_LIFE_ALLOCATED;
	inode->ctime_ns = txn.now;
	namei_added(&txn, dir, &added);
	return 0;
}

int nova_link(const struct nova_call *call, struct nova_handle file, struct nova_handle dir_handle, const char *name,
              size_t length, struct nova_attr *attr)
{
	struct nova_inode *inode;
	struct nova_inode *dir;
	int rc = namei_check(name, length);

	if (!rc)
		rc = inode_write_two(call->worker, file, dir_handle, &inode, &dir);
	if (rc)
		return rc;
	rc = link_locked(call, inode, dir, name, length);
	if (!rc && attr)
		inode_attr(inode, attr);
	inode_unlock(inode);
	if (dir != inode)
		inode_unlock(dir);
	return rc;
}
