/*
 * operations.c -- the operations whose crashes are tried, each on the tree of world.h.
 */
#include "tests/crash/operations.h"

#include "server/nova/inode/nova_inode.h"
#include "tests/crash/permissions.h"
#include "tests/crash/steps.h"
#include "tests/crash/zone_operations.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* ---- names -------------------------------------------------------------------------------------- */

static int run_create(struct world *world)
{
	return world_create(world, world_fresh(world, "/d/new"), S_IFREG | 0640);
}

static int run_create_long_name(struct world *world)
{
	char path[3 + 255 + 1] = "/d/";

	memset(path + 3, 'n', 255);
	return world_create(world, path, S_IFREG | 0640);
}

static int run_mkdir(struct world *world)
{
	return world_create(world, world_fresh(world, "/d/new"), S_IFDIR | 0750);
}

static int run_mknod(struct world *world)
{
	return world_create(world, world_fresh(world, "/d/new"), S_IFCHR | 0600);
}

static int run_symlink_short(struct world *world)
{
	return world_symlink(world, world_fresh(world, "/d/new"), "a/b", 3);
}

static int make_symlink(struct world *world, size_t length)
{
	char target[4095];

	memset(target, 't', sizeof(target));
	return world_symlink(world, world_fresh(world, "/d/new"), target, length);
}

static int run_symlink_lines(struct world *world)
{
	return make_symlink(world, 200);
}

static int run_symlink_blob(struct world *world)
{
	return make_symlink(world, 4095);
}

static int run_link(struct world *world)
{
	return world_link(world, "/d/f", world_fresh(world, "/e/new"));
}

static int run_tmpfile(struct world *world)
{
	return world_tmpfile(world, "/d", "#");
}

static void make_tmpfile(struct world *world)
{
	world_must(world, "tmpfile", world_tmpfile(world, "/d", "#"));
	world_must(world, "write to it", world_write(world, "#", 100, 5000, 0));
}

static int run_write_tmpfile(struct world *world)
{
	return world_write(world, "#", 50, 9000, 0);
}

static int run_link_tmpfile(struct world *world)
{
	return world_link(world, "#", world_fresh(world, "/e/new"));
}

static int run_close_tmpfile(struct world *world)
{
	return world_close(world, "#");
}

static int run_unlink(struct world *world)
{
	return world_unlink(world, "/d/f");
}

static int run_unlink_symlink(struct world *world)
{
	return world_unlink(world, "/d/link");
}

static int run_unlink_one_of_two(struct world *world)
{
	return world_unlink(world, "/d/two");
}

static void open_f(struct world *world)
{
	world_must(world, "open", world_open(world, "/d/f"));
}

static void open_and_unlink_f(struct world *world)
{
	open_f(world);
	world_must(world, "unlink", world_unlink(world, "/d/f"));
}

static int run_close(struct world *world)
{
	return world_close(world, "/d/f");
}

static int run_write_orphan(struct world *world)
{
	return world_write(world, "/d/f", 50, 100, 0);
}

static int run_rmdir(struct world *world)
{
	return world_rmdir(world, "/d/sub");
}

static void open_sub(struct world *world)
{
	world_must(world, "open", world_open(world, "/d/sub"));
}

/* ---- rename ------------------------------------------------------------------------------------- */

static int run_rename_same(struct world *world)
{
	return world_rename(world, "/d/f", "/d/new", 0);
}

static int run_rename_other(struct world *world)
{
	return world_rename(world, "/d/f", "/e/new", 0);
}

static int run_rename_over(struct world *world)
{
	return world_rename(world, "/d/f", "/d/g", 0);
}

static int run_rename_over_other(struct world *world)
{
	return world_rename(world, "/d/f", "/e/y", 0);
}

static int run_rename_over_linked(struct world *world)
{
	return world_rename(world, "/d/f", "/e/two", 0);
}

static void open_y(struct world *world)
{
	world_must(world, "open", world_open(world, "/e/y"));
}

static int run_rename_directory_same(struct world *world)
{
	return world_rename(world, "/d/full", "/d/new", 0);
}

static int run_rename_directory_other(struct world *world)
{
	return world_rename(world, "/d/full", "/e/new", 0);
}

static int run_rename_directory_over(struct world *world)
{
	return world_rename(world, "/d/full", "/e/sub", 0);
}

