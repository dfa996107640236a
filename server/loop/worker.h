/*
 * worker.h -- a thread that serves connections: their events, mail from other threads, timers.
 *
 * Everything in it is its own thread's, but what `net` says otherwise of and `server`.
 */
#ifndef FARNOVA_SERVER_WORKER_H
#define FARNOVA_SERVER_WORKER_H

#include "common/poll_policy.h"
#include "common/transport/transport.h"
#include "proto/proto.h"
#include "server/net/net.h"
#include "server/state/bulk.h"
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
	struct event *soon;                        /* a short nap while something is to be tried again */
	struct poll_policy polling;
	int own_cpu;           /* it is pinned to; -1: to none */
	int64_t placed_ns;     /* when that was last looked at */
	int64_t tick_ms;       /* next */
	int64_t ticked_cpu_ms; /* CPU time of the thread at the last tick */
	int64_t sweep_ms;      /* next, of worker 0 */
	int64_t started_ms;
	int64_t grace_ends_ms; /* until then clients may come back for what they had open before a crash */
	bool orphans_reclaimed;
	struct bulk_job reclaim_job;

	struct mail quiesce_mail; /* asks this worker to ask its sessions what they have quiesced */
	atomic_bool quiesce_pending;
};

/*
 * worker_init -- make what worker `index` needs; `kinds` says which transports. worker_start -- start its thread.
 * -errno with a sentence in `why`.
 */
int worker_init(struct worker *worker, struct server *server, unsigned index, const bool kinds[TRANSPORT_KINDS],
                char *why, size_t why_size);
int worker_start(struct worker *worker);

/* worker_give -- hand a connection to the worker; any thread. -EUSERS: turned away. */
int worker_give(struct worker *worker, struct transport_pending *pending, enum transport_kind kind);

/* worker_join -- after server->stopping was set: wake it and wait for its end. worker_destroy -- once all have
 * ended. */
void worker_join(struct worker *worker);
void worker_destroy(struct worker *worker);

/* worker_demand_quiesce_all -- for struct state_shared; `shared` is part of a struct server. */
void worker_demand_quiesce_all(struct state_shared *shared);

#endif
