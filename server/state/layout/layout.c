/*
 * layout.c -- layouts: leases of a file's extents, with registrations and quarantine.
 */
#include "server/state/layout/layout.h"

#include "common/clock.h"
#include "server/state/layout/layout_table.h"
#include "server/state/layout/quarantine.h"
#include "server/state/lease/lease_table.h"

#include <errno.h>
#include <stdlib.h>

#define QUIESCE_AFTER_MS 100 /* how long blocks are quarantined before the session is asked */

/* ---- the kind of lease ------------------------------------------------------------------------------------------ */

static void on_recall(struct lease_holder *lease)
{
	struct layout_holder *holder = layout_holder_of(lease);

	holder->retired = region_take(&holder->regions, 0, UINT64_MAX);
	region_set_free(&holder->regions);
}

static void on_end(struct lease_owner *lease, struct lease_holder *lease_holder)
{
	struct layout_owner *owner = layout_owner_of(lease);
	struct layout_holder *holder = layout_holder_of(lease_holder);

	owner->regions -= region_end_list(holder->retired, lease->connected);
	owner->regions -= region_end_list(region_take(&holder->regions, 0, UINT64_MAX), lease->connected);
	region_set_free(&holder->regions);
}

static void on_gone(struct lease_owner *lease, struct lease_holder *lease_holder)
{
	quarantine_release_all(layout_owner_of(lease), layout_holder_of(lease_holder)->quarantined);
}

static const struct lease_kind_ops layout_kind = {
    .holder_size = sizeof(struct layout_holder),
    .on_recall = on_recall,
    .on_end = on_end,
    .on_gone = on_gone,
};

struct layout_table *layout_table_create(unsigned share_ms, uint64_t session_blocks)
{
	static const struct lease_kind_ops *const kinds[LEASE_KINDS] = {[LEASE_DATA] = &layout_kind};
	struct layout_table *table = malloc(sizeof(*table));

	if (!table)
		return NULL;
	table->session_blocks = session_blocks;
	atomic_init(&table->quarantined_blocks, 0);
	shortage_init(&table->shortage);
	table->leases = lease_table_create(kinds, share_ms);
	if (!table->leases) {
		shortage_destroy(&table->shortage);
		free(table);
		return NULL;
	}
	return table;
}

void layout_table_destroy(struct layout_table *table)
{
	lease_table_destroy(table->leases);
	shortage_destroy(&table->shortage);
	free(table);
}

void layout_sweep(struct layout_table *table)
{
	lease_sweep(table->leases);
}

/* ---- owners ----------------------------------------------------------------------------------------------------- */

static void on_quiesced(struct lease_owner *owner, uint64_t number)
{
	quarantine_release_until(layout_owner_of(owner), number);
	if (owner->connected)
		shortage_answered(&layout_owner_of(owner)->table->shortage, &layout_owner_of(owner)->debtor, number);
}

void layout_owner_init(struct layout_owner *owner, struct layout_table *table)
{
	*owner = (struct layout_owner){.table = table};
	lease_owner_init(&owner->lease, table->leases);
	owner->lease.on_quiesced = on_quiesced;
}

static bool anything_waits(const struct layout_owner *owner)
{
	return owner->quarantine_first || owner->lease.returning.first;
}

void layout_request_quiesce(struct layout_owner *owner)
{
	if (anything_waits(owner))
		lease_request_quiesce(&owner->lease);
}

void layout_demand_quiesce(struct layout_owner *owner)
{
	if (!anything_waits(owner) || owner->demanded > owner->lease.quiesced)
		return;
	owner->demanded = owner->lease.invalidation_issued;
	owner->demanded_issued_ms = owner->demanded_since_ms = clock_now_ms();
	layout_request_quiesce(owner);
}

/* The time of the oldest change, or invalidation, that the session has not quiesced. */
static int64_t waits_since(const struct layout_owner *owner)
{
	const struct lease_holder *oldest = owner->lease.returning.first;
	int64_t since = quarantine_since(owner);

	return oldest && oldest->since_ms < since ? oldest->since_ms : since;
}

void layout_space_short(struct layout_table *table)
{
	shortage_note(&table->shortage);
}

void layout_ask_for_space(struct layout_owner *owner, int64_t now_ms)
{
	if (!anything_waits(owner) || atomic_load_explicit(&owner->quarantined_blocks, memory_order_relaxed) == 0)
		return;
	if (shortage_ask(&owner->table->shortage, &owner->debtor, owner->lease.invalidation_issued, waits_since(owner),
	                 now_ms))
		layout_request_quiesce(owner);
}

const struct debtor *layout_due(struct layout_table *table, int64_t now_ms, int64_t recall_ms)
{
	return shortage_due(&table->shortage, now_ms, recall_ms);
}

