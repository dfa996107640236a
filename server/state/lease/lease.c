/*
 * lease.c -- holders, grants, recalls and changes. lease.h has the invariants.
 */
#include "server/state/lease/lease.h"

#include "common/clock.h"
#include "server/state/lease/lease_table.h"

#include <errno.h>
#include <stdlib.h>

#define MAX_RETURNING 4096u /* with so many leases to return a session is granted no more */

/* ---- holders ---------------------------------------------------------------------------------------------------- */

static bool is_active(const struct lease_holder *holder)
{
	return holder->state != LEASE_LEAVING;
}

/* Whether a session other than `owner` may still use the lease. */
static bool held_by_others(const struct lease_entry *entry, enum lease_kind kind, const struct lease_owner *owner)
{
	for (const struct lease_holder *h = entry->holders; h; h = h->next_of_entry) {
		if (h->kind == kind && h->owner != owner && is_active(h))
			return true;
	}
	return false;
}

static struct lease_holder *own_holder(const struct lease_entry *entry, enum lease_kind kind,
                                       const struct lease_owner *owner)
{
	struct lease_holder *h = entry->holders;

	while (h && (h->kind != kind || h->owner != owner || !is_active(h)))
		h = h->next_of_entry;
	return h;
}

static void wake_waiters(struct lease_entry *entry)
{
	struct lease_waiter **link = &entry->waiters;

	while (*link) {
		struct lease_waiter *waiter = *link;
		if (held_by_others(entry, waiter->kind, waiter->owner)) {
			link = &waiter->next;
			continue;
		}
		*link = waiter->next;
		waiter->posted = true;
		mailbox_post(waiter->owner->mailbox, &waiter->mail);
	}
}

static void list_push_front(struct lease_list *list, struct lease_holder *holder)
{
	holder->previous = NULL;
	holder->next = list->first;
	if (list->first)
		list->first->previous = holder;
	else
		list->last = holder;
	list->first = holder;
	list->count++;
}

static void list_push_back(struct lease_list *list, struct lease_holder *holder)
{
	holder->next = NULL;
	holder->previous = list->last;
	if (list->last)
		list->last->next = holder;
	else
		list->first = holder;
	list->last = holder;
	list->count++;
}

static void list_remove(struct lease_list *list, struct lease_holder *holder)
{
	if (holder->previous)
		holder->previous->next = holder->next;
	else
		list->first = holder->next;
	if (holder->next)
		holder->next->previous = holder->previous;
	else
		list->last = holder->previous;
	list->count--;
}

static const struct lease_kind_ops *ops_of(const struct lease_owner *owner, const struct lease_holder *holder)
{
	return owner->table->kinds[holder->kind];
}

/*
 * Under the shard's lock: issue the invalidation of the session's lease, with the next number. The list `returning` is
 * in order of numbers since numbers only grow.
 */
static void start_return(struct lease_holder *holder, enum lease_state state)
{
	struct lease_owner *owner = holder->owner;

	list_remove(&owner->holding, holder);
	holder->state = state;
	holder->number = ++owner->invalidation_issued;
	holder->issued_ms = holder->since_ms = clock_now_ms();
	ops_of(owner, holder)->on_recall(holder);
	list_push_back(&owner->returning, holder);
}

/* Remove a holder that is in no list of its owner any more. */
static void holder_gone(struct lease_owner *owner, struct lease_holder *holder)
{
	struct lease_entry *entry = holder->entry;
	struct lease_shard *shard = lease_shard_of(owner->table, entry->ino);
	const struct lease_kind_ops *ops = ops_of(owner, holder);

	ops->on_end(owner, holder);
	pthread_mutex_lock(&shard->lock);
	struct lease_holder **link = &entry->holders;
	while (*link != holder)
		link = &(*link)->next_of_entry;
	*link = holder->next_of_entry;
	bool mail_pending = holder->mail_pending;
	holder->entry = NULL;
	holder->owner = NULL;
	if (is_active(holder))
		wake_waiters(entry);
	lease_entry_put(shard, entry);
	pthread_mutex_unlock(&shard->lock);

	ops->on_gone(owner, holder);
	if (!mail_pending)
		free(holder); /* else it is freed when the mail arrives */
}

static void ask(struct lease_owner *owner, uint64_t number, struct proto_handle handle)
{
	owner->asked = number;
	owner->notify(owner, number, handle);
}

