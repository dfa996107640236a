/*
 * xattr.c -- extended attributes, and the file flags of chattr.
 */
#include "client/api/xattr.h"

#include "client/api/attr.h"
#include "client/api/names.h"
#include "client/api/result.h"
#include "client/include/farnova.h"
#include "client/link/user_memory.h"
#include "client/session/open_files.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/xattr.h>

_Static_assert(PROTO_MAX_XATTR_VALUE <= BUFFER_SIZE, "a value fits");

#define SMALL_VALUE 4096u                                               /* larger values go through the staging ring */
#define SET_FIXED   (PROTO_REQUEST_HEADER + 32u + PROTO_MAX_XATTR_NAME) /* SETXATTR without the value */

/* A copy of an attribute's name. */
struct name {
	struct proto_string string;
	char text[PROTO_MAX_XATTR_NAME + 1];
};

static int name_string(const char *name, struct name *out)
{
	ssize_t length = user_copy_string(out->text, sizeof(out->text), name);

	out->string = (struct proto_string){.data = out->text};
	if (length == -EFAULT)
		return -EFAULT;
	if (length <= 0)
		return -ERANGE;
	out->string.length = (uint32_t)length;
	return 0;
}

/* ---- reading ---------------------------------------------------------------------------------------------------- */

/* The received part of a value or list that may need several replies. */
struct pieces {
	uint8_t *to; /* PROTO_MAX_XATTR_VALUE bytes in memory of the library */
	size_t size; /* size of the caller's buffer */
	size_t have;
	size_t total;
	uint64_t change;
};

static int receive_piece(struct farnova *fs, struct call *call, const struct proto_reply *reply)
{
	struct pieces *pieces = call->result;

	if (!pieces)
		return 0;
	if (pieces->have > 0 && (reply->xattr.change != pieces->change || reply->xattr.total != pieces->total))
		return -ESTALE; /* it changed after the first piece */
	pieces->change = reply->xattr.change;
	pieces->total = reply->xattr.total;
	if (pieces->size == 0)
		return 0;
	if (pieces->total > pieces->size)
		return -ERANGE;
	if (reply->xattr.length > pieces->total - pieces->have || pieces->total > PROTO_MAX_XATTR_VALUE ||
	    (reply->xattr.length == 0 && pieces->have < pieces->total))
		return -EPROTO;
	memcpy(pieces->to + pieces->have, reply->xattr.data, reply->xattr.length);
	pieces->have += reply->xattr.length;
	return 0;
}

/* read_piece -- request the next part. `name` is NULL for a list. */
static int read_piece(struct farnova *fs, struct proto_handle handle, const struct name *name, struct pieces *pieces)
{
	struct call *call = call_new(fs, name ? PROTO_GETXATTR : PROTO_LISTXATTR);
	size_t left = pieces->size - pieces->have;

	if (!call)
		return -ENOMEM;
	call->receive = receive_piece;
	call->result = pieces;
	call->request.getxattr.handle = handle;
	call->request.getxattr.offset = (uint32_t)pieces->have;
	call->request.getxattr.size = left < PROTO_MAX_XATTR_VALUE ? (uint32_t)left : PROTO_MAX_XATTR_VALUE;
	if (name)
		call->request.getxattr.name = name->string;
	return call_run(fs, call);
}

static int read_all(struct farnova *fs, struct proto_handle handle, const struct name *name, struct pieces *pieces)
{
	int error;

	do {
		error = read_piece(fs, handle, name, pieces);
		if (error == -ESTALE && pieces->have > 0) {
			pieces->have = 0; /* start again; if the file is gone, the next request fails */
			error = 0;
			continue;
		}
	} while (error == 0 && pieces->size > 0 && pieces->have < pieces->total);
	return error;
}

