/*
 * fs_endpoint.h -- one end of a copy: the local file system or a server, with the same calls.
 *
 * All functions return 0 (or a count) or -errno; endpoint_why() then returns the reason as text. Unless stated
 * otherwise, a path whose last component is a symbolic link means the link itself. One thread.
 */
#ifndef FARNOVA_CLI_FS_ENDPOINT_H
#define FARNOVA_CLI_FS_ENDPOINT_H

#include "client/include/farnova.h"

struct endpoint {
	struct farnova *fs; /* NULL: the local file system */
	uint64_t id;        /* endpoints on the same server have the same id; 0 is the local file system */
};

struct endpoint_file {
	struct farnova_file *remote;
	int local;
};

/* endpoint_why -- why the last call on `endpoint` for `path` failed with `error`; valid until the next call. */
const char *endpoint_why(const struct endpoint *endpoint, const char *path, int error);

int endpoint_lstat(const struct endpoint *endpoint, const char *path, struct stat *st);
int endpoint_stat(const struct endpoint *endpoint, const char *path, struct stat *st);
int endpoint_open_read(const struct endpoint *endpoint, const char *path, bool follow, struct endpoint_file *file);
/* endpoint_create -- open for writing; create the file with mode 0600, or truncate it if it exists. */
int endpoint_create(const struct endpoint *endpoint, const char *path, struct endpoint_file *file);
int endpoint_close(const struct endpoint *endpoint, struct endpoint_file *file);
/* endpoint_read, endpoint_write -- transfer all of `length` unless the file ends; returns the count. */
ssize_t endpoint_read(const struct endpoint *endpoint, struct endpoint_file *file, void *buffer, size_t length,
                      off_t offset);
int endpoint_write(const struct endpoint *endpoint, struct endpoint_file *file, const void *data, size_t length,
                   off_t offset);
/* endpoint_copy -- copy within one server; returns the count, 0 at the end of `in`. */
ssize_t endpoint_copy(struct endpoint_file *in, struct endpoint_file *out, size_t length, off_t offset);
int endpoint_truncate(const struct endpoint *endpoint, struct endpoint_file *file, off_t length);
/*
 * endpoint_next_data -- the next data at or after `from` in a file of `size` bytes: [*start, *end). 0, or 1 if only a
 * hole remains. If the file system does not report holes, everything counts as data.
 */
int endpoint_next_data(const struct endpoint *endpoint, struct endpoint_file *file, off_t from, off_t size,
                       off_t *start, off_t *end);

/* endpoint_list -- the names in a directory, without . and .., as an array of strings; the caller frees each and the
 * array. */
int endpoint_list(const struct endpoint *endpoint, const char *path, char ***names, size_t *count);

int endpoint_mkdir(const struct endpoint *endpoint, const char *path, mode_t mode);
int endpoint_mknod(const struct endpoint *endpoint, const char *path, mode_t mode, dev_t dev);
int endpoint_symlink(const struct endpoint *endpoint, const char *target, const char *path);
ssize_t endpoint_readlink(const struct endpoint *endpoint, const char *path, char *buffer, size_t size);
int endpoint_link(const struct endpoint *endpoint, const char *from, const char *to);
int endpoint_unlink(const struct endpoint *endpoint, const char *path);
int endpoint_rmdir(const struct endpoint *endpoint, const char *path);
int endpoint_chown(const struct endpoint *endpoint, const char *path, uid_t uid, gid_t gid);
/* endpoint_chmod -- not for symbolic links, which have no mode. */
int endpoint_chmod(const struct endpoint *endpoint, const char *path, mode_t mode);
/* Extended attributes; without `follow` a symbolic link itself is meant, as in the system calls with `l`. */
ssize_t endpoint_listxattr(const struct endpoint *endpoint, const char *path, bool follow, char *list, size_t size);
ssize_t endpoint_getxattr(const struct endpoint *endpoint, const char *path, bool follow, const char *name, void *value,
                          size_t size);
int endpoint_setxattr(const struct endpoint *endpoint, const char *path, bool follow, const char *name,
                      const void *value, size_t size);
int endpoint_removexattr(const struct endpoint *endpoint, const char *path, bool follow, const char *name);
int endpoint_set_times(const struct endpoint *endpoint, const char *path, const struct timespec times[2], bool follow);

#endif
