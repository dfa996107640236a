/*
 * lease_table.h -- the inodes with leases or with a change under way; for lease.c and the kinds of leases.
 *
 * An entry is there while it has holders or changes, or while sharing forbids leases. It is found and used under the
 * lock of its inode's shard.
 */
#ifndef FARNOVA_SERVER_LEASE_TABLE_H
#define FARNOVA_SERVER_LEASE_TABLE_H

#include "server/state/lease/lease.h"

#include <pthread.h>

#define LEASE_SHARDS  256u
#define LEASE_BUCKETS 64u

struct lease_entry {
	struct lease_entry *next;
	uint64_t ino;
	struct lease_holder *holders; /* of all kinds */
	struct lease_waiter *waiters; /* of all kinds */
	struct {
		unsigned changes;           /* running or waiting */
		int64_t forbidden_until_ms; /* no leases before, because others write; 0 = there never was a recall */
	} kinds[LEASE_KINDS];
};

struct lease_shard {
	pthread_mutex_t lock;
	struct lease_entry *buckets[LEASE_BUCKETS];
	struct lease_entry *free; /* a write of a file without leases makes and ends an entry */
	unsigned free_count;
} __attribute__((aligned(64)));

struct lease_table {
	const struct lease_kind_ops *const *kinds;
	unsigned share_ms;
	struct lease_shard shards[LEASE_SHARDS];
};

struct lease_shard *lease_shard_of(struct lease_table *table, uint64_t ino);

/* lease_entry_find, lease_entry_get -- NULL: there is none; and NULL: no memory to make one. */
struct lease_entry *lease_entry_find(struct lease_shard *shard, uint64_t ino);
struct lease_entry *lease_entry_get(struct lease_shard *shard, uint64_t ino);

/* lease_entry_put -- take the entry out of the table if nothing needs it any more. */
void lease_entry_put(struct lease_shard *shard, struct lease_entry *entry);

#endif
