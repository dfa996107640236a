/*
 * submit_action.c -- the operations of a queue that find a file by path first: they are actions (action.h).
 */
#include "client/api/attr.h"
#include "client/api/names.h"
#include "client/api/queue.h"
#include "client/api/statvfs.h"
#include "client/api/xattr.h"
#include "client/link/user_memory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

struct queued_action {
	struct action action;
	struct xattr_name name;
	struct xattr_pieces pieces;
	union {
		struct statvfs statvfs;
		struct link_text link;
	};
};

bool submit_is_action(unsigned operation)
{
	switch (operation) {
	case FARNOVA_OP_TRUNCATE:
	case FARNOVA_OP_ACCESS:
	case FARNOVA_OP_CHMOD:
	case FARNOVA_OP_CHOWN:
	case FARNOVA_OP_UTIMENS:
	case FARNOVA_OP_LINK:
	case FARNOVA_OP_READLINK:
	case FARNOVA_OP_STATVFS:
	case FARNOVA_OP_GETXATTR:
	case FARNOVA_OP_SETXATTR:
	case FARNOVA_OP_LISTXATTR:
	case FARNOVA_OP_REMOVEXATTR:
		return true;
	default:
		return false;
	}
}

/* ---- what is to be done ----------------------------------------------------------------------------------------- */

static int set(struct action *action, const struct farnova_operation *values)
{
	struct attr_change change = {0};
	int error = 0;

	switch (values->operation) {
	case FARNOVA_OP_TRUNCATE:
		change = (struct attr_change){.mask = PROTO_SET_SIZE, .size = (uint64_t)values->offset};
		error = values->offset < 0 ? -EINVAL : 0;
		break;
	case FARNOVA_OP_CHMOD:
		change = (struct attr_change){.mask = PROTO_SET_MODE, .mode = values->mode};
		break;
	case FARNOVA_OP_CHOWN:
		change = attr_owner(values->uid, values->gid);
		break;
	default:
		error = attr_times(values->times, &change);
		break;
	}
	return error ? error : attr_set_action(action, &change);
}

/* prepare_call -- the request; `to` is the copy of the second path. `flags` are those of the operation itself. */
static int prepare_call(struct queued *queued, const struct farnova_operation *values, struct proto_string to,
                        unsigned flags)
{
	struct queued_action *own = queued->action;
	struct action *action = &own->action;

	switch (values->operation) {
	case FARNOVA_OP_ACCESS:
		return names_access(action, (int)values->mode);
	case FARNOVA_OP_LINK:
		return names_link(action, action->fs->root, to, NULL);
	case FARNOVA_OP_READLINK:
		return values->length == 0 ? -EINVAL : names_readlink(action, &own->link);
	case FARNOVA_OP_STATVFS:
		return statvfs_action(action, &own->statvfs);
	case FARNOVA_OP_GETXATTR:
		return values->name ? xattr_get(action, &own->name, values->name, values->length, &own->pieces)
		                    : -EFAULT;
	case FARNOVA_OP_LISTXATTR:
		return xattr_get(action, &own->name, NULL, values->length, &own->pieces);
	case FARNOVA_OP_SETXATTR:
		return xattr_set(action, &own->name, values->name, values->data, values->length, (int)flags);
	case FARNOVA_OP_REMOVEXATTR:
		return xattr_remove(action, &own->name, values->name);
	default:
		return set(action, values);
	}
}

/* ---- on what ---------------------------------------------------------------------------------------------------- */

/* follows -- whether a symbolic link at the end of the path is followed. */
static bool follows(const struct farnova_operation *values)
{
	return values->operation != FARNOVA_OP_LINK && values->operation != FARNOVA_OP_READLINK &&
	       !(values->flags & AT_SYMLINK_NOFOLLOW);
}

/* may_have_file -- whether it may be given an open file instead of a path. */
static bool may_have_file(unsigned operation)
{
	return operation != FARNOVA_OP_TRUNCATE && operation != FARNOVA_OP_ACCESS && operation != FARNOVA_OP_READLINK;
}

