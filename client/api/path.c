/*
 * path.c -- the public calls by path.
 */
#include "client/api/attr.h"
#include "client/api/file.h"
#include "client/api/names.h"
#include "client/api/result.h"
#include "client/include/farnova.h"
#include "client/link/user_memory.h"

#include <errno.h>
#include <fcntl.h>

/* result -- return a result, or set the error, of a call on `path`. */
static int result(struct farnova *fs, int error, const char *operation, const char *path)
{
	return error ? error_path(fs, error, operation, path) : 0;
}

static int stat_with(struct farnova *fs, const char *path, uint32_t flags, struct stat *st)
{
	struct path copy;
	struct proto_attr attr;
	int error = names_path(path, &copy);
	if (error == 0)
		error = names_lookup(fs, fs->root, copy.string, flags, &attr);
	if (error)
		return error_path(fs, error, "stat", path);
	return result(fs, attr_give_stat(fs, &attr, st), "stat", path);
}

int farnova_stat(struct farnova *fs, const char *path, struct stat *st)
{
	return stat_with(fs, path, 0, st);
}

int farnova_lstat(struct farnova *fs, const char *path, struct stat *st)
{
	return stat_with(fs, path, PROTO_LOOKUP_NOFOLLOW, st);
}

int farnova_access(struct farnova *fs, const char *path, int mode)
{
	struct proto_attr attr;
	struct names_way way = {0};
	int error;

	do {
		error = names_find(fs, path, 0, &way, &attr);
		if (error == 0)
			error = names_access(fs, attr.handle, mode);
	} while (names_again(fs, error, &way));
	return result(fs, error, "access", path);
}

/* set -- common part of all calls that set attributes by path. */
static int set(struct farnova *fs, const char *operation, const char *path, uint32_t flags,
               const struct attr_change *change)
{
	struct proto_attr attr;
	struct names_way way = {0};
	int error;

	do {
		error = names_find(fs, path, flags, &way, &attr);
		if (error == 0)
			error = attr_set(fs, attr.handle, NULL, change, NULL);
	} while (names_again(fs, error, &way));
	return result(fs, error, operation, path);
}

int farnova_truncate(struct farnova *fs, const char *path, off_t length)
{
	struct attr_change change = {.mask = PROTO_SET_SIZE, .size = (uint64_t)length};
	if (length < 0)
		return error_path(fs, -EINVAL, "truncate", path);
	return set(fs, "truncate", path, 0, &change);
}

int farnova_chmod(struct farnova *fs, const char *path, mode_t mode)
{
	struct attr_change change = {.mask = PROTO_SET_MODE, .mode = mode};
	return set(fs, "chmod", path, 0, &change);
}

static int chown_with(struct farnova *fs, const char *operation, const char *path, uint32_t flags, uid_t uid, gid_t gid)
{
	struct attr_change change = {.uid = uid, .gid = gid};
	change.mask = (uid != (uid_t)-1 ? PROTO_SET_UID : 0) | (gid != (gid_t)-1 ? PROTO_SET_GID : 0);
	return set(fs, operation, path, flags, &change);
}

int farnova_chown(struct farnova *fs, const char *path, uid_t uid, gid_t gid)
{
	return chown_with(fs, "chown", path, 0, uid, gid);
}

int farnova_lchown(struct farnova *fs, const char *path, uid_t uid, gid_t gid)
{
	return chown_with(fs, "lchown", path, PROTO_LOOKUP_NOFOLLOW, uid, gid);
}

int farnova_utimens(struct farnova *fs, const char *path, const struct timespec times[2], int flags)
{
	struct attr_change change;
	int error = flags & ~AT_SYMLINK_NOFOLLOW ? -EINVAL : attr_times(times, &change);
	if (error)
		return error_path(fs, error, "utimens", path);
	return set(fs, "utimens", path, flags & AT_SYMLINK_NOFOLLOW ? PROTO_LOOKUP_NOFOLLOW : 0, &change);
}

static int create(struct farnova *fs, const char *operation, const char *path, mode_t mode, dev_t dev)
{
	struct path copy;
	int error = names_path(path, &copy);
	if (error == 0)
		error = names_create(fs, fs->root, copy.string, mode, dev, NULL);
	return result(fs, error, operation, path);
}

int farnova_mkdir(struct farnova *fs, const char *path, mode_t mode)
{
	return create(fs, "mkdir", path, S_IFDIR | (mode & 07777), 0);
}

int farnova_mknod(struct farnova *fs, const char *path, mode_t mode, dev_t dev)
{
	return create(fs, "mknod", path, mode & S_IFMT ? mode : mode | S_IFREG, dev);
}

static int remove_name(struct farnova *fs, const char *operation, uint16_t op, const char *path)
{
	struct path copy;
	int error = names_path(path, &copy);
	if (error == 0)
		error = names_remove(fs, op, fs->root, copy.string);
	return result(fs, error, operation, path);
}

int farnova_rmdir(struct farnova *fs, const char *path)
{
	return remove_name(fs, "rmdir", PROTO_RMDIR, path);
}

int farnova_unlink(struct farnova *fs, const char *path)
{
	return remove_name(fs, "unlink", PROTO_UNLINK, path);
}

