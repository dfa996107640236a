/*
 * walk.h -- resolves a path to an inode, or to the directory and the name of its last component.
 *
 * It goes component by component with the caller's credential. Up to 40 symlinks are followed: a relative target from
 * the directory of the symlink, an absolute one from the root of the file system. A path cannot leave the file system:
 * the root's ".." is the root. A slash at the end of a path means that it must be a directory.
 *
 * A walk has at most WALK_MAX_COMPONENTS components, those of symlinks included; else it ends with ENAMETOOLONG, as
 * POSIX allows for paths that symlinks make too long. The limit is four times that of the longest path without
 * symlinks. 40 symlinks could make 80,000 components, which would take 10 ms of the thread's time.
 */
#ifndef FARNOVA_SERVER_WALK_H
#define FARNOVA_SERVER_WALK_H

#include "proto/proto.h"
#include "server/nova/nova.h"

#include <stdbool.h>
#include <stddef.h>

#define WALK_MAX_LINKS      40u
#define WALK_NAME_MAX       255u
#define WALK_MAX_COMPONENTS 8192u

struct walk {
	struct nova_handle dir; /* the directory of the last component */
	size_t length;          /* of `name`; 0: the path has no last component, as "/" */
	bool slash;             /* the path ended with '/', so it must be a directory */
	bool found;             /* `attr` has the attributes of the path's inode */
	struct nova_attr attr;
	char name[WALK_NAME_MAX]; /* the last component, not NUL-terminated; may be "." or ".." */
};

/*
 * walk_path -- find the inode of a path. A symlink as last component is followed, unless `nofollow` and no slash
 * follows it. -ENOENT, -ENOTDIR, -ELOOP, -ENAMETOOLONG, -EACCES. With `may_miss` a last component that does not exist
 * is no error: `found` is false, and `dir` and `name` are its place, also behind symlinks.
 */
int walk_path(const struct nova_call *call, struct nova_handle root, struct nova_handle start, struct proto_string path,
              bool nofollow, bool may_miss, struct walk *walk);

/*
 * walk_parent -- find the directory of the last component, to add or remove this name. The last component is not looked
 * up. `length` is 0 if the path has none, as "/".
 */
int walk_parent(const struct nova_call *call, struct nova_handle root, struct nova_handle start,
                struct proto_string path, struct walk *walk);

#endif
