/*
 * steps.c -- one call of the file system each, and of the model.
 */
#include "tests/crash/steps.h"

#include "tests/crash/fixed.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define STEP_NS 1000003 /* between two steps */

void world_must(struct world *world, const char *step, int64_t rc)
{
	if (rc >= 0 || world->failed)
		return;
	world->failed = step;
	world->error = (int)rc;
}

static bool has_model(const struct world *world)
{
	return world->model != NULL;
}

/* ---- on whose behalf ---------------------------------------------------------------------------- */

static void act_for(struct world *world, bool user)
{
	static const struct nova_cred cred = {.uid = WORLD_USER, .gid = WORLD_USER};
	const struct posix_caller caller = {.uid = WORLD_USER, .gid = WORLD_USER, .umask = world->call.umask};

	world->call.cred = user ? &cred : NULL;
	if (has_model(world) && world->side != WORLD_CORE)
		posix_act_for(world->model, user ? &caller : NULL);
}

void world_become_user(struct world *world, uint32_t umask)
{
	world->call.umask = umask;
	act_for(world, true);
}

void world_become_super(struct world *world)
{
	world->call.umask = 0;
	act_for(world, false);
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

/* Where a name is or will be. */
struct place {
	struct world_object dir;
	const char *name;
	size_t length;
	char moved[256]; /* what a held object is called now */
};

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
	act_for(world, false);
	rc = nova_lookup(&world->call, dir.handle, name, length, &attr);
	out->handle = attr.handle;
	if (has_model(world) && posix_lookup(world->model, dir.ino, name, length, &out->ino) != rc)
		world_must(world, "core and model disagree on a look-up", rc ? rc : -EEXIST);
	act_for(world, user);
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

	if (world->side != WORLD_BOTH || !has_model(world) || !world->second)
		return;
	act_for(world, false);
	if (posix_lookup(world->model, place->dir.ino, place->name, place->length, &now))
		now.n = 0; /* the root, which no name leads to */
	act_for(world, user);
	if (now.n == object->object.ino.n)
		return;
	if (!posix_find_name(world->model, object->object.ino, &place->dir.ino, place->moved))
		return;
	place->name = place->moved;
	place->length = strlen(place->moved);
	posix_inode_name(world->model, place->dir.ino, &number, &place->dir.handle.generation);
	place->dir.handle.ino.n = number;
}

static void find_place(struct world *world, const char *path, struct place *place)
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
	find_place(world, path, &place);
	if (place.length == 0)
		return place.dir;
	world_must(world, path, look_up(world, place.dir, place.name, place.length, &object));
	return object;
}

static void hold_as(struct world *world, const char *path, struct world_object object)
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
		hold_as(world, path, object);
}

