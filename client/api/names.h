/*
 * names.h -- operations on names, used by the calls by path and the calls by handle.
 */
#ifndef FARNOVA_CLIENT_NAMES_H
#define FARNOVA_CLIENT_NAMES_H

#include "client/session/call.h"

#include <errno.h>

/* A copy of a string of the program: a request refers to it until its reply arrives, and may be repeated. */
struct path {
	struct proto_string string;
	char text[PROTO_MAX_PATH];
};

/* names_path -- copy a path; -EFAULT, -ENOENT if empty, -ENAMETOOLONG. */
int names_path(const char *path, struct path *out);
/* names_name -- copy one path component; -EINVAL if it contains a slash. */
int names_name(const char *name, struct path *out);

/*
 * names_again -- whether a call that looks up a path and uses the file in a second message must repeat the lookup,
 * because the file was replaced and deleted in between. (Within one message the server repeats it.) `*tries`, initially
 * 0, limits the repetitions: the directory itself may have been deleted.
 */
static inline bool names_again(int error, unsigned *tries)
{
	return error == -ESTALE && ++*tries < 10;
}

/* The result of names_lookup_in. */
struct names_found {
	struct proto_attr attr;
	bool has_directory;
	struct proto_attr directory;
};

/* names_lookup_in -- look up one component without following links. Also returns the directory's attributes, even with
 * -ENOENT. */
int names_lookup_in(struct farnova *fs, struct proto_handle dir, struct proto_string name, struct names_found *found);

int names_lookup(struct farnova *fs, struct proto_handle dir, struct proto_string path, uint32_t flags,
                 struct proto_attr *attr);
int names_access(struct farnova *fs, struct proto_handle handle, int mode);
int names_create(struct farnova *fs, struct proto_handle dir, struct proto_string path, uint32_t mode, dev_t dev,
                 struct proto_attr *attr);
int names_symlink(struct farnova *fs, const char *target, struct proto_handle dir, struct proto_string path,
                  struct proto_attr *attr);
ssize_t names_readlink(struct farnova *fs, struct proto_handle handle, char *buffer, size_t size);
int names_link(struct farnova *fs, struct proto_handle file, struct proto_handle dir, struct proto_string path,
               struct proto_attr *attr);
/* names_remove -- remove a name; `op` is PROTO_UNLINK or PROTO_RMDIR. */
int names_remove(struct farnova *fs, uint16_t op, struct proto_handle dir, struct proto_string path);
/* names_rename -- rename; flags as for renameat2. */
int names_rename(struct farnova *fs, struct proto_handle from_dir, struct proto_string from, struct proto_handle to_dir,
                 struct proto_string to, unsigned flags);

#endif
