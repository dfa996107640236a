/*
 * posix_attr.c -- attributes of the model: stat(2), chmod(2), chown(2), utimensat(2), truncate(2), chattr(1), and
 * access times.
 */
#include "tests/model/posix_internal.h"

#include <errno.h>
#include <sys/stat.h>

#define SET_TIMES_NOW (POSIX_SET_ATIME_NOW | POSIX_SET_MTIME_NOW)

#define DAY_NS (24LL * 3600 * 1000000000)

static uint32_t subdirectories(const struct posix_model *model, const struct node *dir)
{
	uint32_t count = 0;

	for (size_t i = 0; i < dir->name_count; i++)
		count += S_ISDIR(posix_node(model, dir->names[i].ino)->attr.mode);
	return count;
}

int posix_getattr(const struct posix_model *model, posix_ino ino, struct posix_attr *attr)
{
	const struct node *node = posix_node(model, ino);

	if (!node)
		return -ESTALE;
	*attr = node->attr;
	attr->blocks += posix_xattr_blocks(node);
	if (S_ISDIR(node->attr.mode) && node->attr.nlink)
		attr->nlink = 2 + subdirectories(model, node);
	return 0;
}

/* relatime of mount(8): earlier than or equal to the modify or change time, or a day old. */
static bool is_due(const struct posix_attr *attr, int64_t now)
{
	return attr->atime_ns <= attr->mtime_ns || attr->atime_ns <= attr->ctime_ns ||
	       (__int128)now - attr->atime_ns >= DAY_NS;
}

int posix_accessed(struct posix_model *model, posix_ino ino, bool relative, int64_t now)
{
	struct node *node = posix_node(model, ino);

	if (!node)
		return -ESTALE;
	if (!relative || is_due(&node->attr, now))
		node->attr.atime_ns = now;
	return 0;
}

/* ---- who may ---------------------------------------------------------------------------------------------------- */

/* utimensat(2): whoever may write may set both times to now, as truncate(2) does with one of them. To set one alone, be
 * it to now, takes more. */
static bool tells_times(unsigned mask)
{
	unsigned now = mask & SET_TIMES_NOW;

	if (mask & (POSIX_SET_ATIME | POSIX_SET_MTIME))
		return true;
	return now && now != SET_TIMES_NOW && !(now == POSIX_SET_MTIME_NOW && mask & POSIX_SET_SIZE);
}

static int flags_allow(const struct node *node, unsigned mask, bool as_write)
{
	const unsigned kept = (as_write ? 0 : POSIX_SET_MODE) | POSIX_SET_UID | POSIX_SET_GID | POSIX_SET_PROJECT;

	if ((mask & kept || tells_times(mask)) && posix_is_fixed(node))
		return -EPERM;
	if (mask & POSIX_SET_SIZE)
		return posix_may_change(node, false);
	return as_write || mask & SET_TIMES_NOW ? posix_may_change(node, true) : 0;
}

/* CAP_LINUX_IMMUTABLE; a project is the superuser's to give. */
static int may_set_flags(const struct posix_model *model, const struct node *node, unsigned mask,
                         const struct posix_attr *attr)
{
	uint32_t known = POSIX_IMMUTABLE | POSIX_APPEND_ONLY;

	if (mask & POSIX_SET_PROJECT && !posix_is_super(model))
		return -EPERM;
	if (!(mask & POSIX_SET_FLAGS))
		return 0;
	if (!S_ISREG(node->attr.mode) && !S_ISDIR(node->attr.mode))
		return -EOPNOTSUPP;
	if (S_ISDIR(node->attr.mode))
		known |= POSIX_PROJECT_INHERIT;
	if (attr->flags & ~known)
		return -EOPNOTSUPP;
	if (attr->flags != node->attr.flags && !posix_is_super(model))
		return -EPERM;
	return posix_owns(model, node) ? 0 : -EPERM;
}

