/*
 * turns.h -- the order in which connections are served, by the time that each has used.
 *
 * The time that a connection's requests take adds to its debt. The debt falls with time as fast as it rose, so a
 * connection that uses less than half of the thread's time has almost no debt. The weight of a connection is its debt
 * plus the expected time of its next request, estimated from recent ones. Light connections are served first, in turn;
 * then the heavy connection with the least weight less waiting time. If light connections always have requests, a
 * heavy one is served whenever they have used four times the time of the last heavy one: none waits for ever.
 *
 * Requests differ by a factor of thousands and cannot be interrupted, so an order is not enough: a client that waits
 * for each reply before its next request would wait for a long request each time. Therefore, after a heavy connection
 * was served for some time, connections of about its weight or more are held back for as long again while much lighter
 * ones are active. So the lighter ones get at least half of the time, whatever the number and the requests of the heavy
 * ones. The thread may idle meanwhile. If no lighter connection is active, none is held back.
 *
 *     (none) --turns_ready--> waiting, light or heavy --turns_next--> being served --turns_used--> (none) or waiting
 *
 * Used by one thread. Times are in ns of a clock that never goes back.
 */
#ifndef FARNOVA_SERVER_TURNS_H
#define FARNOVA_SERVER_TURNS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#define TURNS_LIGHT_NS  300000    /* a light connection weighs at most this: a pipeline of small requests */
#define TURNS_DEBT_NS   200000000 /* the greatest debt */
#define TURNS_ACTIVE_NS 2000000 /* a connection is active for so long after it was served, and for as long as is held */
#define TURNS_LOOKED_AT 16u     /* heavy connections compared at a time */

/* Light connections go first for so many times the time of the last heavy one, and for at least this time. */
#define TURNS_OWED_FACTOR 4
#define TURNS_OWED_NS     2000000

/* The state of a connection, initially zeros. */
struct turn {
	TAILQ_ENTRY(turn) link;
	bool waiting, heavy; /* on which list */
	int64_t debt_ns;     /* as of `at_ns` */
	int64_t at_ns;
	int64_t since_ns;    /* when it began to wait */
	int64_t expected_ns; /* the time of a request: a moving mean */
};

TAILQ_HEAD(turn_list, turn);

/* The state of a thread. */
struct turns {
	struct turn_list light, heavy;
	int64_t held_weight;   /* the weight of the heavy connection served last */
	int64_t held_ns;       /* for how long connections of that weight are held back */
	int64_t held_until_ns; /* until when they are held back */
	int64_t passed_ns;     /* time used by light ones while heavy ones waited, since a heavy one was served */
	int64_t owed_ns;       /* the limit of `passed_ns` */
	int64_t lighter_ns;    /* when a much lighter one was served last */
};

void turns_init(struct turns *turns);

/* turns_ready -- the connection has something to be done; no effect if it is waiting already. */
void turns_ready(struct turns *turns, struct turn *turn, int64_t now_ns);

/* turns_next -- take the next connection off its list; NULL if none waits or all that wait are held back. */
struct turn *turns_next(struct turns *turns, int64_t now_ns);

/* turns_used -- the connection was served from `from_ns` to `now_ns` and used `used_ns` of that time; the thread may
 * have been without the CPU for the rest. If the connection has more to be done, call turns_ready. */
void turns_used(struct turns *turns, struct turn *turn, int64_t used_ns, int64_t from_ns, int64_t now_ns);

/* turns_charge -- other threads have used so much time for the connection. */
void turns_charge(struct turn *turn, int64_t used_ns, int64_t now_ns);

/* turns_held -- for how long all waiting connections will be held back if no other becomes ready; 0: none waits, or
 * none is held back. */
int64_t turns_held(const struct turns *turns, int64_t now_ns);

/* turns_leave -- the connection is not to be served any more. */
void turns_leave(struct turns *turns, struct turn *turn);

/* turns_waiting -- whether any connection waits. */
static inline bool turns_waiting(const struct turns *turns)
{
	return !TAILQ_EMPTY(&turns->light) || !TAILQ_EMPTY(&turns->heavy);
}

#endif
