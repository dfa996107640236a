/*
 * copy_xattrs.h -- copies extended attributes and ACLs from one file to another.
 */
#ifndef FARNOVA_CLI_COPY_XATTRS_H
#define FARNOVA_CLI_COPY_XATTRS_H

#include "client/cli/fs_endpoint.h"

#include <stdbool.h>

/* Which of the two files failed, and at which attribute. */
struct copy_xattrs_failure {
	const struct endpoint *endpoint;
	const char *path;
	int error; /* -errno */
};

/*
 * copy_xattrs -- copy user.*, ACLs and, as far as permitted, trusted.* and security.capability. If the target does not
 * support one of these kinds, it is omitted. Labels (security.selinux and the like) follow the target's own policy and
 * are not copied. `bare`, if not 0, is the target's type: ACLs that the target inherited and the source lacks are
 * removed. False with `failure`.
 */
bool copy_xattrs(const struct endpoint *from, const char *source, const struct endpoint *to, const char *target,
                 bool follow, mode_t bare, struct copy_xattrs_failure *failure);

/* copy_xattrs_inherited -- whether new inodes in this directory inherit ACLs. */
bool copy_xattrs_inherited(const struct endpoint *endpoint, const char *directory);

#endif
