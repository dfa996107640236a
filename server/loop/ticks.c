/*
 * ticks.c -- what a worker does from time to time: deadlines of its connections and sessions, leases, orphans.
 */
#include "server/loop/ticks.h"

#include "common/clock.h"
#include "common/log.h"
#include "server/loop/stall.h"
#include "server/loop/worker.h"
#include "server/net/admission.h"
#include "server/net/conn.h"
#include "server/server.h"
#include "server/state/session.h"

#define SWEEP_MS      1000
#define CROWDED_SHARE 10    /* while there are many connections, the time for HELLO is divided by this */
#define STALLED_MS    10000 /* a connection whose client gives no credit for so long is closed */
#define LATE_MS       200   /* a tick is so late only if this thread, or the whole host, stood still */

static int64_t cpu_time_ms(void)
{
	return clock_thread_cpu_ns() / CLOCK_NS_PER_MS;
}

/*
 * A lease limits how long a client may be silent. While this thread was late it received nothing, so all leases are
 * extended by that time, up to twice the lease time.
 *
 * The time to answer a recall is extended only by the time in which this thread could not run (the host was suspended
 * or too busy), because clients on the same host could not run either. It is not extended by the time that requests
 * took: else clients could delay the deadline of one of them with many requests.
 */
static void extend_leases(struct worker *worker, int64_t late_ms, int64_t stalled_ms)
{
	int64_t lease_ms = (int64_t)worker->server->config.lease_ms;

	if (stalled_ms > LATE_MS)
		log_info("worker", "worker %u could not run for %lld ms: leases are extended by that time",
		         worker->index, (long long)stalled_ms);
	for (struct conn *conn = worker->net.conns; conn; conn = conn->next)
		conn_extend_timers(conn, late_ms, lease_ms);
	for (struct session *session = worker->state.sessions; session; session = session->next)
		session_extend_lease(session, late_ms, stalled_ms);
	worker->grace_ends_ms += late_ms;
	if (worker->grace_ends_ms > worker->started_ms + 2 * lease_ms)
		worker->grace_ends_ms = worker->started_ms + 2 * lease_ms;
}

static void tick(struct worker *worker)
{
	struct server *server = worker->server;

	int64_t hello_ms = (int64_t)server->config.hello_ms;
	if (admission_crowded(&server->admission))
		hello_ms /= CROWDED_SHARE;
	for (struct conn *conn = worker->net.conns; conn; conn = conn->next) {
		if (!conn->session && !conn->bound && worker->net.now_ms - conn->opened_ms > hello_ms)
			conn_fail(conn, "it has not said HELLO");
		if (conn->out_first && worker->net.now_ms - conn->out_since_ms > STALLED_MS)
			conn_fail(conn, "it does not receive its messages");
	}
	for (struct session *session = worker->state.sessions, *next; session; session = next) {
		next = session->next;
		session_tick(session);
	}
	if (worker->index == 0 && worker->net.now_ms >= worker->sweep_ms) {
		worker->sweep_ms = worker->net.now_ms + SWEEP_MS;
		layout_sweep(server->shared.layouts);
	}
}

static void reclaim_orphans(struct worker *worker)
{
	if (worker->index != 0 || worker->orphans_reclaimed || worker->server->config.read_only ||
	    worker->net.now_ms < worker->grace_ends_ms)
		return;
	worker->orphans_reclaimed = true;
	upkeep_reclaim_orphans(&worker->server->upkeep, &worker->net.mailbox, worker->state.nova);
}

void ticks_begin(struct worker *worker)
{
	worker->tick_ms = worker->net.now_ms;
	worker->ticked_cpu_ms = cpu_time_ms();
	worker->started_ms = worker->net.now_ms;
	worker->grace_ends_ms = worker->started_ms + (int64_t)worker->server->config.lease_ms;
}

void ticks_run(struct worker *worker)
{
	if (worker->net.now_ms < worker->tick_ms)
		return;
	int64_t late_ms = worker->net.now_ms - worker->tick_ms;
	if (late_ms > LATE_MS)
		extend_leases(worker, late_ms, stall_ms(late_ms, cpu_time_ms() - worker->ticked_cpu_ms, TICK_MS));
	worker->tick_ms = worker->net.now_ms + TICK_MS;
	worker->ticked_cpu_ms = cpu_time_ms();
	tick(worker);
	reclaim_orphans(worker);
}
