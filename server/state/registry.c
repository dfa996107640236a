/*
 * registry.c -- which sessions there are and which thread has each: what a client that comes back is looked up in.
 */
#include "server/state/registry.h"

#include "server/net/mailbox.h"

#include <errno.h>

void registry_init(struct registry *registry, size_t limit)
{
	*registry = (struct registry){.limit = limit};
	pthread_mutex_init(&registry->lock, NULL);
}

void registry_destroy(struct registry *registry)
{
	pthread_mutex_destroy(&registry->lock);
}

static struct registered **place(struct registry *registry, uint64_t id)
{
	struct registered **link = &registry->buckets[id % REGISTRY_BUCKETS];

	while (*link && (*link)->id != id)
		link = &(*link)->next;
	return link;
}

int registry_add(struct registry *registry, struct registered *session)
{
	int rc = -EBUSY;

	pthread_mutex_lock(&registry->lock);
	if (registry->count < registry->limit) {
		struct registered **link = place(registry, session->id);
		rc = *link ? -EEXIST : 0;
		if (rc == 0) {
			session->next = NULL;
			*link = session;
			registry->count++;
		}
	}
	pthread_mutex_unlock(&registry->lock);
	return rc;
}

void registry_remove(struct registry *registry, struct registered *session)
{
	pthread_mutex_lock(&registry->lock);
	struct registered **link = place(registry, session->id);
	if (*link == session) {
		*link = session->next;
		registry->count--;
	}
	pthread_mutex_unlock(&registry->lock);
}

struct state *registry_owner(struct registry *registry, uint64_t id, uint64_t key)
{
	pthread_mutex_lock(&registry->lock);
	const struct registered *session = *place(registry, id);
	struct state *state = session && session->key == key ? session->state : NULL;
	pthread_mutex_unlock(&registry->lock);
	return state;
}

struct registered *registry_get(struct registry *registry, uint64_t id, const struct state *state, struct state **owner)
{
	pthread_mutex_lock(&registry->lock);
	struct registered *session = *place(registry, id);
	*owner = session ? session->state : NULL;
	if (session && session->state != state)
		session = NULL;
	pthread_mutex_unlock(&registry->lock);
	return session;
}

void registry_hand_on(struct registry *registry, struct registered *session, struct state *to, struct mailbox *mailbox,
                      struct mail *mail)
{
	pthread_mutex_lock(&registry->lock);
	session->state = to;
	/* Under the lock: who learns from now on that `to` has it, and posts to it, comes after the session. */
	mailbox_post(mailbox, mail);
	pthread_mutex_unlock(&registry->lock);
}