static ssize_t read_pieces(struct farnova *fs, struct proto_handle handle, const struct name *name, void *to,
                           size_t size)
{
	struct pieces pieces = {.to = size > 0 ? buffers_take(&fs->buffers, PROTO_MAX_XATTR_VALUE) : NULL,
	                        .size = size};

	if (size > 0 && !pieces.to)
		return -ENOMEM;
	int error = read_all(fs, handle, name, &pieces);
	if (error == 0 && size > 0)
		error = user_give(to, pieces.to, pieces.total);
	if (pieces.to)
		buffers_return(&fs->buffers, pieces.to, PROTO_MAX_XATTR_VALUE);
	return error ? error : (ssize_t)pieces.total;
}

ssize_t xattr_get(struct farnova *fs, struct proto_handle handle, const char *name, void *value, size_t size)
{
	struct name copy;
	int error = name_string(name, &copy);

	return error ? error : read_pieces(fs, handle, &copy, value, size);
}

ssize_t xattr_list(struct farnova *fs, struct proto_handle handle, char *list, size_t size)
{
	return read_pieces(fs, handle, NULL, list, size);
}

/* ---- changing --------------------------------------------------------------------------------------------------- */

/* set_value -- copy in the value of a SETXATTR, and choose whether it goes in the message. */
static int set_value(struct farnova *fs, struct call *call, const void *value, size_t size)
{
	call->request.setxattr.length = (uint32_t)size;
	call->request.setxattr.staging = PROTO_XATTR_HERE;
	call->request.setxattr.value = NULL;
	if (size == 0)
		return 0;
	call->memory = buffers_take(&fs->buffers, size);
	call->memory_size = size;
	if (!call->memory)
		return -ENOMEM;
	int error = user_copy_in(call->memory, value, size);
	call->request.setxattr.value = call->memory;
	connection_lock(&fs->link);
	bool small = size <= SMALL_VALUE && size + SET_FIXED <= fs->session.max_write;
	connection_unlock(&fs->link);
	if (!small) {
		call->staged_length = (uint32_t)size;
		call->staging = &call->request.setxattr.staging;
	}
	return error;
}

int xattr_set(struct farnova *fs, struct proto_handle handle, const char *name, const void *value, size_t size,
              int flags)
{
	struct name copy;

	if (flags & ~(XATTR_CREATE | XATTR_REPLACE))
		return -EINVAL;
	if (size > PROTO_MAX_XATTR_VALUE)
		return -E2BIG;
	int error = name_string(name, &copy);
	if (error)
		return error;
	struct call *call = call_new(fs, PROTO_SETXATTR);
	if (!call)
		return -ENOMEM;
	call->request.setxattr.handle = handle;
	call->request.setxattr.flags =
	    (flags & XATTR_CREATE ? PROTO_XATTR_CREATE : 0) | (flags & XATTR_REPLACE ? PROTO_XATTR_REPLACE : 0);
	call->request.setxattr.name = copy.string;
	error = set_value(fs, call, value, size);
	if (error) {
		call_free(fs, call);
		return error;
	}
	return call_run(fs, call);
}

int xattr_remove(struct farnova *fs, struct proto_handle handle, const char *name)
{
	struct name copy;
	int error = name_string(name, &copy);

	if (error)
		return error;
	struct call *call = call_new(fs, PROTO_REMOVEXATTR);
	if (!call)
		return -ENOMEM;
	call->request.removexattr.handle = handle;
	call->request.removexattr.name = copy.string;
	return call_run(fs, call);
}

/* ---- by path ---------------------------------------------------------------------------------------------------- */

static int find(struct farnova *fs, const char *path, uint32_t flags, struct names_way *way,
                struct proto_handle *handle)
{
	struct proto_attr attr;
	int error = names_find(fs, path, flags, way, &attr);

	if (error == 0)
		*handle = attr.handle;
	return error;
}

/* told -- return a result, or set the error of `operation` on attribute `name` (NULL: all) of `path`. */
static ssize_t told(struct farnova *fs, ssize_t result, const char *operation, const char *name, const char *path)
{
	char words[320], text[ERROR_TEXT];

	if (result >= 0)
		return result;
	snprintf(words, sizeof(words), "%s%s%s of", operation, name ? " " : "", name ? error_text(text, name) : "");
	return error_path(fs, (int)result, words, path);
}

