/*
 * trees.h -- directories in which one thread of a client works alone, and whose contents are therefore known: each
 * operation, chosen from all kinds as the random runs choose theirs (tests/model/random_ops.h), must answer what the
 * model of POSIX answers, and at the end the whole tree must be the model's.
 */
#ifndef FARNOVA_TESTS_SIM_TREES_H
#define FARNOVA_TESTS_SIM_TREES_H

#include "client/include/farnova.h"
#include "tests/model/random_ops.h"

struct tree {
	struct tree *next;
	char name[32]; /* in the root directory */
	struct posix_model *model;
	struct random_slots slots;
	struct farnova_handle handles[RANDOM_SLOTS]; /* what the slots mean */
	struct farnova_file *pins[RANDOM_PINS];
	struct random_op doing;
	bool changed;  /* `doing` has changed contents: they are read next, half of the time */
	bool in_doubt; /* whether `doing` was done is not known */
};

/* trees_step -- do an operation in *at, in a new directory if that is NULL, as it is set to after an operation whose
 * outcome is not known. */
void trees_step(struct farnova *fs, struct tree **at);
/* trees_look -- whether the trees are as the models have them, or the run fails; no other client may be there. */
void trees_look(struct farnova *fs);
/* trees_steps -- how many operations there were. */
unsigned trees_steps(void);

/* tree_calls.c */
/* tree_suit -- make of `op` something that can be asked of a client; false: it cannot. */
bool tree_suit(const struct tree *tree, struct random_op *op);
/* tree_do -- ask it. */
struct random_answer tree_do(struct farnova *fs, struct tree *tree, const struct random_op *op);
/* tree_become -- the calling thread's calls are those of the operation's user; NULL: of the process. */
void tree_become(struct farnova *fs, const struct random_op *op);

/* tree_walk.c */
/* tree_differs -- how the tree on the server differs from `model`; NULL: in nothing. Inodes of the model whose numbers
 * are not known get them. */
const char *tree_differs(struct farnova *fs, const struct tree *tree, struct posix_model *model);

#endif
