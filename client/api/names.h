/*
 * names.h -- operations on names, beneath both the calls by path and those by handle.
 */
#ifndef FARNOVA_CLIENT_NAMES_H
#define FARNOVA_CLIENT_NAMES_H

#include "client/session/call.h"

/* names_path -- a path of a request; -ENOENT if empty, -ENAMETOOLONG. */
int names_path(const char *path, struct proto_string *out);
/* names_name -- one component; -EINVAL for one with a slash. */
int names_name(const char *name, struct proto_string *out);

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
