/*
 * dir_index.c -- names by hash and in cookie order.
 */
#include "server/nova/dir_index.h"

#include "server/nova/entry.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define FIRST_ENTRIES 4u
#define LARGE_PAGE    (2u << 20)
#define LARGE_FROM    (4u << 20)
#define TABLE_FROM    16u /* fewer are found faster by looking at each */

/* A large array is read at random: with large pages the CPU finds its way to each place in fewer looks. */
static void want_large_pages(void *array, size_t bytes)
{
	uintptr_t first = ((uintptr_t)array + LARGE_PAGE - 1) & ~(uintptr_t)(LARGE_PAGE - 1);
	uintptr_t end = ((uintptr_t)array + bytes) & ~(uintptr_t)(LARGE_PAGE - 1);

	if (bytes >= LARGE_FROM)
		madvise((void *)first, end - first, MADV_HUGEPAGE); /* where it cannot be had nothing is lost */
}

void dir_index_clear(struct dir_index *index)
{
	free(index->entries);
	free(index->table);
	memset(index, 0, sizeof *index);
}

uint64_t dir_index_bytes(const struct dir_index *index)
{
	uint64_t table = index->table ? ((uint64_t)index->table_mask + 1) * sizeof *index->table : 0;

	return index->capacity * sizeof *index->entries + table;
}

static uint64_t mix(uint64_t a, uint64_t b)
{
	unsigned __int128 product = (unsigned __int128)a * b;

	return (uint64_t)product ^ (uint64_t)(product >> 64);
}

uint32_t dir_index_hash(uint64_t seed, const char *name, size_t length)
{
	uint64_t state = seed ^ length * 0x9e3779b97f4a7c15ULL;
	uint64_t word;

	for (; length >= 8; name += 8, length -= 8) {
		memcpy(&word, name, 8);
		state = mix(state ^ word, 0xd6e8feb86659fd93ULL ^ seed);
	}
	word = 0;
	memcpy(&word, name, length);
	state = mix(state ^ word, 0xa0761d6478bd642fULL ^ seed);
	return (uint32_t)(state ^ state >> 32);
}

static int same_name(const struct dir_entry *entry, const uint8_t *base, const char *name, size_t length)
{
	return entry->length == length &&
	       memcmp(base + entry->line * NOVA_LINE_SIZE + ENTRY_NAME_OFFSET, name, length) == 0;
}

struct dir_entry *dir_index_find(const struct dir_index *index, const uint8_t *base, uint32_t hash, const char *name,
                                 size_t length)
{
	if (!index->table) {
		for (uint32_t i = 0; i < index->count; i++) {
			struct dir_entry *entry = &index->entries[i];

			if (entry->hash == hash && entry->line && same_name(entry, base, name, length))
				return entry;
		}
		return NULL;
	}
	for (uint32_t at = hash & index->table_mask; index->table[at]; at = (at + 1) & index->table_mask) {
		struct dir_entry *entry = &index->entries[index->table[at] - 1];

		if (entry->hash == hash && entry->line && same_name(entry, base, name, length))
			return entry;
	}
	return NULL;
}

uint32_t dir_index_after(const struct dir_index *index, uint64_t cookie)
{
	uint32_t low = 0;
	uint32_t high = index->count;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (index->entries[middle].cookie > cookie)
			high = middle;
		else
			low = middle + 1;
	}
	return low;
}

struct dir_entry *dir_index_at(const struct dir_index *index, uint64_t cookie)
{
	uint32_t after = dir_index_after(index, cookie);
	struct dir_entry *entry;

	if (after == 0)
		return NULL;
	entry = &index->entries[after - 1];
	return entry->cookie == cookie && entry->line ? entry : NULL;
}

static void table_add(struct dir_index *index, uint32_t i)
{
	uint32_t at = index->entries[i].hash & index->table_mask;

	while (index->table[at])
		at = (at + 1) & index->table_mask;
	index->table[at] = i + 1;
}

/* Drop the tombstones and give every live entry its place in a table of twice the capacity. */
static void rebuild(struct dir_index *index)
{
	uint32_t kept = 0;

	if (index->table)
		memset(index->table, 0, ((size_t)index->table_mask + 1) * sizeof *index->table);
	for (uint32_t i = 0; i < index->count; i++) {
		if (!index->entries[i].line)
			continue;
		index->entries[kept] = index->entries[i];
		if (index->table)
			table_add(index, kept);
		kept++;
	}
	index->count = kept;
}

int dir_index_reserve(struct dir_index *index, uint32_t more)
{
	uint64_t capacity = index->capacity ? index->capacity : FIRST_ENTRIES;
	struct dir_entry *entries;
	uint32_t *table = NULL;

	if ((uint64_t)index->count + more <= index->capacity)
		return 0;
	/* Packing pays for itself once a quarter of the array is tombstones. */
	if ((uint64_t)index->live + more <= index->capacity - index->capacity / 4) {
		rebuild(index);
		return 0;
	}
	while (capacity < (uint64_t)index->live + more + index->live / 2)
		capacity *= 2;
	if (capacity > 1u << 30)
		return -ENOMEM;
	if (capacity >= TABLE_FROM) {
		table = calloc(capacity * 2, sizeof *table);
		if (!table)
			return -ENOMEM;
		want_large_pages(table, capacity * 2 * sizeof *table);
	}
	entries = realloc(index->entries, capacity * sizeof *entries);
	if (!entries) {
		free(table);
		return -ENOMEM;
	}
	want_large_pages(entries, capacity * sizeof *entries);
	free(index->table);
	index->entries = entries;
	index->capacity = (uint32_t)capacity;
	index->table = table;
	index->table_mask = (uint32_t)(capacity * 2 - 1);
	rebuild(index);
	return 0;
}

void dir_index_add(struct dir_index *index, const struct dir_entry *entry)
{
	index->entries[index->count] = *entry;
	if (index->table)
		table_add(index, index->count);
	index->count++;
	index->live++;
	index->lines += entry_name_lines(entry->length);
}

static int compare_cookies(const void *a, const void *b)
{
	const struct dir_entry *x = a;
	const struct dir_entry *y = b;

	return x->cookie < y->cookie ? -1 : x->cookie > y->cookie;
}

void dir_index_sort(struct dir_index *index)
{
	qsort(index->entries, index->count, sizeof *index->entries, compare_cookies);
	rebuild(index);
}

void dir_index_remove(struct dir_index *index, struct dir_entry *entry)
{
	entry->line = 0;
	index->live--;
	index->lines -= entry_name_lines(entry->length);
}
