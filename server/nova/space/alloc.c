/*
 * alloc.c -- the block allocator: a bitmap for each zone, and a stock of free blocks for each worker.
 */
#include "server/nova/space/alloc.h"

#include "server/nova/space/worker.h"
#include "server/nova/space/zone.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define REMOVAL_SHARE  256u /* the reserve for removals has one of so many blocks, at least and at most these */
#define REMOVAL_MIN    32u
#define REMOVAL_MAX    4096u
#define REPLACE_SHARE  64u /* and that for replacements: a line of the log for each block */
#define REPLACE_MIN    96u
#define REPLACE_MAX    16384u
#define BIG_RUN        64u /* a run of so many blocks or more is taken from the zones, not from the worker's run */
#define REFILL_LEAST   16u /* the shortest run that becomes the worker's run */
#define BIG_LEAST      8u  /* the shortest run for a request of BIG_RUN or more */
#define REFILL_SINGLES 64u /* the most scattered blocks that a worker takes at once */

static void set_bits(uint64_t *bitmap, uint64_t from, uint64_t to)
{
	for (; from < to && from % 64; from++)
		bitmap[from / 64] |= 1ULL << from % 64;
	for (; from + 64 <= to; from += 64)
		bitmap[from / 64] = ~0ULL;
	for (; from < to; from++)
		bitmap[from / 64] |= 1ULL << from % 64;
}

static uint64_t between(uint64_t least, uint64_t value, uint64_t most)
{
	if (value < least)
		return least;
	return value < most ? value : most;
}

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
		set_bits(zone->bitmap, 0, NOVA_ZONE_FIRST_CHUNK);
		set_bits(zone->bitmap, zone->blocks, NOVA_ZONE_BLOCKS);
	}
	fs->removal_reserve = between(REMOVAL_MIN, fs->usable_blocks / REMOVAL_SHARE, REMOVAL_MAX);
	fs->base_reserve = fs->removal_reserve + between(REPLACE_MIN, fs->usable_blocks / REPLACE_SHARE, REPLACE_MAX);
	return 0;
}

void alloc_fini(struct nova *fs)
{
	for (uint32_t i = 0; fs->zones && i < fs->zone_count; i++)
		pthread_mutex_destroy(&fs->zones[i].lock);
	free(fs->zones);
	free(fs->bitmap);
}

bool alloc_valid(const struct nova *fs, uint64_t first, uint64_t count)
{
	const struct zone *zone;

	if (first < NOVA_PREAMBLE_BLOCKS || first >= fs->blocks || count == 0 || count > NOVA_ZONE_BLOCKS)
		return false;
	zone = zone_of(fs, first);
	return first - zone->first >= NOVA_ZONE_FIRST_CHUNK && first - zone->first + count <= zone->blocks;
}

bool alloc_claim(struct nova *fs, uint64_t first, uint64_t count)
{
	struct zone *zone = zone_of(fs, first);

	return zone_claim(zone, first - zone->first, count);
}

void alloc_count(struct nova *fs)
{
	fs->free_blocks = 0;
	for (uint32_t i = 0; i < fs->zone_count; i++) {
		zone_count(&fs->zones[i]);
		fs->free_blocks += fs->zones[i].free;
	}
}

/* Rings from this one on have had no worker. */
static uint32_t workers_ever(const struct nova *fs)
{
	return __atomic_load_n(&fs->workers_ever, __ATOMIC_RELAXED);
}

/* ---- the reserve ---------------------------------------------------------------------------------------------- */

/* The blocks in the zones that an allocation for `use` must leave there. */
static uint64_t reserve_blocks(struct nova *fs, enum alloc_use use)
{
	int64_t promised = __atomic_load_n(&fs->promised, __ATOMIC_RELAXED);
	uint64_t blocks = use == ALLOC_REPLACES ? fs->removal_reserve : fs->base_reserve;

	if (use == ALLOC_FREES)
		return 0;
	for (uint32_t i = 0; i < workers_ever(fs); i++) {
		struct nova_worker *worker = __atomic_load_n(&fs->workers[i], __ATOMIC_ACQUIRE);

		if (worker)
			promised += __atomic_load_n(&worker->promised, __ATOMIC_RELAXED);
	}
	return blocks + (promised > 0 ? (uint64_t)promised / NOVA_PAGE_LINES : 0);
}

