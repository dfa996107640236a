/*
 * random_ops.h -- the operations of a random run: made from a seed, written and read as lines of text so that a run can
 * be replayed and cut down, and done in a file system (random_core.c) or in the model (random_model.c).
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

/* Projects of a run have numbers from 1 to this, on top of what its lane adds. */
#define RANDOM_PROJECTS 3u

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
	RANDOM_GETATTR,
	RANDOM_ACCESS,
	RANDOM_ACCESSED,
	RANDOM_SETFLAGS,
	RANDOM_SETPROJECT,
	RANDOM_SETLIMITS,
	RANDOM_OPEN,
	RANDOM_CLOSE,
	RANDOM_SETXATTR,
	RANDOM_SETACL,
	RANDOM_GETXATTR,
	RANDOM_LISTXATTR,
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
	uint8_t who;         /* number of the user, 0 the superuser; and: */
#define RANDOM_USERS  4u
#define RANDOM_OPENED 4u /* contents were allowed at open */
	uint16_t umask;
	uint32_t flags; /* mode, mask, flags, as the kind needs */
	uint64_t offset;
	uint32_t length;
	uint32_t fill; /* seed of the bytes */
};

/* What the numbers of inodes mean, the same in the file system and in the model. */
struct random_slots {
	struct random_slot {
		struct nova_handle handle;
		posix_ino ino;
	} slots[RANDOM_SLOTS], pins[RANDOM_PINS]; /* ino.n 0: a pin is free */
	uint32_t projects;                        /* what is added to the numbers of projects */
};

/* What an operation answered. */
struct random_answer {
	int64_t rc;
	struct nova_handle handle; /* of what was made or found */
	uint64_t told;             /* of bytes, names, attributes: a number for all that was told */
};

/* How often operations were tried, and what came of it. */
struct random_tally {
	uint64_t tried[RANDOM_KINDS], done[RANDOM_KINDS];
	uint64_t no_space, over_limit, across_projects, not_permitted, no_access; /* ENOSPC EDQUOT EXDEV EPERM EACCES */
};

void random_tally_answer(struct random_tally *tally, const struct random_op *op, int64_t rc);
void random_tally_add(struct random_tally *to, const struct random_tally *from);
/* random_tally_all -- operations of all kinds. */
uint64_t random_tally_all(const struct random_tally *tally);

const char *random_kind_name(uint8_t kind);

/* random_op_make -- the next operation of the generator whose state is *seed. */
struct random_op random_op_make(uint64_t *seed);

/* random_next -- the next number of a generator (splitmix64). */
uint64_t random_next(uint64_t *seed);

/* random_op_print, random_op_parse -- one line of text. parse: false if the line is none. */
void random_op_print(FILE *out, const struct random_op *op);
bool random_op_parse(const char *line, struct random_op *op);

/* random_op_suit -- mostly slots and names (of the first `names`) are moved on to the next ones that have what the
 * operation is for, as the model knows, and limits chosen near to what is in use: else nearly everything would be
 * refused. Depends on nothing but the operation and what the model holds. */
#define RANDOM_NAMES RANDOM_BALLAST
void random_op_suit(const struct posix_model *model, const struct random_slots *slots, struct random_op *op,
                    unsigned names);

/* random_op_skipped -- there is nothing to do for it, as a pin that it wants is taken or has nothing. What the whole
 * run stands on, the directory that slot 0 is, is given no flags and no project, and what lies above it is not looked
 * up. */
bool random_op_skipped(const struct random_slots *slots, const struct random_op *op);

/* random_core_do -- in the file system, at the time that the thread's clock says. Only `call`'s worker and request
 * count. */
struct random_answer random_core_do(const struct nova_call *call, const struct random_slots *slots,
                                    const struct random_op *op);

/* random_model_do -- in the model. What was made gets the name that the file system has answered (`core`). `ino` is the
 * inode that the handle of the answer means. */
struct random_answer random_model_do(struct posix_model *model, const struct random_slots *slots,
                                     const struct random_op *op, int64_t now, const struct random_answer *core,
                                     posix_ino *ino);

bool random_answers_agree(const struct random_answer *a, const struct random_answer *b);

/* random_slots_keep -- what the operation has made, found or pinned. */
void random_slots_keep(struct random_slots *slots, const struct random_op *op, const struct random_answer *answer,
                       posix_ino ino);

/* ---- what an operation is about, for random_core.c and random_model.c -------------------------------------------- */

const char *random_name(unsigned number);
const char *random_lookup_name(const struct random_op *op);
const char *random_xattr_name(const struct random_op *op);
/* random_op_bytes -- `length` bytes for the caller to free. */
uint8_t *random_op_bytes(const struct random_op *op, uint32_t length);
uint8_t *random_target(const struct random_op *op);
/* random_acl -- a list, now and then none that is valid; returns the length of what it puts into `value`. */
#define RANDOM_ACL_MAX 128u
size_t random_acl(const struct random_op *op, uint8_t value[RANDOM_ACL_MAX]);
uint64_t random_copy_offset(const struct random_op *op);
/* random_change -- mask and values of the operations that set attributes; NOVA_SET_* and POSIX_SET_* are the same. */
unsigned random_change(const struct random_slots *slots, const struct random_op *op, struct posix_attr *attr);
/* random_user -- who an operation's caller is. */
const struct posix_caller *random_user(const struct random_op *op);
/* random_tell -- `told` with these bytes; random_tell_name -- with a name, in any order. */
uint64_t random_tell(uint64_t told, const void *bytes, size_t length);
uint64_t random_tell_name(uint64_t told, const char *name, size_t length);

#endif
