/*
 * xattr.c -- the operations on extended attributes, and their rules.
 */
#include "server/nova/ops/xattr.h"

#include "server/nova/inode/acl_eval.h"
#include "server/nova/inode/inode.h"
#include "server/nova/inode/perm.h"
#include "server/nova/space/worker.h"

#include <errno.h>
#include <string.h>

/* ---- names ------------------------------------------------------------------------------------------------------ */

/* Split a full name into space and rest. -ERANGE: the name is too long. */
static int parse_name(const char *text, size_t length, struct xattr_name *name)
{
	if (length < 1 || length > NOVA_XATTR_NAME_MAX)
		return -ERANGE;
	if (memchr(text, 0, length))
		return -EINVAL;
	for (unsigned space = NOVA_XATTR_USER; xattr_prefix(space); space++) {
		const char *prefix = xattr_prefix(space);
		size_t skip = strlen(prefix);
		bool whole = space == NOVA_XATTR_ACCESS || space == NOVA_XATTR_DEFAULT;

		if (length < skip || memcmp(text, prefix, skip) != 0 || (whole && length != skip))
			continue;
		if (!whole && length == skip)
			return -EINVAL;
		*name = (struct xattr_name){.space = space, .name = text + skip, .length = length - skip};
		return 0;
	}
	return -EOPNOTSUPP;
}

static bool is_acl(const struct xattr_name *name)
{
	return name->space == NOVA_XATTR_ACCESS || name->space == NOVA_XATTR_DEFAULT;
}

/* ---- who may ---------------------------------------------------------------------------------------------------- */

static int may_use_user(const struct nova_cred *cred, const struct nova_inode *inode, bool write)
{
	/* Of others everybody may write to the mode's liking: devices, pipes, sockets, whose mode speaks of what lies
	 * behind them, and symbolic links. Attributes there would be space without an owner. */
	if (!inode_is(inode, S_IFREG) && !inode_is(inode, S_IFDIR))
		return write ? -EPERM : -ENODATA;
	if (write && inode_is(inode, S_IFDIR) && inode->mode & S_ISVTX && perm_owner(cred, inode))
		return -EPERM;
	return perm_check(cred, inode, write ? PERM_WRITE : PERM_READ);
}

static int may_use_acl(const struct nova_cred *cred, const struct nova_inode *inode, const struct xattr_name *name,
                       bool write)
{
	if (inode_is(inode, S_IFLNK))
		return -EOPNOTSUPP;
	if (name->space == NOVA_XATTR_DEFAULT && !inode_is(inode, S_IFDIR))
		return write ? -EACCES : -ENODATA;
	return write ? perm_owner(cred, inode) : 0;
}

static const struct xattr_name capability = {.space = NOVA_XATTR_SECURITY, .name = "capability", .length = 10};

/* A caller with write access may remove what a write removes: a kernel does so before it writes for a user. */
static bool takes_capabilities(const struct nova_cred *cred, const struct nova_inode *inode,
                               const struct xattr_name *name)
{
	return name->space == capability.space && name->length == capability.length &&
	       memcmp(name->name, capability.name, capability.length) == 0 && inode_is(inode, S_IFREG) &&
	       perm_check(cred, inode, PERM_WRITE) == 0;
}

static int may_use(const struct nova_cred *cred, const struct nova_inode *inode, const struct xattr_name *name,
                   bool write)
{
	if (write && inode->flags & (NOVA_FLAG_IMMUTABLE | NOVA_FLAG_APPEND))
		return -EPERM;
	switch (name->space) {
	case NOVA_XATTR_USER:
		return may_use_user(cred, inode, write);
	case NOVA_XATTR_TRUSTED:
		return cred_super(cred) ? 0 : write ? -EPERM : -ENODATA;
	case NOVA_XATTR_SECURITY:
		return cred_super(cred) || !write ? 0 : -EPERM;
	default:
		return may_use_acl(cred, inode, name, write);
	}
}

/* ---- reading ---------------------------------------------------------------------------------------------------- */

