/*
 * posix_model.c -- inodes and names of the model.
 */
#include "tests/model/posix_internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define NAME_BYTES_MAX   255u
#define TARGET_BYTES_MAX 4095u
#define DEPTH_MAX        128u

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

static struct node *new_node(struct posix_model *model, uint32_t mode, int64_t now)
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
	struct node *root = new_node(model, S_IFDIR | (root_mode & 07777), now);

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

/* A nameless inode that nobody has pinned ends. */
static void end_if_unused(struct posix_model *model, struct node *node)
{
	if (node->attr.nlink || node->pins)
		return;
	model->nodes[node->ino.n] = NULL;
	free_node(node);
}

/* ---- directories ----------------------------------------------------------------------------------------------- */

static bool is_dir(const struct node *node)
{
	return S_ISDIR(node->attr.mode);
}

static int compare_names(const char *a, size_t a_length, const char *b, size_t b_length)
{
	int order = memcmp(a, b, a_length < b_length ? a_length : b_length);

	if (order)
		return order;
	return a_length < b_length ? -1 : a_length > b_length;
}

/* Where the name is or would be. */
static size_t name_place(const struct node *dir, const char *name, size_t length, bool *found)
{
	size_t low = 0, high = dir->name_count;

	*found = false;
	while (low < high) {
		size_t middle = (low + high) / 2;
		int order = compare_names(dir->names[middle].text, dir->names[middle].length, name, length);

		if (order == 0) {
			*found = true;
			return middle;
		}
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static struct node *find_name(const struct posix_model *model, const struct node *dir, const char *name, size_t length)
{
	bool found;
	size_t at = name_place(dir, name, length, &found);

	return found ? posix_node(model, dir->names[at].ino) : NULL;
}

static void add_name(struct node *dir, const char *name, size_t length, struct node *node, int64_t now)
{
	bool found;
	size_t at = name_place(dir, name, length, &found);

	dir->names = posix_grown(dir->names, dir->name_count, &dir->name_room, sizeof(*dir->names));
	memmove(&dir->names[at + 1], &dir->names[at], (dir->name_count - at) * sizeof(*dir->names));
	dir->names[at] = (struct name){posix_duplicate(name, length), length, node->ino};
	dir->name_count++;
	node->attr.nlink++;
	if (is_dir(node))
		node->parent = dir->ino;
	dir->attr.mtime_ns = dir->attr.ctime_ns = now;
}

static void remove_name(struct node *dir, const char *name, size_t length, struct node *node, int64_t now)
{
	bool found;
	size_t at = name_place(dir, name, length, &found);

	free(dir->names[at].text);
	dir->name_count--;
	memmove(&dir->names[at], &dir->names[at + 1], (dir->name_count - at) * sizeof(*dir->names));
	node->attr.nlink--;
	dir->attr.mtime_ns = dir->attr.ctime_ns = node->attr.ctime_ns = now;
}

static int check_name(const char *name, size_t length)
{
	if (length > NAME_BYTES_MAX)
		return -ENAMETOOLONG;
	if (length == 0 || memchr(name, '/', length) || memchr(name, 0, length))
		return -EINVAL;
	if (name[0] == '.' && (length == 1 || (length == 2 && name[1] == '.')))
		return -EINVAL;
	return 0;
}

/* A directory that is there. */
static int get_dir(const struct posix_model *model, posix_ino ino, struct node **dir)
{
	*dir = posix_node(model, ino);
	if (!*dir)
		return -ESTALE;
	return is_dir(*dir) ? 0 : -ENOTDIR;
}

/* A directory in which the caller may make names. */
static int get_dir_for_names(const struct posix_model *model, posix_ino ino, struct node **dir)
{
	int rc = get_dir(model, ino, dir);

	if (!rc && (*dir)->attr.nlink == 0)
		rc = -ENOENT;
	return rc ? rc : posix_may(model, *dir, MAY_WRITE | MAY_EXEC);
}

/* One that can have another name. That there is one already is told to whoever may look. */
static int get_dir_for_name(const struct posix_model *model, posix_ino ino, const char *name, size_t length,
                            struct node **dir)
{
	int rc = check_name(name, length);

	if (rc)
		return rc;
	rc = get_dir_for_names(model, ino, dir);
	if (rc == -ESTALE || rc == -ENOTDIR || rc == -ENOENT)
		return rc;
	if (find_name(model, *dir, name, length) && posix_may(model, *dir, MAY_EXEC) == 0)
		return -EEXIST;
	return rc;
}

int posix_lookup(const struct posix_model *model, posix_ino ino, const char *name, size_t length, posix_ino *out)
{
	struct node *dir;
	struct node *node;
	int rc = get_dir(model, ino, &dir);

	if (!rc)
		rc = posix_may(model, dir, MAY_EXEC);
	if (rc)
		return rc;
	if (length == 0)
		return -ENOENT;
	if (length > NAME_BYTES_MAX)
		return -ENAMETOOLONG;
	if (length == 1 && name[0] == '.') {
		*out = ino;
		return 0;
	}
	if (length == 2 && name[0] == '.' && name[1] == '.') {
		*out = dir->parent;
		return dir->attr.nlink ? 0 : -ENOENT;
	}
	node = find_name(model, dir, name, length);
	if (!node)
		return -ENOENT;
	*out = node->ino;
	return 0;
}

int posix_each_name(const struct posix_model *model, posix_ino ino,
                    bool (*each)(void *context, const char *name, size_t length, posix_ino ino), void *context)
{
	struct node *dir;
	int rc = get_dir(model, ino, &dir);

	if (!rc)
		rc = posix_may_use(model, dir, MAY_READ);
	for (size_t i = 0; rc == 0 && i < dir->name_count; i++)
		if (!each(context, dir->names[i].text, dir->names[i].length, dir->names[i].ino))
			break;
	return rc;
}

bool posix_find_name(const struct posix_model *model, posix_ino ino, posix_ino *dir, char *name)
{
	for (uint64_t n = 0; n < model->node_count; n++) {
		const struct node *node = model->nodes[n];

		for (size_t i = 0; node && i < node->name_count; i++) {
			if (node->names[i].ino.n != ino.n)
				continue;
			*dir = node->ino;
			memcpy(name, node->names[i].text, node->names[i].length);
			name[node->names[i].length] = '\0';
			return true;
		}
	}
	return false;
}

/* ---- making and removing names --------------------------------------------------------------------------------- */

/* `blocks`: that it begins with. */
static int make(struct posix_model *model, posix_ino ino, const char *name, size_t length, uint32_t mode,
                uint64_t blocks, int64_t now, struct node **out)
{
	struct node *dir;
	struct node *node;
	int rc = get_dir_for_name(model, ino, name, length, &dir);

	if (!rc && posix_project_passes_on(dir))
		rc = posix_project_room(model, dir->attr.project, blocks, 1);
	if (rc)
		return rc;
	node = new_node(model, mode, now);
	posix_project_inherit(dir, node);
	posix_born(model, dir, node);
	add_name(dir, name, length, node, now);
	*out = node;
	return 0;
}

static int make_type(uint32_t *mode)
{
	*mode &= S_IFMT | 07777;
	switch (*mode & S_IFMT) {
	case 0:
		*mode |= S_IFREG;
		return 0;
	case S_IFREG:
	case S_IFDIR:
	case S_IFIFO:
	case S_IFSOCK:
	case S_IFCHR:
	case S_IFBLK:
		return 0;
	default:
		return -EINVAL;
	}
}

int posix_make(struct posix_model *model, posix_ino dir, const char *name, size_t length, uint32_t mode, uint32_t rdev,
               int64_t now, posix_ino *out)
{
	struct node *node;
	int rc = make_type(&mode);

	/* CAP_MKNOD */
	if (!rc && (S_ISCHR(mode) || S_ISBLK(mode)) && !posix_is_super(model))
		rc = -EPERM;
	if (!rc)
		rc = make(model, dir, name, length, mode, 0, now, &node);
	if (rc)
		return rc;
	if (S_ISCHR(mode) || S_ISBLK(mode))
		node->attr.rdev = rdev;
	if (out)
		*out = node->ino;
	return 0;
}

int posix_symlink(struct posix_model *model, posix_ino dir, const char *name, size_t length, const char *target,
                  size_t target_length, int64_t now, posix_ino *out)
{
	struct node *node;
	int rc = 0;

	if (target_length > TARGET_BYTES_MAX)
		return -ENAMETOOLONG;
	if (target_length == 0)
		return -ENOENT;
	if (memchr(target, 0, target_length))
		return -EINVAL;
	rc = make(model, dir, name, length, S_IFLNK | 0777, posix_target_blocks(target_length), now, &node);
	if (rc)
		return rc;
	node->target = posix_duplicate(target, target_length);
	node->attr.size = target_length;
	if (out)
		*out = node->ino;
	return 0;
}

ssize_t posix_readlink(const struct posix_model *model, posix_ino ino, char *buffer, size_t size)
{
	const struct node *node = posix_node(model, ino);

	if (!node)
		return -ESTALE;
	if (!S_ISLNK(node->attr.mode))
		return -EINVAL;
	memcpy(buffer, node->target, size < node->attr.size ? size : node->attr.size);
	return (ssize_t)node->attr.size;
}

int posix_tmpfile(struct posix_model *model, posix_ino ino, uint32_t mode, bool linkable, int64_t now, posix_ino *out)
{
	struct node *dir;
	struct node *node;
	int rc = get_dir_for_names(model, ino, &dir);

	if (!rc && posix_project_passes_on(dir))
		rc = posix_project_room(model, dir->attr.project, 0, 1);
	if (rc)
		return rc;
	node = new_node(model, S_IFREG | (mode & 07777), now);
	posix_project_inherit(dir, node);
	posix_born(model, dir, node);
	node->pins = 1;
	node->linkable = linkable;
	if (out)
		*out = node->ino;
	return 0;
}

int posix_link(struct posix_model *model, posix_ino file, posix_ino ino, const char *name, size_t length, int64_t now)
{
	struct node *node = posix_node(model, file);
	struct node *dir;
	int rc = check_name(name, length);

	if (rc)
		return rc;
	if (!node)
		return -ESTALE;
	rc = get_dir_for_name(model, ino, name, length, &dir);
	if (rc)
		return rc;
	if (is_dir(node))
		return -EPERM;
	if (node->attr.nlink == 0 && !node->linkable)
		return -ENOENT;
	if (posix_is_fixed(node))
		return -EPERM;
	if (posix_project_passes_on(dir) && dir->attr.project != node->attr.project)
		return -EXDEV;
	add_name(dir, name, length, node, now);
	node->linkable = false;
	node->attr.ctime_ns = now;
	return 0;
}

static int remove_any(struct posix_model *model, posix_ino ino, const char *name, size_t length, bool rmdir,
                      int64_t now)
{
	struct node *dir;
	struct node *node;
	int rc = check_name(name, length);

	if (!rc)
		rc = get_dir(model, ino, &dir);
	if (!rc)
		rc = posix_may(model, dir, MAY_EXEC);
	if (rc)
		return rc;
	node = find_name(model, dir, name, length);
	if (!node)
		return -ENOENT;
	rc = posix_may_remove(model, dir, node);
	if (rc)
		return rc;
	if (rmdir != is_dir(node))
		return rmdir ? -ENOTDIR : -EISDIR;
	if (rmdir && node->name_count)
		return -ENOTEMPTY;
	remove_name(dir, name, length, node, now);
	end_if_unused(model, node);
	return 0;
}

int posix_unlink(struct posix_model *model, posix_ino dir, const char *name, size_t length, int64_t now)
{
	return remove_any(model, dir, name, length, false, now);
}

int posix_rmdir(struct posix_model *model, posix_ino dir, const char *name, size_t length, int64_t now)
{
	return remove_any(model, dir, name, length, true, now);
}

/* ---- rename ---------------------------------------------------------------------------------------------------- */

/* Whether `above` is `node` or a directory over it. */
static bool lies_under(const struct posix_model *model, const struct node *node, const struct node *above)
{
	while (node && node != above && node->parent.n != node->ino.n)
		node = posix_node(model, node->parent);
	return node == above;
}

/* A directory must not come to lie under itself, nor replace one over it. */
static int places_allow(const struct posix_model *model, const struct node *from_dir, const struct node *moved,
                        const struct node *to_dir, const struct node *replaced, unsigned flags)
{
	if (is_dir(moved) && lies_under(model, to_dir, moved))
		return -EINVAL;
	if (replaced && is_dir(replaced) && lies_under(model, from_dir, replaced))
		return flags & POSIX_EXCHANGE ? -EINVAL : -ENOTEMPTY;
	return 0;
}

/* To give a directory another parent is to write to it. */
static int may_move(const struct posix_model *model, const struct node *from_dir, const struct node *node,
                    const struct node *to_dir)
{
	int rc = posix_may_remove(model, from_dir, node);

	if (!rc && is_dir(node) && from_dir != to_dir)
		rc = posix_may(model, node, MAY_WRITE);
	if (!rc && to_dir->attr.nlink == 0)
		rc = -ENOENT;
	return rc ? rc : posix_may(model, to_dir, MAY_WRITE | MAY_EXEC);
}

static int may_replace(const struct posix_model *model, const struct node *to_dir, const struct node *replaced,
                       const struct node *moved)
{
	int rc = posix_may_remove(model, to_dir, replaced);

	if (rc)
		return rc;
	if (is_dir(replaced) != is_dir(moved))
		return is_dir(replaced) ? -EISDIR : -ENOTDIR;
	return is_dir(replaced) && replaced->name_count ? -ENOTEMPTY : 0;
}

static int may_rename(const struct posix_model *model, const struct node *from_dir, const struct node *moved,
                      const struct node *to_dir, const struct node *replaced, unsigned flags)
{
	int rc = places_allow(model, from_dir, moved, to_dir, replaced, flags);

	if (!rc)
		rc = may_move(model, from_dir, moved, to_dir);
	if (!rc && replaced)
		rc = flags & POSIX_EXCHANGE ? may_move(model, to_dir, replaced, from_dir)
		                            : may_replace(model, to_dir, replaced, moved);
	if (rc)
		return rc;
	if (posix_project_passes_on(to_dir) && to_dir->attr.project != moved->attr.project)
		return -EXDEV;
	if (flags & POSIX_EXCHANGE && posix_project_passes_on(from_dir) &&
	    from_dir->attr.project != replaced->attr.project)
		return -EXDEV;
	return 0;
}

int posix_rename(struct posix_model *model, posix_ino from_ino, const char *from, size_t from_length, posix_ino to_ino,
                 const char *to, size_t to_length, unsigned flags, int64_t now)
{
	struct node *from_dir;
	struct node *to_dir;
	struct node *moved;
	struct node *replaced;
	int rc = check_name(from, from_length);

	if (!rc)
		rc = check_name(to, to_length);
	if (!rc && (flags & ~(POSIX_NOREPLACE | POSIX_EXCHANGE) || flags == (POSIX_NOREPLACE | POSIX_EXCHANGE)))
		rc = -EINVAL;
	if (!rc && (!posix_node(model, from_ino) || !posix_node(model, to_ino)))
		rc = -ESTALE;
	if (!rc)
		rc = get_dir(model, from_ino, &from_dir);
	if (!rc)
		rc = get_dir(model, to_ino, &to_dir);
	if (!rc)
		rc = posix_may(model, from_dir, MAY_EXEC);
	if (!rc)
		rc = posix_may(model, to_dir, MAY_EXEC);
	if (rc)
		return rc;
	moved = find_name(model, from_dir, from, from_length);
	replaced = find_name(model, to_dir, to, to_length);
	if (!moved || (!replaced && flags & POSIX_EXCHANGE))
		return -ENOENT;
	if (replaced && flags & POSIX_NOREPLACE)
		return -EEXIST;
	if (moved == replaced)
		return 0;
	rc = may_rename(model, from_dir, moved, to_dir, replaced, flags);
	if (rc)
		return rc;
	remove_name(from_dir, from, from_length, moved, now);
	if (replaced)
		remove_name(to_dir, to, to_length, replaced, now);
	add_name(to_dir, to, to_length, moved, now);
	if (flags & POSIX_EXCHANGE)
		add_name(from_dir, from, from_length, replaced, now);
	else if (replaced)
		end_if_unused(model, replaced);
	return 0;
}

/* ---- pins -----------------------------------------------------------------------------------------------------------
 */

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
		end_if_unused(model, node);
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
		end_if_unused(model, node);
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

/* ---- listing --------------------------------------------------------------------------------------------------- */

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
