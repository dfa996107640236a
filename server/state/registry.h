/*
 * registry.h -- the table of all sessions and of the thread that has each. A reconnecting client is looked up here.
 *
 * An identity has at most one session.
 *
 * There are at most `limit` sessions. A session without a connection and without open files is idle: its end loses only
 * cached replies to requests that its client would send again. At the limit the oldest idle session is evicted for a
 * new one. While more than three quarters of the limit are used, a host at its own limit of sessions gets another only
 * in exchange for one of its idle ones.
 *
 * Thread safe. A session belongs to one thread at a time; only that thread hands it on or removes it. An evicted
 * session can no longer be found, and its thread gets mail to free it. Once the registry says that a thread has a
 * session, mail to this thread arrives after the session: the thread then has the session or has handed it on.
 */
#ifndef FARNOVA_SERVER_REGISTRY_H
#define FARNOVA_SERVER_REGISTRY_H

#include "server/net/host_counts.h"
#include "server/net/mailbox.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

struct state;

#define REGISTRY_BUCKETS 1024u

/* Part of a session. The first fields, to `mailbox`, are set before it is added; other threads read `state` and
 * `mailbox` under the lock. */
struct registered {
	struct mail evicted_mail; /* frees the session, in the thread that has it; must be the first field */
	uint64_t id, key;
	uint64_t identity; /* 0 = none */
	uint64_t host;
	struct state *state;     /* the thread that has it */
	struct mailbox *mailbox; /* and its mailbox */
	/* under the lock */
	struct registered *next, *next_identity;
	TAILQ_ENTRY(registered) idle_link;
	bool idle, evicted;
	bool arriving; /* the mail that transfers it was posted and not yet delivered */
};

struct registry {
	pthread_mutex_t lock;
	struct registered *buckets[REGISTRY_BUCKETS], *identities[REGISTRY_BUCKETS];
	atomic_size_t count; /* changed under the lock */
	size_t limit, host_limit;
	TAILQ_HEAD(, registered) idle; /* in the order in which they became idle */
	struct host_counts hosts;
};

void registry_init(struct registry *registry, size_t limit, size_t host_limit);
void registry_destroy(struct registry *registry);

/*
 * registry_add -- -EUSERS, with the reason in *why, if no more sessions are allowed; -EEXIST if the identity
 * has a session, or the id is in use.
 * registry_remove -- called by the thread that has the session; may be called again. False if the session was evicted:
 * then its mail was posted, and the session must stay until the mail is delivered.
 */
int registry_add(struct registry *registry, struct registered *session, const char **why);
bool registry_remove(struct registry *registry, struct registered *session);

/* registry_count -- how many sessions there are. */
size_t registry_count(const struct registry *registry);

/* registry_idle -- the session has no connection and no open files. */
void registry_idle(struct registry *registry, struct registered *session);

/* registry_owner -- the thread that has the session with this id, key and identity; NULL if there is none. */
struct state *registry_owner(struct registry *registry, uint64_t id, uint64_t key, uint64_t identity);
/* registry_holder -- the same for any identity. */
struct state *registry_holder(struct registry *registry, uint64_t id, uint64_t key);
/* registry_of_identity -- the thread that has the session of this identity, and its id; NULL if there is none. */
struct state *registry_of_identity(struct registry *registry, uint64_t identity, uint64_t *id);

/* registry_get -- the session with this id, if the calling thread `state` has it; it stays until the caller acts. Else
 * NULL. *owner is the thread that has it or is about to get it, perhaps the caller; NULL if there is no such session.
 */
struct registered *registry_get(struct registry *registry, uint64_t id, const struct state *state,
                                struct state **owner);

/* registry_claim -- the client has reconnected, so the session is no longer idle. Called by the thread that has it;
 * false if it was evicted. */
bool registry_claim(struct registry *registry, struct registered *session);

/* registry_hand_on -- called by the thread that has the session: transfer it to the thread `to`, and post `mail` to
 * that thread's mailbox. */
void registry_hand_on(struct registry *registry, struct registered *session, struct state *to, struct mailbox *mailbox,
                      struct mail *mail);

/* registry_arrived -- called by the thread `to` when the mail is delivered, before anything else. */
void registry_arrived(struct registry *registry, struct registered *session);

#endif
