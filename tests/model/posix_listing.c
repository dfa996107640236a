/*
 * posix_listing.c -- lists the tree of the model.
 */
#include "tests/model/posix_internal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define DEPTH_MAX 128u

static void list_node(const struct posix_model *model, const struct node *node, struct listing *listing, char *path,
                      size_t length, unsigned depth)
{
	struct listing_inode line = {
	    .number = node->number,
	    .generation = node->generation,
	};
	struct posix_attr attr;

	posix_getattr(model, node->ino, &attr);
	line.mode = attr.mode;
	line.nlink = attr.nlink;
	line.uid = attr.uid;
	line.gid = attr.gid;
	line.rdev = attr.rdev;
	line.flags = attr.flags;
	line.project = attr.project;
	line.size = attr.size;
	line.blocks = attr.blocks;
	line.atime_ns = attr.atime_ns;
	line.mtime_ns = attr.mtime_ns;
	line.ctime_ns = attr.ctime_ns;
	line.btime_ns = attr.btime_ns;
	if (node->target)
		listing_digest_bytes(&line.contents, 0, node->target, attr.size);
	posix_data_digest(node, &line.contents);
	posix_xattr_digest(node, &line.xattrs);
	listing_add(listing, path, &line);
	if (depth == DEPTH_MAX) {
		listing_failure(listing, path, "descent", -ELOOP);
		return;
	}
	for (size_t i = 0; i < node->name_count; i++) {
		const struct name *name = &node->names[i];

		path[length] = '/';
		memcpy(path + length + 1, name->text, name->length);
		path[length + 1 + name->length] = '\0';
		list_node(model, posix_node(model, name->ino), listing, path, length + 1 + name->length, depth + 1);
	}
	path[length] = '\0';
}

void posix_list(const struct posix_model *model, struct listing *listing)
{
	char path[(DEPTH_MAX + 1) * (NAME_BYTES_MAX + 1)] = "";
	struct posix_project project;

	list_node(model, model->nodes[0], listing, path, 0, 0);
	for (uint32_t id = 1; posix_next_project(model, id, &project); id = project.id + 1)
		listing_add_project(listing, &(struct listing_project){project.id, project.blocks, project.block_limit,
		                                                       project.inodes, project.inode_limit});
}

void posix_list_nameless(const struct posix_model *model, posix_ino ino, const char *path, struct listing *listing)
{
	char buffer[(DEPTH_MAX + 1) * (NAME_BYTES_MAX + 1)];
	const struct node *node = posix_node(model, ino);

	if (!node || node->attr.nlink)
		return;
	snprintf(buffer, sizeof(buffer), "%s", path);
	list_node(model, node, listing, buffer, strlen(buffer), 0);
}
