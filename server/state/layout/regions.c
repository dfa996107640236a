/*
 * regions.c -- the registrations of a file's blocks for READs by one session, in order of file offset.
 */
#include "server/state/layout/regions.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* The first chunk whose number is `number` or greater: its index, set->count if there is none. */
static size_t find_chunk(const struct region_set *set, uint64_t number)
{
	size_t low = 0, high = set->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (set->chunks[middle].number < number)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* The first region of the chunk that ends after `offset`: its index, chunk->count if there is none. */
static uint32_t find_item(const struct region_chunk *chunk, uint64_t offset)
{
	uint32_t low = 0, high = chunk->count;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		if (chunk->items[middle]->offset + chunk->items[middle]->length <= offset)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

struct region *region_next(const struct region_set *set, uint64_t offset, uint64_t end)
{
	for (size_t c = find_chunk(set, offset / REGION_CHUNK); c < set->count; c++) {
		const struct region_chunk *chunk = &set->chunks[c];
		if (chunk->number * REGION_CHUNK >= end)
			return NULL;
		uint32_t i = find_item(chunk, offset);
		if (i < chunk->count)
			return chunk->items[i]->offset < end ? chunk->items[i] : NULL;
	}
	return NULL;
}

/* Find or create the chunk of this number; NULL: no memory. */
static struct region_chunk *get_chunk(struct region_set *set, uint64_t number)
{
	size_t at = find_chunk(set, number);

	if (at < set->count && set->chunks[at].number == number)
		return &set->chunks[at];
	if (set->count == set->capacity) {
		size_t capacity = set->capacity ? set->capacity * 2 : 1;
		struct region_chunk *chunks = realloc(set->chunks, capacity * sizeof(*chunks));
		if (!chunks)
			return NULL;
		set->chunks = chunks;
		set->capacity = capacity;
	}
	memmove(&set->chunks[at + 1], &set->chunks[at], (set->count - at) * sizeof(set->chunks[0]));
	set->chunks[at] = (struct region_chunk){.number = number};
	set->count++;
	return &set->chunks[at];
}

static bool has_room(struct region_chunk *chunk)
{
	if (chunk->count < chunk->capacity)
		return true;
	uint32_t capacity = chunk->capacity ? chunk->capacity * 4 : 1;
	struct region **items = realloc(chunk->items, capacity * sizeof(*items));
	if (!items)
		return false;
	chunk->items = items;
	chunk->capacity = capacity;
	return true;
}

int region_add(struct region_set *set, struct transport_conn *conn, uint8_t *base, uint64_t offset, uint64_t length,
               uint64_t address, struct region **out)
{
	struct region_chunk *chunk = get_chunk(set, offset / REGION_CHUNK);
	if (!chunk || !has_room(chunk))
		return -ENOMEM;
	struct region *region = malloc(sizeof(*region));
	if (!region)
		return -ENOMEM;
	*region = (struct region){.offset = offset, .length = length, .address = address};
	int rc =
	    transport_register(conn, base + address, length, address, TRANSPORT_REMOTE_READ, &region->registration);
	if (rc < 0) {
		free(region);
		return rc;
	}
	uint32_t at = find_item(chunk, offset);
	memmove(&chunk->items[at + 1], &chunk->items[at], (chunk->count - at) * sizeof(struct region *));
	chunk->items[at] = region;
	chunk->count++;
	*out = region;
	return 0;
}

struct region *region_take(struct region_set *set, uint64_t offset, uint64_t length)
{
	uint64_t end = length > UINT64_MAX - offset ? UINT64_MAX : offset + length;
	struct region *list = NULL;

	/* An empty chunk stays for later registrations. */
	for (size_t c = find_chunk(set, offset / REGION_CHUNK); c < set->count; c++) {
		struct region_chunk *chunk = &set->chunks[c];
		if (chunk->number * REGION_CHUNK >= end)
			break;
		uint32_t first = find_item(chunk, offset);
		uint32_t last = first;
		while (last < chunk->count && chunk->items[last]->offset < end) {
			chunk->items[last]->next = list;
			list = chunk->items[last++];
		}
		memmove(&chunk->items[first], &chunk->items[last], (chunk->count - last) * sizeof(struct region *));
		chunk->count -= last - first;
	}
	return list;
}

size_t region_end_list(struct region *list, bool connected)
{
	size_t count = 0;

	while (list) {
		struct region *next = list->next;
		if (connected)
			transport_deregister(list->registration);
		free(list);
		list = next;
		count++;
	}
	return count;
}

void region_set_free(struct region_set *set)
{
	for (size_t c = 0; c < set->count; c++)
		free(set->chunks[c].items);
	free(set->chunks);
	*set = (struct region_set){0};
}
