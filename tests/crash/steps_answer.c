/*
 * steps_answer.c -- the time and the request of a step, and whether core and model answer the same.
 */
#include "tests/crash/steps_internal.h"

#include "tests/crash/fixed.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define STEP_NS 1000003 /* between two steps */

bool step_asks_core(const struct world *world)
{
	return world->side != WORLD_MODEL;
}

/* Each step is a request. The first step of an operation that changes something is its request. */
static void begin_request(struct world *world)
{
	struct world_request *request = &world->request;

	world_must(
	    world, "begin a request",
	    nova_intent_begin(world->call.worker, world->client, request->slot, ++world->sequence, 1, &world->intent));
	world->call.intent = &world->intent;
	if (request->stored)
		return;
	request->sequence = world->sequence;
	request->number = nova_client_number(world->client);
}

static void end_request(struct world *world)
{
	struct world_request *request = &world->request;

	world->call.intent = NULL;
	if (!world->intent.stored || request->stored)
		return;
	request->stored = true;
	if (nova_client_outcome(world->fs, world->client, request->slot, request->sequence, &request->outcome) != 1)
		world_must(world, "the outcome of a request", -EPROTO);
}

/* The time of the step that begins. */
int64_t step_tick(struct world *world)
{
	world->now += STEP_NS;
	fixed_time_set(world->now);
	if (world->client && step_asks_core(world))
		begin_request(world);
	return world->now;
}

/* Keep what the core answered; or in WORLD_MODEL, tell what it answered then. */
int step_answer(struct world *world, int rc, struct nova_handle *made)
{
	struct world_answers *answers = &world->answers;

	if (world->call.intent && step_asks_core(world))
		end_request(world);
	if (rc == 0 && world->side != WORLD_MODEL && world->generations && made->generation)
		world->generations[made->ino.n] = made->generation;
	if (world->side == WORLD_BOTH)
		return rc;
	if (world->side == WORLD_CORE) {
		if (answers->count == WORLD_STEPS_MAX) {
			world_must(world, "an operation of too many steps", -E2BIG);
			return rc;
		}
		answers->step[answers->count].rc = rc;
		answers->step[answers->count++].made = *made;
		return rc;
	}
	*made = answers->step[answers->next].made;
	return answers->step[answers->next++].rc;
}

/* Whether the model is to be asked: what failed for want of space must have left everything as it was. */
bool step_asks_model(const struct world *world, int rc)
{
	return step_has_model(world) && world->side != WORLD_CORE && rc != -ENOSPC;
}

int step_agreed(struct world *world, const char *step, int rc, int model_rc)
{
	if (rc == model_rc)
		return rc;
	world->disagreed = true;
	if (world->side == WORLD_BOTH && !world->failed) {
		printf("%s: the core answers %s, the model %s\n", step, rc ? strerror(-rc) : "success",
		       model_rc ? strerror(-model_rc) : "success");
		world_must(world, step, rc ? rc : -EPROTO);
	}
	return rc;
}

int step_agreed_made(struct world *world, const char *step, int rc, int model_rc, posix_ino ino,
                     struct nova_handle made)
{
	if (rc == 0 && model_rc == 0)
		posix_name_inode(world->model, ino, made.ino.n, made.generation);
	return step_agreed(world, step, rc, model_rc);
}
