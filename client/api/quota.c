/*
 * quota.c -- projects: their members and limits; and calls for all attributes of a file.
 */
#include "client/api/attr.h"
#include "client/api/names.h"
#include "client/api/result.h"
#include "client/link/user_memory.h"
#include "client/session/call.h"
#include "client/session/open_files.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#define BLOCK 4096u

/* ---- all attributes --------------------------------------------------------------------------------------------- */

int farnova_statx(struct farnova *fs, const char *path, int flags, struct farnova_statx *out)
{
	struct path copy;
	struct proto_attr attr;
	size_t size;
	int error = flags & ~AT_SYMLINK_NOFOLLOW ? -EINVAL : attr_statx_size(out, sizeof(size), &size);

	if (error == 0)
		error = names_path(path, &copy);
	if (error == 0)
		error = names_lookup(fs, fs->root, copy.string, flags ? PROTO_LOOKUP_NOFOLLOW : 0, &attr);
	if (error == 0)
		error = attr_give_statx(fs, &attr, out, size);
	return error ? error_path(fs, error, "statx", path) : 0;
}

static int statx_handle(struct farnova *fs, struct proto_handle handle, struct farnova_statx *out)
{
	struct proto_attr attr;
	size_t size;
	int error = attr_statx_size(out, sizeof(size), &size);

	if (error == 0)
		error = attr_get(fs, handle, &attr);
	if (error == 0)
		error = attr_give_statx(fs, &attr, out, size);
	return error ? error_handle(fs, error, "statx", handle.ino) : 0;
}

int farnova_fstatx(struct farnova_file *file, struct farnova_statx *out)
{
	return statx_handle(file->fs, file->inode->handle, out);
}

static struct proto_handle in(struct farnova_handle handle)
{
	return (struct proto_handle){.ino = handle.ino, .generation = handle.generation, .seal = handle.seal};
}

int farnova_statx_at(struct farnova *fs, struct farnova_handle file, struct farnova_statx *out)
{
	return statx_handle(fs, in(file), out);
}

/* ---- projects --------------------------------------------------------------------------------------------------- */

/* inherit -- a directory passes the project on. */
static void inherit(struct action *action, const struct proto_attr *attr)
{
	struct proto_request *request = &action->call->request;

	request->setattr.mask &= ~PROTO_SET_FLAGS;
	if (!S_ISDIR(attr->mode))
		return;
	request->setattr.mask |= PROTO_SET_FLAGS;
	request->setattr.flags = attr->flags & PROTO_FILE_FLAGS & ~PROTO_FILE_PROJECT_INHERIT;
	if (request->setattr.project)
		request->setattr.flags |= PROTO_FILE_PROJECT_INHERIT;
}

int farnova_setproject(struct farnova *fs, const char *path, uint32_t project)
{
	const struct attr_change change = {.mask = PROTO_SET_PROJECT, .project = project};
	struct action action = {.fs = fs, .found = inherit};
	int error = attr_set_action(&action, &change);

	if (error == 0)
		error = action_by_path(&action, path, PROTO_LOOKUP_NOFOLLOW);
	return error ? error_path(fs, error, "set the project of", path) : 0;
}

int farnova_setproject_at(struct farnova *fs, struct farnova_handle file, uint32_t project, unsigned flags)
{
	const struct attr_change change = {
	    .mask = PROTO_SET_PROJECT | PROTO_SET_FLAGS,
	    .project = project,
	    .flags = flags,
	};
	int error = attr_set(fs, in(file), NULL, &change, NULL);

	return error ? error_handle(fs, error, "set the project of", file.ino) : 0;
}

static int receive_quota(struct farnova *fs, struct call *call, const struct proto_reply *reply)
{
	struct farnova_quota *quota = call->result;

	if (!quota)
		return 0;
	*quota = (struct farnova_quota){
	    .project = reply->quota.project,
	    .bytes = reply->quota.blocks * BLOCK,
	    .byte_limit = reply->quota.block_limit * BLOCK,
	    .files = reply->quota.inodes,
	    .file_limit = reply->quota.inode_limit,
	};
	return 0;
}

static int get(struct farnova *fs, uint32_t project, uint32_t flags, struct farnova_quota *quota)
{
	struct farnova_quota all;
	struct call *call = project ? call_new(fs, PROTO_QUOTA_GET) : NULL;

	if (!call)
		return project ? -ENOMEM : -EINVAL;
	call->receive = receive_quota;
	call->result = &all;
	call->request.quota_get.project = project;
	call->request.quota_get.flags = flags;
	int error = call_run(fs, call);
	return error ? error : user_give(quota, &all, sizeof(all));
}

static int failed(struct farnova *fs, int error, const char *what, uint32_t project)
{
	return error ? error_set(-error, "%s project %u on %s", what, project, connection_name(&fs->link)) : 0;
}

int farnova_quota_get(struct farnova *fs, uint32_t project, struct farnova_quota *quota)
{
	return failed(fs, get(fs, project, 0, quota), "get the limits of", project);
}

int farnova_quota_next(struct farnova *fs, uint32_t project, struct farnova_quota *quota)
{
	return failed(fs, get(fs, project ? project : 1, PROTO_QUOTA_NEXT, quota), "find a project from", project);
}

static int set_limits(struct farnova *fs, uint32_t project, uint64_t byte_limit, uint64_t file_limit)
{
	struct call *call = project ? call_new(fs, PROTO_QUOTA_SET) : NULL;

	if (!call)
		return project ? -ENOMEM : -EINVAL;
	call->request.quota_set.project = project;
	/* Round up: a limit of less than a block must not become 0, which means no limit. */
	call->request.quota_set.block_limit = byte_limit / BLOCK + (byte_limit % BLOCK != 0);
	call->request.quota_set.inode_limit = file_limit;
	return call_run(fs, call);
}

int farnova_quota_set(struct farnova *fs, uint32_t project, uint64_t byte_limit, uint64_t file_limit)
{
	return failed(fs, set_limits(fs, project, byte_limit, file_limit), "set the limits of", project);
}
