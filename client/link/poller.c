/*
 * poller.c -- chooses the thread that polls a connection, and lets the others wait.
 */
#include "client/link/poller.h"

#include "client/link/connection.h"
#include "common/clock.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define DEFAULT_SPIN_US   50
#define MAX_SPIN_US       1000000
#define KEEN_POLLS        8
#define EVENTS            16
#define YIELDS            100 /* yields until a thread that waits for the lock gets it */
#define IDLE_WAIT_MS      1   /* between checks whether calls are in progress */
#define LONG_IDLE_WAIT_MS 100 /* while a caller is the leader, and at most between ticks */

/* ---- waiters ---------------------------------------------------------------------------------------------------- */

struct waiter *poller_self(void)
{
	static _Thread_local struct waiter self = {.wake = PTHREAD_COND_INITIALIZER};
	return &self;
}

/* spin_us -- FARNOVA_SPIN_US, or the default. With one CPU polling only delays the server's answer. */
static long spin_us(void)
{
	const char *text = getenv("FARNOVA_SPIN_US");
	if (text && *text) {
		char *end;
		long value = strtol(text, &end, 10);
		if (*end == '\0' && value >= 0 && value <= MAX_SPIN_US)
			return value;
	}
	return sysconf(_SC_NPROCESSORS_ONLN) > 1 ? DEFAULT_SPIN_US : 0;
}

int poller_init(struct poller *poller, void (*on_lost)(struct connection *link, int status, const char *why))
{
	memset(poller, 0, sizeof(*poller));
	poller->on_lost = on_lost;
	LIST_INIT(&poller->waiting);
	poller->leader_wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (poller->leader_wake_fd < 0)
		return -errno;
	poller->background_wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (poller->background_wake_fd < 0) {
		int error = -errno;
		close(poller->leader_wake_fd);
		return error;
	}
	pthread_cond_init(&poller->background.wake, NULL);
	poller->policy.spin_ns = spin_us() * 1000;
	poller->keen_polls = KEEN_POLLS;
	return 0;
}

void poller_begin(struct poller *poller)
{
	poller->leader = NULL;
	poller->leader_blocked = false;
}

void poller_destroy(struct poller *poller)
{
	pthread_cond_destroy(&poller->background.wake);
	close(poller->leader_wake_fd);
	close(poller->background_wake_fd);
}

static void wake(struct waiter *waiter)
{
	if (waiter->asleep)
		pthread_cond_signal(&waiter->wake);
}

/* wake_leader -- end the leader's wait on the descriptor. */
static void wake_leader(struct poller *poller)
{
	uint64_t one = 1;
	if (poller->leader_blocked && write(poller->leader_wake_fd, &one, sizeof(one)) < 0)
		return; /* EAGAIN: it was woken already */
}

static void end_idle_wait(struct poller *poller)
{
	uint64_t one = 1;
	if (write(poller->background_wake_fd, &one, sizeof(one)) < 0)
		return; /* EAGAIN: the wait was ended already */
}

void poller_wake(struct connection *link, struct waiter *waiter)
{
	if (!waiter)
		return;
	waiter->woken = true;
	wake(waiter);
	if (link->poller.leader == waiter)
		wake_leader(&link->poller);
	else if (waiter == &link->poller.background)
		end_idle_wait(&link->poller);
}

void poller_wake_all(struct connection *link)
{
	struct waiter *w;

	LIST_FOREACH(w, &link->poller.waiting, entry)
	poller_wake(link, w);
	poller_wake(link, &link->poller.background);
}

/* ---- leading ---------------------------------------------------------------------------------------------------- */

void poller_watch(struct connection *link)
{
	struct poller *poller = &link->poller;

	if (!poller->leader && atomic_load_explicit(&poller->watched, memory_order_relaxed) > 0)
		end_idle_wait(poller);
}

static int poll_once(struct connection *link)
{
	struct transport_event events[EVENTS];
	struct transport_conn *conn = link->transport;
	int count = transport_poll(link->queue, events, EVENTS);

	if (count < 0) {
		link->poller.on_lost(link, count, "the transport's queue broke");
		return 0;
	}
	for (int i = 0; i < count; i++) {
		/* After the connection is closed, the rest of the batch belongs to a connection that is gone. */
		if (link->state != CONNECTION_UP || link->transport != conn)
			break;
		switch (events[i].type) {
		case TRANSPORT_MESSAGE:
			link->heard = true;
			link->handler->on_message(link, events[i].data, events[i].length);
			if (link->state == CONNECTION_UP)
				transport_release(conn, events[i].data);
			break;
		case TRANSPORT_DONE: {
			struct operations *operations = events[i].context;
			link->heard = true;
			if (--operations->outstanding == 0)
				operations->on_done(link, operations);
			break;
		}
		case TRANSPORT_CLOSED:
			link->poller.on_lost(link, events[i].status, NULL);
			break;
		}
	}
	if (link->state == CONNECTION_UP && link->handler->on_polled)
		link->handler->on_polled(link);
	return count;
}

