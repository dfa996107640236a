/*
 * name_operations.c -- operations on names: create, link, remove and rename.
 */
#include "tests/crash/operation_parts.h"
#include "tests/crash/steps.h"

#include <string.h>
#include <sys/stat.h>

/* ---- names -------------------------------------------------------------------------------------- */

int run_create(struct world *world)
{
	return world_create(world, world_fresh(world, "/d/new"), S_IFREG | 0640);
}

int run_create_long_name(struct world *world)
{
	char path[3 + 255 + 1] = "/d/";

	memset(path + 3, 'n', 255);
	return world_create(world, path, S_IFREG | 0640);
}

int run_mkdir(struct world *world)
{
	return world_create(world, world_fresh(world, "/d/new"), S_IFDIR | 0750);
}

int run_mknod(struct world *world)
{
	return world_create(world, world_fresh(world, "/d/new"), S_IFCHR | 0600);
}

int run_symlink_short(struct world *world)
{
	return world_symlink(world, world_fresh(world, "/d/new"), "a/b", 3);
}

static int make_symlink(struct world *world, size_t length)
{
	char target[4095];

	memset(target, 't', sizeof(target));
	return world_symlink(world, world_fresh(world, "/d/new"), target, length);
}

int run_symlink_lines(struct world *world)
{
	return make_symlink(world, 200);
}

int run_symlink_blob(struct world *world)
{
	return make_symlink(world, 4095);
}

int run_link(struct world *world)
{
	return world_link(world, "/d/f", world_fresh(world, "/e/new"));
}

int run_tmpfile(struct world *world)
{
	return world_tmpfile(world, "/d", "#");
}

void make_tmpfile(struct world *world)
{
	world_must(world, "tmpfile", world_tmpfile(world, "/d", "#"));
	world_must(world, "write to it", world_write(world, "#", 100, 5000, 0));
}

int run_write_tmpfile(struct world *world)
{
	return world_write(world, "#", 50, 9000, 0);
}

int run_link_tmpfile(struct world *world)
{
	return world_link(world, "#", world_fresh(world, "/e/new"));
}

int run_close_tmpfile(struct world *world)
{
	return world_close(world, "#");
}

int run_unlink(struct world *world)
{
	return world_unlink(world, "/d/f");
}

int run_unlink_symlink(struct world *world)
{
	return world_unlink(world, "/d/link");
}

int run_unlink_one_of_two(struct world *world)
{
	return world_unlink(world, "/d/two");
}

void open_f(struct world *world)
{
	world_must(world, "open", world_open(world, "/d/f"));
}

void open_and_unlink_f(struct world *world)
{
	open_f(world);
	world_must(world, "unlink", world_unlink(world, "/d/f"));
}

int run_close(struct world *world)
{
	return world_close(world, "/d/f");
}

int run_write_orphan(struct world *world)
{
	return world_write(world, "/d/f", 50, 100, 0);
}

int run_rmdir(struct world *world)
{
	return world_rmdir(world, "/d/sub");
}

void open_sub(struct world *world)
{
	world_must(world, "open", world_open(world, "/d/sub"));
}

/* ---- rename ------------------------------------------------------------------------------------- */

int run_rename_same(struct world *world)
{
	return world_rename(world, "/d/f", "/d/new", 0);
}

int run_rename_other(struct world *world)
{
	return world_rename(world, "/d/f", "/e/new", 0);
}

int run_rename_over(struct world *world)
{
	return world_rename(world, "/d/f", "/d/g", 0);
}

int run_rename_over_other(struct world *world)
{
	return world_rename(world, "/d/f", "/e/y", 0);
}

int run_rename_over_linked(struct world *world)
{
	return world_rename(world, "/d/f", "/e/two", 0);
}

void open_y(struct world *world)
{
	world_must(world, "open", world_open(world, "/e/y"));
}

int run_rename_directory_same(struct world *world)
{
	return world_rename(world, "/d/full", "/d/new", 0);
}

int run_rename_directory_other(struct world *world)
{
	return world_rename(world, "/d/full", "/e/new", 0);
}

int run_rename_directory_over(struct world *world)
{
	return world_rename(world, "/d/full", "/e/sub", 0);
}

int run_exchange_same(struct world *world)
{
	return world_rename(world, "/d/f", "/d/g", NOVA_RENAME_EXCHANGE);
}

int run_exchange_other(struct world *world)
{
	return world_rename(world, "/d/f", "/e/y", NOVA_RENAME_EXCHANGE);
}

int run_exchange_directories(struct world *world)
{
	return world_rename(world, "/d/full", "/e/sub", NOVA_RENAME_EXCHANGE);
}

int run_exchange_kinds(struct world *world)
{
	return world_rename(world, "/d/full", "/e/y", NOVA_RENAME_EXCHANGE);
}
