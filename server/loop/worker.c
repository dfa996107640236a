/*
 * worker.c -- a thread that serves connections: their events, mail from other threads, timers.
 *
 * The thread polls its queues, and continues to poll for up to spin_us after the last event. After that it arms the
 * queues and blocks in libevent.
 */
#include "server/loop/worker.h"

#include "common/clock.h"
#include "common/container_of.h"
#include "common/log.h"
#include "server/loop/stall.h"
#include "server/net/admission.h"
#include "server/net/conn.h"
#include "server/nova/long.h"
#include "server/ops/dispatch.h"
#include "server/server.h"
#include "server/state/channel.h"
#include "server/state/deferred.h"
#include "server/state/seal.h"
#include "server/state/session.h"

#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define BATCH         32
#define BATCHES       16
#define SERVE_NS      100000 /* the longest time between two polls of the queues, besides a request's own */
#define TICK_MS       100
#define SOON_MS       1
#define SWEEP_MS      1000
#define PLACE_NS      5000000 /* between checks of the CPUs on which clients poll */
#define CROWDED_SHARE 10      /* while there are many connections, the time for HELLO is divided by this */
#define STALLED_MS    10000   /* a connection whose client gives no credit for so long is closed */
#define LATE_MS       200     /* a tick is so late only if this thread, or the whole host, stood still */

struct arrival {
	struct mail mail;
	struct worker *worker;
	struct transport_pending *pending;
	enum transport_kind kind;
	struct guest *guest;
};

static void read_clock(struct worker *worker)
{
	worker->net.now_ns = clock_now_ns();
	worker->net.now_ms = worker->net.now_ns / 1000000;
}

static int64_t cpu_time_ms(void)
{
	return clock_thread_cpu_ns() / CLOCK_NS_PER_MS;
}

/* ---- connections ------------------------------------------------------------------------------------------------ */

static void arrival_delivered(struct mail *mail)
{
	struct arrival *arrival = (struct arrival *)(void *)mail;
	struct worker *worker = arrival->worker;
	struct transport_ticket ticket = transport_pending_ticket(arrival->pending);
	struct conn *conn = NULL;
	int unbound;

	if (atomic_load(&worker->server->stopping)) {
		transport_reject(arrival->pending, ECONNREFUSED);
		admission_leave(arrival->guest);
	} else {
		struct session *session = channel_of_ticket(&worker->state, ticket, arrival->kind, &unbound);
		struct transport_conn *join = session ? session->conn->transport : NULL;
		if (conn_open(&worker->net, arrival->pending, arrival->kind, join, arrival->guest, &conn) == 0)
			conn->unbound = unbound;
		if (conn && session)
			channel_opened(session, conn);
	}
	if (!conn)
		atomic_fetch_sub(&worker->net.load, 1);
	free(arrival);
}

struct worker *worker_of(struct state *state)
{
	return container_of(state, struct worker, state);
}

int worker_give(struct worker *worker, struct transport_pending *pending, enum transport_kind kind)
{
	struct arrival *arrival = malloc(sizeof(*arrival));
	struct guest *guest =
	    arrival ? admission_enter(&worker->server->admission, transport_pending_host(pending), &worker->net.mailbox)
	            : NULL;

	if (!guest) {
		transport_reject(pending, EUSERS);
		free(arrival);
		return -EUSERS;
	}
	*arrival = (struct arrival){
	    .mail.deliver = arrival_delivered, .worker = worker, .pending = pending, .kind = kind, .guest = guest};
	atomic_fetch_add(&worker->net.load, 1);
	mailbox_post(&worker->net.mailbox, &arrival->mail);
	return 0;
}

static void close_broken(struct worker *worker)
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

static void flush_stalled(struct worker *worker)
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

	read_clock(worker);
	turns_used(&net->turns, turn, use->crowded ? clock_thread_cpu_ns() - use->cpu_ns : net->now_ns - use->from_ns,
	           use->from_ns, net->now_ns);
}

/* A request that has waited uses its connection's time like any other. */
static void resume(struct deferred *deferred)
{
	struct worker *worker = container_of(deferred->state, struct worker, state);
	struct conn *conn = deferred->session->conn;

	read_clock(worker);
	struct use use = use_begin(worker);
	dispatch_resume(deferred);
	if (conn)
		use_end(worker, &conn->turn, &use);
}

/* Serve connections in turn, for a short time, after which the queues are polled again. True if any was served. */
static bool serve(struct worker *worker)
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
static bool poll_queues(struct worker *worker)
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

/* ---- timers ----------------------------------------------------------------------------------------------------- */

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

static void shortage_delivered(struct mail *mail)
{
	struct worker *worker = container_of(mail, struct worker, shortage_mail);

	atomic_store(&worker->shortage_pending, false);
	session_space_short(&worker->state);
}