bool layout_is_full(const struct layout_owner *owner)
{
	return atomic_load_explicit(&owner->quarantined_blocks, memory_order_relaxed) >= owner->table->session_blocks;
}

/* Whether the session's answer is overdue. The time counts from the request for this number, not an earlier one. */
static bool is_overdue(const struct layout_owner *owner, int64_t now_ms, int64_t recall_ms, int64_t lease_ms,
                       int64_t since)
{
	if (owner->demanded > owner->lease.quiesced && now_ms - owner->demanded_since_ms > recall_ms)
		return true;
	return now_ms - since > lease_ms + 2 * QUIESCE_AFTER_MS;
}

int layout_tick(struct layout_owner *owner, int64_t now_ms, int64_t recall_ms, int64_t lease_ms)
{
	if (!anything_waits(owner))
		return 0;
	if (lease_tick(&owner->lease, now_ms, recall_ms) < 0)
		return -ETIMEDOUT;
	int64_t since = waits_since(owner);

	if (layout_is_full(owner))
		layout_demand_quiesce(owner);
	else if (now_ms - since > QUIESCE_AFTER_MS)
		layout_request_quiesce(owner);
	if (!is_overdue(owner, now_ms, recall_ms, lease_ms, since))
		return 0;
	penalty_unanswered(&owner->lease.penalty, now_ms);
	return -ETIMEDOUT;
}

void layout_extend(struct layout_owner *owner, int64_t late_ms, int64_t most_ms)
{
	owner->demanded_since_ms += late_ms;
	if (owner->demanded_since_ms > owner->demanded_issued_ms + most_ms)
		owner->demanded_since_ms = owner->demanded_issued_ms + most_ms;
	shortage_extend(&owner->table->shortage, &owner->debtor, late_ms, most_ms);
	quarantine_extend(owner, late_ms, most_ms);
	lease_extend(&owner->lease, late_ms, most_ms);
}

void layout_owner_end(struct layout_owner *owner)
{
	lease_owner_end(&owner->lease);
	shortage_ended(&owner->table->shortage, &owner->debtor);
	owner->regions = 0;
}

/* ---- grants ----------------------------------------------------------------------------------------------------- */

int layout_grant(struct layout_owner *owner, struct proto_handle handle, struct layout_holder **out)
{
	struct lease_holder *holder;

	int rc = lease_grant(&owner->lease, LEASE_DATA, handle, &holder);
	if (rc == 0)
		*out = layout_holder_of(holder);
	return rc;
}

bool layout_room(struct layout_owner *owner, const struct layout_holder *holder)
{
	if (owner->regions < owner->max_regions)
		return true;
	/* Full: recall the least recently used layout; its regions are free when the session has quiesced. */
	struct lease_holder *victim = owner->lease.holding.last;
	if (victim && victim != &holder->lease && !owner->lease.returning.first)
		lease_recall(victim);
	return false;
}

void layout_file_closed(struct layout_owner *owner, struct proto_handle handle)
{
	lease_give_up(&owner->lease, LEASE_DATA, handle);
}

/* ---- changes ---------------------------------------------------------------------------------------------------- */

int layout_change_begin(struct layout_owner *owner, struct proto_handle handle, bool drop_own,
                        struct lease_waiter *waiter, struct layout_change *change)
{
	int rc = lease_change_begin(&owner->lease, LEASE_DATA, handle, drop_own, waiter, &change->lease);

	change->own = change->lease.own ? layout_holder_of(change->lease.own) : NULL;
	return rc;
}

void layout_change_go(struct lease_waiter *waiter, bool drop_own, struct layout_change *change)
{
	lease_change_go(waiter, drop_own, &change->lease);
	change->own = change->lease.own ? layout_holder_of(change->lease.own) : NULL;
}

/* Regions that touch the range: their registrations end when the session has quiesced this change's number. */
static void retire_regions(struct layout_change *change, uint64_t offset, uint64_t length, struct layout_effect *effect)
{
	struct layout_owner *owner = layout_owner_of(change->lease.owner);
	struct region *list = region_take(&change->own->regions, offset, length);
	uint64_t end = offset + length;

	effect->offset = offset;
	for (struct region *r = list; r; r = r->next) {
		if (r->offset < effect->offset)
			effect->offset = r->offset;
		if (r->offset + r->length > end)
			end = r->offset + r->length;
	}
	effect->length = end - effect->offset;
	if (!list || quarantine_regions(owner, change->lease.number, list))
		return;
	/* No memory for a record of them: end them now. A READ in flight there ends the connection, which is safe. */
	owner->regions -= region_end_list(list, owner->lease.connected);
}

void layout_change_end(struct layout_change *change, uint64_t offset, uint64_t length, struct layout_effect *effect)
{
	*effect = (struct layout_effect){.holder = change->own};
	if (change->own && length > 0)
		retire_regions(change, offset, length, effect);
	lease_change_end(&change->lease);
}
