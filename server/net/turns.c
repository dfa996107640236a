/*
 * turns.c -- the order in which connections are served.
 */
#include "server/net/turns.h"

void turns_init(struct turns *turns)
{
	*turns = (struct turns){.lighter_ns = -TURNS_ACTIVE_NS, .owed_ns = TURNS_OWED_NS};
	TAILQ_INIT(&turns->light);
	TAILQ_INIT(&turns->heavy);
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
static bool is_lighter(const struct turns *turns, const struct turn *turn, int64_t now_ns)
{
	int64_t ours = weight(turn, now_ns);

	return ours <= TURNS_LIGHT_NS || ours <= turns->held_weight / 4;
}

void turns_ready(struct turns *turns, struct turn *turn, int64_t now_ns)
{
	if (turn->waiting)
		return;
	turn->waiting = true;
	turn->since_ns = now_ns;
	turn->heavy = weight(turn, now_ns) > TURNS_LIGHT_NS;
	if (turn->heavy)
		TAILQ_INSERT_TAIL(&turns->heavy, turn, link);
	else
		TAILQ_INSERT_TAIL(&turns->light, turn, link);
}

void turns_leave(struct turns *turns, struct turn *turn)
{
	if (!turn->waiting)
		return;
	turn->waiting = false;
	if (turn->heavy)
		TAILQ_REMOVE(&turns->heavy, turn, link);
	else
		TAILQ_REMOVE(&turns->light, turn, link);
}

/* The weight of a connection less its waiting time, so that none waits for ever. While connections are held back the
 * waiting time does not count: it would choose those that are held back. */
static int64_t rank(const struct turn *turn, int64_t now_ns, bool held)
{
	return weight(turn, now_ns) - (held ? 0 : now_ns - turn->since_ns);
}

/* Of the first few heavy ones the one with the lowest rank. They move to the end of the list, so that others are
 * compared the next time. */
static struct turn *least_heavy(struct turns *turns, int64_t now_ns, bool held)
{
	struct turn *first = TAILQ_FIRST(&turns->heavy), *turn = first, *least = first;

	for (unsigned i = 0; turn && i < TURNS_LOOKED_AT; i++) {
		if (rank(turn, now_ns, held) < rank(least, now_ns, held))
			least = turn;
		TAILQ_REMOVE(&turns->heavy, turn, link);
		TAILQ_INSERT_TAIL(&turns->heavy, turn, link);
		turn = TAILQ_FIRST(&turns->heavy);
		if (turn == first)
			break;
	}
	return least;
}

/* When holding back will end if no lighter connection becomes active. */
static int64_t held_until(const struct turns *turns)
{
	int64_t active_until_ns = turns->lighter_ns + TURNS_ACTIVE_NS + turns->held_ns;

	return active_until_ns < turns->held_until_ns ? active_until_ns : turns->held_until_ns;
}

/* The heavy connection that may be served now, or NULL. */
static struct turn *next_heavy(struct turns *turns, int64_t now_ns)
{
	bool held = now_ns < held_until(turns);
	struct turn *turn = least_heavy(turns, now_ns, held);

	return turn && held && !is_lighter(turns, turn, now_ns) ? NULL : turn;
}

struct turn *turns_next(struct turns *turns, int64_t now_ns)
{
	struct turn *turn = NULL;

	if (TAILQ_EMPTY(&turns->light) || turns->passed_ns >= turns->owed_ns)
		turn = next_heavy(turns, now_ns);
	if (!turn)
		turn = TAILQ_FIRST(&turns->light);
	if (turn)
		turns_leave(turns, turn);
	return turn;
}

int64_t turns_held(const struct turns *turns, int64_t now_ns)
{
	int64_t left_ns = held_until(turns) - now_ns;

	return turns_waiting(turns) && left_ns > 0 ? left_ns : 0;
}

/* Light connections go before heavy ones for a time that depends on the last heavy one. */
static void count_passed(struct turns *turns, const struct turn *turn, int64_t used_ns)
{
	int64_t owed_ns = TURNS_OWED_FACTOR * used_ns;

	if (!turn->heavy) {
		turns->passed_ns = TAILQ_EMPTY(&turns->heavy) ? 0 : turns->passed_ns + used_ns;
		return;
	}
	turns->passed_ns = 0;
	turns->owed_ns = owed_ns < TURNS_OWED_NS ? TURNS_OWED_NS : owed_ns < TURNS_DEBT_NS ? owed_ns : TURNS_DEBT_NS;
}

void turns_charge(struct turn *turn, int64_t used_ns, int64_t now_ns)
{
	turn->debt_ns = debt(turn, now_ns) + 2 * used_ns;
	turn->at_ns = now_ns;
	if (turn->debt_ns > TURNS_DEBT_NS)
		turn->debt_ns = TURNS_DEBT_NS;
}

void turns_used(struct turns *turns, struct turn *turn, int64_t used_ns, int64_t from_ns, int64_t now_ns)
{
	count_passed(turns, turn, used_ns);
	turns_charge(turn, used_ns, now_ns);
	turn->expected_ns += (used_ns - turn->expected_ns) / 4;
	if (is_lighter(turns, turn, now_ns)) {
		turns->lighter_ns = now_ns;
		return;
	}
	turns->held_weight = weight(turn, now_ns);
	turns->held_ns = now_ns - from_ns;
	turns->held_until_ns = now_ns + turns->held_ns;
}
