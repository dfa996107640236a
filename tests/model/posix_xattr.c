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

/* ---- values ----------------------------------------------------------------------------------------------------- */

static size_t place(const struct node *node, const char *name, bool *found)
{
	size_t i = 0;

	while (i < node->xattr_count && strcmp(node->xattrs[i].name, name) < 0)
		i++;
	*found = i < node->xattr_count && strcmp(node->xattrs[i].name, name) == 0;
	return i;
}

const uint8_t *posix_xattr_value(const struct node *node, const char *name, size_t *length)
{
	bool found;
	size_t at = place(node, name, &found);

	if (!found)
		return NULL;
	*length = node->xattrs[at].length;
	return node->xattrs[at].value;
}

void posix_xattr_put(struct node *node, const char *name, const void *value, size_t length)
{
	uint8_t *copy = posix_duplicate(value, length);
	bool found;
	size_t at = place(node, name, &found);

	if (!found) {
		node->xattrs = posix_grown(node->xattrs, node->xattr_count, &node->xattr_room, sizeof(*node->xattrs));
		memmove(&node->xattrs[at + 1], &node->xattrs[at], (node->xattr_count - at) * sizeof(*node->xattrs));
		node->xattrs[at] = (struct xattr){.name = posix_duplicate(name, strlen(name) + 1)};
		node->xattr_count++;
	}
	free(node->xattrs[at].value);
	node->xattrs[at].value = copy;
	node->xattrs[at].length = length;
}

void posix_xattr_drop(struct node *node, const char *name)
{
	bool found;
	size_t at = place(node, name, &found);

	if (!found)
		return;
	free(node->xattrs[at].name);
	free(node->xattrs[at].value);
	node->xattr_count--;
	memmove(&node->xattrs[at], &node->xattrs[at + 1], (node->xattr_count - at) * sizeof(*node->xattrs));
}

/* ---- who may: xattr(7) ------------------------------------------------------------------------------------------ */

static bool has_prefix(const char *name, const char *prefix)
{
	return strncmp(name, prefix, strlen(prefix)) == 0;
}

/* user.* belongs to files and directories alone: the permission bits of others mean something else. */
static int may_use_user(const struct posix_model *model, const struct node *node, bool change)
{
	if (!S_ISREG(node->attr.mode) && !S_ISDIR(node->attr.mode))
		return change ? -EPERM : -ENODATA;
	if (change && S_ISDIR(node->attr.mode) && node->attr.mode & S_ISVTX && !posix_owns(model, node))
		return -EPERM;
	return posix_may(model, node, change ? MAY_WRITE : MAY_READ);
}

static int may_use_acl(const struct posix_model *model, const struct node *node, const char *name, bool change)
{
	if (S_ISLNK(node->attr.mode))
		return -EOPNOTSUPP;
	if (!S_ISDIR(node->attr.mode) && strcmp(name, "system.posix_acl_default") == 0)
		return change ? -EACCES : -ENODATA;
	return change && !posix_owns(model, node) ? -EPERM : 0;
}

static int may_use(const struct posix_model *model, const struct node *node, const char *name, bool change)
{
	if (change && posix_is_fixed(node))
		return -EPERM;
	if (has_prefix(name, "user."))
		return may_use_user(model, node, change);
	if (has_prefix(name, "trusted."))
		return posix_is_super(model) ? 0 : change ? -EPERM : -ENODATA;
	if (has_prefix(name, "security."))
		return posix_is_super(model) || !change ? 0 : -EPERM;
	return posix_acl_is(name) ? may_use_acl(model, node, name, change) : -EOPNOTSUPP;
}

/* ---- the calls -------------------------------------------------------------------------------------------------- */

static int set_plain(struct posix_model *model, struct node *node, const char *name, const void *value, size_t length,
                     int flags, int64_t now)
{
	uint64_t before = 0, after = value_blocks(name, length);
	size_t old;
	bool found = posix_xattr_value(node, name, &old);

	if (found && flags & XATTR_CREATE)
		return -EEXIST;
	if (!found && flags & XATTR_REPLACE)
		return -ENODATA;
	if (found)
		before = value_blocks(name, old);
	if (after > before && posix_project_room(model, node->attr.project, after - before, 0))
		return -EDQUOT;
	posix_xattr_put(node, name, value, length);
	node->attr.ctime_ns = now;
	return 0;
}

int posix_setxattr(struct posix_model *model, posix_ino ino, const char *name, const void *value, size_t length,
                   int flags, int64_t now)
{
	struct node *node = posix_node(model, ino);
	int rc;

	if (!node)
		return -ESTALE;
	if (flags & ~(XATTR_CREATE | XATTR_REPLACE))
		return -EINVAL;
	if (name[0] == '\0' || strlen(name) > XATTR_NAME_BYTES_MAX)
		return -ERANGE;
	if (length > XATTR_VALUE_BYTES_MAX)
		return -E2BIG;
	rc = may_use(model, node, name, true);
	if (rc)
		return rc;
	if (posix_acl_is(name))
		return posix_acl_set(model, node, name, value, length, now);
	return set_plain(model, node, name, value, length, flags, now);
}

ssize_t posix_getxattr(const struct posix_model *model, posix_ino ino, const char *name, void *value, size_t size)
{
	const struct node *node = posix_node(model, ino);
	const uint8_t *found;
	size_t length;
	int rc;

	if (!node)
		return -ESTALE;
	rc = may_use(model, node, name, false);
	if (rc)
		return rc;
	found = posix_xattr_value(node, name, &length);
	if (!found)
		return -ENODATA;
	if (size && size < length)
		return -ERANGE;
	if (size)
		memcpy(value, found, length);
	return (ssize_t)length;
}

ssize_t posix_listxattr(const struct posix_model *model, posix_ino ino, char *list, size_t size)
{
	const struct node *node = posix_node(model, ino);
	size_t length = 0;

	if (!node)
		return -ESTALE;
	for (size_t i = 0; i < node->xattr_count; i++) {
		size_t n = strlen(node->xattrs[i].name) + 1;

		/* CAP_SYS_ADMIN sees these, nobody else. */
		if (has_prefix(node->xattrs[i].name, "trusted.") && !posix_is_super(model))
			continue;
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
	size_t length;
	int rc = 0;

	if (!node)
		return -ESTALE;
	/* Whoever may write may take away what a write takes away. */
	if (strcmp(name, "security.capability") != 0 || !S_ISREG(node->attr.mode) ||
	    posix_may(model, node, MAY_WRITE) != 0)
		rc = may_use(model, node, name, true);
	if (rc)
		return rc;
	if (!posix_xattr_value(node, name, &length))
		return -ENODATA;
	posix_xattr_drop(node, name);
	node->attr.ctime_ns = now;
	return 0;
}
