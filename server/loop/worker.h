/*
 * worker.h -- a thread that serves connections: their events, mail from other threads, timers.
 *
 * Everything in it but `mailbox`, `load` and `server` is its own thread's.
 */
#ifndef FARNOVA_SERVER_WORKER_H
#define FARNOVA_SERVER_WORKER_H

#include "common/cpu_share.h"
#include "common/transport/transport.h"
#include "proto/proto.h"
#include "server/net/mailbox.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define TRANSPORT_KINDS 2u

struct conn;
struct event;
struct event_base;
struct nova_worker;
struct deferred;
struct server;
struct session;

struct worker {
	struct server *server;
	struct mailbox mailbox;
	atomic_uint load; /* connections it has or is about to get */
	unsigned index;
	pthread_t thread;
	bool started;

	struct nova_worker *nova;
	struct transport_queue *queues[TRANSPORT_KINDS]; /* by enum transport_kind; NULL where not in use */
	struct event_base *base;
	struct event *events[TRANSPORT_KINDS + 2]; /* queues, mailbox, tick */
	struct event *soon;                        /* a short nap while something is to be tried again */
	int64_t now_ms;
	int64_t now_ns;
	int64_t spin_ns;
	int64_t expected_ns; /* how long it has waited for something to do lately: a moving mean */
	struct cpu_share cpu;
	int own_cpu;           /* it is pinned to; -1: to none */
	int64_t placed_ns;     /* when that was last looked at */
	int64_t tick_ms;       /* next */
	int64_t sweep_ms;      /* next, of worker 0 */
	int64_t grace_ends_ms; /* until then clients may come back for what they had open before a crash */
	bool orphans_reclaimed;

	struct conn *conns;
	uint64_t next_token;
	unsigned broken;  /* connections to close */
	unsigned stalled; /* connections with messages that had no credit */
	struct session *sessions;

	struct deferred *spare;       /* made before it is known whether a request must wait */
	struct deferred *space_first; /* requests that wait for quarantined blocks to come free */
	int64_t space_ms;             /* when to try them again */
	struct mail quiesce_mail;     /* asks this worker to have its sessions say what they have quiesced */
	atomic_bool quiesce_pending;

	struct proto_request request; /* being handled */
	struct proto_reply reply;
	uint8_t out[PROTO_MAX_MESSAGE];
	uint8_t data[PROTO_MAX_MESSAGE]; /* of READ and READDIR replies */
};

/*
 * worker_init -- make what worker `index` needs; `kinds` says which transports. worker_start -- start its thread.
 * -errno with a sentence in `why`.
 */
int worker_init(struct worker *worker, struct server *server, unsigned index, const bool kinds[TRANSPORT_KINDS],
                char *why, size_t why_size);
int worker_start(struct worker *worker);

/* worker_give -- hand a connection to the worker; any thread. -ENOMEM: turned away. */
int worker_give(struct worker *worker, struct transport_pending *pending, enum transport_kind kind);

/* worker_join -- after server->stopping was set: wake it and wait for its end. worker_destroy -- once all have
 * ended. */
void worker_join(struct worker *worker);
void worker_destroy(struct worker *worker);

/* worker_request_quiesce_all -- blocks are short: ask every session that blocks wait for what it has quiesced. */
void worker_request_quiesce_all(struct server *server);

#endif
