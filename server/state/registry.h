/*
 * registry.h -- which sessions there are and which thread has each: what a client that comes back is looked up in.
 *
 * Thread safe. A session belongs to one thread at a time; only that thread hands it on or removes it. From when a thread
 * is found here to have a session, mail to it arrives after the session: it has the session then or has handed it on.
 */
#ifndef FARNOVA_SERVER_REGISTRY_H
#define FARNOVA_SERVER_REGISTRY_H

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

struct mail;
struct mailbox;
struct state;

#define REGISTRY_BUCKETS 1024u

/* Part of a session. `id` and `key` are set before it is added; `state` is read by other threads under the lock. */
struct registered {
	struct registered *next;
	uint64_t id, key;
	struct state *state; /* the thread that has it */
};

struct registry {
	pthread_mutex_t lock;
	struct registered *buckets[REGISTRY_BUCKETS];
	size_t count, limit;
};

void registry_init(struct registry *registry, size_t limit);
void registry_destroy(struct registry *registry);

/* registry_add -- -EBUSY if there are as many sessions as allowed. registry_remove -- by the thread that has it. */
int registry_add(struct registry *registry, struct registered *session);
void registry_remove(struct registry *registry, struct registered *session);

/* registry_owner -- the thread that has the session with this id and key; NULL if there is none. */
struct state *registry_owner(struct registry *registry, uint64_t id, uint64_t key);

/* registry_get -- the session with this id if `state`, the caller, has it; it stays until the caller acts. Else NULL,
 * and `owner` is the thread that has it, NULL if there is none. */
struct registered *registry_get(struct registry *registry, uint64_t id, const struct state *state,
                                struct state **owner);

/* registry_hand_on -- the thread that has the session, the caller, gives it to `to` by `mail` to its mailbox. */
void registry_hand_on(struct registry *registry, struct registered *session, struct state *to, struct mailbox *mailbox,
                      struct mail *mail);

#endif
