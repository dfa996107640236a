/*
 * random_lane.c -- does random operations in the core and in the model.
 */
#include "tests/model/random_lane.h"

#include "tests/crash/fixed.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

void random_lane_begin(struct random_lane *lane, const struct nova_call *call, const struct nova_attr *root,
                       uint32_t projects, int64_t now)
{
	*lane = (struct random_lane){.call = *call, .model = posix_new(root->mode & 07777, now), .now = now};
	lane->slots.projects = projects;
	posix_name_inode(lane->model, posix_root(lane->model), root->handle.ino.n, root->handle.generation);
	for (unsigned i = 0; i < RANDOM_SLOTS; i++)
		lane->slots.slots[i] = (struct random_slot){root->handle, posix_root(lane->model)};
}

void random_lane_end(struct random_lane *lane)
{
	posix_free(lane->model);
	lane->model = NULL;
}

void random_lane_restart(struct random_lane *lane, const struct nova_call *call)
{
	lane->call = *call;
	memset(lane->slots.pins, 0, sizeof(lane->slots.pins));
	posix_restart(lane->model);
	posix_reclaim(lane->model);
}

static bool agree(struct random_lane *lane, const struct random_op *op, const struct random_answer *core,
                  const struct random_answer *model)
{
	const char *kind = random_kind_name(op->kind);

	if (random_answers_agree(core, model))
		return true;
	if (core->rc != model->rc)
		snprintf(lane->wrong, sizeof(lane->wrong),
		         "%s: the core answers %" PRId64 " (%s), the model %" PRId64 " (%s)", kind, core->rc,
		         core->rc < 0 ? strerror((int)-core->rc) : "success", model->rc,
		         model->rc < 0 ? strerror((int)-model->rc) : "success");
	else if (core->told != model->told)
		snprintf(lane->wrong, sizeof(lane->wrong), "%s: other bytes, names or attributes than in the model",
		         kind);
	else
		snprintf(lane->wrong, sizeof(lane->wrong), "%s: another inode than in the model", kind);
	return false;
}

bool random_lane_do(struct random_lane *lane, const struct random_op *op)
{
	struct random_op chosen = *op;
	struct random_answer core, model;
	posix_ino ino = {0};

	lane->now += RANDOM_STEP_NS;
	fixed_time_set(lane->now);
	if (op->name != RANDOM_BALLAST)
		random_op_suit(lane->model, &lane->slots, &chosen, RANDOM_NAMES);
	if (random_op_skipped(&lane->slots, &chosen))
		return true;
	core = random_core_do(&lane->call, &lane->slots, &chosen);
	random_tally_answer(&lane->tally, op, core.rc);
	/* What failed for want of space must have changed nothing: the model is not told of it, and the next comparison
	 * of the whole shows whether that is true. */
	if (core.rc == -ENOSPC)
		return true;
	model = random_model_do(lane->model, &lane->slots, &chosen, lane->now, &core, &ino);
	if (!agree(lane, op, &core, &model))
		return false;
	random_slots_keep(&lane->slots, &chosen, &core, ino);
	return true;
}

/* ---- little space ------------------------------------------------------------------------------------------------ */

#define BALLAST (RANDOM_SLOTS - 1)

static bool make_ballast(struct random_lane *lane)
{
	const struct random_op op = {
	    .kind = RANDOM_MAKE, .name = RANDOM_BALLAST, .to = BALLAST, .flags = S_IFREG | 0600};

	return random_lane_do(lane, &op);
}

bool random_lane_ballast(struct random_lane *lane, uint32_t mib)
{
	const struct random_op op = {.kind = RANDOM_APPEND, .slot = BALLAST, .length = 1u << 20, .fill = 7};
	bool ok = mib == 0 || make_ballast(lane);

	for (uint32_t i = 0; i < mib && ok; i++)
		ok = random_lane_do(lane, &op);
	return ok;
}

static uint64_t ballast_size(const struct random_lane *lane)
{
	struct posix_attr attr;

	return posix_getattr(lane->model, lane->slots.slots[BALLAST].ino, &attr) ? 0 : attr.size;
}

static bool reserve(struct random_lane *lane, uint32_t length)
{
	const struct random_op op = {
	    .kind = RANDOM_FALLOCATE, .slot = BALLAST, .offset = ballast_size(lane), .length = length};

	return random_lane_do(lane, &op);
}

bool random_lane_fill_up(struct random_lane *lane, uint64_t left)
{
	struct random_op op = {.kind = RANDOM_TRUNCATE, .slot = BALLAST};
	bool ok = lane->slots.slots[BALLAST].ino.n || make_ballast(lane);

	for (uint32_t length = 1u << 20; length >= 4096 && ok; length /= 4)
		for (uint64_t refused = lane->tally.no_space; ok && lane->tally.no_space == refused;)
			ok = reserve(lane, length);
	if (!ok || ballast_size(lane) < left)
		return false;
	op.offset = ballast_size(lane) - left;
	return random_lane_do(lane, &op);
}
