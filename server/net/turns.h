/*
 * turns.h -- the order in which connections are served: hosts in turn, and in a host's turn one of its connections.
 *
 * Both orders are those of turn_queue.h. So the time that all connections of a host use counts as the host's, and a
 * host with many connections gets no more than its share beside another host. If only one host is active, only the
 * order of its connections matters. A host number of 0 stands for a UNIX socket: such a connection is a host by itself.
 *
 *     (none) --turns_join--> known --turns_ready--> waiting --turns_next--> being served --turns_used--> known or waiting
 *     any --turns_leave--> (none)
 *
 * Used by one thread. Times are in ns of a clock that never goes back.
 */
#ifndef FARNOVA_SERVER_TURNS_H
#define FARNOVA_SERVER_TURNS_H

#include "server/net/turn_queue.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#define TURNS_HOST_BUCKETS 64u

struct turn_host;

/* The turn of a connection, initially zeros. */
struct conn_turn {
	struct turn turn;
	struct turn_host *host; /* NULL until turns_join and after turns_leave */
};

LIST_HEAD(turn_host_list, turn_host);

/* The state of a thread. A host is in the table while it has connections. */
struct turns {
	struct turn_queue hosts;
	struct turn_host_list table[TURNS_HOST_BUCKETS];
	int64_t held_until_ns; /* if turns_next found all held back: when the first may be served */
	bool poll_first;       /* see turns_poll_first */
};

void turns_init(struct turns *turns);

/* turns_join -- a new connection, of the host with this number (transport_pending_host). -ENOMEM. turns_leave -- the
 * connection is not to be served any more; no effect if it has not joined. */
int turns_join(struct turns *turns, struct conn_turn *turn, uint64_t host);
void turns_leave(struct turns *turns, struct conn_turn *turn);

/* turns_ready -- the connection has something to be done; no effect if it is waiting already. */
void turns_ready(struct turns *turns, struct conn_turn *turn, int64_t now_ns);

/* turns_next -- take the next connection; NULL if none waits or all that wait are held back. */
struct conn_turn *turns_next(struct turns *turns, int64_t now_ns);

/* turns_used -- the connection was served from `from_ns` to `now_ns` and used `used_ns` of that time; the thread may
 * have been without the CPU for the rest. If the connection has more to be done, call turns_ready. */
void turns_used(struct turns *turns, struct conn_turn *turn, int64_t used_ns, int64_t from_ns, int64_t now_ns);

/* turns_charge -- other threads have used so much time for the connection. */
void turns_charge(struct conn_turn *turn, int64_t used_ns, int64_t now_ns);

/* turns_poll_first -- whether new requests should be looked for before the next is served: one of a heavy connection or
 * host was served, and much lighter ones are active. */
static inline bool turns_poll_first(const struct turns *turns)
{
	return turns->poll_first;
}

/* turns_held -- for how long all waiting connections will be held back if no other becomes ready; 0: none waits, or
 * turns_next did not find all of them held back. */
int64_t turns_held(const struct turns *turns, int64_t now_ns);

/* turns_waiting -- whether any connection waits. */
static inline bool turns_waiting(const struct turns *turns)
{
	return turn_queue_waiting(&turns->hosts);
}

#endif
