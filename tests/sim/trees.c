/*
 * trees.c -- directories in which one thread works alone, beside a model of them.
 */
#include "tests/sim/trees.h"

#include "tests/sim/kernel.h"
#include "tests/sim/programs.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* What a client that was killed has asked for has arrived by then, or never will (faults.h, network.h). */
#define ARRIVED_NS (15 * SIM_NS_PER_S)

/* One operation of so many is an open: what is open has layouts, and lives on without a name. */
#define OPENS 6u

static struct tree *trees;
static unsigned tree_count, steps;

unsigned trees_steps(void)
{
	return steps;
}

/* NULL: there is no room for it, or it is not known whether it was made. */
static struct tree *make_tree(struct farnova *fs)
{
	const struct random_op op = {0};
	struct farnova_handle root = {0};
	struct tree *tree;
	char name[32];
	struct stat st;

	snprintf(name, sizeof(name), "tree%u", tree_count++);
	tree_become(fs, &op);
	if (farnova_mknod_at(fs, farnova_root(fs), name, S_IFDIR | 0777, 0, &root, &st) != 0) {
		if (workload_options.room_kib == 0 || (errno != ENOSPC && errno != ECONNRESET))
			sim_failed("no directory for a tree: %s", farnova_last_error());
		return NULL;
	}
	tree = calloc(1, sizeof(*tree));
	if (!tree)
		sim_failed("out of memory");
	memcpy(tree->name, name, sizeof(name));
	tree->model = posix_new(0777, 0);
	tree->slots.projects = tree_count * RANDOM_PROJECTS;
	posix_name_inode(tree->model, posix_root(tree->model), root.ino, root.generation);
	for (unsigned i = 0; i < RANDOM_SLOTS; i++) {
		tree->handles[i] = root;
		tree->slots.slots[i].ino = posix_root(tree->model);
	}
	tree->next = trees;
	trees = tree;
	return tree;
}

static void disagree(const struct tree *tree, const struct random_answer *told, const struct random_answer *model)
{
	random_op_print(stderr, &tree->doing);
	if (told->rc != model->rc)
		sim_failed("%s in %s: a client is told %" PRId64 " (%s), the model has %" PRId64 " (%s)",
		           random_kind_name(tree->doing.kind), tree->name, told->rc,
		           told->rc < 0 ? strerror((int)-told->rc) : "success", model->rc,
		           model->rc < 0 ? strerror((int)-model->rc) : "success");
	sim_failed("%s in %s: a client is told of other %s than the model has", random_kind_name(tree->doing.kind),
	           tree->name, told->told != model->told ? "bytes or names" : "inodes");
}

static bool changes_contents(uint8_t kind)
{
	return kind == RANDOM_WRITE || kind == RANDOM_APPEND || kind == RANDOM_TRUNCATE || kind == RANDOM_FALLOCATE ||
	       kind == RANDOM_COPY;
}

static struct random_op choose(struct tree *tree, uint64_t *seed)
{
	struct random_op op = random_op_make(seed);

	if (tree->changed && random_next(seed) % 2) {
		op.kind = RANDOM_READ;
		op.slot = tree->doing.kind == RANDOM_COPY ? tree->doing.slot2 : tree->doing.slot;
		op.offset = tree->doing.offset;
		op.who = 0;
	} else if (random_next(seed) % OPENS == 0) {
		op.kind = RANDOM_OPEN;
	}
	return op;
}

void trees_step(struct farnova *fs, struct tree **at)
{
	struct tree *tree = *at ? *at : make_tree(fs);
	struct random_answer told, model;
	posix_ino ino = {0};
	uint64_t seed = sim_random(SIM_WORKLOAD);

	*at = tree;
	if (!tree)
		return;
	tree->doing = choose(tree, &seed);
	if (!tree_suit(tree, &tree->doing))
		return;
	steps++;
	tree_become(fs, &tree->doing);
	tree->in_doubt = true;
	told = tree_do(fs, tree, &tree->doing);
	sim_note(random_kind_name(tree->doing.kind), (uint64_t)told.rc, told.told);
	if (told.rc == -ECONNRESET && workload_options.room_kib > 0) {
		*at = NULL; /* of a client without a record */
		return;
	}
	tree->in_doubt = false;
	/* It has changed nothing, which the last look will show. */
	if (told.rc == -ENOSPC && workload_options.room_kib > 0) {
		workload_no_space++;
		return;
	}
	model = random_model_do(tree->model, &tree->slots, &tree->doing, sim_now(), &told, &ino);
	if (tree->doing.kind == RANDOM_GETATTR)
		model.told = told.told; /* the times are the server's; the rest is compared at the end */
	if (!random_answers_agree(&told, &model))
		disagree(tree, &told, &model);
	random_slots_keep(&tree->slots, &tree->doing, &told, ino);
	tree->changed = told.rc >= 0 && changes_contents(tree->doing.kind);
}

static void look(struct farnova *fs, const struct tree *tree)
{
	const char *differs = tree_differs(fs, tree, tree->model);

	if (differs && tree->in_doubt) {
		const struct random_answer unknown = {0};
		struct posix_model *after = posix_copy(tree->model);
		posix_ino ino = {0};

		random_model_do(after, &tree->slots, &tree->doing, sim_now(), &unknown, &ino);
		differs = tree_differs(fs, tree, after);
		posix_free(after);
	}
	if (!differs)
		return;
	if (tree->in_doubt)
		random_op_print(stderr, &tree->doing);
	sim_failed("%s is not as the model has it: %s", tree->name, differs);
}

void trees_look(struct farnova *fs)
{
	const struct random_op op = {0};

	for (const struct tree *tree = trees; tree; tree = tree->next)
		if (tree->in_doubt) {
			sim_sleep_until(sim_now() + ARRIVED_NS);
			break;
		}
	tree_become(fs, &op);
	for (const struct tree *tree = trees; tree; tree = tree->next)
		look(fs, tree);
}
