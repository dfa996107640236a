/*
 * random_lane.h -- a part of a file system and the model of it, in which random operations are done one after another,
 * each in both, which must answer alike.
 */
#ifndef FARNOVA_TESTS_MODEL_RANDOM_LANE_H
#define FARNOVA_TESTS_MODEL_RANDOM_LANE_H

#include "tests/model/random_ops.h"

#define RANDOM_STEP_NS 1000003 /* between two operations */

struct random_lane {
	struct nova_call call;
	struct posix_model *model;
	struct random_slots slots;
	int64_t now;
	struct random_tally tally;
	char wrong[256]; /* how core and model first disagreed */
};

/* random_lane_begin -- `root` is an empty directory in the core, made at `now`; all slots mean it. `projects` is added
 * to the numbers of projects: no two lanes may share one. */
void random_lane_begin(struct random_lane *lane, const struct nova_call *call, const struct nova_attr *root,
                       uint32_t projects, int64_t now);
void random_lane_end(struct random_lane *lane);

/* random_lane_restart -- after a mount: nothing is pinned, and nameless inodes are reclaimed in the model. */
void random_lane_restart(struct random_lane *lane, const struct nova_call *call);

/* random_lane_do -- do it in the core and in the model; false, with lane->wrong, if they disagree. */
bool random_lane_do(struct random_lane *lane, const struct random_op *op);

/* random_lane_ballast -- a file of so many MiB in the last slot, which leaves little space, until an operation removes
 * or cuts it. random_lane_fill_up -- it takes what is left but for so many bytes, in blocks that are reserved only:
 * they cost a copy of the model nothing. */
bool random_lane_ballast(struct random_lane *lane, uint32_t mib);
bool random_lane_fill_up(struct random_lane *lane, uint64_t left);

#endif
