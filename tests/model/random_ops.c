/*
 * random_ops.c -- makes random operations, and writes and reads them as text.
 */
#include "tests/model/random_ops.h"

#include "common/crc.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define WRITE_MAX 70000u
#define FAR       (1ull << 40)

/* How often each kind comes. */
static const struct {
	const char *name;
	unsigned weight;
} kinds[RANDOM_KINDS] = {
    [RANDOM_LOOKUP] = {"lookup", 6},
    [RANDOM_MAKE] = {"make", 14},
    [RANDOM_SYMLINK] = {"symlink", 3},
    [RANDOM_TMPFILE] = {"tmpfile", 3},
    [RANDOM_LINK] = {"link", 7},
    [RANDOM_UNLINK] = {"unlink", 8},
    [RANDOM_RMDIR] = {"rmdir", 4},
    [RANDOM_RENAME] = {"rename", 14},
    [RANDOM_WRITE] = {"write", 16},
    [RANDOM_APPEND] = {"append", 7},
    [RANDOM_TRUNCATE] = {"truncate", 6},
    [RANDOM_READ] = {"read", 6},
    [RANDOM_SETATTR] = {"setattr", 9},
    [RANDOM_GETATTR] = {"getattr", 3},
    [RANDOM_ACCESS] = {"access", 4},
    [RANDOM_ACCESSED] = {"accessed", 4},
    [RANDOM_SETFLAGS] = {"setflags", 5},
    [RANDOM_SETPROJECT] = {"setproject", 4},
    [RANDOM_SETLIMITS] = {"setlimits", 3},
    [RANDOM_OPEN] = {"open", 4},
    [RANDOM_CLOSE] = {"close", 4},
    [RANDOM_SETXATTR] = {"setxattr", 6},
    [RANDOM_SETACL] = {"setacl", 5},
    [RANDOM_GETXATTR] = {"getxattr", 3},
    [RANDOM_LISTXATTR] = {"listxattr", 1},
    [RANDOM_REMOVEXATTR] = {"removexattr", 3},
    [RANDOM_READLINK] = {"readlink", 1},
    [RANDOM_READDIR] = {"readdir", 2},
    [RANDOM_FALLOCATE] = {"fallocate", 10},
    [RANDOM_SEEK] = {"seek", 3},
    [RANDOM_COPY] = {"copy", 6},
};

const char *random_kind_name(uint8_t kind)
{
	return kinds[kind].name;
}

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

	static const uint32_t flags[12] = {NOVA_FILE_IMMUTABLE, NOVA_FILE_APPEND, NOVA_FILE_PROJECT_INHERIT,
	                                   NOVA_FILE_PROJECT_INHERIT, NOVA_FILE_APPEND | NOVA_FILE_PROJECT_INHERIT};
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
	case RANDOM_SETFLAGS:
		/* Mostly none: what is fixed stands in the way of everything else. */
		return flags[below(seed, 12)];
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

/* Half of all is the superuser's work. */
static uint8_t any_user(uint64_t *seed)
{
	uint8_t who = below(seed, 2) ? (uint8_t)below(seed, RANDOM_USERS) : 0;

	return below(seed, 8) ? who : who | RANDOM_OPENED;
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
	op.name = (uint8_t)below(seed, RANDOM_NAMES);
	op.name2 = (uint8_t)below(seed, RANDOM_NAMES);
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
	op.who = any_user(seed);
	op.umask = below(seed, 2) ? 022 : (uint16_t)below(seed, 01000);
	op.fill = (uint32_t)random_next(seed);
	return op;
}

/* ---- what it is about -------------------------------------------------------------------------------------------- */

/* Short ones collide often, which is what is wanted; two pairs collide in hashes of other file systems; one is as long
 * as a name may be, so that directories' logs fill their pages unevenly. */
