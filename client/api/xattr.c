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

static int name_string(const char *name, struct xattr_name *out)
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

static int receive_piece(struct farnova *fs, struct call *call, const struct proto_reply *reply)
{
	struct xattr_pieces *pieces = call->result;

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

/* next_piece -- what the request asks for next. */
static void next_piece(struct call *call, const struct xattr_pieces *pieces)
{
	size_t left = pieces->size - pieces->have;

	call->request.getxattr.offset = (uint32_t)pieces->have;
	call->request.getxattr.size = left < PROTO_MAX_XATTR_VALUE ? (uint32_t)left : PROTO_MAX_XATTR_VALUE;
}

/* again -- whether a further piece is needed. If it has changed, it is read from the start again; if the file is gone,
 * that fails. */
static bool again(struct action *action, int *status)
{
	struct xattr_pieces *pieces = action->argument;
	bool changed = *status == -ESTALE && pieces->have > 0;

	if (changed)
		pieces->have = 0;
	next_piece(action->call, pieces);
	return changed || (*status == 0 && pieces->size > 0 && pieces->have < pieces->total);
}

int xattr_get(struct action *action, struct xattr_name *name, const char *text, size_t size,
              struct xattr_pieces *pieces)
{
	struct farnova *fs = action->fs;
	int error = text ? name_string(text, name) : 0;

	*pieces = (struct xattr_pieces){.fs = fs, .size = size};
	if (error)
		return error;
	pieces->to = size > 0 ? buffers_take(&fs->buffers, PROTO_MAX_XATTR_VALUE) : NULL;
	action->call = size == 0 || pieces->to ? call_new(fs, text ? PROTO_GETXATTR : PROTO_LISTXATTR) : NULL;
	if (!action->call)
		return -ENOMEM;
	action->handle = &action->call->request.getxattr.handle;
	action->again = again;
	action->argument = pieces;
	action->call->receive = receive_piece;
	action->call->result = pieces;
	if (text)
		action->call->request.getxattr.name = name->string;
	next_piece(action->call, pieces);
	return 0;
}

ssize_t xattr_give(const struct xattr_pieces *pieces, void *to)
{
	int error = pieces->size > 0 ? user_give(to, pieces->to, pieces->total) : 0;

	return error ? error : (ssize_t)pieces->total;
}

void xattr_pieces_free(struct xattr_pieces *pieces)
{
	if (pieces->to)
		buffers_return(&pieces->fs->buffers, pieces->to, PROTO_MAX_XATTR_VALUE);
	pieces->to = NULL;
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

int xattr_set(struct action *action, struct xattr_name *name, const char *text, const void *value, size_t size,
              int flags)
{
	if (flags & ~(XATTR_CREATE | XATTR_REPLACE))
		return -EINVAL;
	if (size > PROTO_MAX_XATTR_VALUE)
		return -E2BIG;
	int error = name_string(text, name);
	if (error)
		return error;
	struct call *call = action->call = call_new(action->fs, PROTO_SETXATTR);
	if (!call)
		return -ENOMEM;
	action->handle = &call->request.setxattr.handle;
	call->request.setxattr.flags =
	    (flags & XATTR_CREATE ? PROTO_XATTR_CREATE : 0) | (flags & XATTR_REPLACE ? PROTO_XATTR_REPLACE : 0);
	call->request.setxattr.name = name->string;
	return set_value(action->fs, call, value, size);
}

int xattr_remove(struct action *action, struct xattr_name *name, const char *text)
{
	int error = name_string(text, name);

	if (error)
		return error;
	action->call = call_new(action->fs, PROTO_REMOVEXATTR);
	if (!action->call)
		return -ENOMEM;
	action->handle = &action->call->request.removexattr.handle;
	action->call->request.removexattr.name = name->string;
	return 0;
}

/* ---- on a target ------------------------------------------------------------------------------------------------ */

/* What a call works on. */
struct target {
	const char *path; /* NULL: the handle */
	uint32_t flags;
	struct proto_handle handle;
};

/* run -- run an action that was prepared with `error`. */
static int run(struct action *action, int error, const struct target *target)
{
	if (error)
		action_release(action);
	else if (target->path)
		error = action_by_path(action, target->path, target->flags);
	else
		error = action_by_handle(action, target->handle);
	return error;
}

/* get -- `name` NULL: the list. */
static ssize_t get(struct farnova *fs, const struct target *target, const char *name, void *to, size_t size)
{
	struct action action = {.fs = fs};
	struct xattr_name copy;
	struct xattr_pieces pieces;
	ssize_t result = run(&action, xattr_get(&action, &copy, name, size, &pieces), target);

	if (result == 0)
		result = xattr_give(&pieces, to);
	xattr_pieces_free(&pieces);
	return result;
}

static int set(struct farnova *fs, const struct target *target, const char *name, const void *value, size_t size,
               int flags)
{
	struct action action = {.fs = fs};
	struct xattr_name copy;

	return run(&action, xattr_set(&action, &copy, name, value, size, flags), target);
}

static int remove_from(struct farnova *fs, const struct target *target, const char *name)
{
	struct action action = {.fs = fs};
	struct xattr_name copy;

	return run(&action, xattr_remove(&action, &copy, name), target);
}

/* ---- by path ---------------------------------------------------------------------------------------------------- */

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
	const struct target target = {.path = path, .flags = flags};

	return told(fs, name ? get(fs, &target, name, value, size) : -EFAULT, "get extended attribute", name, path);
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
	const struct target target = {.path = path, .flags = lookup};

	return (int)told(fs, set(fs, &target, name, value, size, flags), "set extended attribute", name, path);
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
	const struct target target = {.path = path, .flags = flags};

	return told(fs, get(fs, &target, NULL, list, size), "list extended attributes", NULL, path);
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
	const struct target target = {.path = path, .flags = flags};

	return (int)told(fs, remove_from(fs, &target, name), "remove extended attribute", name, path);
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

static struct target at(struct farnova_handle handle)
{
	return (struct target){.handle = in(handle)};
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
	const struct target target = at(file);

	return told_of(fs, name ? get(fs, &target, name, value, size) : -EFAULT, "get extended attribute", name,
	               file.ino);
}

int farnova_setxattr_at(struct farnova *fs, struct farnova_handle file, const char *name, const void *value,
                        size_t size, int flags)
{
	const struct target target = at(file);

	return (int)told_of(fs, set(fs, &target, name, value, size, flags), "set extended attribute", name, file.ino);
}

ssize_t farnova_listxattr_at(struct farnova *fs, struct farnova_handle file, char *list, size_t size)
{
	const struct target target = at(file);

	return told_of(fs, get(fs, &target, NULL, list, size), "list extended attributes", NULL, file.ino);
}

int farnova_removexattr_at(struct farnova *fs, struct farnova_handle file, const char *name)
{
	const struct target target = at(file);

	return (int)told_of(fs, remove_from(fs, &target, name), "remove extended attribute", name, file.ino);
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
	const struct attr_change change = {.mask = PROTO_SET_FLAGS, .flags = flags};
	struct action action = {.fs = fs};
	int error = attr_set_action(&action, &change);

	if (error == 0)
		error = action_by_path(&action, path, 0);
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
