/*
 * callers.h -- who makes a request: uid, gid and supplementary groups.
 *
 * The kernel tells uid and gid with each request; the groups are read from /proc for each request that needs them,
 * since a process may have given some up a moment ago. That costs 11 us of CPU time. The superuser's are not asked for:
 * they allow him nothing more.
 */
#ifndef FARNOVA_FUSE_CALLERS_H
#define FARNOVA_FUSE_CALLERS_H

#include "client/fuse/mount_state.h"

/* callers_apply -- make this thread's calls on `fs` for the caller of `req`. 0 or -errno. Thread safe. */
int callers_apply(struct farnova *fs, fuse_req_t req);

#endif
