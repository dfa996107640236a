/*
 * slots.c -- the map of slot chunks, and the allocation of slots.
 */
#include "server/nova/space/slots.h"

#include "server/nova/media/words.h"
#include "server/nova/space/alloc.h"
#include "server/nova/space/worker.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define REFILL_SLOTS 32u

struct slot_chunk *slots_chunk(const struct nova *fs, uint64_t ino)
{
	uint64_t block = ino_block(ino);

	if (block < NOVA_PREAMBLE_BLOCKS || block >= fs->blocks)
		return NULL;
	return __atomic_load_n(&fs->chunks[chunk_of_block(block)], __ATOMIC_ACQUIRE);
}

uint32_t slots_generation(const struct nova *fs, uint64_t ino)
{
	const struct slot_chunk *chunk = slots_chunk(fs, ino);

	return chunk ? __atomic_load_n(&chunk->slots[slot_index(ino)].generation, __ATOMIC_RELAXED) : 0;
}

void slots_set_generation(const struct nova *fs, uint64_t ino, uint32_t generation)
{
	struct slot_chunk *chunk = slots_chunk(fs, ino);

	__atomic_store_n(&chunk->slots[slot_index(ino)].generation, generation, __ATOMIC_RELAXED);
}

static struct slot_chunk *new_chunk(uint64_t first_block)
{
	struct slot_chunk *chunk = aligned_alloc(NOVA_CACHE_LINE, sizeof *chunk);

	if (!chunk)
		return NULL;
	memset(chunk, 0, sizeof *chunk);
	chunk->first_ino = first_block * (NOVA_BLOCK_SIZE / NOVA_SLOT_SIZE);
	return chunk;
}

int slots_add_chunk(struct nova *fs, uint64_t first_block)
{
	struct slot_chunk *chunk = new_chunk(first_block);

	if (!chunk)
		return -ENOMEM;
	fs->chunks[chunk_of_block(first_block)] = chunk;
	fs->slot_chunks++;
	return 0;
}

void slots_add_free(struct slot_chunk *chunk, uint64_t ino)
{
	uint32_t i = slot_index(ino);

	chunk->free[i / 64] |= 1ULL << i % 64;
	chunk->free_count++;
}

static void list_chunk(struct nova *fs, struct slot_chunk *chunk)
{
	if (chunk->listed || !chunk->free_count)
		return;
	chunk->listed = true;
	SLIST_INSERT_HEAD(&fs->free_chunks, chunk, next_free);
}

void slots_list(struct nova *fs)
{
	for (uint64_t i = fs->chunk_count; i-- > 0;)
		if (fs->chunks[i])
			list_chunk(fs, fs->chunks[i]);
}

/* ---- new chunks ----------------------------------------------------------------------------------------------- */

static le64 *chunk_word(const struct nova *fs, uint64_t first_block, uint32_t table)
{
	uint64_t zone = (first_block - NOVA_PREAMBLE_BLOCKS) / NOVA_ZONE_BLOCKS;
	uint64_t zone_first = NOVA_PREAMBLE_BLOCKS + zone * NOVA_ZONE_BLOCKS;
	le64 *words = block_at(fs, zone_first + table);

	return &words[(first_block - zone_first) / NOVA_CHUNK_BLOCKS];
}

/*
 * The life words of the slots are durable before the words in the chunk tables, and these before any worker uses a
 * slot: the fence of another worker would not cover these stores. A chunk of slots never becomes general again, because
 * a slot's generation must outlive every handle to it.
 */
static void format_chunk(struct nova *fs, uint64_t first_block)
{
	uint64_t first_ino = first_block * (NOVA_BLOCK_SIZE / NOVA_SLOT_SIZE);
	uint64_t word = word_make(NOVA_WORD_CHUNK, first_block, NOVA_CHUNK_SLOTS);
	const uint32_t tables[] = {NOVA_ZONE_TABLE_0, NOVA_ZONE_TABLE_1};

	for (uint64_t ino = first_ino; ino < first_ino + NOVA_SLOTS_PER_CHUNK; ino++) {
		struct nova_slot_words words __attribute__((aligned(64))) = {0};

		words.life[0] = le64_of(word_make(NOVA_WORD_LIFE, ino, life_value(0, NOVA_LIFE_NEVER)));
		words.life[1] = words.life[0];
		pm_copy(fs->pm, &slot_at(fs, ino)->words, &words, sizeof words);
	}
	pm_fence(fs->pm);
	for (unsigned i = 0; i < 2; i++) {
		le64 *place = chunk_word(fs, first_block, tables[i]);

		pm_set8(fs->pm, place, word);
		pm_flush(fs->pm, place, sizeof *place);
	}
	pm_fence(fs->pm);
}

/* Under the slots lock. */
static int make_chunk(struct nova_worker *worker)
{
	struct nova *fs = worker->fs;
	struct slot_chunk *chunk;
	uint64_t first_block = alloc_chunk(worker);

	if (!first_block)
		return -ENOSPC;
	chunk = new_chunk(first_block);
	if (!chunk) {
		alloc_free(worker, first_block, NOVA_CHUNK_BLOCKS);
		return -ENOMEM;
	}
	format_chunk(fs, first_block);
	chunk->free_count = NOVA_SLOTS_PER_CHUNK;
	memset(chunk->free, 0xff, sizeof chunk->free);
	__atomic_store_n(&fs->chunks[chunk_of_block(first_block)], chunk, __ATOMIC_RELEASE);
	__atomic_fetch_add(&fs->slot_chunks, 1, __ATOMIC_RELAXED);
	list_chunk(fs, chunk);
	return 0;
}

