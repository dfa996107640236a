/*
 * turns.h -- in which order connections are served: by the time that each has used.
 *
 * The time that a connection's requests took is its debt; the debt falls as time passes, as fast as it rose: who uses
 * less than half of the thread's time has next to none. Its weight is the debt and what its next request will add,
 * judged by its last ones. Light connections are served first, in turn; among the heavy the one that weighs least, less
 * the time that it has waited. Where the light ones always have more, a heavy one is served each time that they have
 * used four times as much as the last one: none of them waits for ever.
 *
 * Requests differ by a factor of thousands and cannot be interrupted, so an order is not enough: a client that waits for
 * each reply before it asks again would meet a long request each time. Therefore, when a heavy connection has been served
 * for some time, connections of about its weight or more are held back for as long again while much lighter ones are
 * active: at least half of the time is for those, however many heavy ones there are and whatever they ask. The thread may
 * idle meanwhile; where nobody lighter is active nobody is held back.
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

#define TURNS_LIGHT_NS  300000    /* a weight that is none to speak of: a pipeline of small requests */
#define TURNS_DEBT_NS   200000000 /* the most that is remembered */
#define TURNS_ACTIVE_NS 2000000 /* a connection is active for so long after it was served, and for as long as is held */
#define TURNS_LOOKED_AT 16u     /* heavy connections compared at a time */

/* Light ones go first for so many times what the last heavy one used, and for no less than this. */
#define TURNS_OWED_FACTOR 4
#define TURNS_OWED_NS     2000000

/* Of a connection. Zeroed at first. */
struct turn {
	TAILQ_ENTRY(turn) link;
	bool waiting, heavy; /* on which list */
	int64_t debt_ns;     /* as of `at_ns` */
	int64_t at_ns;
	int64_t since_ns;    /* it is waiting */
	int64_t expected_ns; /* what a request of it takes: a moving mean */
};

TAILQ_HEAD(turn_list, turn);

/* Of a thread. */
struct turns {
	struct turn_list light, heavy;
	int64_t held_weight;   /* the weight of the heavy connection served last */
	int64_t held_ns;       /* such as it are held back for so long */
	int64_t held_until_ns; /* and until then */
	int64_t passed_ns;     /* what light ones used while heavy ones waited, since one of these was served */
	int64_t owed_ns;       /* how much that may be */
	int64_t lighter_ns;    /* when a much lighter one was served last */
};

void turns_init(struct turns *turns);

/* turns_ready -- there is something to do for it; nothing happens if it is waiting already. */
void turns_ready(struct turns *turns, struct turn *turn, int64_t now_ns);

/* turns_next -- whose turn it is, taken off the list; NULL if nobody waits or all that do are held back. */
struct turn *turns_next(struct turns *turns, int64_t now_ns);

/* turns_used -- it was served from `from_ns` to `now_ns` and used `used_ns` of that, for the thread may not have had the CPU
 * all the time. Call turns_ready if there is more to do for it. */
void turns_used(struct turns *turns, struct turn *turn, int64_t used_ns, int64_t from_ns, int64_t now_ns);

/* turns_held -- for how long all that wait will be held back, if nobody comes; 0: nobody waits, or nobody is held back. */
int64_t turns_held(const struct turns *turns, int64_t now_ns);

/* turns_leave -- it is to be served no more. */
void turns_leave(struct turns *turns, struct turn *turn);

/* turns_waiting -- whether anybody waits. */
static inline bool turns_waiting(const struct turns *turns)
{
	return !TAILQ_EMPTY(&turns->light) || !TAILQ_EMPTY(&turns->heavy);
}

#endif
