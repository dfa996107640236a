/*
 * fs_endpoint.h -- one end of a copy: the local file system or a server, behind the same calls.
 *
 * All functions return 0 (or a count) or -errno; place_why() then says it in words. Where nothing else
 * is said a path whose last component is a symbolic link means the link. One thread.
 */
#ifndef FARNOVA_CLI_FS_ENDPOINT_H
#define FARNOVA_CLI_FS_ENDPOINT_H

#include "client/include/farnova.h"

struct place {
	struct farnova *fs; /* NULL: the local file system */
	uint64_t id;        /* places with the same id are the same server; 0 is the local one */
};

struct place_file {
	struct farnova_file *remote;
	int local;
};

/* place_why -- why the last call on `place`, which returned `error` for `path`, failed; valid until the next. */
const char *place_why(const struct place *place, const char *path, int error);

int place_lstat(const struct place *place, const char *path, struct stat *st);
int place_stat(const struct place *place, const char *path, struct stat *st);
int place_open_read(const struct place *place, const char *path, bool follow, struct place_file *file);
/* place_create -- open for writing, made with mode 0600 if it is not there, emptied if it is. */
int place_create(const struct place *place, const char *path, struct place_file *file);
int place_close(const struct place *place, struct place_file *file);
/* place_read, place_write -- all of `length` unless the file ends; the count. */
ssize_t place_read(const struct place *place, struct place_file *file, void *buffer, size_t length, off_t offset);
int place_write(const struct place *place, struct place_file *file, const void *data, size_t length, off_t offset);
/* place_copy -- within one server and by it; the count, 0 at the end of `in`. */
ssize_t place_copy(struct place_file *in, struct place_file *out, size_t length, off_t offset);
int place_truncate(const struct place *place, struct place_file *file, off_t length);
/*
 * place_next_data -- the next stretch of data at or after `from` of a file of `size` bytes: [*start, *end). 0, or 1 if
 * only a hole is left. Where holes cannot be told all of it counts as data.
 */
int place_next_data(const struct place *place, struct place_file *file, off_t from, off_t size, off_t *start,
                    off_t *end);

/* place_list -- names in a directory without . and .., as an array of strings, each and the array to be freed. */
int place_list(const struct place *place, const char *path, char ***names, size_t *count);

int place_mkdir(const struct place *place, const char *path, mode_t mode);
int place_mknod(const struct place *place, const char *path, mode_t mode, dev_t dev);
int place_symlink(const struct place *place, const char *target, const char *path);
ssize_t place_readlink(const struct place *place, const char *path, char *buffer, size_t size);
int place_link(const struct place *place, const char *from, const char *to);
int place_unlink(const struct place *place, const char *path);
int place_rmdir(const struct place *place, const char *path);
int place_chown(const struct place *place, const char *path, uid_t uid, gid_t gid);
/* place_chmod -- not for symbolic links, which have no mode of their own. */
int place_chmod(const struct place *place, const char *path, mode_t mode);
/* Extended attributes; `follow` as in their names of the system. */
ssize_t place_listxattr(const struct place *place, const char *path, bool follow, char *list, size_t size);
ssize_t place_getxattr(const struct place *place, const char *path, bool follow, const char *name, void *value,
                       size_t size);
int place_setxattr(const struct place *place, const char *path, bool follow, const char *name, const void *value,
                   size_t size);
int place_removexattr(const struct place *place, const char *path, bool follow, const char *name);
int place_set_times(const struct place *place, const char *path, const struct timespec times[2], bool follow);

#endif