static int run_exchange_same(struct world *world)
{
	return world_rename(world, "/d/f", "/d/g", NOVA_RENAME_EXCHANGE);
}

static int run_exchange_other(struct world *world)
{
	return world_rename(world, "/d/f", "/e/y", NOVA_RENAME_EXCHANGE);
}

static int run_exchange_directories(struct world *world)
{
	return world_rename(world, "/d/full", "/e/sub", NOVA_RENAME_EXCHANGE);
}

static int run_exchange_kinds(struct world *world)
{
	return world_rename(world, "/d/full", "/e/y", NOVA_RENAME_EXCHANGE);
}

/* ---- data --------------------------------------------------------------------------------------- */

static int run_write_new(struct world *world)
{
	return world_write(world, "/d/empty", 0, 4096, 0);
}

static int run_write_small(struct world *world)
{
	return world_write(world, "/d/empty", 0, 10, 0);
}

static int run_overwrite(struct world *world)
{
	return world_write(world, "/d/f", 4096, 4096, 0);
}

static int run_write_unaligned(struct world *world)
{
	return world_write(world, "/d/f", 5000, 100, 0);
}

static int run_write_edges(struct world *world)
{
	return world_write(world, "/d/f", 100, 9000, 0);
}

static int run_append(struct world *world)
{
	return world_write(world, "/d/f", 0, 300, NOVA_WRITE_APPEND);
}

static int run_append_blocks(struct world *world)
{
	return world_write(world, "/d/g", 0, 10000, NOVA_WRITE_APPEND);
}

static int run_write_sparse(struct world *world)
{
	return world_write(world, "/d/f", (1ULL << 30) + 17, 50, 0);
}

static int run_write_64k(struct world *world)
{
	return world_write(world, "/d/f", 0, 65536, 0);
}

static int run_truncate_aligned(struct world *world)
{
	return world_truncate(world, "/d/f", 4096);
}

static int run_truncate_unaligned(struct world *world)
{
	return world_truncate(world, "/d/f", 4196);
}

static int run_truncate_zero(struct world *world)
{
	return world_truncate(world, "/d/f", 0);
}

static int run_truncate_up(struct world *world)
{
	return world_truncate(world, "/d/f", 20000);
}

/* ---- reserved blocks, holes, copies -------------------------------------------------------------- */

static int run_fallocate(struct world *world)
{
	return world_fallocate(world, "/d/f", 0, 10000, 20000);
}

static int run_fallocate_keep_size(struct world *world)
{
	return world_fallocate(world, "/d/f", NOVA_FALLOCATE_KEEP_SIZE, 0, 6 * 4096);
}

static void reserve_f(struct world *world)
{
	world_must(world, "reserve", world_fallocate(world, "/d/f", NOVA_FALLOCATE_KEEP_SIZE, 0, 6 * 4096));
}

static int run_write_reserved(struct world *world)
{
	return world_write(world, "/d/f", 17000, 6000, 0);
}

static int run_write_half_reserved(struct world *world)
{
	return world_write(world, "/d/f", 9000, 9000, 0);
}

static int run_truncate_reserved(struct world *world)
{
	return world_truncate(world, "/d/f", 3 * 4096 + 100);
}

static int run_truncate_up_reserved(struct world *world)
{
	return world_truncate(world, "/d/f", 20000);
}

static int run_punch_blocks(struct world *world)
{
	return world_fallocate(world, "/d/f", NOVA_FALLOCATE_PUNCH_HOLE | NOVA_FALLOCATE_KEEP_SIZE, 4096, 8192);
}

static int run_punch_edges(struct world *world)
{
	return world_fallocate(world, "/d/f", NOVA_FALLOCATE_PUNCH_HOLE | NOVA_FALLOCATE_KEEP_SIZE, 100, 9000);
}

static int run_punch_within_block(struct world *world)
{
	return world_fallocate(world, "/d/f", NOVA_FALLOCATE_PUNCH_HOLE | NOVA_FALLOCATE_KEEP_SIZE, 5000, 10);
}

static int run_zero_range(struct world *world)
{
	return world_fallocate(world, "/d/f", NOVA_FALLOCATE_ZERO_RANGE, 100, 20000);
}

static int run_zero_range_keep_size(struct world *world)
{
	return world_fallocate(world, "/d/f", NOVA_FALLOCATE_ZERO_RANGE | NOVA_FALLOCATE_KEEP_SIZE, 4000, 20000);
}

