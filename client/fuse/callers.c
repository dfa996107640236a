/*
 * callers.c -- who makes a request: uid, gid and supplementary groups.
 */
#include "client/fuse/callers.h"

#include <errno.h>

#define GROUPS_MAX 1024 /* what the library takes */

/* The caller's groups into `groups`; how many. A caller that is gone has none. */
static uint32_t read_groups(fuse_req_t req, gid_t groups[GROUPS_MAX])
{
	/* pid 0: the kernel itself, writing pages back, or a process of another pid namespace. */
	int count = fuse_req_ctx(req)->pid ? fuse_req_getgroups(req, GROUPS_MAX, groups) : 0;

	if (count < 0)
		return 0;
	return count < GROUPS_MAX ? (uint32_t)count : GROUPS_MAX;
}

int callers_apply(struct farnova *fs, fuse_req_t req)
{
	const struct fuse_ctx *ctx = fuse_req_ctx(req);
	gid_t groups[GROUPS_MAX];
	struct farnova_cred cred = {.uid = ctx->uid, .gid = ctx->gid, .groups = groups};

	if (ctx->uid != 0)
		cred.group_count = read_groups(req, groups);
	return farnova_set_cred(fs, &cred) ? -errno : 0;
}
