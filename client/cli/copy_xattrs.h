/*
 * copy_xattrs.h -- copy what one file has of extended attributes and ACLs to another.
 */
#ifndef FARNOVA_CLI_COPY_XATTRS_H
#define FARNOVA_CLI_COPY_XATTRS_H

#include "client/cli/fs_endpoint.h"

#include <stdbool.h>

/* Which of the two paths' ends failed, and where. */
struct copy_xattrs_failure {
	const struct endpoint *endpoint;
	const char *path;
	int error; /* -errno */
};

/*
 * copy_xattrs -- user.*, ACLs, and, as far as the caller may, trusted.* and security.capability; a target that cannot
 * keep one of a kind goes without. Labels (security.selinux and the like) belong to the target's own policy. `bare`,
 * if not 0, is the target's type: it may have got ACLs that the source has not, and they go. False with `failure`.
 */
bool copy_xattrs(const struct endpoint *from, const char *source, const struct endpoint *to, const char *target,
                 bool follow, mode_t bare, struct copy_xattrs_failure *failure);

/* copy_xattrs_inherited -- whether what is made in this directory gets ACLs from it. */
bool copy_xattrs_inherited(const struct endpoint *endpoint, const char *directory);

#endif
