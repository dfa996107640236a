/*
 * random_model.c -- does random operations in the model.
 */
#include "tests/model/random_ops.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int64_t make(struct posix_model *model, posix_ino dir, const struct random_op *op, int64_t now, posix_ino *ino)
{
	const char *name = random_name(op->name);
	uint8_t *target;
	int rc;

	if (op->kind == RANDOM_TMPFILE)
		return posix_tmpfile(model, dir, op->flags, op->fill & 7, now, ino);
	if (op->kind == RANDOM_MAKE)
		return posix_make(model, dir, name, strlen(name), op->flags, 0x103, now, ino);
	target = random_target(op);
	rc = posix_symlink(model, dir, name, strlen(name), (const char *)target, op->length, now, ino);
	free(target);
	return rc;
}

static int64_t change_names(struct posix_model *model, const struct random_slots *slots, const struct random_op *op,
                            int64_t now)
{
	const posix_ino one = slots->slots[op->slot].ino, two = slots->slots[op->slot2].ino;
	const char *name = random_name(op->name), *name2 = random_name(op->name2);
	unsigned flags = (op->flags & NOVA_RENAME_NOREPLACE ? POSIX_NOREPLACE : 0) |
	                 (op->flags & NOVA_RENAME_EXCHANGE ? POSIX_EXCHANGE : 0);

	switch (op->kind) {
	case RANDOM_LINK:
		return posix_link(model, one, two, name, strlen(name), now);
	case RANDOM_UNLINK:
		return posix_unlink(model, one, name, strlen(name), now);
	case RANDOM_RMDIR:
		return posix_rmdir(model, one, name, strlen(name), now);
	default:
		return posix_rename(model, one, name, strlen(name), two, name2, strlen(name2), flags, now);
	}
}

static int64_t write_bytes(struct posix_model *model, posix_ino file, const struct random_op *op, int64_t now)
{
	uint8_t *data = random_op_bytes(op, op->length);
	int64_t n = posix_write(model, file, op->offset, data, op->length, op->kind == RANDOM_APPEND, now);

	free(data);
	return n;
}

static int64_t read_bytes(struct posix_model *model, posix_ino file, const struct random_op *op, uint64_t *told)
{
	uint8_t *data = malloc(op->length + 1);
	int64_t n;

	if (!data)
		abort();
	n = posix_read(model, file, op->offset, data, op->length);
	if (n > 0)
		*told = random_tell(0, data, (size_t)n);
	free(data);
	return n;
}

static int64_t change_attr(struct posix_model *model, const struct random_slots *slots, const struct random_op *op,
                           int64_t now)
{
	struct posix_attr attr;
	unsigned mask = random_change(slots, op, &attr);

	return posix_setattr(model, slots->slots[op->slot].ino, mask, &attr, now);
}

static int64_t tell_attr(struct posix_model *model, posix_ino file, uint64_t *told)
{
	struct posix_attr attr;
	int rc = posix_getattr(model, file, &attr);

	if (rc == 0) {
		const uint64_t words[] = {attr.mode,
		                          attr.nlink,
		                          attr.uid,
		                          attr.gid,
		                          attr.rdev,
		                          attr.flags,
		                          attr.project,
		                          attr.size,
		                          S_ISREG(attr.mode) ? attr.blocks : 0,
		                          (uint64_t)attr.atime_ns,
		                          (uint64_t)attr.mtime_ns,
		                          (uint64_t)attr.ctime_ns,
		                          (uint64_t)attr.btime_ns};

		*told = random_tell(0, words, sizeof(words));
	}
	return rc;
}

static int64_t use_xattr(struct posix_model *model, posix_ino file, const struct random_op *op, int64_t now,
                         uint64_t *told)
{
	static _Thread_local uint8_t value[65536];
	const char *name = random_xattr_name(op);
	uint8_t *bytes;
	int64_t rc;

	switch (op->kind) {
	case RANDOM_SETXATTR:
		bytes = random_op_bytes(op, op->length);
		rc = posix_setxattr(model, file, name, bytes, op->length, (int)op->flags, now);
		free(bytes);
		return rc;
	case RANDOM_SETACL:
		name = op->flags & 1 ? "system.posix_acl_access" : "system.posix_acl_default";
		return posix_setxattr(model, file, name, value, random_acl(op, value), 0, now);
	case RANDOM_REMOVEXATTR:
		return posix_removexattr(model, file, name, now);
	case RANDOM_GETXATTR:
		rc = posix_getxattr(model, file, name, value, sizeof(value));
		if (rc > 0)
			*told = random_tell(0, value, (size_t)rc);
		return rc;
	default:
		rc = posix_listxattr(model, file, (char *)value, sizeof(value));
		for (const char *at = (char *)value; rc > 0 && at < (char *)value + rc; at += strlen(at) + 1)
			*told = random_tell_name(*told, at, strlen(at));
		return rc;
	}
}

