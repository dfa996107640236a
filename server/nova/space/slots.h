/*
 * slots.h -- chunks of inode slots, and the allocation of slots.
 */
#ifndef FARNOVA_NOVA_SLOTS_H
#define FARNOVA_NOVA_SLOTS_H

#include "server/nova/core.h"

struct nova_inode;

/* A chunk of slots. */
struct slot_chunk {
	uint64_t first_ino;
	SLIST_ENTRY(slot_chunk) next_free; /* in fs->free_chunks, under the slots lock, as are the next three */
	bool listed;
	uint32_t free_count;
	uint64_t free[NOVA_SLOTS_PER_CHUNK / 64];
	/* Both fields are atomic and are read together. Workers take runs of slots and should not write to the same
	 * cache lines: the array begins at a cache line. */
	struct slot_place {
		struct nova_inode *inode;
		uint32_t generation; /* the present or last one */
	} slots[NOVA_SLOTS_PER_CHUNK] __attribute__((aligned(NOVA_CACHE_LINE)));
};

/* A generation is never used twice; after this one the slot is not used again. */
#define SLOT_GENERATION_MAX 0xffffffffu

/* slots_chunk -- the chunk of slots that contains the inode number, NULL if there is none. */
struct slot_chunk *slots_chunk(const struct nova *fs, uint64_t ino);

/* slot_index -- the slot's index in its chunk, from the number alone: a read of the chunk could miss the cache. */
static inline uint32_t slot_index(uint64_t ino)
{
	return (ino - NOVA_PREAMBLE_BLOCKS * (NOVA_BLOCK_SIZE / NOVA_SLOT_SIZE)) % NOVA_SLOTS_PER_CHUNK;
}

/* slots_generation -- the slot's present or last generation. */
uint32_t slots_generation(const struct nova *fs, uint64_t ino);
void slots_set_generation(const struct nova *fs, uint64_t ino, uint32_t generation);

/* slots_add_chunk -- at mount: take note of a chunk of slots, none of them free yet. */
int slots_add_chunk(struct nova *fs, uint64_t first_block);

/* slots_add_free -- at mount: this slot is free. One thread for one chunk. */
void slots_add_free(struct slot_chunk *chunk, uint64_t ino);

/* slots_list -- at mount: list every chunk that has free slots. */
void slots_list(struct nova *fs);

/* slots_take -- take a free slot; makes a new chunk of slots if there is none. -ENOSPC, -ENOMEM. */
int slots_take(struct nova_worker *worker, uint64_t *ino);

/* slots_put -- free a slot; the end of its generation is durable. */
void slots_put(struct nova_worker *worker, uint64_t ino);

/* slots_drain -- return the worker's free slots. */
void slots_drain(struct nova_worker *worker);

/* slots_bytes -- memory of the map of slots. */
uint64_t slots_bytes(const struct nova *fs);

void slots_fini(struct nova *fs);

#endif
