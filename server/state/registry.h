/*
 * registry.h -- which sessions there are and which worker has each: what a client that comes back is looked up in.
 *
 * Thread safe. A session belongs to one worker at a time; only that worker hands it on or removes it.
 */
#ifndef FARNOVA_SERVER_REGISTRY_H
#define FARNOVA_SERVER_REGISTRY_H

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

struct session;
struct worker;

#define REGISTRY_BUCKETS 1024u

struct registry {
	pthread_mutex_t lock;
	struct session *buckets[REGISTRY_BUCKETS];
	size_t count, limit;
};

void registry_init(struct registry *registry, size_t limit);
void registry_destroy(struct registry *registry);

/* registry_add -- -EBUSY if there are as many sessions as allowed. registry_remove -- by the worker that has it. */
int registry_add(struct registry *registry, struct session *session);
void registry_remove(struct registry *registry, struct session *session);

/* registry_owner -- the worker that has the session with this id and key; NULL if there is none. */
struct worker *registry_owner(struct registry *registry, uint64_t id, uint64_t key);

/* registry_get -- the session with this id if `worker`, the caller, has it; else NULL. It stays until the
 * worker acts. */
struct session *registry_get(struct registry *registry, uint64_t id, const struct worker *worker);

/* registry_hand_on -- the worker that has the session, the caller, gives it to `to`. */
void registry_hand_on(struct registry *registry, struct session *session, struct worker *to);

#endif
