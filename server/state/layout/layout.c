/*
 * layout.c -- who may READ which file's blocks: holders, grants, recalls and changes. layout.h has the invariants.
 */
#include "server/state/layout/layout.h"

#include "server/state/layout/layout_table.h"
#include "server/state/layout/quarantine.h"

#include <errno.h>
#include <stdlib.h>

#define MAX_RETURNING    4096u        /* layouts a session may owe before it is granted no more */
#define MAX_QUARANTINED  (16u * 1024) /* blocks one session's READs may keep before it is asked at once */
#define QUIESCE_AFTER_MS 100          /* and how long they may wait */

/* ---- holders ---------------------------------------------------------------------------------------------------- */

static bool is_active(const struct layout_holder *holder)
{
	return holder->state != LAYOUT_LEAVING;
}

/* Whether a session other than `owner` still may rely on what it was told. */
static bool held_by_others(const struct layout_entry *entry, const struct layout_owner *owner)
{
	for (const struct layout_holder *h = entry->holders; h; h = h->next_of_entry) {
		if (h->owner != owner && is_active(h))
			return true;
	}
	return false;
}

static struct layout_holder *own_holder(const struct layout_entry *entry, const struct layout_owner *owner)
{
	struct layout_holder *h = entry->holders;

	while (h && (h->owner != owner || !is_active(h)))
		h = h->next_of_entry;
	return h;
}

static void wake_waiters(struct layout_entry *entry)
{
	struct layout_waiter **link = &entry->waiters;

	while (*link) {
		struct layout_waiter *waiter = *link;
		if (held_by_others(entry, waiter->owner)) {
			link = &waiter->next;
			continue;
		}
		*link = waiter->next;
		waiter->posted = true;
		mailbox_post(waiter->owner->mailbox, &waiter->mail);
	}
}

static void list_push_front(struct holder_list *list, struct layout_holder *holder)
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

static void list_push_back(struct holder_list *list, struct layout_holder *holder)
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

static void list_remove(struct holder_list *list, struct layout_holder *holder)
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

/*
 * Under the shard's lock: the session is being told, under the next number, that its layout has ended. The list
 * `returning` is in order of numbers since numbers only grow.
 */
static void start_return(struct layout_holder *holder, enum layout_state state)
{
	struct layout_owner *owner = holder->owner;

	list_remove(&owner->holding, holder);
	holder->state = state;
	holder->number = ++owner->invalidation_issued;
	holder->since_ms = layout_clock_ms();
	holder->retired = region_take(&holder->regions, 0, UINT64_MAX);
	region_set_free(&holder->regions);
	list_push_back(&owner->returning, holder);
}

/* The holder goes for good: nothing is READ through it any more. */
static void holder_gone(struct layout_holder *holder)
{
	struct layout_owner *owner = holder->owner;
	struct layout_entry *entry = holder->entry;
	struct layout_shard *shard = layout_shard_of(owner->table, entry->ino);

	/* Before anything that waits for this holder goes on, its registrations must have ended. */
	owner->regions -= region_end_list(holder->retired, owner->connected);
	owner->regions -= region_end_list(region_take(&holder->regions, 0, UINT64_MAX), owner->connected);
	region_set_free(&holder->regions);

	pthread_mutex_lock(&shard->lock);
	struct layout_holder **link = &entry->holders;
	while (*link != holder)
		link = &(*link)->next_of_entry;
	*link = holder->next_of_entry;
	struct quarantined *quarantined = holder->quarantined;
	bool mail_pending = holder->mail_pending;
	holder->entry = NULL;
	holder->owner = NULL;
	if (is_active(holder))
		wake_waiters(entry);
	layout_entry_put(shard, entry, layout_clock_ms());
	pthread_mutex_unlock(&shard->lock);

	quarantine_release_all(owner, quarantined);
	if (!mail_pending)
		free(holder); /* else when the mail arrives */
}

static void ask(struct layout_owner *owner, uint64_t number, struct proto_handle handle)
{
	owner->asked = number;
	owner->notify(owner, number, handle);
}

