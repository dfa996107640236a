/*
 * zone.c -- takes free blocks from a zone's bitmap, and returns them.
 */
#include "server/nova/space/zone.h"

#include "common/assert.h"

#include <string.h>

#define GROUP_WORDS (NOVA_GROUP_BLOCKS / 64)

/* A zone of so many groups or more keeps one of them for slots. */
#define SLOT_GROUP_MIN_GROUPS 64u

/* The bits of word `w` of a run that starts at bit `start` and ends before bit `end`. */
static uint64_t word_mask(uint64_t w, uint64_t start, uint64_t end)
{
	uint64_t mask = ~0ULL;

	if (start > w * 64)
		mask &= ~0ULL << (start - w * 64);
	if (end < w * 64 + 64)
		mask &= ~(~0ULL << (end - w * 64));
	return mask;
}

bool zone_claim(struct zone *zone, uint64_t start, uint64_t count)
{
	uint64_t end = start + count;

	for (uint64_t w = start / 64; w * 64 < end; w++) {
		uint64_t mask = word_mask(w, start, end);

		if (__atomic_fetch_or(&zone->bitmap[w], mask, __ATOMIC_RELAXED) & mask)
			return false;
	}
	return true;
}

/*
 * Slots need aligned chunks of 64 KiB. A pool that has been nearly full for long may have no such chunk free, though it
 * has free space; then no file could be created. So a zone keeps a group for slots; data gets it only when no other
 * blocks are free.
 */
static void keep_slot_group(struct zone *zone, uint32_t group)
{
	if (zone->slot_group == NOVA_GROUPS_PER_ZONE && zone->blocks >= SLOT_GROUP_MIN_GROUPS * NOVA_GROUP_BLOCKS)
		zone->slot_group = group;
}

bool zone_give_up_slot_group(struct zone *zone)
{
	bool had;

	pthread_mutex_lock(&zone->lock);
	had = zone->slot_group != NOVA_GROUPS_PER_ZONE;
	zone->slot_group = NOVA_GROUPS_PER_ZONE;
	__atomic_store_n(&zone->longest, NOVA_GROUP_BLOCKS, __ATOMIC_RELAXED);
	pthread_mutex_unlock(&zone->lock);
	return had;
}

void zone_count(struct zone *zone)
{
	zone->free = 0;
	zone->whole = 0;
	zone->slot_group = NOVA_GROUPS_PER_ZONE;
	for (uint32_t g = NOVA_GROUPS_PER_ZONE; g-- > 0;) {
		uint32_t bits = 0;

		for (uint32_t w = 0; w < GROUP_WORDS; w++)
			bits += (uint32_t)__builtin_popcountll(~zone->bitmap[g * GROUP_WORDS + w]);
		zone->group_free[g] = (uint16_t)bits;
		zone->group_run[g] = (uint16_t)bits;
		zone->free += bits;
		zone->whole += bits == NOVA_GROUP_BLOCKS;
		if (bits == NOVA_GROUP_BLOCKS)
			keep_slot_group(zone, g);
	}
	zone->longest = NOVA_GROUP_BLOCKS;
}

bool zone_fits(const struct zone *zone, uint64_t want)
{
	if (want >= NOVA_GROUP_BLOCKS && __atomic_load_n(&zone->whole, __ATOMIC_RELAXED))
		return true;
	return __atomic_load_n(&zone->longest, __ATOMIC_RELAXED) >= want;
}

/* ---- mark ----------------------------------------------------------------------------------------------------- */

static void set_longest(struct zone *zone, uint32_t longest)
{
	if (zone->longest != longest)
		__atomic_store_n(&zone->longest, longest, __ATOMIC_RELAXED);
}

/* The length of the free run in the group around bit `at`, which is free. */
static uint32_t run_around(const struct zone *zone, uint64_t at)
{
	uint64_t begin = at & ~(uint64_t)(NOVA_GROUP_BLOCKS - 1);
	uint64_t end = begin + NOVA_GROUP_BLOCKS;
	uint64_t low = at;
	uint64_t high = at;

	while (low > begin) {
		uint64_t used = zone->bitmap[(low - 1) / 64] << (63 - (low - 1) % 64);
		uint64_t n = used ? (uint64_t)__builtin_clzll(used) : (low - 1) % 64 + 1;

		low -= n;
		if (used || low < begin)
			break;
	}
	while (high < end) {
		uint64_t used = zone->bitmap[high / 64] >> high % 64;

		high += used ? (uint64_t)__builtin_ctzll(used) : 64 - high % 64;
		if (used)
			break;
	}
	return (uint32_t)(high - low);
}

