/*
 * zone_operations.c -- operations that touch two zones at once.
 */
#include "tests/crash/zone_operations.h"

#include "server/nova/space/zone.h"
#include "tests/crash/steps.h"

#include <errno.h>

#define BLOCK NOVA_BLOCK_SIZE

/* More than a group of blocks, so that it cannot lie in one. */
#define MANY      (NOVA_GROUP_BLOCKS + 8u)
#define FAR_GROUP 200u /* that nothing of the tree lies in */

static bool in_first_zone(const struct world *world, nova_block block)
{
	return block.n < world->fs->zones[1].first;
}

static void must_lie_in_both(struct world *world)
{
	struct nova_handle file = world_find(world, "/d/empty").handle;
	struct nova_extent extents[4];
	int n = nova_map(&world->call, file, 0, (uint64_t)4 * BLOCK, extents, 4, NULL);
	bool first = false, second = false;

	for (int i = 0; i < n; i++) {
		first |= in_first_zone(world, extents[i].block);
		second |= !in_first_zone(world, extents[i].block);
	}
	if (!first || !second)
		world_must(world, "the file does not lie in two zones", -EXDEV);
}

static void reserve_second(struct world *world)
{
	world_must(world, "reserve", world_fallocate(world, "/d/empty", 0, 2 * BLOCK, 2 * BLOCK));
}

void zones_free_group(struct world *world)
{
	struct zone *zone = &world->fs->zones[0];

	if (zone->group_free[FAR_GROUP])
		return; /* there are many */
	zone_free(world->fs, zone->first + (uint64_t)FAR_GROUP * NOVA_GROUP_BLOCKS, NOVA_GROUP_BLOCKS);
	world->fs->quarantined_blocks -= NOVA_GROUP_BLOCKS;
}

void zones_reserve(struct world *world)
{
	zones_free_group(world);
	world_must(world, "reserve", world_fallocate(world, "/d/empty", 0, 0, 2 * BLOCK));
	world_by_another(world, reserve_second);
}

void zones_fill(struct world *world)
{
	zones_reserve(world);
	world_must(world, "fill", zones_overwrite(world));
	must_lie_in_both(world);
}

int zones_write(struct world *world)
{
	return world_write(world, "/d/g", 0, (size_t)MANY * BLOCK, 0);
}

int zones_fallocate(struct world *world)
{
	return world_fallocate(world, "/d/g", NOVA_FALLOCATE_KEEP_SIZE, 0, (uint64_t)MANY * BLOCK);
}

int zones_overwrite(struct world *world)
{
	return world_write(world, "/d/empty", 0, (size_t)4 * BLOCK, 0);
}

int zones_truncate(struct world *world)
{
	return world_truncate(world, "/d/empty", 0);
}

int zones_punch(struct world *world)
{
	return world_fallocate(world, "/d/empty", NOVA_FALLOCATE_PUNCH_HOLE | NOVA_FALLOCATE_KEEP_SIZE, 0,
	                       (uint64_t)4 * BLOCK);
}

int zones_unlink(struct world *world)
{
	return world_unlink(world, "/d/empty");
}

int zones_copy(struct world *world)
{
	return world_copy(world, "/d/empty", 0, "/d/g", 0, (size_t)4 * BLOCK);
}

int zones_collapse(struct world *world)
{
	return world_fallocate(world, "/d/empty", NOVA_FALLOCATE_COLLAPSE_RANGE, BLOCK, BLOCK);
}
