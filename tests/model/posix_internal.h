/*
 * posix_internal.h -- the inodes of the model, shared by its own files.
 */
#ifndef FARNOVA_TESTS_MODEL_POSIX_INTERNAL_H
#define FARNOVA_TESTS_MODEL_POSIX_INTERNAL_H

#include "tests/model/posix_model.h"

/* A block of a file. Without bytes it is allocated but unwritten, and reads as zeros. */
struct block {
	uint64_t index;
	uint8_t *bytes; /* POSIX_BLOCK of them, or NULL */
};

struct name {
	char *text;
	size_t length;
	posix_ino ino;
};

struct xattr {
	char *name;
	uint8_t *value;
	size_t length;
};

struct node {
	posix_ino ino;
	struct posix_attr attr; /* nlink: names, of a directory too; size, blocks and the rest as they are told */
	unsigned pins;
	bool linkable;    /* has no name yet: posix_link may give it its first */
	posix_ino parent; /* directories */
	uint64_t number;  /* as the file system under test calls it */
	uint32_t generation;
	struct name *names; /* directories: in byte order */
	size_t name_count, name_room;
	struct block *blocks; /* files: by index */
	size_t block_count, block_room;
	struct xattr *xattrs; /* by name */
	size_t xattr_count, xattr_room;
	char *target; /* symlinks */
};

struct posix_model {
	struct node **nodes; /* by number; NULL where the life has ended */
	uint64_t node_count, node_room;
	struct posix_project *projects; /* of those that were given limits; only these are set */
	size_t project_count, project_room;
};

/* posix_node -- NULL if there is none (any more). */
struct node *posix_node(const struct posix_model *model, posix_ino ino);

/* posix_grown -- an array with room for one more than `count`. */
void *posix_grown(void *array, size_t count, size_t *room, size_t size);
/* posix_memory -- zeroed, never NULL. */
void *posix_memory(size_t size);
void *posix_duplicate(const void *bytes, size_t size);

/* Of posix_data.c. */
void posix_data_free(struct node *node);
void posix_data_copy(struct node *copy, const struct node *node);
void posix_data_resize(struct node *node, uint64_t size);
void posix_data_digest(const struct node *node, struct listing_digest *digest);

/* Of posix_project.c. */
/* posix_project_room -- -EDQUOT if the project may not have so many more. */
int posix_project_room(const struct posix_model *model, uint32_t id, uint64_t blocks, uint64_t inodes);
bool posix_project_passes_on(const struct node *dir);
void posix_project_inherit(const struct node *dir, struct node *node);

/* Of posix_xattr.c. */
void posix_xattr_free(struct node *node);
void posix_xattr_copy(struct node *copy, const struct node *node);
uint64_t posix_xattr_blocks(const struct node *node);
void posix_xattr_digest(const struct node *node, struct listing_digest *digest);

#endif
