/*
 * fs_endpoint.c -- one end of a copy: the local file system or a server, with the same calls.
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

const char *endpoint_why(const struct endpoint *endpoint, const char *path, int error)
{
	static char text[4608];

	/* The error of an open file has its inode number, but the user knows only the path. */
	if (endpoint->fs && strstr(farnova_last_error(), path))
		return farnova_last_error();
	if (endpoint->fs && *farnova_last_error())
		snprintf(text, sizeof(text), "'%.3072s': %s", path, farnova_last_error());
	else
		snprintf(text, sizeof(text), "'%.4096s': %s", path, strerror(-error));
	return text;
}

int endpoint_lstat(const struct endpoint *endpoint, const char *path, struct stat *st)
{
	return result(endpoint->fs ? farnova_lstat(endpoint->fs, path, st) : lstat(path, st));
}

int endpoint_stat(const struct endpoint *endpoint, const char *path, struct stat *st)
{
	return result(endpoint->fs ? farnova_stat(endpoint->fs, path, st) : stat(path, st));
}

static int open_endpoint(const struct endpoint *endpoint, const char *path, int flags, struct endpoint_file *file)
{
	file->local = -1;
	file->remote = NULL;
	if (endpoint->fs) {
		file->remote = farnova_open(endpoint->fs, path, flags, 0600);
		return file->remote ? 0 : -errno;
	}
	file->local = open(path, flags | O_CLOEXEC, 0600);
	return file->local < 0 ? -errno : 0;
}

int endpoint_open_read(const struct endpoint *endpoint, const char *path, bool follow, struct endpoint_file *file)
{
	/* O_NONBLOCK: if a FIFO has replaced the file, open must not wait for a writer. */
	return open_endpoint(endpoint, path, O_RDONLY | (follow ? 0 : O_NOFOLLOW) | (endpoint->fs ? 0 : O_NONBLOCK),
	                     file);
}

int endpoint_create(const struct endpoint *endpoint, const char *path, struct endpoint_file *file)
{
	return open_endpoint(endpoint, path, O_WRONLY | O_CREAT | O_TRUNC, file);
}

int endpoint_close(const struct endpoint *endpoint, struct endpoint_file *file)
{
	return result(endpoint->fs ? farnova_close(file->remote) : close(file->local));
}