/* In the owner's thread: a change elsewhere wants the layout back. */
static void recall_delivered(struct mail *mail)
{
	struct layout_holder *holder = (struct layout_holder *)(void *)mail;
	struct layout_owner *owner = holder->owner;

	if (!owner) { /* it has gone meanwhile */
		free(holder);
		return;
	}
	struct layout_shard *shard = layout_shard_of(owner->table, holder->entry->ino);
	pthread_mutex_lock(&shard->lock);
	holder->mail_pending = false;
	bool tell = holder->state == LAYOUT_POSTED;
	if (tell)
		start_return(holder, LAYOUT_RECALLED);
	pthread_mutex_unlock(&shard->lock);
	if (tell)
		ask(owner, holder->number, holder->handle);
}

/* Under the shard's lock: ask all holders but `owner` for their layouts; whether there are any. */
static bool recall_others(struct layout_entry *entry, const struct layout_owner *owner)
{
	bool found = false;

	for (struct layout_holder *h = entry->holders; h; h = h->next_of_entry) {
		if (h->owner == owner || !is_active(h))
			continue;
		found = true;
		if (h->state != LAYOUT_HOLDING)
			continue;
		h->state = LAYOUT_POSTED;
		h->mail_pending = true;
		mailbox_post(h->owner->mailbox, &h->mail);
	}
	return found;
}

/* ---- owners ----------------------------------------------------------------------------------------------------- */

void layout_owner_init(struct layout_owner *owner, struct layout_table *table)
{
	*owner = (struct layout_owner){.table = table};
}

int layout_note_quiesced(struct layout_owner *owner, uint64_t quiesced)
{
	if (quiesced > owner->invalidation_issued)
		return -EPROTO;
	if (quiesced <= owner->quiesced)
		return 0;
	owner->quiesced = quiesced;
	quarantine_release_until(owner, quiesced);
	while (owner->returning.first && owner->returning.first->number <= quiesced) {
		struct layout_holder *holder = owner->returning.first;
		list_remove(&owner->returning, holder);
		holder_gone(holder);
	}
	return 0;
}

static bool anything_waits(const struct layout_owner *owner)
{
	return owner->quarantine_first || owner->returning.first;
}

void layout_request_quiesce(struct layout_owner *owner)
{
	if (owner->connected && anything_waits(owner) && owner->asked < owner->invalidation_issued)
		ask(owner, owner->invalidation_issued, (struct proto_handle){0});
}

int layout_tick(struct layout_owner *owner, int64_t now_ms, int64_t lease_ms)
{
	if (!anything_waits(owner))
		return 0;
	int64_t since = quarantine_since(owner);
	if (owner->returning.first && owner->returning.first->since_ms < since)
		since = owner->returning.first->since_ms;

	if (now_ms - since > QUIESCE_AFTER_MS || owner->quarantined_blocks > MAX_QUARANTINED)
		layout_request_quiesce(owner);
	/* By then it has been asked for long, and for this very number: that others were answered does not count. */
	return now_ms - since > lease_ms + 2 * QUIESCE_AFTER_MS ? -ETIMEDOUT : 0;
}

void layout_extend(struct layout_owner *owner, int64_t late_ms)
{
	quarantine_extend(owner, late_ms);
	for (struct layout_holder *holder = owner->returning.first; holder; holder = holder->next)
		holder->since_ms += late_ms;
}

void layout_owner_end(struct layout_owner *owner)
{
	owner->connected = false;
	quarantine_release_until(owner, UINT64_MAX);
	while (owner->returning.first) {
		struct layout_holder *holder = owner->returning.first;
		list_remove(&owner->returning, holder);
		holder_gone(holder);
	}
	while (owner->holding.first) {
		struct layout_holder *holder = owner->holding.first;
		list_remove(&owner->holding, holder);
		holder_gone(holder);
	}
	owner->quiesced = owner->invalidation_issued;
	owner->asked = owner->invalidation_issued;
	owner->regions = 0;
}

