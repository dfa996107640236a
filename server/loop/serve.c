/*
 * serve.c -- takes what has arrived from a worker's queues, and serves its connections in turn.
 */
#include "server/loop/serve.h"

#include "common/clock.h"
#include "common/container_of.h"
#include "common/log.h"
#include "server/loop/worker.h"
#include "server/net/conn.h"
#include "server/ops/dispatch.h"
#include "server/state/deferred.h"
#include "server/state/session.h"

#include <string.h>

#define BATCH    32
#define BATCHES  16
#define SERVE_NS 100000 /* the longest time between two polls of the queues, besides a request's own */

void serve_close_broken(struct worker *worker)
{
	struct conn *conn = worker->net.conns;

	while (conn && worker->net.broken > 0) {
		if (!conn->broken) {
			conn = conn->next;
			continue;
		}
		session_close_conn(conn);
		conn = worker->net.conns; /* channels of its session are closed too */
	}
}

void serve_flush(struct worker *worker)
{
	for (struct conn *conn = worker->net.conns; conn; conn = conn->next) {
		if (conn->out_first)
			conn_flush(conn);
	}
}

/* Events are only noted here; they are handled when it is their connection's turn. */
static void note_event(struct transport_event *event)
{
	struct conn *conn = transport_user(event->conn);

	if (event->type == TRANSPORT_MESSAGE) {
		dispatch_arrived(conn, event->data, event->length);
		conn_received(conn, event->data, event->length);
	} else if (event->type == TRANSPORT_CLOSED) {
		conn_ended(conn, event->status);
	}
}

/* Handle one message of the connection. Its end is handled after its last message. */
static void serve_one(struct worker *worker, struct conn *conn)
{
	struct in_message message;

	if (conn_take(conn, &message)) {
		dispatch_message(&worker->state, conn, message.data, message.length);
		transport_release(conn->transport, message.data);
	} else if (conn->ended) {
		conn_fail(conn, conn->session && conn->session->ended ? NULL : strerror(-conn->ended));
	}
}

/* The time that a connection's request takes. Where others have the CPU at times that is no time that a request used.
 * Asking for the thread's own time costs a system call, so it is asked for only then. */
struct use {
	int64_t from_ns, cpu_ns;
	bool crowded;
};

static struct use use_begin(const struct worker *worker)
{
	bool crowded = cpu_share_crowded(&worker->polling.cpu, worker->net.now_ns);

	return (struct use){
	    .from_ns = worker->net.now_ns, .cpu_ns = crowded ? clock_thread_cpu_ns() : 0, .crowded = crowded};
}

static void use_end(struct worker *worker, struct conn_turn *turn, const struct use *use)
{
	struct net *net = &worker->net;

	worker_read_clock(worker);
	turns_used(&net->turns, turn, use->crowded ? clock_thread_cpu_ns() - use->cpu_ns : net->now_ns - use->from_ns,
	           use->from_ns, net->now_ns);
}

/* A request that has waited uses its connection's time like any other. */
void serve_resume(struct deferred *deferred)
{
	struct worker *worker = container_of(deferred->state, struct worker, state);
	struct conn *conn = deferred->session->conn;

	worker_read_clock(worker);
	struct use use = use_begin(worker);
	dispatch_resume(deferred);
	if (conn)
		use_end(worker, &conn->turn, &use);
}

/* Serve connections in turn, for a short time, after which the queues are polled again. True if any was served. */
bool serve_turns(struct worker *worker)
{
	struct net *net = &worker->net;
	int64_t until_ns = net->now_ns + SERVE_NS;
	struct conn_turn *turn;
	bool any = false;

	while (net->now_ns < until_ns && (turn = turns_next(&net->turns, net->now_ns)) != NULL) {
		struct conn *conn = container_of(turn, struct conn, turn);
		struct use use = use_begin(worker);

		serve_one(worker, conn);
		use_end(worker, turn, &use);
		if (conn_waits(conn))
			turns_ready(&net->turns, turn, net->now_ns);
		any = true;
		if (turns_poll_first(&net->turns))
			break;
	}
	return any;
}

static int poll_queue(struct transport_queue *queue)
{
	struct transport_event events[BATCH];
	int count, total = 0;

	/* Drain the queue, so that the messages of one connection do not delay those of the others. */
	do {
		count = transport_poll(queue, events, BATCH);
		if (count < 0)
			return total > 0 ? total : count;
		for (int i = 0; i < count; i++)
			note_event(&events[i]);
		total += count;
	} while (count == BATCH && total < BATCH * BATCHES);
	return total;
}

/* Poll all queues. True if anything arrived, also if it caused no event. */
bool serve_poll(struct worker *worker)
{
	bool any = false;

	for (unsigned kind = 0; kind < TRANSPORT_KINDS; kind++) {
		if (!worker->net.queues[kind])
			continue;
		uint64_t before = transport_activity(worker->net.queues[kind]);
		int count = poll_queue(worker->net.queues[kind]);
		if (count < 0) {
			log_error("worker", "the %s queue has failed: %s; its connections are closed",
			          transport_kind_name((enum transport_kind)kind), strerror(-count));
			for (struct conn *conn = worker->net.conns; conn; conn = conn->next) {
				if (transport_conn_kind(conn->transport) == (enum transport_kind)kind)
					conn_fail(conn, "its completion queue has failed");
			}
			continue;
		}
		any = any || count > 0 || transport_activity(worker->net.queues[kind]) != before;
	}
	return any;
}
