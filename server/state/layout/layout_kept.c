/*
 * layout_kept.c -- keep freed blocks from being used again while READs of them may be under way.
 */
#include "server/state/layout/layout_kept.h"

#include "common/log.h"
#include "server/state/layout/layout_table.h"

#include <stdlib.h>

/* Blocks that several sessions' READs keep: the last to go frees them. */
struct kept_shared {
	atomic_uint refs;
};

struct kept {
	struct kept *next;
	uint64_t number;
	int64_t since_ms;
	nova_block first;
	uint64_t count; /* 0: only regions */
	struct kept_shared *shared;
	struct region *regions;
};

static _Thread_local const struct layout_change *running;

void kept_set_change(const struct layout_change *change)
{
	running = change;
}

uint64_t layout_kept_blocks(const struct layout_table *table)
{
	return atomic_load_explicit(&table->kept_blocks, memory_order_relaxed);
}

/* ---- one -------------------------------------------------------------------------------------------------------- */

static struct kept *make(uint64_t number)
{
	struct kept *kept = malloc(sizeof(*kept));

	if (kept)
		*kept = (struct kept){.number = number, .since_ms = layout_clock_ms()};
	return kept;
}

static void release(struct layout_owner *owner, struct kept *kept)
{
	if (kept->count > 0) {
		bool last =
		    !kept->shared || atomic_fetch_sub_explicit(&kept->shared->refs, 1, memory_order_acq_rel) == 1;
		if (last) {
			free(kept->shared);
			atomic_fetch_sub_explicit(&owner->table->kept_blocks, kept->count, memory_order_relaxed);
			nova_free_blocks(owner->nova, kept->first, kept->count);
		}
	}
	free(kept);
}

static void append(struct layout_owner *owner, struct kept *kept)
{
	kept->next = NULL;
	if (owner->kept_last)
		owner->kept_last->next = kept;
	else
		owner->kept_first = kept;
	owner->kept_last = kept;
	owner->kept_blocks += kept->count;
}

/* One change frees runs in a row: adjacent ones become one. */
static bool extend(struct layout_owner *owner, uint64_t number, nova_block first, uint64_t count)
{
	struct kept *last = owner->kept_last;

	if (!last || last->number != number || last->shared || last->count == 0 ||
	    last->first.n + last->count != first.n)
		return false;
	last->count += count;
	owner->kept_blocks += count;
	return true;
}

/* ---- keep ------------------------------------------------------------------------------------------------------- */

/* The session itself learns of its own change by the reply, under the change's number; others by when they go. */
static bool by_own_change(const struct layout_holder *holder)
{
	return running && running->own == holder;
}

static bool keep_for(struct layout_holder *holder, nova_block first, uint64_t count, struct kept_shared *shared)
{
	bool own = by_own_change(holder);

	if (own && !shared && extend(holder->owner, running->number, first, count))
		return true;
	struct kept *kept = make(own ? running->number : 0);
	if (!kept)
		return false;
	kept->first = first;
	kept->count = count;
	kept->shared = shared;
	if (own) {
		append(holder->owner, kept);
	} else {
		kept->next = holder->kept;
		holder->kept = kept;
	}
	return true;
}

/*
 * Every holder still in the entry may have READs of the blocks in flight. At a change those are the session's own
 * layout and LEAVING ones: all others have returned. At the death of an inode they are LEAVING ones.
 */
bool layout_keep_blocks(void *context, nova_ino ino, nova_block first, uint64_t count)
{
	struct layout_table *table = context;
	struct layout_shard *shard = layout_shard_of(table, ino.n);
	unsigned holders = 0;
	bool kept_all = true;

	pthread_mutex_lock(&shard->lock);
	struct layout_entry *entry = layout_entry_find(shard, ino.n);
	for (struct layout_holder *h = entry ? entry->holders : NULL; h; h = h->next_of_entry)
		holders++;
	if (holders > 0) {
		struct kept_shared *shared = holders > 1 ? malloc(sizeof(*shared)) : NULL;
		kept_all = holders == 1 || shared;
		if (shared)
			atomic_init(&shared->refs, holders);
		for (struct layout_holder *h = entry->holders; h && kept_all; h = h->next_of_entry)
			kept_all = keep_for(h, first, count, shared);
		atomic_fetch_add_explicit(&table->kept_blocks, count, memory_order_relaxed);
	}
	pthread_mutex_unlock(&shard->lock);

	/* References that were not handed out are never dropped: the blocks stay away until the next mount
	 * finds them. */
	if (!kept_all)
		log_error("layout", "out of memory: %llu freed blocks stay unused until the next mount",
		          (unsigned long long)count);
	return holders > 0;
}

bool kept_regions(struct layout_owner *owner, uint64_t number, struct region *list)
{
	struct kept *kept = make(number);

	if (!kept)
		return false;
	kept->regions = list;
	append(owner, kept);
	return true;
}

/* ---- let go ----------------------------------------------------------------------------------------------------- */

void kept_release_until(struct layout_owner *owner, uint64_t quiesced)
{
	/* A change's blocks stand before the regions that cover them: all registrations end before any block
	 * is free. */
	for (struct kept *kept = owner->kept_first; kept && kept->number <= quiesced; kept = kept->next) {
		owner->regions -= region_end_list(kept->regions, owner->connected);
		kept->regions = NULL;
	}
	while (owner->kept_first && owner->kept_first->number <= quiesced) {
		struct kept *kept = owner->kept_first;
		owner->kept_first = kept->next;
		if (!owner->kept_first)
			owner->kept_last = NULL;
		owner->kept_blocks -= kept->count;
		release(owner, kept);
	}
}

void kept_release_all(struct layout_owner *owner, struct kept *list)
{
	while (list) {
		struct kept *next = list->next;

		release(owner, list);
		list = next;
	}
}

int64_t kept_since(const struct layout_owner *owner)
{
	return owner->kept_first ? owner->kept_first->since_ms : INT64_MAX;
}

void kept_forgive(struct layout_owner *owner, int64_t late_ms)
{
	for (struct kept *kept = owner->kept_first; kept; kept = kept->next)
		kept->since_ms += late_ms;
}
