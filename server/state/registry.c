/*
 * registry.c -- the table of all sessions and of the thread that has each.
 */
#include "server/state/registry.h"

#include <errno.h>

void registry_init(struct registry *registry, size_t limit, size_t host_limit)
{
	*registry = (struct registry){.limit = limit, .host_limit = host_limit};
	pthread_mutex_init(&registry->lock, NULL);
	TAILQ_INIT(&registry->idle);
}

void registry_destroy(struct registry *registry)
{
	host_counts_free(&registry->hosts);
	pthread_mutex_destroy(&registry->lock);
}

static struct registered **place(struct registry *registry, uint64_t id)
{
	struct registered **link = &registry->buckets[id % REGISTRY_BUCKETS];

	while (*link && (*link)->id != id)
		link = &(*link)->next;
	return link;
}

static struct registered **place_of_identity(struct registry *registry, uint64_t identity)
{
	struct registered **link = &registry->identities[identity % REGISTRY_BUCKETS];

	while (*link && (*link)->identity != identity)
		link = &(*link)->next_identity;
	return link;
}

static void not_idle(struct registry *registry, struct registered *session)
{
	if (session->idle)
		TAILQ_REMOVE(&registry->idle, session, idle_link);
	session->idle = false;
}

static void take_out(struct registry *registry, struct registered *session)
{
	struct registered **link = place(registry, session->id);

	if (*link != session)
		return;
	*link = session->next;
	if (session->identity)
		*place_of_identity(registry, session->identity) = session->next_identity;
	registry->count--;
	host_counts_remove(&registry->hosts, session->host);
	not_idle(registry, session);
}

/* Evict the session that has been idle longest, of one host or of all (NULL). False if none is idle. */
static bool evict(struct registry *registry, const uint64_t *host)
{
	struct registered *session;

	TAILQ_FOREACH(session, &registry->idle, idle_link)
	{
		if (host && session->host != *host)
			continue;
		take_out(registry, session);
		session->evicted = true;
		mailbox_post(session->mailbox, &session->evicted_mail);
		return true;
	}
	return false;
}

static const char *make_room(struct registry *registry, uint64_t host)
{
	bool crowded = registry->count * 4 > registry->limit * 3;

	if (crowded && host_counts_get(&registry->hosts, host) >= registry->host_limit)
		return evict(registry, &host)
		           ? NULL
		           : "the server is crowded, and this host has as many sessions as max_per_host allows";
	if (registry->count >= registry->limit)
		return evict(registry, NULL) ? NULL : "the server has as many sessions as max_clients allows";
	return NULL;
}

static bool taken(struct registry *registry, const struct registered *session)
{
	return *place(registry, session->id) || (session->identity && *place_of_identity(registry, session->identity));
}

static void enter(struct registry *registry, struct registered *session)
{
	session->next = session->next_identity = NULL;
	*place(registry, session->id) = session;
	if (session->identity)
		*place_of_identity(registry, session->identity) = session;
	registry->count++;
	host_counts_add(&registry->hosts, session->host);
}

int registry_add(struct registry *registry, struct registered *session, const char **why)
{
	int rc;

	*why = NULL;
	pthread_mutex_lock(&registry->lock);
	if (taken(registry, session)) {
		rc = -EEXIST;
	} else {
		*why = make_room(registry, session->host);
		rc = *why ? -EUSERS : 0;
	}
	if (rc == 0)
		enter(registry, session);
	pthread_mutex_unlock(&registry->lock);
	return rc;
}

bool registry_remove(struct registry *registry, struct registered *session)
{
	pthread_mutex_lock(&registry->lock);
	bool evicted = session->evicted;
	if (!evicted)
		take_out(registry, session);
	pthread_mutex_unlock(&registry->lock);
	return !evicted;
}

size_t registry_count(const struct registry *registry)
{
	return atomic_load_explicit(&registry->count, memory_order_relaxed);
}

void registry_idle(struct registry *registry, struct registered *session)
{
	pthread_mutex_lock(&registry->lock);
	if (!session->idle && !session->evicted) {
		session->idle = true;
		TAILQ_INSERT_TAIL(&registry->idle, session, idle_link);
	}
	pthread_mutex_unlock(&registry->lock);
}

struct state *registry_owner(struct registry *registry, uint64_t id, uint64_t key, uint64_t identity)
{
	pthread_mutex_lock(&registry->lock);
	const struct registered *session = *place(registry, id);
	bool found = session && session->key == key && session->identity == identity;
	struct state *state = found ? session->state : NULL;
	pthread_mutex_unlock(&registry->lock);
	return state;
}

struct state *registry_holder(struct registry *registry, uint64_t id, uint64_t key)
{
	pthread_mutex_lock(&registry->lock);
	const struct registered *session = *place(registry, id);
	struct state *state = session && session->key == key ? session->state : NULL;
	pthread_mutex_unlock(&registry->lock);
	return state;
}

struct state *registry_of_identity(struct registry *registry, uint64_t identity, uint64_t *id)
{
	struct state *state = NULL;

	if (identity == 0)
		return NULL;
	pthread_mutex_lock(&registry->lock);
	const struct registered *session = *place_of_identity(registry, identity);
	if (session) {
		*id = session->id;
		state = session->state;
	}
	pthread_mutex_unlock(&registry->lock);
	return state;
}

struct registered *registry_get(struct registry *registry, uint64_t id, const struct state *state, struct state **owner)
{
	pthread_mutex_lock(&registry->lock);
	struct registered *session = *place(registry, id);
	*owner = session ? session->state : NULL;
	/* The session may be on its way to this thread again, while an older mail is being delivered. */
	if (session && (session->state != state || session->arriving))
		session = NULL;
	pthread_mutex_unlock(&registry->lock);
	return session;
}

bool registry_claim(struct registry *registry, struct registered *session)
{
	pthread_mutex_lock(&registry->lock);
	bool evicted = session->evicted;
	if (!evicted)
		not_idle(registry, session);
	pthread_mutex_unlock(&registry->lock);
	return !evicted;
}

void registry_hand_on(struct registry *registry, struct registered *session, struct state *to, struct mailbox *mailbox,
                      struct mail *mail)
{
	pthread_mutex_lock(&registry->lock);
	session->state = to;
	session->mailbox = mailbox;
	session->arriving = true;
	/* Under the lock: a thread that finds `to` in the table posts its own mail to `to` after this one. */
	mailbox_post(mailbox, mail);
	pthread_mutex_unlock(&registry->lock);
}

void registry_arrived(struct registry *registry, struct registered *session)
{
	pthread_mutex_lock(&registry->lock);
	session->arriving = false;
	pthread_mutex_unlock(&registry->lock);
}
