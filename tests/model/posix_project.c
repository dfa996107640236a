/*
 * posix_project.c -- projects of the model: counted anew whenever they are asked for.
 */
#include "tests/model/posix_internal.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

/* The one thing of its own that the core tells: a target longer than this takes a block. */
#define TARGET_INLINE_MAX 284u

uint64_t posix_target_blocks(uint64_t length)
{
	return length > TARGET_INLINE_MAX;
}

static uint64_t blocks_of(const struct node *node)
{
	uint64_t contents = S_ISLNK(node->attr.mode) ? posix_target_blocks(node->attr.size) : node->attr.blocks;

	return contents + posix_xattr_blocks(node);
}

static struct posix_project used_by(const struct posix_model *model, uint32_t id)
{
	struct posix_project project = {.id = id};

	for (size_t i = 0; i < model->project_count; i++)
		if (model->projects[i].id == id)
			project = model->projects[i];
	for (uint64_t i = 0; i < model->node_count; i++)
		if (model->nodes[i] && model->nodes[i]->attr.project == id) {
			project.inodes++;
			project.blocks += blocks_of(model->nodes[i]);
		}
	return project;
}

int posix_set_limits(struct posix_model *model, uint32_t id, uint64_t blocks, uint64_t inodes)
{
	size_t i = 0;

	if (!posix_is_super(model))
		return -EPERM;
	if (id == 0)
		return -EINVAL;
	while (i < model->project_count && model->projects[i].id != id)
		i++;
	if (i == model->project_count) {
		model->projects = posix_grown(model->projects, i, &model->project_room, sizeof(*model->projects));
		model->project_count++;
	}
	model->projects[i] = (struct posix_project){.id = id, .block_limit = blocks, .inode_limit = inodes};
	return 0;
}

int posix_project_room(const struct posix_model *model, uint32_t id, uint64_t blocks, uint64_t inodes)
{
	struct posix_project project = used_by(model, id);

	if (id == 0)
		return 0;
	if (blocks && project.block_limit && project.blocks + blocks > project.block_limit)
		return -EDQUOT;
	if (inodes && project.inode_limit && project.inodes + inodes > project.inode_limit)
		return -EDQUOT;
	return 0;
}

bool posix_project_passes_on(const struct node *dir)
{
	return dir->attr.flags & POSIX_PROJECT_INHERIT;
}

void posix_project_inherit(const struct node *dir, struct node *node)
{
	if (!posix_project_passes_on(dir))
		return;
	node->attr.project = dir->attr.project;
	if (S_ISDIR(node->attr.mode))
		node->attr.flags |= POSIX_PROJECT_INHERIT;
}

bool posix_next_project(const struct posix_model *model, uint32_t from, struct posix_project *out)
{
	uint64_t found = UINT64_MAX;

	for (size_t i = 0; i < model->project_count; i++)
		if (model->projects[i].id >= from && model->projects[i].id < found)
			found = model->projects[i].id;
	for (uint64_t i = 0; i < model->node_count; i++)
		if (model->nodes[i] && model->nodes[i]->attr.project && model->nodes[i]->attr.project >= from &&
		    model->nodes[i]->attr.project < found)
			found = model->nodes[i]->attr.project;
	if (found == UINT64_MAX)
		return false;
	*out = used_by(model, (uint32_t)found);
	return true;
}
