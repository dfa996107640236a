/*
 * client_operations.c -- operations that change the client table.
 */
#include "tests/crash/client_operations.h"

#include "tests/crash/steps.h"

#include <errno.h>
#include <sys/stat.h>

/* A number is never given twice. */
#define OTHER_CLIENT (WORLD_CLIENT + 1)
#define ENDED_CLIENT (WORLD_CLIENT + 2)

static int connect_as(struct world *world, uint64_t number, struct nova_client **client)
{
	int rc = nova_client_find(world->fs, number, WORLD_CLIENT_KEY, client);

	if (rc == -ENOENT)
		rc = nova_client_new(world->call.worker, number, WORLD_CLIENT_KEY, client);
	return rc;
}

static void end_client(struct world *world, uint64_t number)
{
	struct nova_client *client;

	if (nova_client_find(world->fs, number, WORLD_CLIENT_KEY, &client) == 0)
		nova_client_end(world->fs, client);
}

static int create_as(struct world *world, struct nova_client *client, const char *path)
{
	struct nova_client *own = world->client;
	int rc;

	world->client = client;
	rc = world_create(world, path, S_IFREG | 0644);
	world->client = own;
	return rc;
}

static void make_client(struct world *world, uint64_t number)
{
	struct nova_client *client;

	world_must(world, "another client", connect_as(world, number, &client));
	if (world->failed)
		return;
	world_must(world, "/e/other", create_as(world, client, "/e/other"));
	nova_client_release(world->fs, client);
}

void clients_make(struct world *world)
{
	make_client(world, OTHER_CLIENT);
}

void clients_free_page(struct world *world)
{
	make_client(world, ENDED_CLIENT);
	end_client(world, ENDED_CLIENT);
}

int clients_first_request(struct world *world)
{
	struct nova_client *client;
	struct nova_intent page;
	int rc;

	if (world->side == WORLD_MODEL)
		return create_as(world, world->client, world_fresh(world, "/d/new"));
	rc = connect_as(world, OTHER_CLIENT, &client);
	if (rc)
		return rc;
	rc = nova_intent_begin(world->call.worker, client, world->request.slot, 1, 1, &page);
	if (!rc)
		rc = create_as(world, client, world_fresh(world, "/d/new"));
	nova_client_release(world->fs, client);
	return rc;
}

int clients_end(struct world *world)
{
	if (world->side != WORLD_MODEL)
		end_client(world, OTHER_CLIENT);
	return 0;
}
