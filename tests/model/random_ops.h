/*
 * random_ops.h -- the operations of a random run: what each does to a file system and to the model, made from a seed,
 * written and read as lines of text so that a run can be replayed and cut down.
 *
 * An operation names inodes by slots, each of which holds what an earlier operation put there: alive, moved, or dead
 * since. So a run stays a run when some of its operations are taken out.
 */
#ifndef FARNOVA_TESTS_MODEL_RANDOM_OPS_H
#define FARNOVA_TESTS_MODEL_RANDOM_OPS_H

#include "server/nova/nova.h"
#include "tests/model/posix_model.h"

#include <stdio.h>

#define RANDOM_SLOTS 24u
#define RANDOM_PINS  4u

/* The number of a name that random_op_make never gives. */
#define RANDOM_BALLAST 10u

enum random_kind {
	RANDOM_LOOKUP,
	RANDOM_MAKE,
	RANDOM_SYMLINK,
	RANDOM_TMPFILE,
	RANDOM_LINK,
	RANDOM_UNLINK,
	RANDOM_RMDIR,
	RANDOM_RENAME,
	RANDOM_WRITE,
	RANDOM_APPEND,
	RANDOM_TRUNCATE,
	RANDOM_READ,
	RANDOM_SETATTR,
	RANDOM_OPEN,
	RANDOM_CLOSE,
	RANDOM_SETXATTR,
	RANDOM_GETXATTR,
	RANDOM_REMOVEXATTR,
	RANDOM_READLINK,
	RANDOM_READDIR,
	RANDOM_FALLOCATE,
	RANDOM_SEEK,
	RANDOM_COPY,
	RANDOM_KINDS
};

struct random_op {
	uint8_t kind;
	uint8_t slot, slot2; /* what it works on */
	uint8_t name, name2; /* numbers of names */
	uint8_t to;          /* slot or pin for the result */
	uint32_t flags;      /* mode, mask, flags, as the kind needs */
	uint64_t offset;
	uint32_t length;
	uint32_t fill; /* seed of the bytes */
};

/* One thread's part of a file system: a directory of its own, and the model of it. */
struct random_lane {
	struct nova_call call;
	struct posix_model *model;
	struct random_slot {
		struct nova_handle handle;
		posix_ino ino;
	} slots[RANDOM_SLOTS], pins[RANDOM_PINS]; /* ino.n 0: a pin is free */
	int64_t now;
	uint64_t done, no_space; /* operations */
	char wrong[256];         /* how core and model first disagreed */
};

/* random_op_make -- the next operation of the generator whose state is *seed. */
struct random_op random_op_make(uint64_t *seed);

/* random_next -- the next number of a generator (splitmix64). */
uint64_t random_next(uint64_t *seed);

/* random_lane_begin -- `root` is an empty directory in the core, made at `now`; all slots mean it. */
void random_lane_begin(struct random_lane *lane, const struct nova_call *call, const struct nova_attr *root,
                       int64_t now);
void random_lane_end(struct random_lane *lane);

/* random_lane_restart -- after a mount: nothing is pinned, and nameless inodes are reclaimed in the model. */
void random_lane_restart(struct random_lane *lane, const struct nova_call *call);

/* random_op_run -- do it in the core and in the model; false, with lane->wrong, if they disagree. */
bool random_op_run(struct random_lane *lane, const struct random_op *op);

/* random_op_print, random_op_parse -- one line of text. parse: false if the line is none. */
void random_op_print(FILE *out, const struct random_op *op);
bool random_op_parse(const char *line, struct random_op *op);

#endif
