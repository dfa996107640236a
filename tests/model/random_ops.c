/*
 * random_ops.c -- makes random operations and does them.
 */
#include "tests/model/random_ops.h"

#include "tests/crash/fixed.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define STEP_NS   1000003 /* between two operations */
#define WRITE_MAX 70000u
#define NAMES     RANDOM_BALLAST
#define FAR       (1ull << 40)

/* How often each kind comes. */
static const struct {
	const char *name;
	unsigned weight;
} kinds[RANDOM_KINDS] = {
    [RANDOM_LOOKUP] = {"lookup", 6},     [RANDOM_MAKE] = {"make", 12},        [RANDOM_SYMLINK] = {"symlink", 3},
    [RANDOM_TMPFILE] = {"tmpfile", 2},   [RANDOM_LINK] = {"link", 6},         [RANDOM_UNLINK] = {"unlink", 8},
    [RANDOM_RMDIR] = {"rmdir", 4},       [RANDOM_RENAME] = {"rename", 14},    [RANDOM_WRITE] = {"write", 16},
    [RANDOM_APPEND] = {"append", 6},     [RANDOM_TRUNCATE] = {"truncate", 6}, [RANDOM_READ] = {"read", 6},
    [RANDOM_SETATTR] = {"setattr", 5},   [RANDOM_OPEN] = {"open", 4},         [RANDOM_CLOSE] = {"close", 4},
    [RANDOM_SETXATTR] = {"setxattr", 5}, [RANDOM_GETXATTR] = {"getxattr", 2}, [RANDOM_REMOVEXATTR] = {"removexattr", 2},
    [RANDOM_READLINK] = {"readlink", 1}, [RANDOM_READDIR] = {"readdir", 1},   [RANDOM_FALLOCATE] = {"fallocate", 10},
    [RANDOM_SEEK] = {"seek", 3},         [RANDOM_COPY] = {"copy", 5},
};

