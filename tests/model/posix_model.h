/*
 * posix_model.h -- a file system in memory that does what POSIX and Linux say, and nothing else: no medium, no space to
 * run out of, no threads. What a file system under test did is compared with what this does.
 *
 * It is written from the manual pages and shares no code with the core. Where Linux file systems differ it does what
 * the core promises (server/nova/nova.h): "." and ".." are refused with -EINVAL where a name is made or removed, a
 * write is all or nothing, an inode whose life has ended is -ESTALE.
 *
 * All functions return 0 (or a count) or -errno and change nothing when they fail. Where several things forbid a call
 * POSIX leaves open which is told; it is the one that the core finds first. `now` is the time that the change gets.
 * Running out of memory aborts. Not thread safe.
 */
#ifndef FARNOVA_TESTS_MODEL_POSIX_MODEL_H
#define FARNOVA_TESTS_MODEL_POSIX_MODEL_H

#include "tests/model/listing.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define POSIX_BLOCK 4096u

struct posix_model;

/* An inode of the model; a number is never used twice, also not in a copy of the model. */
typedef struct {
	uint64_t n;
} posix_ino;

struct posix_attr {
	uint32_t mode; /* type and permission bits as st_mode */
	uint32_t nlink;
	uint32_t uid, gid;
	uint32_t rdev;
	uint32_t flags; /* POSIX_IMMUTABLE, POSIX_APPEND_ONLY, POSIX_PROJECT_INHERIT */
	uint32_t project;
	uint64_t size;
	uint64_t blocks; /* of POSIX_BLOCK bytes that hold data of a file or were allocated for it */
	int64_t atime_ns, mtime_ns, ctime_ns, btime_ns;
};

/* posix_new -- an empty root directory that belongs to 0:0. posix_copy -- all of it, numbers included. */
struct posix_model *posix_new(uint32_t root_mode, int64_t now);
struct posix_model *posix_copy(const struct posix_model *model);
void posix_free(struct posix_model *model);

posix_ino posix_root(const struct posix_model *model);

#define POSIX_GROUPS_MAX 4u

/* On whose behalf. uid 0 is the superuser, who has all capabilities. */
struct posix_caller {
	uint32_t uid, gid;
	uint32_t groups[POSIX_GROUPS_MAX]; /* supplementary */
	unsigned group_count;
	uint32_t umask;
	bool opened; /* reading and writing of contents was allowed at open: the mode is not asked again */
};

/* posix_act_for -- whose calls come from now on; NULL: the superuser's, with no umask, as in a new model. */
void posix_act_for(struct posix_model *model, const struct posix_caller *caller);

/* posix_name_inode -- what the file system under test calls this inode; it appears in the listing. */
void posix_name_inode(struct posix_model *model, posix_ino ino, uint64_t number, uint32_t generation);
void posix_inode_name(const struct posix_model *model, posix_ino ino, uint64_t *number, uint32_t *generation);

/* ---- names ----------------------------------------------------------------------------------------------------- */

int posix_lookup(const struct posix_model *model, posix_ino dir, const char *name, size_t length, posix_ino *out);
/* posix_make -- a regular file, directory, FIFO, socket or device, as `mode` says. `out` may be NULL, here and below.
 */
int posix_make(struct posix_model *model, posix_ino dir, const char *name, size_t length, uint32_t mode, uint32_t rdev,
               int64_t now, posix_ino *out);
int posix_symlink(struct posix_model *model, posix_ino dir, const char *name, size_t length, const char *target,
                  size_t target_length, int64_t now, posix_ino *out);
/* posix_readlink -- copies up to `size` bytes, returns the target's length. */
ssize_t posix_readlink(const struct posix_model *model, posix_ino ino, char *buffer, size_t size);
/* posix_tmpfile -- a pinned regular file without a name; posix_link gives it one if it is `linkable`, the last
 * posix_close else ends it. */
int posix_tmpfile(struct posix_model *model, posix_ino dir, uint32_t mode, bool linkable, int64_t now, posix_ino *out);
int posix_link(struct posix_model *model, posix_ino file, posix_ino dir, const char *name, size_t length, int64_t now);
int posix_unlink(struct posix_model *model, posix_ino dir, const char *name, size_t length, int64_t now);
int posix_rmdir(struct posix_model *model, posix_ino dir, const char *name, size_t length, int64_t now);

#define POSIX_NOREPLACE 1u
#define POSIX_EXCHANGE  2u

int posix_rename(struct posix_model *model, posix_ino from_dir, const char *from, size_t from_length, posix_ino to_dir,
                 const char *to, size_t to_length, unsigned flags, int64_t now);

/* posix_each_name -- call `each` for the names of a directory, in their byte order, until it returns false. */
int posix_each_name(const struct posix_model *model, posix_ino dir,
                    bool (*each)(void *context, const char *name, size_t length, posix_ino ino), void *context);
/* posix_find_name -- the first name of an inode in the order of directories' numbers; false if it has none. `name` has
 * room for 256 bytes and gets a NUL. */
bool posix_find_name(const struct posix_model *model, posix_ino ino, posix_ino *dir, char *name);

/* ---- inodes ---------------------------------------------------------------------------------------------------- */

int posix_getattr(const struct posix_model *model, posix_ino ino, struct posix_attr *attr);