ssize_t endpoint_read(const struct endpoint *endpoint, struct endpoint_file *file, void *buffer, size_t length,
                      off_t offset)
{
	size_t done = 0;

	while (done < length) {
		void *to = (char *)buffer + done;
		off_t at = offset + (off_t)done;
		ssize_t n = endpoint->fs ? farnova_pread(file->remote, to, length - done, at)
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

int endpoint_write(const struct endpoint *endpoint, struct endpoint_file *file, const void *data, size_t length,
                   off_t offset)
{
	size_t done = 0;

	while (done < length) {
		const void *from = (const char *)data + done;
		off_t at = offset + (off_t)done;
		ssize_t n = endpoint->fs ? farnova_pwrite(file->remote, from, length - done, at)
		                         : pwrite(file->local, from, length - done, at);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		done += (size_t)n;
	}
	return 0;
}

ssize_t endpoint_copy(struct endpoint_file *in, struct endpoint_file *out, size_t length, off_t offset)
{
	off_t from = offset, to = offset;
	ssize_t n = farnova_copy_file_range(in->remote, &from, out->remote, &to, length, 0);

	return n < 0 ? -errno : n;
}

int endpoint_truncate(const struct endpoint *endpoint, struct endpoint_file *file, off_t length)
{
	return result(endpoint->fs ? farnova_ftruncate(file->remote, length) : ftruncate(file->local, length));
}

static off_t seek(const struct endpoint *endpoint, struct endpoint_file *file, off_t offset, int whence)
{
	return endpoint->fs ? farnova_lseek(file->remote, offset, whence) : lseek(file->local, offset, whence);
}

int endpoint_next_data(const struct endpoint *endpoint, struct endpoint_file *file, off_t from, off_t size,
                       off_t *start, off_t *end)
{
	if (from >= size)
		return 1;
	off_t data = seek(endpoint, file, from, SEEK_DATA);
	if (data < 0 && errno == ENXIO)
		return 1;
	if (data < 0) { /* this file system does not support SEEK_DATA */
		*start = from;
		*end = size;
		return 0;
	}
	off_t hole = seek(endpoint, file, data, SEEK_HOLE);
	*start = data;
	*end = hole < 0 || hole > size ? size : hole;
	return data >= size ? 1 : 0;
}

static int append_name(char ***names, size_t *count, const char *name)
{
	if (!strcmp(name, ".") || !strcmp(name, ".."))
		return 0;
	/* The array grows when the count is a power of two. */
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

int endpoint_list(const struct endpoint *endpoint, const char *path, char ***names, size_t *count)
{
	*names = NULL;
	*count = 0;
	int error = endpoint->fs ? list_remote(endpoint->fs, path, names, count) : list_local(path, names, count);
	if (error) {
		for (size_t i = 0; i < *count; i++)
			free((*names)[i]);
		free(*names);
	}
	return error;
}

int endpoint_mkdir(const struct endpoint *endpoint, const char *path, mode_t mode)
{
	return result(endpoint->fs ? farnova_mkdir(endpoint->fs, path, mode) : mkdir(path, mode));
}

int endpoint_mknod(const struct endpoint *endpoint, const char *path, mode_t mode, dev_t dev)
{
	return result(endpoint->fs ? farnova_mknod(endpoint->fs, path, mode, dev) : mknod(path, mode, dev));
}

int endpoint_symlink(const struct endpoint *endpoint, const char *target, const char *path)
{
	return result(endpoint->fs ? farnova_symlink(endpoint->fs, target, path) : symlink(target, path));
}

ssize_t endpoint_readlink(const struct endpoint *endpoint, const char *path, char *buffer, size_t size)
{
	ssize_t n = endpoint->fs ? farnova_readlink(endpoint->fs, path, buffer, size) : readlink(path, buffer, size);

	return n < 0 ? -errno : n;
}

int endpoint_link(const struct endpoint *endpoint, const char *from, const char *to)
{
	return result(endpoint->fs ? farnova_link(endpoint->fs, from, to) : link(from, to));
}

int endpoint_unlink(const struct endpoint *endpoint, const char *path)
{
	return result(endpoint->fs ? farnova_unlink(endpoint->fs, path) : unlink(path));
}

int endpoint_rmdir(const struct endpoint *endpoint, const char *path)
{
	return result(endpoint->fs ? farnova_rmdir(endpoint->fs, path) : rmdir(path));
}

int endpoint_chown(const struct endpoint *endpoint, const char *path, uid_t uid, gid_t gid)
{
	return result(endpoint->fs ? farnova_lchown(endpoint->fs, path, uid, gid) : lchown(path, uid, gid));
}

int endpoint_chmod(const struct endpoint *endpoint, const char *path, mode_t mode)
{
	return result(endpoint->fs ? farnova_chmod(endpoint->fs, path, mode) : chmod(path, mode));
}

static ssize_t length_of(ssize_t returned)
{
	return returned < 0 ? -errno : returned;
}

ssize_t endpoint_listxattr(const struct endpoint *endpoint, const char *path, bool follow, char *list, size_t size)
{
	if (endpoint->fs)
		return length_of(follow ? farnova_listxattr(endpoint->fs, path, list, size)
		                        : farnova_llistxattr(endpoint->fs, path, list, size));
	return length_of(follow ? listxattr(path, list, size) : llistxattr(path, list, size));
}

ssize_t endpoint_getxattr(const struct endpoint *endpoint, const char *path, bool follow, const char *name, void *value,
                          size_t size)
{
	if (endpoint->fs)
		return length_of(follow ? farnova_getxattr(endpoint->fs, path, name, value, size)
		                        : farnova_lgetxattr(endpoint->fs, path, name, value, size));
	return length_of(follow ? getxattr(path, name, value, size) : lgetxattr(path, name, value, size));
}

int endpoint_setxattr(const struct endpoint *endpoint, const char *path, bool follow, const char *name,
                      const void *value, size_t size)
{
	if (endpoint->fs)
		return result(follow ? farnova_setxattr(endpoint->fs, path, name, value, size, 0)
		                     : farnova_lsetxattr(endpoint->fs, path, name, value, size, 0));
	return result(follow ? setxattr(path, name, value, size, 0) : lsetxattr(path, name, value, size, 0));
}

int endpoint_removexattr(const struct endpoint *endpoint, const char *path, bool follow, const char *name)
{
	if (endpoint->fs)
		return result(follow ? farnova_removexattr(endpoint->fs, path, name)
		                     : farnova_lremovexattr(endpoint->fs, path, name));
	return result(follow ? removexattr(path, name) : lremovexattr(path, name));
}

int endpoint_set_times(const struct endpoint *endpoint, const char *path, const struct timespec times[2], bool follow)
{
	int flags = follow ? 0 : AT_SYMLINK_NOFOLLOW;

	if (endpoint->fs)
		return result(farnova_utimens(endpoint->fs, path, times, flags));
	return result(utimensat(AT_FDCWD, path, times, flags));
}