void poller_look(struct connection *link)
{
	if (link->state == CONNECTION_UP && (!link->poller.leader || link->poller.leader_blocked))
		poll_once(link);
}

/* block -- wait on the descriptor until something arrives, another thread takes the lead, or the deadline passes. */
static void block(struct connection *link, struct waiter *waiter, int64_t deadline_ns)
{
	struct poller *poller = &link->poller;
	struct pollfd fds[2] = {{.fd = transport_fd(link->queue), .events = POLLIN},
	                        {.fd = poller->leader_wake_fd, .events = POLLIN}};
	int timeout_ms = -1;

	if (deadline_ns) {
		int64_t left_ms = (deadline_ns - clock_now_ns() + 999999) / 1000000;
		timeout_ms = left_ms < 0 ? 0 : left_ms > INT32_MAX ? INT32_MAX : (int)left_ms;
	}
	poller->leader_blocked = true;
	poller->polling++;
	connection_unlock(link);
	poll(fds, 2, timeout_ms);
	connection_lock(link);
	poller->polling--;
	if (poller->leader == waiter)
		poller->leader_blocked = false;
	/* The wake-up may be meant for a thread that lost the lead and has not returned from its wait yet. If this
	 * thread consumed it, that thread would sleep on, and nobody would wake it when its reply arrives. So the last
	 * thread to return from the wait consumes it. */
	uint64_t count;
	if (fds[1].revents && poller->polling == 0 && read(poller->leader_wake_fd, &count, sizeof(count)) < 0)
		return; /* EAGAIN is impossible: the descriptor is read only here, under the lock */
}

/*
 * give_way -- yield the lock to threads that wait for it. A woken thread needs some microseconds to run; if the leader
 * took the lock again before that, it would wake the thread in vain again and again. True if the CPU is so crowded that
 * blocking, which releases the lock too, is better.
 */
static bool give_way(struct connection *link)
{
	struct poller *poller = &link->poller;
	struct cpu_share cpu = poller->policy.cpu;
	bool crowded = cpu_share_crowded(&cpu, clock_now_ns());
	unsigned wanted = atomic_load_explicit(&link->wanted, memory_order_relaxed);

	if (crowded)
		return true;
	connection_unlock(link);
	for (unsigned i = 0; i < YIELDS && !crowded; i++) {
		if (atomic_load_explicit(&link->wanted, memory_order_relaxed) < wanted)
			break;
		crowded = cpu_share_yield(&cpu);
	}
	connection_lock(link);
	poller->policy.cpu = cpu;
	return crowded;
}

/* pass_lead -- no thread leads: wake one that waits, so that it takes the lead. */
static void pass_lead(struct connection *link)
{
	struct waiter *w;

	/* The newest is the most likely to get its reply soon. */
	LIST_FOREACH(w, &link->poller.waiting, entry)
	{
		if (link->state == CONNECTION_UP && w->asleep && !w->woken) {
			wake(w);
			return;
		}
	}
	poller_watch(link);
}

/* must_lead -- whether this thread has to poll on: its reply has not come, and nobody else leads. */
static bool must_lead(const struct connection *link, const struct waiter *waiter)
{
	return !waiter->woken && link->poller.leader == waiter && link->state == CONNECTION_UP;
}

/* poll_as_leader -- poll until `waiter` is woken, another thread takes the lead, or the connection is lost. */
static void poll_as_leader(struct connection *link, struct waiter *waiter, int64_t deadline_ns)
{
	struct poller *poller = &link->poller;
	int64_t since = 0, begun = 0;
	unsigned polls = 0;

	wake_leader(poller); /* a blocked leader becomes a follower now */
	poller->leader = waiter;
	poller->leader_blocked = false;
	while (must_lead(link, waiter)) {
		if (poll_once(link) > 0) {
			polls = 0;
			continue;
		}
		bool crowded = false;
		if (atomic_load_explicit(&link->wanted, memory_order_relaxed) > 0) {
			crowded = give_way(link);
		} else if (++polls > poller->keen_polls) {
			crowded = cpu_share_yield(&poller->policy.cpu);
		}
		if (crowded)
			polls = 1; /* block without polling */
		if (polls % 8 != 1)
			continue;
		int64_t now = clock_now_ns();
		if (polls == 1)
			since = now;
		if (begun == 0)
			begun = now;
		if (deadline_ns && now >= deadline_ns)
			break;
		if (waiter != &poller->background && now - since < poll_policy_budget(&poller->policy, now))
			continue;
		/* Who wakes, leads or loses the connection while the lock is yielded does not see this thread block. */
		if (!must_lead(link, waiter))
			break;
		if (transport_arm(link->queue) == 0)
			block(link, waiter, deadline_ns);
		polls = 0;
	}
	if (waiter->woken && begun && waiter != &poller->background)
		poll_policy_learn(&poller->policy, clock_now_ns() - begun);
	if (poller->leader != waiter)
		return;
	poller->leader = NULL;
	pass_lead(link);
}