static void freed_in_group(struct zone *zone, uint32_t group, uint64_t at)
{
	uint32_t run = run_around(zone, at);

	if (run > zone->group_run[group])
		zone->group_run[group] = (uint16_t)run;
	if (zone->group_run[group] > zone->longest)
		set_longest(zone, zone->group_run[group]);
	if (zone->group_free[group] == NOVA_GROUP_BLOCKS) {
		__atomic_store_n(&zone->whole, zone->whole + 1, __ATOMIC_RELAXED);
		keep_slot_group(zone, group);
	}
}

static void taken_from_group(struct zone *zone, uint32_t group, bool was_whole)
{
	if (zone->group_run[group] > zone->group_free[group])
		zone->group_run[group] = zone->group_free[group];
	if (was_whole)
		__atomic_store_n(&zone->whole, zone->whole - 1, __ATOMIC_RELAXED);
}

/* Mark the part of a run that lies in one group. */
static void mark_in_group(struct zone *zone, uint32_t group, uint64_t start, uint64_t end, bool used)
{
	uint16_t count = (uint16_t)(end - start);
	bool was_whole = zone->group_free[group] == NOVA_GROUP_BLOCKS;

	for (uint64_t w = start / 64; w * 64 < end; w++) {
		if (used)
			zone->bitmap[w] |= word_mask(w, start, end);
		else
			zone->bitmap[w] &= ~word_mask(w, start, end);
	}
	zone->group_free[group] = (uint16_t)(used ? zone->group_free[group] - count : zone->group_free[group] + count);
	if (used)
		taken_from_group(zone, group, was_whole);
	else
		freed_in_group(zone, group, start);
}

static void mark_bits(struct zone *zone, uint64_t start, uint64_t count, bool used)
{
	uint64_t end = start + count;

	fn_assert(start < end && end <= zone->blocks);
	for (uint64_t at = start; at < end;) {
		uint64_t group_end = (at | (NOVA_GROUP_BLOCKS - 1)) + 1;
		uint64_t to = end < group_end ? end : group_end;

		mark_in_group(zone, (uint32_t)(at / NOVA_GROUP_BLOCKS), at, to, used);
		at = to;
	}
}

static void mark(struct nova *fs, struct zone *zone, uint64_t start, uint64_t count, bool used)
{
	mark_bits(zone, start, count, used);
	if (used) {
		zone->free -= count;
		__atomic_fetch_sub(&fs->free_blocks, count, __ATOMIC_RELAXED);
	} else {
		zone->free += count;
		__atomic_fetch_add(&fs->free_blocks, count, __ATOMIC_RELAXED);
	}
}

void zone_free(struct nova *fs, uint64_t first, uint64_t count)
{
	struct zone *zone = zone_of(fs, first);

	pthread_mutex_lock(&zone->lock);
	mark(fs, zone, first - zone->first, count, false);
	pthread_mutex_unlock(&zone->lock);
}

void zone_free_singles(struct nova *fs, const uint64_t *blocks, uint32_t count)
{
	for (uint32_t i = 0, from = 0; i < count; from = i) {
		struct zone *zone = zone_of(fs, blocks[i]);

		pthread_mutex_lock(&zone->lock);
		for (; i < count && zone_of(fs, blocks[i]) == zone; i++)
			mark_bits(zone, blocks[i] - zone->first, 1, false);
		zone->free += i - from;
		pthread_mutex_unlock(&zone->lock);
	}
	__atomic_fetch_add(&fs->free_blocks, count, __ATOMIC_RELAXED);
}

/* ---- find ----------------------------------------------------------------------------------------------------- */

