/*
 * posix_names.c -- directories of the model: names are looked up, made, removed and renamed.
 */
#include "tests/model/posix_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define TARGET_BYTES_MAX 4095u

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
	node = posix_new_node(model, mode, now);
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
	node = posix_new_node(model, S_IFREG | (mode & 07777), now);
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
	posix_end_if_unused(model, node);
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
		posix_end_if_unused(model, replaced);
	return 0;
}
