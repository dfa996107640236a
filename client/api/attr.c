/*
 * attr.c -- converts attributes between protocol and POSIX, and gets or sets them by handle.
 */
#include "client/api/attr.h"

#include "client/session/open_files.h"

#include "client/link/user_memory.h"

#include <errno.h>
#include <string.h>

#define NS_PER_S   1000000000
#define BLOCK_SIZE (64 * 1024) /* preferred size of a transfer: one READ */

static struct timespec timespec_of(int64_t ns)
{
	int64_t s = ns / NS_PER_S, rest = ns % NS_PER_S;
	if (rest < 0) {
		rest += NS_PER_S;
		s--;
	}
	return (struct timespec){.tv_sec = s, .tv_nsec = rest};
}

void attr_stat(const struct farnova *fs, const struct proto_attr *attr, struct stat *st)
{
	memset(st, 0, sizeof(*st));
	memcpy(&st->st_dev, fs->session.pool, sizeof(st->st_dev));
	st->st_ino = attr->handle.ino;
	st->st_mode = attr->mode;
	st->st_nlink = attr->nlink;
	st->st_uid = attr->uid;
	st->st_gid = attr->gid;
	st->st_rdev = attr->rdev;
	st->st_size = (off_t)attr->size;
	st->st_blksize = BLOCK_SIZE;
	st->st_blocks = (blkcnt_t)attr->blocks * 8;
	st->st_atim = timespec_of(attr->atime_ns);
	st->st_mtim = timespec_of(attr->mtime_ns);
	st->st_ctim = timespec_of(attr->ctime_ns);
}

int attr_statx_size(const struct farnova_statx *out, size_t least, size_t *size)
{
	int error = user_copy_in(size, &out->size, sizeof(*size));

	return error == 0 && *size < least ? -EINVAL : error;
}

int attr_give_statx(const struct farnova *fs, const struct proto_attr *attr, struct farnova_statx *out, size_t size)
{
	struct farnova_statx all = {
	    .size = size,
	    .birth = timespec_of(attr->btime_ns),
	    .flags = attr->flags & PROTO_FILE_FLAGS,
	    .project = attr->project,
	    .has_xattrs = attr->flags & PROTO_FILE_XATTRS,
	};

	attr_stat(fs, attr, &all.stat);
	return user_give(out, &all, size < sizeof(all) ? size : sizeof(all));
}

int attr_give_stat(const struct farnova *fs, const struct proto_attr *attr, struct stat *st)
{
	struct stat all;

	attr_stat(fs, attr, &all);
	return user_give(st, &all, sizeof(all));
}

int attr_receive(struct farnova *fs, struct call *call, const struct proto_reply *reply)
{
	if (call->result)
		*(struct proto_attr *)call->result = reply->attr.attr;
	return 0;
}

struct call *attr_get_call(struct farnova *fs, struct proto_handle handle, struct proto_attr *attr)
{
	struct call *call = call_new(fs, PROTO_GETATTR);

	if (!call)
		return NULL;
	call->receive = attr_receive;
	call->result = attr;
	call->request.getattr.handle = handle;
	return call;
}

int attr_get(struct farnova *fs, struct proto_handle handle, struct proto_attr *attr)
{
	return call_run(fs, attr_get_call(fs, handle, attr));
}

/* receive_resized -- handle the reply to a change of size: the layout's size and blocks are not valid any more. */
static int receive_resized(struct farnova *fs, struct call *call, const struct proto_reply *reply)
{
	layout_drop_handle(&fs->layouts, reply->attr.attr.handle);
	return attr_receive(fs, call, reply);
}

struct call *attr_set_call(struct farnova *fs, struct proto_handle handle, struct farnova_file *open,
                           const struct attr_change *change, struct proto_attr *attr)
{
	bool resize = change->mask & PROTO_SET_SIZE;
	struct call *call = call_new(fs, PROTO_SETATTR);

	if (!call)
		return NULL;
	call->receive = resize ? receive_resized : attr_receive;
	call->result = attr;
	call->file = open;
	call->changing = resize ? &fs->layouts.blind_changes : NULL;
	call->request.setattr.handle = handle;
	call->request.setattr.open = 0;
	call->request.setattr.mask = change->mask;
	call->request.setattr.mode = change->mode & 07777;
	call->request.setattr.uid = change->uid;
	call->request.setattr.gid = change->gid;
	call->request.setattr.flags = change->flags;
	call->request.setattr.project = change->project;
	call->request.setattr.size = change->size;
	call->request.setattr.atime_ns = change->atime_ns;
	call->request.setattr.mtime_ns = change->mtime_ns;
	return call;
}

int attr_set(struct farnova *fs, struct proto_handle handle, struct farnova_file *open,
             const struct attr_change *change, struct proto_attr *attr)
{
	return call_run(fs, attr_set_call(fs, handle, open, change, attr));
}

int attr_set_action(struct action *action, const struct attr_change *change)
{
	action->call = attr_set_call(action->fs, (struct proto_handle){0}, NULL, change, NULL);
	if (!action->call)
		return -ENOMEM;
	action->handle = &action->call->request.setattr.handle;
	return 0;
}

struct attr_change attr_owner(uid_t uid, gid_t gid)
{
	return (struct attr_change){
	    .mask = (uid != (uid_t)-1 ? PROTO_SET_UID : 0) | (gid != (gid_t)-1 ? PROTO_SET_GID : 0),
	    .uid = uid,
	    .gid = gid,
	};
}

/* The range of 64-bit nanoseconds, 1677 to 2262, in whole seconds. */
#define FIRST_SECOND (INT64_MIN / NS_PER_S)
#define LAST_SECOND  (INT64_MAX / NS_PER_S)

/* time_ns -- convert a time; UTIME_NOW and UTIME_OMIT become masks. A time out of range is clamped to the range, as in
 * file systems of the kernel (timestamp_truncate): a copy must not fail because of it. */
static int time_ns(const struct timespec *time, uint32_t set, uint32_t now, uint32_t *mask, int64_t *ns)
{
	if (time->tv_nsec == UTIME_OMIT)
		return 0;
	if (time->tv_nsec == UTIME_NOW) {
		*mask |= now;
		return 0;
	}
	if (time->tv_nsec < 0 || time->tv_nsec >= NS_PER_S)
		return -EINVAL;
	*mask |= set;
	if (time->tv_sec >= LAST_SECOND)
		*ns = LAST_SECOND * NS_PER_S;
	else if (time->tv_sec < FIRST_SECOND)
		*ns = FIRST_SECOND * NS_PER_S;
	else
		*ns = (int64_t)time->tv_sec * NS_PER_S + time->tv_nsec;
	return 0;
}

int attr_times(const struct timespec given[2], struct attr_change *change)
{
	struct timespec times[2];

	*change = (struct attr_change){0};
	if (!given) {
		change->mask = PROTO_SET_ATIME_NOW | PROTO_SET_MTIME_NOW;
		return 0;
	}
	int error = user_copy_in(times, given, sizeof(times));
	if (error == 0)
		error = time_ns(&times[0], PROTO_SET_ATIME, PROTO_SET_ATIME_NOW, &change->mask, &change->atime_ns);
	if (error)
		return error;
	return time_ns(&times[1], PROTO_SET_MTIME, PROTO_SET_MTIME_NOW, &change->mask, &change->mtime_ns);
}