/* CAP_CHOWN; an owner may give a file to a group of his. */
static int may_chown(const struct posix_model *model, const struct node *node, unsigned mask,
                     const struct posix_attr *attr)
{
	bool gives = mask & POSIX_SET_UID && attr->uid != node->attr.uid;
	bool regroups = mask & POSIX_SET_GID && attr->gid != node->attr.gid;

	if (!(mask & (POSIX_SET_UID | POSIX_SET_GID)) || posix_is_super(model))
		return 0;
	if (!posix_owns(model, node) || gives || (regroups && !posix_in_group(model, attr->gid)))
		return -EPERM;
	return 0;
}

static int may_set(const struct posix_model *model, const struct node *node, unsigned mask,
                   const struct posix_attr *attr)
{
	bool as_write = mask & POSIX_SET_MODE && posix_takes_set_ids(model, node, attr->mode);
	int rc = flags_allow(node, mask, as_write);

	if (!rc)
		rc = may_set_flags(model, node, mask, attr);
	if (!rc)
		rc = may_chown(model, node, mask, attr);
	if (!rc && mask & POSIX_SET_MODE && !posix_owns(model, node) && !as_write)
		rc = -EPERM;
	if (!rc && mask & POSIX_SET_MODE && S_ISLNK(node->attr.mode))
		rc = -EOPNOTSUPP;
	if (!rc && tells_times(mask) && !posix_owns(model, node))
		rc = -EPERM;
	if (!rc && mask & SET_TIMES_NOW && !tells_times(mask) && !posix_owns(model, node))
		rc = posix_may(model, node, MAY_WRITE);
	if (rc || !(mask & POSIX_SET_SIZE))
		return rc;
	if (!S_ISREG(node->attr.mode))
		return S_ISDIR(node->attr.mode) ? -EISDIR : -EINVAL;
	return posix_may_use(model, node, MAY_WRITE);
}

/* ---- setattr ---------------------------------------------------------------------------------------------------- */

static void set_owner(const struct posix_model *model, struct node *node, unsigned mask, const struct posix_attr *attr)
{
	if (mask & (POSIX_SET_UID | POSIX_SET_GID))
		posix_owner_changes(model, node);
	if (mask & POSIX_SET_UID)
		node->attr.uid = attr->uid;
	if (mask & POSIX_SET_GID)
		node->attr.gid = attr->gid;
}

static void set_mode(const struct posix_model *model, struct node *node, uint32_t mode)
{
	/* chmod(2): only a member of the group makes what runs with its rights. */
	if (!posix_is_super(model) && !posix_in_group(model, node->attr.gid))
		mode &= ~(uint32_t)S_ISGID;
	node->attr.mode = (node->attr.mode & S_IFMT) | (mode & 07777);
	posix_acl_chmod(node);
}

static void set_times(struct node *node, unsigned mask, const struct posix_attr *attr, int64_t now)
{
	if (mask & (POSIX_SET_SIZE | POSIX_SET_MTIME_NOW))
		node->attr.mtime_ns = now;
	if (mask & POSIX_SET_MTIME)
		node->attr.mtime_ns = attr->mtime_ns;
	if (mask & POSIX_SET_ATIME_NOW)
		node->attr.atime_ns = now;
	if (mask & POSIX_SET_ATIME)
		node->attr.atime_ns = attr->atime_ns;
	node->attr.ctime_ns = now;
}

int posix_setattr(struct posix_model *model, posix_ino ino, unsigned mask, const struct posix_attr *attr, int64_t now)
{
	struct node *node = posix_node(model, ino);
	int rc;

	if (!node)
		return -ESTALE;
	rc = may_set(model, node, mask, attr);
	if (rc || !mask)
		return rc;
	if (mask & POSIX_SET_SIZE) {
		posix_data_resize(node, attr->size);
		posix_contents_changed(model, node);
	}
	set_owner(model, node, mask, attr);
	if (mask & POSIX_SET_MODE)
		set_mode(model, node, attr->mode);
	if (mask & POSIX_SET_FLAGS)
		node->attr.flags = attr->flags;
	if (mask & POSIX_SET_PROJECT)
		node->attr.project = attr->project;
	set_times(node, mask, attr, now);
	return 0;
}
