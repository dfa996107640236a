/*
 * steps_place.c -- on whose behalf a step is made, and which objects its paths mean.
 */
#include "tests/crash/steps_internal.h"

#include <errno.h>
#include <string.h>

void world_must(struct world *world, const char *step, int64_t rc)
{
	if (rc >= 0 || world->failed)
		return;
	world->failed = step;
	world->error = (int)rc;
}

bool step_has_model(const struct world *world)
{
	return world->model != NULL;
}

/* ---- on whose behalf ---------------------------------------------------------------------------- */

void step_act_for(struct world *world, bool user)
{
	static const struct nova_cred cred = {.uid = WORLD_USER, .gid = WORLD_USER};
	const struct posix_caller caller = {.uid = WORLD_USER, .gid = WORLD_USER, .umask = world->call.umask};

	world->call.cred = user ? &cred : NULL;
	if (step_has_model(world) && world->side != WORLD_CORE)
		posix_act_for(world->model, user ? &caller : NULL);
}

void world_become_user(struct world *world, uint32_t umask)
{
	world->call.umask = umask;
	step_act_for(world, true);
}

void world_become_super(struct world *world)
{
	world->call.umask = 0;
	step_act_for(world, false);
}

void world_by_another(struct world *world, void (*prepare)(struct world *world))
{
	struct nova_worker *first = world->worker;

	if (world->failed)
		return;
	world_must(world, "another worker", nova_worker_open(world->fs, &world->worker));
	if (!world->failed) {
		world->call.worker = world->worker;
		prepare(world);
		nova_worker_close(world->worker);
	}
	world->worker = first;
	world->call.worker = first;
}

/* ---- paths -------------------------------------------------------------------------------------- */

static const struct world_held *held(const struct world *world, const char *path, size_t length)
{
	for (unsigned i = 0; i < world->held_count; i++)
		if (strlen(world->held[i].path) == length && strncmp(world->held[i].path, path, length) == 0)
			return &world->held[i];
	return NULL;
}

static int look_up(struct world *world, struct world_object dir, const char *name, size_t length,
                   struct world_object *out)
{
	bool user = world->call.cred;
	struct nova_attr attr = {0};
	int rc;

	/* To find what is meant is the test's business. */
	step_act_for(world, false);
	rc = nova_lookup(&world->call, dir.handle, name, length, &attr);
	out->handle = attr.handle;
	if (step_has_model(world) && posix_lookup(world->model, dir.ino, name, length, &out->ino) != rc)
		world_must(world, "core and model disagree on a look-up", rc ? rc : -EEXIST);
	step_act_for(world, user);
	return rc;
}

static struct world_object parent_of(struct world *world, const char *path, const char *last)
{
	const struct world_held *parent = held(world, path, (size_t)(last - path));
	struct world_object dir = parent ? parent->object : world->root;

	if (parent)
		return dir;
	for (path++; path < last;) {
		size_t n = strcspn(path, "/");
		int rc = look_up(world, dir, path, n, &dir);

		world_must(world, path, rc);
		if (rc)
			break;
		path += n + 1;
	}
	return dir;
}

/* A held object that is no longer where its path says is looked for by the model. */
static void follow(struct world *world, const struct world_held *object, struct place *place)
{
	uint64_t number;
	posix_ino now;
	bool user = world->call.cred;

	if (world->side != WORLD_BOTH || !step_has_model(world) || !world->second)
		return;
	step_act_for(world, false);
	if (posix_lookup(world->model, place->dir.ino, place->name, place->length, &now))
		now.n = 0; /* the root, which no name leads to */
	step_act_for(world, user);
	if (now.n == object->object.ino.n)
		return;
	if (!posix_find_name(world->model, object->object.ino, &place->dir.ino, place->moved))
		return;
	place->name = place->moved;
	place->length = strlen(place->moved);
	posix_inode_name(world->model, place->dir.ino, &number, &place->dir.handle.generation);
	place->dir.handle.ino.n = number;
}

void step_find_place(struct world *world, const char *path, struct place *place)
{
	const char *last = strrchr(path, '/');
	const struct world_held *object = held(world, path, strlen(path));

	place->dir = parent_of(world, path, last);
	place->name = last + 1;
	place->length = strlen(last + 1);
	if (object)
		follow(world, object, place);
}

struct world_object world_find(struct world *world, const char *path)
{
	const struct world_held *known = held(world, path, strlen(path));
	struct world_object object = {0};
	struct place place;

	if (known)
		return known->object;
	step_find_place(world, path, &place);
	if (place.length == 0)
		return place.dir;
	world_must(world, path, look_up(world, place.dir, place.name, place.length, &object));
	return object;
}

void step_hold_as(struct world *world, const char *path, struct world_object object)
{
	if (world->held_count == WORLD_HELD_MAX) {
		world_must(world, "hold", -ENFILE);
		return;
	}
	world->held[world->held_count++] = (struct world_held){path, object};
}

void world_hold(struct world *world, const char *path)
{
	struct world_object object = world_find(world, path);

	if (!held(world, path, strlen(path)))
		step_hold_as(world, path, object);
}

static bool is_taken(struct world *world, const char *path)
{
	const struct nova_call call = {.worker = world->call.worker};
	struct nova_attr attr;
	struct place place;

	step_find_place(world, path, &place);
	return nova_lookup(&call, place.dir.handle, place.name, place.length, &attr) == 0;
}

void world_hold_tree(struct world *world)
{
	static const char *const paths[] = {"/d",        "/e",     "/d/f",    "/d/g", "/d/empty", "/d/sub", "/d/full",
	                                    "/d/full/x", "/d/two", "/d/link", "/e/y", "/e/sub",   "/e/two"};

	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
		if (!held(world, paths[i], strlen(paths[i])) && is_taken(world, paths[i]))
			world_hold(world, paths[i]);
}

const char *world_fresh(struct world *world, const char *path)
{
	static const char *const spare[][2] = {{"/d/new", "/d/new2"}, {"/e/new", "/e/new2"}};

	if (!world->second || (world->side == WORLD_BOTH && !is_taken(world, path)))
		return path;
	for (size_t i = 0; i < sizeof(spare) / sizeof(spare[0]); i++)
		if (strcmp(spare[i][0], path) == 0)
			return spare[i][1];
	world_must(world, path, -EINVAL);
	return path;
}
