/*
 * operations.c -- the operations whose crashes are tried, each on the tree of world.h.
 */
#include "tests/crash/operations.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* ---- names -------------------------------------------------------------------------------------- */

static int run_create(struct world *world)
{
	return world_create(world, "/d/new", S_IFREG | 0640);
}

static int run_create_long_name(struct world *world)
{
	struct nova_attr attr;
	char name[255];

	memset(name, 'n', sizeof(name));
	return nova_create(&world->call, world->d, name, sizeof(name), S_IFREG | 0640, 0, &attr);
}

static int run_mkdir(struct world *world)
{
	return world_create(world, "/d/new", S_IFDIR | 0750);
}

static int run_mknod(struct world *world)
{
	return world_create(world, "/d/new", S_IFCHR | 0600);
}

static int run_symlink_short(struct world *world)
{
	struct nova_attr attr;

	return nova_symlink(&world->call, world->d, "new", 3, "a/b", 3, &attr);
}

static int make_symlink(struct world *world, size_t length)
{
	struct nova_attr attr;
	char target[4095];

	memset(target, 't', sizeof(target));
	return nova_symlink(&world->call, world->d, "new", 3, target, length, &attr);
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
	struct nova_attr attr;

	return nova_link(&world->call, world_find(world, "/d/f"), world->e, "new", 3, &attr);
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
	struct nova_attr attr;

	world_must(world, "open", nova_open(&world->call, world_find(world, "/d/f"), &attr));
}

static struct nova_handle orphan;

static void open_and_unlink_f(struct world *world)
{
	open_f(world);
	orphan = world_find(world, "/d/f");
	world_must(world, "unlink", world_unlink(world, "/d/f"));
}

static int run_close_orphan(struct world *world)
{
	return nova_close(&world->call, orphan);
}

static int run_write_orphan(struct world *world)
{
	char data[100] = "still written";
	ssize_t n = nova_write(&world->call, orphan, 50, data, sizeof(data), 0, NULL);

	return n < 0 ? (int)n : 0;
}

static int run_rmdir(struct world *world)
{
	return nova_rmdir(&world->call, world->d, "sub", 3, NULL);
}

