/*
 * poller.c -- who polls the connection.
 */
#include "client/link/poller.h"

#include "client/link/connection.h"
#include "client/session/call.h"
#include "client/session/reconnect.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define DEFAULT_SPIN_US 50
#define MAX_SPIN_US     1000000
#define ADAPTIVE_NS     500000 /* waits of up to so long are worth polling for */
#define KEEN_POLLS      8
#define EVENTS          16
#define YIELDS          100 /* for a thread that waits for the lock to get it */
#define NAP_MS          1   /* between looks at whether calls are still being made */
#define LONG_NAP_MS     100 /* while a caller leads, and at most between ticks */

/* ---- waiters ---------------------------------------------------------------------------------------------------- */

struct waiter *progress_self(void)
{
	static _Thread_local struct waiter self = {.wake = PTHREAD_COND_INITIALIZER};
	return &self;
}

/* spin_us -- FARNOVA_SPIN_US, or the default; with one CPU polling only keeps the server from answering. */
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

int progress_init(struct progress *progress)
{
	memset(progress, 0, sizeof(*progress));
	progress->kick = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (progress->kick < 0)
		return -errno;
	progress->rouse = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (progress->rouse < 0) {
		int error = -errno;
		close(progress->kick);
		return error;
	}
	pthread_cond_init(&progress->background.wake, NULL);
	progress->spin_ns = spin_us() * 1000;
	progress->keen_polls = KEEN_POLLS;
	return 0;
}

void progress_destroy(struct progress *progress)
{
	pthread_cond_destroy(&progress->background.wake);
	close(progress->kick);
	close(progress->rouse);
}

static void enlist(struct progress *progress, struct waiter *waiter)
{
	waiter->previous = NULL;
	waiter->next = progress->waiting;
	if (waiter->next)
		waiter->next->previous = waiter;
	progress->waiting = waiter;
}

static void delist(struct progress *progress, struct waiter *waiter)
{
	if (waiter->previous)
		waiter->previous->next = waiter->next;
	else
		progress->waiting = waiter->next;
	if (waiter->next)
		waiter->next->previous = waiter->previous;
}

static void rouse(struct waiter *waiter)
{
	if (waiter->asleep)
		pthread_cond_signal(&waiter->wake);
}

/* kick -- end the leader's wait on the descriptor. */
static void kick(struct progress *progress)
{
	uint64_t one = 1;
	if (progress->leader_blocked && write(progress->kick, &one, sizeof(one)) < 0)
		return; /* EAGAIN: kicked already */
}

static void end_nap(struct progress *progress)
{
	uint64_t one = 1;
	if (write(progress->rouse, &one, sizeof(one)) < 0)
		return; /* EAGAIN: it has been ended already */
}

void progress_wake(struct farnova *fs, struct waiter *waiter)
{
	if (!waiter)
		return;
	waiter->woken = true;
	rouse(waiter);
	if (fs->progress.leader == waiter)
		kick(&fs->progress);
	else if (waiter == &fs->progress.background)
		end_nap(&fs->progress);
}

void progress_wake_resource(struct farnova *fs)
{
	if (fs->progress.resource_waiters == 0)
		return;
	for (struct waiter *w = fs->progress.waiting; w; w = w->next) {
		if (w->resource)
			progress_wake(fs, w);
	}
}

void progress_wake_all(struct farnova *fs)
{
	for (struct waiter *w = fs->progress.waiting; w; w = w->next)
		progress_wake(fs, w);
	progress_wake(fs, &fs->progress.background);
}

/* ---- leading ---------------------------------------------------------------------------------------------------- */

static int poll_once(struct farnova *fs)
{
	struct transport_event events[EVENTS];
	struct transport_conn *conn = fs->conn;
	int count = transport_poll(fs->queue, events, EVENTS);

	if (count < 0) {
		connection_lose(fs, count, "the transport's queue broke");
		return 0;
	}
	for (int i = 0; i < count; i++) {
		/* Once the connection is closed what is left of the batch is about something that is gone. */
		if (fs->state != CONNECTION_UP || fs->conn != conn)
			break;
		switch (events[i].type) {
		case TRANSPORT_MESSAGE:
			fs->heard = true;
			connection_message(fs, events[i].data, events[i].length);
			if (fs->state == CONNECTION_UP)
				transport_release(conn, events[i].data);
			break;
		case TRANSPORT_DONE: {
			struct reads *reads = events[i].context;
			fs->heard = true;
			if (--reads->outstanding == 0)
				progress_wake(fs, reads->waiter);
			break;
		}
		case TRANSPORT_CLOSED:
			connection_lose(fs, events[i].status, NULL);
			break;
		}
	}
	return count;
}

