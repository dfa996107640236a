/*
 * quarantine.c -- keeps freed blocks from being reused while READs of them may be in flight.
 */
#include "server/state/layout/quarantine.h"

#include "common/clock.h"
#include "common/log.h"
#include "server/state/layout/layout_table.h"
#include "server/state/lease/lease_table.h"

#include <stdlib.h>

/* Blocks that wait for several sessions: the last session to quiesce frees them. */
struct quarantine_shared {
	atomic_uint refs;
};

struct quarantined {
	struct quarantined *next;
	uint64_t number;
	int64_t freed_ms;
	int64_t since_ms; /* the same, plus the time in which the server could not run */
	nova_block first;
	uint64_t count;   /* 0: only regions */
	uint32_t project; /* to which they are charged, 0 = none */
	struct quarantine_shared *shared;
	struct region *regions;
};

uint64_t layout_quarantined_blocks(const struct layout_table *table)
{
	return atomic_load_explicit(&table->quarantined_blocks, memory_order_relaxed);
}

/* ---- one -------------------------------------------------------------------------------------------------------- */

static struct quarantined *make(uint64_t number)
{
	struct quarantined *run = malloc(sizeof(*run));

	if (run) {
		*run = (struct quarantined){.number = number, .freed_ms = clock_now_ms()};
		run->since_ms = run->freed_ms;
	}
	return run;
}

static void release(struct layout_owner *owner, struct quarantined *run)
{
	if (run->count > 0) {
		atomic_fetch_sub_explicit(&owner->quarantined_blocks, run->count, memory_order_relaxed);
		if (run->project)
			atomic_fetch_sub_explicit(&owner->charged_blocks, run->count, memory_order_relaxed);
		bool last = !run->shared || atomic_fetch_sub_explicit(&run->shared->refs, 1, memory_order_acq_rel) == 1;
		if (last) {
			free(run->shared);
			atomic_fetch_sub_explicit(&owner->table->quarantined_blocks, run->count, memory_order_relaxed);
			nova_free_blocks(owner->nova, run->first, run->count, run->project);
		}
	}
	free(run);
}

static void append(struct layout_owner *owner, struct quarantined *run)
{
	run->next = NULL;
	if (owner->quarantine_last)
		owner->quarantine_last->next = run;
	else
		owner->quarantine_first = run;
	owner->quarantine_last = run;
}

/* One change may free adjacent runs one after the other: they become one. */
static bool extend(struct layout_owner *owner, uint64_t number, nova_block first, uint64_t count)
{
	struct quarantined *last = owner->quarantine_last;

	if (!last || last->number != number || last->shared || last->count == 0 ||
	    last->first.n + last->count != first.n)
		return false;
	last->count += count;
	return true;
}

/* ---- keep ------------------------------------------------------------------------------------------------------- */

/* The changing session gets the change's number with its reply; for other holders, the blocks wait until they end. */
static bool keep_for(struct layout_holder *holder, const struct nova_freed *freed, uint32_t project,
                     struct quarantine_shared *shared)
{
	const struct layout_change *change = freed->change;
	struct layout_owner *owner = layout_owner_of(holder->lease.owner);
	bool own = change && change->own == holder;

	atomic_fetch_add_explicit(&owner->quarantined_blocks, freed->count, memory_order_relaxed);
	if (project)
		atomic_fetch_add_explicit(&owner->charged_blocks, freed->count, memory_order_relaxed);
	if (own && !shared && extend(owner, change->lease.number, freed->first, freed->count))
		return true;
	struct quarantined *run = make(own ? change->lease.number : 0);
	if (!run)
		return false;
	run->first = freed->first;
	run->count = freed->count;
	run->project = project;
	run->shared = shared;
	if (own) {
		append(owner, run);
	} else {
		run->next = holder->quarantined;
		holder->quarantined = run;
	}
	return true;
}

/*
 * Every holder still in the entry may have READs of the blocks in flight. At a change these are the session's own
 * layout and LEAVING ones: all others have returned. When an inode is freed, they are LEAVING ones.
 */
enum nova_quarantine layout_quarantine_blocks(void *context, const struct nova_freed *freed)
{
	struct layout_table *table = context;
	struct lease_shard *shard = lease_shard_of(table->leases, freed->ino.n);
	const struct layout_change *change = freed->change;
	unsigned holders = 0;
	bool complete = true, by_holder = false;

	pthread_mutex_lock(&shard->lock);
	struct lease_entry *entry = lease_entry_find(shard, freed->ino.n);
	for (struct lease_holder *h = entry ? entry->holders : NULL; h; h = h->next_of_entry) {
		if (h->kind != LEASE_DATA)
			continue;
		holders++;
		by_holder = by_holder || (change && change->lease.owner == h->owner);
	}
	/* A session that frees blocks but delays their reuse keeps being charged for them. */
	uint32_t project = by_holder ? freed->project : 0;
	if (holders > 0) {
		struct quarantine_shared *shared = holders > 1 ? malloc(sizeof(*shared)) : NULL;
		complete = holders == 1 || shared;
		if (shared)
			atomic_init(&shared->refs, holders);
		for (struct lease_holder *h = entry->holders; h && complete; h = h->next_of_entry) {
			if (h->kind == LEASE_DATA)
				complete = keep_for(layout_holder_of(h), freed, project, shared);
		}
		atomic_fetch_add_explicit(&table->quarantined_blocks, freed->count, memory_order_relaxed);
	}
	pthread_mutex_unlock(&shard->lock);

	/* References that were not handed out are never dropped: the blocks stay away until the next mount
	 * finds them. */
	if (!complete)
		log_error("layout", "out of memory: %llu freed blocks stay unused until the next mount",
		          (unsigned long long)freed->count);
	if (holders == 0)
		return NOVA_FREE;
	return project ? NOVA_QUARANTINE_CHARGED : NOVA_QUARANTINE;
}

bool quarantine_regions(struct layout_owner *owner, uint64_t number, struct region *list)
{
	struct quarantined *run = make(number);

	if (!run)
		return false;
	run->regions = list;
	append(owner, run);
	return true;
}

/* ---- let go ----------------------------------------------------------------------------------------------------- */

void quarantine_release_until(struct layout_owner *owner, uint64_t quiesced)
{
	/* In the list a change's blocks come before the regions that cover them: all registrations must end
	 * before any block is freed. */
	for (struct quarantined *run = owner->quarantine_first; run && run->number <= quiesced; run = run->next) {
		owner->regions -= region_end_list(run->regions, owner->lease.connected);
		run->regions = NULL;
	}
	while (owner->quarantine_first && owner->quarantine_first->number <= quiesced) {
		struct quarantined *run = owner->quarantine_first;
		owner->quarantine_first = run->next;
		if (!owner->quarantine_first)
			owner->quarantine_last = NULL;
		release(owner, run);
	}
}

void quarantine_release_all(struct layout_owner *owner, struct quarantined *list)
{
	while (list) {
		struct quarantined *next = list->next;

		release(owner, list);
		list = next;
	}
}

int64_t quarantine_since(const struct layout_owner *owner)
{
	return owner->quarantine_first ? owner->quarantine_first->since_ms : INT64_MAX;
}

void quarantine_extend(struct layout_owner *owner, int64_t late_ms, int64_t most_ms)
{
	for (struct quarantined *run = owner->quarantine_first; run; run = run->next) {
		run->since_ms += late_ms;
		if (run->since_ms > run->freed_ms + most_ms)
			run->since_ms = run->freed_ms + most_ms;
	}
}
