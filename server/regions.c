/*
 * regions.c -- what of a file a session may READ: the registrations of its blocks, in order of file offset.
 */
#include "server/regions.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

size_t region_find(const struct region_set *set, uint64_t offset)
{
	size_t low = 0, high = set->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (set->items[middle]->offset + set->items[middle]->length <= offset)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

int region_add(struct region_set *set, struct transport_conn *conn, uint8_t *base, uint64_t offset, uint64_t length,
               uint64_t address, struct region **out)
{
	if (set->count == set->capacity) {
		size_t capacity = set->capacity ? set->capacity * 2 : 4;
		struct region **items = realloc(set->items, capacity * sizeof(struct region *));
		if (!items)
			return -ENOMEM;
		set->items = items;
		set->capacity = capacity;
	}
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
	size_t at = region_find(set, offset);
	memmove(&set->items[at + 1], &set->items[at], (set->count - at) * sizeof(struct region *));
	set->items[at] = region;
	set->count++;
	*out = region;
	return 0;
}

struct region *region_take(struct region_set *set, uint64_t offset, uint64_t length)
{
	uint64_t end = length > UINT64_MAX - offset ? UINT64_MAX : offset + length;
	size_t first = region_find(set, offset);
	size_t last = first;
	struct region *list = NULL;

	while (last < set->count && set->items[last]->offset < end) {
		set->items[last]->next = list;
		list = set->items[last++];
	}
	if (last > first) {
		memmove(&set->items[first], &set->items[last], (set->count - last) * sizeof(struct region *));
		set->count -= last - first;
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
	free(set->items);
	*set = (struct region_set){0};
}