uint64_t random_next(uint64_t *seed)
{
	uint64_t z = *seed += 0x9e3779b97f4a7c15u;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

static uint32_t below(uint64_t *seed, uint32_t limit)
{
	return (uint32_t)(random_next(seed) % limit);
}

/* Short ones collide often, which is what is wanted; two pairs collide in hashes of other file systems; one is as long
 * as a name may be, so that directories' logs fill their pages unevenly. */
static const char *name_of(unsigned number)
{
	/* As long as a name may be: five times 51 letters. */
#define LETTERS "lllllllllllllllllllllllllllllllllllllllllllllllllll"
	static const char *const names[NAMES + 1] = {"a",
	                                             "b",
	                                             "c",
	                                             "d",
	                                             "x",
	                                             "y",
	                                             "\x61\x50",
	                                             "\x62\xcd",
	                                             "seventeen-letters",
	                                             LETTERS LETTERS LETTERS LETTERS LETTERS,
	                                             "ballast"};

	return names[number <= RANDOM_BALLAST ? number : 0];
}

/* ---- making ----------------------------------------------------------------------------------------------------- */

static uint8_t any_kind(uint64_t *seed)
{
	unsigned total = 0;
	uint32_t pick;

	for (unsigned i = 0; i < RANDOM_KINDS; i++)
		total += kinds[i].weight;
	pick = below(seed, total);
	for (uint8_t i = 0;; i++) {
		if (pick < kinds[i].weight)
			return i;
		pick -= kinds[i].weight;
	}
}

static uint32_t any_flags(uint64_t *seed, uint8_t kind)
{
	static const uint32_t types[] = {S_IFREG, S_IFREG, S_IFREG, S_IFDIR, S_IFDIR, S_IFIFO, S_IFSOCK, S_IFCHR};
	static const uint32_t renames[] = {
	    0, 0, 0, NOVA_RENAME_NOREPLACE, NOVA_RENAME_EXCHANGE, NOVA_RENAME_NOREPLACE | NOVA_RENAME_EXCHANGE};

	static const uint32_t modes[] = {0,
	                                 NOVA_FALLOCATE_KEEP_SIZE,
	                                 NOVA_FALLOCATE_PUNCH_HOLE | NOVA_FALLOCATE_KEEP_SIZE,
	                                 NOVA_FALLOCATE_PUNCH_HOLE | NOVA_FALLOCATE_KEEP_SIZE,
	                                 NOVA_FALLOCATE_ZERO_RANGE,
	                                 NOVA_FALLOCATE_ZERO_RANGE | NOVA_FALLOCATE_KEEP_SIZE,
	                                 NOVA_FALLOCATE_COLLAPSE_RANGE,
	                                 NOVA_FALLOCATE_INSERT_RANGE};

	switch (kind) {
	case RANDOM_FALLOCATE:
		return modes[below(seed, 8)];
	case RANDOM_MAKE:
		return types[below(seed, 8)] | below(seed, 01000);
	case RANDOM_RENAME:
		return renames[below(seed, 6)];
	case RANDOM_SETATTR:
		return below(seed, 1u << 8) & ~NOVA_SET_SIZE;
	case RANDOM_SETXATTR:
		return below(seed, 3);
	default:
		return below(seed, 01000);
	}
}

static uint32_t any_length(uint64_t *seed, uint8_t kind)
{
	if (kind == RANDOM_SYMLINK)
		return below(seed, 4) ? 1 + below(seed, 80) : 1 + below(seed, 4095);
	if (kind == RANDOM_SETXATTR)
		return below(seed, 4) ? below(seed, 60) : below(seed, 20000);
	/* Now and then much, so that the pool gets full. */
	if (kind == RANDOM_WRITE && below(seed, 30) == 0)
		return below(seed, 16 * WRITE_MAX);
	switch (below(seed, 4)) {
	case 0:
		return below(seed, 100);
	case 1:
		return 4096 * below(seed, 5);
	default:
		return below(seed, WRITE_MAX);
	}
}

static uint64_t any_offset(uint64_t *seed)
{
	switch (below(seed, 16)) {
	case 0:
		return FAR + below(seed, 1u << 20);
	case 1:
	case 2:
	case 3:
		return 4096 * (uint64_t)below(seed, 64);
	default:
		return below(seed, 200000);
	}
}

struct random_op random_op_make(uint64_t *seed)
{
	struct random_op op = {.kind = any_kind(seed)};

	op.slot = (uint8_t)below(seed, RANDOM_SLOTS);
	op.slot2 = (uint8_t)below(seed, RANDOM_SLOTS);
	/* Half of all work lies in the lane's own directory and its first few inodes: there names meet. */
	if (below(seed, 2))
		op.slot %= 4;
	if (below(seed, 2))
		op.slot2 %= 4;
	op.name = (uint8_t)below(seed, NAMES);
	op.name2 = (uint8_t)below(seed, NAMES);
	/* Slot 0 stays the lane's own directory. */
	op.to = (uint8_t)(1 + below(seed, RANDOM_SLOTS - 1));
	op.flags = any_flags(seed, op.kind);
	op.length = any_length(seed, op.kind);
	op.offset = any_offset(seed);
	/* Off the blocks collapse and insert are refused. */
	if (op.kind == RANDOM_FALLOCATE && op.flags & (NOVA_FALLOCATE_COLLAPSE_RANGE | NOVA_FALLOCATE_INSERT_RANGE) &&
	    below(seed, 8)) {
		op.offset &= ~4095ull;
		op.length &= ~4095u;
	}
	op.fill = (uint32_t)random_next(seed);
	return op;
}

/* ---- doing ------------------------------------------------------------------------------------------------------ */

static bool wrong(struct random_lane *lane, const struct random_op *op, int64_t core, int64_t model)
{
	snprintf(lane->wrong, sizeof(lane->wrong), "%s: the core answers %" PRId64 " (%s), the model %" PRId64 " (%s)",
	         kinds[op->kind].name, core, core < 0 ? strerror((int)-core) : "success", model,
	         model < 0 ? strerror((int)-model) : "success");
	return false;
}

static bool differs(struct random_lane *lane, const struct random_op *op, const char *what)
{
	snprintf(lane->wrong, sizeof(lane->wrong), "%s: %s", kinds[op->kind].name, what);
	return false;
}

static uint8_t *bytes_of(const struct random_op *op, uint32_t length)
{
	uint8_t *bytes = malloc(length ? length : 1);

	if (!bytes)
		abort();
	for (uint32_t i = 0; i < length; i++)
		bytes[i] = (uint8_t)(op->fill >> i % 4 * 8) ^ (uint8_t)(i >> 8);
	return bytes;
}

static bool keep(struct random_lane *lane, const struct random_op *op, int rc, int model_rc, struct nova_handle made,
                 posix_ino ino)
{
	if (rc != model_rc)
		return wrong(lane, op, rc, model_rc);
	if (rc == 0) {
		posix_name_inode(lane->model, ino, made.ino.n, made.generation);
		lane->slots[op->to] = (struct random_slot){made, ino};
	}
	return true;
}

/* What failed for want of space must have changed nothing: the model is not told of it, and the next comparison of the
 * whole shows whether that is true. */
static bool full(struct random_lane *lane, int64_t rc)
{
	if (rc != -ENOSPC)
		return false;
	lane->no_space++;
	return true;
}

static bool do_make(struct random_lane *lane, const struct random_op *op)
{
	const struct random_slot *dir = &lane->slots[op->slot];
	const char *name = name_of(op->name);
	struct nova_attr attr = {0};
	posix_ino ino = {0};
	int rc, model_rc;

	if (op->kind == RANDOM_SYMLINK) {
		uint8_t *target = bytes_of(op, op->length);

		for (uint32_t i = 0; i < op->length; i++)
			target[i] |= 1;
		rc =
		    nova_symlink(&lane->call, dir->handle, name, strlen(name), (const char *)target, op->length, &attr);
		model_rc = full(lane, rc) ? rc
		                          : posix_symlink(lane->model, dir->ino, name, strlen(name),
		                                          (const char *)target, op->length, lane->now, &ino);
		free(target);
	} else {
		rc = nova_create(&lane->call, dir->handle, name, strlen(name), op->flags, 0x103, &attr);
		model_rc = full(lane, rc) ? rc
		                          : posix_make(lane->model, dir->ino, name, strlen(name), op->flags, 0x103,
		                                       lane->now, &ino);
	}
	return keep(lane, op, rc, model_rc, attr.handle, ino);
}

static bool do_tmpfile(struct random_lane *lane, const struct random_op *op)
{
	const struct random_slot *dir = &lane->slots[op->slot];
	struct random_slot *pin = &lane->pins[op->to % RANDOM_PINS];
	struct nova_attr attr = {0};
	posix_ino ino = {0};
	int rc;

	if (pin->ino.n)
		return true;
	rc = nova_tmpfile(&lane->call, dir->handle, op->flags, true, &attr);
	if (full(lane, rc))
		return true;
	if (!keep(lane, op, rc, posix_tmpfile(lane->model, dir->ino, op->flags, lane->now, &ino), attr.handle, ino))
		return false;
	if (rc == 0)
		*pin = lane->slots[op->to];
	return true;
}

static bool do_lookup(struct random_lane *lane, const struct random_op *op)
{
	const struct random_slot *dir = &lane->slots[op->slot];
	const char *name = name_of(op->name);
	struct nova_attr attr = {0};
	uint32_t generation;
	uint64_t number;
	posix_ino ino = {0};
	int rc = nova_lookup(&lane->call, dir->handle, name, strlen(name), &attr);
	int model_rc = posix_lookup(lane->model, dir->ino, name, strlen(name), &ino);

	if (rc != model_rc)
		return wrong(lane, op, rc, model_rc);
	if (rc)
		return true;
	posix_inode_name(lane->model, ino, &number, &generation);
	if (attr.handle.ino.n != number || attr.handle.generation != generation)
		return differs(lane, op, "the name leads to another inode than in the model");
	lane->slots[op->to] = (struct random_slot){attr.handle, ino};
	return true;
}

static bool do_names(struct random_lane *lane, const struct random_op *op)
{
	const struct random_slot *one = &lane->slots[op->slot], *two = &lane->slots[op->slot2];
	const char *name = name_of(op->name), *name2 = name_of(op->name2);
	unsigned flags = (op->flags & NOVA_RENAME_NOREPLACE ? POSIX_NOREPLACE : 0) |
	                 (op->flags & NOVA_RENAME_EXCHANGE ? POSIX_EXCHANGE : 0);
	struct nova_attr attr;
	int rc, model_rc;

	switch (op->kind) {
	case RANDOM_LINK:
		rc = nova_link(&lane->call, one->handle, two->handle, name, strlen(name), &attr);
		if (full(lane, rc))
			return true;
		model_rc = posix_link(lane->model, one->ino, two->ino, name, strlen(name), lane->now);
		break;
	case RANDOM_UNLINK:
		rc = nova_unlink(&lane->call, one->handle, name, strlen(name), NULL);
		model_rc = posix_unlink(lane->model, one->ino, name, strlen(name), lane->now);
		break;
	case RANDOM_RMDIR:
		rc = nova_rmdir(&lane->call, one->handle, name, strlen(name), NULL);
		model_rc = posix_rmdir(lane->model, one->ino, name, strlen(name), lane->now);
		break;
	default:
		rc = nova_rename(&lane->call, one->handle, name, strlen(name), two->handle, name2, strlen(name2),
		                 op->flags, NULL);
		if (full(lane, rc))
			return true;
		model_rc = posix_rename(lane->model, one->ino, name, strlen(name), two->ino, name2, strlen(name2),
		                        flags, lane->now);
	}
	return rc == model_rc || wrong(lane, op, rc, model_rc);
}

static bool do_write(struct random_lane *lane, const struct random_op *op)
{
	const struct random_slot *file = &lane->slots[op->slot];
	bool append = op->kind == RANDOM_APPEND;
	uint8_t *data = bytes_of(op, op->length);
	ssize_t n =
	    nova_write(&lane->call, file->handle, op->offset, data, op->length, append ? NOVA_WRITE_APPEND : 0, NULL);
	bool ok = true;

	if (!full(lane, n)) {
		ssize_t model_n = posix_write(lane->model, file->ino, op->offset, data, op->length, append, lane->now);
		ok = n == model_n || wrong(lane, op, n, model_n);
	}
	free(data);
	return ok;
}

static bool do_read(struct random_lane *lane, const struct random_op *op)
{
	const struct random_slot *file = &lane->slots[op->slot];
	uint8_t *data = malloc(op->length + 1), *model_data = malloc(op->length + 1);
	ssize_t n, model_n;
	bool ok = true;

	if (!data || !model_data)
		abort();
	n = nova_read(&lane->call, file->handle, op->offset, data, op->length);
	model_n = posix_read(lane->model, file->ino, op->offset, model_data, op->length);
	if (n != model_n)
		ok = wrong(lane, op, n, model_n);
	else if (n > 0 && memcmp(data, model_data, (size_t)n) != 0)
		ok = differs(lane, op, "other bytes than in the model");
	free(data);
	free(model_data);
	return ok;
}

static bool do_fallocate(struct random_lane *lane, const struct random_op *op)
{
	const struct random_slot *file = &lane->slots[op->slot];
	int rc = nova_fallocate(&lane->call, file->handle, op->flags, op->offset, op->length, NULL);
	int model_rc;

	if (full(lane, rc))
		return true;
	model_rc = posix_fallocate_range(lane->model, file->ino, (int)op->flags, op->offset, op->length, lane->now);
	return rc == model_rc || wrong(lane, op, rc, model_rc);
}

static bool do_seek(struct random_lane *lane, const struct random_op *op)
{
	const struct random_slot *file = &lane->slots[op->slot];
	bool data = op->flags & 1;
	uint64_t found = 0;
	int rc = nova_seek(&lane->call, file->handle, op->offset, data ? NOVA_SEEK_DATA : NOVA_SEEK_HOLE, &found);
	int64_t model = posix_seek(lane->model, file->ino, op->offset, data ? SEEK_DATA : SEEK_HOLE);
	int64_t core = rc ? rc : (int64_t)found;

	return core == model || wrong(lane, op, core, model);
}

static bool do_copy(struct random_lane *lane, const struct random_op *op)
{
	const struct random_slot *from = &lane->slots[op->slot], *to = &lane->slots[op->slot2];
	uint64_t from_offset = op->fill % 100000;
	ssize_t n, model_n;

	if (op->flags & 1)
		from_offset = (from_offset & ~4095ull) | op->offset % 4096;
	n = nova_copy(&lane->call, from->handle, from_offset, to->handle, op->offset, op->length, NULL);
	if (full(lane, n))
		return true;
	model_n = posix_copy_range(lane->model, from->ino, from_offset, to->ino, op->offset, op->length, lane->now);
	return n == model_n || wrong(lane, op, n, model_n);
}

static bool do_setattr(struct random_lane *lane, const struct random_op *op)
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
	};
	const struct random_slot *at = &lane->slots[op->slot];
	unsigned mask = op->kind == RANDOM_TRUNCATE ? NOVA_SET_SIZE : op->flags;
	unsigned model_mask = 0;
	struct nova_attr attr = {
	    .mode = op->fill & 07777,
	    .uid = op->fill >> 12 & 0xff,
	    .gid = op->fill >> 20 & 0xff,
	    .size = op->offset,
	    .atime_ns = (int64_t)(op->offset << 22) - (int64_t)op->fill * 2000000000,
	    .mtime_ns = (int64_t)op->length * 1000000007 - 5,
	};
	struct posix_attr posix = {
	    .mode = attr.mode,
	    .uid = attr.uid,
	    .gid = attr.gid,
	    .size = attr.size,
	    .atime_ns = attr.atime_ns,
	    .mtime_ns = attr.mtime_ns,
	};
	int rc, model_rc;

	/* A time cannot be given and be "now". */
	if (mask & NOVA_SET_ATIME)
		mask &= ~NOVA_SET_ATIME_NOW;
	if (mask & NOVA_SET_MTIME)
		mask &= ~NOVA_SET_MTIME_NOW;
	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++)
		if (mask & pairs[i][0])
			model_mask |= pairs[i][1];
	rc = nova_setattr(&lane->call, at->handle, mask, &attr, NULL);
	if (full(lane, rc))
		return true;
	model_rc = posix_setattr(lane->model, at->ino, model_mask, &posix, lane->now);
	return rc == model_rc || wrong(lane, op, rc, model_rc);
}

