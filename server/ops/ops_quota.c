/*
 * ops_quota.c -- limits of projects: QUOTA_GET, QUOTA_SET.
 */
#include "server/ops/ops.h"
#include "server/ops/request.h"
#include "server/state/state.h"

int op_quota_get(struct request *rq)
{
	struct nova_quota quota;

	int rc = nova_quota_get(rq->shared->nova, rq->in->quota_get.project, rq->in->quota_get.flags & PROTO_QUOTA_NEXT,
	                        &quota);
	if (rc < 0)
		return rc;
	rq->out->quota.project = quota.project;
	rq->out->quota.blocks = quota.blocks;
	rq->out->quota.block_limit = quota.block_limit;
	rq->out->quota.inodes = quota.inodes;
	rq->out->quota.inode_limit = quota.inode_limit;
	return 0;
}

int op_quota_set(struct request *rq)
{
	return nova_quota_set(&rq->call, rq->in->quota_set.project, rq->in->quota_set.block_limit,
	                      rq->in->quota_set.inode_limit);
}
