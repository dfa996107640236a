/*
 * registry.c -- which sessions there are and which worker has each: what a client that comes back is looked up in.
 */
#include "server/state/registry.h"

#include "server/state/session.h"

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

static struct session **place(struct registry *registry, uint64_t id)
{
	struct session **link = &registry->buckets[id % REGISTRY_BUCKETS];

	while (*link && (*link)->id != id)
		link = &(*link)->next_registered;
	return link;
}

int registry_add(struct registry *registry, struct session *session)
{
	int rc = -EBUSY;

	pthread_mutex_lock(&registry->lock);
	if (registry->count < registry->limit) {
		struct session **link = place(registry, session->id);
		rc = *link ? -EEXIST : 0;
		if (rc == 0) {
			session->next_registered = NULL;
			*link = session;
			registry->count++;
		}
	}
	pthread_mutex_unlock(&registry->lock);
	return rc;
}

void registry_remove(struct registry *registry, struct session *session)
{
	pthread_mutex_lock(&registry->lock);
	struct session **link = place(registry, session->id);
	if (*link == session) {
		*link = session->next_registered;
		registry->count--;
	}
	pthread_mutex_unlock(&registry->lock);
}

struct worker *registry_owner(struct registry *registry, uint64_t id, uint64_t key)
{
	pthread_mutex_lock(&registry->lock);
	const struct session *session = *place(registry, id);
	struct worker *worker = session && session->key == key ? session->worker : NULL;
	pthread_mutex_unlock(&registry->lock);
	return worker;
}

struct session *registry_get(struct registry *registry, uint64_t id, const struct worker *worker)
{
	pthread_mutex_lock(&registry->lock);
	struct session *session = *place(registry, id);
	if (session && session->worker != worker)
		session = NULL;
	pthread_mutex_unlock(&registry->lock);
	return session;
}

void registry_hand_on(struct registry *registry, struct session *session, struct worker *to)
{
	pthread_mutex_lock(&registry->lock);
	session->worker = to;
	pthread_mutex_unlock(&registry->lock);
}