void progress_poll(struct farnova *fs)
{
	poll_once(fs);
}

/* block -- wait on the descriptor until something arrives, the lead is taken, or the deadline has passed. */
static void block(struct farnova *fs, struct waiter *waiter, int64_t deadline_ns)
{
	struct progress *progress = &fs->progress;
	struct pollfd fds[2] = {{.fd = transport_fd(fs->queue), .events = POLLIN},
	                        {.fd = progress->kick, .events = POLLIN}};
	int timeout_ms = -1;

	if (deadline_ns) {
		int64_t left_ms = (deadline_ns - connection_now() + 999999) / 1000000;
		timeout_ms = left_ms < 0 ? 0 : left_ms > INT32_MAX ? INT32_MAX : (int)left_ms;
	}
	progress->leader_blocked = true;
	progress->polling++;
	connection_unlock(fs);
	poll(fds, 2, timeout_ms);
	connection_lock(fs);
	progress->polling--;
	if (progress->leader == waiter)
		progress->leader_blocked = false;
	/* A kick may be meant for one that lost the lead and has not come out yet: taken away from it, it would sleep
	 * on, and nobody kicks it again when its answer comes. The last one out takes it. */
	uint64_t kicks;
	if (fds[1].revents && progress->polling == 0 && read(progress->kick, &kicks, sizeof(kicks)) < 0)
		return; /* EAGAIN cannot be: only here it is read, under the lock */
}

/*
 * give_way -- let those have the lock who wait for it. One of them needs some microseconds to run once it is woken; a
 * lock taken back before that would wake it in vain, again and again. True if the CPU is wanted by others so much that
 * blocking, which gives up the lock too, is better.
 */
static bool give_way(struct farnova *fs)
{
	struct progress *progress = &fs->progress;
	struct cpu_share cpu = progress->cpu;
	bool crowded = cpu_share_crowded(&cpu, connection_now());
	unsigned wanted = atomic_load_explicit(&fs->wanted, memory_order_relaxed);

	if (crowded)
		return true;
	connection_unlock(fs);
	for (unsigned i = 0; i < YIELDS && !crowded; i++) {
		if (atomic_load_explicit(&fs->wanted, memory_order_relaxed) < wanted)
			break;
		crowded = cpu_share_yield(&cpu);
	}
	connection_lock(fs);
	progress->cpu = cpu;
	return crowded;
}

/*
 * patience -- how long to poll before blocking. Blocking costs more than a wait on a slow wire does, so where waits
 * have been short enough it is twice what they took; where they have not, polling only takes the CPU from others.
 */
static int64_t patience(const struct progress *progress, int64_t now)
{
	if (cpu_share_crowded(&progress->cpu, now))
		return 0;
	if (progress->spin_ns == 0 || progress->expected_ns > ADAPTIVE_NS)
		return progress->spin_ns;
	int64_t adapted = 2 * progress->expected_ns < ADAPTIVE_NS ? 2 * progress->expected_ns : ADAPTIVE_NS;
	return adapted > progress->spin_ns ? adapted : progress->spin_ns;
}

/* learn -- a leader has waited from `begun_ns` until now. One long wait is not to spoil the mean for long. */
static void learn(struct progress *progress, int64_t begun_ns)
{
	int64_t waited_ns = connection_now() - begun_ns;
	if (waited_ns > 4 * ADAPTIVE_NS)
		waited_ns = 4 * ADAPTIVE_NS;
	progress->expected_ns += (waited_ns - progress->expected_ns) / 8;
}

