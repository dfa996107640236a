/*
 * xattr.h -- extended attributes of an inode by handle, used by the calls by path, by file and by handle.
 */
#ifndef FARNOVA_CLIENT_XATTR_H
#define FARNOVA_CLIENT_XATTR_H

#include "client/api/action.h"

/* A copy of an attribute's name. */
struct xattr_name {
	struct proto_string string;
	char text[PROTO_MAX_XATTR_NAME + 1];
};

/* A value or list, which may need several replies. */
struct xattr_pieces {
	struct farnova *fs;
	uint8_t *to; /* PROTO_MAX_XATTR_VALUE bytes in memory of the library, or NULL: only the length is asked for */
	size_t size; /* size of the program's buffer */
	size_t have;
	size_t total;
	uint64_t change;
};

/*
 * Give an action its call, on a file: 0 or -errno. `name` receives a copy of the program's string and must stay valid.
 * xattr_get -- with `text` NULL the list. `size` 0 requests only the length; -ERANGE if `size` is too small. After the
 * action xattr_give copies the result to the program and returns its length, or -EFAULT. xattr_pieces_free -- in any
 * case. xattr_set -- `flags`: XATTR_CREATE, XATTR_REPLACE.
 */
int xattr_get(struct action *action, struct xattr_name *name, const char *text, size_t size,
              struct xattr_pieces *pieces);
ssize_t xattr_give(const struct xattr_pieces *pieces, void *to);
void xattr_pieces_free(struct xattr_pieces *pieces);
int xattr_set(struct action *action, struct xattr_name *name, const char *text, const void *value, size_t size,
              int flags);
int xattr_remove(struct action *action, struct xattr_name *name, const char *text);

#endif
