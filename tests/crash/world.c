/*
 * world.c -- makes small file systems in memory, in the states that crash tests start from.
 */
#include "tests/crash/world.h"

#include "server/pool/medium.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* The objects whose logs the operations append to. */
static const char *const aged[] = {"/d", "/e", "/d/f", "/d/g", "/d/empty", "/d/sub", "/d/two", "/d/full", "/e/y"};
#define AGED (sizeof(aged) / sizeof(aged[0]))

void world_must(struct world *world, const char *step, int64_t rc)
{
	if (rc >= 0 || world->failed)
		return;
	world->failed = step;
	world->error = (int)rc;
}

/* ---- steps -------------------------------------------------------------------------------------- */

struct nova_handle world_split(struct world *world, const char *path, const char **name, size_t *length)
{
	struct nova_handle dir = world->root;
	const char *slash;

	for (path++; (slash = strchr(path, '/')) != NULL; path = slash + 1) {
		struct nova_attr attr;
		int rc = nova_lookup(&world->call, dir, path, (size_t)(slash - path), &attr);

		world_must(world, path, rc);
		if (rc)
			break;
		dir = attr.handle;
	}
	*name = path;
	*length = strlen(path);
	return dir;
}

struct nova_handle world_find(struct world *world, const char *path)
{
	struct nova_attr attr = {0};
	struct nova_handle dir;
	const char *name;
	size_t length;

	dir = world_split(world, path, &name, &length);
	if (length == 0)
		return dir;
	world_must(world, path, nova_lookup(&world->call, dir, name, length, &attr));
	return attr.handle;
}

int world_create(struct world *world, const char *path, uint32_t mode)
{
	struct nova_handle dir;
	const char *name;
	size_t length;
	struct nova_attr attr;

	dir = world_split(world, path, &name, &length);
	return nova_create(&world->call, dir, name, length, mode, 0x103, &attr);
}

int world_write(struct world *world, const char *path, uint64_t offset, size_t length, unsigned flags)
{
	static uint8_t data[1 << 20];
	static uint8_t round;
	ssize_t n;

	round++;
	for (size_t i = 0; i < length; i++)
		data[i] = (uint8_t)(i * 31 + round * 7 + (i >> 8)) | 1;
	n = nova_write(&world->call, world_find(world, path), offset, data, length, flags, NULL);
	return n < 0 ? (int)n : n == (ssize_t)length ? 0 : -EIO;
}

int world_unlink(struct world *world, const char *path)
{
	struct nova_handle dir;
	const char *name;
	size_t length;

	dir = world_split(world, path, &name, &length);
	return nova_unlink(&world->call, dir, name, length, NULL);
}

int world_rename(struct world *world, const char *from, const char *to, unsigned flags)
{
	const char *from_name, *to_name;
	size_t from_length, to_length;
	struct nova_handle from_dir = world_split(world, from, &from_name, &from_length);
	struct nova_handle to_dir = world_split(world, to, &to_name, &to_length);

	return nova_rename(&world->call, from_dir, from_name, from_length, to_dir, to_name, to_length, flags, NULL);
}

int world_chmod(struct world *world, const char *path, uint32_t mode)
{
	struct nova_attr attr = {.mode = mode};

	return nova_setattr(&world->call, world_find(world, path), NOVA_SET_MODE, &attr, NULL);
}

int world_truncate(struct world *world, const char *path, uint64_t size)
{
	struct nova_attr attr = {.size = size};

	return nova_setattr(&world->call, world_find(world, path), NOVA_SET_SIZE, &attr, NULL);
}

/* Read from the medium, since the core does not tell. */
static bool read_inode(struct world *world, const char *path, struct medium *medium, struct medium_inode *inode)
{
	struct nova_handle handle = world_find(world, path);
	const char *why;

	if (medium_open(medium, world->pm.base, world->pm.size, &why))
		return false;
	return medium_replay(medium) >= 0 && medium_inode(medium, handle.ino.n, inode) == 0;
}

uint64_t world_log_lines(struct world *world, const char *path)
{
	struct medium_inode inode = {0};
	struct medium medium = {0};
	bool ok = read_inode(world, path, &medium, &inode);

	medium_close(&medium);
	return ok ? inode.tail : 0;
}

uint64_t world_log_start(struct world *world, const char *path)
{
	struct medium_inode inode = {0};
	struct medium medium = {0};
	struct medium_log log = {0};
	uint64_t start = 0;

	if (read_inode(world, path, &medium, &inode)) {
		medium_log_begin(&log, &medium, &inode);
		if (medium_log_next(&log) == MEDIUM_PAGE)
			start = log.position;
	}
	medium_close(&medium);
	return start;
}

