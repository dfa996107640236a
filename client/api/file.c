/*
 * file.c -- open files: open, close, position, attributes.
 */
#include "client/api/file.h"

#include "client/api/attr.h"
#include "client/api/names.h"
#include "client/api/position.h"
#include "client/api/result.h"
#include "client/api/space.h"
#include "client/io/read.h"
#include "client/io/write.h"
#include "client/session/opening.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

/* ---- open and close --------------------------------------------------------------------------------------------- */

int file_flags(int flags, uint32_t *out)
{
	static const struct {
		int flag;
		uint32_t proto;
	} map[] = {
	    {O_CREAT, PROTO_OPEN_CREATE},         {O_TRUNC, PROTO_OPEN_TRUNCATE},      {O_APPEND, PROTO_OPEN_APPEND},
	    {O_NOFOLLOW, PROTO_OPEN_NOFOLLOW},    {O_DIRECTORY, PROTO_OPEN_DIRECTORY}, {O_NOATIME, PROTO_OPEN_NOATIME},
	    {FARNOVA_O_EXEC, PROTO_OPEN_EXECUTE},
	};
	const int accepted = O_ACCMODE | O_CREAT | O_EXCL | O_TRUNC | O_APPEND | O_NOFOLLOW | O_DIRECTORY | O_CLOEXEC |
	                     O_SYNC | O_DSYNC | O_NOATIME | O_NOCTTY | O_NONBLOCK | O_LARGEFILE | O_DIRECT |
	                     FARNOVA_O_EXEC;
	int access = flags & O_ACCMODE;

	if ((flags & O_TMPFILE) == O_TMPFILE)
		return -EINVAL;
	if (access == O_ACCMODE || flags & ~(accepted | 0100000 /* O_LARGEFILE as the kernel passes it */))
		return -EINVAL;
	*out = 0;
	if (access == O_RDONLY || access == O_RDWR)
		*out |= PROTO_OPEN_READ | PROTO_OPEN_LAYOUT;
	if (access == O_WRONLY || access == O_RDWR)
		*out |= PROTO_OPEN_WRITE;
	for (size_t i = 0; i < sizeof(map) / sizeof(map[0]); i++) {
		if (flags & map[i].flag)
			*out |= map[i].proto;
	}
	if (flags & O_CREAT && flags & O_EXCL)
		*out |= PROTO_OPEN_EXCLUSIVE;
	if (!(*out & PROTO_OPEN_WRITE)) {
		*out &= ~PROTO_OPEN_APPEND; /* has no effect on reads */
		if (*out & PROTO_OPEN_TRUNCATE)
			return -EACCES;
	}
	if (*out & PROTO_OPEN_DIRECTORY)
		*out &= ~PROTO_OPEN_LAYOUT;
	if (*out & PROTO_OPEN_CREATE && *out & PROTO_OPEN_DIRECTORY)
		return -EINVAL;
	if (*out & PROTO_OPEN_EXECUTE && *out & (PROTO_OPEN_CREATE | PROTO_OPEN_WRITE | PROTO_OPEN_DIRECTORY))
		return -EINVAL;
	return 0;
}

/* O_TMPFILE has two bits, one of them O_DIRECTORY; O_EXCL has a special meaning with it. */
static int tmpfile_flags(int flags, uint32_t *out)
{
	int error = flags & (O_CREAT | O_TRUNC) ? -EINVAL : file_flags(flags & ~(O_TMPFILE | O_EXCL | O_NOFOLLOW), out);

	*out &= ~PROTO_OPEN_NOATIME;
	if (error == 0 && !(*out & PROTO_OPEN_WRITE))
		error = -EINVAL;
	if (error == 0 && flags & O_EXCL)
		*out |= PROTO_OPEN_EXCLUSIVE;
	return error;
}

int file_request(struct farnova *fs, struct proto_string path, int flags, mode_t mode, struct proto_request *request,
                 uint32_t *proto)
{
	bool nameless = (flags & O_TMPFILE) == O_TMPFILE;

	request->op = nameless ? PROTO_TMPFILE : PROTO_OPEN;
	request->open.dir = fs->root;
	request->open.mode = mode & 07777;
	request->open.umask = cred_umask(&fs->creds);
	request->open.path = path;
	return nameless ? tmpfile_flags(flags, proto) : file_flags(flags, proto);
}

struct farnova_file *farnova_open(struct farnova *fs, const char *path, int flags, mode_t mode)
{
	struct farnova_file *file = NULL;
	struct proto_request request;
	struct path copy;
	uint32_t proto;
	int error = names_path(path, &copy);

	if (error == 0)
		error = file_request(fs, copy.string, flags, mode, &request, &proto);
	if (error == 0)
		error = file_open(fs, &request, proto, NULL, &file);
	if (error)
		error_path(fs, error, "open", path);
	return file;
}

int farnova_close(struct farnova_file *file)
{
	file_close(file);
	return 0;
}

/* ---- position --------------------------------------------------------------------------------------------------- */

static int fail(struct farnova_file *file, int error, const char *operation)
{
	return error_handle(file->fs, error, operation, file->inode->handle.ino);
}