/* In the owner's thread: a change elsewhere wants the lease back. */
static void recall_delivered(struct mail *mail)
{
	struct lease_holder *holder = (struct lease_holder *)(void *)mail;
	struct lease_owner *owner = holder->owner;

	if (!owner) { /* removed meanwhile */
		free(holder);
		return;
	}
	struct lease_shard *shard = lease_shard_of(owner->table, holder->entry->ino);
	pthread_mutex_lock(&shard->lock);
	holder->mail_pending = false;
	bool tell = holder->state == LEASE_POSTED;
	if (tell)
		start_return(holder, LEASE_RECALLED);
	pthread_mutex_unlock(&shard->lock);
	if (tell)
		ask(owner, holder->number, holder->handle);
}

/* Under the shard's lock: ask all holders but `owner` for their leases; whether there are any. */
static bool recall_others(struct lease_entry *entry, enum lease_kind kind, const struct lease_owner *owner)
{
	bool found = false;

	for (struct lease_holder *h = entry->holders; h; h = h->next_of_entry) {
		if (h->kind != kind || h->owner == owner || !is_active(h))
			continue;
		found = true;
		if (h->state != LEASE_HOLDING)
			continue;
		h->state = LEASE_POSTED;
		h->mail_pending = true;
		mailbox_post(h->owner->mailbox, &h->mail);
	}
	return found;
}

/* ---- owners ----------------------------------------------------------------------------------------------------- */

void lease_owner_init(struct lease_owner *owner, struct lease_table *table)
{
	*owner = (struct lease_owner){.table = table};
}

static void return_until(struct lease_owner *owner, uint64_t number)
{
	owner->on_quiesced(owner, number);
	while (owner->returning.first && owner->returning.first->number <= number) {
		struct lease_holder *holder = owner->returning.first;
		list_remove(&owner->returning, holder);
		holder_gone(owner, holder);
	}
}

/* The oldest RECALLED holder, for which changes may wait; the list has LEAVING ones too. */
static const struct lease_holder *oldest_recalled(const struct lease_owner *owner)
{
	const struct lease_holder *holder = owner->returning.first;

	while (holder && holder->state != LEASE_RECALLED)
		holder = holder->next;
	return holder;
}

int lease_quiesced(struct lease_owner *owner, uint64_t quiesced)
{
	if (quiesced > owner->invalidation_issued)
		return -EPROTO;
	if (quiesced <= owner->quiesced)
		return 0;
	owner->quiesced = quiesced;
	const struct lease_holder *recalled = oldest_recalled(owner);
	if (recalled && recalled->number <= quiesced) {
		int64_t now = clock_now_ms();
		penalty_answered(&owner->penalty, now - recalled->since_ms, now);
	}
	return_until(owner, quiesced);
	return 0;
}

void lease_request_quiesce(struct lease_owner *owner)
{
	if (owner->connected && owner->asked < owner->invalidation_issued)
		ask(owner, owner->invalidation_issued, (struct proto_handle){0});
}

int lease_tick(struct lease_owner *owner, int64_t now_ms, int64_t recall_ms)
{
	const struct lease_holder *oldest = oldest_recalled(owner);

	if (!oldest || now_ms - oldest->since_ms <= recall_ms)
		return 0;
	penalty_unanswered(&owner->penalty, now_ms);
	return -ETIMEDOUT;
}

void lease_extend(struct lease_owner *owner, int64_t late_ms, int64_t most_ms)
{
	for (struct lease_holder *holder = owner->returning.first; holder; holder = holder->next) {
		holder->since_ms += late_ms;
		if (holder->since_ms > holder->issued_ms + most_ms)
			holder->since_ms = holder->issued_ms + most_ms;
	}
}

void lease_owner_end(struct lease_owner *owner)
{
	const struct lease_holder *recalled = oldest_recalled(owner);

	if (recalled) {
		int64_t now = clock_now_ms();
		penalty_lost(&owner->penalty, now - recalled->since_ms, now);
	}
	owner->connected = false;
	return_until(owner, UINT64_MAX);
	while (owner->holding.first) {
		struct lease_holder *holder = owner->holding.first;
		list_remove(&owner->holding, holder);
		holder_gone(owner, holder);
	}
	owner->quiesced = owner->invalidation_issued;
	owner->asked = owner->invalidation_issued;
}

