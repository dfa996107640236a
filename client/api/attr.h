/*
 * attr.h -- attributes between the protocol's form and POSIX's, and the calls that get or set them by handle.
 */
#ifndef FARNOVA_CLIENT_ATTR_H
#define FARNOVA_CLIENT_ATTR_H

#include "client/session/call.h"

/* attr_stat -- as struct stat; st_dev is made from the pool's UUID. attr_give_stat -- the same in the program's memory;
 * -EFAULT. */
void attr_stat(const struct farnova *fs, const struct proto_attr *attr, struct stat *st);
int attr_give_stat(const struct farnova *fs, const struct proto_attr *attr, struct stat *st);

/* attr_give_statx -- the same with what else is known, as much as `size` says. attr_statx_size -- the size that the caller
 * has set; -EINVAL if that is less than `least`. */
int attr_statx_size(const struct farnova_statx *out, size_t least, size_t *size);
int attr_give_statx(const struct farnova *fs, const struct proto_attr *attr, struct farnova_statx *out, size_t size);

/* attr_receive -- a `receive` for replies that are attributes: `result` is a struct proto_attr. */
int attr_receive(struct farnova *fs, struct call *call, const struct proto_reply *reply);

int attr_get(struct farnova *fs, struct proto_handle handle, struct proto_attr *attr);

/* What SETATTR is to set; the protocol's masks. */
struct attr_change {
	uint32_t mask;
	uint32_t mode, uid, gid, flags, project;
	uint64_t size;
	int64_t atime_ns, mtime_ns;
};

/* attr_set -- `open` may be NULL; else a file open for writing, which allows a change of the size. */
int attr_set(struct farnova *fs, struct proto_handle handle, struct farnova_file *open,
             const struct attr_change *change, struct proto_attr *attr);

/* attr_times -- utimensat's pair in the program's memory (NULL: both now) as a change; -EINVAL, -EFAULT. */
int attr_times(const struct timespec given[2], struct attr_change *change);

#endif
