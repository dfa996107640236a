/*
 * held_blocks.c -- takes free blocks away and gives them back.
 */
#include "tests/crash/held_blocks.h"

void held_take_all(struct held_blocks *held, struct nova_worker *worker, enum alloc_use use)
{
	while (alloc_run(worker, 1, use, &held->blocks[held->count]) == 1)
		held->count++;
}

void held_give_one(struct held_blocks *held, struct nova_worker *worker)
{
	alloc_free(worker, held->blocks[--held->count], 1);
}
