/*
 * turn_queue.h -- an order of turns, by the time that each has used: turns of connections, or of hosts.
 *
 * The time that a turn's requests take adds to its debt. The debt falls with time as fast as it rose, so a turn that
 * uses less than half of the thread's time has almost no debt. The weight of a turn is its debt plus the expected time
 * of its next request, estimated from recent ones. Light turns are served first, one after the other; then the heavy
 * one with the least weight less waiting time. If light ones always have requests, a heavy one is served whenever they
 * have used four times the time of the last heavy one: none waits for ever.
 *
 * Requests differ by a factor of thousands and cannot be interrupted, so an order is not enough: a client that waits
 * for each reply before its next request would wait for a long request each time. Therefore, after a heavy turn was
 * served for some time, turns of about its weight or more are held back for as long again while much lighter ones are
 * active. So the lighter ones get at least half of the time, whatever the number and the requests of the heavy ones.
 * The thread may idle meanwhile. If no lighter one is active, none is held back; nor after a request that took no more
 * than one and a half times as long as the lighter one's usually take: then it is enough to look for new requests.
 *
 *     (none) --turn_queue_ready--> waiting, light or heavy --turn_queue_next--> being served
 *     being served --turn_queue_used--> (none) or waiting
 *
 * Used by one thread. Times are in ns of a clock that never goes back.
 */
#ifndef FARNOVA_SERVER_TURN_QUEUE_H
#define FARNOVA_SERVER_TURN_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#define TURNS_LIGHT_NS  300000    /* a light turn weighs at most this: a pipeline of small requests */
#define TURNS_DEBT_NS   200000000 /* the greatest debt */
#define TURNS_ACTIVE_NS 2000000   /* it is active for so long after it was served, and for as long as is held */
#define TURNS_LOOKED_AT 16u       /* heavy ones compared at a time */

/* Light ones go first for so many times the time of the last heavy one, and for at least this time. */
#define TURNS_OWED_FACTOR 4
#define TURNS_OWED_NS     2000000

/* One of those that take turns, initially zeros. */
struct turn {
	TAILQ_ENTRY(turn) link;
	bool waiting, heavy; /* on which list */
	int64_t debt_ns;     /* as of `at_ns` */
	int64_t at_ns;
	int64_t since_ns;    /* when it began to wait */
	int64_t expected_ns; /* the time of a request: a moving mean */
};

TAILQ_HEAD(turn_list, turn);

struct turn_queue {
	struct turn_list light, heavy;
	int64_t held_weight;         /* the weight of the heavy one served last */
	int64_t held_ns;             /* for how long those of that weight are held back */
	int64_t held_until_ns;       /* until when they are held back */
	int64_t passed_ns;           /* time used by light ones while heavy ones waited, since a heavy one was served */
	int64_t owed_ns;             /* the limit of `passed_ns` */
	int64_t lighter_ns;          /* when a much lighter one was served last, */
	int64_t lighter_expected_ns; /* the time of its requests, */
	const struct turn *lighter;  /* and which it was; only compared */
};

void turn_queue_init(struct turn_queue *queue);

/* turn_queue_ready -- the turn has something to be done; no effect if it is waiting already. */
void turn_queue_ready(struct turn_queue *queue, struct turn *turn, int64_t now_ns);

/* turn_queue_next -- take the next turn off its list; NULL if none waits or all that wait are held back. */
struct turn *turn_queue_next(struct turn_queue *queue, int64_t now_ns);

/* turn_queue_used -- the turn was served from `from_ns` to `now_ns` and used `used_ns` of that time. Returns whether a
 * much lighter one is active: then new requests should be looked for before the next is served. */
bool turn_queue_used(struct turn_queue *queue, struct turn *turn, int64_t used_ns, int64_t from_ns, int64_t now_ns);

/* turn_charge -- so much more time was used for the turn. */
void turn_charge(struct turn *turn, int64_t used_ns, int64_t now_ns);

/* turn_queue_held_until -- when holding back will end if no lighter one becomes active. */
int64_t turn_queue_held_until(const struct turn_queue *queue);

/* turn_queue_leave -- the turn does not wait any more. */
void turn_queue_leave(struct turn_queue *queue, struct turn *turn);

/* turn_queue_waiting -- whether any turn waits. */
static inline bool turn_queue_waiting(const struct turn_queue *queue)
{
	return !TAILQ_EMPTY(&queue->light) || !TAILQ_EMPTY(&queue->heavy);
}

#endif
