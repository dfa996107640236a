/*
 * poller.h -- who polls the connection: threads that wait take turns, and a background thread sits in for them.
 *
 * Of the threads that wait for something one leads: it polls the queue, acts on what arrives for anyone, and wakes
 * those it was for. The others sleep. A leader that has polled in vain for a while waits on the queue's descriptor; a
 * thread that comes then takes the lead from it and polls.
 */
#ifndef FARNOVA_CLIENT_POLLER_H
#define FARNOVA_CLIENT_POLLER_H

#include "common/poll_policy.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

struct connection;

/*
 * A thread that waits. It leads, or it follows asleep:
 *
 *    poller_wait       poll_as_leader: no leader, or one that is blocked
 *   -----------> idle -------------------------------------------------> leads --+
 *                  |                                                       |     | woken, or the lead was taken
 *                  |  wait_as_follower: another polls                      v     |
 *                  +--------------------------------> asleep (poller_wake, or the lead is passed on) --> idle
 */
struct waiter {
	LIST_ENTRY(waiter) entry;
	pthread_cond_t wake;
	bool woken;    /* something it waits for may have happened */
	bool resource; /* it waits for a slot, room in the staging ring or a bounce buffer */
	bool asleep;   /* in pthread_cond_wait */
	/* cancel.h */
	LIST_ENTRY(waiter) tagged;
	bool listed;
	atomic_uint_least64_t tag;       /* of the thread's calls, 0: none */
	atomic_uint_least64_t cancelled; /* the tag whose calls are to end */
};

/* One-sided operations that a thread has under way: the context that each is posted with. */
struct operations {
	unsigned outstanding;
	struct waiter *waiter; /* woken when none is outstanding any more */
};

struct poller {
	/* on_lost -- the transport says that the connection has ended; lock held. */
	void (*on_lost)(struct connection *link, int status, const char *why);
	LIST_HEAD(, waiter) waiting; /* all threads in poller_wait, the newest first */
	struct waiter *leader;
	bool leader_blocked;    /* it waits on the descriptor, without the lock */
	unsigned polling;       /* threads that wait on the descriptor: the leader, and those that have lost the lead */
	int leader_wake_fd;     /* eventfd that ends the wait of a leader whose lead was taken */
	int background_wake_fd; /* eventfd that ends an idle wait of the background thread */
	unsigned resource_waiters;
	atomic_uint_least64_t calls; /* ever made: tells the background thread whether the connection is in use */
	struct poll_policy policy;
	unsigned keen_polls;   /* polls before it offers the CPU to others between polls */
	atomic_bool stop;      /* the background thread is to end */
	atomic_bool cancelled; /* nobody waits any more */
	struct waiter background;
};

/* poller_init -- -errno. poller_begin -- a new connection: nobody leads yet; lock held. */
int poller_init(struct poller *poller, void (*on_lost)(struct connection *link, int status, const char *why));
void poller_begin(struct poller *poller);
void poller_destroy(struct poller *poller);

/* poller_self -- the calling thread's waiter. */
struct waiter *poller_self(void);

/*
 * poller_wait -- make progress until the waiter has been woken; lock held, given up meanwhile. -ETIMEDOUT once
 * `deadline_ns` (0: none) has passed, or the waiter is cancelled. Spurious returns happen: look at what is waited for
 * and call again.
 */
int poller_wait(struct connection *link, struct waiter *waiter, int64_t deadline_ns);

/* poller_cancelled -- whether the waiter may not wait any more (cancel.h). */
bool poller_cancelled(const struct connection *link, const struct waiter *waiter);

/* poller_called -- a call is being made. */
static inline void poller_called(struct poller *poller)
{
	atomic_fetch_add_explicit(&poller->calls, 1, memory_order_relaxed);
}

/* poller_make_room -- the transport takes nothing more now: make progress, or let the leader; lock held, given up
 * meanwhile. */
void poller_make_room(struct connection *link);

/* poller_wake -- `waiter` (may be NULL) may go on; lock held. */
void poller_wake(struct connection *link, struct waiter *waiter);
/* poller_wake_resource -- a slot, staging room or a bounce buffer has become free; lock held. */
void poller_wake_resource(struct connection *link);
/* poller_wake_all -- the connection's state has changed; lock held. */
void poller_wake_all(struct connection *link);

/* poller_take_wake -- the background thread has been woken: the next wait of its descriptor is for another wake-up. */
void poller_take_wake(struct poller *poller);

/* poller_background -- the background thread: serves recalls while no call runs, and reconnects. */
void *poller_background(void *link);

#endif