static bool do_pin(struct random_lane *lane, const struct random_op *op)
{
	struct random_slot *pin = &lane->pins[op->to % RANDOM_PINS];
	const struct random_slot *at = &lane->slots[op->slot];
	struct nova_attr attr;
	int rc, model_rc;

	if ((op->kind == RANDOM_OPEN) == (pin->ino.n != 0))
		return true;
	if (op->kind == RANDOM_OPEN) {
		rc = nova_open(&lane->call, at->handle, &attr);
		model_rc = posix_open(lane->model, at->ino);
		if (rc == 0 && model_rc == 0)
			*pin = *at;
	} else {
		rc = nova_close(&lane->call, pin->handle);
		model_rc = posix_close(lane->model, pin->ino);
		pin->ino.n = 0;
	}
	return rc == model_rc || wrong(lane, op, rc, model_rc);
}

static bool do_xattr(struct random_lane *lane, const struct random_op *op)
{
	static const char *const names[] = {"user.a", "user.b", "trusted.c", "user.a-longer-name-of-an-attribute"};
	const struct random_slot *at = &lane->slots[op->slot];
	const char *name = names[op->name % 4];
	size_t length = strlen(name);
	int64_t rc, model_rc;

	if (op->kind == RANDOM_SETXATTR) {
		uint8_t *value = bytes_of(op, op->length);

		rc = nova_setxattr(&lane->call, at->handle, name, length, value, op->length, (int)op->flags, NULL);
		model_rc = full(lane, rc) ? rc
		                          : posix_setxattr(lane->model, at->ino, name, value, op->length,
		                                           (int)op->flags, lane->now);
		free(value);
	} else if (op->kind == RANDOM_GETXATTR) {
		static _Thread_local uint8_t value[65536], model_value[65536];

		rc = nova_getxattr(&lane->call, at->handle, name, length, value, sizeof(value), NULL);
		model_rc = posix_getxattr(lane->model, at->ino, name, model_value, sizeof(model_value));
		if (rc == model_rc && rc > 0 && memcmp(value, model_value, (size_t)rc) != 0)
			return differs(lane, op, "another value than in the model");
	} else {
		rc = nova_removexattr(&lane->call, at->handle, name, length, NULL);
		model_rc = full(lane, rc) ? rc : posix_removexattr(lane->model, at->ino, name, lane->now);
	}
	return rc == model_rc || wrong(lane, op, rc, model_rc);
}

