/*
 * turn_queue.c -- an order of turns, by the time that each has used.
 */
#include "server/net/turn_queue.h"

#define NEVER (INT64_MIN / 2) /* a time so long ago that no sum with it overflows */

void turn_queue_init(struct turn_queue *queue)
{
	*queue = (struct turn_queue){.lighter_ns = NEVER, .owed_ns = TURNS_OWED_NS};
	TAILQ_INIT(&queue->light);
	TAILQ_INIT(&queue->heavy);
}

static int64_t debt(const struct turn *turn, int64_t now_ns)
{
	int64_t left = turn->debt_ns - (now_ns - turn->at_ns);

	return left > 0 ? left : 0;
}

/* The debt falls also while the connection is served, so twice the used time is added. */
static int64_t weight(const struct turn *turn, int64_t now_ns)
{
	return debt(turn, now_ns) + 2 * turn->expected_ns;
}

/* Whether the connection is light, or much lighter than those that are held back. */
static bool is_lighter(const struct turn_queue *queue, const struct turn *turn, int64_t now_ns)
{
	int64_t ours = weight(turn, now_ns);

	return ours <= TURNS_LIGHT_NS || ours <= queue->held_weight / 4;
}

void turn_queue_ready(struct turn_queue *queue, struct turn *turn, int64_t now_ns)
{
	if (turn->waiting)
		return;
	turn->waiting = true;
	turn->since_ns = now_ns;
	turn->heavy = weight(turn, now_ns) > TURNS_LIGHT_NS;
	if (turn->heavy)
		TAILQ_INSERT_TAIL(&queue->heavy, turn, link);
	else
		TAILQ_INSERT_TAIL(&queue->light, turn, link);
}

void turn_queue_leave(struct turn_queue *queue, struct turn *turn)
{
	if (!turn->waiting)
		return;
	turn->waiting = false;
	if (turn->heavy)
		TAILQ_REMOVE(&queue->heavy, turn, link);
	else
		TAILQ_REMOVE(&queue->light, turn, link);
}

/* The weight of a connection less its waiting time, so that none waits for ever. While connections are held back the
 * waiting time does not count: it would choose those that are held back. */
static int64_t rank(const struct turn *turn, int64_t now_ns, bool held)
{
	return weight(turn, now_ns) - (held ? 0 : now_ns - turn->since_ns);
}

/* Of the first few heavy ones the one with the lowest rank. They move to the end of the list, so that others are
 * compared the next time. */
static struct turn *least_heavy(struct turn_queue *queue, int64_t now_ns, bool held)
{
	struct turn *first = TAILQ_FIRST(&queue->heavy), *turn = first, *least = first;

	for (unsigned i = 0; turn && i < TURNS_LOOKED_AT; i++) {
		if (rank(turn, now_ns, held) < rank(least, now_ns, held))
			least = turn;
		TAILQ_REMOVE(&queue->heavy, turn, link);
		TAILQ_INSERT_TAIL(&queue->heavy, turn, link);
		turn = TAILQ_FIRST(&queue->heavy);
		if (turn == first)
			break;
	}
	return least;
}

int64_t turn_queue_held_until(const struct turn_queue *queue)
{
	int64_t active_until_ns = queue->lighter_ns + TURNS_ACTIVE_NS + queue->held_ns;

	return active_until_ns < queue->held_until_ns ? active_until_ns : queue->held_until_ns;
}

/* The heavy connection that may be served now, or NULL. */
static struct turn *next_heavy(struct turn_queue *queue, int64_t now_ns)
{
	bool held = now_ns < turn_queue_held_until(queue);
	struct turn *turn = least_heavy(queue, now_ns, held);

	return turn && held && !is_lighter(queue, turn, now_ns) ? NULL : turn;
}

struct turn *turn_queue_next(struct turn_queue *queue, int64_t now_ns)
{
	struct turn *turn = NULL;

	if (TAILQ_EMPTY(&queue->light) || queue->passed_ns >= queue->owed_ns)
		turn = next_heavy(queue, now_ns);
	if (!turn)
		turn = TAILQ_FIRST(&queue->light);
	if (turn)
		turn_queue_leave(queue, turn);
	return turn;
}

/* Light connections go before heavy ones for a time that depends on the last heavy one. */
static void count_passed(struct turn_queue *queue, const struct turn *turn, int64_t used_ns)
{
	int64_t owed_ns = TURNS_OWED_FACTOR * used_ns;

	if (!turn->heavy) {
		queue->passed_ns = TAILQ_EMPTY(&queue->heavy) ? 0 : queue->passed_ns + used_ns;
		return;
	}
	queue->passed_ns = 0;
	queue->owed_ns = owed_ns < TURNS_OWED_NS ? TURNS_OWED_NS : owed_ns < TURNS_DEBT_NS ? owed_ns : TURNS_DEBT_NS;
}

void turn_charge(struct turn *turn, int64_t used_ns, int64_t now_ns)
{
	turn->debt_ns = debt(turn, now_ns) + 2 * used_ns;
	turn->at_ns = now_ns;
	if (turn->debt_ns > TURNS_DEBT_NS)
		turn->debt_ns = TURNS_DEBT_NS;
}

bool turn_queue_used(struct turn_queue *queue, struct turn *turn, int64_t used_ns, int64_t from_ns, int64_t now_ns)
{
	count_passed(queue, turn, used_ns);
	turn_charge(turn, used_ns, now_ns);
	turn->expected_ns += (used_ns - turn->expected_ns) / 4;
	if (is_lighter(queue, turn, now_ns)) {
		queue->lighter = turn;
		queue->lighter_ns = now_ns;
		queue->lighter_expected_ns = turn->expected_ns;
		return false;
	}
	if (queue->lighter == turn) /* it is not any more: it must not hold back itself */
		queue->lighter_ns = NEVER;
	bool is_short = used_ns <= queue->lighter_expected_ns + queue->lighter_expected_ns / 2;
	queue->held_weight = weight(turn, now_ns);
	queue->held_ns = is_short ? 0 : now_ns - from_ns;
	queue->held_until_ns = now_ns + queue->held_ns;
	return from_ns < queue->lighter_ns + TURNS_ACTIVE_NS;
}