void worker_space_short(struct state_shared *shared)
{
	struct server *server = container_of(shared, struct server, shared);

	layout_space_short(shared->layouts);
	for (unsigned i = 0; i < server->worker_count; i++) {
		struct worker *worker = &server->workers[i];
		if (!atomic_exchange(&worker->shortage_pending, true))
			mailbox_post(&worker->net.mailbox, &worker->shortage_mail);
	}
}

/* A client that polls on this worker's CPU slows the worker down, and the other way round: the worker moves to another
 * CPU. */
static void keep_apart(struct worker *worker)
{
	if (worker->own_cpu < 0 || worker->net.now_ns - worker->placed_ns < PLACE_NS)
		return;
	worker->placed_ns = worker->net.now_ns;
	for (const struct conn *conn = worker->net.conns; conn; conn = conn->next) {
		if (transport_local_cpu(conn->transport) != worker->own_cpu)
			continue;
		worker->own_cpu = placement_leave(&worker->server->placement, worker->own_cpu);
		return;
	}
}

/* ---- the loop --------------------------------------------------------------------------------------------------- */

/* Do all work that is due. True if there was any. */
static bool work(struct worker *worker)
{
	bool any = poll_queues(worker);

	any = serve(worker) || any;
	if (mailbox_deliver(&worker->net.mailbox) > 0)
		any = true;
	if (worker->net.stalled > 0)
		flush_stalled(worker);
	if (worker->state.space_first && worker->net.now_ms >= worker->state.space_ms)
		deferred_retry_space(&worker->state);
	if (worker->net.now_ms >= worker->tick_ms) {
		int64_t late_ms = worker->net.now_ms - worker->tick_ms;
		if (late_ms > LATE_MS)
			extend_leases(worker, late_ms,
			              stall_ms(late_ms, cpu_time_ms() - worker->ticked_cpu_ms, TICK_MS));
		worker->tick_ms = worker->net.now_ms + TICK_MS;
		worker->ticked_cpu_ms = cpu_time_ms();
		tick(worker);
		reclaim_orphans(worker);
	}
	if (worker->net.broken > 0)
		close_broken(worker);
	upkeep_free_dead(&worker->server->upkeep, &worker->net.mailbox);
	return any;
}

/* Arm the queues and the mailbox; false if something may have arrived already. */
static bool may_sleep(struct worker *worker)
{
	for (unsigned kind = 0; kind < TRANSPORT_KINDS; kind++) {
		if (worker->net.queues[kind] && transport_arm(worker->net.queues[kind]) != 0)
			return false;
	}
	return mailbox_sleep(&worker->net.mailbox);
}

static void block(struct worker *worker)
{
	if (!may_sleep(worker))
		return;
	if (worker->net.stalled > 0 || worker->state.space_first || turns_waiting(&worker->net.turns)) {
		const struct timeval soon = {.tv_usec = SOON_MS * 1000};
		event_add(worker->soon, &soon);
	}
	event_base_loop(worker->base, EVLOOP_ONCE);
	mailbox_awake(&worker->net.mailbox);
}

static void let_go_of_all(struct worker *worker)
{
	while (worker->net.conns)
		session_close_conn(worker->net.conns);
	/* Opens stay pinned: a file that was unlinked while open becomes an orphan of the next mount, and its client may
	 * reconnect. */
	for (struct session *session = worker->state.sessions, *next; session; session = next) {
		next = session->next;
		session_free(session, false); /* the mail of an evicted session frees it */
	}
	deferred_retry_space(&worker->state);
}

/* Whether all waiting connections are held back, for a time that is too short to sleep. */
static bool is_held_shortly(const struct worker *worker)
{
	int64_t held_ns = turns_held(&worker->net.turns, worker->net.now_ns);

	return held_ns > 0 && held_ns < SOON_MS * 1000000 &&
	       !cpu_share_crowded(&worker->polling.cpu, worker->net.now_ns);
}

static void *worker_main(void *argument)
{
	struct worker *worker = argument;

	read_clock(worker);
	worker->tick_ms = worker->net.now_ms;
	worker->ticked_cpu_ms = cpu_time_ms();
	worker->started_ms = worker->net.now_ms;
	worker->grace_ends_ms = worker->started_ms + (int64_t)worker->server->config.lease_ms;
	int64_t busy_ns = worker->net.now_ns;
	worker->own_cpu = placement_pin_worker(&worker->server->placement);
	while (!atomic_load_explicit(&worker->server->stopping, memory_order_relaxed)) {
		read_clock(worker);
		if (work(worker)) {
			poll_policy_learn(&worker->polling, worker->net.now_ns - busy_ns);
			busy_ns = worker->net.now_ns;
			keep_apart(worker);
		} else if (is_held_shortly(worker)) {
			cpu_share_yield(&worker->polling.cpu);
		} else if (worker->net.now_ns - busy_ns >= poll_policy_budget(&worker->polling, worker->net.now_ns)) {
			block(worker);
			read_clock(worker);
		} else {
			/* A client on this host may need this CPU to send the message that is polled for. */
			cpu_share_yield(&worker->polling.cpu);
		}
	}
	let_go_of_all(worker);
	return NULL;
}