/* ---- grants ----------------------------------------------------------------------------------------------------- */

int layout_grant(struct layout_owner *owner, struct proto_handle handle, struct layout_holder **out)
{
	if (!owner->connected || owner->returning.count >= MAX_RETURNING)
		return -EBUSY;
	struct layout_holder *fresh = NULL;
	struct layout_shard *shard = layout_shard_of(owner->table, handle.ino);
	int rc = 0;

	pthread_mutex_lock(&shard->lock);
	struct layout_entry *entry = layout_entry_get(shard, handle.ino);
	struct layout_holder *own = entry ? own_holder(entry, owner) : NULL;
	if (!entry) {
		rc = -ENOMEM;
	} else if (own) {
		rc = own->state == LAYOUT_HOLDING ? 0 : -EBUSY;
	} else if (entry->changes > 0 || entry->forbidden_until_ms > layout_clock_ms()) {
		rc = -EBUSY;
	} else {
		fresh = calloc(1, sizeof(*fresh));
		if (!fresh) {
			rc = -ENOMEM;
			layout_entry_put(shard, entry, layout_clock_ms());
		} else {
			*fresh = (struct layout_holder){
			    .mail.deliver = recall_delivered,
			    .owner = owner,
			    .entry = entry,
			    .next_of_entry = entry->holders,
			    .handle = handle,
			    .state = LAYOUT_HOLDING,
			};
			entry->holders = fresh;
		}
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

bool layout_room(struct layout_owner *owner, const struct layout_holder *holder)
{
	if (owner->regions < owner->max_regions)
		return true;
	/* Full: the least recently used layout goes, and its regions are free when the session has quiesced. */
	struct layout_holder *victim = owner->holding.last;
	if (!victim || victim == holder || owner->returning.first)
		return false;
	struct layout_shard *shard = layout_shard_of(owner->table, victim->entry->ino);
	pthread_mutex_lock(&shard->lock);
	start_return(victim, LAYOUT_RECALLED);
	pthread_mutex_unlock(&shard->lock);
	ask(owner, victim->number, victim->handle);
	return false;
}

void layout_file_closed(struct layout_owner *owner, struct proto_handle handle)
{
	struct layout_shard *shard = layout_shard_of(owner->table, handle.ino);
	bool tell = false;

	pthread_mutex_lock(&shard->lock);
	struct layout_entry *entry = layout_entry_find(shard, handle.ino);
	struct layout_holder *own = entry ? own_holder(entry, owner) : NULL;
	if (own && own->state == LAYOUT_HOLDING) {
		start_return(own, LAYOUT_LEAVING);
	} else if (own && own->state == LAYOUT_POSTED) {
		start_return(own, LAYOUT_RECALLED); /* a change waits for it: the session must answer soon */
		tell = true;
	}
	pthread_mutex_unlock(&shard->lock);
	if (tell)
		ask(owner, own->number, own->handle);
}

/* ---- changes ---------------------------------------------------------------------------------------------------- */

/* Under the shard's lock: nobody else relies on the inode's blocks any more. Returns whom to tell of a recall. */
static struct layout_holder *go_locked(struct layout_owner *owner, struct layout_entry *entry, bool drop_own,
                                       struct layout_change *change)
{
	struct layout_holder *own = own_holder(entry, owner);
	struct layout_holder *tell = NULL;

	if (own && own->state == LAYOUT_POSTED) {
		/* Another change waits for it: the reply must not let it live on. */
		start_return(own, LAYOUT_RECALLED);
		tell = own;
	} else if (own && own->state == LAYOUT_HOLDING && drop_own) {
		start_return(own, LAYOUT_LEAVING);
		tell = own;
	} else if (own && own->state == LAYOUT_HOLDING) {
		change->own = own;
		change->number = ++owner->invalidation_issued;
	}
	change->owner = owner;
	change->entry = entry;
	change->ino = entry->ino;
	return tell;
}

int layout_change_begin(struct layout_owner *owner, struct proto_handle handle, bool drop_own,
                        struct layout_waiter *waiter, struct layout_change *change)
{
	struct layout_shard *shard = layout_shard_of(owner->table, handle.ino);
	struct layout_holder *tell = NULL;

	*change = (struct layout_change){0};
	pthread_mutex_lock(&shard->lock);
	struct layout_entry *entry = layout_entry_get(shard, handle.ino);
	if (!entry) {
		pthread_mutex_unlock(&shard->lock);
		return -ENOMEM;
	}
	entry->changes++;
	bool wait = entry->holders && recall_others(entry, owner);
	if (wait) {
		waiter->owner = owner;
		waiter->entry = entry;
		waiter->ino = handle.ino;
		waiter->posted = false;
		waiter->next = entry->waiters;
		entry->waiters = waiter;
		entry->forbidden_until_ms = layout_clock_ms() + owner->table->share_ms;
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

void layout_change_go(struct layout_waiter *waiter, bool drop_own, struct layout_change *change)
{
	struct layout_owner *owner = waiter->owner;
	struct layout_shard *shard = layout_shard_of(owner->table, waiter->ino);

	*change = (struct layout_change){.recalled = true};
	pthread_mutex_lock(&shard->lock);
	struct layout_holder *tell = go_locked(owner, waiter->entry, drop_own, change);
	pthread_mutex_unlock(&shard->lock);
	if (tell)
		ask(owner, tell->number, tell->handle);
}

/* Under the shard's lock. */
static void change_gone(struct layout_shard *shard, struct layout_entry *entry)
{
	entry->changes--;
	layout_entry_put(shard, entry, layout_clock_ms());
}

void layout_change_abandon(struct layout_waiter *waiter)
{
	struct layout_shard *shard = layout_shard_of(waiter->owner->table, waiter->ino);

	pthread_mutex_lock(&shard->lock);
	change_gone(shard, waiter->entry);
	pthread_mutex_unlock(&shard->lock);
}

bool layout_change_cancel(struct layout_waiter *waiter)
{
	struct layout_shard *shard = layout_shard_of(waiter->owner->table, waiter->ino);

	pthread_mutex_lock(&shard->lock);
	bool posted = waiter->posted;
	if (!posted) {
		struct layout_waiter **link = &waiter->entry->waiters;
		while (*link != waiter)
			link = &(*link)->next;
		*link = waiter->next;
	}
	change_gone(shard, waiter->entry);
	pthread_mutex_unlock(&shard->lock);
	return !posted;
}

/* Regions that touch the range: their registrations end when the session has quiesced this change's number. */
static void retire_regions(struct layout_change *change, uint64_t offset, uint64_t length, struct layout_effect *effect)
{
	struct region_set *set = &change->own->regions;
	struct region *list = region_take(set, offset, length);
	uint64_t end = offset + length;

	effect->offset = offset;
	for (struct region *r = list; r; r = r->next) {
		if (r->offset < effect->offset)
			effect->offset = r->offset;
		if (r->offset + r->length > end)
			end = r->offset + r->length;
	}
	effect->length = end - effect->offset;
	if (!list || quarantine_regions(change->owner, change->number, list))
		return;
	/* No memory to remember them: end them now. A READ under way there ends the connection, and that is safe. */
	change->owner->regions -= region_end_list(list, change->owner->connected);
}

void layout_change_end(struct layout_change *change, uint64_t offset, uint64_t length, struct layout_effect *effect)
{
	struct layout_owner *owner = change->owner;
	struct layout_shard *shard = layout_shard_of(owner->table, change->ino);

	*effect = (struct layout_effect){.holder = change->own};
	if (change->own && length > 0)
		retire_regions(change, offset, length, effect);

	pthread_mutex_lock(&shard->lock);
	if (change->recalled)
		change->entry->forbidden_until_ms = layout_clock_ms() + owner->table->share_ms;
	change_gone(shard, change->entry);
	pthread_mutex_unlock(&shard->lock);
}
