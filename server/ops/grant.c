/*
 * grant.c -- grants extents to a client and registers their blocks.
 */
#include "server/ops/grant.h"

#include "common/log.h"
#include "server/net/conn.h"
#include "server/ops/request.h"
#include "server/state/session.h"
#include "server/state/state.h"

#include <errno.h>
#include <string.h>

#define BLOCK           4096u
#define MAP_AT_A_TIME   64
/* Registering costs tens of microseconds with verbs and little over TCP. */
#define WINDOW_VERBS    (4ull * REGION_CHUNK)
#define WINDOW_TCP      (64ull * REGION_CHUNK)
#define OPEN_WINDOW_TCP (4ull * REGION_CHUNK)

uint64_t extent_window(const struct request *rq)
{
	bool verbs = transport_conn_kind(rq->conn->transport) == TRANSPORT_VERBS;

	if (rq->in->op == PROTO_LAYOUT_GET)
		return verbs ? WINDOW_VERBS : WINDOW_TCP;
	return verbs ? REGION_CHUNK : OPEN_WINDOW_TCP;
}

/* The list of extents being made. */
struct list {
	struct request *rq;
	struct layout_holder *holder;
	struct proto_extent *extents;
	uint32_t count, max;
	uint64_t at; /* the list has extents up to this offset in the file */
};

static void add_extent(struct list *list, uint64_t offset, uint64_t length, uint64_t address, uint64_t key)
{
	list->extents[list->count++] =
	    (struct proto_extent){.offset = offset, .length = length, .address = address, .key = key};
	list->at = offset + length;
}

static void add_region(struct list *list, const struct region *region)
{
	uint64_t skip = list->at > region->offset ? list->at - region->offset : 0;

	add_extent(list, region->offset + skip, region->length - skip, region->address + skip,
	           transport_region_key(region->registration));
}

static void log_registration_error(struct request *rq, int rc)
{
	conn_log_peer_error(rq->conn, "a registration for one-sided reads",
	                    rc == -ENOMEM
	                        ? "out of memory to pin: raise the memlock limit (ulimit -l) or lower max_regions"
	                        : strerror(-rc));
}

/* Register [offset, offset + length) of the file, which is at `address` in the pool, up to the end of the chunk. */
static struct region *make_region(struct list *list, uint64_t offset, uint64_t length, uint64_t address)
{
	struct request *rq = list->rq;
	struct layout_owner *owner = &rq->session->layouts;
	struct region *region;
	uint64_t chunk_end = (offset / REGION_CHUNK + 1) * REGION_CHUNK;

	if (!layout_room(owner, list->holder))
		return NULL;
	if (length > chunk_end - offset)
		length = chunk_end - offset;
	int rc = region_add(&list->holder->regions, rq->conn->transport, rq->shared->pm->base, offset, length, address,
	                    &region);
	if (rc < 0) {
		log_registration_error(rq, rc);
		return NULL;
	}
	owner->regions++;
	return region;
}

/*
 * Add one extent of the file to the list: with its present registrations, and with new ones for the gaps between them.
 * False when nothing more can be added.
 */
static bool add_file_extent(struct list *list, const struct nova_extent *extent)
{
	const struct region_set *set = &list->holder->regions;
	uint64_t end = extent->offset + extent->length;

	if (list->at < extent->offset)
		list->at = extent->offset;
	if (extent->block.n == 0) {
		if (list->at < end && list->count < list->max)
			add_extent(list, list->at, end - list->at, 0, 0);
		return list->at >= end;
	}
	while (list->at < end) {
		if (list->count == list->max)
			return false;
		struct region *next = region_next(set, list->at, end);
		uint64_t gap_end = next ? next->offset : end;
		struct region *region = gap_end > list->at
		                            ? make_region(list, list->at, gap_end - list->at,
		                                          extent->block.n * BLOCK + (list->at - extent->offset))
		                            : next;
		if (!region)
			return false;
		add_region(list, region);
	}
	return true;
}

int grant_extents(struct request *rq, struct layout_holder *holder, uint64_t offset, uint64_t length,
                  struct proto_extent *extents, uint32_t max, uint64_t *size)
{
	struct list list = {.rq = rq, .holder = holder, .extents = extents, .max = max, .at = offset / BLOCK * BLOCK};
	uint64_t end = offset + length;
	struct nova_extent found[MAP_AT_A_TIME];
	struct nova_attr attr;
	bool more = true;

	*size = 0;
	while (more && list.at < end) {
		uint64_t from = list.at;
		int count = nova_map(&rq->call, core_handle(holder->lease.handle), from, end - from, found,
		                     MAP_AT_A_TIME, &attr);
		/* Without any extent the reply must not grant a layout: it would mean that the file is empty. */
		if (count < 0 && list.count == 0)
			return count;
		if (count < 0)
			break;
		*size = attr.size;
		for (int i = 0; i < count && more; i++)
			more = add_file_extent(&list, &found[i]);
		more = more && count == MAP_AT_A_TIME && list.at > from;
	}
	return (int)list.count;
}
