/*
 * layout_table.c -- the table of inodes with layouts or changes.
 */
#include "server/state/layout/layout_table.h"

#include <stdlib.h>
#include <time.h>

#define MAX_FREE_ENTRIES 64u /* kept by each shard */

int64_t layout_clock_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* ---- entries ---------------------------------------------------------------------------------------------------- */

static uint64_t spread(uint64_t ino)
{
	return (ino * 0x9e3779b97f4a7c15u) >> 40;
}

struct layout_shard *layout_shard_of(struct layout_table *table, uint64_t ino)
{
	return &table->shards[spread(ino) % LAYOUT_SHARDS];
}

static struct layout_entry **bucket_of(struct layout_shard *shard, uint64_t ino)
{
	return &shard->buckets[spread(ino) / LAYOUT_SHARDS % LAYOUT_BUCKETS];
}

struct layout_entry *layout_entry_find(struct layout_shard *shard, uint64_t ino)
{
	struct layout_entry *entry = *bucket_of(shard, ino);

	while (entry && entry->ino != ino)
		entry = entry->next;
	return entry;
}

struct layout_entry *layout_entry_get(struct layout_shard *shard, uint64_t ino)
{
	struct layout_entry *entry = layout_entry_find(shard, ino);

	if (entry)
		return entry;
	entry = shard->free;
	if (entry) {
		shard->free = entry->next;
		shard->free_count--;
	} else {
		entry = malloc(sizeof(*entry));
		if (!entry)
			return NULL;
	}
	struct layout_entry **bucket = bucket_of(shard, ino);
	*entry = (struct layout_entry){.next = *bucket, .ino = ino};
	*bucket = entry;
	return entry;
}

void layout_entry_put(struct layout_shard *shard, struct layout_entry *entry, int64_t now_ms)
{
	if (entry->holders || entry->waiters || entry->changes || entry->forbidden_until_ms > now_ms)
		return;
	struct layout_entry **link = bucket_of(shard, entry->ino);
	while (*link != entry)
		link = &(*link)->next;
	*link = entry->next;
	if (shard->free_count < MAX_FREE_ENTRIES) {
		entry->next = shard->free;
		shard->free = entry;
		shard->free_count++;
	} else {
		free(entry);
	}
}

/* ---- the table -------------------------------------------------------------------------------------------------- */

struct layout_table *layout_table_create(unsigned share_ms)
{
	struct layout_table *table = aligned_alloc(64, sizeof(*table));

	if (!table)
		return NULL;
	table->share_ms = share_ms;
	atomic_init(&table->quarantined_blocks, 0);
	for (unsigned i = 0; i < LAYOUT_SHARDS; i++) {
		table->shards[i] = (struct layout_shard){0};
		pthread_mutex_init(&table->shards[i].lock, NULL);
	}
	return table;
}

static void free_entries(struct layout_entry *entry)
{
	while (entry) {
		struct layout_entry *next = entry->next;
		free(entry);
		entry = next;
	}
}

void layout_table_destroy(struct layout_table *table)
{
	for (unsigned i = 0; i < LAYOUT_SHARDS; i++) {
		for (unsigned b = 0; b < LAYOUT_BUCKETS; b++)
			free_entries(table->shards[i].buckets[b]);
		free_entries(table->shards[i].free);
		pthread_mutex_destroy(&table->shards[i].lock);
	}
	free(table);
}

void layout_sweep(struct layout_table *table, int64_t now_ms)
{
	for (unsigned i = 0; i < LAYOUT_SHARDS; i++) {
		struct layout_shard *shard = &table->shards[i];
		pthread_mutex_lock(&shard->lock);
		for (unsigned b = 0; b < LAYOUT_BUCKETS; b++) {
			for (struct layout_entry *entry = shard->buckets[b], *next; entry; entry = next) {
				next = entry->next;
				layout_entry_put(shard, entry, now_ms);
			}
		}
		pthread_mutex_unlock(&shard->lock);
	}
}
