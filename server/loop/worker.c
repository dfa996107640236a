/*
 * worker.c -- a thread that serves connections: their events, mail from other threads, timers.
 *
 * serve.c has what it does for connections, ticks.c its timers. The thread polls its queues, and continues to poll for
 * up to spin_us after the last event. After that it arms the queues and blocks in libevent.
 */
#include "server/loop/worker.h"

#include "common/clock.h"
#include "common/container_of.h"
#include "common/log.h"
#include "server/loop/serve.h"
#include "server/loop/ticks.h"
#include "server/net/admission.h"
#include "server/net/conn.h"
#include "server/nova/long.h"
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

#define SOON_MS  1
#define PLACE_NS 5000000 /* between checks of the CPUs on which clients poll */

struct arrival {
	struct mail mail;
	struct worker *worker;
	struct transport_pending *pending;
	enum transport_kind kind;
	struct guest *guest;
};

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

/* ---- other threads, other CPUs ---------------------------------------------------------------------------------- */

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

/* Whether a bulk thread has a job and perhaps the CPU of this worker: where there are too few for all of them and a
 * client. */
static bool may_share_with_bulk(const struct worker *worker)
{
	const struct server *server = worker->server;

	return bulk_busy(&server->bulk) && (unsigned)server->placement.count <= server->worker_count + BULK_THREADS;
}

/* A client that polls on this worker's CPU slows the worker down, and the other way round: the worker moves to another
 * CPU. While bulk threads have jobs, one may have the other CPU, and the worker would wait for it there. */
static void keep_apart(struct worker *worker)
{
	if (worker->own_cpu < 0 || worker->net.now_ns - worker->placed_ns < PLACE_NS || may_share_with_bulk(worker))
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
	bool any = serve_poll(worker);

	any = serve_turns(worker) || any;
	if (mailbox_deliver(&worker->net.mailbox) > 0)
		any = true;
	if (worker->net.stalled > 0)
		serve_flush(worker);
	if (worker->state.space_first && worker->net.now_ms >= worker->state.space_ms)
		deferred_retry_space(&worker->state);
	ticks_run(worker);
	if (worker->net.broken > 0)
		serve_close_broken(worker);
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

/* Whether to poll rather than to block. To yield the CPU to a bulk thread would be to wait until the next tick at least,
 * but a thread that wakes gets the CPU from it. */
static bool may_poll(const struct worker *worker, int64_t busy_ns)
{
	if (may_share_with_bulk(worker))
		return false;
	return is_held_shortly(worker) ||
	       worker->net.now_ns - busy_ns < poll_policy_budget(&worker->polling, worker->net.now_ns);
}

static void *worker_main(void *argument)
{
	struct worker *worker = argument;

	worker_read_clock(worker);
	ticks_begin(worker);
	int64_t busy_ns = worker->net.now_ns;
	worker->own_cpu = placement_pin_worker(&worker->server->placement);
	while (!atomic_load_explicit(&worker->server->stopping, memory_order_relaxed)) {
		worker_read_clock(worker);
		if (work(worker)) {
			poll_policy_learn(&worker->polling, worker->net.now_ns - busy_ns);
			busy_ns = worker->net.now_ns;
			keep_apart(worker);
		} else if (may_poll(worker, busy_ns)) {
			/* A client on this host may need this CPU to send the message that is polled for. */
			cpu_share_yield(&worker->polling.cpu);
		} else {
			block(worker);
			worker_read_clock(worker);
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
	worker->state.resume = serve_resume;
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
