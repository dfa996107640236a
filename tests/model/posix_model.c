/*
 * posix_model.c -- the model's memory, inodes and pins.
 */
#include "tests/model/posix_internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* ---- memory ---------------------------------------------------------------------------------------------------- */

static void *checked(void *memory)
{
	if (!memory) {
		fprintf(stderr, "posix_model: out of memory\n");
		abort();
	}
	return memory;
}

void *posix_grown(void *array, size_t count, size_t *room, size_t size)
{
	if (count < *room)
		return array;
	*room = *room * 2 + 4;
	return checked(reallocarray(array, *room, size));
}

void *posix_memory(size_t size)
{
	return checked(calloc(1, size ? size : 1));
}

void *posix_duplicate(const void *bytes, size_t size)
{
	void *copy = posix_memory(size);

	if (size)
		memcpy(copy, bytes, size);
	return copy;
}

/* ---- inodes ---------------------------------------------------------------------------------------------------- */

struct node *posix_node(const struct posix_model *model, posix_ino ino)
{
	return ino.n < model->node_count ? model->nodes[ino.n] : NULL;
}

struct node *posix_new_node(struct posix_model *model, uint32_t mode, int64_t now)
{
	struct node *node = posix_memory(sizeof(*node));

	model->nodes = posix_grown(model->nodes, model->node_count, &model->node_room, sizeof(struct node *));
	node->ino.n = model->node_count;
	model->nodes[model->node_count++] = node;
	node->attr = (struct posix_attr){
	    .mode = mode,
	    .atime_ns = now,
	    .mtime_ns = now,
	    .ctime_ns = now,
	    .btime_ns = now,
	};
	return node;
}

static void free_node(struct node *node)
{
	for (size_t i = 0; i < node->name_count; i++)
		free(node->names[i].text);
	free(node->names);
	free(node->target);
	posix_data_free(node);
	posix_xattr_free(node);
	free(node);
}

static struct node *copy_node(const struct node *node)
{
	struct node *copy = posix_duplicate(node, sizeof(*node));

	copy->names = posix_duplicate(node->names, node->name_count * sizeof(*node->names));
	copy->name_room = node->name_count;
	for (size_t i = 0; i < node->name_count; i++)
		copy->names[i].text = posix_duplicate(node->names[i].text, node->names[i].length);
	if (node->target)
		copy->target = posix_duplicate(node->target, node->attr.size);
	posix_data_copy(copy, node);
	posix_xattr_copy(copy, node);
	return copy;
}

struct posix_model *posix_new(uint32_t root_mode, int64_t now)
{
	struct posix_model *model = posix_memory(sizeof(*model));
	struct node *root = posix_new_node(model, S_IFDIR | (root_mode & 07777), now);

	root->attr.nlink = 1;
	root->parent = root->ino;
	return model;
}

struct posix_model *posix_copy(const struct posix_model *model)
{
	struct posix_model *copy = posix_memory(sizeof(*copy));

	copy->caller = model->caller;
	copy->node_count = copy->node_room = model->node_count;
	copy->nodes = posix_memory(model->node_count * sizeof(struct node *));
	for (uint64_t i = 0; i < model->node_count; i++)
		if (model->nodes[i])
			copy->nodes[i] = copy_node(model->nodes[i]);
	copy->projects = posix_duplicate(model->projects, model->project_count * sizeof(*model->projects));
	copy->project_count = copy->project_room = model->project_count;
	return copy;
}

void posix_free(struct posix_model *model)
{
	if (!model)
		return;
	for (uint64_t i = 0; i < model->node_count; i++)
		if (model->nodes[i])
			free_node(model->nodes[i]);
	free(model->nodes);
	free(model->projects);
	free(model);
}

posix_ino posix_root(const struct posix_model *model)
{
	return (posix_ino){0};
}

void posix_name_inode(struct posix_model *model, posix_ino ino, uint64_t number, uint32_t generation)
{
	struct node *node = posix_node(model, ino);

	if (!node)
		return;
	node->number = number;
	node->generation = generation;
}

void posix_inode_name(const struct posix_model *model, posix_ino ino, uint64_t *number, uint32_t *generation)
{
	const struct node *node = posix_node(model, ino);

	*number = node ? node->number : 0;
	*generation = node ? node->generation : 0;
}

void posix_end_if_unused(struct posix_model *model, struct node *node)
{
	if (node->attr.nlink || node->pins)
		return;
	model->nodes[node->ino.n] = NULL;
	free_node(node);
}

/* ---- pins ------------------------------------------------------------------------------------------------------ */

int posix_open(struct posix_model *model, posix_ino ino)
{
	struct node *node = posix_node(model, ino);

	if (!node)
		return -ESTALE;
	node->pins++;
	return 0;
}

int posix_close(struct posix_model *model, posix_ino ino)
{
	struct node *node = posix_node(model, ino);

	if (!node)
		return -ESTALE;
	if (node->pins == 0)
		return -EINVAL;
	node->pins--;
	if (node->ino.n != posix_root(model).n)
		posix_end_if_unused(model, node);
	return 0;
}

void posix_restart(struct posix_model *model)
{
	for (uint64_t i = 0; i < model->node_count; i++)
		if (model->nodes[i])
			model->nodes[i]->pins = 0;
}

int posix_reclaim(struct posix_model *model)
{
	int ended = 0;

	for (uint64_t i = 1; i < model->node_count; i++) {
		struct node *node = model->nodes[i];

		if (!node || node->attr.nlink || node->pins)
			continue;
		posix_end_if_unused(model, node);
		ended++;
	}
	return ended;
}

uint64_t posix_orphans(const struct posix_model *model)
{
	uint64_t count = 0;

	for (uint64_t i = 1; i < model->node_count; i++)
		count += model->nodes[i] && model->nodes[i]->attr.nlink == 0;
	return count;
}
