/*
 * names.h -- operations on names, used by the calls by path and the calls by handle.
 */
#ifndef FARNOVA_CLIENT_NAMES_H
#define FARNOVA_CLIENT_NAMES_H

#include "client/api/action.h"
#include "client/session/call.h"

#include <sys/types.h>

/* A copy of a string of the program: a request refers to it until its reply arrives, and may be repeated. */
struct path {
	struct proto_string string;
	char text[PROTO_MAX_PATH];
};

/* names_path -- copy a path; -EFAULT, -ENOENT if empty, -ENAMETOOLONG. */
int names_path(const char *path, struct path *out);
/* names_copy_paths -- copy one or two (`second` may be NULL) to `*memory`, which the caller frees; -ENOMEM too. */
int names_copy_paths(const char *first, const char *second, char **memory, struct proto_string out[2]);
/* names_name -- copy one path component; -EINVAL if it contains a slash. */
int names_name(const char *name, struct path *out);

/* The result of names_lookup_in. */
struct names_found {
	struct proto_attr attr;
	bool has_directory;
	struct proto_attr directory;
};

/* names_lookup_in -- look up one component without following links. Also returns the directory's attributes, even with
 * -ENOENT. */
int names_lookup_in(struct farnova *fs, struct proto_handle dir, struct proto_string name, struct names_found *found);

/* The calls of operations below, to be started by others; what they refer to must stay valid (call.h). NULL: no
 * memory. names_rename_call -- 0, -EINVAL or -ENOMEM. */
struct call *names_lookup_call(struct farnova *fs, struct proto_handle dir, struct proto_string path, uint32_t flags,
                               struct proto_attr *attr);
struct call *names_create_call(struct farnova *fs, struct proto_handle dir, struct proto_string path, uint32_t mode,
                               uint32_t device, struct proto_attr *attr);
struct call *names_symlink_call(struct farnova *fs, struct proto_string target, struct proto_handle dir,
                                struct proto_string path, struct proto_attr *attr);
struct call *names_remove_call(struct farnova *fs, uint16_t op, struct proto_handle dir, struct proto_string path);
int names_rename_call(struct farnova *fs, struct proto_handle from_dir, struct proto_string from,
                      struct proto_handle to_dir, struct proto_string to, unsigned flags, struct call **out);

/* Give an action its call, on a file; 0, -EINVAL or -ENOMEM. names_link -- link the file to `path` of `dir`, which must
 * stay valid. names_readlink -- `link` receives the target; then names_give_link copies it to the program and returns
 * its length, or -EFAULT. */
struct link_text {
	char text[PROTO_MAX_PATH];
	size_t length;
};

int names_access(struct action *action, int mode);
int names_link(struct action *action, struct proto_handle dir, struct proto_string path, struct proto_attr *attr);
int names_readlink(struct action *action, struct link_text *link);
ssize_t names_give_link(const struct link_text *link, char *buffer, size_t size);

int names_lookup(struct farnova *fs, struct proto_handle dir, struct proto_string path, uint32_t flags,
                 struct proto_attr *attr);
int names_create(struct farnova *fs, struct proto_handle dir, struct proto_string path, uint32_t mode, dev_t dev,
                 struct proto_attr *attr);
int names_symlink(struct farnova *fs, const char *target, struct proto_handle dir, struct proto_string path,
                  struct proto_attr *attr);
/* names_remove -- remove a name; `op` is PROTO_UNLINK or PROTO_RMDIR. */
int names_remove(struct farnova *fs, uint16_t op, struct proto_handle dir, struct proto_string path);
/* names_rename -- rename; flags as for renameat2. */
int names_rename(struct farnova *fs, struct proto_handle from_dir, struct proto_string from, struct proto_handle to_dir,
                 struct proto_string to, unsigned flags);

#endif
