/*
 * steps.c -- one call of the file system each.
 */
#include "tests/crash/steps.h"

#include <errno.h>
#include <string.h>

void world_must(struct world *world, const char *step, int64_t rc)
{
	if (rc >= 0 || world->failed)
		return;
	world->failed = step;
	world->error = (int)rc;
}

/* ---- paths -------------------------------------------------------------------------------------- */

static const struct world_held *held(const struct world *world, const char *path, size_t length)
{
	for (unsigned i = 0; i < world->held_count; i++)
		if (strlen(world->held[i].path) == length && strncmp(world->held[i].path, path, length) == 0)
			return &world->held[i];
	return NULL;
}

/* The directory that holds `path`, and the last name. */
static struct nova_handle split(struct world *world, const char *path, const char **name, size_t *length)
{
	const char *last = strrchr(path, '/');
	const struct world_held *parent = held(world, path, (size_t)(last - path));
	struct nova_handle dir = parent ? parent->handle : world->root;

	*name = last + 1;
	*length = strlen(last + 1);
	if (parent)
		return dir;
	for (path++; path < last;) {
		size_t n = strcspn(path, "/");
		struct nova_attr attr;
		int rc = nova_lookup(&world->call, dir, path, n, &attr);

		world_must(world, path, rc);
		if (rc)
			break;
		dir = attr.handle;
		path += n + 1;
	}
	return dir;
}

struct nova_handle world_find(struct world *world, const char *path)
{
	const struct world_held *object = held(world, path, strlen(path));
	struct nova_attr attr = {0};
	struct nova_handle dir;
	const char *name;
	size_t length;

	if (object)
		return object->handle;
	dir = split(world, path, &name, &length);
	if (length == 0)
		return dir;
	world_must(world, path, nova_lookup(&world->call, dir, name, length, &attr));
	return attr.handle;
}

static void hold_as(struct world *world, const char *path, struct nova_handle handle)
{
	if (world->held_count == WORLD_HELD_MAX) {
		world_must(world, "hold", -ENFILE);
		return;
	}
	world->held[world->held_count++] = (struct world_held){path, handle};
}

void world_hold(struct world *world, const char *path)
{
	struct nova_handle handle = world_find(world, path);

	if (!held(world, path, strlen(path)))
		hold_as(world, path, handle);
}

/* ---- names -------------------------------------------------------------------------------------- */

int world_create(struct world *world, const char *path, uint32_t mode)
{
	const char *name;
	size_t length;
	struct nova_handle dir = split(world, path, &name, &length);
	struct nova_attr attr;

	return nova_create(&world->call, dir, name, length, mode, 0x103, &attr);
}

int world_symlink(struct world *world, const char *path, const char *target, size_t target_length)
{
	const char *name;
	size_t length;
	struct nova_handle dir = split(world, path, &name, &length);
	struct nova_attr attr;

	return nova_symlink(&world->call, dir, name, length, target, target_length, &attr);
}

int world_tmpfile(struct world *world, const char *dir, const char *path)
{
	struct nova_attr attr;
	int rc = nova_tmpfile(&world->call, world_find(world, dir), 0640, true, &attr);

	if (rc == 0)
		hold_as(world, path, attr.handle);
	return rc;
}

int world_link(struct world *world, const char *file, const char *path)
{
	const char *name;
	size_t length;
	struct nova_handle handle = world_find(world, file);
	struct nova_handle dir = split(world, path, &name, &length);
	struct nova_attr attr;

	return nova_link(&world->call, handle, dir, name, length, &attr);
}

int world_unlink(struct world *world, const char *path)
{
	const char *name;
	size_t length;
	struct nova_handle dir = split(world, path, &name, &length);

	return nova_unlink(&world->call, dir, name, length, NULL);
}

int world_rmdir(struct world *world, const char *path)
{
	const char *name;
	size_t length;
	struct nova_handle dir = split(world, path, &name, &length);

	return nova_rmdir(&world->call, dir, name, length, NULL);
}

int world_rename(struct world *world, const char *from, const char *to, unsigned flags)
{
	const char *from_name, *to_name;
	size_t from_length, to_length;
	struct nova_handle from_dir = split(world, from, &from_name, &from_length);
	struct nova_handle to_dir = split(world, to, &to_name, &to_length);

	return nova_rename(&world->call, from_dir, from_name, from_length, to_dir, to_name, to_length, flags, NULL);
}

/* ---- contents and attributes -------------------------------------------------------------------- */

int world_write(struct world *world, const char *path, uint64_t offset, size_t length, unsigned flags)
{
	static uint8_t data[1 << 20];
	static uint8_t round;
	struct nova_handle file = world_find(world, path);
	ssize_t n;

	round++;
	for (size_t i = 0; i < length; i++)
		data[i] = (uint8_t)(i * 31 + round * 7 + (i >> 8)) | 1;
	n = nova_write(&world->call, file, offset, data, length, flags, NULL);
	return n < 0 ? (int)n : n == (ssize_t)length ? 0 : -EIO;
}

int world_setattr(struct world *world, const char *path, unsigned mask, const struct nova_attr *attr)
{
	return nova_setattr(&world->call, world_find(world, path), mask, attr, NULL);
}

int world_chmod(struct world *world, const char *path, uint32_t mode)
{
	return world_setattr(world, path, NOVA_SET_MODE, &(struct nova_attr){.mode = mode});
}

int world_truncate(struct world *world, const char *path, uint64_t size)
{
	return world_setattr(world, path, NOVA_SET_SIZE, &(struct nova_attr){.size = size});
}

int world_open(struct world *world, const char *path)
{
	struct nova_attr attr;

	world_hold(world, path);
	return nova_open(&world->call, world_find(world, path), &attr);
}

int world_close(struct world *world, const char *path)
{
	return nova_close(&world->call, world_find(world, path));
}