/* ---- grants ----------------------------------------------------------------------------------------------------- */

static struct lease_holder *make_holder(struct lease_owner *owner, struct lease_entry *entry, enum lease_kind kind,
                                        struct proto_handle handle)
{
	struct lease_holder *holder = calloc(1, owner->table->kinds[kind]->holder_size);

	if (!holder)
		return NULL;
	*holder = (struct lease_holder){
	    .mail.deliver = recall_delivered,
	    .owner = owner,
	    .entry = entry,
	    .next_of_entry = entry->holders,
	    .handle = handle,
	    .kind = kind,
	    .state = LEASE_HOLDING,
	};
	entry->holders = holder;
	return holder;
}

static bool is_forbidden(const struct lease_entry *entry, enum lease_kind kind)
{
	return entry->kinds[kind].changes > 0 ||
	       (entry->kinds[kind].forbidden_until_ms > 0 && entry->kinds[kind].forbidden_until_ms > clock_now_ms());
}

int lease_grant(struct lease_owner *owner, enum lease_kind kind, struct proto_handle handle, struct lease_holder **out)
{
	if (!owner->connected || owner->returning.count >= MAX_RETURNING)
		return -EBUSY;
	if (owner->penalty.until_ms > 0 && penalty_holds(&owner->penalty, clock_now_ms()))
		return -EBUSY;
	struct lease_holder *fresh = NULL;
	struct lease_shard *shard = lease_shard_of(owner->table, handle.ino);
	int rc = 0;

	pthread_mutex_lock(&shard->lock);
	struct lease_entry *entry = lease_entry_get(shard, handle.ino);
	struct lease_holder *own = entry ? own_holder(entry, kind, owner) : NULL;
	if (!entry) {
		rc = -ENOMEM;
	} else if (own) {
		rc = own->state == LEASE_HOLDING ? 0 : -EBUSY;
	} else if (is_forbidden(entry, kind)) {
		rc = -EBUSY;
	} else {
		fresh = make_holder(owner, entry, kind, handle);
		rc = fresh ? 0 : -ENOMEM;
		lease_entry_put(shard, entry);
	}
	pthread_mutex_unlock(&shard->lock);
	if (rc < 0)
		return rc;

	if (own)
		list_remove(&owner->holding, own);
	*out = own ? own : fresh;
	list_push_front(&owner->holding, *out);
	return 0;
}

void lease_recall(struct lease_holder *holder)
{
	struct lease_owner *owner = holder->owner;
	struct lease_shard *shard = lease_shard_of(owner->table, holder->entry->ino);

	pthread_mutex_lock(&shard->lock);
	start_return(holder, LEASE_RECALLED);
	pthread_mutex_unlock(&shard->lock);
	ask(owner, holder->number, holder->handle);
}

void lease_give_up(struct lease_owner *owner, enum lease_kind kind, struct proto_handle handle)
{
	struct lease_shard *shard = lease_shard_of(owner->table, handle.ino);
	bool tell = false;

	pthread_mutex_lock(&shard->lock);
	struct lease_entry *entry = lease_entry_find(shard, handle.ino);
	struct lease_holder *own = entry ? own_holder(entry, kind, owner) : NULL;
	if (own && own->state == LEASE_HOLDING) {
		start_return(own, LEASE_LEAVING);
	} else if (own && own->state == LEASE_POSTED) {
		start_return(own, LEASE_RECALLED); /* a change waits for it: the session must answer soon */
		tell = true;
	}
	pthread_mutex_unlock(&shard->lock);
	if (tell)
		ask(owner, own->number, own->handle);
}

/* ---- changes ---------------------------------------------------------------------------------------------------- */

/* Under the shard's lock: no other session uses a lease of the inode any more. Returns the holder to be recalled. */
static struct lease_holder *go_locked(struct lease_owner *owner, struct lease_entry *entry, bool drop_own,
                                      struct lease_change *change)
{
	struct lease_holder *own = own_holder(entry, change->kind, owner);
	struct lease_holder *tell = NULL;

