/*
 * zone.h -- the free blocks of one zone.
 *
 * A bitmap, and for each group of 512 blocks (2 MiB) how many are free and a bound of its longest free run. The bounds
 * are exact where something was freed or sought in vain since, so a search looks into a group only where it finds, or
 * learns that it does not. Everything but zone_fits is under the zone's lock, which the functions take.
 */
#ifndef FARNOVA_NOVA_ZONE_H
#define FARNOVA_NOVA_ZONE_H

#include "server/nova/core.h"

#define NOVA_GROUP_BLOCKS    512u /* 2 MiB: what free space is counted by */
#define NOVA_GROUPS_PER_ZONE (NOVA_ZONE_BLOCKS / NOVA_GROUP_BLOCKS)
#define NOVA_ZONE_MAP_WORDS  (NOVA_ZONE_BLOCKS / 64)

struct zone {
	pthread_mutex_t lock;
	uint64_t first;   /* block of the pool */
	uint64_t blocks;  /* with its own headers */
	uint64_t *bitmap; /* 1 = used; NOVA_ZONE_MAP_WORDS words */
	uint64_t free;
	uint32_t cursor;     /* group where the last search ended */
	uint32_t whole;      /* groups that are wholly free; atomic, as is the next */
	uint32_t longest;    /* no run of free blocks within a group is longer */
	uint32_t slot_group; /* the group that is kept for slots, NOVA_GROUPS_PER_ZONE = none */
	uint16_t group_free[NOVA_GROUPS_PER_ZONE];
	uint16_t group_run[NOVA_GROUPS_PER_ZONE]; /* no run of free blocks in the group is longer */
};

static inline struct zone *zone_of(const struct nova *fs, uint64_t block)
{
	return &fs->zones[(block - NOVA_PREAMBLE_BLOCKS) / NOVA_ZONE_BLOCKS];
}

/* zone_claim -- at mount, by several threads: mark [start, start + count) of the zone used; false if a block was. */
bool zone_claim(struct zone *zone, uint64_t start, uint64_t count);

/* zone_count -- at mount, after the claims: count what is free. */
void zone_count(struct zone *zone);

/* zone_fits -- without the lock: might the zone have `want` blocks in a row? */
bool zone_fits(const struct zone *zone, uint64_t want);

/*
 * zone_take -- `want` blocks in a row, or as many as there are but `least`; 0 if there are fewer. 512 and more are
 * whole groups where there is one: aligned to 2 MiB, and perhaps fewer than `want`.
 */
uint64_t zone_take(struct nova *fs, struct zone *zone, uint64_t want, uint64_t least, uint64_t *first);

/* zone_take_at -- the same from the block `first` on. */
uint64_t zone_take_at(struct nova *fs, uint64_t first, uint64_t want, uint64_t least);

/* zone_take_singles -- up to `max` blocks as they come, from the group with most of them free. Returns how many. */
uint32_t zone_take_singles(struct nova *fs, struct zone *zone, uint64_t *blocks, uint32_t max);

/* zone_take_chunk -- an aligned chunk, 0 if there is none. */
uint64_t zone_take_chunk(struct nova *fs, struct zone *zone);

/* zone_give_up_slot_group -- let data have the group that is kept for slots. False if there is none. */
bool zone_give_up_slot_group(struct zone *zone);

void zone_free(struct nova *fs, uint64_t first, uint64_t count);

/* zone_free_singles -- the same for blocks that lie anywhere; a zone's lock is taken once for those in a row in it. */
void zone_free_singles(struct nova *fs, const uint64_t *blocks, uint32_t count);

#endif
