/*
 * fs_endpoint.c -- one end of a copy: the local file system or a server, behind the same calls.
 */
#include "client/cli/fs_endpoint.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

static int result(int returned)
{
	return returned < 0 ? -errno : returned;
}

const char *place_why(const struct place *place, const char *path, int error)
{
	static char text[4608];

	/* An error of an open file tells its inode number, which is not what the user asked for. */
	if (place->fs && strstr(farnova_last_error(), path))
		return farnova_last_error();
	if (place->fs && *farnova_last_error())
		snprintf(text, sizeof(text), "'%.3072s': %s", path, farnova_last_error());
	else
		snprintf(text, sizeof(text), "'%.4096s': %s", path, strerror(-error));
	return text;
}

int place_lstat(const struct place *place, const char *path, struct stat *st)
{
	return result(place->fs ? farnova_lstat(place->fs, path, st) : lstat(path, st));
}

int place_stat(const struct place *place, const char *path, struct stat *st)
{
	return result(place->fs ? farnova_stat(place->fs, path, st) : stat(path, st));
}

static int open_place(const struct place *place, const char *path, int flags, struct place_file *file)
{
	file->local = -1;
	file->remote = NULL;
	if (place->fs) {
		file->remote = farnova_open(place->fs, path, flags, 0600);
		return file->remote ? 0 : -errno;
	}
	file->local = open(path, flags | O_CLOEXEC, 0600);
	return file->local < 0 ? -errno : 0;
}

int place_open_read(const struct place *place, const char *path, bool follow, struct place_file *file)
{
	/* O_NONBLOCK: opening a FIFO that took the file's place must not wait for a writer. */
	return open_place(place, path, O_RDONLY | (follow ? 0 : O_NOFOLLOW) | (place->fs ? 0 : O_NONBLOCK), file);
}

int place_create(const struct place *place, const char *path, struct place_file *file)
{
	return open_place(place, path, O_WRONLY | O_CREAT | O_TRUNC, file);
}

int place_close(const struct place *place, struct place_file *file)
{
	return result(place->fs ? farnova_close(file->remote) : close(file->local));
}

ssize_t place_read(const struct place *place, struct place_file *file, void *buffer, size_t length, off_t offset)
{
	size_t done = 0;

	while (done < length) {
		void *to = (char *)buffer + done;
		off_t at = offset + (off_t)done;
		ssize_t n = place->fs ? farnova_pread(file->remote, to, length - done, at)
		                      : pread(file->local, to, length - done, at);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		done += (size_t)n;
	}
	return (ssize_t)done;
}

int place_write(const struct place *place, struct place_file *file, const void *data, size_t length, off_t offset)
{
	size_t done = 0;

	while (done < length) {
		const void *from = (const char *)data + done;
		off_t at = offset + (off_t)done;
		ssize_t n = place->fs ? farnova_pwrite(file->remote, from, length - done, at)
		                      : pwrite(file->local, from, length - done, at);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		done += (size_t)n;
	}
	return 0;
}

ssize_t place_copy(struct place_file *in, struct place_file *out, size_t length, off_t offset)
{
	off_t from = offset, to = offset;
	ssize_t n = farnova_copy_file_range(in->remote, &from, out->remote, &to, length, 0);

	return n < 0 ? -errno : n;
}

int place_truncate(const struct place *place, struct place_file *file, off_t length)
{
	return result(place->fs ? farnova_ftruncate(file->remote, length) : ftruncate(file->local, length));
}

static off_t seek(const struct place *place, struct place_file *file, off_t offset, int whence)
{
	return place->fs ? farnova_lseek(file->remote, offset, whence) : lseek(file->local, offset, whence);
}

int place_next_data(const struct place *place, struct place_file *file, off_t from, off_t size, off_t *start,
                    off_t *end)
{
	if (from >= size)
		return 1;
	off_t data = seek(place, file, from, SEEK_DATA);
	if (data < 0 && errno == ENXIO)
		return 1;
	if (data < 0) { /* this file system cannot tell */
		*start = from;
		*end = size;
		return 0;
	}
	off_t hole = seek(place, file, data, SEEK_HOLE);
	*start = data;
	*end = hole < 0 || hole > size ? size : hole;
	return data >= size ? 1 : 0;
}

static int append_name(char ***names, size_t *count, const char *name)
{
	if (!strcmp(name, ".") || !strcmp(name, ".."))
		return 0;
	/* Room grows at powers of two, which the count itself tells. */
	if ((*count & (*count - 1)) == 0) {
		char **grown = reallocarray(*names, *count ? 2 * *count : 1, sizeof(char *));
		if (!grown)
			return -ENOMEM;
		*names = grown;
	}
	char *copy = strdup(name);
	if (!copy)
		return -ENOMEM;
	(*names)[(*count)++] = copy;
	return 0;
}

