/*
 * posix_acl.c -- access control lists of the model, from acl(5).
 *
 * A list is kept as the value of its extended attribute. Whatever changes the mode or the list changes both, so that
 * always the entries that correspond to the mode say what it says.
 */
#include "tests/model/posix_internal.h"

#include <endian.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#define ACCESS      "system.posix_acl_access"
#define DEFAULT     "system.posix_acl_default"
#define ENTRIES_MAX 498u
#define NOBODY      UINT32_MAX

enum tag { USER_OBJ = 1, USER = 2, GROUP_OBJ = 4, GROUP = 8, MASK = 16, OTHER = 32 };

struct acl {
	struct {
		unsigned tag, permissions;
		uint32_t id;
	} entries[ENTRIES_MAX];
	unsigned count;
};

/* As include/uapi/linux/posix_acl_xattr.h has it, little-endian. */
struct raw_entry {
	uint16_t tag, permissions;
	uint32_t id;
};

bool posix_acl_is(const char *name)
{
	return strcmp(name, ACCESS) == 0 || strcmp(name, DEFAULT) == 0;
}

/* ---- form ------------------------------------------------------------------------------------------------------- */

/* How many entries with this tag there are from `at` on. */
static unsigned row(const struct acl *acl, unsigned at, enum tag tag)
{
	unsigned n = 0;

	while (at + n < acl->count && acl->entries[at + n].tag == tag)
		n++;
	return n;
}

/* One owner, any named users, one owning group, any named groups, a mask which there must be with anybody named, one
 * for all others. */
static bool is_valid(const struct acl *acl)
{
	unsigned users = row(acl, 1, USER);
	unsigned groups = row(acl, 2 + users, GROUP);
	unsigned masks = row(acl, 2 + users + groups, MASK);

	for (unsigned i = 0; i < acl->count; i++) {
		bool named = acl->entries[i].tag == USER || acl->entries[i].tag == GROUP;

		if (acl->entries[i].permissions > 7 || (named && acl->entries[i].id == NOBODY))
			return false;
	}
	return row(acl, 0, USER_OBJ) == 1 && row(acl, 1 + users, GROUP_OBJ) == 1 && masks <= 1 &&
	       (masks || users + groups == 0) && row(acl, 2 + users + groups + masks, OTHER) == 1 &&
	       acl->count == 3 + users + groups + masks;
}

/* No entries at all: there is to be no list. */
static int decode(const uint8_t *value, size_t length, struct acl *acl)
{
	uint32_t version;

	acl->count = 0;
	if (length == 0)
		return 0;
	if (length < sizeof(version) || (length - sizeof(version)) % sizeof(struct raw_entry))
		return -EINVAL;
	memcpy(&version, value, sizeof(version));
	if (le32toh(version) != 2)
		return -EOPNOTSUPP;
	if ((length - sizeof(version)) / sizeof(struct raw_entry) > ENTRIES_MAX)
		return -ENOSPC;
	for (size_t at = sizeof(version); at < length; at += sizeof(struct raw_entry)) {
		struct raw_entry raw;

		memcpy(&raw, value + at, sizeof(raw));
		acl->entries[acl->count].tag = le16toh(raw.tag);
		acl->entries[acl->count].permissions = le16toh(raw.permissions);
		acl->entries[acl->count++].id = le32toh(raw.id);
	}
	return acl->count && !is_valid(acl) ? -EINVAL : 0;
}

static bool load(const struct node *node, const char *name, struct acl *acl)
{
	size_t length;
	const uint8_t *value = posix_xattr_value(node, name, &length);

	return value && decode(value, length, acl) == 0;
}

static void store(struct node *node, const char *name, const struct acl *acl)
{
	uint8_t value[sizeof(uint32_t) + ENTRIES_MAX * sizeof(struct raw_entry)];
	uint32_t version = htole32(2);
	size_t length = sizeof(version);

	memcpy(value, &version, sizeof(version));
	for (unsigned i = 0; i < acl->count; i++, length += sizeof(struct raw_entry)) {
		struct raw_entry raw = {
		    .tag = htole16((uint16_t)acl->entries[i].tag),
		    .permissions = htole16((uint16_t)acl->entries[i].permissions),
		    .id = htole32(acl->entries[i].id),
		};

		memcpy(value + length, &raw, sizeof(raw));
	}
	posix_xattr_put(node, name, value, length);
}

