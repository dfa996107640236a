/*
 * host_counts.h -- counts connections or sessions by host. Not thread safe: the caller has a lock.
 */
#ifndef FARNOVA_SERVER_HOST_COUNTS_H
#define FARNOVA_SERVER_HOST_COUNTS_H

#include <stddef.h>
#include <stdint.h>

#define HOST_COUNTS_BUCKETS 1024u

struct host_count;

/* Initially zeros. */
struct host_counts {
	struct host_count *buckets[HOST_COUNTS_BUCKETS];
};

void host_counts_free(struct host_counts *counts);

/* host_counts_get -- the count of the host `key` (transport_host). host_counts_add -- one more; without memory it is
 * not counted. host_counts_remove -- one less. */
size_t host_counts_get(const struct host_counts *counts, uint64_t key);
void host_counts_add(struct host_counts *counts, uint64_t key);
void host_counts_remove(struct host_counts *counts, uint64_t key);

#endif
