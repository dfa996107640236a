/*
 * layout_table.h -- the inodes with layouts or with a change under way, for layout.c and quarantine.c alone.
 *
 * An entry is there while it has holders or changes, or while sharing forbids layouts. It is found and used under the
 * lock of its inode's shard.
 */
#ifndef FARNOVA_SERVER_LAYOUT_TABLE_H
#define FARNOVA_SERVER_LAYOUT_TABLE_H

#include "server/state/layout/layout.h"

#include <pthread.h>
#include <stdatomic.h>

#define LAYOUT_SHARDS  256u
#define LAYOUT_BUCKETS 64u

struct layout_entry {
	struct layout_entry *next;
	uint64_t ino;
	struct layout_holder *holders;
	struct layout_waiter *waiters;
	unsigned changes;           /* running or waiting */
	int64_t forbidden_until_ms; /* no layouts before: others write */
};

struct layout_shard {
	pthread_mutex_t lock;
	struct layout_entry *buckets[LAYOUT_BUCKETS];
	struct layout_entry *free; /* a write of a file without layouts makes and ends an entry */
	unsigned free_count;
} __attribute__((aligned(64)));

struct layout_table {
	unsigned share_ms;
	atomic_uint_least64_t quarantined_blocks;
	struct layout_shard shards[LAYOUT_SHARDS];
};

struct layout_shard *layout_shard_of(struct layout_table *table, uint64_t ino);

/* layout_entry_find, layout_entry_get -- NULL: there is none; and NULL: no memory to make one. */
struct layout_entry *layout_entry_find(struct layout_shard *shard, uint64_t ino);
struct layout_entry *layout_entry_get(struct layout_shard *shard, uint64_t ino);

/* layout_entry_put -- take the entry out of the table if nothing needs it any more. */
void layout_entry_put(struct layout_shard *shard, struct layout_entry *entry, int64_t now_ms);

/* layout_clock_ms -- a cheap clock, some milliseconds behind. */
int64_t layout_clock_ms(void);

#endif