static bool is_taken(struct world *world, const char *path)
{
	const struct nova_call call = {.worker = world->call.worker};
	struct nova_attr attr;
	struct place place;

	find_place(world, path, &place);
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

/* ---- answers ------------------------------------------------------------------------------------ */

static bool asks_core(const struct world *world)
{
	return world->side != WORLD_MODEL;
}

/* Each step is a request. The first step of an operation that changes something is its request. */
static void begin_request(struct world *world)
{
	struct world_request *request = &world->request;

	world_must(
	    world, "begin a request",
	    nova_intent_begin(world->call.worker, world->client, request->slot, ++world->sequence, 1, &world->intent));
	world->call.intent = &world->intent;
	if (request->stored)
		return;
	request->sequence = world->sequence;
	request->number = nova_client_number(world->client);
}

static void end_request(struct world *world)
{
	struct world_request *request = &world->request;

	world->call.intent = NULL;
	if (!world->intent.stored || request->stored)
		return;
	request->stored = true;
	if (nova_client_outcome(world->fs, world->client, request->slot, request->sequence, &request->outcome) != 1)
		world_must(world, "the outcome of a request", -EPROTO);
}

/* The time of the step that begins. */
static int64_t tick(struct world *world)
{
	world->now += STEP_NS;
	fixed_time_set(world->now);
	if (world->client && asks_core(world))
		begin_request(world);
	return world->now;
}

/* Keep what the core answered; or in WORLD_MODEL, tell what it answered then. */
static int answer(struct world *world, int rc, struct nova_handle *made)
{
	struct world_answers *answers = &world->answers;

	if (world->call.intent && asks_core(world))
		end_request(world);
	if (rc == 0 && world->side != WORLD_MODEL && world->generations && made->generation)
		world->generations[made->ino.n] = made->generation;
	if (world->side == WORLD_BOTH)
		return rc;
	if (world->side == WORLD_CORE) {
		if (answers->count == WORLD_STEPS_MAX) {
			world_must(world, "an operation of too many steps", -E2BIG);
			return rc;
		}
		answers->step[answers->count].rc = rc;
		answers->step[answers->count++].made = *made;
		return rc;
	}
	*made = answers->step[answers->next].made;
	return answers->step[answers->next++].rc;
}

/* Whether the model is to be asked: what failed for want of space must have left everything as it was. */
static bool asks_model(const struct world *world, int rc)
{
	return has_model(world) && world->side != WORLD_CORE && rc != -ENOSPC;
}

static int agreed(struct world *world, const char *step, int rc, int model_rc)
{
	if (rc == model_rc)
		return rc;
	world->disagreed = true;
	if (world->side == WORLD_BOTH && !world->failed) {
		printf("%s: the core answers %s, the model %s\n", step, rc ? strerror(-rc) : "success",
		       model_rc ? strerror(-model_rc) : "success");
		world_must(world, step, rc ? rc : -EPROTO);
	}
	return rc;
}

static int agreed_made(struct world *world, const char *step, int rc, int model_rc, posix_ino ino,
                       struct nova_handle made)
{
	if (rc == 0 && model_rc == 0)
		posix_name_inode(world->model, ino, made.ino.n, made.generation);
	return agreed(world, step, rc, model_rc);
}

/* ---- names -------------------------------------------------------------------------------------- */

int world_create(struct world *world, const char *path, uint32_t mode)
{
	struct nova_attr attr = {0};
	struct place at;
	posix_ino ino;
	int64_t now;
	int rc = 0;

	find_place(world, path, &at);
	now = tick(world);
	if (asks_core(world))
		rc = nova_create(&world->call, at.dir.handle, at.name, at.length, mode, 0x103, &attr);
	rc = answer(world, rc, &attr.handle);
	if (!asks_model(world, rc))
		return rc;
	return agreed_made(world, "create", rc,
	                   posix_make(world->model, at.dir.ino, at.name, at.length, mode, 0x103, now, &ino), ino,
	                   attr.handle);
}

int world_symlink(struct world *world, const char *path, const char *target, size_t length)
{
	struct nova_attr attr = {0};
	struct place at;
	posix_ino ino;
	int64_t now;
	int rc = 0;

	find_place(world, path, &at);
	now = tick(world);
	if (asks_core(world))
		rc = nova_symlink(&world->call, at.dir.handle, at.name, at.length, target, length, &attr);
	rc = answer(world, rc, &attr.handle);
	if (!asks_model(world, rc))
		return rc;
	return agreed_made(world, "symlink", rc,
	                   posix_symlink(world->model, at.dir.ino, at.name, at.length, target, length, now, &ino), ino,
	                   attr.handle);
}

int world_tmpfile(struct world *world, const char *dir_path, const char *path)
{
	struct world_object dir = world_find(world, dir_path);
	struct world_object made = {0};
	struct nova_attr attr = {0};
	int64_t now = tick(world);
	int rc = 0;

	if (asks_core(world))
		rc = nova_tmpfile(&world->call, dir.handle, 0640, true, &attr);
	rc = answer(world, rc, &attr.handle);
	if (asks_model(world, rc))
		rc = agreed_made(world, "tmpfile", rc, posix_tmpfile(world->model, dir.ino, 0640, true, now, &made.ino),
		                 made.ino, attr.handle);
	made.handle = attr.handle;
	if (rc == 0)
		hold_as(world, path, made);
	return rc;
}

int world_link(struct world *world, const char *file_path, const char *path)
{
	struct world_object file = world_find(world, file_path);
	struct nova_attr attr = {0};
	struct place at;
	int64_t now;
	int rc = 0;

	find_place(world, path, &at);
	now = tick(world);
	if (asks_core(world))
		rc = nova_link(&world->call, file.handle, at.dir.handle, at.name, at.length, &attr);
	rc = answer(world, rc, &attr.handle);
	if (!asks_model(world, rc))
		return rc;
	return agreed(world, "link", rc, posix_link(world->model, file.ino, at.dir.ino, at.name, at.length, now));
}

int world_unlink(struct world *world, const char *path)
{
	struct nova_handle none = {0};
	struct place at;
	int64_t now;
	int rc = 0;

	find_place(world, path, &at);
	now = tick(world);
	if (asks_core(world))
		rc = nova_unlink(&world->call, at.dir.handle, at.name, at.length, NULL);
	rc = answer(world, rc, &none);
	if (!asks_model(world, rc))
		return rc;
	return agreed(world, "unlink", rc, posix_unlink(world->model, at.dir.ino, at.name, at.length, now));
}

int world_rmdir(struct world *world, const char *path)
{
	struct nova_handle none = {0};
	struct place at;
	int64_t now;
	int rc = 0;

	find_place(world, path, &at);
	now = tick(world);
	if (asks_core(world))
		rc = nova_rmdir(&world->call, at.dir.handle, at.name, at.length, NULL);
	rc = answer(world, rc, &none);
	if (!asks_model(world, rc))
		return rc;
	return agreed(world, "rmdir", rc, posix_rmdir(world->model, at.dir.ino, at.name, at.length, now));
}

int world_rename(struct world *world, const char *from_path, const char *to_path, unsigned flags)
{
	unsigned posix_flags =
	    (flags & NOVA_RENAME_NOREPLACE ? POSIX_NOREPLACE : 0) | (flags & NOVA_RENAME_EXCHANGE ? POSIX_EXCHANGE : 0);
	struct nova_handle none = {0};
	struct place from, to;
	int64_t now;
	int rc = 0;

	find_place(world, from_path, &from);
	find_place(world, to_path, &to);
	now = tick(world);
	if (asks_core(world))
		rc = nova_rename(&world->call, from.dir.handle, from.name, from.length, to.dir.handle, to.name,
		                 to.length, flags, NULL);
	rc = answer(world, rc, &none);
	if (!asks_model(world, rc))
		return rc;
	return agreed(world, "rename", rc,
	              posix_rename(world->model, from.dir.ino, from.name, from.length, to.dir.ino, to.name, to.length,
	                           posix_flags, now));
}

/* Bytes that no step before had. */
static void fill(struct world *world, uint8_t *bytes, size_t length)
{
	world->round++;
	for (size_t i = 0; i < length; i++)
		bytes[i] = (uint8_t)(i * 31 + world->round * 7 + (i >> 8)) | 1;
}

/* ---- contents ----------------------------------------------------------------------------------- */

int world_write(struct world *world, const char *path, uint64_t offset, size_t length, unsigned flags)
{
	struct world_object file = world_find(world, path);
	struct nova_handle none = {0};
	uint8_t *data = malloc(length ? length : 1);
	int64_t now = tick(world);
	ssize_t n = (ssize_t)length;
	int rc;

	if (!data)
		abort();
	fill(world, data, length);
	if (asks_core(world))
		n = nova_write(&world->call, file.handle, offset, data, length, flags, NULL);
	rc = answer(world, n < 0 ? (int)n : n == (ssize_t)length ? 0 : -EIO, &none);
	if (asks_model(world, rc)) {
		n = posix_write(world->model, file.ino, offset, data, length, flags & NOVA_WRITE_APPEND, now);
		rc = agreed(world, "write", rc, n < 0 ? (int)n : 0);
	}
	free(data);
	return rc;
}

/* ---- reserved blocks, holes, copies ------------------------------------------------------------- */

int world_fallocate(struct world *world, const char *path, unsigned mode, uint64_t offset, uint64_t length)
{
	struct world_object file = world_find(world, path);
	struct nova_handle none = {0};
	int64_t now = tick(world);
	int rc = 0;

	if (asks_core(world))
		rc = nova_fallocate(&world->call, file.handle, mode, offset, length, NULL);
	rc = answer(world, rc, &none);
	if (!asks_model(world, rc))
		return rc;
	return agreed(world, "fallocate", rc,
	              posix_fallocate_range(world->model, file.ino, (int)mode, offset, length, now));
}

static ssize_t copy_prepared(struct world *world, struct nova_handle from, uint64_t from_offset, struct nova_handle to,
                             uint64_t to_offset, size_t length)
{
	struct nova_copy *copy;
	int rc = nova_copy_prepare(world->call.worker, from, from_offset, to, to_offset, length, &copy);

	return rc ? rc : nova_copy_commit(&world->call, copy, NULL);
}

static int copy(struct world *world, const char *from_path, uint64_t from_offset, const char *to_path,
                uint64_t to_offset, size_t length, bool prepared)
{
	struct world_object from = world_find(world, from_path), to = world_find(world, to_path);
	struct nova_handle none = {0};
	int64_t now = tick(world);
	ssize_t n = 0;
	int rc;

	if (asks_core(world) && prepared)
		n = copy_prepared(world, from.handle, from_offset, to.handle, to_offset, length);
	else if (asks_core(world))
		n = nova_copy(&world->call, from.handle, from_offset, to.handle, to_offset, length, NULL);
	rc = answer(world, n < 0 ? (int)n : 0, &none);
	if (!asks_model(world, rc))
		return rc;
	n = posix_copy_range(world->model, from.ino, from_offset, to.ino, to_offset, length, now);
	return agreed(world, "copy", rc, n < 0 ? (int)n : 0);
}

int world_copy(struct world *world, const char *from_path, uint64_t from_offset, const char *to_path,
               uint64_t to_offset, size_t length)
{
	return copy(world, from_path, from_offset, to_path, to_offset, length, false);
}

int world_copy_prepared(struct world *world, const char *from_path, uint64_t from_offset, const char *to_path,
                        uint64_t to_offset, size_t length)
{
	return copy(world, from_path, from_offset, to_path, to_offset, length, true);
}

/* ---- attributes --------------------------------------------------------------------------------- */

static unsigned posix_mask(unsigned mask)
{
	static const unsigned pairs[][2] = {
	    {NOVA_SET_MODE, POSIX_SET_MODE},
	    {NOVA_SET_UID, POSIX_SET_UID},
	    {NOVA_SET_GID, POSIX_SET_GID},
	    {NOVA_SET_SIZE, POSIX_SET_SIZE},
	    {NOVA_SET_ATIME, POSIX_SET_ATIME},
	    {NOVA_SET_MTIME, POSIX_SET_MTIME},
	    {NOVA_SET_ATIME_NOW, POSIX_SET_ATIME_NOW},
	    {NOVA_SET_MTIME_NOW, POSIX_SET_MTIME_NOW},
	    {NOVA_SET_FLAGS, POSIX_SET_FLAGS},
	    {NOVA_SET_PROJECT, POSIX_SET_PROJECT},
	};
	unsigned out = 0;

	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++)
		if (mask & pairs[i][0])
			out |= pairs[i][1];
	return out;
}