static int run_collapse(struct world *world)
{
	return world_fallocate(world, "/d/f", NOVA_FALLOCATE_COLLAPSE_RANGE, 4096, 4096);
}

static int run_insert(struct world *world)
{
	return world_fallocate(world, "/d/f", NOVA_FALLOCATE_INSERT_RANGE, 4096, 8192);
}

static int run_copy_new(struct world *world)
{
	return world_copy(world, "/d/f", 0, "/d/empty", 0, 3 * 4096 + 100);
}

static int run_copy_new_prepared(struct world *world)
{
	return world_copy_prepared(world, "/d/f", 0, "/d/empty", 0, 3 * 4096 + 100);
}

static int run_copy_edges_prepared(struct world *world)
{
	return world_copy_prepared(world, "/d/f", 100, "/d/g", 700, 10000);
}

static int run_copy_holes_prepared(struct world *world)
{
	return world_copy_prepared(world, "/d/f", 0, "/e/y", 0, 3 * 4096 + 100);
}

static int run_copy_edges(struct world *world)
{
	return world_copy(world, "/d/f", 100, "/d/g", 700, 5000);
}

static void punch_f(struct world *world)
{
	world_must(world, "punch",
	           world_fallocate(world, "/d/f", NOVA_FALLOCATE_PUNCH_HOLE | NOVA_FALLOCATE_KEEP_SIZE, 4096, 4096));
}

static int run_copy_holes(struct world *world)
{
	return world_copy(world, "/d/f", 0, "/e/y", 0, 3 * 4096 + 100);
}

/* ---- attributes --------------------------------------------------------------------------------- */

static int run_chmod(struct world *world)
{
	return world_chmod(world, "/d/f", 0400);
}

static int run_look(struct world *world)
{
	return world_look(world, "/d/f");
}

static int run_look_directory(struct world *world)
{
	return world_look(world, "/d");
}

static int run_setattr_all(struct world *world)
{
	struct nova_attr attr = {
	    .mode = 0711, .uid = 5, .gid = 6, .size = 7000, .atime_ns = 1234567890123456789, .mtime_ns = -1};

	return world_setattr(
	    world, "/d/f",
	    NOVA_SET_MODE | NOVA_SET_UID | NOVA_SET_GID | NOVA_SET_SIZE | NOVA_SET_ATIME | NOVA_SET_MTIME, &attr);
}

static int run_utimes(struct world *world)
{
	struct nova_attr attr = {.atime_ns = 1, .mtime_ns = 2};

	return world_setattr(world, "/d", NOVA_SET_ATIME | NOVA_SET_MTIME, &attr);
}

/* ---- extended attributes ------------------------------------------------------------------------ */

static void set_two_xattrs(struct world *world)
{
	world_must(world, "setxattr", world_setxattr(world, "/d/f", "user.small", 30));
	world_must(world, "setxattr", world_setxattr(world, "/d/f", "user.large", 9000));
}

static int run_setxattr(struct world *world)
{
	return world_setxattr(world, "/d/f", "user.new", 100);
}

static int run_setxattr_page(struct world *world)
{
	return world_setxattr(world, "/d/sub", "trusted.new", 3900);
}

static int run_setxattr_blob(struct world *world)
{
	return world_setxattr(world, "/d/f", "user.new", 20000);
}

static int run_replace_xattr(struct world *world)
{
	return world_setxattr(world, "/d/f", "user.small", 31);
}

static int run_replace_xattr_blob(struct world *world)
{
	return world_setxattr(world, "/d/f", "user.large", 12345);
}

static int run_shrink_xattr(struct world *world)
{
	return world_setxattr(world, "/d/f", "user.large", 10);
}

static int run_removexattr(struct world *world)
{
	return world_removexattr(world, "/d/f", "user.small");
}

static int run_removexattr_blob(struct world *world)
{
	return world_removexattr(world, "/d/f", "user.large");
}

static int run_accessed(struct world *world)
{
	return world_accessed(world, "/d/f");
}

/* ---- projects ----------------------------------------------------------------------------------- */

#define PROJECT 3u

static int run_set_project(struct world *world)
{
	return world_set_project(world, "/d/f", PROJECT, false);
}

static int run_set_project_directory(struct world *world)
{
	return world_set_project(world, "/d/sub", PROJECT, true);
}

