/*
 * zone.h -- the free blocks of one zone.
 *
 * A zone has a bitmap and, for each group of 512 blocks (2 MiB), the number of free blocks and a bound of its longest
 * free run. A free raises the bound if needed; a failed search in the group makes it exact. So a search reads the
 * bitmap of a group only if it succeeds there, or if it makes the bound exact. All functions but zone_fits take the
 * zone's lock.
 */
#ifndef FARNOVA_NOVA_ZONE_H
#define FARNOVA_NOVA_ZONE_H

#include "server/nova/core.h"

#define NOVA_GROUP_BLOCKS    512u /* 2 MiB: the unit in which free space is counted */
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

/* zone_fits -- without the lock: whether the zone may have a free run of `want` blocks. */
bool zone_fits(const struct zone *zone, uint64_t want);

/*
 * zone_take -- take a run of `want` blocks, or the longest one of at least `least`; 0 if there is none. For 512 blocks
 * and more it takes whole groups if there is one: aligned to 2 MiB, and perhaps fewer than `want` blocks.
 */
uint64_t zone_take(struct nova *fs, struct zone *zone, uint64_t want, uint64_t least, uint64_t *first);

/* zone_take_at -- the same from the block `first` on. */
uint64_t zone_take_at(struct nova *fs, uint64_t first, uint64_t want, uint64_t least);

/* zone_take_singles -- take up to `max` scattered blocks, from the group with most free blocks. Returns how many. */
uint32_t zone_take_singles(struct nova *fs, struct zone *zone, uint64_t *blocks, uint32_t max);

/* zone_take_chunk -- an aligned chunk, 0 if there is none. */
uint64_t zone_take_chunk(struct nova *fs, struct zone *zone);

/* zone_give_up_slot_group -- release the group that is kept for slots to data. False if there is none. */
bool zone_give_up_slot_group(struct zone *zone);

void zone_free(struct nova *fs, uint64_t first, uint64_t count);

/* zone_free_singles -- the same for scattered blocks; takes a zone's lock once for consecutive blocks of that zone. */
void zone_free_singles(struct nova *fs, const uint64_t *blocks, uint32_t count);

#endif