int world_setattr(struct world *world, const char *path, unsigned mask, const struct nova_attr *attr)
{
	const struct posix_attr posix = {
	    .mode = attr->mode,
	    .uid = attr->uid,
	    .gid = attr->gid,
	    .size = attr->size,
	    .atime_ns = attr->atime_ns,
	    .mtime_ns = attr->mtime_ns,
	    .flags = attr->flags,
	    .project = attr->project,
	};
	struct world_object object = world_find(world, path);
	struct nova_handle none = {0};
	int64_t now = tick(world);
	int rc = 0;

	if (asks_core(world))
		rc = nova_setattr(&world->call, object.handle, mask, attr, NULL);
	rc = answer(world, rc, &none);
	if (!asks_model(world, rc))
		return rc;
	return agreed(world, "setattr", rc, posix_setattr(world->model, object.ino, posix_mask(mask), &posix, now));
}

int world_set_project(struct world *world, const char *path, uint32_t project, bool inherit)
{
	const struct nova_attr attr = {.project = project, .flags = inherit ? NOVA_FILE_PROJECT_INHERIT : 0};

	return world_setattr(world, path, NOVA_SET_PROJECT | (inherit ? NOVA_SET_FLAGS : 0), &attr);
}

int world_set_limits(struct world *world, uint32_t project, uint64_t blocks, uint64_t inodes)
{
	struct nova_handle none = {0};
	int rc = 0;

	tick(world);
	if (asks_core(world))
		rc = nova_quota_set(&world->call, project, blocks, inodes);
	rc = answer(world, rc, &none);
	if (!asks_model(world, rc))
		return rc;
	return agreed(world, "set limits", rc, posix_set_limits(world->model, project, blocks, inodes));
}

