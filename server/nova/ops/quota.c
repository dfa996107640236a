/*
 * quota.c -- sets and reports the limits of projects, which are in the root directory's log.
 */
#include "server/nova/change/txn.h"

#include "server/nova/inode/inode.h"
#include "server/nova/inode/perm.h"
#include "server/nova/space/project.h"
#include "server/nova/space/worker.h"

#include <errno.h>
#include <string.h>

static void tell(const struct project *project, struct nova_quota *out)
{
	*out = (struct nova_quota){
	    .project = project_id(project),
	    .block_limit = project_limit(project, PROJECT_BLOCKS),
	    .inode_limit = project_limit(project, PROJECT_INODES),
	    .blocks = project_used(project, PROJECT_BLOCKS),
	    .inodes = project_used(project, PROJECT_INODES),
	};
}

int nova_quota_get(struct nova *fs, uint32_t project, bool next, struct nova_quota *out)
{
	const struct project *found = project ? project_next(fs, project) : next ? project_next(fs, 1) : NULL;

	if (found && (next || project_id(found) == project)) {
		tell(found, out);
		return 0;
	}
	if (next)
		return -ENOENT;
	*out = (struct nova_quota){.project = project};
	return project ? 0 : -EINVAL;
}

bool nova_quota_full(const struct nova_call *call, struct nova_handle file)
{
	CLEANUP_UNLOCK struct nova_inode *inode = NULL;
	const struct project *project;
	uint64_t limit;

	if (inode_read(call->worker, file, false, &inode))
		return false;
	project = inode->space.quota;
	limit = project ? project_limit(project, PROJECT_BLOCKS) : 0;
	return limit && project_used(project, PROJECT_BLOCKS) >= limit;
}

int nova_quota_set(const struct nova_call *call, uint32_t project_number, uint64_t block_limit, uint64_t inode_limit)
{
	const uint64_t limits[PROJECT_KINDS] = {block_limit, inode_limit};
	struct nova_worker *worker = call->worker;
	CLEANUP_UNLOCK struct nova_inode *root = NULL;
	struct project *project;
	struct entry_buffer buffer;
	struct nova_entry *entry = entry_start(&buffer, NOVA_ENTRY_QUOTA);
	struct nova_quota_entry *quota = ENTRY_PAYLOAD(nova_quota_entry, entry);
	uint64_t line;
	struct txn txn;
	int rc;

	if (!cred_super(call->cred))
		return -EPERM;
	if (!project_number)
		return -EINVAL;
	rc = inode_write(worker, worker->fs->root, true, &root);
	if (rc)
		return rc;
	project = project_find(worker->fs, project_number);
	if (!project)
		return -ENOMEM;
	txn_start(&txn, call);
	txn_effect(&txn, 0, 0);
	quota->project = le32_of(project_number);
	quota->blocks = le64_of(block_limit);
	quota->inodes = le64_of(inode_limit);
	quota->time_ns = le64_of((uint64_t)txn.now);
	rc = txn_entry(&txn, txn_log(&txn, root, ALLOC_FREES), entry, NULL, &line);
	if (rc) {
		txn_drop(&txn);
		return rc;
	}
	txn_commit(&txn);
	*project_line(project) = line;
	project_set_limits(project, limits);
	return 0;
}