void world_age(struct world *world, const char *path, unsigned pages, unsigned left)
{
	uint64_t target = NOVA_SLOT_LINES + pages * NOVA_PAGE_LINES - left;

	while (!world->failed && world_log_lines(world, path) < target)
		world_must(world, "age",
		           world_chmod(world, path, 0700 | (uint32_t)(world_log_lines(world, path) & 077)));
}

/* ---- states ------------------------------------------------------------------------------------- */

static void prepare_fresh(struct world *world)
{
}

static void prepare_slot_full(struct world *world)
{
	for (size_t i = 0; i < AGED; i++)
		world_age(world, aged[i], 0, 0);
}

static void prepare_page_full(struct world *world)
{
	for (size_t i = 0; i < AGED; i++)
		world_age(world, aged[i], 1, 0);
}

static void prepare_line_left(struct world *world)
{
	for (size_t i = 0; i < AGED; i++)
		world_age(world, aged[i], i % 2, 1);
}

static uint64_t ring_position(const struct world *world)
{
	const struct nova_ring *ring = pm_at(&world->pm, (uint64_t)NOVA_JOURNAL_BLOCK * NOVA_BLOCK_SIZE);
	uint64_t value;

	return medium_word_value(NOVA_WORD_COMMIT, 0, ring->commit[0], &value) ? value : 0;
}

/* The next record is the last of the ring, the one after it takes the place of the first. Each operation before had
 * other inodes, so that a home word which was never made durable is missed as soon as its record is overwritten. */
static void prepare_ring_wraps(struct world *world)
{
	for (unsigned i = 0; !world->failed; i++) {
		char path[32];

		if (i > 40 && ring_position(world) % NOVA_RING_RECORDS == NOVA_RING_RECORDS - 1)
			return;
		snprintf(path, sizeof(path), "/e/ring%u", i);
		world_must(world, path, world_create(world, path, S_IFREG | 0600));
	}
}

static void prepare_other_thread(struct world *world)
{
	prepare_ring_wraps(world);
}

static void *create_elsewhere(void *context)
{
	struct world *world = context;

	world_must(world, "/e/elsewhere", world_create(world, "/e/elsewhere", S_IFREG | 0600));
	return NULL;
}

/* The first thread's last record is then out of its ring: what it moved must be durable by the second's doing. */
static void prepare_handed_over(struct world *world)
{
	pthread_t thread;

	world_must(world, "thread", -pthread_create(&thread, NULL, create_elsewhere, world));
	pthread_join(thread, NULL);
	prepare_ring_wraps(world);
}

/* The first change after the mount is made by another thread than the mount. */
static void prepare_remounted(struct world *world)
{
	const struct nova_mount_options options = {.recovery_threads = 1};
	char why[256];

	nova_worker_close(world->worker);
	nova_unmount(world->fs);
	world->worker = NULL;
	world->fs = NULL;
	world_must(world, "mount", nova_mount(&world->pm, &options, &world->fs, why, sizeof(why)));
	if (!world->failed)
		world_must(world, "worker", nova_worker_open(world->fs, &world->worker));
	world->call.worker = world->worker;
}

/* Free space comes only in single blocks, few of them. */
static void prepare_nearly_full(struct world *world)
{
	uint64_t blocks = 0;
	struct nova_statfs statfs;
	int rc = 0;

	world_must(world, "create", world_create(world, "/fill", S_IFREG | 0600));
	for (size_t length = 1 << 20; length >= 4096; length /= 2)
		while ((rc = world_write(world, "/fill", blocks * 4096, length, 0)) == 0)
			blocks += length / 4096;
	world_must(world, "fill", rc == -ENOSPC ? 0 : rc);
	nova_statfs(world->fs, &statfs);
	if (statfs.free_blocks > 200)
		world_must(world, "fill to the end", -EFBIG);
	world_must(world, "free a little", world_truncate(world, "/fill", (blocks - 4) * 4096));
}

static void prepare_fragmented(struct world *world)
{
	world_must(world, "create", world_create(world, "/odd", S_IFREG | 0600));
	world_must(world, "create", world_create(world, "/even", S_IFREG | 0600));
	for (unsigned i = 0; i < 60; i++)
		world_must(world, "write", world_write(world, i % 2 ? "/odd" : "/even", i / 2 * 4096, 4096, 0));
	prepare_nearly_full(world);
	world_must(world, "free every other block", world_unlink(world, "/odd"));
}

/* Blocks and slots that come next were log pages, names and attributes of inodes that are gone, and so were data that
 * look like them: nothing old may be taken for something new. */
