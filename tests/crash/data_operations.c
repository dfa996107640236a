/*
 * data_operations.c -- operations on the data of files: writes, truncations, reserved blocks, holes and copies.
 */
#include "tests/crash/operation_parts.h"
#include "tests/crash/steps.h"

/* ---- data --------------------------------------------------------------------------------------- */

int run_write_new(struct world *world)
{
	return world_write(world, "/d/empty", 0, 4096, 0);
}

int run_write_small(struct world *world)
{
	return world_write(world, "/d/empty", 0, 10, 0);
}

int run_overwrite(struct world *world)
{
	return world_write(world, "/d/f", 4096, 4096, 0);
}

int run_write_unaligned(struct world *world)
{
	return world_write(world, "/d/f", 5000, 100, 0);
}

int run_write_edges(struct world *world)
{
	return world_write(world, "/d/f", 100, 9000, 0);
}

int run_append(struct world *world)
{
	return world_write(world, "/d/f", 0, 300, NOVA_WRITE_APPEND);
}

int run_append_blocks(struct world *world)
{
	return world_write(world, "/d/g", 0, 10000, NOVA_WRITE_APPEND);
}

int run_write_sparse(struct world *world)
{
	return world_write(world, "/d/f", (1ULL << 30) + 17, 50, 0);
}

int run_write_64k(struct world *world)
{
	return world_write(world, "/d/f", 0, 65536, 0);
}

int run_truncate_aligned(struct world *world)
{
	return world_truncate(world, "/d/f", 4096);
}

int run_truncate_unaligned(struct world *world)
{
	return world_truncate(world, "/d/f", 4196);
}

int run_truncate_zero(struct world *world)
{
	return world_truncate(world, "/d/f", 0);
}

int run_truncate_up(struct world *world)
{
	return world_truncate(world, "/d/f", 20000);
}

/* ---- reserved blocks, holes, copies -------------------------------------------------------------- */

int run_fallocate(struct world *world)
{
	return world_fallocate(world, "/d/f", 0, 10000, 20000);
}

int run_fallocate_keep_size(struct world *world)
{
	return world_fallocate(world, "/d/f", NOVA_FALLOCATE_KEEP_SIZE, 0, 6 * 4096);
}

void reserve_f(struct world *world)
{
	world_must(world, "reserve", world_fallocate(world, "/d/f", NOVA_FALLOCATE_KEEP_SIZE, 0, 6 * 4096));
}

int run_write_reserved(struct world *world)
{
	return world_write(world, "/d/f", 17000, 6000, 0);
}

int run_write_half_reserved(struct world *world)
{
	return world_write(world, "/d/f", 9000, 9000, 0);
}

int run_truncate_reserved(struct world *world)
{
	return world_truncate(world, "/d/f", 3 * 4096 + 100);
}

int run_truncate_up_reserved(struct world *world)
{
	return world_truncate(world, "/d/f", 20000);
}

int run_punch_blocks(struct world *world)
{
	return world_fallocate(world, "/d/f", NOVA_FALLOCATE_PUNCH_HOLE | NOVA_FALLOCATE_KEEP_SIZE, 4096, 8192);
}

int run_punch_edges(struct world *world)
{
	return world_fallocate(world, "/d/f", NOVA_FALLOCATE_PUNCH_HOLE | NOVA_FALLOCATE_KEEP_SIZE, 100, 9000);
}

int run_punch_within_block(struct world *world)
{
	return world_fallocate(world, "/d/f", NOVA_FALLOCATE_PUNCH_HOLE | NOVA_FALLOCATE_KEEP_SIZE, 5000, 10);
}

int run_zero_range(struct world *world)
{
	return world_fallocate(world, "/d/f", NOVA_FALLOCATE_ZERO_RANGE, 100, 20000);
}

int run_zero_range_keep_size(struct world *world)
{
	return world_fallocate(world, "/d/f", NOVA_FALLOCATE_ZERO_RANGE | NOVA_FALLOCATE_KEEP_SIZE, 4000, 20000);
}

int run_collapse(struct world *world)
{
	return world_fallocate(world, "/d/f", NOVA_FALLOCATE_COLLAPSE_RANGE, 4096, 4096);
}

int run_insert(struct world *world)
{
	return world_fallocate(world, "/d/f", NOVA_FALLOCATE_INSERT_RANGE, 4096, 8192);
}

int run_copy_new(struct world *world)
{
	return world_copy(world, "/d/f", 0, "/d/empty", 0, 3 * 4096 + 100);
}

int run_copy_new_prepared(struct world *world)
{
	return world_copy_prepared(world, "/d/f", 0, "/d/empty", 0, 3 * 4096 + 100);
}

int run_copy_edges_prepared(struct world *world)
{
	return world_copy_prepared(world, "/d/f", 100, "/d/g", 700, 10000);
}

int run_copy_holes_prepared(struct world *world)
{
	return world_copy_prepared(world, "/d/f", 0, "/e/y", 0, 3 * 4096 + 100);
}

int run_copy_edges(struct world *world)
{
	return world_copy(world, "/d/f", 100, "/d/g", 700, 5000);
}

void punch_f(struct world *world)
{
	world_must(world, "punch",
	           world_fallocate(world, "/d/f", NOVA_FALLOCATE_PUNCH_HOLE | NOVA_FALLOCATE_KEEP_SIZE, 4096, 4096));
}

int run_copy_holes(struct world *world)
{
	return world_copy(world, "/d/f", 0, "/e/y", 0, 3 * 4096 + 100);
}