	if (own && own->state == LEASE_POSTED) {
		/* Another change waits for this lease: the reply must not let it continue. */
		start_return(own, LEASE_RECALLED);
		tell = own;
	} else if (own && own->state == LEASE_HOLDING && drop_own) {
		start_return(own, LEASE_LEAVING);
		tell = own;
	} else if (own && own->state == LEASE_HOLDING) {
		change->own = own;
		change->number = ++owner->invalidation_issued;
	}
	change->owner = owner;
	change->entry = entry;
	change->ino = entry->ino;
	return tell;
}

static void forbid(const struct lease_owner *owner, struct lease_entry *entry, enum lease_kind kind)
{
	entry->kinds[kind].forbidden_until_ms = clock_now_ms() + owner->table->share_ms;
}

int lease_change_begin(struct lease_owner *owner, enum lease_kind kind, struct proto_handle handle, bool drop_own,
                       struct lease_waiter *waiter, struct lease_change *change)
{
	struct lease_shard *shard = lease_shard_of(owner->table, handle.ino);
	struct lease_holder *tell = NULL;

	*change = (struct lease_change){.kind = kind};
	pthread_mutex_lock(&shard->lock);
	struct lease_entry *entry = lease_entry_get(shard, handle.ino);
	if (!entry) {
		pthread_mutex_unlock(&shard->lock);
		return -ENOMEM;
	}
	entry->kinds[kind].changes++;
	bool wait = entry->holders && recall_others(entry, kind, owner);
	if (wait) {
		waiter->owner = owner;
		waiter->entry = entry;
		waiter->kind = kind;
		waiter->ino = handle.ino;
		waiter->posted = false;
		waiter->next = entry->waiters;
		entry->waiters = waiter;
		forbid(owner, entry, kind);
	} else {
		tell = go_locked(owner, entry, drop_own, change);
	}
	pthread_mutex_unlock(&shard->lock);
	if (wait)
		return 1;
	if (tell)
		ask(owner, tell->number, tell->handle);
	return 0;
}

bool lease_is_shared(struct lease_owner *owner, enum lease_kind kind, struct proto_handle handle)
{
	struct lease_shard *shard = lease_shard_of(owner->table, handle.ino);

	pthread_mutex_lock(&shard->lock);
	const struct lease_entry *entry = lease_entry_find(shard, handle.ino);
	bool shared = entry && held_by_others(entry, kind, owner);
	pthread_mutex_unlock(&shard->lock);
	return shared;
}

void lease_change_go(struct lease_waiter *waiter, bool drop_own, struct lease_change *change)
{
	struct lease_owner *owner = waiter->owner;
	struct lease_shard *shard = lease_shard_of(owner->table, waiter->ino);

	*change = (struct lease_change){.kind = waiter->kind, .recalled = true};
	pthread_mutex_lock(&shard->lock);
	struct lease_holder *tell = go_locked(owner, waiter->entry, drop_own, change);
	pthread_mutex_unlock(&shard->lock);
	if (tell)
		ask(owner, tell->number, tell->handle);
}

/* Under the shard's lock. */
static void change_gone(struct lease_shard *shard, struct lease_entry *entry, enum lease_kind kind)
{
	entry->kinds[kind].changes--;
	lease_entry_put(shard, entry);
}

void lease_change_end(struct lease_change *change)
{
	struct lease_shard *shard = lease_shard_of(change->owner->table, change->ino);

	pthread_mutex_lock(&shard->lock);
	if (change->recalled)
		forbid(change->owner, change->entry, change->kind);
	change_gone(shard, change->entry, change->kind);
	pthread_mutex_unlock(&shard->lock);
}

void lease_change_abandon(struct lease_waiter *waiter)
{
	struct lease_shard *shard = lease_shard_of(waiter->owner->table, waiter->ino);

	pthread_mutex_lock(&shard->lock);
	change_gone(shard, waiter->entry, waiter->kind);
	pthread_mutex_unlock(&shard->lock);
}

bool lease_change_cancel(struct lease_waiter *waiter)
{
	struct lease_shard *shard = lease_shard_of(waiter->owner->table, waiter->ino);

	pthread_mutex_lock(&shard->lock);
	bool posted = waiter->posted;
	if (!posted) {
		struct lease_waiter **link = &waiter->entry->waiters;
		while (*link != waiter)
			link = &(*link)->next;
		*link = waiter->next;
	}
	change_gone(shard, waiter->entry, waiter->kind);
	pthread_mutex_unlock(&shard->lock);
	return !posted;
}
