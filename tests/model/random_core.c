/*
 * random_core.c -- does random operations in the file system.
 */
#include "tests/model/random_ops.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

_Static_assert(NOVA_SET_MODE == POSIX_SET_MODE && NOVA_SET_UID == POSIX_SET_UID && NOVA_SET_GID == POSIX_SET_GID &&
                   NOVA_SET_SIZE == POSIX_SET_SIZE && NOVA_SET_ATIME == POSIX_SET_ATIME &&
                   NOVA_SET_MTIME == POSIX_SET_MTIME && NOVA_SET_ATIME_NOW == POSIX_SET_ATIME_NOW &&
                   NOVA_SET_MTIME_NOW == POSIX_SET_MTIME_NOW && NOVA_SET_FLAGS == POSIX_SET_FLAGS &&
                   NOVA_SET_PROJECT == POSIX_SET_PROJECT && NOVA_FILE_IMMUTABLE == POSIX_IMMUTABLE &&
                   NOVA_FILE_APPEND == POSIX_APPEND_ONLY && NOVA_FILE_PROJECT_INHERIT == POSIX_PROJECT_INHERIT,
               "one number serves for both");

static int64_t make(const struct nova_call *call, const struct random_slots *slots, const struct random_op *op,
                    struct nova_attr *attr)
{
	const struct nova_handle dir = slots->slots[op->slot].handle;
	const char *name = random_name(op->name);
	uint8_t *target;
	int rc;

	if (op->kind == RANDOM_TMPFILE)
		return nova_tmpfile(call, dir, op->flags, op->fill & 7, attr);
	if (op->kind == RANDOM_MAKE)
		return nova_create(call, dir, name, strlen(name), op->flags, 0x103, attr);
	target = random_target(op);
	rc = nova_symlink(call, dir, name, strlen(name), (const char *)target, op->length, attr);
	free(target);
	return rc;
}

static int64_t change_names(const struct nova_call *call, const struct random_slots *slots, const struct random_op *op)
{
	const struct nova_handle one = slots->slots[op->slot].handle, two = slots->slots[op->slot2].handle;
	const char *name = random_name(op->name), *name2 = random_name(op->name2);

	switch (op->kind) {
	case RANDOM_LINK:
		return nova_link(call, one, two, name, strlen(name), NULL);
	case RANDOM_UNLINK:
		return nova_unlink(call, one, name, strlen(name), NULL);
	case RANDOM_RMDIR:
		return nova_rmdir(call, one, name, strlen(name), NULL);
	default:
		return nova_rename(call, one, name, strlen(name), two, name2, strlen(name2), op->flags, NULL);
	}
}

static int64_t write_bytes(const struct nova_call *call, struct nova_handle file, const struct random_op *op)
{
	uint8_t *data = random_op_bytes(op, op->length);
	int64_t n = nova_write(call, file, op->offset, data, op->length,
	                       op->kind == RANDOM_APPEND ? NOVA_WRITE_APPEND : 0, NULL);

	free(data);
	return n;
}

static int64_t read_bytes(const struct nova_call *call, struct nova_handle file, const struct random_op *op,
                          uint64_t *told)
{
	uint8_t *data = malloc(op->length + 1);
	int64_t n;

	if (!data)
		abort();
	n = nova_read(call, file, op->offset, data, op->length);
	if (n > 0)
		*told = random_tell(0, data, (size_t)n);
	free(data);
	return n;
}

static int64_t change_attr(const struct nova_call *call, const struct random_slots *slots, const struct random_op *op)
{
	struct posix_attr posix;
	unsigned mask = random_change(slots, op, &posix);
	const struct nova_attr attr = {
	    .mode = posix.mode,
	    .uid = posix.uid,
	    .gid = posix.gid,
	    .size = posix.size,
	    .atime_ns = posix.atime_ns,
	    .mtime_ns = posix.mtime_ns,
	    .flags = posix.flags,
	    .project = posix.project,
	};

	return nova_setattr(call, slots->slots[op->slot].handle, mask, &attr, NULL);
}