static int run_set_limits(struct world *world)
{
	return world_set_limits(world, PROJECT, 6, 4);
}

static void make_limits(struct world *world)
{
	world_must(world, "set limits", world_set_limits(world, PROJECT, 6, 4));
}

static int run_change_limits(struct world *world)
{
	return world_set_limits(world, PROJECT, 100, 0);
}

/* Two inodes and 4 blocks of the 6 it may have. */
static void make_project(struct world *world)
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

static int run_create_in_project(struct world *world)
{
	return world_create(world, "/d/sub/new", S_IFREG | 0640);
}

static int run_mkdir_in_project(struct world *world)
{
	return world_create(world, "/d/sub/new", S_IFDIR | 0750);
}

static int run_rename_into_project(struct world *world)
{
	return world_rename(world, "/d/f", "/d/sub/new", 0);
}

static int run_rename_across_projects(struct world *world)
{
	return refused(world_rename(world, "/d/g", "/d/sub/new", 0), -EXDEV);
}

static int run_link_across_projects(struct world *world)
{
	return refused(world_link(world, "/d/g", "/d/sub/new"), -EXDEV);
}

static int run_append_to_limit(struct world *world)
{
	return world_write(world, "/d/f", 4 * 4096, 2 * 4096, 0);
}

static int run_append_beyond_limit(struct world *world)
{
	return refused(world_write(world, "/d/f", 4 * 4096, 2 * 4096 + 1, 0), -EDQUOT);
}

static int run_unlink_in_project(struct world *world)
{
	return world_unlink(world, "/d/f");
}

/* ---- what is done beside ------------------------------------------------------------------------ */

/*
 * When the core rewrites a log is its own business: a twin with as much alive in it is lengthened until that happens,
 * and then the object itself by one step less. The operation makes sure that it is the one.
 */
static void lengthen_like(struct world *world, const char *path, const char *twin)
{
	uint64_t lines = 0;

	while (!world->failed && world_log_start(world, twin) == 0) {
		lines = world_log_lines(world, twin);
		world_must(world, "lengthen the twin", world_chmod(world, twin, 0700 | (lines & 077)));
	}
	while (!world->failed && world_log_lines(world, path) < lines)
		world_must(world, "lengthen", world_chmod(world, path, 0700 | (world_log_lines(world, path) & 077)));
}

static void lengthen_file(struct world *world)
{
	world_must(world, "twin", world_create(world, "/e/twin", S_IFREG | 0600));
	world_must(world, "twin", world_write(world, "/e/twin", 0, 3 * 4096 + 100, 0));
	lengthen_like(world, "/d/f", "/e/twin");
}

static void lengthen_reserved_file(struct world *world)
{
	reserve_f(world);
	world_must(world, "twin", world_create(world, "/e/twin", S_IFREG | 0600));
	world_must(world, "twin", world_write(world, "/e/twin", 0, 3 * 4096 + 100, 0));
	world_must(world, "twin", world_fallocate(world, "/e/twin", NOVA_FALLOCATE_KEEP_SIZE, 0, 6 * 4096));
	lengthen_like(world, "/d/f", "/e/twin");
}

/* The medium is not looked at while other threads store to it. */
static uint64_t start_of_log(struct world *world, const char *path)
{
	return world->side == WORLD_BOTH ? world_log_start(world, path) : 0;
}

static int rewritten(struct world *world, const char *path, uint64_t old_start, int rc)
{
	if (rc == 0 && world->side == WORLD_BOTH && !world->second && start_of_log(world, path) == old_start)
		return -ENOTRECOVERABLE; /* the log was not rewritten: the test would prove nothing */
	return rc;
}

static int run_gc_file(struct world *world)
{
	uint64_t start = start_of_log(world, "/d/f");

	return rewritten(world, "/d/f", start, world_write(world, "/d/f", 100, 9000, 0));
}

static void lengthen_directory(struct world *world)
{
	/* As many names as /d has. */
	static const char *const names[] = {"/e/twin/a", "/e/twin/b", "/e/twin/c", "/e/twin/d",
	                                    "/e/twin/e", "/e/twin/f", "/e/twin/g"};

	world_must(world, "twin", world_create(world, "/e/twin", S_IFDIR | 0700));
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		world_must(world, "twin", world_create(world, names[i], S_IFREG | 0600));
	for (unsigned i = 0; i < 200; i++)
		world_must(world, "rename", world_rename(world, i % 2 ? "/d/a" : "/d/f", i % 2 ? "/d/f" : "/d/a", 0));
	lengthen_like(world, "/d", "/e/twin");
}

