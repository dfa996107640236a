/*
 * attribute_operations.c -- operations on attributes, extended attributes and projects.
 */
#include "tests/crash/operation_parts.h"
#include "tests/crash/steps.h"

#include <errno.h>
#include <sys/stat.h>

/* ---- attributes --------------------------------------------------------------------------------- */

int run_chmod(struct world *world)
{
	return world_chmod(world, "/d/f", 0400);
}

int run_look(struct world *world)
{
	return world_look(world, "/d/f");
}

int run_look_directory(struct world *world)
{
	return world_look(world, "/d");
}

int run_setattr_all(struct world *world)
{
	struct nova_attr attr = {
	    .mode = 0711, .uid = 5, .gid = 6, .size = 7000, .atime_ns = 1234567890123456789, .mtime_ns = -1};

	return world_setattr(
	    world, "/d/f",
	    NOVA_SET_MODE | NOVA_SET_UID | NOVA_SET_GID | NOVA_SET_SIZE | NOVA_SET_ATIME | NOVA_SET_MTIME, &attr);
}

int run_utimes(struct world *world)
{
	struct nova_attr attr = {.atime_ns = 1, .mtime_ns = 2};

	return world_setattr(world, "/d", NOVA_SET_ATIME | NOVA_SET_MTIME, &attr);
}

/* ---- extended attributes ------------------------------------------------------------------------ */

void set_two_xattrs(struct world *world)
{
	world_must(world, "setxattr", world_setxattr(world, "/d/f", "user.small", 30));
	world_must(world, "setxattr", world_setxattr(world, "/d/f", "user.large", 9000));
}

int run_setxattr(struct world *world)
{
	return world_setxattr(world, "/d/f", "user.new", 100);
}

int run_setxattr_page(struct world *world)
{
	return world_setxattr(world, "/d/sub", "trusted.new", 3900);
}

int run_setxattr_blob(struct world *world)
{
	return world_setxattr(world, "/d/f", "user.new", 20000);
}

int run_replace_xattr(struct world *world)
{
	return world_setxattr(world, "/d/f", "user.small", 31);
}

int run_replace_xattr_blob(struct world *world)
{
	return world_setxattr(world, "/d/f", "user.large", 12345);
}

int run_shrink_xattr(struct world *world)
{
	return world_setxattr(world, "/d/f", "user.large", 10);
}

int run_removexattr(struct world *world)
{
	return world_removexattr(world, "/d/f", "user.small");
}

int run_removexattr_blob(struct world *world)
{
	return world_removexattr(world, "/d/f", "user.large");
}

int run_accessed(struct world *world)
{
	return world_accessed(world, "/d/f");
}

/* ---- projects ----------------------------------------------------------------------------------- */

#define PROJECT 3u

int run_set_project(struct world *world)
{
	return world_set_project(world, "/d/f", PROJECT, false);
}

int run_set_project_directory(struct world *world)
{
	return world_set_project(world, "/d/sub", PROJECT, true);
}

int run_set_limits(struct world *world)
{
	return world_set_limits(world, PROJECT, 6, 4);
}

void make_limits(struct world *world)
{
	world_must(world, "set limits", world_set_limits(world, PROJECT, 6, 4));
}

int run_change_limits(struct world *world)
{
	return world_set_limits(world, PROJECT, 100, 0);
}

/* Two inodes and 4 blocks of the 6 it may have. */
void make_project(struct world *world)
{
	make_limits(world);
	world_must(world, "project of /d/sub", world_set_project(world, "/d/sub", PROJECT, true));
	world_must(world, "project of /d/f", world_set_project(world, "/d/f", PROJECT, false));
}

/* What is refused must leave nothing that a crash could make true. */
static int refused(int rc, int error)
{
	return rc == error ? 0 : -ENOTRECOVERABLE;
}

int run_create_in_project(struct world *world)
{
	return world_create(world, "/d/sub/new", S_IFREG | 0640);
}

int run_mkdir_in_project(struct world *world)
{
	return world_create(world, "/d/sub/new", S_IFDIR | 0750);
}

int run_rename_into_project(struct world *world)
{
	return world_rename(world, "/d/f", "/d/sub/new", 0);
}

int run_rename_across_projects(struct world *world)
{
	return refused(world_rename(world, "/d/g", "/d/sub/new", 0), -EXDEV);
}

int run_link_across_projects(struct world *world)
{
	return refused(world_link(world, "/d/g", "/d/sub/new"), -EXDEV);
}

int run_append_to_limit(struct world *world)
{
	return world_write(world, "/d/f", 4 * 4096, 2 * 4096, 0);
}

int run_append_beyond_limit(struct world *world)
{
	return refused(world_write(world, "/d/f", 4 * 4096, 2 * 4096 + 1, 0), -EDQUOT);
}

int run_unlink_in_project(struct world *world)
{
	return world_unlink(world, "/d/f");
}
