/*
 * acl_remote.c -- the ACLs of a file on a server.
 */
#include "client/cli/acl_remote.h"

#include <errno.h>

#define ACCESS  "system.posix_acl_access"
#define DEFAULT "system.posix_acl_default"

static int load(struct farnova *fs, const char *path, const char *name, struct acl *acl)
{
	static char value[ACL_VALUE_MAX];
	ssize_t length = farnova_getxattr(fs, path, name, value, sizeof(value));

	acl->count = 0;
	if (length < 0)
		return errno == ENODATA ? 0 : -1;
	int error = length ? acl_decode(value, (size_t)length, acl) : 0;
	errno = -error;
	return error ? -1 : 0;
}

int acl_load(struct farnova *fs, const char *path, const struct stat *st, struct file_acls *acls)
{
	acls->defaults.count = 0;
	if (load(fs, path, ACCESS, &acls->access))
		return -1;
	if (acls->access.count == 0)
		acl_of_mode(st->st_mode, &acls->access);
	return S_ISDIR(st->st_mode) ? load(fs, path, DEFAULT, &acls->defaults) : 0;
}

static int store(struct farnova *fs, const char *path, const char *name, const struct acl *acl)
{
	static char value[ACL_VALUE_MAX];

	return farnova_setxattr(fs, path, name, value, acl_encode(acl, value), 0);
}

int acl_store_access(struct farnova *fs, const char *path, const struct acl *acl)
{
	return store(fs, path, ACCESS, acl);
}

int acl_store_defaults(struct farnova *fs, const char *path, const struct acl *acl)
{
	if (acl->count)
		return store(fs, path, DEFAULT, acl);
	return farnova_removexattr(fs, path, DEFAULT) && errno != ENODATA ? -1 : 0;
}