/* Whether the zones have no more than the reserve. Names and unwritten blocks use at least as much space as the reserve
 * keeps for them, so if half of the pool is free, the promises need not be added up. */
static bool at_reserve(struct nova *fs)
{
	uint64_t free_blocks = __atomic_load_n(&fs->free_blocks, __ATOMIC_RELAXED);

	return free_blocks < fs->usable_blocks / 2 + fs->base_reserve && free_blocks < reserve_blocks(fs, ALLOC_GROWS);
}

/* How many of `want` blocks the zones can give for `use`. */
static uint64_t allowance(struct nova *fs, uint64_t want, enum alloc_use use)
{
	uint64_t available = __atomic_load_n(&fs->free_blocks, __ATOMIC_RELAXED);
	uint64_t kept = reserve_blocks(fs, use);

	if (available <= kept)
		return 0;
	return available - kept < want ? available - kept : want;
}

/* Take all of `want` from one zone. If no zone has it, take a run of at least `least` from the first zone that has one.
 */
static uint64_t zones_take(struct nova_worker *worker, uint64_t want, uint64_t least, enum alloc_use use,
                           uint64_t *first)
{
	struct nova *fs = worker->fs;

	want = allowance(fs, want, use);
	for (unsigned pass = 0; want && pass < 2; pass++) {
		uint64_t enough = pass == 0 || least > want ? want : least;

		for (uint32_t i = 0; i < fs->zone_count; i++) {
			struct zone *zone = &fs->zones[(worker->ring + i) % fs->zone_count];
			uint64_t got = zone_fits(zone, enough) ? zone_take(fs, zone, want, enough, first) : 0;

			if (got)
				return got;
		}
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
	zone_free_singles(worker->fs, worker->blocks, worker->block_count);
	worker->block_count = 0;
	streams_drain(worker);
	spin_unlock(&worker->lock);
}

static void drain_all(struct nova *fs)
{
	for (uint32_t i = 0; i < workers_ever(fs); i++) {
		struct nova_worker *worker = __atomic_load_n(&fs->workers[i], __ATOMIC_ACQUIRE);

		if (worker)
			alloc_drain(worker);
	}
}

/* The groups that are kept for slots are released before data is refused. */
static bool give_up_slot_groups(struct nova *fs)
{
	bool had = false;

	for (uint32_t i = 0; i < fs->zone_count; i++)
		had |= zone_give_up_slot_group(&fs->zones[i]);
	return had;
}

/*
 * How many blocks to take for a worker that wants `want`. It keeps the rest: of a small pool only a small part, and
 * nothing of the reserve, because ordinary writes take what a worker has.
 */
static uint64_t refill_size(struct nova *fs, uint64_t want)
{
	uint64_t size = __atomic_load_n(&fs->free_blocks, __ATOMIC_RELAXED) / 64;

	size = allowance(fs, size < NOVA_GROUP_BLOCKS ? size : NOVA_GROUP_BLOCKS, ALLOC_GROWS);
	return size > want ? size : want;
}

/* Take the newest single block, and the ones below it on the stack while each follows the other in the pool. Under the
 * lock. */
static uint64_t pop_run(struct nova_worker *worker, uint64_t want, uint64_t *first)
{
	uint64_t got = 0;

	while (got < want && worker->block_count) {
		uint64_t block = worker->blocks[worker->block_count - 1];

		if (got && (block != *first + got || (block - NOVA_PREAMBLE_BLOCKS) % NOVA_ZONE_BLOCKS == 0))
			break;
		if (!got)
			*first = block;
		got++;
		worker->block_count--;
	}
	return got;
}

/* Take from the worker's stock: several blocks from its run; one block first from the single blocks, the newest first.
 */
static uint64_t take_own(struct nova_worker *worker, uint64_t want, uint64_t *first)
{
	uint64_t got = 0;

	spin_lock(&worker->lock);
	if (want == 1 && worker->block_count) {
		got = pop_run(worker, 1, first);
	} else if (worker->run_left >= want) {
		*first = worker->run_first;
		worker->run_first += want;
		worker->run_left -= want;
		got = want;
	}
	spin_unlock(&worker->lock);
	return got;
}

/* Replace the worker's run by a new one and take `want` blocks from it. */
static uint64_t take_refilled(struct nova_worker *worker, uint64_t want, enum alloc_use use, uint64_t *first)
{
	uint64_t got =
	    zones_take(worker, refill_size(worker->fs, want), want > REFILL_LEAST ? want : REFILL_LEAST, use, first);
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

/* The free space is fragmented: take many single blocks at once, so that they cost the zone's lock and the search once.
 */
static uint64_t take_scattered(struct nova_worker *worker, uint64_t want, enum alloc_use use, uint64_t *first)
{
	struct nova *fs = worker->fs;
	uint64_t blocks[REFILL_SINGLES];
	/* Of what is not popped below, too, nothing may be of the reserve. */
	uint64_t size = refill_size(fs, use == ALLOC_GROWS ? want : 1);
	uint32_t count = 0;
	uint32_t max;
	uint64_t got;

	spin_lock(&worker->lock);
	got = pop_run(worker, want, first);
	spin_unlock(&worker->lock);
	if (got)
		return got;
	max = (uint32_t)allowance(fs, size < REFILL_SINGLES ? size : REFILL_SINGLES, use);
	for (uint32_t i = 0; max && !count && i < fs->zone_count; i++)
		count = zone_take_singles(fs, &fs->zones[(worker->ring + i) % fs->zone_count], blocks, max);
	spin_lock(&worker->lock);
	while (count && worker->block_count < NOVA_WORKER_BLOCKS)
		worker->blocks[worker->block_count++] = blocks[--count];
	got = pop_run(worker, want, first);
	spin_unlock(&worker->lock);
	zone_free_singles(fs, blocks, count);
	return got;
}

int64_t alloc_run(struct nova_worker *worker, uint64_t want, enum alloc_use use, uint64_t *first)
{
	uint64_t got = 0;

	if (want < BIG_RUN) {
		got = take_own(worker, want, first);
		if (!got)
			got = take_refilled(worker, want, use, first);
	} else {
		got = zones_take(worker, want, BIG_LEAST, use, first);
	}
	if (!got)
		got = take_scattered(worker, want, use, first);
	for (unsigned attempt = 0; !got && attempt < 2; attempt++) {
		drain_all(worker->fs);
		if (attempt && !give_up_slot_groups(worker->fs))
			break;
		got = zones_take(worker, want, 1, use, first);
	}
	return got ? (int64_t)got : -ENOSPC;
}

uint64_t alloc_reserve_run(struct nova_worker *worker, uint64_t goal, uint64_t want, uint64_t least, uint64_t *first)
{
	struct nova *fs = worker->fs;
	uint64_t got = 0;

	want = allowance(fs, want, ALLOC_GROWS);
	if (want < least)
		return 0;
	if (goal)
		got = zone_take_at(fs, goal, want, least);
	if (!got)
		return zones_take(worker, want, least, ALLOC_GROWS, first);
	*first = goal;
	return got;
}

void alloc_free(struct nova_worker *worker, uint64_t first, uint64_t count)
{
	struct nova *fs = worker->fs;

	/* If the zones have no more than the reserve, freed blocks go to the zones: the worker would give them to the next
	 * writer. */
	if (count > 1 || at_reserve(fs)) {
		zone_free(fs, first, count);
		return;
	}
	spin_lock(&worker->lock);
	if (worker->block_count == NOVA_WORKER_BLOCKS) {
		zone_free_singles(fs, worker->blocks, NOVA_WORKER_BLOCKS / 2);
		worker->block_count -= NOVA_WORKER_BLOCKS / 2;
		memmove(worker->blocks, worker->blocks + NOVA_WORKER_BLOCKS / 2,
		        worker->block_count * sizeof worker->blocks[0]);
	}
	worker->blocks[worker->block_count++] = first;
	spin_unlock(&worker->lock);
}

uint64_t alloc_chunk(struct nova_worker *worker)
{
	struct nova *fs = worker->fs;

	for (int attempt = 0; attempt < 2; attempt++) {
		if (allowance(fs, NOVA_CHUNK_BLOCKS, ALLOC_GROWS) == NOVA_CHUNK_BLOCKS)
			for (uint32_t i = 0; i < fs->zone_count; i++) {
				uint64_t found = zone_take_chunk(fs, &fs->zones[(worker->ring + i) % fs->zone_count]);

				if (found)
					return found;
			}
		drain_all(fs);
	}
	return 0;
}

/* ---- at unmount ----------------------------------------------------------------------------------------------- */

/* The first block of the zone at or after `at` that is used (or free, if not `used`); the zone's end if there is none.
 */
static uint64_t next_block(const struct zone *zone, uint64_t at, bool used)
{
	while (at < zone->blocks) {
		uint64_t word = used ? zone->bitmap[at / 64] : ~zone->bitmap[at / 64];

		word >>= at % 64;
		if (word)
			return at + (uint64_t)__builtin_ctzll(word);
		at = (at | 63) + 1;
	}
	return zone->blocks;
}

/* Collect free runs of at least `least` blocks, in order; false if these, or the first `max`, are not enough. */
static bool collect_runs(const struct nova *fs, uint64_t need, uint64_t least, struct nova_checkpoint_run *runs,
                         uint32_t max, uint32_t *count)
{
	*count = 0;
	for (uint32_t i = 0; i < fs->zone_count; i++) {
		const struct zone *zone = &fs->zones[i];
		uint64_t end;

		for (uint64_t at = next_block(zone, 0, false); at < zone->blocks; at = next_block(zone, end, false)) {
			uint64_t n;

			end = next_block(zone, at, true);
			n = end - at < need ? end - at : need;
			if (n < least)
				continue;
			if (*count == max)
				return false;
			runs[*count] = (struct nova_checkpoint_run){le64_of(zone->first + at), le64_of(n)};
			++*count;
			need -= n;
			if (need == 0)
				return true;
			if (least > need)
				least = need;
		}
	}
	return false;
}

uint32_t alloc_find_free(const struct nova *fs, uint64_t need, struct nova_checkpoint_run *runs, uint32_t max)
{
	uint64_t least = need < NOVA_GROUP_BLOCKS ? need : NOVA_GROUP_BLOCKS;
	uint32_t count;

	for (;; least = least > 4 ? least / 4 : 1) {
		if (collect_runs(fs, need, least, runs, max, &count))
			return count;
		if (least == 1)
			return 0;
	}
}

uint64_t alloc_bytes(const struct nova *fs)
{
	return fs->zone_count * (sizeof *fs->zones + NOVA_ZONE_MAP_WORDS * sizeof *fs->bitmap);
}

/* The free blocks in the workers' stocks. They are not part of the reserve. */
static uint64_t stocks(struct nova *fs)
{
	uint64_t total = 0;

	for (uint32_t i = 0; i < workers_ever(fs); i++) {
		struct nova_worker *worker = __atomic_load_n(&fs->workers[i], __ATOMIC_ACQUIRE);

		if (!worker)
			continue;
		spin_lock(&worker->lock);
		total += worker->run_left + worker->block_count + worker->stream_blocks;
		spin_unlock(&worker->lock);
	}
	return total;
}

uint64_t alloc_free_total(struct nova *fs)
{
	return __atomic_load_n(&fs->free_blocks, __ATOMIC_RELAXED) + stocks(fs);
}

uint64_t alloc_available_total(struct nova *fs)
{
	return allowance(fs, UINT64_MAX, ALLOC_GROWS) + stocks(fs);
}

bool alloc_may_have(struct nova_worker *worker, uint64_t count, enum alloc_use use)
{
	struct nova *fs = worker->fs;
	uint64_t free_blocks = __atomic_load_n(&fs->free_blocks, __ATOMIC_RELAXED);

	/* As in at_reserve: then the promises need not be added up. */
	if (free_blocks > fs->usable_blocks / 2 + fs->base_reserve + count)
		return true;
	count -= allowance(fs, count, use);
	return count == 0 || count <= stocks(fs);
}

int alloc_promise(struct nova_worker *worker, uint64_t lines)
{
	__atomic_fetch_add(&worker->promised, (int64_t)lines, __ATOMIC_RELAXED);
	if (alloc_free_total(worker->fs) >= lines + reserve_blocks(worker->fs, ALLOC_GROWS))
		return 0;
	alloc_keep_promise(worker, lines);
	return -ENOSPC;
}

void alloc_keep_promise(struct nova_worker *worker, uint64_t lines)
{
	if (lines)
		__atomic_fetch_sub(&worker->promised, (int64_t)lines, __ATOMIC_RELAXED);
}