int world_accessed(struct world *world, const char *path)
{
	struct world_object object = world_find(world, path);
	struct nova_handle none = {0};
	int64_t now = tick(world);
	int rc = 0;

	if (asks_core(world))
		rc = nova_accessed(&world->call, object.handle, NOVA_ATIME_STRICT);
	rc = answer(world, rc, &none);
	if (!asks_model(world, rc))
		return rc;
	return agreed(world, "accessed", rc, posix_accessed(world->model, object.ino, false, now));
}

static uint64_t digest(uint64_t digest, uint64_t value)
{
	return (digest ^ value) * 0x9e3779b97f4a7c15ULL ^ digest >> 29;
}

/* What was seen is kept in the place of a handle. */
static uint64_t seen_in_core(struct world *world, struct nova_handle handle, int *rc)
{
	struct nova_attr attr;

	*rc = nova_getattr(&world->call, handle, &attr);
	if (*rc)
		return 0;
	return digest(digest(digest(digest(digest(0, attr.mode), attr.nlink), attr.size), (uint64_t)attr.mtime_ns),
	              (uint64_t)attr.ctime_ns) ^
	       digest(digest(1, (uint64_t)attr.atime_ns), attr.blocks);
}

static uint64_t seen_in_model(const struct world *world, posix_ino ino, int *rc)
{
	struct posix_attr attr;

	*rc = posix_getattr(world->model, ino, &attr);
	if (*rc)
		return 0;
	return digest(digest(digest(digest(digest(0, attr.mode), attr.nlink), attr.size), (uint64_t)attr.mtime_ns),
	              (uint64_t)attr.ctime_ns) ^
	       digest(digest(1, (uint64_t)attr.atime_ns), attr.blocks);
}

