/*
 * world.c -- makes small file systems in memory.
 */
#include "tests/crash/steps.h"

#include "tests/crash/fixed.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define BEGIN_NS 1700000000000000000 /* when every pool is made */

void world_connect(struct world *world)
{
	int rc = nova_client_find(world->fs, WORLD_CLIENT, WORLD_CLIENT_KEY, &world->client);

	if (rc == -ENOENT)
		rc = nova_client_new(world->worker, WORLD_CLIENT, WORLD_CLIENT_KEY, &world->client);
	/* The page: then no request of an operation needs one. */
	if (!rc)
		rc = nova_intent_begin(world->worker, world->client, 0, 1, 1, &world->intent);
	world->call.intent = NULL;
	world_must(world, "connect", rc);
}

void world_next_operation(struct world *world, uint32_t slot)
{
	world->request = (struct world_request){.slot = slot};
}

static void make_tree(struct world *world)
{
	static const char target[] = "somewhere/else";

	world_must(world, "/d", world_create(world, "/d", S_IFDIR | 0755));
	world_must(world, "/e", world_create(world, "/e", S_IFDIR | 0755));
	world_must(world, "/d/f", world_create(world, "/d/f", S_IFREG | 0644));
	world_must(world, "/d/f", world_write(world, "/d/f", 0, 3 * 4096 + 100, 0));
	world_must(world, "/d/empty", world_create(world, "/d/empty", S_IFREG | 0644));
	world_must(world, "/d/g", world_create(world, "/d/g", S_IFREG | 0644));
	world_must(world, "/d/g", world_write(world, "/d/g", 0, 200, 0));
	world_must(world, "/d/sub", world_create(world, "/d/sub", S_IFDIR | 0755));
	world_must(world, "/d/full", world_create(world, "/d/full", S_IFDIR | 0755));
	world_must(world, "/d/full/x", world_create(world, "/d/full/x", S_IFREG | 0644));
	world_must(world, "/d/two", world_create(world, "/d/two", S_IFREG | 0644));
	world_must(world, "/e/two", world_link(world, "/d/two", "/e/two"));
	world_must(world, "/d/link", world_symlink(world, "/d/link", target, sizeof(target) - 1));
	world_must(world, "/e/y", world_create(world, "/e/y", S_IFREG | 0644));
	world_must(world, "/e/y", world_write(world, "/e/y", 0, 5000, 0));
	world_must(world, "/e/sub", world_create(world, "/e/sub", S_IFDIR | 0755));
}

uint64_t world_inodes(const struct world *world)
{
	return world->pm.size / NOVA_SLOT_SIZE;
}

int world_begin(struct world *world, struct sparse *memory, struct sparse *initial, const struct world_state *state)
{
	const struct nova_mount_options options = {.recovery_threads = 1};
	char why[256];

	memset(world, 0, sizeof(*world));
	sparse_clear(memory, state->zones ? WORLD_ZONES : WORLD_SIZE);
	pm_wrap(&world->pm, memory->base, memory->size);
	world->generations = calloc(world_inodes(world), sizeof(*world->generations));
	if (!world->generations)
		abort();
	world->now = BEGIN_NS;
	fixed_time_set(world->now);
	fixed_random_restart();
	trace_init(&world->trace, memory);
	world->pm.observer = &world->trace.observer;
	world_must(world, "format", nova_format(&world->pm, &(struct nova_format_options){0}));
	sparse_copy(initial, memory);
	trace_clear(&world->trace);
	world_must(world, "mount", nova_mount(&world->pm, &options, &world->fs, why, sizeof(why)));
	if (world->failed)
		return world->error;
	world_must(world, "worker", nova_worker_open(world->fs, &world->worker));
	if (world->failed)
		return world->error;
	world->call = (struct nova_call){.worker = world->worker};
	world_connect(world);
	world->model = posix_new(0755, BEGIN_NS);
	world->root = (struct world_object){nova_root(world->fs), posix_root(world->model)};
	posix_name_inode(world->model, world->root.ino, world->root.handle.ino.n, world->root.handle.generation);
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
	posix_free(world->model);
	free(world->generations);
	world->generations = NULL;
	world->model = NULL;
	world->worker = NULL;
	world->fs = NULL;
}