/* The longest run of free groups, up to `want` groups; the search begins at the cursor. */
static uint32_t find_groups(const struct zone *zone, uint32_t want, uint32_t *best_first)
{
	uint32_t best = 0;

	for (uint32_t i = 0; i < NOVA_GROUPS_PER_ZONE && best < want;) {
		uint32_t first = (zone->cursor + i) % NOVA_GROUPS_PER_ZONE;
		uint32_t n = 0;

		while (n < want && first + n < NOVA_GROUPS_PER_ZONE && first + n != zone->slot_group &&
		       zone->group_free[first + n] == NOVA_GROUP_BLOCKS)
			n++;
		if (n > best) {
			best = n;
			*best_first = first;
		}
		i += n + 1;
	}
	return best;
}

/* How many blocks from `at` on are free, at most `want`. */
static uint64_t free_from(const struct zone *zone, uint64_t at, uint64_t want)
{
	uint64_t n = 0;

	while (n < want && at < NOVA_ZONE_BLOCKS) {
		uint64_t used = zone->bitmap[at / 64] >> at % 64;
		uint64_t step = used ? (uint64_t)__builtin_ctzll(used) : 64 - at % 64;

		n += step;
		at += step;
		if (used)
			break;
	}
	return n < want ? n : want;
}

/* The first run of `want` free blocks in a group, or the group's longest run. */
static uint32_t find_in_group(const struct zone *zone, uint32_t group, uint32_t want, uint64_t *start)
{
	uint64_t at = (uint64_t)group * NOVA_GROUP_BLOCKS;
	uint64_t end = at + NOVA_GROUP_BLOCKS;
	uint32_t best = 0;

	while (at < end && best < want) {
		uint64_t free_bits = ~zone->bitmap[at / 64] >> at % 64;
		uint32_t n;

		if (free_bits == 0) {
			at = (at | 63) + 1;
			continue;
		}
		at += (uint64_t)__builtin_ctzll(free_bits);
		n = (uint32_t)free_from(zone, at, end - at < want ? end - at : want);
		if (n > best) {
			best = n;
			*start = at;
		}
		at += n;
	}
	return best;
}

/* Search a group. A failed search makes the bound of its longest run exact, which may save the next search. */
static uint32_t search_group(struct zone *zone, uint32_t group, uint32_t want, uint64_t *start)
{
	uint32_t got = find_in_group(zone, group, want, start);

	if (got < want)
		zone->group_run[group] = (uint16_t)got;
	return got;
}

/* The first run of `want` blocks (at most a group) after the cursor; 0 if there is none. */
static uint32_t find_fit(struct zone *zone, uint32_t want, uint64_t *start)
{
	if (zone->longest < want)
		return 0;
	for (uint32_t i = 0; i < NOVA_GROUPS_PER_ZONE; i++) {
		uint32_t group = (zone->cursor + i) % NOVA_GROUPS_PER_ZONE;

		if (zone->group_run[group] >= want && group != zone->slot_group &&
		    search_group(zone, group, want, start) >= want)
			return want;
	}
	set_longest(zone, want - 1);
	return 0;
}

/* The longest run, for when no run is long enough. Each failed search makes one bound exact, so the loop ends. */
static uint32_t find_longest(struct zone *zone, uint32_t want, uint64_t *start)
{
	for (;;) {
		uint32_t best = 0;
		uint32_t longest = 0;

		for (uint32_t group = 0; group < NOVA_GROUPS_PER_ZONE; group++)
			if (zone->group_run[group] > longest && group != zone->slot_group) {
				longest = zone->group_run[group];
				best = group;
			}
		set_longest(zone, longest);
		if (longest == 0)
			return 0;
		if (longest > want)
			longest = want;
		if (search_group(zone, best, longest, start) == longest)
			return longest;
	}
}

