/*
 * host_counts.c -- counts connections or sessions by host.
 */
#include "server/net/host_counts.h"

#include <stdlib.h>

struct host_count {
	struct host_count *next;
	uint64_t key;
	size_t count;
};

static struct host_count **place(const struct host_counts *counts, uint64_t key)
{
	uint64_t bucket = (key * 0x9e3779b97f4a7c15u) >> 32;
	struct host_count **link = (struct host_count **)&counts->buckets[bucket % HOST_COUNTS_BUCKETS];

	while (*link && (*link)->key != key)
		link = &(*link)->next;
	return link;
}

void host_counts_free(struct host_counts *counts)
{
	for (unsigned i = 0; i < HOST_COUNTS_BUCKETS; i++) {
		while (counts->buckets[i]) {
			struct host_count *next = counts->buckets[i]->next;
			free(counts->buckets[i]);
			counts->buckets[i] = next;
		}
	}
}

size_t host_counts_get(const struct host_counts *counts, uint64_t key)
{
	const struct host_count *host = *place(counts, key);

	return host ? host->count : 0;
}

void host_counts_add(struct host_counts *counts, uint64_t key)
{
	struct host_count **link = place(counts, key);

	if (!*link) {
		*link = calloc(1, sizeof(**link));
		if (!*link)
			return;
		(*link)->key = key;
	}
	(*link)->count++;
}

void host_counts_remove(struct host_counts *counts, uint64_t key)
{
	struct host_count **link = place(counts, key), *host = *link;

	if (!host || --host->count > 0)
		return;
	*link = host->next;
	free(host);
}
