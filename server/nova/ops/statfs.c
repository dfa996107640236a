/*
 * statfs.c -- total and free space of the file system and of a project.
 */
#include "server/nova/inode/inode.h"

#include "server/nova/change/client_table.h"
#include "server/nova/space/alloc.h"
#include "server/nova/space/project.h"
#include "server/nova/space/slots.h"
#include "server/nova/space/worker.h"

#include <string.h>

void nova_statfs(struct nova *fs, struct nova_statfs *out)
{
	int64_t inodes = __atomic_load_n(&fs->inodes, __ATOMIC_RELAXED);

	for (uint32_t i = 0; i < NOVA_JOURNAL_RINGS; i++) {
		struct nova_worker *worker = __atomic_load_n(&fs->workers[i], __ATOMIC_ACQUIRE);

		if (worker)
			inodes += __atomic_load_n(&worker->inodes, __ATOMIC_RELAXED);
	}
	memset(out, 0, sizeof *out);
	out->blocks = fs->usable_blocks;
	out->free_blocks = alloc_free_total(fs) + nova_dead_blocks(fs);
	out->available_blocks = alloc_available_total(fs) + nova_dead_blocks(fs);
	out->inodes = inodes > 0 ? (uint64_t)inodes : 0;
	memcpy(out->uuid, fs->uuid, sizeof out->uuid);
	memcpy(out->label, fs->label, sizeof out->label);
	out->dram_bytes = sizeof *fs + incore_bytes(fs) + slots_bytes(fs) + alloc_bytes(fs) + client_table_bytes(fs);
}

/* As in XFS, the file system seems as large as the project's limit, so `df` in its directory shows that limit. */
static void narrow(uint64_t limit, uint64_t used, uint64_t *total, uint64_t *left)
{
	uint64_t rest = limit > used ? limit - used : 0;

	if (!limit)
		return;
	if (limit < *total)
		*total = limit;
	if (rest < *left)
		*left = rest;
}

int nova_statfs_at(const struct nova_call *call, struct nova_handle file, struct nova_statfs *out)
{
	CLEANUP_UNLOCK struct nova_inode *inode = NULL;
	int rc = inode_read(call->worker, file, false, &inode);

	if (rc)
		return rc;
	nova_statfs(call->worker->fs, out);
	if (inode->space.quota) {
		out->inode_limit = project_limit(inode->space.quota, PROJECT_INODES);
		if (project_limit(inode->space.quota, PROJECT_BLOCKS) || out->inode_limit)
			out->inodes = project_used(inode->space.quota, PROJECT_INODES);
		narrow(project_limit(inode->space.quota, PROJECT_BLOCKS),
		       project_used(inode->space.quota, PROJECT_BLOCKS), &out->blocks, &out->free_blocks);
		if (out->available_blocks > out->free_blocks)
			out->available_blocks = out->free_blocks;
	}
	return 0;
}
