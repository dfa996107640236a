/*
 * steps_names.c -- steps on names: one call of the file system each, and of the model.
 */
#include "tests/crash/steps_internal.h"

int world_create(struct world *world, const char *path, uint32_t mode)
{
	struct nova_attr attr = {0};
	struct place at;
	posix_ino ino;
	int64_t now;
	int rc = 0;

	step_find_place(world, path, &at);
	now = step_tick(world);
	if (step_asks_core(world))
		rc = nova_create(&world->call, at.dir.handle, at.name, at.length, mode, 0x103, &attr);
	rc = step_answer(world, rc, &attr.handle);
	if (!step_asks_model(world, rc))
		return rc;
	return step_agreed_made(world, "create", rc,
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

	step_find_place(world, path, &at);
	now = step_tick(world);
	if (step_asks_core(world))
		rc = nova_symlink(&world->call, at.dir.handle, at.name, at.length, target, length, &attr);
	rc = step_answer(world, rc, &attr.handle);
	if (!step_asks_model(world, rc))
		return rc;
	return step_agreed_made(world, "symlink", rc,
	                        posix_symlink(world->model, at.dir.ino, at.name, at.length, target, length, now, &ino),
	                        ino, attr.handle);
}

int world_tmpfile(struct world *world, const char *dir_path, const char *path)
{
	struct world_object dir = world_find(world, dir_path);
	struct world_object made = {0};
	struct nova_attr attr = {0};
	int64_t now = step_tick(world);
	int rc = 0;

	if (step_asks_core(world))
		rc = nova_tmpfile(&world->call, dir.handle, 0640, true, &attr);
	rc = step_answer(world, rc, &attr.handle);
	if (step_asks_model(world, rc))
		rc = step_agreed_made(world, "tmpfile", rc,
		                      posix_tmpfile(world->model, dir.ino, 0640, true, now, &made.ino), made.ino,
		                      attr.handle);
	made.handle = attr.handle;
	if (rc == 0)
		step_hold_as(world, path, made);
	return rc;
}

int world_link(struct world *world, const char *file_path, const char *path)
{
	struct world_object file = world_find(world, file_path);
	struct nova_attr attr = {0};
	struct place at;
	int64_t now;
	int rc = 0;

	step_find_place(world, path, &at);
	now = step_tick(world);
	if (step_asks_core(world))
		rc = nova_link(&world->call, file.handle, at.dir.handle, at.name, at.length, &attr);
	rc = step_answer(world, rc, &attr.handle);
	if (!step_asks_model(world, rc))
		return rc;
	return step_agreed(world, "link", rc, posix_link(world->model, file.ino, at.dir.ino, at.name, at.length, now));
}

int world_unlink(struct world *world, const char *path)
{
	struct nova_handle none = {0};
	struct place at;
	int64_t now;
	int rc = 0;

	step_find_place(world, path, &at);
	now = step_tick(world);
	if (step_asks_core(world))
		rc = nova_unlink(&world->call, at.dir.handle, at.name, at.length, NULL);
	rc = step_answer(world, rc, &none);
	if (!step_asks_model(world, rc))
		return rc;
	return step_agreed(world, "unlink", rc, posix_unlink(world->model, at.dir.ino, at.name, at.length, now));
}

int world_rmdir(struct world *world, const char *path)
{
	struct nova_handle none = {0};
	struct place at;
	int64_t now;
	int rc = 0;

	step_find_place(world, path, &at);
	now = step_tick(world);
	if (step_asks_core(world))
		rc = nova_rmdir(&world->call, at.dir.handle, at.name, at.length, NULL);
	rc = step_answer(world, rc, &none);
	if (!step_asks_model(world, rc))
		return rc;
	return step_agreed(world, "rmdir", rc, posix_rmdir(world->model, at.dir.ino, at.name, at.length, now));
}

int world_rename(struct world *world, const char *from_path, const char *to_path, unsigned flags)
{
	unsigned posix_flags =
	    (flags & NOVA_RENAME_NOREPLACE ? POSIX_NOREPLACE : 0) | (flags & NOVA_RENAME_EXCHANGE ? POSIX_EXCHANGE : 0);
	struct nova_handle none = {0};
	struct place from, to;
	int64_t now;
	int rc = 0;

	step_find_place(world, from_path, &from);
	step_find_place(world, to_path, &to);
	now = step_tick(world);
	if (step_asks_core(world))
		rc = nova_rename(&world->call, from.dir.handle, from.name, from.length, to.dir.handle, to.name,
		                 to.length, flags, NULL);
	rc = step_answer(world, rc, &none);
	if (!step_asks_model(world, rc))
		return rc;
	return step_agreed(world, "rename", rc,
	                   posix_rename(world->model, from.dir.ino, from.name, from.length, to.dir.ino, to.name,
	                                to.length, posix_flags, now));
}