/* ---- the mode ---------------------------------------------------------------------------------------------------- */

/* The entry that corresponds to a class of the mode: the group class has the mask where there is one. */
static unsigned *permissions_of(struct acl *acl, enum tag tag)
{
	unsigned *found = NULL;

	for (unsigned i = 0; i < acl->count; i++)
		if (acl->entries[i].tag == tag || (tag == GROUP_OBJ && acl->entries[i].tag == MASK))
			found = &acl->entries[i].permissions;
	return found;
}

static uint32_t mode_of(struct acl *acl)
{
	return *permissions_of(acl, USER_OBJ) << 6 | *permissions_of(acl, GROUP_OBJ) << 3 | *permissions_of(acl, OTHER);
}

static void set_mode(struct acl *acl, uint32_t mode)
{
	*permissions_of(acl, USER_OBJ) = mode >> 6 & 7;
	*permissions_of(acl, GROUP_OBJ) = mode >> 3 & 7;
	*permissions_of(acl, OTHER) = mode & 7;
}

/* A list of owner, group and others alone is the mode and nothing else. */
static bool is_minimal(const struct acl *acl)
{
	return acl->count == 3;
}

void posix_acl_chmod(struct node *node)
{
	struct acl acl;

	if (!load(node, ACCESS, &acl))
		return;
	set_mode(&acl, node->attr.mode);
	store(node, ACCESS, &acl);
}

int posix_acl_set(struct posix_model *model, struct node *node, const char *name, const void *value, size_t length,
                  int64_t now)
{
	bool access = strcmp(name, ACCESS) == 0;
	struct acl acl;
	size_t old;
	bool there = posix_xattr_value(node, name, &old);
	int rc = decode(value, length, &acl);

	if (rc)
		return rc;
	if (acl.count == 0 && !there)
		return 0;
	posix_xattr_drop(node, name);
	if (acl.count && (!access || !is_minimal(&acl)))
		store(node, name, &acl);
	if (acl.count && access) {
		node->attr.mode = (node->attr.mode & ~0777u) | mode_of(&acl);
		/* As chmod does. */
		if (!posix_is_super(model) && !posix_in_group(model, node->attr.gid))
			node->attr.mode &= ~(uint32_t)S_ISGID;
	}
	node->attr.ctime_ns = now;
	return 0;
}

/* ---- "OBJECT CREATION AND DEFAULT ACLs" -------------------------------------------------------------------------- */

bool posix_acl_inherit(const struct node *dir, struct node *node)
{
	struct acl acl;

	if (!load(dir, DEFAULT, &acl))
		return false;
	if (S_ISDIR(node->attr.mode))
		store(node, DEFAULT, &acl);
	set_mode(&acl, node->attr.mode & mode_of(&acl));
	node->attr.mode = (node->attr.mode & ~0777u) | mode_of(&acl);
	if (!is_minimal(&acl))
		store(node, ACCESS, &acl);
	return true;
}

/* ---- "ACCESS CHECK ALGORITHM" ------------------------------------------------------------------------------------ */

bool posix_acl_grants(const struct posix_model *model, const struct node *node, unsigned mask, bool *granted)
{
	struct acl acl;
	unsigned limit;
	bool in_group = false;

	if (!load(node, ACCESS, &acl))
		return false;
	limit = *permissions_of(&acl, GROUP_OBJ);
	*granted = false;
	for (unsigned i = 0; i < acl.count; i++)
		if (acl.entries[i].tag == USER && acl.entries[i].id == model->caller.uid) {
			*granted = (acl.entries[i].permissions & limit & mask) == mask;
			return true;
		}
	for (unsigned i = 0; i < acl.count; i++) {
		bool owning = acl.entries[i].tag == GROUP_OBJ;

		if (!owning && acl.entries[i].tag != GROUP)
			continue;
		if (!posix_in_group(model, owning ? node->attr.gid : acl.entries[i].id))
			continue;
		in_group = true;
		*granted |= (acl.entries[i].permissions & limit & mask) == mask;
	}
	if (!in_group)
		*granted = (*permissions_of(&acl, OTHER) & mask) == mask;
	return true;
}