int farnova_rename(struct farnova *fs, const char *from, const char *to, unsigned flags)
{
	struct path source, target;
	int error = names_path(from, &source);
	if (error == 0)
		error = names_path(to, &target);
	if (error == 0)
		error = names_rename(fs, fs->root, source.string, fs->root, target.string, flags);
	if (!error)
		return 0;
	char old[ERROR_TEXT], new[ERROR_TEXT];
	return error_set(-error, "rename \"%.200s\" to \"%.200s\" on %s%s", error_text(old, from), error_text(new, to),
	                 connection_name(&fs->link),
	                 error == -EINVAL && flags <= PROTO_RENAME_EXCHANGE
	                     ? ": a directory cannot be moved below itself, nor \".\" or \"..\" be renamed"
	                     : "");
}

int farnova_link(struct farnova *fs, const char *from, const char *to)
{
	char old[ERROR_TEXT], new[ERROR_TEXT];
	struct path target;
	struct proto_attr attr;
	struct names_way way = {0};
	int error;

	do {
		error = names_path(to, &target);
		if (error == 0)
			error = names_find(fs, from, PROTO_LOOKUP_NOFOLLOW, &way, &attr);
		if (error == 0)
			error = names_link(fs, attr.handle, fs->root, target.string, NULL);
		/* A pinned file that has lost its last name gets ENOENT: `from` leads to another by now. */
	} while (names_again(fs, error == -ENOENT && way.pin ? -ESTALE : error, &way));
	if (!error)
		return 0;
	return error_set(-error, "link \"%.200s\" to \"%.200s\" on %s", error_text(old, from), error_text(new, to),
	                 connection_name(&fs->link));
}

int farnova_flink(struct farnova_file *file, const char *path)
{
	struct farnova *fs = file->fs;
	struct path copy;
	int error = names_path(path, &copy);

	if (error == 0)
		error = names_link(fs, file->inode->handle, fs->root, copy.string, NULL);
	return result(fs, error, "link an open file to", path);
}

int farnova_symlink(struct farnova *fs, const char *target, const char *path)
{
	struct path copy;
	int error = names_path(path, &copy);
	if (error == 0)
		error = names_symlink(fs, target, fs->root, copy.string, NULL);
	return result(fs, error, "symlink", path);
}

ssize_t farnova_readlink(struct farnova *fs, const char *path, char *buffer, size_t size)
{
	struct proto_attr attr;
	struct names_way way = {0};
	ssize_t length;

	do {
		length = names_find(fs, path, PROTO_LOOKUP_NOFOLLOW, &way, &attr);
		if (length == 0)
			length = names_readlink(fs, attr.handle, buffer, size);
	} while (names_again(fs, length, &way));
	return length < 0 ? error_path(fs, (int)length, "readlink", path) : length;
}

static int receive_statfs(struct farnova *fs, struct call *call, const struct proto_reply *reply)
{
	struct statvfs *st = call->result;

	if (!st)
		return 0;
	*st = (struct statvfs){.f_bsize = 4096,
	                       .f_frsize = 4096,
	                       .f_blocks = reply->statfs.blocks,
	                       .f_bfree = reply->statfs.free_blocks,
	                       .f_bavail = reply->statfs.free_blocks,
	                       .f_namemax = reply->statfs.name_max};
	/* An inode takes 512 bytes of a free block, so eight inodes fit in each free block. */
	st->f_ffree = st->f_favail = reply->statfs.free_blocks * 8;
	if (reply->statfs.inode_limit && reply->statfs.inode_limit < reply->statfs.inodes + st->f_ffree)
		st->f_ffree = st->f_favail = reply->statfs.inode_limit > reply->statfs.inodes
		                                 ? reply->statfs.inode_limit - reply->statfs.inodes
		                                 : 0;
	st->f_files = reply->statfs.inodes + st->f_ffree;
	uint64_t id;
	_Static_assert(sizeof(id) <= sizeof(reply->statfs.pool), "a part of the UUID");
	__builtin_memcpy(&id, reply->statfs.pool, sizeof(id));
	st->f_fsid = id;
	return 0;
}

static int statvfs_of(struct farnova *fs, struct proto_handle handle, struct statvfs *st)
{
	struct statvfs all;

	struct call *call = call_new(fs, PROTO_STATFS);

	if (!call)
		return -ENOMEM;
	call->receive = receive_statfs;
	call->result = &all;
	call->request.statfs.handle = handle;
	int error = call_run(fs, call);
	return error ? error : user_give(st, &all, sizeof(all));
}

int farnova_statvfs(struct farnova *fs, struct statvfs *st)
{
	return result(fs, statvfs_of(fs, fs->root, st), "statvfs", fs->url.path);
}

int farnova_statvfs_of(struct farnova *fs, const char *path, struct statvfs *st)
{
	struct proto_attr attr;
	struct names_way way = {0};
	int error;

	do {
		error = names_find(fs, path, 0, &way, &attr);
		if (error == 0)
			error = statvfs_of(fs, attr.handle, st);
	} while (names_again(fs, error, &way));
	return result(fs, error, "statvfs", path);
}

int farnova_statvfs_at(struct farnova *fs, struct farnova_handle file, struct statvfs *st)
{
	int error = statvfs_of(fs, (struct proto_handle){file.ino, file.generation, file.seal}, st);

	return error ? error_handle(fs, error, "statvfs", file.ino) : 0;
}