const char *random_name(unsigned number)
{
	/* As long as a name may be: five times 51 letters. */
#define LETTERS "lllllllllllllllllllllllllllllllllllllllllllllllllll"
	static const char *const names[RANDOM_NAMES + 1] = {"a",
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

const char *random_lookup_name(const struct random_op *op)
{
	return op->fill % 16 ? random_name(op->name) : op->fill & 16 ? ".." : ".";
}

const char *random_xattr_name(const struct random_op *op)
{
	static const char *const names[] = {"user.a",
	                                    "user.b",
	                                    "trusted.c",
	                                    "user.a-longer-name-of-an-attribute",
	                                    "security.capability",
	                                    "security.d",
	                                    "system.posix_acl_access",
	                                    "system.posix_acl_default"};

	/* Lists are set by operations of their own. */
	return names[op->name % (op->kind == RANDOM_SETXATTR ? 6 : 8)];
}

uint8_t *random_op_bytes(const struct random_op *op, uint32_t length)
{
	uint8_t *bytes = malloc(length ? length : 1);

	if (!bytes)
		abort();
	for (uint32_t i = 0; i < length; i++)
		bytes[i] = (uint8_t)(op->fill >> i % 4 * 8) ^ (uint8_t)(i >> 8);
	return bytes;
}

uint8_t *random_target(const struct random_op *op)
{
	uint8_t *target = random_op_bytes(op, op->length);

	for (uint32_t i = 0; i < op->length; i++)
		target[i] |= 1;
	return target;
}

const struct posix_caller *random_user(const struct random_op *op)
{
	static const struct posix_caller users[RANDOM_USERS] = {
	    {.uid = 0},
	    {.uid = 1001, .gid = 1001, .groups = {2001}, .group_count = 1},
	    {.uid = 1002, .gid = 1002, .groups = {2001, 2002}, .group_count = 2},
	    {.uid = 1003, .gid = 1003},
	};

	return &users[op->who % RANDOM_USERS];
}

static size_t add_entry(uint8_t *value, size_t length, unsigned tag, unsigned permissions, uint32_t id)
{
	const uint8_t entry[8] = {
	    (uint8_t)tag,       0, (uint8_t)permissions, 0, (uint8_t)id, (uint8_t)(id >> 8), (uint8_t)(id >> 16),
	    (uint8_t)(id >> 24)};

	memcpy(value + length, entry, sizeof(entry));
	return length + sizeof(entry);
}

size_t random_acl(const struct random_op *op, uint8_t value[RANDOM_ACL_MAX])
{
	uint64_t seed = op->fill;
	uint32_t users = below(&seed, 3), groups = below(&seed, 3);
	bool valid = below(&seed, 10);
	size_t length = 4;

	/* One number at a time: compilers differ in the order of arguments, and a seed must mean the same for all. */
	memcpy(value, (const uint8_t[]){2, 0, 0, 0}, length);
	/* None at all: the list is to go. */
	if (below(&seed, 10) == 0)
		return below(&seed, 2) ? length : 0;
	length = add_entry(value, length, 0x01, below(&seed, 8), UINT32_MAX);
	for (uint32_t i = 0; i < users; i++) {
		uint32_t permissions = below(&seed, 8);

		length = add_entry(value, length, 0x02, permissions, 1001 + below(&seed, 3));
	}
	length = add_entry(value, length, 0x04, below(&seed, 8), UINT32_MAX);
	for (uint32_t i = 0; i < groups; i++) {
		uint32_t permissions = below(&seed, 8);

		length = add_entry(value, length, 0x08, permissions, 2001 + below(&seed, 2));
	}
	if (users + groups ? valid : below(&seed, 4) == 0)
		length = add_entry(value, length, 0x10, below(&seed, 8), UINT32_MAX);
	return add_entry(value, length, 0x20, below(&seed, 8 + !valid), UINT32_MAX);
}

uint64_t random_copy_offset(const struct random_op *op)
{
	uint64_t offset = op->fill % 100000;

	return op->flags & 1 ? (offset & ~4095ull) | op->offset % 4096 : offset;
}

static unsigned setattr_mask(const struct random_op *op)
{
	unsigned mask = op->flags;

	/* A time cannot be given and be "now". */
	if (mask & POSIX_SET_ATIME)
		mask &= ~POSIX_SET_ATIME_NOW;
	if (mask & POSIX_SET_MTIME)
		mask &= ~POSIX_SET_MTIME_NOW;
	/* Seldom many at once: any of them may be what is forbidden. */
	if (op->fill & 1)
		mask &= POSIX_SET_MODE | (op->fill & 2 ? POSIX_SET_UID | POSIX_SET_GID : 0);
	else if (op->fill & 2)
		mask &= POSIX_SET_ATIME_NOW | POSIX_SET_MTIME_NOW | (op->fill & 4 ? POSIX_SET_GID : 0);
	return mask;
}

unsigned random_change(const struct random_slots *slots, const struct random_op *op, struct posix_attr *attr)
{
	static const uint32_t ids[] = {0, 1001, 1002, 1003, 2001, 2002, 77, 4000000000};

	*attr = (struct posix_attr){
	    .mode = op->fill >> 3 & 07777,
	    .uid = ids[op->fill >> 15 & 7],
	    .gid = ids[op->fill >> 18 & 7],
	    .size = op->offset,
	    .atime_ns = (int64_t)(op->offset << 22) - (int64_t)op->fill * 2000000000,
	    .mtime_ns = (int64_t)op->length * 1000000007 - 5,
	    .flags = op->flags,
	    .project = op->fill >> 3 & 3,
	};
	if (attr->project)
		attr->project += slots->projects;
	switch (op->kind) {
	case RANDOM_TRUNCATE:
		return POSIX_SET_SIZE;
	case RANDOM_SETFLAGS:
		return POSIX_SET_FLAGS;
	case RANDOM_SETPROJECT:
		attr->flags = POSIX_PROJECT_INHERIT;
		return POSIX_SET_PROJECT | (op->flags & 1 ? POSIX_SET_FLAGS : 0);
	default:
		return setattr_mask(op);
	}
}

uint64_t random_tell(uint64_t told, const void *bytes, size_t length)
{
	return (uint64_t)crc32c((uint32_t)told, bytes, length) << 32 | length;
}

uint64_t random_tell_name(uint64_t told, const char *name, size_t length)
{
	uint64_t number = 0;

	for (size_t i = 0; i < length; i++)
		number = (number ^ (uint8_t)name[i]) * 0x100000001b3u;
	return told + number + 1;
}

/* ---- counts ----------------------------------------------------------------------------------------------------- */

void random_tally_answer(struct random_tally *tally, const struct random_op *op, int64_t rc)
{
	tally->tried[op->kind]++;
	tally->done[op->kind] += rc >= 0;
	tally->no_space += rc == -ENOSPC;
	tally->over_limit += rc == -EDQUOT;
	tally->across_projects += rc == -EXDEV;
	tally->not_permitted += rc == -EPERM;
	tally->no_access += rc == -EACCES;
}

void random_tally_add(struct random_tally *to, const struct random_tally *from)
{
	for (unsigned i = 0; i < RANDOM_KINDS; i++) {
		to->tried[i] += from->tried[i];
		to->done[i] += from->done[i];
	}
	to->no_space += from->no_space;
	to->over_limit += from->over_limit;
	to->across_projects += from->across_projects;
	to->not_permitted += from->not_permitted;
	to->no_access += from->no_access;
}

uint64_t random_tally_all(const struct random_tally *tally)
{
	uint64_t all = 0;

	for (unsigned i = 0; i < RANDOM_KINDS; i++)
		all += tally->tried[i];
	return all;
}

/* ---- slots ------------------------------------------------------------------------------------------------------ */

bool random_op_skipped(const struct random_slots *slots, const struct random_op *op)
{
	bool pinned = slots->pins[op->to % RANDOM_PINS].ino.n;

	switch (op->kind) {
	case RANDOM_TMPFILE:
	case RANDOM_OPEN:
		return pinned;
	case RANDOM_CLOSE:
		return !pinned;
	case RANDOM_SETFLAGS:
	case RANDOM_SETPROJECT:
		return slots->slots[op->slot].ino.n == 0;
	case RANDOM_LOOKUP:
		return slots->slots[op->slot].ino.n == 0 && strcmp(random_lookup_name(op), "..") == 0;
	default:
		return false;
	}
}

bool random_answers_agree(const struct random_answer *a, const struct random_answer *b)
{
	return a->rc == b->rc && a->told == b->told && a->handle.ino.n == b->handle.ino.n &&
	       a->handle.generation == b->handle.generation;
}

void random_slots_keep(struct random_slots *slots, const struct random_op *op, const struct random_answer *answer,
                       posix_ino ino)
{
	struct random_slot *pin = &slots->pins[op->to % RANDOM_PINS];

	if (op->kind == RANDOM_CLOSE)
		pin->ino.n = 0;
	if (answer->rc < 0)
		return;
	if (answer->handle.ino.n)
		slots->slots[op->to] = (struct random_slot){answer->handle, ino};
	if (op->kind == RANDOM_TMPFILE)
		*pin = slots->slots[op->to];
	if (op->kind == RANDOM_OPEN)
		*pin = slots->slots[op->slot];
}

/* ---- text ------------------------------------------------------------------------------------------------------- */

void random_op_print(FILE *out, const struct random_op *op)
{
	fprintf(out, "%s %u %u %u %u %u %u %u %u %" PRIu64 " %u %u\n", kinds[op->kind].name, op->slot, op->slot2,
	        op->name, op->name2, op->to, op->who, op->umask, op->flags, op->offset, op->length, op->fill);
}

bool random_op_parse(const char *line, struct random_op *op)
{
	unsigned slot, slot2, name, name2, to, who, umask;
	char kind[16];

	if (sscanf(line, "%15s %u %u %u %u %u %u %u %u %" SCNu64 " %u %u", kind, &slot, &slot2, &name, &name2, &to,
	           &who, &umask, &op->flags, &op->offset, &op->length, &op->fill) != 12)
		return false;
	if (slot >= RANDOM_SLOTS || slot2 >= RANDOM_SLOTS || to >= RANDOM_SLOTS || who >= 2 * RANDOM_USERS ||
	    umask > 0777)
		return false;
	op->slot = (uint8_t)slot;
	op->slot2 = (uint8_t)slot2;
	op->name = (uint8_t)name;
	op->name2 = (uint8_t)name2;
	op->to = (uint8_t)to;
	op->who = (uint8_t)who;
	op->umask = (uint16_t)umask;
	for (uint8_t i = 0; i < RANDOM_KINDS; i++)
		if (strcmp(kind, kinds[i].name) == 0) {
			op->kind = i;
			return true;
		}
	return false;
}
