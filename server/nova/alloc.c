/*
 * alloc.c -- the block allocator: bitmaps by zone, and what each worker keeps at hand.
 */
#include "server/nova/alloc.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define BASE_RESERVE_MIN 32u
#define BASE_RESERVE_MAX 4096u
#define BIG_RUN          64u /* from here on a run is sought in the zones, not in the worker's own run */

int alloc_init(struct nova *fs)
{
	uint64_t left = fs->blocks - NOVA_PREAMBLE_BLOCKS;

	fs->zone_count = (uint32_t)((left + NOVA_ZONE_BLOCKS - 1) / NOVA_ZONE_BLOCKS);
	fs->zones = calloc(fs->zone_count, sizeof *fs->zones);
	fs->bitmap = calloc((size_t)fs->zone_count * NOVA_ZONE_MAP_WORDS, sizeof *fs->bitmap);
	if (!fs->zones || !fs->bitmap)
		return -ENOMEM;
	for (uint32_t i = 0; i < fs->zone_count; i++) {
		struct zone *zone = &fs->zones[i];

		pthread_mutex_init(&zone->lock, NULL);
		zone->first = NOVA_PREAMBLE_BLOCKS + (uint64_t)i * NOVA_ZONE_BLOCKS;
		zone->blocks = left < NOVA_ZONE_BLOCKS ? left : NOVA_ZONE_BLOCKS;
		zone->bitmap = fs->bitmap + (size_t)i * NOVA_ZONE_MAP_WORDS;
		left -= zone->blocks;
		fs->usable_blocks += zone->blocks - NOVA_ZONE_FIRST_CHUNK;
		for (uint64_t b = 0; b < NOVA_ZONE_BLOCKS; b++) {
			if (b == NOVA_ZONE_FIRST_CHUNK)
				b = zone->blocks;
			if (b < NOVA_ZONE_BLOCKS)
				zone->bitmap[b / 64] |= 1ULL << b % 64;
		}
	}
	fs->base_reserve = fs->usable_blocks / 256;
	if (fs->base_reserve < BASE_RESERVE_MIN)
		fs->base_reserve = BASE_RESERVE_MIN;
	if (fs->base_reserve > BASE_RESERVE_MAX)
		fs->base_reserve = BASE_RESERVE_MAX;
	return 0;
}

void alloc_fini(struct nova *fs)
{
	for (uint32_t i = 0; fs->zones && i < fs->zone_count; i++)
		pthread_mutex_destroy(&fs->zones[i].lock);
	free(fs->zones);
	free(fs->bitmap);
}

static struct zone *zone_of(const struct nova *fs, uint64_t block)
{
	return &fs->zones[(block - NOVA_PREAMBLE_BLOCKS) / NOVA_ZONE_BLOCKS];
}

bool alloc_valid(const struct nova *fs, uint64_t first, uint64_t count)
{
	const struct zone *zone;

	if (first < NOVA_PREAMBLE_BLOCKS || first >= fs->blocks || count == 0 || count > NOVA_ZONE_BLOCKS)
		return false;
	zone = zone_of(fs, first);
	return first - zone->first >= NOVA_ZONE_FIRST_CHUNK && first - zone->first + count <= zone->blocks;
}

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

bool alloc_claim(struct nova *fs, uint64_t first, uint64_t count)
{
	struct zone *zone = zone_of(fs, first);
	uint64_t start = first - zone->first;
	uint64_t end = start + count;

	for (uint64_t w = start / 64; w * 64 < end; w++) {
		uint64_t mask = word_mask(w, start, end);

		if (__atomic_fetch_or(&zone->bitmap[w], mask, __ATOMIC_RELAXED) & mask)
			return false;
	}
	return true;
}

void alloc_count(struct nova *fs)
{
	fs->free_blocks = 0;
	for (uint32_t i = 0; i < fs->zone_count; i++) {
		struct zone *zone = &fs->zones[i];

		zone->free = 0;
		for (uint32_t g = 0; g < NOVA_GROUPS_PER_ZONE; g++) {
			zone->group_free[g] = 0;
			for (uint32_t w = 0; w < NOVA_GROUP_BLOCKS / 64; w++)
				zone->group_free[g] +=
				    (uint16_t)__builtin_popcountll(~zone->bitmap[g * (NOVA_GROUP_BLOCKS / 64) + w]);
			zone->group_run[g] = zone->group_free[g];
			zone->free += zone->group_free[g];
		}
		fs->free_blocks += zone->free;
	}
}

/* ---- zones ---------------------------------------------------------------------------------------------------- */