static void open_sub(struct world *world)
{
	struct nova_attr attr;

	world_must(world, "open", nova_open(&world->call, world_find(world, "/d/sub"), &attr));
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
	struct nova_attr attr;

	world_must(world, "open", nova_open(&world->call, world_find(world, "/e/y"), &attr));
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

/* ---- attributes --------------------------------------------------------------------------------- */

static int run_chmod(struct world *world)
{
	return world_chmod(world, "/d/f", 0400);
}

static int run_setattr_all(struct world *world)
{
	struct nova_attr attr = {
	    .mode = 0711, .uid = 5, .gid = 6, .size = 7000, .atime_ns = 1234567890123456789, .mtime_ns = -1};

	return nova_setattr(
	    &world->call, world_find(world, "/d/f"),
	    NOVA_SET_MODE | NOVA_SET_UID | NOVA_SET_GID | NOVA_SET_SIZE | NOVA_SET_ATIME | NOVA_SET_MTIME, &attr, NULL);
}

static int run_utimes(struct world *world)
{
	struct nova_attr attr = {.atime_ns = 1, .mtime_ns = 2};

	return nova_setattr(&world->call, world_find(world, "/d"), NOVA_SET_ATIME | NOVA_SET_MTIME, &attr, NULL);
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

static int rewritten(struct world *world, const char *path, uint64_t old_start, int rc)
{
	if (rc == 0 && world_log_start(world, path) == old_start)
		return -ENOTRECOVERABLE; /* the log was not rewritten: the test would prove nothing */
	return rc;
}

static int run_gc_file(struct world *world)
{
	uint64_t start = world_log_start(world, "/d/f");

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
	for (unsigned i = 0; i < 300; i++)
		world_must(world, "rename", world_rename(world, i % 2 ? "/d/a" : "/d/f", i % 2 ? "/d/f" : "/d/a", 0));
	lengthen_like(world, "/d", "/e/twin");
}

static int run_gc_directory(struct world *world)
{
	uint64_t start = world_log_start(world, "/d");

	return rewritten(world, "/d", start, world_create(world, "/d/new", S_IFREG | 0600));
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
	/* The tree has taken the first chunk's slots up to here: this one needs a new chunk of slots. */
	return world_create(world, "/e/last", S_IFREG | 0600);
}

/* The chunk that mkfs made has 128 slots; a worker takes them in one go, so count what is left by inode number. */
static void use_up_slots(struct world *world)
{
	uint64_t chunk = world->root.ino.n / 128;

	for (unsigned i = 0; i < 256 && !world->failed; i++) {
		struct nova_attr attr;
		char name[16];
		int length = snprintf(name, sizeof(name), "slot%u", i);

		world_must(world, name,
		           nova_create(&world->call, world->e, name, (size_t)length, S_IFREG | 0600, 0, &attr));
		if (attr.handle.ino.n / 128 == chunk && attr.handle.ino.n % 128 == 127)
			return;
	}
	world_must(world, "find the last slot of the chunk", -1);
}

const struct operation operations[] = {
    {"create", NULL, run_create, false, false, false},
    {"create-long-name", NULL, run_create_long_name, false, false, false},
    {"mkdir", NULL, run_mkdir, false, false, false},
    {"mknod", NULL, run_mknod, false, false, false},
    {"symlink-short", NULL, run_symlink_short, false, false, false},
    {"symlink-lines", NULL, run_symlink_lines, false, false, false},
    {"symlink-blob", NULL, run_symlink_blob, false, false, false},
    {"link", NULL, run_link, false, false, false},
    {"unlink", NULL, run_unlink, true, false, false},
    {"unlink-symlink", NULL, run_unlink_symlink, true, false, false},
    {"unlink-one-of-two", NULL, run_unlink_one_of_two, true, false, false},
    {"unlink-open", open_f, run_unlink, true, false, false},
    {"close-orphan", open_and_unlink_f, run_close_orphan, true, false, false},
    {"write-orphan", open_and_unlink_f, run_write_orphan, false, false, false},
    {"rmdir", NULL, run_rmdir, true, false, false},
    {"rmdir-open", open_sub, run_rmdir, true, false, false},
    {"rename-same", NULL, run_rename_same, false, false, false},
    {"rename-other", NULL, run_rename_other, false, false, false},
    {"rename-over", NULL, run_rename_over, false, false, false},
    {"rename-over-other", NULL, run_rename_over_other, false, false, false},
    {"rename-over-linked", NULL, run_rename_over_linked, false, false, false},
    {"rename-over-open", open_y, run_rename_over_other, false, false, false},
    {"rename-directory-same", NULL, run_rename_directory_same, false, false, false},
    {"rename-directory-other", NULL, run_rename_directory_other, false, false, false},
    {"rename-directory-over", NULL, run_rename_directory_over, false, false, false},
    {"exchange-same", NULL, run_exchange_same, false, false, false},
    {"exchange-other", NULL, run_exchange_other, false, false, false},
    {"exchange-directories", NULL, run_exchange_directories, false, false, false},
    {"exchange-kinds", NULL, run_exchange_kinds, false, false, false},
    {"write-new", NULL, run_write_new, false, false, false},
    {"write-small", NULL, run_write_small, false, false, false},
    {"overwrite", NULL, run_overwrite, false, false, false},
    {"write-unaligned", NULL, run_write_unaligned, false, false, false},
    {"write-edges", NULL, run_write_edges, false, false, false},
    {"append", NULL, run_append, false, false, false},
    {"append-blocks", NULL, run_append_blocks, false, false, false},
    {"write-sparse", NULL, run_write_sparse, false, false, false},
    {"write-64k", NULL, run_write_64k, false, false, false},
    {"truncate-aligned", NULL, run_truncate_aligned, true, false, false},
    {"truncate-unaligned", NULL, run_truncate_unaligned, false, false, false},
    {"truncate-zero", NULL, run_truncate_zero, true, false, false},
    {"truncate-up", NULL, run_truncate_up, false, false, false},
    {"chmod", NULL, run_chmod, false, false, false},
    {"setattr-all", NULL, run_setattr_all, false, false, false},
    {"utimes", NULL, run_utimes, false, false, false},
    {"gc-file", lengthen_file, run_gc_file, false, true, false},
    {"gc-directory", lengthen_directory, run_gc_directory, false, true, false},
    {"new-slot-chunk", use_up_slots, run_many_slots, false, true, false},
    {"unmount", NULL, run_unmount, true, false, true},
};
const size_t operation_count = sizeof(operations) / sizeof(operations[0]);