static int run_gc_directory(struct world *world)
{
	uint64_t start = start_of_log(world, "/d");

	return rewritten(world, "/d", start, world_create(world, world_fresh(world, "/d/new"), S_IFREG | 0600));
}

/* Long enough to be shortened by a thread that has time, too short for GC by an append. */
static void lengthen_for_step(struct world *world, const char *path)
{
	while (!world->failed && world_log_lines(world, path) < 6 * 63)
		world_must(world, "lengthen", world_chmod(world, path, 0700 | (world_log_lines(world, path) & 077)));
}

/* One slice, which says nothing new: so other operations may come before, after and between. */
static int run_gc_step(struct world *world, const char *path)
{
	bool first = !world->second;
	uint64_t start = first ? start_of_log(world, path) : 0;
	int done;

	if (world->side == WORLD_MODEL)
		return 0; /* there is nothing for it to say */
	done = nova_gc_step(world->call.worker, 1, NOVA_GC_BUSY);

	/* A slice passes by an inode that another thread has locked. */
	if (done == 0 && first && world->side != WORLD_BOTH)
		return 0;
	if (done == 0 && first)
		return -ENOSPC; /* it is due, so nothing else keeps it from being done */
	return first ? rewritten(world, path, start, 0) : 0;
}

static void lengthen_file_for_step(struct world *world)
{
	lengthen_for_step(world, "/d/f");
}

/* Two packed extents and the hole between them. */
static int run_write_packed(struct world *world)
{
	return world_write(world, "/d/f", 10 * 4096 + 100, 2 * 4096 + 200, 0);
}

static int run_truncate_packed(struct world *world)
{
	return world_truncate(world, "/d/f", 11 * 4096 + 100);
}

static int run_gc_step_file(struct world *world)
{
	return run_gc_step(world, "/d/f");
}

/* Four extents and two reserved ones in pieces, which a first slice packs, in a log that has to be cut again. */
static void pack_file(struct world *world, const char *path)
{
	for (unsigned i = 0; i < 4; i++)
		world_must(world, "pieces", world_write(world, path, (8 + 2 * i) * 4096, 4096, 0));
	world_must(world, "reserve", world_fallocate(world, path, NOVA_FALLOCATE_KEEP_SIZE, 20 * 4096, 3 * 4096));
	lengthen_for_step(world, path);
	world_must(world, "pack", nova_gc_step(world->call.worker, 8, NOVA_GC_BUSY));
	if (!world->failed && world_log_start(world, path) == 0)
		world_must(world, "pack", -ENOTRECOVERABLE);
}

static void pack_f(struct world *world)
{
	pack_file(world, "/d/f");
}

static void lengthen_packed_file_for_step(struct world *world)
{
	uint64_t lines;

	pack_f(world);
	lines = world_log_lines(world, "/d/f");
	while (!world->failed && world_log_lines(world, "/d/f") < lines + 6 * 63)
		world_must(world, "lengthen",
		           world_chmod(world, "/d/f", 0700 | (world_log_lines(world, "/d/f") & 077)));
}

static void lengthen_directory_for_step(struct world *world)
{
	for (unsigned i = 0; i < 80; i++)
		world_must(world, "rename", world_rename(world, i % 2 ? "/d/a" : "/d/f", i % 2 ? "/d/f" : "/d/a", 0));
	lengthen_for_step(world, "/d");
}

static int run_gc_step_directory(struct world *world)
{
	return run_gc_step(world, "/d");
}

static void lengthen_root(struct world *world)
{
	make_limits(world);
	world_must(world, "twin", world_create(world, "/e/twin", S_IFDIR | 0700));
	world_must(world, "twin", world_create(world, "/e/twin/d", S_IFREG | 0600));
	world_must(world, "twin", world_create(world, "/e/twin/e", S_IFREG | 0600));
	lengthen_like(world, "/", "/e/twin");
}

/* The first pages of the root's log go, and the limits in them have to move. */
static int run_gc_limits(struct world *world)
{
	uint64_t start = start_of_log(world, "/");

	return rewritten(world, "/", start, world_chmod(world, "/", 0711));
}

