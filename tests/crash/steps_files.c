/*
 * steps_files.c -- steps on contents, blocks and attributes: one call of the file system each, and of the model.
 */
#include "tests/crash/steps_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ---- contents ----------------------------------------------------------------------------------- */

/* Bytes that no step before had. */
static void fill(struct world *world, uint8_t *bytes, size_t length)
{
	world->round++;
	for (size_t i = 0; i < length; i++)
		bytes[i] = (uint8_t)(i * 31 + world->round * 7 + (i >> 8)) | 1;
}

int world_write(struct world *world, const char *path, uint64_t offset, size_t length, unsigned flags)
{
	struct world_object file = world_find(world, path);
	struct nova_handle none = {0};
	uint8_t *data = malloc(length ? length : 1);
	int64_t now = step_tick(world);
	ssize_t n = (ssize_t)length;
	int rc;

	if (!data)
		abort();
	fill(world, data, length);
	if (step_asks_core(world))
		n = nova_write(&world->call, file.handle, offset, data, length, flags, NULL);
	rc = step_answer(world, n < 0 ? (int)n : n == (ssize_t)length ? 0 : -EIO, &none);
	if (step_asks_model(world, rc)) {
		n = posix_write(world->model, file.ino, offset, data, length, flags & NOVA_WRITE_APPEND, now);
		rc = step_agreed(world, "write", rc, n < 0 ? (int)n : 0);
	}
	free(data);
	return rc;
}

/* ---- reserved blocks, holes, copies ------------------------------------------------------------- */

int world_fallocate(struct world *world, const char *path, unsigned mode, uint64_t offset, uint64_t length)
{
	struct world_object file = world_find(world, path);
	struct nova_handle none = {0};
	int64_t now = step_tick(world);
	int rc = 0;

	if (step_asks_core(world))
		rc = nova_fallocate(&world->call, file.handle, mode, offset, length, NULL);
	rc = step_answer(world, rc, &none);
	if (!step_asks_model(world, rc))
		return rc;
	return step_agreed(world, "fallocate", rc,
	                   posix_fallocate_range(world->model, file.ino, (int)mode, offset, length, now));
}

static ssize_t copy_prepared(struct world *world, struct nova_handle from, uint64_t from_offset, struct nova_handle to,
                             uint64_t to_offset, size_t length)
{
	struct nova_copy *copy;
	ssize_t n;

	do { /* as a server does where the source has changed meanwhile */
		n = nova_copy_prepare(world->call.worker, from, from_offset, to, to_offset, length, &copy);
		if (n == 0)
			n = nova_copy_commit(&world->call, copy, NULL);
	} while (n == -EAGAIN);
	return n;
}

static int copy(struct world *world, const char *from_path, uint64_t from_offset, const char *to_path,
                uint64_t to_offset, size_t length, bool prepared)
{
	struct world_object from = world_find(world, from_path), to = world_find(world, to_path);
	struct nova_handle none = {0};
	int64_t now = step_tick(world);
	ssize_t n = 0;
	int rc;

	if (step_asks_core(world) && prepared)
		n = copy_prepared(world, from.handle, from_offset, to.handle, to_offset, length);
	else if (step_asks_core(world))
		n = nova_copy(&world->call, from.handle, from_offset, to.handle, to_offset, length, NULL);
	rc = step_answer(world, n < 0 ? (int)n : 0, &none);
	if (!step_asks_model(world, rc))
		return rc;
	n = posix_copy_range(world->model, from.ino, from_offset, to.ino, to_offset, length, now);
	return step_agreed(world, "copy", rc, n < 0 ? (int)n : 0);
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
	int64_t now = step_tick(world);
	int rc = 0;

	if (step_asks_core(world))
		rc = nova_setattr(&world->call, object.handle, mask, attr, NULL);
	rc = step_answer(world, rc, &none);
	if (!step_asks_model(world, rc))
		return rc;
	return step_agreed(world, "setattr", rc,
	                   posix_setattr(world->model, object.ino, posix_mask(mask), &posix, now));
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

	step_tick(world);
	if (step_asks_core(world))
		rc = nova_quota_set(&world->call, project, blocks, inodes);
	rc = step_answer(world, rc, &none);
	if (!step_asks_model(world, rc))
		return rc;
	return step_agreed(world, "set limits", rc, posix_set_limits(world->model, project, blocks, inodes));
}

int world_accessed(struct world *world, const char *path)
{
	struct world_object object = world_find(world, path);
	struct nova_handle none = {0};
	int64_t now = step_tick(world);
	int rc = 0;

	if (step_asks_core(world))
		rc = nova_accessed(&world->call, object.handle, NOVA_ATIME_STRICT);
	rc = step_answer(world, rc, &none);
	if (!step_asks_model(world, rc))
		return rc;
	return step_agreed(world, "accessed", rc, posix_accessed(world->model, object.ino, false, now));
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

	step_tick(world);
	if (step_asks_core(world))
		seen.ino.n = seen_in_core(world, object.handle, &rc);
	rc = step_answer(world, rc, &seen);
	if (!step_asks_model(world, rc))
		return rc;
	expected = seen_in_model(world, object.ino, &model_rc);
	if (rc == 0 && model_rc == 0 && seen.ino.n != expected)
		model_rc = -ESTALE;
	return step_agreed(world, "look", rc, model_rc);
}

int world_chmod(struct world *world, const char *path, uint32_t mode)
{
	return world_setattr(world, path, NOVA_SET_MODE, &(struct nova_attr){.mode = mode});
}

static int put_xattr(struct world *world, const char *path, const char *name, const void *value, size_t length)
{
	struct world_object object = world_find(world, path);
	struct nova_handle none = {0};
	int64_t now = step_tick(world);
	int rc = 0;

	if (step_asks_core(world))
		rc = nova_setxattr(&world->call, object.handle, name, strlen(name), value, length, 0, NULL);
	rc = step_answer(world, rc, &none);
	if (!step_asks_model(world, rc))
		return rc;
	return step_agreed(world, "setxattr", rc,
	                   posix_setxattr(world->model, object.ino, name, value, length, 0, now));
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
	int64_t now = step_tick(world);
	int rc = 0;

	if (step_asks_core(world))
		rc = nova_removexattr(&world->call, object.handle, name, strlen(name), NULL);
	rc = step_answer(world, rc, &none);
	if (!step_asks_model(world, rc))
		return rc;
	return step_agreed(world, "removexattr", rc, posix_removexattr(world->model, object.ino, name, now));
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
	if (step_asks_core(world))
		rc = nova_open(&world->call, object.handle, &attr);
	rc = step_answer(world, rc, &none);
	if (!step_asks_model(world, rc))
		return rc;
	return step_agreed(world, "open", rc, posix_open(world->model, object.ino));
}

int world_close(struct world *world, const char *path)
{
	struct world_object object = world_find(world, path);
	struct nova_handle none = {0};
	int rc = 0;

	if (step_asks_core(world))
		rc = nova_close(&world->call, object.handle);
	rc = step_answer(world, rc, &none);
	if (!step_asks_model(world, rc))
		return rc;
	return step_agreed(world, "close", rc, posix_close(world->model, object.ino));
}
