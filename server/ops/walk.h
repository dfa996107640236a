/*
 * walk.h -- from a handle and a path to an inode, or to the directory and name where one is to be.
 *
 * Component by component with the caller's credential; up to 40 symlinks are followed, a relative target from the
 * directory it lies in, an absolute one from the root of the file system. Nothing leads out of the file system: the
 * root's ".." is the root. A slash at the end asks for a directory.
 *
 * A walk has at most WALK_MAX_COMPONENTS, symlinks' targets included; else it ends with ENAMETOOLONG, which POSIX has for
 * a path that becomes too long by its symlinks. It is four times what the longest path without symlinks has; 40 symlinks
 * could make 80,000, and keep a thread from others for 10 ms.
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
	struct nova_handle dir; /* where the last component lies */
	size_t length;          /* of the name; 0: the path led to its start or the root itself */
	bool slash;             /* the path ended in '/': it must be a directory */
	bool found;             /* `attr` is that of the inode it leads to */
	struct nova_attr attr;
	char name[WALK_NAME_MAX]; /* the last component, not NUL-terminated; may be "." or ".." */
};

/*
 * walk_path -- to the inode. A symlink as last component is followed unless `nofollow` (but always with a slash after
 * it). -ENOENT, -ENOTDIR, -ELOOP, -ENAMETOOLONG, -EACCES. With `may_miss` a last component that does not exist is no
 * error: `found` is false, `dir` and `name` say where it would be, also behind symlinks.
 */
int walk_path(const struct nova_call *call, struct nova_handle root, struct nova_handle start, struct proto_string path,
              bool nofollow, bool may_miss, struct walk *walk);

/*
 * walk_parent -- to the directory of the last component, which is not looked up: for making and removing names.
 * `length` is 0 if the path has no last component ("/", ".").
 */
int walk_parent(const struct nova_call *call, struct nova_handle root, struct nova_handle start,
                struct proto_string path, struct walk *walk);

#endif
