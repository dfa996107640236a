/*
 * acl_eval.c -- POSIX access control lists.
 */
#include "server/nova/inode/acl_eval.h"

#include "server/nova/inode/cred.h"

#include <errno.h>
#include <string.h>

#define ACL_VERSION 2u

/* The format of a value; the value has no alignment. */
struct acl_head {
	le32 version;
};

struct acl_item {
	le16 tag;
	le16 permissions;
	le32 id; /* of a named user or group, else UINT32_MAX */
};

enum acl_tag {
	ACL_OWNER = 0x01,
	ACL_USER = 0x02,
	ACL_OWNING_GROUP = 0x04,
	ACL_GROUP = 0x08,
	ACL_MASK = 0x10,
	ACL_OTHER = 0x20,
};

static struct acl_item item_at(const struct acl *acl, uint32_t i)
{
	struct acl_item item;

	memcpy(&item, acl->value + sizeof(struct acl_head) + i * sizeof item, sizeof item);
	return item;
}

/* ---- form ------------------------------------------------------------------------------------------------------- */

/* The order is: owner, named users, owning group, named groups, mask, others. Owner, owning group and others are there
 * exactly once, the mask at most once, and exactly once if there are named users or groups. */
static int check_items(struct acl *acl)
{
	unsigned last = 0;
	unsigned seen = 0;

	for (uint32_t i = 0; i < acl->count; i++) {
		struct acl_item item = item_at(acl, i);
		unsigned tag = le16_get(item.tag);

		if (le16_get(item.permissions) & ~7u || tag < last)
			return -EINVAL;
		switch (tag) {
		case ACL_USER:
		case ACL_GROUP:
			if (le32_get(item.id) == UINT32_MAX)
				return -EINVAL;
			break;
		case ACL_OWNER:
		case ACL_OWNING_GROUP:
		case ACL_MASK:
		case ACL_OTHER:
			if (seen & tag)
				return -EINVAL;
			break;
		default:
			return -EINVAL;
		}
		last = tag;
		seen |= tag;
	}
	acl->has_mask = seen & ACL_MASK;
	if ((seen & (ACL_OWNER | ACL_OWNING_GROUP | ACL_OTHER)) != (ACL_OWNER | ACL_OWNING_GROUP | ACL_OTHER))
		return -EINVAL;
	return seen & (ACL_USER | ACL_GROUP) && !acl->has_mask ? -EINVAL : 0;
}

int acl_parse(const void *value, size_t size, struct acl *acl)
{
	struct acl_head head;

	*acl = (struct acl){.value = value, .size = size};
	if (size == 0)
		return 0;
	if (size < sizeof head || (size - sizeof head) % sizeof(struct acl_item))
		return -EINVAL;
	memcpy(&head, value, sizeof head);
	if (le32_get(head.version) != ACL_VERSION)
		return -EOPNOTSUPP;
	acl->count = (uint32_t)((size - sizeof head) / sizeof(struct acl_item));
	return acl->count ? check_items(acl) : 0;
}

struct acl acl_of_entry(const struct nova_entry *entry)
{
	struct acl acl = {
	    .value = entry_xattr_value(entry),
	    .size = le32_get(ENTRY_CONST_PAYLOAD(nova_xattr_entry, entry)->value_length),
	};

	acl.count = (uint32_t)((acl.size - sizeof(struct acl_head)) / sizeof(struct acl_item));
	for (uint32_t i = 0; i < acl.count; i++)
		acl.has_mask |= le16_get(item_at(&acl, i).tag) == ACL_MASK;
	return acl;
}

/* ---- meaning ---------------------------------------------------------------------------------------------------- */

/* The mask is the group bits of the mode: they limit the item. */
static bool grants(const struct acl_item *item, const struct acl_subject *subject, unsigned mask)
{
	return !(mask & ~(le16_get(item->permissions) & (unsigned)subject->mode >> 3) & 7);
}

int acl_check(const struct nova_cred *cred, const struct acl_subject *subject, unsigned mask)
{
	const struct acl acl = acl_of_entry(subject->entry);
	bool in_a_group = false;

	for (uint32_t i = 0; i < acl.count; i++) {
		const struct acl_item item = item_at(&acl, i);
		unsigned tag = le16_get(item.tag);

		if (tag == ACL_USER && le32_get(item.id) == cred->uid)
			return grants(&item, subject, mask) ? 0 : -EACCES;
		/* One group that grants all of `mask` is enough. A member of any of these groups is not one of the
		 * "others". */
		if (tag == ACL_OWNING_GROUP || tag == ACL_GROUP) {
			if (!cred_in_group(cred, tag == ACL_GROUP ? le32_get(item.id) : subject->gid))
				continue;
			if (grants(&item, subject, mask))
				return 0;
			in_a_group = true;
		}
	}
	return in_a_group || mask & ~(unsigned)subject->mode & 7 ? -EACCES : 0;
}

/* The bits of the mode that an item stands for, as the shift to them; -1 if it stands for none. */
static int mode_shift(const struct acl *acl, unsigned tag)
{
	switch (tag) {
	case ACL_OWNER:
		return 6;
	case ACL_OWNING_GROUP:
		return acl->has_mask ? -1 : 3;
	case ACL_MASK:
		return 3;
	case ACL_OTHER:
		return 0;
	default:
		return -1;
	}
}

uint16_t acl_mode(const struct acl *acl, uint16_t mode)
{
	mode &= (uint16_t)~0777;
	for (uint32_t i = 0; i < acl->count; i++) {
		const struct acl_item item = item_at(acl, i);
		int shift = mode_shift(acl, le16_get(item.tag));

		if (shift >= 0)
			mode |= (uint16_t)(le16_get(item.permissions) << shift);
	}
	return mode;
}

void acl_show(const struct acl *acl, uint16_t mode, uint8_t *out)
{
	memcpy(out, acl->value, acl->size);
	for (uint32_t i = 0; i < acl->count; i++) {
		struct acl_item item = item_at(acl, i);
		int shift = mode_shift(acl, le16_get(item.tag));

		if (shift < 0)
			continue;
		item.permissions = le16_of(mode >> shift & 7);
		memcpy(out + sizeof(struct acl_head) + i * sizeof item, &item, sizeof item);
	}
}

bool acl_inherit(const struct acl *list, uint32_t *mode)
{
	*mode &= acl_mode(list, 0) | ~0777u;
	return list->has_mask;
}