static int64_t read_link(struct posix_model *model, posix_ino file, uint64_t *told)
{
	char target[4096];
	ssize_t n = posix_readlink(model, file, target, sizeof(target));

	if (n > 0)
		*told = random_tell(0, target, (size_t)n);
	return n;
}

static bool add_name(void *context, const char *name, size_t length, posix_ino ino)
{
	uint64_t *told = context;

	(void)ino;
	*told = random_tell_name(*told, name, length);
	return true;
}

static int64_t look_up(struct posix_model *model, posix_ino dir, const struct random_op *op, posix_ino *ino)
{
	const char *name = random_lookup_name(op);

	return posix_lookup(model, dir, name, strlen(name), ino);
}

static int64_t set_limits(struct posix_model *model, const struct random_slots *slots, const struct random_op *op)
{
	return posix_set_limits(model, slots->projects + 1 + op->name % RANDOM_PROJECTS, op->offset, op->length);
}

static int64_t do_it(struct posix_model *model, const struct random_slots *slots, const struct random_op *op,
                     int64_t now, posix_ino *ino, uint64_t *told)
{
	const posix_ino one = slots->slots[op->slot].ino, two = slots->slots[op->slot2].ino;

	switch (op->kind) {
	case RANDOM_LOOKUP:
		return look_up(model, one, op, ino);
	case RANDOM_MAKE:
	case RANDOM_SYMLINK:
	case RANDOM_TMPFILE:
		return make(model, one, op, now, ino);
	case RANDOM_LINK:
	case RANDOM_UNLINK:
	case RANDOM_RMDIR:
	case RANDOM_RENAME:
		return change_names(model, slots, op, now);
	case RANDOM_WRITE:
	case RANDOM_APPEND:
		return write_bytes(model, one, op, now);
	case RANDOM_READ:
		return read_bytes(model, one, op, told);
	case RANDOM_TRUNCATE:
	case RANDOM_SETATTR:
	case RANDOM_SETFLAGS:
	case RANDOM_SETPROJECT:
		return change_attr(model, slots, op, now);
	case RANDOM_GETATTR:
		return tell_attr(model, one, told);
	case RANDOM_ACCESS:
		return posix_access(model, one, (int)op->flags & 7);
	case RANDOM_ACCESSED:
		return posix_accessed(model, one, op->flags & 3, now);
	case RANDOM_SETLIMITS:
		return set_limits(model, slots, op);
	case RANDOM_OPEN:
		return posix_open(model, one);
	case RANDOM_CLOSE:
		return posix_close(model, slots->pins[op->to % RANDOM_PINS].ino);
	case RANDOM_FALLOCATE:
		return posix_fallocate_range(model, one, (int)op->flags, op->offset, op->length, now);
	case RANDOM_SEEK:
		return posix_seek(model, one, op->offset, op->flags & 1 ? SEEK_DATA : SEEK_HOLE);
	case RANDOM_COPY:
		return posix_copy_range(model, one, random_copy_offset(op), two, op->offset, op->length, now);
	case RANDOM_READLINK:
		return read_link(model, one, told);
	case RANDOM_READDIR:
		return posix_each_name(model, one, add_name, told);
	default:
		return use_xattr(model, one, op, now, told);
	}
}

struct random_answer random_model_do(struct posix_model *model, const struct random_slots *slots,
                                     const struct random_op *op, int64_t now, const struct random_answer *core,
                                     posix_ino *ino)
{
	struct posix_caller caller = *random_user(op);
	struct random_answer answer = {0};

	caller.umask = op->umask;
	caller.opened = op->who & RANDOM_OPENED;
	posix_act_for(model, &caller);
	answer.rc = do_it(model, slots, op, now, ino, &answer.told);
	posix_act_for(model, NULL);
	if (answer.rc < 0) {
		answer.told = 0;
		return answer;
	}
	if (op->kind == RANDOM_MAKE || op->kind == RANDOM_SYMLINK || op->kind == RANDOM_TMPFILE)
		posix_name_inode(model, *ino, core->handle.ino.n, core->handle.generation);
	if (op->kind <= RANDOM_TMPFILE)
		posix_inode_name(model, *ino, &answer.handle.ino.n, &answer.handle.generation);
	return answer;
}
