/*
 * lease_table.c -- the table of inodes with leases or changes.
 */
#include "server/state/lease/lease_table.h"

#include "common/clock.h"

#include <stdlib.h>

#define MAX_FREE_ENTRIES 64u /* kept by each shard */

/* ---- entries ---------------------------------------------------------------------------------------------------- */

static uint64_t spread(uint64_t ino)
{
	return (ino * 0x9e3779b97f4a7c15u) >> 40;
}

struct lease_shard *lease_shard_of(struct lease_table *table, uint64_t ino)
{
	return &table->shards[spread(ino) % LEASE_SHARDS];
}

static struct lease_entry **bucket_of(struct lease_shard *shard, uint64_t ino)
{
	return &shard->buckets[spread(ino) / LEASE_SHARDS % LEASE_BUCKETS];
}

struct lease_entry *lease_entry_find(struct lease_shard *shard, uint64_t ino)
{
	struct lease_entry *entry = *bucket_of(shard, ino);

	while (entry && entry->ino != ino)
		entry = entry->next;
	return entry;
}

struct lease_entry *lease_entry_get(struct lease_shard *shard, uint64_t ino)
{
	struct lease_entry *entry = lease_entry_find(shard, ino);

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
	struct lease_entry **bucket = bucket_of(shard, ino);
	*entry = (struct lease_entry){.next = *bucket, .ino = ino};
	*bucket = entry;
	return entry;
}

static bool is_needed(const struct lease_entry *entry)
{
	if (entry->holders || entry->waiters)
		return true;
	for (unsigned kind = 0; kind < LEASE_KINDS; kind++) {
		if (entry->kinds[kind].changes > 0)
			return true;
		/* The clock is read only if a lease of the inode was ever recalled. */
		if (entry->kinds[kind].forbidden_until_ms > 0 && entry->kinds[kind].forbidden_until_ms > clock_now_ms())
			return true;
	}
	return false;
}

void lease_entry_put(struct lease_shard *shard, struct lease_entry *entry)
{
	if (is_needed(entry))
		return;
	struct lease_entry **link = bucket_of(shard, entry->ino);
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

struct lease_table *lease_table_create(const struct lease_kind_ops *const kinds[LEASE_KINDS], unsigned share_ms)
{
	struct lease_table *table = aligned_alloc(64, sizeof(*table));

	if (!table)
		return NULL;
	table->kinds = kinds;
	table->share_ms = share_ms;
	for (unsigned i = 0; i < LEASE_SHARDS; i++) {
		table->shards[i] = (struct lease_shard){0};
		pthread_mutex_init(&table->shards[i].lock, NULL);
	}
	return table;
}

static void free_entries(struct lease_entry *entry)
{
	while (entry) {
		struct lease_entry *next = entry->next;
		free(entry);
		entry = next;
	}
}

void lease_table_destroy(struct lease_table *table)
{
	for (unsigned i = 0; i < LEASE_SHARDS; i++) {
		for (unsigned b = 0; b < LEASE_BUCKETS; b++)
			free_entries(table->shards[i].buckets[b]);
		free_entries(table->shards[i].free);
		pthread_mutex_destroy(&table->shards[i].lock);
	}
	free(table);
}

void lease_sweep(struct lease_table *table)
{
	for (unsigned i = 0; i < LEASE_SHARDS; i++) {
		struct lease_shard *shard = &table->shards[i];
		pthread_mutex_lock(&shard->lock);
		for (unsigned b = 0; b < LEASE_BUCKETS; b++) {
			for (struct lease_entry *entry = shard->buckets[b], *next; entry; entry = next) {
				next = entry->next;
				lease_entry_put(shard, entry);
			}
		}
		pthread_mutex_unlock(&shard->lock);
	}
}