static void prepare_recycled(struct world *world)
{
	char path[64];

	for (unsigned round = 0; round < 2; round++) {
		for (unsigned i = 0; i < 20; i++) {
			snprintf(path, sizeof(path), "/old%u", i);
			world_must(world, path, world_create(world, path, (i % 4 ? S_IFREG : S_IFDIR) | 0700));
			for (unsigned k = 0; k < 80; k++)
				world_must(world, "age", world_chmod(world, path, 0700 | k));
			if (i % 4)
				world_must(world, "write", world_write(world, path, 100, 9000, 0));
		}
		for (unsigned i = 0; i < 20; i++) {
			const char *name;
			size_t length;
			struct nova_handle dir;

			snprintf(path, sizeof(path), "/old%u", i);
			dir = world_split(world, path, &name, &length);
			world_must(world, path,
			           i % 4 ? world_unlink(world, path)
			                 : nova_rmdir(&world->call, dir, name, length, NULL));
		}
	}
}

const struct world_state world_states[] = {
    {"fresh", "new objects, all free space never used", prepare_fresh, false, false, false},
    {"slot-full", "the part of each log that lies in the slot is full", prepare_slot_full, false, false, false},
    {"page-full", "each log ends with its page", prepare_page_full, false, false, true},
    {"line-left", "one line is left in each slot or page, so that longer entries need padding", prepare_line_left,
     false, false, true},
    {"ring-wraps", "the next journal record takes the place of an old one", prepare_ring_wraps, false, false, false},
    {"other-thread", "what came before was done by another thread with another worker", prepare_other_thread, false,
     true, false},
    {"handed-over", "another thread used the worker before", prepare_handed_over, false, false, false},
    {"remounted", "the operation is the first after a mount, in another thread", prepare_remounted, false, true, false},
    {"nearly-full", "four data blocks are free", prepare_nearly_full, true, false, true},
    {"fragmented", "free space is single blocks between others", prepare_fragmented, true, false, true},
    {"recycled", "free slots and blocks hold valid metadata of what was there before", prepare_recycled, false, false,
     true},
};
const size_t world_state_count = sizeof(world_states) / sizeof(world_states[0]);

/* ---- begin and end ------------------------------------------------------------------------------ */

static void make_tree(struct world *world)
{
	static const char target[] = "somewhere/else";
	struct nova_attr attr;

	world_must(world, "/d", world_create(world, "/d", S_IFDIR | 0755));
	world_must(world, "/e", world_create(world, "/e", S_IFDIR | 0755));
	world->d = world_find(world, "/d");
	world->e = world_find(world, "/e");
	world_must(world, "/d/f", world_create(world, "/d/f", S_IFREG | 0644));
	world_must(world, "/d/f", world_write(world, "/d/f", 0, 3 * 4096 + 100, 0));
	world_must(world, "/d/empty", world_create(world, "/d/empty", S_IFREG | 0644));
	world_must(world, "/d/g", world_create(world, "/d/g", S_IFREG | 0644));
	world_must(world, "/d/g", world_write(world, "/d/g", 0, 200, 0));
	world_must(world, "/d/sub", world_create(world, "/d/sub", S_IFDIR | 0755));
	world_must(world, "/d/full", world_create(world, "/d/full", S_IFDIR | 0755));
	world_must(world, "/d/full/x", world_create(world, "/d/full/x", S_IFREG | 0644));
	world_must(world, "/d/two", world_create(world, "/d/two", S_IFREG | 0644));
	world_must(world, "/e/two", nova_link(&world->call, world_find(world, "/d/two"), world->e, "two", 3, &attr));
	world_must(world, "/d/link",
	           nova_symlink(&world->call, world->d, "link", 4, target, sizeof(target) - 1, &attr));
	world_must(world, "/e/y", world_create(world, "/e/y", S_IFREG | 0644));
	world_must(world, "/e/y", world_write(world, "/e/y", 0, 5000, 0));
	world_must(world, "/e/sub", world_create(world, "/e/sub", S_IFDIR | 0755));
}

int world_begin(struct world *world, void *memory, void *initial, const struct world_state *state)
{
	const struct nova_mount_options options = {.recovery_threads = 1};
	char why[256];

	memset(world, 0, sizeof(*world));
	memset(memory, 0, WORLD_SIZE);
	pm_wrap(&world->pm, memory, WORLD_SIZE);
	trace_init(&world->trace);
	world_must(world, "format", nova_format(&world->pm, &(struct nova_format_options){0}));
	memcpy(initial, memory, WORLD_SIZE);
	world->pm.observer = &world->trace.observer;
	world_must(world, "mount", nova_mount(&world->pm, &options, &world->fs, why, sizeof(why)));
	if (world->failed)
		return world->error;
	world_must(world, "worker", nova_worker_open(world->fs, &world->worker));
	if (world->failed)
		return world->error;
	world->call = (struct nova_call){.worker = world->worker, .request = {7, 1, 1}};
	world->root = nova_root(world->fs);
	make_tree(world);
	if (!world->failed)
		state->prepare(world);
	return world->error;
}

void world_end(struct world *world)
{
	if (world->worker)
		nova_worker_close(world->worker);
	if (world->fs)
		nova_unmount(world->fs);
	trace_free(&world->trace);
	world->worker = NULL;
	world->fs = NULL;
}
