/*
 * posix_internal.h -- the inodes of the model, shared by its own files.
 */
#ifndef FARNOVA_TESTS_MODEL_POSIX_INTERNAL_H
#define FARNOVA_TESTS_MODEL_POSIX_INTERNAL_H

#include "tests/model/posix_model.h"

#define NAME_BYTES_MAX 255u

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
	struct posix_caller caller;
	struct node **nodes; /* by number; NULL where the life has ended */
	uint64_t node_count, node_room;
	struct posix_project *projects; /* of those that were given limits; only these are set */
	size_t project_count, project_room;
};

/* posix_node -- NULL if there is none (any more). */
struct node *posix_node(const struct posix_model *model, posix_ino ino);
/* posix_new_node -- one without a name. posix_end_if_unused -- a nameless inode that nobody has pinned ends. */
struct node *posix_new_node(struct posix_model *model, uint32_t mode, int64_t now);
void posix_end_if_unused(struct posix_model *model, struct node *node);

/* posix_grown -- an array with room for one more than `count`. */
void *posix_grown(void *array, size_t count, size_t *room, size_t size);
/* posix_memory -- zeroed, never NULL. */
void *posix_memory(size_t size);
void *posix_duplicate(const void *bytes, size_t size);

/* Of posix_data.c. */
void posix_data_free(struct node *node);
void posix_data_copy(struct node *copy, const struct node *node);
void posix_data_resize(struct node *node, uint64_t size);
bool posix_data_has_block(const struct node *node, uint64_t index);
void posix_data_digest(const struct node *node, struct listing_digest *digest);

/* Of posix_project.c. */
/* posix_project_room -- -EDQUOT if the project may not have so many more. */
int posix_project_room(const struct posix_model *model, uint32_t id, uint64_t blocks, uint64_t inodes);
bool posix_project_passes_on(const struct node *dir);
/* posix_target_blocks -- that a symbolic link's target has of its own. */
uint64_t posix_target_blocks(uint64_t length);
void posix_project_inherit(const struct node *dir, struct node *node);

/* Of posix_xattr.c. */
void posix_xattr_free(struct node *node);
void posix_xattr_copy(struct node *copy, const struct node *node);
uint64_t posix_xattr_blocks(const struct node *node);
void posix_xattr_digest(const struct node *node, struct listing_digest *digest);
/* posix_xattr_value -- NULL if there is none of that name. */
const uint8_t *posix_xattr_value(const struct node *node, const char *name, size_t *length);
/* posix_xattr_put, _drop -- whoever asks; an old value is replaced. */
void posix_xattr_put(struct node *node, const char *name, const void *value, size_t length);
void posix_xattr_drop(struct node *node, const char *name);

/* Of posix_perm.c. */
#define MAY_READ  4u
#define MAY_WRITE 2u
#define MAY_EXEC  1u

bool posix_is_super(const struct posix_model *model);
bool posix_in_group(const struct posix_model *model, uint32_t gid);
/* posix_owns -- the owner, or whoever may act as one. */
bool posix_owns(const struct posix_model *model, const struct node *node);
/* posix_may -- 0, -EACCES, or -EPERM to write what is immutable. */
int posix_may(const struct posix_model *model, const struct node *node, unsigned mask);
/* posix_may_use -- the same of a file's contents, which an open file may always. */
int posix_may_use(const struct posix_model *model, const struct node *node, unsigned mask);
/* posix_may_remove -- may the name of `node` leave `dir`? */
int posix_may_remove(const struct posix_model *model, const struct node *dir, const struct node *node);
/* posix_is_fixed -- attributes, names and links stay as they are. */
bool posix_is_fixed(const struct node *node);
/* posix_may_change -- 0 or -EPERM: contents, size and blocks of a file; `adds`: only something at its end. */
int posix_may_change(const struct node *node, bool adds);
/* posix_contents_changed, posix_owner_changes (before it does) -- what runs with a privilege is no longer what was given it. */
void posix_contents_changed(const struct posix_model *model, struct node *node);
void posix_owner_changes(const struct posix_model *model, struct node *node);
/* posix_takes_set_ids -- a new mode without bits that a write takes away, of one who may write: done as the write is. */
bool posix_takes_set_ids(const struct posix_model *model, const struct node *node, uint32_t mode);
/* posix_born -- owner, group and permissions of a new inode in `dir`. */
void posix_born(const struct posix_model *model, const struct node *dir, struct node *node);

/* Of posix_acl.c. */
bool posix_acl_is(const char *name);
/* posix_acl_set -- the ACL becomes what the value says. */
int posix_acl_set(struct posix_model *model, struct node *node, const char *name, const void *value, size_t length,
                  int64_t now);
/* posix_acl_grants -- whether there is an access ACL; and then whether it grants all of `mask` to a caller who is not
 * the owner. */
bool posix_acl_grants(const struct posix_model *model, const struct node *node, unsigned mask, bool *granted);
/* posix_acl_chmod -- the mode has changed. */
void posix_acl_chmod(struct node *node);
/* posix_acl_inherit -- what the default ACL of `dir` gives to a new inode with the mode that was asked for; false if
 * there is none. */
bool posix_acl_inherit(const struct node *dir, struct node *node);

#endif
