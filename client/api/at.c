/*
 * at.c -- the public calls by handle.
 */
#include "client/api/attr.h"
#include "client/api/dir.h"
#include "client/api/file.h"
#include "client/api/names.h"
#include "client/api/result.h"
#include "client/include/farnova.h"
#include "client/link/user_memory.h"
#include "client/session/opening.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

static struct proto_handle in(struct farnova_handle handle)
{
	return (struct proto_handle){.ino = handle.ino, .generation = handle.generation, .seal = handle.seal};
}

static struct farnova_handle out(struct proto_handle handle)
{
	return (struct farnova_handle){.ino = handle.ino, .generation = handle.generation, .seal = handle.seal};
}

/* tell -- return the attributes and handle of an inode that a call created or found. */
static int tell(struct farnova *fs, const struct proto_attr *attr, struct farnova_handle *handle, struct stat *st)
{
	const struct farnova_handle told = out(attr->handle);
	int error = handle ? user_give(handle, &told, sizeof(told)) : 0;

	if (error == 0 && st)
		error = attr_give_stat(fs, attr, st);
	return error ? error_handle(fs, error, "tell about", told.ino) : 0;
}

struct farnova_handle farnova_root(const struct farnova *fs)
{
	return out(fs->root);
}

int farnova_lookup_at(struct farnova *fs, struct farnova_handle dir, const char *name, struct farnova_handle *handle,
                      struct stat *st)
{
	struct path copy;
	struct proto_attr attr;
	int error = names_name(name, &copy);
	if (error == 0 && strcmp(copy.text, ".") == 0)
		error = attr_get(fs, in(dir), &attr);
	else if (error == 0)
		error = names_lookup(fs, in(dir), copy.string, PROTO_LOOKUP_NOFOLLOW, &attr);
	return error ? error_path(fs, error, "look up", name) : tell(fs, &attr, handle, st);
}

int farnova_lookupx_at(struct farnova *fs, struct farnova_handle dir, const char *name, struct farnova_handle *handle,
                       struct farnova_statx *found, struct farnova_statx *directory)
{
	struct path copy;
	struct names_found names = {.has_directory = false};
	const ino_t none = 0;
	size_t size, directory_size = 0;
	int error = attr_statx_size(found, sizeof(*found), &size), told = 0;

	if (error == 0 && directory)
		error = attr_statx_size(directory, sizeof(*directory), &directory_size);
	if (error == 0)
		error = names_name(name, &copy);
	if (error == 0 && strcmp(copy.text, ".") == 0)
		error = attr_get(fs, in(dir), &names.attr);
	else if (error == 0)
		error = names_lookup_in(fs, in(dir), copy.string, &names);
	if (directory && names.has_directory)
		told = attr_give_statx(fs, &names.directory, directory, directory_size);
	else if (directory)
		told = user_give(&directory->stat.st_ino, &none, sizeof(none));
	if (error == 0)
		error = told;
	if (error == 0)
		error = attr_give_statx(fs, &names.attr, found, size);
	if (error)
		return error_path(fs, error, "look up", name);
	return tell(fs, &names.attr, handle, NULL);
}

int farnova_stat_at(struct farnova *fs, struct farnova_handle file, struct stat *st)
{
	struct proto_attr attr;
	int error = attr_get(fs, in(file), &attr);
	return error ? error_handle(fs, error, "stat", file.ino) : tell(fs, &attr, NULL, st);
}

/* time_of -- the time that the masks select, in the form of utimensat. */
static struct timespec time_of(unsigned mask, unsigned set, unsigned now, const struct timespec *value)
{
	if (mask & now)
		return (struct timespec){.tv_nsec = UTIME_NOW};
	return mask & set ? *value : (struct timespec){.tv_nsec = UTIME_OMIT};
}

#define SET_ALL                                                                                                        \
	(FARNOVA_SET_MODE | FARNOVA_SET_UID | FARNOVA_SET_GID | FARNOVA_SET_SIZE | FARNOVA_SET_ATIME |                 \
	 FARNOVA_SET_MTIME | FARNOVA_SET_ATIME_NOW | FARNOVA_SET_MTIME_NOW)

/* set_handle -- 0, or the return value of the call after its error was set. */
static int set_handle(struct farnova *fs, struct farnova_handle file, struct farnova_file *open, unsigned mask,
                      const struct stat *st, struct proto_attr *attr)
{
	struct attr_change change = {0};
	struct stat want;
	int error = mask & ~SET_ALL ? -EINVAL : user_copy_in(&want, st, sizeof(want));

	if (error == 0 && mask & FARNOVA_SET_SIZE && want.st_size < 0)
		error = -EINVAL;
	if (error == 0) {
		const struct timespec times[2] = {
		    time_of(mask, FARNOVA_SET_ATIME, FARNOVA_SET_ATIME_NOW, &want.st_atim),
		    time_of(mask, FARNOVA_SET_MTIME, FARNOVA_SET_MTIME_NOW, &want.st_mtim),
		};
		error = attr_times(times, &change);
	}
	if (error)
		return error_handle(fs, error, "set attributes of", file.ino);
	/* The masks of farnova.h and of the protocol have the same values. */
	change.mask |= mask & (FARNOVA_SET_MODE | FARNOVA_SET_UID | FARNOVA_SET_GID | FARNOVA_SET_SIZE);
	change.mode = want.st_mode;
	change.uid = want.st_uid;
	change.gid = want.st_gid;
	change.size = mask & FARNOVA_SET_SIZE ? (uint64_t)want.st_size : 0;
	error = attr_set(fs, in(file), open, &change, attr);
	return error ? error_handle(fs, error, "set attributes of", file.ino) : 0;
}

