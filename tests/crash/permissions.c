/*
 * permissions.c -- operations on who may do what.
 */
#include "tests/crash/permissions.h"

#include "tests/crash/steps.h"

#include <errno.h>
#include <sys/stat.h>

#define ACCESS  "system.posix_acl_access"
#define DEFAULT "system.posix_acl_default"

/* ---- ACLs --------------------------------------------------------------------------------------- */

int run_set_acl(struct world *world)
{
	return world_set_acl(world, "/d/f", ACCESS, true);
}

int run_set_default_acl(struct world *world)
{
	return world_set_acl(world, "/d/sub", DEFAULT, true);
}

void prepare_acl(struct world *world)
{
	world_must(world, "set the ACL", run_set_acl(world));
}

int run_remove_acl(struct world *world)
{
	return world_removexattr(world, "/d/f", ACCESS);
}

/* One commit: the list goes and the mode changes. */
int run_acl_to_mode(struct world *world)
{
	return world_set_acl(world, "/d/f", ACCESS, false);
}

void prepare_default_acl(struct world *world)
{
	world_must(world, "set the ACL", world_set_acl(world, "/d", DEFAULT, true));
}

/* ---- other users -------------------------------------------------------------------------------- */

void prepare_shared_directory(struct world *world)
{
	const struct nova_attr attr = {.mode = 03777, .gid = 20};

	world_must(world, "share /d", world_setattr(world, "/d", NOVA_SET_MODE | NOVA_SET_GID, &attr));
}

void prepare_default_acl_for_user(struct world *world)
{
	prepare_shared_directory(world);
	prepare_default_acl(world);
}

static int create_by_user(struct world *world, uint32_t mode)
{
	const char *path = world_fresh(world, "/d/new");
	int rc;

	world_become_user(world, 027);
	rc = world_create(world, path, mode);
	world_become_super(world);
	return rc;
}

int run_create_by_user(struct world *world)
{
	return create_by_user(world, S_IFREG | 02676);
}

int run_mkdir_by_user(struct world *world)
{
	return create_by_user(world, S_IFDIR | 0776);
}

/* ---- privileges --------------------------------------------------------------------------------- */

void prepare_privileges(struct world *world)
{
	prepare_acl(world);
	world_must(world, "chmod", world_chmod(world, "/d/f", 06771));
	world_must(world, "setxattr", world_setxattr(world, "/d/f", "security.capability", 20));
}

int run_write_by_user(struct world *world)
{
	int rc;

	world_become_user(world, 0);
	rc = world_write(world, "/d/f", 4096, 4096, 0);
	world_become_super(world);
	return rc;
}

int run_truncate_by_user(struct world *world)
{
	int rc;

	world_become_user(world, 0);
	rc = world_truncate(world, "/d/f", 5000);
	world_become_super(world);
	return rc;
}

int run_collapse_by_user(struct world *world)
{
	int rc;

	world_become_user(world, 0);
	rc = world_fallocate(world, "/d/f", NOVA_FALLOCATE_COLLAPSE_RANGE, 4096, 4096);
	world_become_super(world);
	return rc;
}

int run_chown(struct world *world)
{
	return world_setattr(world, "/d/f", NOVA_SET_UID | NOVA_SET_GID, &(struct nova_attr){.uid = 8, .gid = 9});
}

/* ---- flags -------------------------------------------------------------------------------------- */

/* What others prepare must not meet a flag. */
#define FIXED "/e/fixed"

static void prepare_fixed(struct world *world, uint32_t flags)
{
	world_must(world, "create", world_create(world, FIXED, S_IFREG | 0644));
	world_must(world, "write", world_write(world, FIXED, 0, 5000, 0));
	world_must(world, "flags", world_setattr(world, FIXED, NOVA_SET_FLAGS, &(struct nova_attr){.flags = flags}));
}

void prepare_immutable(struct world *world)
{
	prepare_fixed(world, NOVA_FILE_IMMUTABLE);
}

void prepare_append_only(struct world *world)
{
	prepare_fixed(world, NOVA_FILE_APPEND);
}

int run_set_flags(struct world *world)
{
	struct nova_attr attr = {.flags = NOVA_FILE_IMMUTABLE, .mode = 0400};

	return world_setattr(world, "/d/f", NOVA_SET_FLAGS | NOVA_SET_MODE, &attr);
}

int run_clear_flags(struct world *world)
{
	return world_setattr(world, FIXED, NOVA_SET_FLAGS, &(struct nova_attr){0});
}

int run_append_to_fixed(struct world *world)
{
	return world_write(world, FIXED, 0, 5000, NOVA_WRITE_APPEND);
}

/* What is refused must leave nothing that a crash could make true. */
static int refused(int rc)
{
	return rc == -EPERM ? 0 : -ENOTRECOVERABLE;
}

int run_overwrite_fixed(struct world *world)
{
	return refused(world_write(world, FIXED, 0, 5000, 0));
}

int run_unlink_fixed(struct world *world)
{
	return refused(world_unlink(world, FIXED));
}