ssize_t nova_getxattr(const struct nova_call *call, struct nova_handle file, const char *text, size_t length,
                      void *value, size_t size, uint64_t *change)
{
	struct nova *fs = call->worker->fs;
	CLEANUP_UNLOCK struct nova_inode *inode = NULL;
	const struct nova_entry *entry;
	struct xattr_name name;
	uint32_t value_length;
	int rc = parse_name(text, length, &name);

	if (!rc)
		rc = inode_read(call->worker, file, true, &inode);
	if (!rc)
		rc = may_use(call->cred, inode, &name, false);
	if (rc)
		return rc;
	entry = xattr_find(fs, inode, &name);
	if (!entry)
		return -ENODATA;
	if (change)
		*change = inode->log.tail;
	value_length = le32_get(ENTRY_CONST_PAYLOAD(nova_xattr_entry, entry)->value_length);
	if (size == 0)
		return value_length;
	if (size < value_length)
		return -ERANGE;
	if (name.space == NOVA_XATTR_ACCESS) {
		const struct acl acl = acl_of_entry(entry);

		acl_show(&acl, inode->mode, value);
	} else {
		rc = xattr_read(fs, inode, entry, value);
	}
	return rc ? rc : (ssize_t)value_length;
}

ssize_t nova_listxattr(const struct nova_call *call, struct nova_handle file, char *list, size_t size, uint64_t *change)
{
	CLEANUP_UNLOCK struct nova_inode *inode = NULL;
	size_t used = 0;
	int rc = inode_read(call->worker, file, true, &inode);

	if (rc)
		return rc;
	if (change)
		*change = inode->log.tail;
	for (uint32_t i = 0; i < xattr_count(inode); i++) {
		const struct nova_entry *entry = line_at(call->worker->fs, inode->xattrs->refs[i].line);
		const struct xattr_name name = xattr_entry_name(entry);
		size_t prefix = strlen(xattr_prefix(name.space));

		if (name.space == NOVA_XATTR_TRUSTED && !cred_super(call->cred))
			continue;
		if (size && prefix + name.length + 1 > size - used)
			return -ERANGE;
		if (size) {
			memcpy(list + used, xattr_prefix(name.space), prefix);
			memcpy(list + used + prefix, name.name, name.length);
			list[used + prefix + name.length] = 0;
		}
		used += prefix + name.length + 1;
	}
	return (ssize_t)used;
}

/* ---- changing --------------------------------------------------------------------------------------------------- */

/* One commit: the attribute, if it changes, and the mode, if that changes. */
static int commit(const struct nova_call *call, struct nova_inode *inode, struct xattr_change *change, uint16_t mode)
{
	struct nova_worker *worker = call->worker;
	struct log_append *log;
	struct txn txn;
	int rc;

	txn_start(&txn, call);
	txn_effect(&txn, 0, 0);
	/* A removal frees space, so it may use the reserve. */
	log = txn_log(&txn, inode, change && !change->value ? ALLOC_FREES : ALLOC_GROWS);
	rc = change ? xattr_append(worker, inode, log, change, txn.now) : 0;
	if (!rc && (mode != inode->mode || !change))
		rc = txn_attr(&txn, log, NOVA_ATTR_MODE, &(struct nova_attr_entry){.mode = le16_of(mode)});
	if (rc) {
		txn_drop(&txn);
		pm_fence(worker->fs->pm);
		if (change)
			xattr_drop(worker, change);
		return rc;
	}
	txn_commit(&txn);
	if (change) {
		xattr_show(worker, inode, change);
		incore_index_changed(worker->fs, inode);
	}
	inode->mode = mode;
	inode->ctime_ns = txn.now;
	return 0;
}

/* A change of the access ACL also changes the mode. An ACL without a mask adds nothing to the mode. */
static int set_acl(const struct nova_call *call, struct nova_inode *inode, const struct xattr_name *name,
                   const void *value, size_t size)
{
	bool there = xattr_find(call->worker->fs, inode, name);
	uint16_t mode = inode->mode;
	struct xattr_change change = {.name = *name};
	struct acl acl;
	int rc = acl_parse(value, size, &acl);

	if (rc)
		return rc;
	if (size > ACL_VALUE_MAX)
		return -ENOSPC;
	if (acl.count && name->space == NOVA_XATTR_ACCESS) {
		mode = acl_mode(&acl, mode);
		if (!cred_super(call->cred) && !cred_in_group(call->cred, inode->gid))
			mode &= (uint16_t)~S_ISGID;
	}
	if (acl.count && (name->space == NOVA_XATTR_DEFAULT || acl.has_mask)) {
		change.value = value;
		change.length = size;
	}
	if (!there && !change.value && !acl.count)
		return 0; /* none is wanted and none is there */
	return commit(call, inode, there || change.value ? &change : NULL, mode);
}