uint64_t zone_take(struct nova *fs, struct zone *zone, uint64_t want, uint64_t least, uint64_t *first)
{
	uint32_t need = want < NOVA_GROUP_BLOCKS ? (uint32_t)want : NOVA_GROUP_BLOCKS;
	uint64_t start = 0;
	uint64_t got = 0;

	pthread_mutex_lock(&zone->lock);
	if (want >= NOVA_GROUP_BLOCKS && zone->whole) {
		uint32_t group = 0;

		got = (uint64_t)find_groups(zone, (uint32_t)(want / NOVA_GROUP_BLOCKS), &group) * NOVA_GROUP_BLOCKS;
		start = (uint64_t)group * NOVA_GROUP_BLOCKS;
	}
	if (got == 0)
		got = find_fit(zone, need, &start);
	if (got == 0 && least < need)
		got = find_longest(zone, need, &start);
	if (got < least && got < need)
		got = 0;
	if (got) {
		mark(fs, zone, start, got, true);
		zone->cursor = (uint32_t)((start + got) / NOVA_GROUP_BLOCKS % NOVA_GROUPS_PER_ZONE);
		*first = zone->first + start;
	}
	pthread_mutex_unlock(&zone->lock);
	return got;
}

uint64_t zone_take_at(struct nova *fs, uint64_t first, uint64_t want, uint64_t least)
{
	struct zone *zone;
	uint64_t got;

	if (first >= fs->blocks)
		return 0;
	zone = zone_of(fs, first);
	pthread_mutex_lock(&zone->lock);
	got = free_from(zone, first - zone->first, want);
	if (zone->slot_group != NOVA_GROUPS_PER_ZONE) {
		uint64_t slots_first = zone->first + (uint64_t)zone->slot_group * NOVA_GROUP_BLOCKS;

		if (first < slots_first + NOVA_GROUP_BLOCKS && first + got > slots_first)
			got = first < slots_first ? slots_first - first : 0;
	}
	if (got < least)
		got = 0;
	if (got)
		mark(fs, zone, first - zone->first, got, true);
	pthread_mutex_unlock(&zone->lock);
	return got;
}

/* The group with the most free blocks, so that it is long until the next search. */
static uint32_t freest_group(const struct zone *zone)
{
	uint32_t best = NOVA_GROUPS_PER_ZONE;
	uint32_t most = 0;

	for (uint32_t group = 0; group < NOVA_GROUPS_PER_ZONE; group++)
		if (zone->group_free[group] > most && group != zone->slot_group) {
			most = zone->group_free[group];
			best = group;
		}
	return best;
}

uint32_t zone_take_singles(struct nova *fs, struct zone *zone, uint64_t *blocks, uint32_t max)
{
	uint32_t count = 0;
	uint32_t group;

	pthread_mutex_lock(&zone->lock);
	group = freest_group(zone);
	for (uint32_t w = 0; group < NOVA_GROUPS_PER_ZONE && w < GROUP_WORDS; w++)
		while (count < max && ~zone->bitmap[group * GROUP_WORDS + w]) {
			uint64_t word = group * GROUP_WORDS + w;
			uint64_t at = word * 64 + (uint64_t)__builtin_ctzll(~zone->bitmap[word]);

			mark(fs, zone, at, 1, true);
			blocks[count++] = zone->first + at;
		}
	pthread_mutex_unlock(&zone->lock);
	return count;
}

/* Under the lock. */
static uint64_t chunk_in_group(const struct zone *zone, uint32_t group)
{
	for (uint64_t w = 0; w < GROUP_WORDS; w++)
		for (uint64_t bit = 0; bit < 64; bit += NOVA_CHUNK_BLOCKS)
			if ((zone->bitmap[group * GROUP_WORDS + w] >> bit & 0xffff) == 0)
				return group * NOVA_GROUP_BLOCKS + w * 64 + bit;
	return 0;
}
static_assert(NOVA_CHUNK_BLOCKS == 16, "a chunk is 16 bits of the map");

uint64_t zone_take_chunk(struct nova *fs, struct zone *zone)
{
	uint64_t start = 0;

	pthread_mutex_lock(&zone->lock);
	for (uint32_t group = 0; group < NOVA_GROUPS_PER_ZONE && !start; group++)
		if (zone->group_run[group] >= NOVA_CHUNK_BLOCKS && group != zone->slot_group)
			start = chunk_in_group(zone, group);
	if (!start && zone->slot_group != NOVA_GROUPS_PER_ZONE)
		start = chunk_in_group(zone, zone->slot_group);
	if (start)
		mark(fs, zone, start, NOVA_CHUNK_BLOCKS, true);
	pthread_mutex_unlock(&zone->lock);
	return start ? zone->first + start : 0;
}