/* Only ends the wait in libevent; polling finds what there is to do. */
static void on_wake(evutil_socket_t fd, short what, void *argument)
{
	(void)fd;
	(void)what;
	(void)argument;
}

/* ---- life ------------------------------------------------------------------------------------------------------- */

static int add_event(struct worker *worker, unsigned at, int fd, short what, const struct timeval *time)
{
	worker->events[at] = event_new(worker->base, fd, what | EV_PERSIST, on_wake, NULL);
	return worker->events[at] && event_add(worker->events[at], time) == 0 ? 0 : -ENOMEM;
}

static int make_events(struct worker *worker)
{
	const struct timeval tick_time = {.tv_usec = TICK_MS * 1000};

	worker->base = event_base_new();
	if (!worker->base)
		return -ENOMEM;
	for (unsigned kind = 0; kind < TRANSPORT_KINDS; kind++) {
		if (worker->net.queues[kind] &&
		    add_event(worker, kind, transport_fd(worker->net.queues[kind]), EV_READ, NULL) < 0)
			return -ENOMEM;
	}
	if (add_event(worker, TRANSPORT_KINDS, worker->net.mailbox.fd, EV_READ, NULL) < 0 ||
	    add_event(worker, TRANSPORT_KINDS + 1, -1, 0, &tick_time) < 0)
		return -ENOMEM;
	worker->soon = event_new(worker->base, -1, 0, on_wake, NULL);
	return worker->soon ? 0 : -ENOMEM;
}

int worker_init(struct worker *worker, struct server *server, unsigned index, const bool kinds[TRANSPORT_KINDS],
                char *why, size_t why_size)
{
	worker->server = server;
	worker->index = index;
	worker->polling.spin_ns = (int64_t)server->config.spin_us * 1000;
	worker->shortage_mail.deliver = shortage_delivered;
	turns_init(&worker->net.turns);
	worker->net.message_size = (uint32_t)server->config.message_size;
	worker->state.shared = &server->shared;
	worker->state.net = &worker->net;
	worker->state.resume = resume;
	int rc = mailbox_init(&worker->net.mailbox);
	if (rc < 0) {
		worker->net.mailbox.fd = -1;
		snprintf(why, why_size, "cannot make a worker's mailbox: %s", strerror(-rc));
		return rc;
	}
	rc = nova_worker_open(server->shared.nova, &worker->state.nova);
	if (rc == 0)
		rc = sealer_create(server->shared.handle_key, &worker->state.sealer);
	for (unsigned kind = 0; kind < TRANSPORT_KINDS && rc == 0; kind++) {
		if (kinds[kind])
			rc = transport_queue_create((enum transport_kind)kind, &worker->net.queues[kind]);
	}
	if (rc == 0)
		rc = make_events(worker);
	if (rc < 0)
		snprintf(why, why_size, "cannot set up worker %u: %s", index, strerror(-rc));
	return rc;
}

int worker_start(struct worker *worker)
{
	nova_hurried(worker->state.nova, worker->server->bulk.threads > 0);
	int rc = -pthread_create(&worker->thread, NULL, worker_main, worker);

	worker->started = rc == 0;
	return rc;
}

static void nothing_delivered(struct mail *mail)
{
	free(mail);
}

void worker_join(struct worker *worker)
{
	if (!worker->started)
		return;
	struct mail *wake = malloc(sizeof(*wake));
	if (wake) { /* else its next tick wakes it */
		wake->deliver = nothing_delivered;
		mailbox_post(&worker->net.mailbox, wake);
	}
	pthread_join(worker->thread, NULL);
	worker->started = false;
}

void worker_destroy(struct worker *worker)
{
	if (!worker->server)
		return;
	while (worker->state.sessions) /* sessions that were being transferred to it when it ended */
		session_free(worker->state.sessions, false);
	deferred_free(worker->state.spare);
	sealer_destroy(worker->state.sealer);
	if (worker->soon)
		event_free(worker->soon);
	for (unsigned i = 0; i < TRANSPORT_KINDS + 2; i++) {
		if (worker->events[i])
			event_free(worker->events[i]);
	}
	if (worker->base)
		event_base_free(worker->base);
	for (unsigned kind = 0; kind < TRANSPORT_KINDS; kind++) {
		if (worker->net.queues[kind])
			transport_queue_destroy(worker->net.queues[kind]);
	}
	if (worker->state.nova)
		nova_worker_close(worker->state.nova);
	if (worker->net.mailbox.fd >= 0)
		mailbox_destroy(&worker->net.mailbox);
}