int world_look(struct world *world, const char *path)
{
	struct world_object object = world_find(world, path);
	struct nova_handle seen = {0};
	uint64_t expected;
	int rc = 0, model_rc;

	tick(world);
	if (asks_core(world))
		seen.ino.n = seen_in_core(world, object.handle, &rc);
	rc = answer(world, rc, &seen);
	if (!asks_model(world, rc))
		return rc;
	expected = seen_in_model(world, object.ino, &model_rc);
	if (rc == 0 && model_rc == 0 && seen.ino.n != expected)
		model_rc = -ESTALE;
	return agreed(world, "look", rc, model_rc);
}

int world_chmod(struct world *world, const char *path, uint32_t mode)
{
	return world_setattr(world, path, NOVA_SET_MODE, &(struct nova_attr){.mode = mode});
}

static int put_xattr(struct world *world, const char *path, const char *name, const void *value, size_t length)
{
	struct world_object object = world_find(world, path);
	struct nova_handle none = {0};
	int64_t now = tick(world);
	int rc = 0;

	if (asks_core(world))
		rc = nova_setxattr(&world->call, object.handle, name, strlen(name), value, length, 0, NULL);
	rc = answer(world, rc, &none);
	if (!asks_model(world, rc))
		return rc;
	return agreed(world, "setxattr", rc, posix_setxattr(world->model, object.ino, name, value, length, 0, now));
}

