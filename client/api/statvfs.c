/*
 * statvfs.c -- statistics of a file system.
 */
#include "client/api/statvfs.h"

#include "client/api/result.h"
#include "client/include/farnova.h"
#include "client/link/user_memory.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

static int receive_statfs(struct farnova *fs, struct call *call, const struct proto_reply *reply)
{
	struct statvfs *st = call->result;

	if (!st)
		return 0;
	*st = (struct statvfs){.f_bsize = 4096,
	                       .f_frsize = 4096,
	                       .f_blocks = reply->statfs.blocks,
	                       .f_bfree = reply->statfs.free_blocks,
	                       .f_bavail = reply->statfs.free_blocks,
	                       .f_namemax = reply->statfs.name_max};
	/* An inode takes 512 bytes of a free block, so eight inodes fit in each free block. */
	st->f_ffree = st->f_favail = reply->statfs.free_blocks * 8;
	if (reply->statfs.inode_limit && reply->statfs.inode_limit < reply->statfs.inodes + st->f_ffree)
		st->f_ffree = st->f_favail = reply->statfs.inode_limit > reply->statfs.inodes
		                                 ? reply->statfs.inode_limit - reply->statfs.inodes
		                                 : 0;
	st->f_files = reply->statfs.inodes + st->f_ffree;
	uint64_t id;
	_Static_assert(sizeof(id) <= sizeof(reply->statfs.pool), "a part of the UUID");
	memcpy(&id, reply->statfs.pool, sizeof(id));
	st->f_fsid = id;
	return 0;
}

int statvfs_action(struct action *action, struct statvfs *st)
{
	action->call = call_new(action->fs, PROTO_STATFS);
	if (!action->call)
		return -ENOMEM;
	action->call->receive = receive_statfs;
	action->call->result = st;
	action->handle = &action->call->request.statfs.handle;
	return 0;
}

static int statvfs_of(struct farnova *fs, struct proto_handle handle, struct statvfs *st)
{
	struct action action = {.fs = fs};
	struct statvfs all;
	int error = statvfs_action(&action, &all);

	if (error == 0)
		error = action_by_handle(&action, handle);
	return error ? error : user_give(st, &all, sizeof(all));
}

int farnova_statvfs(struct farnova *fs, struct statvfs *st)
{
	int error = statvfs_of(fs, fs->root, st);

	return error ? error_path(fs, error, "statvfs", fs->url.path) : 0;
}

int farnova_statvfs_of(struct farnova *fs, const char *path, struct statvfs *st)
{
	struct action action = {.fs = fs};
	struct statvfs all;
	int error = statvfs_action(&action, &all);

	if (error == 0)
		error = action_by_path(&action, path, 0);
	if (error == 0)
		error = user_give(st, &all, sizeof(all));
	return error ? error_path(fs, error, "statvfs", path) : 0;
}

int farnova_statvfs_at(struct farnova *fs, struct farnova_handle file, struct statvfs *st)
{
	int error = statvfs_of(fs, (struct proto_handle){file.ino, file.generation, file.seal}, st);

	return error ? error_handle(fs, error, "statvfs", file.ino) : 0;
}