int farnova_setattr_at(struct farnova *fs, struct farnova_handle file, struct farnova_file *open, unsigned mask,
                       struct stat *st)
{
	struct proto_attr attr;
	int failed = set_handle(fs, file, open, mask, st, &attr);

	return failed ? failed : tell(fs, &attr, NULL, st);
}

int farnova_setattrx_at(struct farnova *fs, struct farnova_handle file, struct farnova_file *open, unsigned mask,
                        struct farnova_statx *st)
{
	struct proto_attr attr;
	size_t size;
	int error = attr_statx_size(st, sizeof(*st), &size);

	if (error)
		return error_handle(fs, error, "set attributes of", file.ino);
	int failed = set_handle(fs, file, open, mask, &st->stat, &attr);
	if (failed)
		return failed;
	error = attr_give_statx(fs, &attr, st, size);
	return error ? error_handle(fs, error, "set attributes of", file.ino) : 0;
}

_Static_assert(FARNOVA_SET_MODE == PROTO_SET_MODE && FARNOVA_SET_UID == PROTO_SET_UID &&
                   FARNOVA_SET_GID == PROTO_SET_GID && FARNOVA_SET_SIZE == PROTO_SET_SIZE &&
                   FARNOVA_SET_ATIME == PROTO_SET_ATIME && FARNOVA_SET_MTIME == PROTO_SET_MTIME &&
                   FARNOVA_SET_ATIME_NOW == PROTO_SET_ATIME_NOW && FARNOVA_SET_MTIME_NOW == PROTO_SET_MTIME_NOW,
               "the interface's masks are the protocol's");

int farnova_access_at(struct farnova *fs, struct farnova_handle file, int mode)
{
	struct action action = {.fs = fs};
	int error = names_access(&action, mode);
	if (error == 0)
		error = action_by_handle(&action, in(file));
	return error ? error_handle(fs, error, "access", file.ino) : 0;
}

static struct farnova_file *open_handle(struct farnova *fs, struct farnova_handle handle, int flags,
                                        struct proto_attr *attr)
{
	struct farnova_file *file = NULL;
	struct proto_request request;
	uint32_t proto;

	request.op = PROTO_REOPEN;
	request.reopen.handle = in(handle);
	int error = file_flags(flags & ~(O_CREAT | O_EXCL | O_NOFOLLOW), &proto);
	if (error == 0)
		error = file_open(fs, &request, proto, attr, &file);
	if (error)
		error_handle(fs, error, "open", handle.ino);
	return file;
}

struct farnova_file *farnova_open_at(struct farnova *fs, struct farnova_handle handle, int flags)
{
	return open_handle(fs, handle, flags, NULL);
}

struct farnova_file *farnova_openx_at(struct farnova *fs, struct farnova_handle handle, int flags,
                                      struct farnova_statx *st)
{
	struct farnova_file *file = NULL;
	struct proto_attr attr;
	size_t size;
	int error = attr_statx_size(st, sizeof(*st), &size);

	if (error == 0) {
		file = open_handle(fs, handle, flags, &attr);
		error = file ? attr_give_statx(fs, &attr, st, size) : 0;
	}
	if (error) {
		error_handle(fs, error, "open", handle.ino);
		if (file)
			file_close(file);
		return NULL;
	}
	return file;
}

static struct farnova_file *create_file(struct farnova *fs, struct farnova_handle dir, const char *name, int flags,
                                        mode_t mode, struct proto_attr *attr)
{
	struct farnova_file *file = NULL;
	struct proto_request request;
	struct path copy;
	uint32_t proto;

	request.op = PROTO_OPEN;
	request.open.dir = in(dir);
	request.open.mode = mode & 07777;
	request.open.umask = cred_umask(&fs->creds);
	int error = names_name(name, &copy);
	if (error == 0)
		error = file_flags(flags | O_CREAT | O_NOFOLLOW, &proto);
	request.open.path = copy.string;
	if (error == 0)
		error = file_open(fs, &request, proto, attr, &file);
	if (error)
		error_path(fs, error, "create", name);
	return file;
}

struct farnova_file *farnova_create_at(struct farnova *fs, struct farnova_handle dir, const char *name, int flags,
                                       mode_t mode, struct farnova_handle *handle, struct stat *st)
{
	struct proto_attr attr;
	struct farnova_file *file = create_file(fs, dir, name, flags, mode, &attr);

	if (file && tell(fs, &attr, handle, st) != 0) {
		file_close(file);
		return NULL;
	}
	return file;
}

