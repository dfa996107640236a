/*
 * layout_table.h -- shared by the layouts of all sessions; only for layout.c and quarantine.c.
 */
#ifndef FARNOVA_SERVER_LAYOUT_TABLE_H
#define FARNOVA_SERVER_LAYOUT_TABLE_H

#include "server/state/layout/layout.h"

#include <stdatomic.h>

struct layout_table {
	struct lease_table *leases;
	uint64_t session_blocks;
	atomic_uint_least64_t quarantined_blocks;
	struct shortage shortage;
};

static inline struct layout_owner *layout_owner_of(struct lease_owner *owner)
{
	return (struct layout_owner *)(void *)owner;
}

static inline struct layout_holder *layout_holder_of(struct lease_holder *holder)
{
	return (struct layout_holder *)(void *)holder;
}

#endif
