/*
 * callers.c -- who makes a request: the credential behind (pid, uid, gid), with its supplementary groups.
 */
#include "client/fuse/callers.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SLOTS        64
#define KEEP_SECONDS 1.0
#define GROUPS_MAX   1024 /* what the library takes */

struct caller {
	pid_t pid;
	uid_t uid;
	gid_t gid;
	double read_at; /* 0: empty */
	int group_count;
	gid_t *groups;
};

static struct {
	pthread_mutex_t lock;
	struct caller slots[SLOTS];
} callers = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* What this thread's calls are made for, so that a row of requests of one process costs nothing. */
static __thread struct {
	struct farnova *fs;
	pid_t pid;
	uid_t uid;
	gid_t gid;
	double read_at;
} current;

static double seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* The caller's groups into `groups`; how many. A caller that is gone has none. */
static int read_groups(fuse_req_t req, gid_t groups[GROUPS_MAX])
{
	/* pid 0: the kernel itself, writing pages back, or a process of another pid namespace. */
	int count = fuse_req_ctx(req)->pid ? fuse_req_getgroups(req, GROUPS_MAX, groups) : 0;

	if (count < 0)
		return 0;
	return count < GROUPS_MAX ? count : GROUPS_MAX;
}

static void keep(struct caller *slot, const struct fuse_ctx *ctx, const gid_t *groups, int count, double now)
{
	gid_t *copy = NULL;

	if (count && !(copy = malloc((size_t)count * sizeof(*copy))))
		return;
	if (count)
		memcpy(copy, groups, (size_t)count * sizeof(*copy));
	free(slot->groups);
	*slot = (struct caller){
	    .pid = ctx->pid, .uid = ctx->uid, .gid = ctx->gid, .read_at = now, .group_count = count, .groups = copy};
}

static int find_groups(fuse_req_t req, const struct fuse_ctx *ctx, gid_t groups[GROUPS_MAX], double now)
{
	struct caller *slot = &callers.slots[((unsigned)ctx->pid * 2654435761u >> 16) % SLOTS];
	int count = -1;

	pthread_mutex_lock(&callers.lock);
	if (slot->read_at > 0 && slot->pid == ctx->pid && slot->uid == ctx->uid && slot->gid == ctx->gid &&
	    now - slot->read_at < KEEP_SECONDS) {
		count = slot->group_count;
		if (count)
			memcpy(groups, slot->groups, (size_t)count * sizeof(*groups));
	}
	pthread_mutex_unlock(&callers.lock);
	if (count >= 0)
		return count;

	count = read_groups(req, groups);
	pthread_mutex_lock(&callers.lock);
	keep(slot, ctx, groups, count, now);
	pthread_mutex_unlock(&callers.lock);
	return count;
}

int callers_apply(struct farnova *fs, fuse_req_t req)
{
	const struct fuse_ctx *ctx = fuse_req_ctx(req);
	gid_t groups[GROUPS_MAX];
	double now = seconds();

	if (current.fs == fs && current.pid == ctx->pid && current.uid == ctx->uid && current.gid == ctx->gid &&
	    now - current.read_at < KEEP_SECONDS)
		return 0;
	struct farnova_cred cred = {.uid = ctx->uid, .gid = ctx->gid, .groups = groups};
	cred.group_count = (uint32_t)find_groups(req, ctx, groups, now);
	current.fs = NULL;
	if (farnova_set_cred(fs, &cred))
		return -errno;
	current.fs = fs;
	current.pid = ctx->pid;
	current.uid = ctx->uid;
	current.gid = ctx->gid;
	current.read_at = now;
	return 0;
}