struct farnova_file *farnova_createx_at(struct farnova *fs, struct farnova_handle dir, const char *name, int flags,
                                        mode_t mode, struct farnova_handle *handle, struct farnova_statx *st)
{
	struct proto_attr attr;
	size_t size;
	int error = attr_statx_size(st, sizeof(*st), &size);

	if (error) {
		error_path(fs, error, "create", name);
		return NULL;
	}
	struct farnova_file *file = create_file(fs, dir, name, flags, mode, &attr);
	if (file)
		error = attr_give_statx(fs, &attr, st, size);
	if (error)
		error_path(fs, error, "create", name);
	if (file && (error || tell(fs, &attr, handle, NULL) != 0)) {
		file_close(file);
		return NULL;
	}
	return file;
}

int farnova_mknod_at(struct farnova *fs, struct farnova_handle dir, const char *name, mode_t mode, dev_t dev,
                     struct farnova_handle *handle, struct stat *st)
{
	struct path copy;
	struct proto_attr attr;
	int error = names_name(name, &copy);
	if (error == 0)
		error = names_create(fs, in(dir), copy.string, mode & S_IFMT ? mode : mode | S_IFREG, dev, &attr);
	return error ? error_path(fs, error, "make", name) : tell(fs, &attr, handle, st);
}

int farnova_symlink_at(struct farnova *fs, const char *target, struct farnova_handle dir, const char *name,
                       struct farnova_handle *handle, struct stat *st)
{
	struct path copy;
	struct proto_attr attr;
	int error = names_name(name, &copy);
	if (error == 0)
		error = names_symlink(fs, target, in(dir), copy.string, &attr);
	return error ? error_path(fs, error, "symlink", name) : tell(fs, &attr, handle, st);
}

ssize_t farnova_readlink_at(struct farnova *fs, struct farnova_handle file, char *buffer, size_t size)
{
	struct action action = {.fs = fs};
	struct link_text link;
	ssize_t length = size == 0 ? -EINVAL : names_readlink(&action, &link);
	if (length == 0)
		length = action_by_handle(&action, in(file));
	if (length == 0)
		length = names_give_link(&link, buffer, size);
	return length < 0 ? error_handle(fs, (int)length, "read the link", file.ino) : length;
}

int farnova_link_at(struct farnova *fs, struct farnova_handle file, struct farnova_handle dir, const char *name,
                    struct stat *st)
{
	struct action action = {.fs = fs};
	struct path copy;
	struct proto_attr attr = {0};
	int error = names_name(name, &copy);
	if (error == 0)
		error = names_link(&action, in(dir), copy.string, &attr);
	if (error == 0)
		error = action_by_handle(&action, in(file));
	return error ? error_path(fs, error, "link", name) : tell(fs, &attr, NULL, st);
}

static int remove_at(struct farnova *fs, const char *operation, uint16_t op, struct farnova_handle dir,
                     const char *name)
{
	struct path copy;
	int error = names_name(name, &copy);
	if (error == 0)
		error = names_remove(fs, op, in(dir), copy.string);
	return error ? error_path(fs, error, operation, name) : 0;
}

int farnova_unlink_at(struct farnova *fs, struct farnova_handle dir, const char *name)
{
	return remove_at(fs, "unlink", PROTO_UNLINK, dir, name);
}

int farnova_rmdir_at(struct farnova *fs, struct farnova_handle dir, const char *name)
{
	return remove_at(fs, "rmdir", PROTO_RMDIR, dir, name);
}

int farnova_rename_at(struct farnova *fs, struct farnova_handle from_dir, const char *from,
                      struct farnova_handle to_dir, const char *to, unsigned flags)
{
	struct path source, target;
	int error = names_name(from, &source);
	if (error == 0)
		error = names_name(to, &target);
	if (error == 0)
		error = names_rename(fs, in(from_dir), source.string, in(to_dir), target.string, flags);
	return error ? error_path(fs, error, "rename", from) : 0;
}

/* stream_of -- a stream for an opened directory, or NULL if the open failed. */
static struct farnova_dir *stream_of(struct farnova *fs, struct farnova_handle handle, struct farnova_file *file)
{
	struct farnova_dir *dir = file ? dir_of(file) : NULL;

	if (file && !dir)
		error_handle(fs, -ENOMEM, "open directory", handle.ino);
	return dir;
}

struct farnova_dir *farnova_opendir_at(struct farnova *fs, struct farnova_handle handle)
{
	return stream_of(fs, handle, farnova_open_at(fs, handle, O_RDONLY | O_DIRECTORY));
}

struct farnova_dir *farnova_opendirx_at(struct farnova *fs, struct farnova_handle handle, struct farnova_statx *st)
{
	return stream_of(fs, handle, farnova_openx_at(fs, handle, O_RDONLY | O_DIRECTORY, st));
}