static int set_plain(const struct nova_call *call, struct nova_inode *inode, const struct xattr_name *name,
                     const void *value, size_t size, unsigned flags)
{
	bool there = xattr_find(call->worker->fs, inode, name);
	struct xattr_blob blob;
	struct xattr_change change = {.name = *name, .value = size ? value : "", .length = size, .blob = &blob};

	if (there && flags & NOVA_XATTR_CREATE)
		return -EEXIST;
	if (!there && flags & NOVA_XATTR_REPLACE)
		return -ENODATA;
	return commit(call, inode, &change, inode->mode);
}

int nova_setxattr(const struct nova_call *call, struct nova_handle file, const char *text, size_t length,
                  const void *value, size_t size, unsigned flags, struct nova_attr *attr)
{
	CLEANUP_UNLOCK struct nova_inode *inode = NULL;
	struct xattr_name name;
	int rc = flags & ~(NOVA_XATTR_CREATE | NOVA_XATTR_REPLACE) ? -EINVAL : parse_name(text, length, &name);

	if (!rc && size > NOVA_XATTR_VALUE_MAX)
		rc = -E2BIG;
	if (!rc)
		rc = inode_write(call->worker, file, true, &inode);
	if (!rc)
		rc = may_use(call->cred, inode, &name, true);
	if (!rc)
		rc = is_acl(&name) ? set_acl(call, inode, &name, value, size)
		                   : set_plain(call, inode, &name, value, size, flags);
	if (!rc && attr)
		inode_attr(inode, attr);
	return rc;
}

int nova_removexattr(const struct nova_call *call, struct nova_handle file, const char *text, size_t length,
                     struct nova_attr *attr)
{
	CLEANUP_UNLOCK struct nova_inode *inode = NULL;
	struct xattr_change change = {0};
	int rc = parse_name(text, length, &change.name);

	if (!rc)
		rc = inode_write(call->worker, file, true, &inode);
	if (!rc && !takes_capabilities(call->cred, inode, &change.name))
		rc = may_use(call->cred, inode, &change.name, true);
	if (!rc && !xattr_find(call->worker->fs, inode, &change.name))
		rc = -ENODATA;
	if (!rc)
		rc = commit(call, inode, &change, inode->mode);
	if (!rc && attr)
		inode_attr(inode, attr);
	return rc;
}

/* ---- birth ------------------------------------------------------------------------------------------------------ */

static void birth_add(struct xattr_birth *birth, enum nova_xattr_space space, const struct acl *acl)
{
	birth->changes[birth->count++] = (struct xattr_change){
	    .name = {.space = space, .name = ""},
	    .value = acl->value,
	    .length = acl->size,
	};
}

void xattr_inherit(const struct nova_call *call, const struct nova_inode *dir, uint32_t *mode,
                   struct xattr_birth *birth)
{
	static const struct xattr_name name = {.space = NOVA_XATTR_DEFAULT, .name = ""};
	const struct nova_entry *entry;
	struct acl acl;

	birth->count = 0;
	if (S_ISLNK(*mode))
		return;
	entry = xattr_find(call->worker->fs, dir, &name);
	if (!entry) {
		*mode &= ~(call->umask & 0777);
		return;
	}
	/* The lists are copied from the directory's entry, which stays while the directory is locked. Of the access
	 * ACL's entries those that the mode stands for are the mode's, whatever they say here. */
	acl = acl_of_entry(entry);
	if (acl_inherit(&acl, mode))
		birth_add(birth, NOVA_XATTR_ACCESS, &acl);
	if (S_ISDIR(*mode))
		birth_add(birth, NOVA_XATTR_DEFAULT, &acl);
}

/* ---- privileges ------------------------------------------------------------------------------------------------- */

bool xattr_has_privileges(const struct nova *fs, const struct nova_inode *inode)
{
	return inode->xattrs && xattr_find(fs, inode, &capability);
}

int xattr_append_unprivileged(struct txn *txn, struct nova_inode *inode, struct log_append *log)
{
	struct xattr_change change = {.name = capability};

	return xattr_append(txn->worker, inode, log, &change, txn->now);
}

void xattr_show_unprivileged(struct nova_worker *worker, struct nova_inode *inode)
{
	struct xattr_change change = {.name = capability};

	xattr_show(worker, inode, &change);
	incore_index_changed(worker->fs, inode);
}