int world_setxattr(struct world *world, const char *path, const char *name, size_t length)
{
	uint8_t *value = malloc(length ? length : 1);
	int rc;

	if (!value)
		abort();
	fill(world, value, length);
	rc = put_xattr(world, path, name, value, length);
	free(value);
	return rc;
}

int world_set_acl(struct world *world, const char *path, const char *name, bool named)
{
	/* u::rwx u:7:rw- g::r-x m::rwx o::--- */
	static const uint8_t acl[] = {
	    2,    0,    0,    0, /* version */
	    0x01, 0,    7,    0,    0xff, 0xff, 0xff, 0xff, 0x02, 0,    6,    0,    WORLD_USER, 0,
	    0,    0,    0x04, 0,    5,    0,    0xff, 0xff, 0xff, 0xff, 0x10, 0,    7,          0,
	    0xff, 0xff, 0xff, 0xff, 0x20, 0,    0,    0,    0xff, 0xff, 0xff, 0xff,
	};
	/* u::rw- g::r-- o::--x */
	static const uint8_t minimal[] = {
	    2,    0,    0,    0, /* version */
	    1,    0,    6,    0,    0xff, 0xff, 0xff, 0xff, 4,    0,    4,    0,
	    0xff, 0xff, 0xff, 0xff, 0x20, 0,    1,    0,    0xff, 0xff, 0xff, 0xff,
	};

	return put_xattr(world, path, name, named ? acl : minimal, named ? sizeof(acl) : sizeof(minimal));
}

int world_removexattr(struct world *world, const char *path, const char *name)
{
	struct world_object object = world_find(world, path);
	struct nova_handle none = {0};
	int64_t now = tick(world);
	int rc = 0;

	if (asks_core(world))
		rc = nova_removexattr(&world->call, object.handle, name, strlen(name), NULL);
	rc = answer(world, rc, &none);
	if (!asks_model(world, rc))
		return rc;
	return agreed(world, "removexattr", rc, posix_removexattr(world->model, object.ino, name, now));
}

int world_truncate(struct world *world, const char *path, uint64_t size)
{
	return world_setattr(world, path, NOVA_SET_SIZE, &(struct nova_attr){.size = size});
}

int world_open(struct world *world, const char *path)
{
	struct nova_handle none = {0};
	struct world_object object;
	struct nova_attr attr;
	int rc = 0;

	world_hold(world, path);
	object = world_find(world, path);
	if (asks_core(world))
		rc = nova_open(&world->call, object.handle, &attr);
	rc = answer(world, rc, &none);
	if (!asks_model(world, rc))
		return rc;
	return agreed(world, "open", rc, posix_open(world->model, object.ino));
}

int world_close(struct world *world, const char *path)
{
	struct world_object object = world_find(world, path);
	struct nova_handle none = {0};
	int rc = 0;

	if (asks_core(world))
		rc = nova_close(&world->call, object.handle);
	rc = answer(world, rc, &none);
	if (!asks_model(world, rc))
		return rc;
	return agreed(world, "close", rc, posix_close(world->model, object.ino));
}