/* ---- take and put --------------------------------------------------------------------------------------------- */

/* Take up to `max` slots of the first listed chunk, lowest first. Under the slots lock. */
static uint32_t take_listed(struct nova *fs, uint64_t *slots, uint32_t max)
{
	struct slot_chunk *chunk = SLIST_FIRST(&fs->free_chunks);
	uint32_t n = 0;

	if (!chunk)
		return 0;
	for (uint32_t w = 0; w < NOVA_SLOTS_PER_CHUNK / 64; w++)
		while (chunk->free[w] && n < max) {
			uint32_t bit = (uint32_t)__builtin_ctzll(chunk->free[w]);

			chunk->free[w] &= chunk->free[w] - 1;
			slots[n++] = chunk->first_ino + w * 64 + bit;
		}
	chunk->free_count -= n;
	if (!chunk->free_count) {
		SLIST_REMOVE_HEAD(&fs->free_chunks, next_free);
		chunk->listed = false;
	}
	return n;
}

static void put_back(struct nova *fs, const uint64_t *slots, uint32_t count)
{
	pthread_mutex_lock(&fs->slots_lock);
	for (uint32_t i = 0; i < count; i++) {
		struct slot_chunk *chunk = slots_chunk(fs, slots[i]);

		slots_add_free(chunk, slots[i]);
		list_chunk(fs, chunk);
	}
	pthread_mutex_unlock(&fs->slots_lock);
}

void slots_drain(struct nova_worker *worker)
{
	uint64_t slots[NOVA_WORKER_SLOTS];
	uint32_t count;

	spin_lock(&worker->lock);
	count = worker->slot_count;
	memcpy(slots, worker->slots, count * sizeof slots[0]);
	worker->slot_count = 0;
	spin_unlock(&worker->lock);
	put_back(worker->fs, slots, count);
}

static void drain_all(struct nova *fs)
{
	for (uint32_t i = 0; i < NOVA_JOURNAL_RINGS; i++) {
		struct nova_worker *worker = __atomic_load_n(&fs->workers[i], __ATOMIC_ACQUIRE);

		if (worker)
			slots_drain(worker);
	}
}

static bool take_own(struct nova_worker *worker, uint64_t *ino)
{
	bool got = false;

	spin_lock(&worker->lock);
	if (worker->slot_count) {
		*ino = worker->slots[--worker->slot_count];
		got = true;
	}
	spin_unlock(&worker->lock);
	return got;
}

int slots_take(struct nova_worker *worker, uint64_t *ino)
{
	struct nova *fs = worker->fs;
	uint64_t slots[REFILL_SLOTS];
	uint32_t count;
	int rc = 0;

	if (take_own(worker, ino))
		return 0;
	pthread_mutex_lock(&fs->slots_lock);
	count = take_listed(fs, slots, REFILL_SLOTS);
	if (!count) {
		rc = make_chunk(worker);
		count = take_listed(fs, slots, REFILL_SLOTS);
	}
	pthread_mutex_unlock(&fs->slots_lock);
	if (!count) {
		drain_all(fs);
		pthread_mutex_lock(&fs->slots_lock);
		count = take_listed(fs, slots, REFILL_SLOTS);
		pthread_mutex_unlock(&fs->slots_lock);
	}
	if (!count)
		return rc;
	*ino = slots[0];
	spin_lock(&worker->lock);
	while (count > 1 && worker->slot_count < NOVA_WORKER_SLOTS)
		worker->slots[worker->slot_count++] = slots[--count];
	spin_unlock(&worker->lock);
	if (count > 1)
		put_back(fs, slots + 1, count - 1);
	return 0;
}

void slots_put(struct nova_worker *worker, uint64_t ino)
{
	uint64_t surplus[NOVA_WORKER_SLOTS / 2];
	uint32_t count = 0;

	if (slots_generation(worker->fs, ino) == SLOT_GENERATION_MAX)
		return;
	spin_lock(&worker->lock);
	if (worker->slot_count == NOVA_WORKER_SLOTS) {
		count = NOVA_WORKER_SLOTS / 2;
		memcpy(surplus, worker->slots, sizeof surplus);
		memmove(worker->slots, worker->slots + count, sizeof surplus);
		worker->slot_count -= count;
	}
	worker->slots[worker->slot_count++] = ino;
	spin_unlock(&worker->lock);
	if (count)
		put_back(worker->fs, surplus, count);
}

/* Pages of the array of chunks that hold only NULL were never written and take no memory. */
uint64_t slots_bytes(const struct nova *fs)
{
	return __atomic_load_n(&fs->slot_chunks, __ATOMIC_RELAXED) *
	       (sizeof(struct slot_chunk) + sizeof(struct slot_chunk *));
}

void slots_fini(struct nova *fs)
{
	for (uint64_t i = 0; fs->chunks && i < fs->chunk_count; i++)
		free(fs->chunks[i]);
	free(fs->chunks);
}