/* wait_as_follower -- sleep until woken, asked to lead, or the deadline passes. */
static void wait_as_follower(struct connection *link, struct waiter *waiter, int64_t deadline_ns)
{
	struct timespec until = clock_timespec(deadline_ns);

	waiter->asleep = true;
	if (deadline_ns)
		pthread_cond_clockwait(&waiter->wake, &link->lock, CLOCK_MONOTONIC, &until);
	else
		pthread_cond_wait(&waiter->wake, &link->lock);
	waiter->asleep = false;
}

bool poller_cancelled(const struct connection *link, const struct waiter *waiter)
{
	uint64_t tag = waiter->tag;

	return link->poller.cancelled || (tag && waiter->cancelled == tag);
}

int poller_wait(struct connection *link, struct waiter *waiter, int64_t deadline_ns)
{
	struct poller *poller = &link->poller;
	bool led = false;
	int error = 0;

	LIST_INSERT_HEAD(&poller->waiting, waiter, entry);
	while (!waiter->woken) {
		if (poller_cancelled(link, waiter) || (deadline_ns && clock_now_ns() >= deadline_ns)) {
			error = -ETIMEDOUT;
			break;
		}
		/* A thread that lost the lead does not take it back from a leader that blocks: it has polled in vain
		 * already, and two threads would take the lead from each other without end. */
		if (link->state == CONNECTION_UP && (!poller->leader || (poller->leader_blocked && !led))) {
			poll_as_leader(link, waiter, deadline_ns);
			led = true;
		} else {
			wait_as_follower(link, waiter, deadline_ns);
		}
	}
	waiter->woken = false;
	LIST_REMOVE(waiter, entry);
	/* It may have been woken to take the lead and given up instead. */
	if (error && !poller->leader)
		pass_lead(link);
	return error;
}

/* ---- the background thread -------------------------------------------------------------------------------------- */

void poller_take_wake(struct poller *poller)
{
	uint64_t count;

	if (read(poller->background_wake_fd, &count, sizeof(count)) < 0)
		return; /* EAGAIN: it was not woken */
}

/* idle_wait -- wait without the lock until woken or `ms` have passed. */
static void idle_wait(struct poller *poller, int ms)
{
	struct pollfd fd = {.fd = poller->background_wake_fd, .events = POLLIN};

	if (poll(&fd, 1, ms) > 0)
		poller_take_wake(poller);
}

/* maintain -- maintain the connection once, lock held: reconnect, tick, or lead while no call does. Returns how many
 * milliseconds there is nothing to do. */
static int maintain(struct connection *link, bool idle)
{
	struct poller *poller = &link->poller;
	struct waiter *self = &poller->background;

	self->woken = false;
	if (link->state == CONNECTION_LOST) {
		link->handler->on_reconnect(link);
		return 0;
	}
	int64_t rest_ns = link->handler->on_tick(link, idle);
	if (link->state != CONNECTION_UP || self->woken)
		return 0;
	bool watched = atomic_load_explicit(&poller->watched, memory_order_relaxed) > 0;
	if (!idle && !watched)
		return IDLE_WAIT_MS;
	if (poller->leader)
		return watched ? IDLE_WAIT_MS : LONG_IDLE_WAIT_MS;
	poll_as_leader(link, self, clock_now_ns() + rest_ns);
	return 0;
}

/*
 * While calls are in progress, their threads poll with the lock held. The background thread then watches without the
 * lock and takes it only to tick.
 */
void *poller_background(void *argument)
{
	struct connection *link = argument;
	struct poller *poller = &link->poller;
	int64_t tick_ns = 0;
	uint64_t seen = 0;
	bool stop = false;
	sigset_t all;

	/* Signals belong to the program: this thread must not handle any. */
	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, NULL);
	while (!stop) {
		uint64_t calls = atomic_load_explicit(&poller->calls, memory_order_relaxed);
		bool idle = calls == seen;
		int ms = IDLE_WAIT_MS;

		seen = calls;
		bool watched = atomic_load_explicit(&poller->watched, memory_order_relaxed) > 0;
		if (idle || watched || clock_now_ns() >= tick_ns) {
			connection_lock(link);
			stop = poller->stop;
			if (!stop)
				ms = maintain(link, idle);
			connection_unlock(link);
			tick_ns = clock_now_ns() + LONG_IDLE_WAIT_MS * 1000000;
		}
		if (!stop && ms > 0)
			idle_wait(poller, ms);
	}
	return NULL;
}
