/*
 * random_suit.c -- gives random operations something to work on.
 */
#include "tests/model/random_ops.h"

#include <string.h>
#include <sys/stat.h>

/* Each kind: whether it wants a file (S_IFREG), a directory or anything alive (0) in its slots. */
static unsigned wanted(uint8_t kind, bool second)
{
	switch (kind) {
	case RANDOM_LOOKUP:
	case RANDOM_MAKE:
	case RANDOM_SYMLINK:
	case RANDOM_TMPFILE:
	case RANDOM_UNLINK:
	case RANDOM_RMDIR:
	case RANDOM_READDIR:
	case RANDOM_RENAME:
		return S_IFDIR;
	case RANDOM_LINK:
		return second ? S_IFDIR : S_IFREG;
	case RANDOM_WRITE:
	case RANDOM_APPEND:
	case RANDOM_READ:
	case RANDOM_TRUNCATE:
	case RANDOM_FALLOCATE:
	case RANDOM_SEEK:
	case RANDOM_COPY:
		return S_IFREG;
	case RANDOM_READLINK:
		return S_IFLNK;
	default:
		return 0;
	}
}

static uint8_t suited(const struct posix_model *model, const struct random_slots *slots, uint8_t from, unsigned type)
{
	for (unsigned i = 0; i < RANDOM_SLOTS; i++) {
		unsigned slot = (from + i) % RANDOM_SLOTS;
		struct posix_attr attr;

		if (posix_getattr(model, slots->slots[slot].ino, &attr) || (type && (attr.mode & S_IFMT) != type))
			continue;
		/* Of a directory that is gone there is nothing to be had. */
		if (S_ISDIR(attr.mode) && attr.nlink == 0)
			continue;
		return (uint8_t)slot;
	}
	return from;
}

/* The next of the names that is there, or is not there, as is wanted. */
static uint8_t suited_name(const struct posix_model *model, posix_ino dir, uint8_t from, bool there, unsigned names)
{
	for (unsigned i = 0; i < names; i++) {
		uint8_t number = (uint8_t)((from + i) % names);
		const char *name = random_name(number);
		posix_ino found;

		if ((posix_lookup(model, dir, name, strlen(name), &found) == 0) == there)
			return number;
	}
	return from;
}

static void choose_names(const struct posix_model *model, const struct random_slots *slots, struct random_op *op,
                         unsigned names)
{
	posix_ino dir = slots->slots[op->slot].ino;

	switch (op->kind) {
	case RANDOM_LOOKUP:
	case RANDOM_UNLINK:
	case RANDOM_RMDIR:
	case RANDOM_RENAME:
		op->name = suited_name(model, dir, op->name, true, names);
		break;
	case RANDOM_MAKE:
	case RANDOM_SYMLINK:
		op->name = suited_name(model, dir, op->name, false, names);
		break;
	case RANDOM_LINK:
		op->name = suited_name(model, slots->slots[op->slot2].ino, op->name, false, names);
		break;
	default:
		break;
	}
}

/* Near to what the project uses: a limit that is far away is never met. */
static void choose_limits(const struct posix_model *model, const struct random_slots *slots, struct random_op *op)
{
	uint32_t id = slots->projects + 1 + op->name % RANDOM_PROJECTS;
	struct posix_project project;

	if (!posix_next_project(model, id, &project) || project.id != id)
		project = (struct posix_project){0};
	op->offset = op->flags & 1 ? 1 + project.blocks + op->fill % 24 : 0;
	op->length = op->flags & 2 ? 1 + (uint32_t)project.inodes + op->fill % 5 : 0;
	/* A limit may lie below what is in use. */
	if (op->flags & 4 && op->offset > 16)
		op->offset -= 16;
}

void random_op_suit(const struct posix_model *model, const struct random_slots *slots, struct random_op *op,
                    unsigned names)
{
	if (op->kind == RANDOM_SETLIMITS)
		choose_limits(model, slots, op);
	/* Also what is dead or of another kind is tried. */
	if ((op->fill >> 24) % 8 == 0)
		return;
	op->slot = suited(model, slots, op->slot, wanted(op->kind, false));
	op->slot2 = suited(model, slots, op->slot2, wanted(op->kind, true));
	if ((op->fill >> 27) % 4)
		choose_names(model, slots, op, names);
}