static bool do_readlink(struct random_lane *lane, const struct random_op *op)
{
	const struct random_slot *at = &lane->slots[op->slot];
	char target[4096], model_target[4096];
	ssize_t n = nova_readlink(&lane->call, at->handle, target, sizeof(target));
	ssize_t model_n = posix_readlink(lane->model, at->ino, model_target, sizeof(model_target));

	if (n != model_n)
		return wrong(lane, op, n, model_n);
	if (n > 0 && memcmp(target, model_target, (size_t)n) != 0)
		return differs(lane, op, "another target than in the model");
	return true;
}

/* Names in any order: a number for all of them. */
static uint64_t name_number(const char *name, size_t length)
{
	uint64_t number = 0;

	for (size_t i = 0; i < length; i++)
		number = (number ^ (uint8_t)name[i]) * 0x100000001b3u;
	return number + 1;
}

static bool add_dirent(void *context, const struct nova_dirent *entry)
{
	*(uint64_t *)context += name_number(entry->name, entry->length);
	return true;
}

static bool add_name(void *context, const char *name, size_t length, posix_ino ino)
{
	(void)ino;
	*(uint64_t *)context += name_number(name, length);
	return true;
}

static bool do_readdir(struct random_lane *lane, const struct random_op *op)
{
	const struct random_slot *at = &lane->slots[op->slot];
	uint64_t names = 0, model_names = 0;
	int rc = nova_readdir(&lane->call, at->handle, 0, add_dirent, &names);
	int model_rc = posix_each_name(lane->model, at->ino, add_name, &model_names);

	if (rc != model_rc)
		return wrong(lane, op, rc, model_rc);
	return names == model_names || differs(lane, op, "other names than in the model");
}