static bool appends(const struct farnova_file *file)
{
	return file->flags & PROTO_OPEN_APPEND;
}

ssize_t farnova_read(struct farnova_file *file, void *buffer, size_t length)
{
	int error = position_lock(file);

	if (error)
		return fail(file, error, "read");
	ssize_t count = farnova_pread(file, buffer, length, (off_t)file->position.offset);
	if (count > 0)
		file->position.offset += (uint64_t)count;
	position_unlock(file);
	return count;
}

ssize_t farnova_write(struct farnova_file *file, const void *data, size_t length)
{
	uint64_t end = 0;
	int error = position_lock(file);

	if (error)
		return fail(file, error, "write");
	ssize_t count = write_file(file, data, length, file->position.offset, appends(file), &end);
	if (count > 0)
		file->position.offset = end;
	position_unlock(file);
	return count < 0 ? fail(file, (int)count, "write") : count;
}

ssize_t farnova_pread(struct farnova_file *file, void *buffer, size_t length, off_t offset)
{
	ssize_t count = offset < 0 ? -EINVAL : read_file(file, buffer, length, (uint64_t)offset);
	return count < 0 ? fail(file, (int)count, "read") : count;
}

ssize_t farnova_pwrite(struct farnova_file *file, const void *data, size_t length, off_t offset)
{
	uint64_t end;
	ssize_t count = offset < 0 ? -EINVAL : write_file(file, data, length, (uint64_t)offset, appends(file), &end);
	return count < 0 ? fail(file, (int)count, "write") : count;
}

ssize_t farnova_append(struct farnova_file *file, const void *data, size_t length)
{
	uint64_t end;
	ssize_t count = write_file(file, data, length, 0, true, &end);
	return count < 0 ? fail(file, (int)count, "append to") : count;
}

static int64_t seek_base(struct farnova_file *file, int whence)
{
	struct proto_attr attr;
	int error;

	switch (whence) {
	case SEEK_SET:
		return 0;
	case SEEK_CUR:
		return (int64_t)file->position.offset;
	case SEEK_END:
		error = attr_get(file->fs, file->inode->handle, &attr);
		return error ? error : (int64_t)attr.size;
	default:
		return -EINVAL;
	}
}

/* seek -- the new position; the lock is held. */
static off_t seek(struct farnova_file *file, off_t offset, int whence)
{
	bool searches = whence == SEEK_DATA || whence == SEEK_HOLE;
	int64_t base = searches ? space_seek(file, offset, whence) : seek_base(file, whence);
	off_t position;

	if (base < 0 || searches)
		return base;
	if (__builtin_add_overflow(base, offset, &position))
		return -EOVERFLOW;
	return position < 0 ? -EINVAL : position;
}

off_t farnova_lseek(struct farnova_file *file, off_t offset, int whence)
{
	int error = position_lock(file);

	if (error)
		return fail(file, error, "seek in");
	off_t position = seek(file, offset, whence);
	if (position >= 0)
		file->position.offset = (uint64_t)position;
	position_unlock(file);
	return position < 0 ? fail(file, (int)position, "seek in") : position;
}

/* ---- attributes ------------------------------------------------------------------------------------------------- */

static int set(struct farnova_file *file, const char *operation, struct farnova_file *open,
               const struct attr_change *change)
{
	int error = attr_set(file->fs, file->inode->handle, open, change, NULL);
	return error ? fail(file, error, operation) : 0;
}

int farnova_ftruncate(struct farnova_file *file, off_t length)
{
	struct attr_change change = {.mask = PROTO_SET_SIZE, .size = (uint64_t)length};
	if (length < 0 || !(file->flags & PROTO_OPEN_WRITE))
		return fail(file, -EINVAL, "truncate");
	return set(file, "truncate", file, &change);
}

int farnova_fsync(struct farnova_file *file)
{
	/* All completed calls are durable; fsync only has to report that the file is gone. */
	connection_lock(&file->fs->link);
	int error = file->fs->link.forked ? -ECHILD : file->error;
	connection_unlock(&file->fs->link);
	return error ? fail(file, error, "sync") : 0;
}

int farnova_fstat(struct farnova_file *file, struct stat *st)
{
	struct proto_attr attr;
	int error = attr_get(file->fs, file->inode->handle, &attr);
	if (error)
		return fail(file, error, "stat");
	error = attr_give_stat(file->fs, &attr, st);
	return error ? fail(file, error, "stat") : 0;
}

int farnova_fchmod(struct farnova_file *file, mode_t mode)
{
	struct attr_change change = {.mask = PROTO_SET_MODE, .mode = mode};
	return set(file, "chmod", NULL, &change);
}

int farnova_fchown(struct farnova_file *file, uid_t uid, gid_t gid)
{
	const struct attr_change change = attr_owner(uid, gid);
	return set(file, "chown", NULL, &change);
}

int farnova_futimens(struct farnova_file *file, const struct timespec times[2])
{
	struct attr_change change;
	int error = attr_times(times, &change);
	return error ? fail(file, error, "set the times of") : set(file, "set the times of", NULL, &change);
}
