/*
 * xattr.h -- extended attributes of an inode by handle, used by the calls by path, by file and by handle.
 */
#ifndef FARNOVA_CLIENT_XATTR_H
#define FARNOVA_CLIENT_XATTR_H

#include "client/session/call.h"

/* Each returns 0, a length, or -errno. `size` 0 requests only the length; -ERANGE if `size` is too small. */
ssize_t xattr_get(struct farnova *fs, struct proto_handle handle, const char *name, void *value, size_t size);
ssize_t xattr_list(struct farnova *fs, struct proto_handle handle, char *list, size_t size);
/* xattr_set -- `flags`: XATTR_CREATE, XATTR_REPLACE. */
int xattr_set(struct farnova *fs, struct proto_handle handle, const char *name, const void *value, size_t size,
              int flags);
int xattr_remove(struct farnova *fs, struct proto_handle handle, const char *name);

#endif
