/*
 * log_operations.c -- operations that make GC shorten a log, that unmount, and that use slots again.
 */
#include "server/nova/inode/nova_inode.h"
#include "tests/crash/operation_parts.h"
#include "tests/crash/steps.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

/* ---- logs --------------------------------------------------------------------------------------- */

/*
 * The core decides when it rewrites a log. So the log of a twin with as many live entries is lengthened until that
 * happens; then the log of the object is lengthened by one step less. The operation checks that it causes the rewrite.
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

void lengthen_file(struct world *world)
{
	world_must(world, "twin", world_create(world, "/e/twin", S_IFREG | 0600));
	world_must(world, "twin", world_write(world, "/e/twin", 0, 3 * 4096 + 100, 0));
	lengthen_like(world, "/d/f", "/e/twin");
}

void lengthen_reserved_file(struct world *world)
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

int run_gc_file(struct world *world)
{
	uint64_t start = start_of_log(world, "/d/f");

	return rewritten(world, "/d/f", start, world_write(world, "/d/f", 100, 9000, 0));
}

void lengthen_directory(struct world *world)
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

int run_gc_directory(struct world *world)
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

void lengthen_file_for_step(struct world *world)
{
	lengthen_for_step(world, "/d/f");
}

/* Two packed extents and the hole between them. */
int run_write_packed(struct world *world)
{
	return world_write(world, "/d/f", 10 * 4096 + 100, 2 * 4096 + 200, 0);
}

int run_truncate_packed(struct world *world)
{
	return world_truncate(world, "/d/f", 11 * 4096 + 100);
}

int run_gc_step_file(struct world *world)
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

void pack_f(struct world *world)
{
	pack_file(world, "/d/f");
}

void lengthen_packed_file_for_step(struct world *world)
{
	uint64_t lines;

	pack_f(world);
	lines = world_log_lines(world, "/d/f");
	while (!world->failed && world_log_lines(world, "/d/f") < lines + 6 * 63)
		world_must(world, "lengthen",
		           world_chmod(world, "/d/f", 0700 | (world_log_lines(world, "/d/f") & 077)));
}

void lengthen_directory_for_step(struct world *world)
{
	for (unsigned i = 0; i < 80; i++)
		world_must(world, "rename", world_rename(world, i % 2 ? "/d/a" : "/d/f", i % 2 ? "/d/f" : "/d/a", 0));
	lengthen_for_step(world, "/d");
}

int run_gc_step_directory(struct world *world)
{
	return run_gc_step(world, "/d");
}

void lengthen_root(struct world *world)
{
	make_limits(world);
	world_must(world, "twin", world_create(world, "/e/twin", S_IFDIR | 0700));
	world_must(world, "twin", world_create(world, "/e/twin/d", S_IFREG | 0600));
	world_must(world, "twin", world_create(world, "/e/twin/e", S_IFREG | 0600));
	lengthen_like(world, "/", "/e/twin");
}

/* The first pages of the root's log go, and the limits in them have to move. */
int run_gc_limits(struct world *world)
{
	uint64_t start = start_of_log(world, "/");

	return rewritten(world, "/", start, world_chmod(world, "/", 0711));
}

int run_unmount(struct world *world)
{
	nova_worker_close(world->worker);
	world->worker = NULL;
	nova_unmount(world->fs);
	world->fs = NULL;
	return 0;
}

int run_many_slots(struct world *world)
{
	uint64_t chunks = world->side == WORLD_BOTH ? world->fs->slot_chunks : 0;
	int rc = world_create(world, "/e/last", S_IFREG | 0600);

	if (rc == 0 && world->side == WORLD_BOTH && !world->second && world->fs->slot_chunks == chunks)
		return -ENOTRECOVERABLE; /* there was a free slot: the test would prove nothing */
	return rc;
}

/* The next slot had a life whose tails are in records that are still in the ring. */
void use_up_a_life(struct world *world)
{
	world_must(world, "create", world_create(world, "/e/life", S_IFREG | 0600));
	world_must(world, "link", world_link(world, "/e/life", "/e/life2"));
	world_must(world, "unlink", world_unlink(world, "/e/life"));
	world_must(world, "unlink", world_unlink(world, "/e/life2"));
}

/* Likewise, but the records are overwritten: only the slot tells of it. */
void use_up_a_life_long_ago(struct world *world)
{
	use_up_a_life(world);
	for (unsigned i = 0; i < 16; i++) {
		world_must(world, "rename", world_rename(world, "/e/two", "/e/three", 0));
		world_must(world, "rename", world_rename(world, "/e/three", "/e/two", 0));
	}
}
