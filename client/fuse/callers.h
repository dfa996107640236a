/*
 * callers.h -- who makes a request: the credential behind (pid, uid, gid), with its supplementary groups.
 *
 * The kernel tells uid and gid; the groups must be read from /proc, which takes longer than many requests. So they are
 * kept for a second for each (pid, uid, gid). Thread safe.
 */
#ifndef FARNOVA_FUSE_CALLERS_H
#define FARNOVA_FUSE_CALLERS_H

#include "client/fuse/mount_state.h"

/* callers_apply -- make this thread's calls on `fs` for the caller of `req`. 0 or -errno. */
int callers_apply(struct farnova *fs, fuse_req_t req);

#endif
