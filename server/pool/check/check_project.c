/*
 * check_project.c -- adds up the usage of each project over the inodes, and collects its limits.
 */
#include "server/pool/check/check_internal.h"
#include "server/pool/image/image_checkpoint.h"

#include <string.h>

/* There are few projects, found in any order, so they are kept in an array sorted by number. */
static struct check_project *project_of(struct check *check, uint32_t id)
{
	size_t low = 0, high = check->project_count;
	struct check_project *projects;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (check->projects[middle].id < id)
			low = middle + 1;
		else
			high = middle;
	}
	if (low < check->project_count && check->projects[low].id == id)
		return &check->projects[low];
	projects = check_grow(check, check->projects, check->project_count, &check->project_room, sizeof(*projects));
	if (!projects)
		return NULL;
	check->projects = projects;
	memmove(&projects[low + 1], &projects[low], (check->project_count - low) * sizeof(*projects));
	check->project_count++;
	projects[low] = (struct check_project){.id = id};
	return &projects[low];
}

void check_project_use(struct check *check, uint32_t id, uint64_t blocks)
{
	struct check_project *project = id ? project_of(check, id) : NULL;

	if (!project)
		return;
	project->inodes++;
	project->blocks += blocks;
}

/* A limit as the checkpoint holds it: 0 = none. */
static uint64_t limit(le64 stored)
{
	return le64_get(stored) < (uint64_t)NOVA_QUOTA_NONE ? le64_get(stored) : 0;
}

void check_project_limits(struct check *check, const struct nova_quota_entry *quota, uint64_t line)
{
	struct check_project *project = project_of(check, le32_get(quota->project));

	if (!project)
		return;
	project->block_limit = limit(quota->blocks);
	project->inode_limit = limit(quota->inodes);
	project->line = line;
}

/* The checkpoint leaves out projects without inodes, limits and a QUOTA entry. */
void check_projects(struct check *check, const struct image_checkpoint_section *section)
{
	const uint8_t *at = section->payload, *end = at + section->length;
	struct nova_checkpoint_project record;
	size_t i = 0;

	if (section->length % sizeof(record)) {
		check_say(check, "saved", 0, 0, "the section of projects has %llu bytes",
		          (unsigned long long)section->length);
		return;
	}
	for (; at < end; at += sizeof(record), i++) {
		const struct check_project *project = i < check->project_count ? &check->projects[i] : NULL;

		memcpy(&record, at, sizeof(record));
		if (!project || le32_get(record.project) != project->id) {
			check_say(check, "saved", 0, 0, "it has project %u, but the logs have another one next",
			          le32_get(record.project));
			return;
		}
		if (le64_get(record.blocks) != project->blocks || le64_get(record.inodes) != project->inodes)
			check_say(check, "saved", 0, 0,
			          "it has project %u with %llu blocks and %llu inodes, but there are %llu and %llu",
			          project->id, (unsigned long long)le64_get(record.blocks),
			          (unsigned long long)le64_get(record.inodes), (unsigned long long)project->blocks,
			          (unsigned long long)project->inodes);
		if (le64_get(record.block_limit) != project->block_limit ||
		    le64_get(record.inode_limit) != project->inode_limit || le64_get(record.line) != project->line)
			check_say(check, "saved", 0, 0, "it has wrong limits of project %u", project->id);
	}
	if (i < check->project_count)
		check_say(check, "saved", 0, 0, "it leaves out project %u", check->projects[i].id);
}