/* Mark a run of a zone used or free; under the zone's lock. */
static void mark(struct nova *fs, struct zone *zone, uint64_t start, uint64_t count, bool used)
{
	uint64_t end = start + count;

	for (uint64_t w = start / 64; w * 64 < end; w++) {
		uint64_t mask = word_mask(w, start, end);
		int bits = __builtin_popcountll(mask);
		uint64_t group = w / (NOVA_GROUP_BLOCKS / 64);

		if (used) {
			zone->bitmap[w] |= mask;
			zone->group_free[group] = (uint16_t)(zone->group_free[group] - bits);
			if (zone->group_run[group] > zone->group_free[group])
				zone->group_run[group] = zone->group_free[group];
		} else {
			zone->bitmap[w] &= ~mask;
			zone->group_free[group] = (uint16_t)(zone->group_free[group] + bits);
			zone->group_run[group] = zone->group_free[group];
		}
	}
	if (used) {
		zone->free -= count;
		__atomic_fetch_sub(&fs->free_blocks, count, __ATOMIC_RELAXED);
	} else {
		zone->free += count;
		__atomic_fetch_add(&fs->free_blocks, count, __ATOMIC_RELAXED);
	}
}

static void zone_free(struct nova *fs, uint64_t first, uint64_t count)
{
	struct zone *zone = zone_of(fs, first);

	pthread_mutex_lock(&zone->lock);
	mark(fs, zone, first - zone->first, count, false);
	pthread_mutex_unlock(&zone->lock);
}

/* The longest run of whole free groups, up to `want` groups, from the cursor round. */
static uint32_t find_groups(const struct zone *zone, uint32_t want, uint32_t *best_first)
{
	uint32_t best = 0;

	for (uint32_t i = 0; i < NOVA_GROUPS_PER_ZONE && best < want;) {
		uint32_t first = (zone->cursor + i) % NOVA_GROUPS_PER_ZONE;
		uint32_t n = 0;

		while (n < want && first + n < NOVA_GROUPS_PER_ZONE && zone->group_free[first + n] == NOVA_GROUP_BLOCKS)
			n++;
		if (n > best) {
			best = n;
			*best_first = first;
		}
		i += n + 1;
	}
	return best;
}

/* The first run of `want` free blocks in a group, or its longest. */
static uint32_t find_in_group(const struct zone *zone, uint32_t group, uint32_t want, uint64_t *start)
{
	uint64_t at = (uint64_t)group * NOVA_GROUP_BLOCKS;
	uint64_t end = at + NOVA_GROUP_BLOCKS;
	uint32_t best = 0;

	while (at < end && best < want) {
		uint64_t free_bits = ~zone->bitmap[at / 64] >> at % 64;
		uint64_t run_start;
		uint32_t n = 0;

		if (free_bits == 0) {
			at = (at | 63) + 1;
			continue;
		}
		at += (uint64_t)__builtin_ctzll(free_bits);
		run_start = at;
		while (at < end && n < want) {
			uint64_t used_bits = zone->bitmap[at / 64] >> at % 64;
			uint32_t in_word = 64 - at % 64;
			uint32_t step = used_bits ? (uint32_t)__builtin_ctzll(used_bits) : in_word;

			if (step > in_word)
				step = in_word;
			n += step;
			at += step;
			if (step < in_word)
				break;
		}
		if (n > want)
			n = want;
		if (n > best) {
			best = n;
			*start = run_start;
		}
	}
	return best;
}

/* Look into a group; what is learnt of its longest run saves the next search. */
static uint32_t search_group(struct zone *zone, uint32_t group, uint32_t want, uint64_t *start)
{
	uint32_t got = find_in_group(zone, group, want, start);

	if (got < want)
		zone->group_run[group] = (uint16_t)got;
	return got;
}

/* The first run of `want` blocks (at most a group's) from the cursor round; 0 if there is none. */
static uint32_t find_fit(struct zone *zone, uint32_t want, uint64_t *start)
{
	for (uint32_t i = 0; i < NOVA_GROUPS_PER_ZONE; i++) {
		uint32_t group = (zone->cursor + i) % NOVA_GROUPS_PER_ZONE;

		if (zone->group_run[group] >= want && search_group(zone, group, want, start) >= want)
			return want;
	}
	return 0;
}

/* The longest run there is, where none is long enough. Each look makes one bound exact, so it ends. */
static uint32_t find_longest(struct zone *zone, uint32_t want, uint64_t *start)
{
	for (;;) {
		uint32_t longest = 0;
		uint32_t got;

		for (uint32_t group = 1; group < NOVA_GROUPS_PER_ZONE; group++)
			if (zone->group_run[group] > zone->group_run[longest])
				longest = group;
		got = zone->group_run[longest];
		if (got == 0 || search_group(zone, longest, got < want ? got : want, start) == got)
			return got;
	}
}

