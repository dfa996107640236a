/*
 * attr.h -- converts attributes between protocol and POSIX, and gets or sets them by handle.
 */
#ifndef FARNOVA_CLIENT_ATTR_H
#define FARNOVA_CLIENT_ATTR_H

#include "client/api/action.h"
#include "client/session/call.h"

/* attr_stat -- convert to struct stat; st_dev is derived from the pool's UUID. attr_give_stat -- the same into the
 * program's memory; -EFAULT. */
void attr_stat(const struct farnova *fs, const struct proto_attr *attr, struct stat *st);
int attr_give_stat(const struct farnova *fs, const struct proto_attr *attr, struct stat *st);

/* attr_statx_size -- the size that the caller has set; -EINVAL if it is less than `least`. attr_give_statx -- as
 * attr_give_stat with all attributes, limited to `size` bytes. */
int attr_statx_size(const struct farnova_statx *out, size_t least, size_t *size);
int attr_give_statx(const struct farnova *fs, const struct proto_attr *attr, struct farnova_statx *out, size_t size);

/* attr_receive -- a `receive` for replies that contain attributes: `result` is a struct proto_attr. */
int attr_receive(struct farnova *fs, struct call *call, const struct proto_reply *reply);

int attr_get(struct farnova *fs, struct proto_handle handle, struct proto_attr *attr);

/* The attributes that SETATTR sets; the masks are the protocol's. */
struct attr_change {
	uint32_t mask;
	uint32_t mode, uid, gid, flags, project;
	uint64_t size;
	int64_t atime_ns, mtime_ns;
};

/* attr_set -- set attributes; `open` is NULL or an open of the file for writing, which permits a change of size. */
int attr_set(struct farnova *fs, struct proto_handle handle, struct farnova_file *open,
             const struct attr_change *change, struct proto_attr *attr);

/* attr_set_action -- give an action the call that sets attributes of a file; -ENOMEM. */
int attr_set_action(struct action *action, const struct attr_change *change);

/* attr_times -- convert utimensat's pair in the program's memory (NULL: both now) to a change; -EINVAL, -EFAULT. */
int attr_times(const struct timespec given[2], struct attr_change *change);

/* attr_owner -- the change that chown asks for. */
struct attr_change attr_owner(uid_t uid, gid_t gid);

/* attr_get_call, attr_set_call -- their calls, to be started by others; NULL without memory. */
struct call *attr_get_call(struct farnova *fs, struct proto_handle handle, struct proto_attr *attr);
struct call *attr_set_call(struct farnova *fs, struct proto_handle handle, struct farnova_file *open,
                           const struct attr_change *change, struct proto_attr *attr);

#endif
