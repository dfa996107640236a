/*
 * posix_xattr.c -- extended attributes of the model.
 */
#include "tests/model/posix_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#define XATTR_NAME_BYTES_MAX  255u
#define XATTR_VALUE_BYTES_MAX 65536u

void posix_xattr_free(struct node *node)
{
	for (size_t i = 0; i < node->xattr_count; i++) {
		free(node->xattrs[i].name);
		free(node->xattrs[i].value);
	}
	free(node->xattrs);
}

void posix_xattr_copy(struct node *copy, const struct node *node)
{
	copy->xattrs = posix_duplicate(node->xattrs, node->xattr_count * sizeof(*node->xattrs));
	copy->xattr_room = node->xattr_count;
	for (size_t i = 0; i < node->xattr_count; i++) {
		copy->xattrs[i].name = posix_duplicate(node->xattrs[i].name, strlen(node->xattrs[i].name) + 1);
		copy->xattrs[i].value = posix_duplicate(node->xattrs[i].value, node->xattrs[i].length);
	}
}

void posix_xattr_digest(const struct node *node, struct listing_digest *digest)
{
	for (size_t i = 0; i < node->xattr_count; i++)
		listing_digest_xattr(digest, node->xattrs[i].name, node->xattrs[i].value, node->xattrs[i].length);
}

/* A long value lies in blocks of its own. */
static uint64_t value_blocks(const char *name, size_t length)
{
	if (strlen(strchr(name, '.') + 1) + length <= POSIX_XATTR_INLINE)
		return 0;
	return (length + POSIX_BLOCK - 1) / POSIX_BLOCK;
}

uint64_t posix_xattr_blocks(const struct node *node)
{
	uint64_t blocks = 0;

	for (size_t i = 0; i < node->xattr_count; i++)
		blocks += value_blocks(node->xattrs[i].name, node->xattrs[i].length);
	return blocks;
}

/* user.* belongs to files and directories alone: the permission bits of others mean something else (xattr(7)). */
static bool user_refused(const struct node *node, const char *name)
{
	return strncmp(name, "user.", 5) == 0 && !S_ISREG(node->attr.mode) && !S_ISDIR(node->attr.mode);
}

static size_t place(const struct node *node, const char *name, bool *found)
{
	size_t i = 0;

	while (i < node->xattr_count && strcmp(node->xattrs[i].name, name) < 0)
		i++;
	*found = i < node->xattr_count && strcmp(node->xattrs[i].name, name) == 0;
	return i;
}

int posix_setxattr(struct posix_model *model, posix_ino ino, const char *name, const void *value, size_t length,
                   int flags, int64_t now)
{
	struct node *node = posix_node(model, ino);
	uint64_t before, after;
	bool found;
	size_t at;

	if (!node)
		return -ESTALE;
	if (flags & ~(XATTR_CREATE | XATTR_REPLACE))
		return -EINVAL;
	if (name[0] == '\0' || strlen(name) > XATTR_NAME_BYTES_MAX)
		return -ERANGE;
	if (length > XATTR_VALUE_BYTES_MAX)
		return -E2BIG;
	if (user_refused(node, name))
		return -EPERM;
	at = place(node, name, &found);
	if (found && flags & XATTR_CREATE)
		return -EEXIST;
	if (!found && flags & XATTR_REPLACE)
		return -ENODATA;
	before = found ? value_blocks(name, node->xattrs[at].length) : 0;
	after = value_blocks(name, length);
	if (after > before && posix_project_room(model, node->attr.project, after - before, 0))
		return -EDQUOT;
	if (!found) {
		node->xattrs = posix_grown(node->xattrs, node->xattr_count, &node->xattr_room, sizeof(*node->xattrs));
		memmove(&node->xattrs[at + 1], &node->xattrs[at], (node->xattr_count - at) * sizeof(*node->xattrs));
		node->xattrs[at] = (struct xattr){.name = posix_duplicate(name, strlen(name) + 1)};
		node->xattr_count++;
	}
	free(node->xattrs[at].value);
	node->xattrs[at].value = posix_duplicate(value, length);
	node->xattrs[at].length = length;
	node->attr.ctime_ns = now;
	return 0;
}

ssize_t posix_getxattr(const struct posix_model *model, posix_ino ino, const char *name, void *value, size_t size)
{
	const struct node *node = posix_node(model, ino);
	bool found;
	size_t at;

	if (!node)
		return -ESTALE;
	at = place(node, name, &found);
	if (!found)
		return -ENODATA;
	if (size && size < node->xattrs[at].length)
		return -ERANGE;
	if (size)
		memcpy(value, node->xattrs[at].value, node->xattrs[at].length);
	return (ssize_t)node->xattrs[at].length;
}

ssize_t posix_listxattr(const struct posix_model *model, posix_ino ino, char *list, size_t size)
{
	const struct node *node = posix_node(model, ino);
	size_t length = 0;

	if (!node)
		return -ESTALE;
	for (size_t i = 0; i < node->xattr_count; i++) {
		size_t n = strlen(node->xattrs[i].name) + 1;

		if (size && length + n > size)
			return -ERANGE;
		if (size)
			memcpy(list + length, node->xattrs[i].name, n);
		length += n;
	}
	return (ssize_t)length;
}

int posix_removexattr(struct posix_model *model, posix_ino ino, const char *name, int64_t now)
{
	struct node *node = posix_node(model, ino);
	bool found;
	size_t at;

	if (!node)
		return -ESTALE;
	if (user_refused(node, name))
		return -EPERM;
	at = place(node, name, &found);
	if (!found)
		return -ENODATA;
	free(node->xattrs[at].name);
	free(node->xattrs[at].value);
	node->xattr_count--;
	memmove(&node->xattrs[at], &node->xattrs[at + 1], (node->xattr_count - at) * sizeof(*node->xattrs));
	node->attr.ctime_ns = now;
	return 0;
}