/* Up to `want` blocks in a row from one zone: all of them or whole groups, or else (`any`) the most it has. */
static uint64_t zone_take(struct nova *fs, struct zone *zone, uint64_t want, bool any, uint64_t *first)
{
	uint32_t need = want < NOVA_GROUP_BLOCKS ? (uint32_t)want : NOVA_GROUP_BLOCKS;
	uint64_t start = 0;
	uint64_t got = 0;

	pthread_mutex_lock(&zone->lock);
	if (want >= NOVA_GROUP_BLOCKS) {
		uint32_t group = 0;

		got = (uint64_t)find_groups(zone, (uint32_t)(want / NOVA_GROUP_BLOCKS), &group) * NOVA_GROUP_BLOCKS;
		start = (uint64_t)group * NOVA_GROUP_BLOCKS;
	}
	if (got == 0)
		got = any ? find_longest(zone, need, &start) : find_fit(zone, need, &start);
	if (got) {
		mark(fs, zone, start, got, true);
		zone->cursor = (uint32_t)((start + got) / NOVA_GROUP_BLOCKS % NOVA_GROUPS_PER_ZONE);
		*first = zone->first + start;
	}
	pthread_mutex_unlock(&zone->lock);
	return got;
}

static uint64_t reserve_blocks(struct nova *fs)
{
	int64_t names = __atomic_load_n(&fs->names, __ATOMIC_RELAXED);

	for (uint32_t i = 0; i < NOVA_JOURNAL_RINGS; i++) {
		struct nova_worker *worker = __atomic_load_n(&fs->workers[i], __ATOMIC_ACQUIRE);

		if (worker)
			names += __atomic_load_n(&worker->names, __ATOMIC_RELAXED);
	}
	return fs->base_reserve + (names > 0 ? (uint64_t)names / NOVA_PAGE_LINES : 0);
}

/* Are the zones down to the reserve? A name takes a line of a page, so names cannot ask for more than is in use: with
 * half of the pool free nothing needs to be counted. */
static bool at_reserve(struct nova *fs)
{
	uint64_t free_blocks = __atomic_load_n(&fs->free_blocks, __ATOMIC_RELAXED);

	return free_blocks < fs->usable_blocks / 2 + fs->base_reserve && free_blocks < reserve_blocks(fs);
}

/* How many of `want` may be taken from the zones without touching the reserve. */
static uint64_t allowance(struct nova *fs, uint64_t want, bool privileged)
{
	uint64_t available = __atomic_load_n(&fs->free_blocks, __ATOMIC_RELAXED);
	uint64_t kept = privileged ? 0 : reserve_blocks(fs);

	if (available <= kept)
		return 0;
	return available - kept < want ? available - kept : want;
}

static uint64_t zones_take(struct nova_worker *worker, uint64_t want, bool privileged, uint64_t *first)
{
	struct nova *fs = worker->fs;

	want = allowance(fs, want, privileged);
	if (want == 0)
		return 0;
	for (unsigned any = 0; any < 2; any++)
		for (uint32_t i = 0; i < fs->zone_count; i++) {
			struct zone *zone = &fs->zones[(worker->ring + i) % fs->zone_count];
			uint64_t got = zone_take(fs, zone, want, any, first);

			if (got)
				return got;
		}
	return 0;
}

/* ---- workers -------------------------------------------------------------------------------------------------- */

void alloc_drain(struct nova_worker *worker)
{
	spin_lock(&worker->lock);
	if (worker->run_left)
		zone_free(worker->fs, worker->run_first, worker->run_left);
	worker->run_left = 0;
	for (uint32_t i = 0; i < worker->block_count; i++)
		zone_free(worker->fs, worker->blocks[i], 1);
	worker->block_count = 0;
	spin_unlock(&worker->lock);
}

static void drain_all(struct nova *fs)
{
	for (uint32_t i = 0; i < NOVA_JOURNAL_RINGS; i++) {
		struct nova_worker *worker = __atomic_load_n(&fs->workers[i], __ATOMIC_ACQUIRE);

		if (worker)
			alloc_drain(worker);
	}
}

/* A worker keeps little of a small pool. */
static uint64_t refill_size(const struct nova *fs)
{
	uint64_t size = __atomic_load_n(&fs->free_blocks, __ATOMIC_RELAXED) / 64;

	if (size < 1)
		return 1;
	return size < NOVA_GROUP_BLOCKS ? size : NOVA_GROUP_BLOCKS;
}

/* From what the worker has: a run for several blocks, the newest freed block first for one. */
static uint64_t take_own(struct nova_worker *worker, uint64_t want, uint64_t *first)
{
	uint64_t got = 0;

	spin_lock(&worker->lock);
	if (want == 1 && worker->block_count) {
		*first = worker->blocks[--worker->block_count];
		got = 1;
	} else if (worker->run_left >= want) {
		*first = worker->run_first;
		worker->run_first += want;
		worker->run_left -= want;
		got = want;
	}
	spin_unlock(&worker->lock);
	return got;
}

