/*
 * names.h -- operations on names, used by the calls by path and the calls by handle.
 */
#ifndef FARNOVA_CLIENT_NAMES_H
#define FARNOVA_CLIENT_NAMES_H

#include "client/session/call.h"

#include <sys/types.h>

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
 * How a call gets to a file by path that it uses in a second message. If the file was replaced and deleted in between,
 * the second message fails with ESTALE. (Within one message the server repeats the walk.) Then the call walks again,
 * now by an open without rights, which keeps the file alive until the second message has been executed: however often
 * others replace the file, the second attempt succeeds.
 */
struct names_way {
	unsigned tries;
	struct farnova_file *pin; /* NULL: none */
};

/* names_find -- find the file at the program's `path`; `flags` as for names_lookup. `*way` is zeros at first. */
int names_find(struct farnova *fs, const char *path, uint32_t flags, struct names_way *way, struct proto_attr *attr);

/* names_again -- end an attempt that had `result`; true: it must be repeated, from names_find on. Call it after every
 * attempt. The number of attempts is limited, since a session may be lost with its opens, or the directory deleted. */
bool names_again(struct farnova *fs, ssize_t result, struct names_way *way);

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
struct call *names_remove_call(struct farnova *fs, uint16_t op, struct proto_handle dir, struct proto_string path);
int names_rename_call(struct farnova *fs, struct proto_handle from_dir, struct proto_string from,
                      struct proto_handle to_dir, struct proto_string to, unsigned flags, struct call **out);

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