static int run_unmount(struct world *world)
{
	nova_worker_close(world->worker);
	world->worker = NULL;
	nova_unmount(world->fs);
	world->fs = NULL;
	return 0;
}

static int run_many_slots(struct world *world)
{
	uint64_t chunks = world->side == WORLD_BOTH ? world->fs->slot_chunks : 0;
	int rc = world_create(world, "/e/last", S_IFREG | 0600);

	if (rc == 0 && world->side == WORLD_BOTH && !world->second && world->fs->slot_chunks == chunks)
		return -ENOTRECOVERABLE; /* there was a free slot: the test would prove nothing */
	return rc;
}

/* The next slot had a life whose tails are in records that are still in the ring. */
static void use_up_a_life(struct world *world)
{
	world_must(world, "create", world_create(world, "/e/life", S_IFREG | 0600));
	world_must(world, "link", world_link(world, "/e/life", "/e/life2"));
	world_must(world, "unlink", world_unlink(world, "/e/life"));
	world_must(world, "unlink", world_unlink(world, "/e/life2"));
}

/* Likewise, but the records are overwritten: only the slot tells of it. */
static void use_up_a_life_long_ago(struct world *world)
{
	use_up_a_life(world);
	for (unsigned i = 0; i < 16; i++) {
		world_must(world, "rename", world_rename(world, "/e/two", "/e/three", 0));
		world_must(world, "rename", world_rename(world, "/e/three", "/e/two", 0));
	}
}