static int list_remote(struct farnova *fs, const char *path, char ***names, size_t *count)
{
	struct farnova_dir *dir = farnova_opendir(fs, path);
	struct dirent *entry;
	int error = 0;

	if (!dir)
		return -errno;
	while (errno = 0, !error && (entry = farnova_readdir(dir)))
		error = append_name(names, count, entry->d_name);
	if (!error)
		error = -errno;
	farnova_closedir(dir);
	return error;
}

static int list_local(const char *path, char ***names, size_t *count)
{
	DIR *dir = opendir(path);
	struct dirent *entry;
	int error = 0;

	if (!dir)
		return -errno;
	while (errno = 0, !error && (entry = readdir(dir)))
		error = append_name(names, count, entry->d_name);
	if (!error)
		error = -errno;
	closedir(dir);
	return error;
}

int place_list(const struct place *place, const char *path, char ***names, size_t *count)
{
	*names = NULL;
	*count = 0;
	int error = place->fs ? list_remote(place->fs, path, names, count) : list_local(path, names, count);
	if (error) {
		for (size_t i = 0; i < *count; i++)
			free((*names)[i]);
		free(*names);
	}
	return error;
}

int place_mkdir(const struct place *place, const char *path, mode_t mode)
{
	return result(place->fs ? farnova_mkdir(place->fs, path, mode) : mkdir(path, mode));
}

int place_mknod(const struct place *place, const char *path, mode_t mode, dev_t dev)
{
	return result(place->fs ? farnova_mknod(place->fs, path, mode, dev) : mknod(path, mode, dev));
}

int place_symlink(const struct place *place, const char *target, const char *path)
{
	return result(place->fs ? farnova_symlink(place->fs, target, path) : symlink(target, path));
}

ssize_t place_readlink(const struct place *place, const char *path, char *buffer, size_t size)
{
	ssize_t n = place->fs ? farnova_readlink(place->fs, path, buffer, size) : readlink(path, buffer, size);

	return n < 0 ? -errno : n;
}

int place_link(const struct place *place, const char *from, const char *to)
{
	return result(place->fs ? farnova_link(place->fs, from, to) : link(from, to));
}

int place_unlink(const struct place *place, const char *path)
{
	return result(place->fs ? farnova_unlink(place->fs, path) : unlink(path));
}

int place_rmdir(const struct place *place, const char *path)
{
	return result(place->fs ? farnova_rmdir(place->fs, path) : rmdir(path));
}

int place_chown(const struct place *place, const char *path, uid_t uid, gid_t gid)
{
	return result(place->fs ? farnova_lchown(place->fs, path, uid, gid) : lchown(path, uid, gid));
}

int place_chmod(const struct place *place, const char *path, mode_t mode)
{
	return result(place->fs ? farnova_chmod(place->fs, path, mode) : chmod(path, mode));
}

static ssize_t length_of(ssize_t returned)
{
	return returned < 0 ? -errno : returned;
}

ssize_t place_listxattr(const struct place *place, const char *path, bool follow, char *list, size_t size)
{
	if (place->fs)
		return length_of(follow ? farnova_listxattr(place->fs, path, list, size)
		                        : farnova_llistxattr(place->fs, path, list, size));
	return length_of(follow ? listxattr(path, list, size) : llistxattr(path, list, size));
}

ssize_t place_getxattr(const struct place *place, const char *path, bool follow, const char *name, void *value,
                       size_t size)
{
	if (place->fs)
		return length_of(follow ? farnova_getxattr(place->fs, path, name, value, size)
		                        : farnova_lgetxattr(place->fs, path, name, value, size));
	return length_of(follow ? getxattr(path, name, value, size) : lgetxattr(path, name, value, size));
}

int place_setxattr(const struct place *place, const char *path, bool follow, const char *name, const void *value,
                   size_t size)
{
	if (place->fs)
		return result(follow ? farnova_setxattr(place->fs, path, name, value, size, 0)
		                     : farnova_lsetxattr(place->fs, path, name, value, size, 0));
	return result(follow ? setxattr(path, name, value, size, 0) : lsetxattr(path, name, value, size, 0));
}

int place_removexattr(const struct place *place, const char *path, bool follow, const char *name)
{
	if (place->fs)
		return result(follow ? farnova_removexattr(place->fs, path, name)
		                     : farnova_lremovexattr(place->fs, path, name));
	return result(follow ? removexattr(path, name) : lremovexattr(path, name));
}

int place_set_times(const struct place *place, const char *path, const struct timespec times[2], bool follow)
{
	int flags = follow ? 0 : AT_SYMLINK_NOFOLLOW;

	if (place->fs)
		return result(farnova_utimens(place->fs, path, times, flags));
	return result(utimensat(AT_FDCWD, path, times, flags));
}