bool random_op_run(struct random_lane *lane, const struct random_op *op)
{
	lane->now += STEP_NS;
	fixed_time_set(lane->now);
	lane->done++;
	lane->call.request.sequence++;
	switch (op->kind) {
	case RANDOM_LOOKUP:
		return do_lookup(lane, op);
	case RANDOM_MAKE:
	case RANDOM_SYMLINK:
		return do_make(lane, op);
	case RANDOM_TMPFILE:
		return do_tmpfile(lane, op);
	case RANDOM_LINK:
	case RANDOM_UNLINK:
	case RANDOM_RMDIR:
	case RANDOM_RENAME:
		return do_names(lane, op);
	case RANDOM_WRITE:
	case RANDOM_APPEND:
		return do_write(lane, op);
	case RANDOM_READ:
		return do_read(lane, op);
	case RANDOM_TRUNCATE:
	case RANDOM_SETATTR:
		return do_setattr(lane, op);
	case RANDOM_OPEN:
	case RANDOM_CLOSE:
		return do_pin(lane, op);
	case RANDOM_SETXATTR:
	case RANDOM_GETXATTR:
	case RANDOM_REMOVEXATTR:
		return do_xattr(lane, op);
	case RANDOM_FALLOCATE:
		return do_fallocate(lane, op);
	case RANDOM_SEEK:
		return do_seek(lane, op);
	case RANDOM_COPY:
		return do_copy(lane, op);
	case RANDOM_READLINK:
		return do_readlink(lane, op);
	default:
		return do_readdir(lane, op);
	}
}

