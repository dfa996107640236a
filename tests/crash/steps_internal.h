/*
 * steps_internal.h -- what the files with steps share.
 */
#ifndef FARNOVA_TESTS_CRASH_STEPS_INTERNAL_H
#define FARNOVA_TESTS_CRASH_STEPS_INTERNAL_H

#include "tests/crash/steps.h"

/* Where a name is or will be. */
struct place {
	struct world_object dir;
	const char *name;
	size_t length;
	char moved[256]; /* what a held object is called now */
};

/* step_has_model, step_asks_core -- whether a step is also made in the model, and in the core. */
bool step_has_model(const struct world *world);
bool step_asks_core(const struct world *world);

/* step_act_for -- calls are made on behalf of the user, or of the superuser. */
void step_act_for(struct world *world, bool user);

/* step_find_place -- where the name at `path` is or will be. step_hold_as -- `path` means this object from now on. */
void step_find_place(struct world *world, const char *path, struct place *place);
void step_hold_as(struct world *world, const char *path, struct world_object object);

/* step_tick -- a step begins; returns its time. */
int64_t step_tick(struct world *world);

/* step_answer -- keep what the core answered; or in WORLD_MODEL, tell what it answered then. */
int step_answer(struct world *world, int rc, struct nova_handle *made);

/* step_asks_model -- whether the model is to be asked, after the core has answered `rc`: what failed for want of space
 * must have left everything as it was. */
bool step_asks_model(const struct world *world, int rc);

/* step_agreed -- return `rc`; it is told if the model has answered something else. step_agreed_made -- the same for a
 * step that made an inode. */
int step_agreed(struct world *world, const char *step, int rc, int model_rc);
int step_agreed_made(struct world *world, const char *step, int rc, int model_rc, posix_ino ino,
                     struct nova_handle made);

#endif