static ssize_t get_path(struct farnova *fs, const char *path, uint32_t flags, const char *name, void *value,
                        size_t size)
{
	struct proto_handle handle;
	struct names_way way = {0};
	ssize_t result;

	do {
		result = find(fs, path, flags, &way, &handle);
		if (result == 0)
			result = xattr_get(fs, handle, name, value, size);
	} while (names_again(fs, result, &way));
	return told(fs, result, "get extended attribute", name, path);
}

ssize_t farnova_getxattr(struct farnova *fs, const char *path, const char *name, void *value, size_t size)
{
	return get_path(fs, path, 0, name, value, size);
}

ssize_t farnova_lgetxattr(struct farnova *fs, const char *path, const char *name, void *value, size_t size)
{
	return get_path(fs, path, PROTO_LOOKUP_NOFOLLOW, name, value, size);
}

static int set_path(struct farnova *fs, const char *path, uint32_t lookup, const char *name, const void *value,
                    size_t size, int flags)
{
	struct proto_handle handle;
	struct names_way way = {0};
	int error;

	do {
		error = find(fs, path, lookup, &way, &handle);
		if (error == 0)
			error = xattr_set(fs, handle, name, value, size, flags);
	} while (names_again(fs, error, &way));
	return (int)told(fs, error, "set extended attribute", name, path);
}

int farnova_setxattr(struct farnova *fs, const char *path, const char *name, const void *value, size_t size, int flags)
{
	return set_path(fs, path, 0, name, value, size, flags);
}

int farnova_lsetxattr(struct farnova *fs, const char *path, const char *name, const void *value, size_t size, int flags)
{
	return set_path(fs, path, PROTO_LOOKUP_NOFOLLOW, name, value, size, flags);
}

static ssize_t list_path(struct farnova *fs, const char *path, uint32_t flags, char *list, size_t size)
{
	struct proto_handle handle;
	struct names_way way = {0};
	ssize_t result;

	do {
		result = find(fs, path, flags, &way, &handle);
		if (result == 0)
			result = xattr_list(fs, handle, list, size);
	} while (names_again(fs, result, &way));
	return told(fs, result, "list extended attributes", NULL, path);
}

ssize_t farnova_listxattr(struct farnova *fs, const char *path, char *list, size_t size)
{
	return list_path(fs, path, 0, list, size);
}

ssize_t farnova_llistxattr(struct farnova *fs, const char *path, char *list, size_t size)
{
	return list_path(fs, path, PROTO_LOOKUP_NOFOLLOW, list, size);
}

static int remove_path(struct farnova *fs, const char *path, uint32_t flags, const char *name)
{
	struct proto_handle handle;
	struct names_way way = {0};
	int error;

	do {
		error = find(fs, path, flags, &way, &handle);
		if (error == 0)
			error = xattr_remove(fs, handle, name);
	} while (names_again(fs, error, &way));
	return (int)told(fs, error, "remove extended attribute", name, path);
}

int farnova_removexattr(struct farnova *fs, const char *path, const char *name)
{
	return remove_path(fs, path, 0, name);
}

int farnova_lremovexattr(struct farnova *fs, const char *path, const char *name)
{
	return remove_path(fs, path, PROTO_LOOKUP_NOFOLLOW, name);
}

/* ---- by file and by handle -------------------------------------------------------------------------------------- */

static struct proto_handle in(struct farnova_handle handle)
{
	return (struct proto_handle){.ino = handle.ino, .generation = handle.generation, .seal = handle.seal};
}

static struct farnova_handle of(const struct farnova_file *file)
{
	const struct proto_handle *handle = &file->inode->handle;

	return (struct farnova_handle){.ino = handle->ino, .generation = handle->generation, .seal = handle->seal};
}

/* told_of -- the same for an inode, given by number. */
static ssize_t told_of(struct farnova *fs, ssize_t result, const char *operation, const char *name, uint64_t ino)
{
	char words[320], text[ERROR_TEXT];

	if (result >= 0)
		return result;
	snprintf(words, sizeof(words), "%s%s%s of", operation, name ? " " : "", name ? error_text(text, name) : "");
	return error_handle(fs, (int)result, words, ino);
}