const struct operation operations[] = {
    {.name = "create", .run = run_create},
    {.name = "create-in-used-slot", .prepare = use_up_a_life, .run = run_create},
    {.name = "create-in-old-slot", .prepare = use_up_a_life_long_ago, .run = run_create},
    {.name = "create-long-name", .run = run_create_long_name},
    {.name = "mkdir", .run = run_mkdir},
    {.name = "mknod", .run = run_mknod},
    {.name = "symlink-short", .run = run_symlink_short},
    {.name = "symlink-lines", .run = run_symlink_lines},
    {.name = "symlink-blob", .run = run_symlink_blob},
    {.name = "link", .run = run_link},
    {.name = "tmpfile", .run = run_tmpfile},
    {.name = "tmpfile-write", .prepare = make_tmpfile, .run = run_write_tmpfile},
    {.name = "tmpfile-link", .prepare = make_tmpfile, .run = run_link_tmpfile},
    {.name = "tmpfile-close", .prepare = make_tmpfile, .run = run_close_tmpfile, .frees = true},
    {.name = "unlink", .run = run_unlink, .frees = true},
    {.name = "unlink-symlink", .run = run_unlink_symlink, .frees = true},
    {.name = "unlink-one-of-two", .run = run_unlink_one_of_two, .frees = true},
    {.name = "unlink-open", .prepare = open_f, .run = run_unlink, .frees = true},
    {.name = "close", .prepare = open_f, .run = run_close, .frees = true},
    {.name = "close-orphan", .prepare = open_and_unlink_f, .run = run_close, .frees = true},
    {.name = "write-orphan", .prepare = open_and_unlink_f, .run = run_write_orphan},
    {.name = "rmdir", .run = run_rmdir, .frees = true},
    {.name = "rmdir-open", .prepare = open_sub, .run = run_rmdir, .frees = true},
    {.name = "rename-same", .run = run_rename_same},
    {.name = "rename-other", .run = run_rename_other},
    {.name = "rename-over", .run = run_rename_over},
    {.name = "rename-over-other", .run = run_rename_over_other},
    {.name = "rename-over-linked", .run = run_rename_over_linked},
    {.name = "rename-over-open", .prepare = open_y, .run = run_rename_over_other},
    {.name = "rename-directory-same", .run = run_rename_directory_same},
    {.name = "rename-directory-other", .run = run_rename_directory_other},
    {.name = "rename-directory-over", .run = run_rename_directory_over},
    {.name = "exchange-same", .run = run_exchange_same},
    {.name = "exchange-other", .run = run_exchange_other},
    {.name = "exchange-directories", .run = run_exchange_directories},
    {.name = "exchange-kinds", .run = run_exchange_kinds},
    {.name = "write-new", .run = run_write_new},
    {.name = "write-small", .run = run_write_small},
    {.name = "overwrite", .run = run_overwrite},
    {.name = "write-unaligned", .run = run_write_unaligned},
    {.name = "write-edges", .run = run_write_edges},
    {.name = "append", .run = run_append},
    {.name = "append-blocks", .run = run_append_blocks},
    {.name = "write-sparse", .run = run_write_sparse},
    {.name = "write-64k", .run = run_write_64k},
    {.name = "truncate-aligned", .run = run_truncate_aligned, .frees = true},
    {.name = "truncate-unaligned", .run = run_truncate_unaligned},
    {.name = "truncate-zero", .run = run_truncate_zero, .frees = true},
    {.name = "truncate-up", .run = run_truncate_up},
    {.name = "fallocate", .run = run_fallocate},
    {.name = "fallocate-keep-size", .run = run_fallocate_keep_size},
    {.name = "write-reserved", .prepare = reserve_f, .run = run_write_reserved},
    {.name = "write-half-reserved", .prepare = reserve_f, .run = run_write_half_reserved},
    {.name = "truncate-reserved", .prepare = reserve_f, .run = run_truncate_reserved},
    {.name = "truncate-up-reserved", .prepare = reserve_f, .run = run_truncate_up_reserved},
    {.name = "punch-blocks", .run = run_punch_blocks, .frees = true},
    {.name = "punch-edges", .run = run_punch_edges},
    {.name = "punch-within-block", .run = run_punch_within_block},
    {.name = "zero-range", .run = run_zero_range},
    {.name = "zero-range-keep-size", .run = run_zero_range_keep_size},
    {.name = "collapse", .run = run_collapse},
    {.name = "insert", .run = run_insert},
    {.name = "copy-new", .run = run_copy_new},
    {.name = "copy-edges", .run = run_copy_edges},
    {.name = "copy-new-prepared", .run = run_copy_new_prepared},
    {.name = "copy-edges-prepared", .run = run_copy_edges_prepared},
    {.name = "copy-holes-prepared", .prepare = punch_f, .run = run_copy_holes_prepared},
    {.name = "copy-holes", .prepare = punch_f, .run = run_copy_holes},
    {.name = "look", .run = run_look},
    {.name = "look-directory", .run = run_look_directory},
    {.name = "chmod", .run = run_chmod},
    {.name = "setattr-all", .run = run_setattr_all},
    {.name = "utimes", .run = run_utimes},
    {.name = "setxattr", .run = run_setxattr},
    {.name = "setxattr-page", .run = run_setxattr_page},
    {.name = "setxattr-blob", .run = run_setxattr_blob},
    {.name = "setxattr-replace", .prepare = set_two_xattrs, .run = run_replace_xattr},
    {.name = "setxattr-replace-blob", .prepare = set_two_xattrs, .run = run_replace_xattr_blob},
    {.name = "setxattr-shrink", .prepare = set_two_xattrs, .run = run_shrink_xattr},
    {.name = "removexattr", .prepare = set_two_xattrs, .run = run_removexattr, .frees = true},
    {.name = "removexattr-blob", .prepare = set_two_xattrs, .run = run_removexattr_blob, .frees = true},
    {.name = "unlink-with-xattrs", .prepare = set_two_xattrs, .run = run_unlink, .frees = true},
    {.name = "set-acl", .run = run_set_acl},
    {.name = "set-default-acl", .run = run_set_default_acl},
    {.name = "remove-acl", .prepare = prepare_acl, .run = run_remove_acl, .frees = true},
    {.name = "acl-to-mode", .prepare = prepare_acl, .run = run_acl_to_mode},
    {.name = "chmod-with-acl", .prepare = prepare_acl, .run = run_chmod},
    {.name = "create-under-acl", .prepare = prepare_default_acl, .run = run_create},
    {.name = "mkdir-under-acl", .prepare = prepare_default_acl, .run = run_mkdir},
    {.name = "create-by-user-under-acl", .prepare = prepare_default_acl_for_user, .run = run_create_by_user},
    {.name = "create-by-user", .prepare = prepare_shared_directory, .run = run_create_by_user},
    {.name = "mkdir-by-user", .prepare = prepare_shared_directory, .run = run_mkdir_by_user},
    {.name = "write-with-capability", .prepare = prepare_privileges, .run = run_overwrite},
    {.name = "write-by-user", .prepare = prepare_privileges, .run = run_write_by_user},
    {.name = "truncate-by-user", .prepare = prepare_privileges, .run = run_truncate_by_user},
    {.name = "collapse-by-user", .prepare = prepare_privileges, .run = run_collapse_by_user},
    {.name = "chown-with-privileges", .prepare = prepare_privileges, .run = run_chown},
    {.name = "set-flags", .run = run_set_flags},
    {.name = "clear-flags", .prepare = prepare_immutable, .run = run_clear_flags},
    {.name = "append-to-append-only", .prepare = prepare_append_only, .run = run_append_to_fixed},
    {.name = "overwrite-append-only", .prepare = prepare_append_only, .run = run_overwrite_fixed},
    {.name = "unlink-immutable", .prepare = prepare_immutable, .run = run_unlink_fixed},
    {.name = "gc-file", .prepare = lengthen_file, .run = run_gc_file, .long_past = true},
    {.name = "gc-reserved-file", .prepare = lengthen_reserved_file, .run = run_gc_file, .long_past = true},
    {.name = "accessed", .run = run_accessed},
    {.name = "set-project", .run = run_set_project},
    {.name = "set-project-directory", .run = run_set_project_directory},
    {.name = "set-limits", .run = run_set_limits},
    {.name = "change-limits", .prepare = make_limits, .run = run_change_limits},
    {.name = "create-in-project", .prepare = make_project, .run = run_create_in_project},
    {.name = "mkdir-in-project", .prepare = make_project, .run = run_mkdir_in_project},
    {.name = "rename-into-project", .prepare = make_project, .run = run_rename_into_project},
    {.name = "rename-across-projects", .prepare = make_project, .run = run_rename_across_projects},
    {.name = "link-across-projects", .prepare = make_project, .run = run_link_across_projects},
    {.name = "append-to-limit", .prepare = make_project, .run = run_append_to_limit},
    {.name = "append-beyond-limit", .prepare = make_project, .run = run_append_beyond_limit},
    {.name = "unlink-in-project", .prepare = make_project, .run = run_unlink_in_project, .frees = true},
    {.name = "gc-limits", .prepare = lengthen_root, .run = run_gc_limits, .long_past = true},
    {.name = "gc-directory", .prepare = lengthen_directory, .run = run_gc_directory, .long_past = true},
    {.name = "gc-step-file", .prepare = lengthen_file_for_step, .run = run_gc_step_file, .long_past = true},
    {.name = "write-packed", .prepare = pack_f, .run = run_write_packed, .long_past = true},
    {.name = "truncate-packed", .prepare = pack_f, .run = run_truncate_packed, .frees = true, .long_past = true},
    {.name = "unlink-packed", .prepare = pack_f, .run = run_unlink, .frees = true, .long_past = true},
    {.name = "gc-packed-file", .prepare = lengthen_packed_file_for_step, .run = run_gc_step_file, .long_past = true},
    {.name = "gc-step-directory",
     .prepare = lengthen_directory_for_step,
     .run = run_gc_step_directory,
     .long_past = true},
    {.name = "new-slot-chunk", .prepare = world_use_up_slots, .run = run_many_slots, .long_past = true},
    {.name = "unmount", .run = run_unmount, .frees = true, .ends = true},
    {.name = "write-over-zones", .prepare = zones_free_group, .run = zones_write, .zones = true},
    {.name = "fallocate-over-zones", .prepare = zones_free_group, .run = zones_fallocate, .zones = true},
    {.name = "write-reserved-over-zones", .prepare = zones_reserve, .run = zones_overwrite, .zones = true},
    {.name = "overwrite-over-zones", .prepare = zones_fill, .run = zones_overwrite, .zones = true},
    {.name = "truncate-over-zones", .prepare = zones_fill, .run = zones_truncate, .frees = true, .zones = true},
    {.name = "punch-over-zones", .prepare = zones_fill, .run = zones_punch, .frees = true, .zones = true},
    {.name = "unlink-over-zones", .prepare = zones_fill, .run = zones_unlink, .frees = true, .zones = true},
    {.name = "collapse-over-zones", .prepare = zones_fill, .run = zones_collapse, .zones = true},
    {.name = "copy-over-zones", .prepare = zones_fill, .run = zones_copy, .zones = true},
};
const size_t operation_count = sizeof(operations) / sizeof(operations[0]);
