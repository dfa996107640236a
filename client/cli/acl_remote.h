/*
 * acl_remote.h -- the ACLs of a file on a server.
 */
#ifndef FARNOVA_CLI_ACL_REMOTE_H
#define FARNOVA_CLI_ACL_REMOTE_H

#include "client/cli/acl_text.h"
#include "client/include/farnova.h"

struct file_acls {
	struct acl access; /* derived from the mode if there is no ACL */
	struct acl defaults;
};

/* acl_load -- load both lists of the file with attributes `st`; only directories have default entries. 0, or -1 with
 * errno and the library's last error. */
int acl_load(struct farnova *fs, const char *path, const struct stat *st, struct file_acls *acls);

/* acl_store_access, acl_store_defaults -- store a list, with the same results; empty defaults are removed. */
int acl_store_access(struct farnova *fs, const char *path, const struct acl *acl);
int acl_store_defaults(struct farnova *fs, const char *path, const struct acl *acl);

#endif
