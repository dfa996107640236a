/*
 * poller.h -- chooses the thread that polls: waiting threads take turns, and a background thread polls if none waits.
 *
 * One of the waiting threads is the leader: it polls the queue, handles what arrives for any thread, and wakes the
 * threads concerned. The others sleep. A leader that has polled in vain for a while blocks on the queue's descriptor;
 * the next thread that waits then takes the lead and polls.
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
 * A waiting thread. It is the leader, or a follower that sleeps:
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
	bool woken;  /* its condition may have become true */
	bool asleep; /* in pthread_cond_wait */
	/* owned by cancel.c */
	LIST_ENTRY(waiter) tagged;
	bool listed;
	atomic_uint_least64_t tag;       /* tag of the thread's calls, 0: none */
	atomic_uint_least64_t cancelled; /* the tag that is cancelled, 0: none */
};

/* One-sided operations in flight: the context that each is posted with. */
struct operations {
	unsigned outstanding;
	/* on_done -- none is outstanding any more; lock held. */
	void (*on_done)(struct connection *link, struct operations *operations);
};

struct poller {
	/* on_lost -- the transport reports the end of the connection; lock held. */
	void (*on_lost)(struct connection *link, int status, const char *why);
	LIST_HEAD(, waiter) waiting; /* all threads in poller_wait, the newest first */
	struct waiter *leader;
	bool leader_blocked;         /* the leader waits on the descriptor, without the lock */
	unsigned polling;            /* threads that wait on the descriptor: the leader and former leaders */
	int leader_wake_fd;          /* eventfd that ends the wait of a leader that lost the lead */
	int background_wake_fd;      /* eventfd that ends an idle wait of the background thread */
	atomic_uint_least64_t calls; /* calls so far: shows the background thread whether the connection is in use */
	struct poll_policy policy;
	atomic_uint watched;   /* queues whose descriptor is watched and that have operations in flight */
	unsigned keen_polls;   /* polls before the leader yields the CPU between polls */
	atomic_bool stop;      /* the background thread must end */
	atomic_bool cancelled; /* cancel_all was called: waits return at once */
	struct waiter background;
};

/* poller_init -- 0 or -errno. poller_begin -- start with a new connection and no leader; lock held. */
int poller_init(struct poller *poller, void (*on_lost)(struct connection *link, int status, const char *why));
void poller_begin(struct poller *poller);
void poller_destroy(struct poller *poller);

/* poller_self -- the waiter of the calling thread. */
struct waiter *poller_self(void);

/*
 * poller_wait -- poll or sleep until the waiter is woken; lock held, released meanwhile. -ETIMEDOUT if `deadline_ns`
 * (0: none) has passed or the waiter is cancelled. Spurious returns happen: check the condition and call again.
 */
int poller_wait(struct connection *link, struct waiter *waiter, int64_t deadline_ns);

/* poller_cancelled -- whether the waiter must not wait any more (cancel.h). */
bool poller_cancelled(const struct connection *link, const struct waiter *waiter);

/* poller_called -- note that a call is in progress. */
static inline void poller_called(struct poller *poller)
{
	atomic_fetch_add_explicit(&poller->calls, 1, memory_order_relaxed);
}

/* poller_wake -- wake `waiter` (may be NULL); lock held. */
void poller_wake(struct connection *link, struct waiter *waiter);
/* poller_wake_all -- the connection's state has changed: wake all waiters; lock held. */
void poller_wake_all(struct connection *link);

/* poller_watch -- somebody waits for a descriptor, not here, for what arrives: the background thread leads if no thread
 * does. Lock held. */
void poller_watch(struct connection *link);

/* poller_look -- handle what has arrived, without waiting; lock held. */
void poller_look(struct connection *link);

/* poller_take_wake -- consume the wake-up of the background thread, so that its next wait blocks. */
void poller_take_wake(struct poller *poller);

/* poller_background -- the background thread: handles recalls while no call is in progress, and reconnects. */
void *poller_background(void *link);

#endif
