/*
 * callers.h -- the credential of a request's caller: uid, gid and supplementary groups.
 *
 * The kernel sends uid and gid with each request. The groups are read from /proc for each request that needs them,
 * since a process may have dropped some just before. That costs 11 us of CPU time. The superuser's groups are not read:
 * they give no further rights.
 */
#ifndef FARNOVA_FUSE_CALLERS_H
#define FARNOVA_FUSE_CALLERS_H

#include "client/fuse/mount_state.h"

/* callers_apply -- set the credential of this thread's calls on `fs` to the caller of `req`. 0 or -errno. Thread
 * safe. */
int callers_apply(struct farnova *fs, fuse_req_t req);

#endif
