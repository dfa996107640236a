/*
 * callers.c -- the credential of a request's caller: uid, gid and supplementary groups.
 */
#include "client/fuse/callers.h"

#include <errno.h>

#define GROUPS_MAX 1024 /* the library's limit */

/* Read the caller's groups into `groups`; returns their number, 0 if the caller has exited. */
static uint32_t read_groups(fuse_req_t req, gid_t groups[GROUPS_MAX])
{
	/* pid 0: the kernel itself (writeback of pages), or a process of another pid namespace. */
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
