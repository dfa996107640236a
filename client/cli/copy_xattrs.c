/*
 * copy_xattrs.c -- copies extended attributes and ACLs from one file to another.
 */
#include "client/cli/copy_xattrs.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define ACCESS    "system.posix_acl_access"
#define DEFAULT   "system.posix_acl_default"
#define VALUE_MAX 65536

static bool starts(const char *name, const char *prefix)
{
	return strncmp(name, prefix, strlen(prefix)) == 0;
}

static bool is_acl(const char *name)
{
	return strcmp(name, ACCESS) == 0 || strcmp(name, DEFAULT) == 0;
}

static bool is_wanted(const char *name)
{
	return starts(name, "user.") || starts(name, "trusted.") || is_acl(name) ||
	       strcmp(name, "security.capability") == 0;
}

/* Whether the copy may omit the attribute: the file system does not support it, or only a superuser may set it. */
static bool may_lack(const char *name, int error)
{
	if (error == -EOPNOTSUPP)
		return true;
	return error == -EPERM && (starts(name, "trusted.") || starts(name, "security."));
}

static bool failed(struct copy_xattrs_failure *failure, const struct endpoint *endpoint, const char *path, int error)
{
	*failure = (struct copy_xattrs_failure){endpoint, path, error};
	return false;
}

static bool copy_one(const struct endpoint *from, const char *source, const struct endpoint *to, const char *target,
                     bool follow, const char *name, char *value, struct copy_xattrs_failure *failure)
{
	ssize_t length = endpoint_getxattr(from, source, follow, name, value, VALUE_MAX);

	if (length == -ENODATA || length == -EOPNOTSUPP)
		return true; /* it was removed meanwhile, or is listed but not readable */
	if (length < 0)
		return failed(failure, from, source, (int)length);
	int error = endpoint_setxattr(to, target, follow, name, value, (size_t)length);
	return error && !may_lack(name, error) ? failed(failure, to, target, error) : true;
}

static bool remove_acl(const struct endpoint *to, const char *target, bool follow, const char *name,
                       struct copy_xattrs_failure *failure)
{
	int error = endpoint_removexattr(to, target, follow, name);

	return error && error != -ENODATA && error != -EOPNOTSUPP ? failed(failure, to, target, error) : true;
}

static bool copy_listed(const struct endpoint *from, const char *source, const struct endpoint *to, const char *target,
                        bool follow, mode_t bare, char *list, char *value, struct copy_xattrs_failure *failure)
{
	bool access = false, defaults = false, good = true;
	ssize_t length = endpoint_listxattr(from, source, follow, list, VALUE_MAX);

	if (length == -EOPNOTSUPP)
		length = 0;
	if (length < 0)
		return failed(failure, from, source, (int)length);
	for (const char *name = list; good && name < list + length; name += strlen(name) + 1) {
		access = access || strcmp(name, ACCESS) == 0;
		defaults = defaults || strcmp(name, DEFAULT) == 0;
		if (is_wanted(name))
			good = copy_one(from, source, to, target, follow, name, value, failure);
	}
	if (good && bare && !access)
		good = remove_acl(to, target, follow, ACCESS, failure);
	if (good && S_ISDIR(bare) && !defaults)
		good = remove_acl(to, target, follow, DEFAULT, failure);
	return good;
}

bool copy_xattrs(const struct endpoint *from, const char *source, const struct endpoint *to, const char *target,
                 bool follow, mode_t bare, struct copy_xattrs_failure *failure)
{
	char *buffers = malloc(2 * VALUE_MAX);

	if (!buffers)
		return failed(failure, to, target, -ENOMEM);
	bool good = copy_listed(from, source, to, target, follow, bare, buffers, buffers + VALUE_MAX, failure);
	free(buffers);
	return good;
}

bool copy_xattrs_inherited(const struct endpoint *endpoint, const char *directory)
{
	return endpoint_getxattr(endpoint, directory, true, DEFAULT, NULL, 0) > 0;
}
