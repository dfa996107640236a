/*
 * names.h -- operations on names, beneath both the calls by path and those by handle.
 */
#ifndef FARNOVA_CLIENT_NAMES_H
#define FARNOVA_CLIENT_NAMES_H

#include "client/session/call.h"

#include <errno.h>

/* A string of the program, copied: requests refer to it while others run, and are sent again. */
struct path {
	struct proto_string string;
	char text[PROTO_MAX_PATH];
};

/* names_path -- a path of a request; -EFAULT, -ENOENT if empty, -ENAMETOOLONG. */
int names_path(const char *path, struct path *out);
/* names_name -- one component; -EINVAL for one with a slash. */
int names_name(const char *name, struct path *out);

/*
 * names_again -- whether a call that found a file by its path and then used it, in two messages, is to look it up again:
 * what had the name was replaced and died in between. (Within one message the server does.) `*tries`, 0 at first, bounds
 * it: the directory itself may have died.
 */
static inline bool names_again(int error, unsigned *tries)
{
	return error == -ESTALE && ++*tries < 10;
}

/* What names_lookup_in tells. */
struct names_found {
	struct proto_attr attr;
	bool has_directory;
	struct proto_attr directory;
};

/* names_lookup_in -- one name, not followed; tells of the directory, too, also with -ENOENT. */
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
/* names_remove -- `op` is PROTO_UNLINK or PROTO_RMDIR. */
int names_remove(struct farnova *fs, uint16_t op, struct proto_handle dir, struct proto_string path);
/* names_rename -- flags as renameat2. */
int names_rename(struct farnova *fs, struct proto_handle from_dir, struct proto_string from, struct proto_handle to_dir,
                 struct proto_string to, unsigned flags);

#endif