/* ---- lanes ------------------------------------------------------------------------------------------------------ */

void random_lane_begin(struct random_lane *lane, const struct nova_call *call, const struct nova_attr *root,
                       int64_t now)
{
	*lane = (struct random_lane){.call = *call, .model = posix_new(root->mode & 07777, now), .now = now};
	posix_name_inode(lane->model, posix_root(lane->model), root->handle.ino.n, root->handle.generation);
	for (unsigned i = 0; i < RANDOM_SLOTS; i++)
		lane->slots[i] = (struct random_slot){root->handle, posix_root(lane->model)};
}

void random_lane_end(struct random_lane *lane)
{
	posix_free(lane->model);
	lane->model = NULL;
}

void random_lane_restart(struct random_lane *lane, const struct nova_call *call)
{
	uint32_t sequence = lane->call.request.sequence;

	lane->call = *call;
	lane->call.request.sequence = sequence;
	memset(lane->pins, 0, sizeof(lane->pins));
	posix_restart(lane->model);
	posix_reclaim(lane->model);
}

/* ---- text ------------------------------------------------------------------------------------------------------- */

void random_op_print(FILE *out, const struct random_op *op)
{
	fprintf(out, "%s %u %u %u %u %u %u %" PRIu64 " %u %u\n", kinds[op->kind].name, op->slot, op->slot2, op->name,
	        op->name2, op->to, op->flags, op->offset, op->length, op->fill);
}

bool random_op_parse(const char *line, struct random_op *op)
{
	unsigned slot, slot2, name, name2, to;
	char kind[16];

	if (sscanf(line, "%15s %u %u %u %u %u %u %" SCNu64 " %u %u", kind, &slot, &slot2, &name, &name2, &to,
	           &op->flags, &op->offset, &op->length, &op->fill) != 10)
		return false;
	if (slot >= RANDOM_SLOTS || slot2 >= RANDOM_SLOTS || to >= RANDOM_SLOTS)
		return false;
	op->slot = (uint8_t)slot;
	op->slot2 = (uint8_t)slot2;
	op->name = (uint8_t)name;
	op->name2 = (uint8_t)name2;
	op->to = (uint8_t)to;
	for (uint8_t i = 0; i < RANDOM_KINDS; i++)
		if (strcmp(kind, kinds[i].name) == 0) {
			op->kind = i;
			return true;
		}
	return false;
}
