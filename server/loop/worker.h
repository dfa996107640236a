/*
 * worker.h -- a thread that serves connections: their events, mail from other threads, timers.
 *
 * Only its own thread uses the fields, except for `server`, `shortage_pending` and those that net.h excepts.
 */
#ifndef FARNOVA_SERVER_WORKER_H
#define FARNOVA_SERVER_WORKER_H

#include "common/clock.h"
#include "common/poll_policy.h"
#include "common/transport/transport.h"
#include "proto/proto.h"
#include "server/net/net.h"
#include "server/state/state.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct event;
struct event_base;
struct server;

struct worker {
	struct server *server;
	struct net net;
	struct state state;
	unsigned index;
	pthread_t thread;
	bool started;

	struct event_base *base;
	struct event *events[TRANSPORT_KINDS + 2]; /* queues, mailbox, tick */
	struct event *soon;                        /* ends a short sleep while something is to be tried again */
	struct poll_policy polling;
	int own_cpu;           /* the CPU that the thread is pinned to; -1: none */
	int64_t placed_ns;     /* when keep_apart last checked that */
	int64_t tick_ms;       /* when the next tick is due */
	int64_t ticked_cpu_ms; /* CPU time of the thread at the last tick */
	int64_t sweep_ms;      /* when the next layout_sweep is due; worker 0 only */
	int64_t started_ms;
	int64_t grace_ends_ms; /* until then clients may reclaim files that they had open before a crash */
	bool orphans_reclaimed;

	struct mail shortage_mail; /* space is short */
	atomic_bool shortage_pending;
};

/* worker_read_clock -- the worker's time is now. */
static inline void worker_read_clock(struct worker *worker)
{
	worker->net.now_ns = clock_now_ns();
	worker->net.now_ms = worker->net.now_ns / CLOCK_NS_PER_MS;
}

/*
 * worker_init -- set up worker `index` for these transports: -errno with a sentence in `why`. worker_start -- start its
 * thread: -errno.
 */
int worker_init(struct worker *worker, struct server *server, unsigned index, const bool kinds[TRANSPORT_KINDS],
                char *why, size_t why_size);
int worker_start(struct worker *worker);

/* worker_of -- the worker that has this state. */
struct worker *worker_of(struct state *state);

/* worker_give -- give a new connection to the worker, from any thread. -EUSERS: the connection was rejected. */
int worker_give(struct worker *worker, struct transport_pending *pending, enum transport_kind kind);

/* worker_join -- after server->stopping was set: wake the thread and wait for its end. worker_destroy -- after all
 * workers have ended. */
void worker_join(struct worker *worker);
void worker_destroy(struct worker *worker);

/* worker_space_short -- for struct state_shared; `shared` is part of a struct server. */
void worker_space_short(struct state_shared *shared);

#endif