ssize_t farnova_getxattr_at(struct farnova *fs, struct farnova_handle file, const char *name, void *value, size_t size)
{
	return told_of(fs, xattr_get(fs, in(file), name, value, size), "get extended attribute", name, file.ino);
}

int farnova_setxattr_at(struct farnova *fs, struct farnova_handle file, const char *name, const void *value,
                        size_t size, int flags)
{
	return (int)told_of(fs, xattr_set(fs, in(file), name, value, size, flags), "set extended attribute", name,
	                    file.ino);
}

ssize_t farnova_listxattr_at(struct farnova *fs, struct farnova_handle file, char *list, size_t size)
{
	return told_of(fs, xattr_list(fs, in(file), list, size), "list extended attributes", NULL, file.ino);
}

int farnova_removexattr_at(struct farnova *fs, struct farnova_handle file, const char *name)
{
	return (int)told_of(fs, xattr_remove(fs, in(file), name), "remove extended attribute", name, file.ino);
}

ssize_t farnova_fgetxattr(struct farnova_file *file, const char *name, void *value, size_t size)
{
	return farnova_getxattr_at(file->fs, of(file), name, value, size);
}

int farnova_fsetxattr(struct farnova_file *file, const char *name, const void *value, size_t size, int flags)
{
	return farnova_setxattr_at(file->fs, of(file), name, value, size, flags);
}

ssize_t farnova_flistxattr(struct farnova_file *file, char *list, size_t size)
{
	return farnova_listxattr_at(file->fs, of(file), list, size);
}

int farnova_fremovexattr(struct farnova_file *file, const char *name)
{
	return farnova_removexattr_at(file->fs, of(file), name);
}

/* ---- file flags ------------------------------------------------------------------------------------------------- */

_Static_assert(FARNOVA_FILE_IMMUTABLE == PROTO_FILE_IMMUTABLE && FARNOVA_FILE_APPEND == PROTO_FILE_APPEND,
               "the interface's flags are the protocol's");

static int set_flags(struct farnova *fs, struct proto_handle handle, unsigned flags)
{
	const struct attr_change change = {.mask = PROTO_SET_FLAGS, .flags = flags};

	return attr_set(fs, handle, NULL, &change, NULL);
}

int farnova_getflags(struct farnova *fs, const char *path, unsigned *flags)
{
	struct path copy;
	struct proto_attr attr;
	int error = names_path(path, &copy);

	if (error == 0)
		error = names_lookup(fs, fs->root, copy.string, 0, &attr);
	if (error)
		return error_path(fs, error, "get the flags of", path);
	attr.flags &= PROTO_FILE_FLAGS;
	error = user_give(flags, &attr.flags, sizeof(*flags));
	return error ? error_path(fs, error, "get the flags of", path) : 0;
}

int farnova_setflags(struct farnova *fs, const char *path, unsigned flags)
{
	struct proto_handle handle;
	struct names_way way = {0};
	int error;

	do {
		error = find(fs, path, 0, &way, &handle);
		if (error == 0)
			error = set_flags(fs, handle, flags);
	} while (names_again(fs, error, &way));
	return error ? error_path(fs, error, "set the flags of", path) : 0;
}

int farnova_getflags_at(struct farnova *fs, struct farnova_handle file, unsigned *flags)
{
	struct proto_attr attr;
	int error = attr_get(fs, in(file), &attr);

	if (error)
		return error_handle(fs, error, "get the flags of", file.ino);
	attr.flags &= PROTO_FILE_FLAGS;
	error = user_give(flags, &attr.flags, sizeof(*flags));
	return error ? error_handle(fs, error, "get the flags of", file.ino) : 0;
}

int farnova_setflags_at(struct farnova *fs, struct farnova_handle file, unsigned flags)
{
	int error = set_flags(fs, in(file), flags);
	return error ? error_handle(fs, error, "set the flags of", file.ino) : 0;
}
