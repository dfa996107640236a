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

/* by_path -- run an action that was prepared with `error`. */
static int by_path(struct action *action, int error, const char *operation, const char *path, uint32_t flags)
{
	if (error == 0)
		error = action_by_path(action, path, flags);
	return result(action->fs, error, operation, path);
}

int farnova_access(struct farnova *fs, const char *path, int mode)
{
	struct action action = {.fs = fs};

	return by_path(&action, names_access(&action, mode), "access", path, 0);
}

/* set -- common part of all calls that set attributes by path. */
static int set(struct farnova *fs, const char *operation, const char *path, uint32_t flags,
               const struct attr_change *change)
{
	struct action action = {.fs = fs};

	return by_path(&action, attr_set_action(&action, change), operation, path, flags);
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

int farnova_chown(struct farnova *fs, const char *path, uid_t uid, gid_t gid)
{
	const struct attr_change change = attr_owner(uid, gid);
	return set(fs, "chown", path, 0, &change);
}

int farnova_lchown(struct farnova *fs, const char *path, uid_t uid, gid_t gid)
{
	const struct attr_change change = attr_owner(uid, gid);
	return set(fs, "lchown", path, PROTO_LOOKUP_NOFOLLOW, &change);
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
	struct action action = {.fs = fs};
	struct path target;
	int error = names_path(to, &target);

	if (error == 0)
		error = names_link(&action, fs->root, target.string, NULL);
	if (error == 0)
		error = action_by_path(&action, from, PROTO_LOOKUP_NOFOLLOW);
	if (!error)
		return 0;
	return error_set(-error, "link \"%.200s\" to \"%.200s\" on %s", error_text(old, from), error_text(new, to),
	                 connection_name(&fs->link));
}

int farnova_flink(struct farnova_file *file, const char *path)
{
	struct action action = {.fs = file->fs};
	struct path copy;
	int error = names_path(path, &copy);

	if (error == 0)
		error = names_link(&action, file->fs->root, copy.string, NULL);
	if (error == 0)
		error = action_by_handle(&action, file->inode->handle);
	return result(file->fs, error, "link an open file to", path);
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
	struct action action = {.fs = fs};
	struct link_text link;
	ssize_t length = size == 0 ? -EINVAL : names_readlink(&action, &link);

	if (length == 0)
		length = action_by_path(&action, path, PROTO_LOOKUP_NOFOLLOW);
	if (length == 0)
		length = names_give_link(&link, buffer, size);
	return length < 0 ? error_path(fs, (int)length, "readlink", path) : length;
}