/* Put a fresh run in place of the worker's and take `want` or less from it. */
static uint64_t take_refilled(struct nova_worker *worker, uint64_t want, bool privileged, uint64_t *first)
{
	uint64_t size = refill_size(worker->fs);
	uint64_t got = zones_take(worker, size > want ? size : want, privileged, first);
	uint64_t old_first = 0;
	uint64_t old_left = 0;

	if (got <= want)
		return got;
	spin_lock(&worker->lock);
	old_first = worker->run_first;
	old_left = worker->run_left;
	worker->run_first = *first + want;
	worker->run_left = got - want;
	spin_unlock(&worker->lock);
	if (old_left)
		zone_free(worker->fs, old_first, old_left);
	return want;
}

int64_t alloc_run(struct nova_worker *worker, uint64_t want, bool privileged, uint64_t *first)
{
	uint64_t got = 0;

	if (want < BIG_RUN) {
		got = take_own(worker, want, first);
		if (!got)
			got = take_refilled(worker, want, privileged, first);
	} else {
		got = zones_take(worker, want, privileged, first);
	}
	if (!got) {
		drain_all(worker->fs);
		got = zones_take(worker, want, privileged, first);
	}
	return got ? (int64_t)got : -ENOSPC;
}

void alloc_free(struct nova_worker *worker, uint64_t first, uint64_t count)
{
	struct nova *fs = worker->fs;

	/* While the zones are down to the reserve, what is freed goes back to it and not to the next writer. */
	if (count > 1 || at_reserve(fs)) {
		zone_free(fs, first, count);
		return;
	}
	spin_lock(&worker->lock);
	if (worker->block_count == NOVA_WORKER_BLOCKS) {
		for (uint32_t i = 0; i < NOVA_WORKER_BLOCKS / 2; i++)
			zone_free(fs, worker->blocks[i], 1);
		worker->block_count -= NOVA_WORKER_BLOCKS / 2;
		memmove(worker->blocks, worker->blocks + NOVA_WORKER_BLOCKS / 2,
		        worker->block_count * sizeof worker->blocks[0]);
	}
	worker->blocks[worker->block_count++] = first;
	spin_unlock(&worker->lock);
}

static uint64_t zone_take_chunk(struct nova *fs, struct zone *zone)
{
	uint64_t found = 0;

	pthread_mutex_lock(&zone->lock);
	for (uint64_t chunk = NOVA_ZONE_FIRST_CHUNK / NOVA_CHUNK_BLOCKS; chunk < zone->blocks / NOVA_CHUNK_BLOCKS;
	     chunk++) {
		uint64_t start = chunk * NOVA_CHUNK_BLOCKS;

		if (zone->group_free[start / NOVA_GROUP_BLOCKS] < NOVA_CHUNK_BLOCKS) {
			chunk |= NOVA_GROUP_BLOCKS / NOVA_CHUNK_BLOCKS - 1;
			continue;
		}
		if ((zone->bitmap[start / 64] >> start % 64 & 0xffff) == 0) {
			mark(fs, zone, start, NOVA_CHUNK_BLOCKS, true);
			found = zone->first + start;
			break;
		}
	}
	pthread_mutex_unlock(&zone->lock);
	return found;
}

uint64_t alloc_chunk(struct nova_worker *worker)
{
	struct nova *fs = worker->fs;

	for (int attempt = 0; attempt < 2; attempt++) {
		if (allowance(fs, NOVA_CHUNK_BLOCKS, false) == NOVA_CHUNK_BLOCKS)
			for (uint32_t i = 0; i < fs->zone_count; i++) {
				uint64_t found = zone_take_chunk(fs, &fs->zones[(worker->ring + i) % fs->zone_count]);

				if (found)
					return found;
			}
		drain_all(fs);
	}
	return 0;
}

uint64_t alloc_bytes(const struct nova *fs)
{
	return fs->zone_count * (sizeof *fs->zones + NOVA_ZONE_MAP_WORDS * sizeof *fs->bitmap);
}

uint64_t alloc_free_total(struct nova *fs)
{
	uint64_t total = __atomic_load_n(&fs->free_blocks, __ATOMIC_RELAXED);

	for (uint32_t i = 0; i < NOVA_JOURNAL_RINGS; i++) {
		struct nova_worker *worker = __atomic_load_n(&fs->workers[i], __ATOMIC_ACQUIRE);

		if (!worker)
			continue;
		spin_lock(&worker->lock);
		total += worker->run_left + worker->block_count;
		spin_unlock(&worker->lock);
	}
	return total;
}
