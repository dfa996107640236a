/*
 * turns.c -- the order in which connections are served: hosts in turn, and in a host's turn one of its connections.
 */
#include "server/net/turns.h"

#include "common/container_of.h"

#include <errno.h>
#include <stdlib.h>

struct turn_host {
	struct turn turn; /* it waits while any of its connections does */
	struct turn_queue conns;
	LIST_ENTRY(turn_host) link; /* of the table, unless the number is 0 */
	uint64_t number;
	unsigned count; /* of its connections */
};

void turns_init(struct turns *turns)
{
	*turns = (struct turns){0};
	turn_queue_init(&turns->hosts);
}

/* ---- hosts ------------------------------------------------------------------------------------------------------ */

static struct turn_host_list *bucket(struct turns *turns, uint64_t number)
{
	return &turns->table[(number * 0x9e3779b97f4a7c15u >> 32) % TURNS_HOST_BUCKETS];
}

static struct turn_host *find_host(struct turns *turns, uint64_t number)
{
	struct turn_host *host;

	LIST_FOREACH(host, bucket(turns, number), link)
	{
		if (host->number == number)
			return host;
	}
	return NULL;
}

static struct turn_host *make_host(struct turns *turns, uint64_t number)
{
	struct turn_host *host = calloc(1, sizeof(*host));

	if (!host)
		return NULL;
	turn_queue_init(&host->conns);
	host->number = number;
	if (number != 0)
		LIST_INSERT_HEAD(bucket(turns, number), host, link);
	return host;
}

int turns_join(struct turns *turns, struct conn_turn *turn, uint64_t host)
{
	turn->host = host != 0 ? find_host(turns, host) : NULL;
	if (!turn->host)
		turn->host = make_host(turns, host);
	if (!turn->host)
		return -ENOMEM;
	turn->host->count++;
	return 0;
}

void turns_leave(struct turns *turns, struct conn_turn *turn)
{
	struct turn_host *host = turn->host;

	if (!host)
		return;
	turn->host = NULL;
	turn_queue_leave(&host->conns, &turn->turn);
	if (!turn_queue_waiting(&host->conns))
		turn_queue_leave(&turns->hosts, &host->turn);
	if (--host->count > 0)
		return;
	if (host->number != 0)
		LIST_REMOVE(host, link);
	free(host);
}

/* ---- turns ------------------------------------------------------------------------------------------------------ */

void turns_ready(struct turns *turns, struct conn_turn *turn, int64_t now_ns)
{
	turn_queue_ready(&turn->host->conns, &turn->turn, now_ns);
	turn_queue_ready(&turns->hosts, &turn->host->turn, now_ns);
}

/* Let hosts wait again that were passed over, as long as they have waited. */
static void put_back(struct turns *turns, struct turn_list *passed, int64_t now_ns)
{
	struct turn *turn;

	while ((turn = TAILQ_FIRST(passed)) != NULL) {
		int64_t since_ns = turn->since_ns;
		TAILQ_REMOVE(passed, turn, link);
		turn_queue_ready(&turns->hosts, turn, now_ns);
		turn->since_ns = since_ns;
	}
}

/* The next host may have none but connections that are held back: then it is the turn of another. */
struct conn_turn *turns_next(struct turns *turns, int64_t now_ns)
{
	struct turn_list passed = TAILQ_HEAD_INITIALIZER(passed);
	struct turn *found = NULL;
	int64_t held_until_ns = INT64_MAX; /* of the first */

	for (unsigned i = 0; !found && i < TURNS_LOOKED_AT; i++) {
		struct turn *next = turn_queue_next(&turns->hosts, now_ns);
		struct turn_queue *holds = &turns->hosts;
		if (next) {
			holds = &container_of(next, struct turn_host, turn)->conns;
			found = turn_queue_next(holds, now_ns);
		}
		if (!found && turn_queue_waiting(holds) && turn_queue_held_until(holds) < held_until_ns)
			held_until_ns = turn_queue_held_until(holds);
		if (!next)
			break;
		if (!found)
			TAILQ_INSERT_TAIL(&passed, next, link);
	}
	put_back(turns, &passed, now_ns);
	turns->held_until_ns = held_until_ns < INT64_MAX && !found ? held_until_ns : now_ns;
	turns->poll_first = false;
	return found ? container_of(found, struct conn_turn, turn) : NULL;
}

int64_t turns_held(const struct turns *turns, int64_t now_ns)
{
	int64_t left_ns = turns->held_until_ns - now_ns;

	return turns_waiting(turns) && left_ns > 0 ? left_ns : 0;
}

void turns_charge(struct conn_turn *turn, int64_t used_ns, int64_t now_ns)
{
	turn_charge(&turn->turn, used_ns, now_ns);
	turn_charge(&turn->host->turn, used_ns, now_ns);
}

void turns_used(struct turns *turns, struct conn_turn *turn, int64_t used_ns, int64_t from_ns, int64_t now_ns)
{
	struct turn_host *host = turn->host;
	bool lighter_conn = turn_queue_used(&host->conns, &turn->turn, used_ns, from_ns, now_ns);
	bool lighter_host = turn_queue_used(&turns->hosts, &host->turn, used_ns, from_ns, now_ns);

	turns->poll_first = lighter_conn || lighter_host;
	if (turn_queue_waiting(&host->conns))
		turn_queue_ready(&turns->hosts, &host->turn, now_ns);
}