/* lead -- poll until `waiter` has been woken, another thread has taken the lead, or the connection is lost. */
static void lead(struct farnova *fs, struct waiter *waiter, int64_t deadline_ns)
{
	struct progress *progress = &fs->progress;
	int64_t since = 0, begun = 0;
	unsigned polls = 0;

	kick(progress); /* a blocked leader, if there is one, is to follow now */
	progress->leader = waiter;
	progress->leader_blocked = false;
	while (!waiter->woken && progress->leader == waiter && fs->state == CONNECTION_UP) {
		if (poll_once(fs) > 0) {
			polls = 0;
			continue;
		}
		bool crowded = false;
		if (atomic_load_explicit(&fs->wanted, memory_order_relaxed) > 0) {
			crowded = give_way(fs);
		} else if (++polls > progress->keen_polls) {
			crowded = cpu_share_yield(&progress->cpu);
		}
		if (crowded)
			polls = 1; /* no patience: block now */
		if (polls % 8 != 1)
			continue;
		int64_t now = connection_now();
		if (polls == 1)
			since = now;
		if (begun == 0)
			begun = now;
		if (deadline_ns && now >= deadline_ns)
			break;
		if (waiter != &progress->background && now - since < patience(progress, now))
			continue;
		if (transport_arm(fs->queue) == 0)
			block(fs, waiter, deadline_ns);
		polls = 0;
	}
	if (waiter->woken && begun && waiter != &progress->background)
		learn(progress, begun);
	if (progress->leader != waiter)
		return;
	progress->leader = NULL;
	/* Pass the lead to one of those who still wait; the newest has the best chance to be answered soon. */
	for (struct waiter *w = progress->waiting; w && fs->state == CONNECTION_UP; w = w->next) {
		if (w->asleep && !w->woken) {
			rouse(w);
			break;
		}
	}
}

/* follow -- sleep until woken, asked to lead, or past the deadline. */
static void follow(struct farnova *fs, struct waiter *waiter, int64_t deadline_ns)
{
	struct timespec until = {.tv_sec = deadline_ns / 1000000000, .tv_nsec = deadline_ns % 1000000000};

	waiter->asleep = true;
	if (deadline_ns)
		pthread_cond_clockwait(&waiter->wake, &fs->lock, CLOCK_MONOTONIC, &until);
	else
		pthread_cond_wait(&waiter->wake, &fs->lock);
	waiter->asleep = false;
}

int progress_wait(struct farnova *fs, struct waiter *waiter, int64_t deadline_ns)
{
	struct progress *progress = &fs->progress;
	int error = 0;

	enlist(progress, waiter);
	if (waiter->resource)
		progress->resource_waiters++;
	while (!waiter->woken) {
		if (deadline_ns && connection_now() >= deadline_ns) {
			error = -ETIMEDOUT;
			break;
		}
		if (fs->state == CONNECTION_UP && (!progress->leader || progress->leader_blocked))
			lead(fs, waiter, deadline_ns);
		else
			follow(fs, waiter, deadline_ns);
	}
	waiter->woken = false;
	if (waiter->resource)
		progress->resource_waiters--;
	waiter->resource = false;
	delist(progress, waiter);
	return error;
}

/* ---- the background thread -------------------------------------------------------------------------------------- */

/* nap -- without the lock, until roused. */
static void nap(struct progress *progress, int ms)
{
	struct pollfd fd = {.fd = progress->rouse, .events = POLLIN};
	uint64_t count;

	if (poll(&fd, 1, ms) > 0 && read(progress->rouse, &count, sizeof(count)) < 0)
		return; /* EAGAIN cannot be: nobody else reads it */
}

/* look_after -- one look at the connection, lock held: reconnect it, tick, lead while no call does. Returns for how
 * many milliseconds there is nothing to do. */
static int look_after(struct farnova *fs, bool idle)
{
	struct progress *progress = &fs->progress;
	struct waiter *self = &progress->background;

	self->woken = false;
	if (fs->state == CONNECTION_LOST) {
		reconnect(fs);
		return 0;
	}
	connection_tick(fs, idle);
	if (fs->state != CONNECTION_UP || self->woken)
		return 0;
	if (!idle)
		return NAP_MS;
	if (progress->leader)
		return LONG_NAP_MS;
	lead(fs, self, connection_now() + (int64_t)fs->session.lease_ms * 1000000 / 6);
	return 0;
}

/*
 * While calls are being made their threads poll with the lock held: the background thread looks from outside and takes
 * the lock only to tick.
 */
void *progress_background(void *argument)
{
	struct farnova *fs = argument;
	struct progress *progress = &fs->progress;
	int64_t tick_ns = 0;
	uint64_t seen = 0;
	bool stop = false;
	sigset_t all;

	/* Signals are the program's: none is to be handled on this thread. */
	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, NULL);
	while (!stop) {
		uint64_t calls = atomic_load_explicit(&progress->calls, memory_order_relaxed);
		bool idle = calls == seen;
		int ms = NAP_MS;

		seen = calls;
		if (idle || connection_now() >= tick_ns) {
			connection_lock(fs);
			stop = progress->stop;
			if (!stop)
				ms = look_after(fs, idle);
			connection_unlock(fs);
			tick_ns = connection_now() + LONG_NAP_MS * 1000000;
		}
		if (!stop && ms > 0)
			nap(progress, ms);
	}
	return NULL;
}