static int64_t tell_attr(const struct nova_call *call, struct nova_handle file, uint64_t *told)
{
	struct nova_attr attr;
	int rc = nova_getattr(call, file, &attr);

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

static int64_t use_xattr(const struct nova_call *call, struct nova_handle file, const struct random_op *op,
                         uint64_t *told)
{
	static _Thread_local uint8_t value[65536];
	const char *name = random_xattr_name(op);
	uint8_t *bytes;
	int64_t rc;

	switch (op->kind) {
	case RANDOM_SETXATTR:
		bytes = random_op_bytes(op, op->length);
		rc = nova_setxattr(call, file, name, strlen(name), bytes, op->length, op->flags, NULL);
		free(bytes);
		return rc;
	case RANDOM_SETACL:
		name = op->flags & 1 ? "system.posix_acl_access" : "system.posix_acl_default";
		return nova_setxattr(call, file, name, strlen(name), value, random_acl(op, value), 0, NULL);
	case RANDOM_REMOVEXATTR:
		return nova_removexattr(call, file, name, strlen(name), NULL);
	case RANDOM_GETXATTR:
		rc = nova_getxattr(call, file, name, strlen(name), value, sizeof(value), NULL);
		if (rc > 0)
			*told = random_tell(0, value, (size_t)rc);
		return rc;
	default:
		rc = nova_listxattr(call, file, (char *)value, sizeof(value), NULL);
		for (const char *at = (char *)value; rc > 0 && at < (char *)value + rc; at += strlen(at) + 1)
			*told = random_tell_name(*told, at, strlen(at));
		return rc;
	}
}

/* In one step or in two, of which the first makes no difference that anybody sees. */
static ssize_t copy(const struct nova_call *call, struct nova_handle from, uint64_t from_offset, struct nova_handle to,
                    const struct random_op *op)
{
	struct nova_copy *prepared;

	if (op->length % 2 == 0 ||
	    nova_copy_prepare(call->worker, from, from_offset, to, op->offset, op->length, &prepared))
		return nova_copy(call, from, from_offset, to, op->offset, op->length, NULL);
	ssize_t count = nova_copy_commit(call, prepared, NULL);
	/* Another thread has changed the source meanwhile: then the server, too, copies in one step. */
	return count == -EAGAIN ? nova_copy(call, from, from_offset, to, op->offset, op->length, NULL) : count;
}

static int64_t read_link(const struct nova_call *call, struct nova_handle file, uint64_t *told)
{
	char target[4096];
	ssize_t n = nova_readlink(call, file, target, sizeof(target));

	if (n > 0)
		*told = random_tell(0, target, (size_t)n);
	return n;
}

static bool add_dirent(void *context, const struct nova_dirent *entry)
{
	uint64_t *told = context;

	*told = random_tell_name(*told, entry->name, entry->length);
	return true;
}

static int64_t seek(const struct nova_call *call, struct nova_handle file, const struct random_op *op)
{
	uint64_t found = 0;
	int rc = nova_seek(call, file, op->offset, op->flags & 1 ? NOVA_SEEK_DATA : NOVA_SEEK_HOLE, &found);

	return rc ? rc : (int64_t)found;
}

static int64_t look_up(const struct nova_call *call, struct nova_handle dir, const struct random_op *op,
                       struct nova_attr *attr)
{
	const char *name = random_lookup_name(op);

	return nova_lookup(call, dir, name, strlen(name), attr);
}

static int64_t set_limits(const struct nova_call *call, const struct random_slots *slots, const struct random_op *op)
{
	return nova_quota_set(call, slots->projects + 1 + op->name % RANDOM_PROJECTS, op->offset, op->length);
}

static int64_t do_it(const struct nova_call *call, const struct random_slots *slots, const struct random_op *op,
                     struct nova_attr *attr, uint64_t *told)
{
	const struct nova_handle one = slots->slots[op->slot].handle, two = slots->slots[op->slot2].handle;

	switch (op->kind) {
	case RANDOM_LOOKUP:
		return look_up(call, one, op, attr);
	case RANDOM_MAKE:
	case RANDOM_SYMLINK:
	case RANDOM_TMPFILE:
		return make(call, slots, op, attr);
	case RANDOM_LINK:
	case RANDOM_UNLINK:
	case RANDOM_RMDIR:
	case RANDOM_RENAME:
		return change_names(call, slots, op);
	case RANDOM_WRITE:
	case RANDOM_APPEND:
		return write_bytes(call, one, op);
	case RANDOM_READ:
		return read_bytes(call, one, op, told);
	case RANDOM_TRUNCATE:
	case RANDOM_SETATTR:
	case RANDOM_SETFLAGS:
	case RANDOM_SETPROJECT:
		return change_attr(call, slots, op);
	case RANDOM_GETATTR:
		return tell_attr(call, one, told);
	case RANDOM_ACCESS:
		return nova_access(call, one, (int)op->flags & 7);
	case RANDOM_ACCESSED:
		return nova_accessed(call, one, op->flags & 3 ? NOVA_ATIME_RELATIVE : NOVA_ATIME_STRICT);
	case RANDOM_SETLIMITS:
		return set_limits(call, slots, op);
	case RANDOM_OPEN:
		return nova_open(call, one, NULL);
	case RANDOM_CLOSE:
		return nova_close(call, slots->pins[op->to % RANDOM_PINS].handle);
	case RANDOM_FALLOCATE:
		return nova_fallocate(call, one, op->flags, op->offset, op->length, NULL);
	case RANDOM_SEEK:
		return seek(call, one, op);
	case RANDOM_COPY:
		return copy(call, one, random_copy_offset(op), two, op);
	case RANDOM_READLINK:
		return read_link(call, one, told);
	case RANDOM_READDIR:
		return nova_readdir(call, one, 0, NULL, add_dirent, told);
	default:
		return use_xattr(call, one, op, told);
	}
}

struct random_answer random_core_do(const struct nova_call *call, const struct random_slots *slots,
                                    const struct random_op *op)
{
	const struct posix_caller *user = random_user(op);
	const struct nova_cred cred = {
	    .uid = user->uid,
	    .gid = user->gid,
	    .group_count = user->group_count,
	    .groups = user->groups,
	};
	const struct nova_call own = {
	    .worker = call->worker,
	    .cred = &cred,
	    .opened = op->who & RANDOM_OPENED,
	    .umask = op->umask,
	};
	struct nova_attr attr = {0};
	struct random_answer answer = {0};

	answer.rc = do_it(&own, slots, op, &attr, &answer.told);
	if (answer.rc >= 0)
		answer.handle = attr.handle;
	else
		answer.told = 0;
	return answer;
}
