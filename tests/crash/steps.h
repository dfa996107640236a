/*
 * steps.h -- what preparations and operations are made of: one call of the file system each, and the same call of the
 * model. That both answer the same is checked at each step.
 *
 * Everything that changes a world goes through these. Paths are absolute. A path that is held (world_hold) means the
 * object it named then, wherever it is now: so the second operation of a pair meets what the first did to it.
 * Each returns 0 or -errno.
 */
#ifndef FARNOVA_TESTS_CRASH_STEPS_H
#define FARNOVA_TESTS_CRASH_STEPS_H

#include "tests/crash/world.h"

/* world_become_user -- the next steps are WORLD_USER's, with this umask; world_become_super -- and the superuser's
 * again.
 */
#define WORLD_USER 7u
void world_become_user(struct world *world, uint32_t umask);
void world_become_super(struct world *world);

int world_create(struct world *world, const char *path, uint32_t mode);
int world_symlink(struct world *world, const char *path, const char *target, size_t length);
/* world_tmpfile -- a pinned file without a name, held as `path`. */
int world_tmpfile(struct world *world, const char *dir, const char *path);
int world_link(struct world *world, const char *file_path, const char *path);
int world_unlink(struct world *world, const char *path);
int world_rmdir(struct world *world, const char *path);
int world_rename(struct world *world, const char *from, const char *to, unsigned flags);
/* world_write -- `length` (up to 1 MiB) bytes that no write before had. */
int world_write(struct world *world, const char *path, uint64_t offset, size_t length, unsigned flags);
/* world_setattr -- `mask` of NOVA_SET_*. */
int world_setattr(struct world *world, const char *path, unsigned mask, const struct nova_attr *attr);
int world_set_project(struct world *world, const char *path, uint32_t project, bool inherit);
int world_set_limits(struct world *world, uint32_t project, uint64_t blocks, uint64_t inodes);
/* world_accessed -- as after a read: the access time is now. */
int world_accessed(struct world *world, const char *path);
/* world_look -- all that the core tells of an inode at once. Who has seen a change must find it after a crash. */
int world_look(struct world *world, const char *path);
int world_chmod(struct world *world, const char *path, uint32_t mode);
/* world_setxattr -- `length` (up to 64 KiB) bytes that no step before had. */
int world_setxattr(struct world *world, const char *path, const char *name, size_t length);
int world_removexattr(struct world *world, const char *path, const char *name);
/* world_set_acl -- an ACL that names WORLD_USER, or one that says no more than a mode. */
int world_set_acl(struct world *world, const char *path, const char *name, bool named);
int world_truncate(struct world *world, const char *path, uint64_t size);
/* world_fallocate -- `mode` as nova_fallocate. */
int world_fallocate(struct world *world, const char *path, unsigned mode, uint64_t offset, uint64_t length);
/* world_copy -- up to `length` bytes, as far as there are so many. world_copy_prepared -- in two steps. */
int world_copy(struct world *world, const char *from_path, uint64_t from_offset, const char *to_path,
               uint64_t to_offset, size_t length);
int world_copy_prepared(struct world *world, const char *from_path, uint64_t from_offset, const char *to_path,
                        uint64_t to_offset, size_t length);
/* world_open -- pin, and hold; world_close -- undo one world_open. */
int world_open(struct world *world, const char *path);
int world_close(struct world *world, const char *path);

/* world_by_another -- part of a preparation: done by another worker, whose blocks come from the second zone if there is
 * one. */
void world_by_another(struct world *world, void (*prepare)(struct world *world));

/* world_hold -- from now on `path`, a static string, means the object that it names now, also without any name. */
void world_hold(struct world *world, const char *path);

/* world_hold_tree -- hold every path of the tree that is there and not held yet. */
void world_hold_tree(struct world *world);

/* world_fresh -- `path`, or if that is taken in a second operation, `path` with a 2; a static string. */
const char *world_fresh(struct world *world, const char *path);

/* world_find -- the object that `path` means. A preparation fails if there is none. */
struct world_object world_find(struct world *world, const char *path);

/* world_must -- note the first failure of a preparation. */
void world_must(struct world *world, const char *step, int64_t rc);

#endif