#define POSIX_SET_MODE      (1u << 0)
#define POSIX_SET_UID       (1u << 1)
#define POSIX_SET_GID       (1u << 2)
#define POSIX_SET_SIZE      (1u << 3)
#define POSIX_SET_ATIME     (1u << 4)
#define POSIX_SET_MTIME     (1u << 5)
#define POSIX_SET_ATIME_NOW (1u << 6)
#define POSIX_SET_MTIME_NOW (1u << 7)
#define POSIX_SET_FLAGS     (1u << 8)
#define POSIX_SET_PROJECT   (1u << 9)

/* As chattr(1) has them; only the superuser changes them. */
#define POSIX_IMMUTABLE       (1u << 0)
#define POSIX_APPEND_ONLY     (1u << 1)
/* Directories: what is made in it has its project, directories also this flag. */
#define POSIX_PROJECT_INHERIT (1u << 2)

int posix_setattr(struct posix_model *model, posix_ino ino, unsigned mask, const struct posix_attr *attr, int64_t now);

/* posix_access -- 0 or -EACCES for R_OK | W_OK | X_OK, as access(2) with the caller's effective ids. */
int posix_access(const struct posix_model *model, posix_ino ino, int mask);

/* posix_accessed -- the inode was read: its access time, and nothing else, is `now`; with `relative` only where
 * mount(8) says so of relatime. */
int posix_accessed(struct posix_model *model, posix_ino ino, bool relative, int64_t now);

struct posix_project {
	uint32_t id;
	uint64_t blocks, inodes;
	uint64_t block_limit, inode_limit; /* 0 = none */
};

/* posix_set_limits -- -EPERM but for the superuser. */
int posix_set_limits(struct posix_model *model, uint32_t id, uint64_t blocks, uint64_t inodes);
/* posix_next_project -- the project with the lowest number from `from` on that has inodes or was given limits. */
bool posix_next_project(const struct posix_model *model, uint32_t from, struct posix_project *out);

/* posix_open -- pin; while pinned an inode lives on without a name. posix_close -- undo one posix_open. */
int posix_open(struct posix_model *model, posix_ino ino);
int posix_close(struct posix_model *model, posix_ino ino);
/* posix_restart -- as after a crash or restart: nothing is pinned. Nameless inodes stay until posix_reclaim. */
void posix_restart(struct posix_model *model);
/* posix_reclaim -- end the nameless inodes that nobody has pinned; returns how many. */
int posix_reclaim(struct posix_model *model);
/* posix_orphans -- how many inodes without a name there are. */
uint64_t posix_orphans(const struct posix_model *model);

/* Extended attributes: names with their prefix, as in `man 7 xattr`. `flags`: XATTR_CREATE, XATTR_REPLACE. The names
 * system.posix_acl_access and system.posix_acl_default are the ACLs of acl(5), in the binary form of setxattr. */
int posix_setxattr(struct posix_model *model, posix_ino ino, const char *name, const void *value, size_t length,
                   int flags, int64_t now);
/* A value that together with the name behind its prefix is longer has blocks of its own, which count. */
#define POSIX_XATTR_INLINE 3992u

/* posix_getxattr -- the length; -ERANGE if `size` is not 0 and too small. */
ssize_t posix_getxattr(const struct posix_model *model, posix_ino ino, const char *name, void *value, size_t size);
/* posix_listxattr -- the names with their NULs, in byte order; returns the length, -ERANGE as above. */
ssize_t posix_listxattr(const struct posix_model *model, posix_ino ino, char *list, size_t size);
int posix_removexattr(struct posix_model *model, posix_ino ino, const char *name, int64_t now);

/* ---- data ------------------------------------------------------------------------------------------------------ */

ssize_t posix_read(const struct posix_model *model, posix_ino ino, uint64_t offset, void *buffer, size_t length);
/* posix_write -- `append`: at the end of the file, whatever `offset` says. */
ssize_t posix_write(struct posix_model *model, posix_ino ino, uint64_t offset, const void *data, size_t length,
                    bool append, int64_t now);
/* posix_fallocate_range -- `mode` as for fallocate(2): 0, KEEP_SIZE, PUNCH_HOLE | KEEP_SIZE, ZERO_RANGE with or without
 * KEEP_SIZE, COLLAPSE_RANGE, INSERT_RANGE. */
int posix_fallocate_range(struct posix_model *model, posix_ino ino, int mode, uint64_t offset, uint64_t length,
                          int64_t now);
/* posix_seek -- `whence` SEEK_DATA or SEEK_HOLE; what is allocated but was never written is a hole. */
int64_t posix_seek(const struct posix_model *model, posix_ino ino, uint64_t offset, int whence);
/* posix_copy_range -- as nova_copy: a read and a write, but holes stay holes where both offsets have the same place in
 * a block. */
ssize_t posix_copy_range(struct posix_model *model, posix_ino from, uint64_t from_offset, posix_ino to,
                         uint64_t to_offset, size_t length, int64_t now);

/* ---- all of it ------------------------------------------------------------------------------------------------- */

/* posix_list -- append every name with its inode to the listing, as a walk of the file system under test would. */
void posix_list(const struct posix_model *model, struct listing *listing);
/* posix_list_nameless -- append the inode as `path` if it is alive and has no name. */
void posix_list_nameless(const struct posix_model *model, posix_ino ino, const char *path, struct listing *listing);

#endif