static int allowed_flags(unsigned operation)
{
	switch (operation) {
	case FARNOVA_OP_CHOWN:
	case FARNOVA_OP_UTIMENS:
	case FARNOVA_OP_GETXATTR:
	case FARNOVA_OP_LISTXATTR:
	case FARNOVA_OP_REMOVEXATTR:
		return AT_SYMLINK_NOFOLLOW;
	case FARNOVA_OP_SETXATTR:
		return -1; /* xattr_set knows the others */
	default:
		return 0;
	}
}

/* target -- the handle if no path is given. */
static int target(struct queued *queued, const struct farnova_operation *values, struct proto_handle *handle)
{
	struct farnova *fs = queued->queue->fs;

	if (values->path)
		return 0;
	if (values->operation == FARNOVA_OP_STATVFS && !values->file) {
		*handle = fs->root;
		return 0;
	}
	if (!may_have_file(values->operation))
		return -EFAULT;
	if (!values->file || values->file->fs != fs)
		return -EBADF;
	*handle = values->file->inode->handle;
	return 0;
}

static int copy_strings(struct queued *queued, const struct farnova_operation *values, struct proto_string *path,
                        struct proto_string *to)
{
	struct proto_string strings[2] = {{0}, {0}};
	bool links = values->operation == FARNOVA_OP_LINK;
	int error = 0;

	if (values->path && links && !values->to)
		return -EFAULT;
	if (values->path)
		error = names_copy_paths(values->path, links ? values->to : NULL, &queued->paths, strings);
	else if (links)
		error = names_copy_paths(values->to, NULL, &queued->paths, strings);
	*path = values->path ? strings[0] : (struct proto_string){0};
	*to = values->path ? strings[1] : strings[0];
	return error;
}

/* ---- the parts of an operation ---------------------------------------------------------------------------------- */

static void on_done(struct action *action)
{
	struct queued *queued = action->owner;

	queued->queue->finish(queued, action->status);
}

int submit_action_prepare(struct queued *queued, const struct farnova_operation *values)
{
	struct farnova *fs = queued->queue->fs;
	struct proto_handle handle = {0};
	struct proto_string path, to;

	if (values->flags & ~(unsigned)allowed_flags(values->operation))
		return -EINVAL;
	int error = fs->link.forked ? -ECHILD : target(queued, values, &handle);
	if (error == 0)
		error = copy_strings(queued, values, &path, &to);
	if (error)
		return error;
	queued->action = calloc(1, sizeof(*queued->action));
	if (!queued->action)
		return -ENOMEM;
	struct action *action = &queued->action->action;
	*action = (struct action){.fs = fs, .path = path, .on_done = on_done, .owner = queued};
	action->flags = follows(values) ? 0 : PROTO_LOOKUP_NOFOLLOW;
	error = prepare_call(queued, values, to, values->flags & ~(unsigned)AT_SYMLINK_NOFOLLOW);
	if (error == 0)
		*action->handle = handle;
	return error;
}

void submit_action_start(struct queued *queued)
{
	action_start(&queued->action->action);
}

void submit_action_abandon(struct queued *queued)
{
	action_abandon(&queued->action->action);
}

void submit_action_deliver(struct queued *queued)
{
	struct queued_action *own = queued->action;
	ssize_t *result = &queued->completion.result;

	switch (queued->operation) {
	case FARNOVA_OP_READLINK:
		*result = names_give_link(&own->link, queued->buffer, queued->size);
		break;
	case FARNOVA_OP_STATVFS:
		*result = user_give(queued->statvfs, &own->statvfs, sizeof(own->statvfs));
		break;
	case FARNOVA_OP_GETXATTR:
	case FARNOVA_OP_LISTXATTR:
		*result = xattr_give(&own->pieces, queued->buffer);
		break;
	default:
		break;
	}
}

void submit_action_release(struct queued *queued)
{
	action_release(&queued->action->action);
	xattr_pieces_free(&queued->action->pieces);
	free(queued->action);
}
