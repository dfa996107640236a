/*
 * interrupts.c -- lets processes that wait for a request of the mount be killed, even while the server is unreachable.
 */
#include "client/fuse/interrupts.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/queue.h>
#include <time.h>

#define LOOK_NS     100000000
#define IDLE_ROUNDS 10 /* scans without a request before scanning stops */

/* A thread that handles requests. */
struct server {
	LIST_ENTRY(server) entry;
	bool listed;
	atomic_uint_least64_t tag; /* tag of the current request, 0: none; never reused */
	atomic_int caller;         /* thread that made the request; set before the tag */
	uint64_t seen;             /* the tag at the last scan */
};

static struct {
	struct farnova *fs;
	pthread_t thread;
	pthread_key_t key; /* its destructor removes an ending thread from the list */
	pthread_mutex_t lock;
	pthread_cond_t wake;
	LIST_HEAD(, server) servers;
	atomic_bool looking;
	bool stop;
	atomic_uint_least64_t last_tag;
} interrupts = {.lock = PTHREAD_MUTEX_INITIALIZER, .wake = PTHREAD_COND_INITIALIZER};

static _Thread_local struct server self;

static void unlist(void *server)
{
	pthread_mutex_lock(&interrupts.lock);
	LIST_REMOVE((struct server *)server, entry);
	pthread_mutex_unlock(&interrupts.lock);
}

static void list_self(void)
{
	self.listed = true;
	pthread_setspecific(interrupts.key, &self);
	pthread_mutex_lock(&interrupts.lock);
	LIST_INSERT_HEAD(&interrupts.servers, &self, entry);
	pthread_mutex_unlock(&interrupts.lock);
}

/* The kernel's interrupt, on any thread; the request may have been answered meanwhile. */
static void on_interrupt(fuse_req_t req, void *tag)
{
	farnova_cancel(interrupts.fs, (uint64_t)(uintptr_t)tag);
}

static void begin_looking(void)
{
	pthread_mutex_lock(&interrupts.lock);
	interrupts.looking = true;
	pthread_cond_signal(&interrupts.wake);
	pthread_mutex_unlock(&interrupts.lock);
}

void interrupts_begin(fuse_req_t req)
{
	uint64_t tag = atomic_fetch_add(&interrupts.last_tag, 1) + 1;
	pid_t caller = fuse_req_ctx(req)->pid;

	if (!self.listed)
		list_self();
	self.caller = caller;
	self.tag = tag;
	farnova_set_tag(tag);
	if (caller == 0)
		fuse_req_interrupt_func(req, on_interrupt, (void *)(uintptr_t)tag);
	if (!interrupts.looking)
		begin_looking();
}

void interrupts_end(void)
{
	self.tag = 0;
	farnova_set_tag(0);
}

/* ---- which signals end a process -------------------------------------------------------------------------------- */

/* In the format of /proc/PID/status: bit N-1 is signal N. */
struct signal_sets {
	unsigned long long pending, shared_pending, blocked, ignored, caught;
};

static int read_signals(pid_t thread, struct signal_sets *sets)
{
	char path[64], line[256];

	snprintf(path, sizeof(path), "/proc/%d/status", (int)thread);
	FILE *file = fopen(path, "re");
	if (!file)
		return -errno;
	while (fgets(line, sizeof(line), file)) {
		sscanf(line, "SigPnd: %llx", &sets->pending);
		sscanf(line, "ShdPnd: %llx", &sets->shared_pending);
		sscanf(line, "SigBlk: %llx", &sets->blocked);
		sscanf(line, "SigIgn: %llx", &sets->ignored);
		sscanf(line, "SigCgt: %llx", &sets->caught);
	}
	fclose(file);
	return 0;
}

/*
 * Whether the thread will exit as soon as its call returns. If a signal terminates a process by default, the kernel
 * sends SIGKILL to each of its threads; not so for signals that dump core.
 */
static bool is_dying(pid_t thread)
{
	static const int with_core[] = {SIGQUIT, SIGILL,  SIGTRAP, SIGABRT, SIGBUS,
	                                SIGFPE,  SIGSEGV, SIGXCPU, SIGXFSZ, SIGSYS};
	struct signal_sets sets = {0};

	if (read_signals(thread, &sets))
		return false;
	unsigned long long pending = sets.pending | sets.shared_pending;
	if (pending & 1ull << (SIGKILL - 1))
		return true;
	pending &= ~(sets.blocked | sets.ignored | sets.caught);
	for (size_t i = 0; i < sizeof(with_core) / sizeof(with_core[0]); i++)
		if (pending & 1ull << (with_core[i] - 1))
			return true;
	return false;
}

/* ---- looking ---------------------------------------------------------------------------------------------------- */

/* Cancel requests that were already present at the last scan and whose caller is dying; lock held. Returns whether any
 * request is in progress. */
static bool look(void)
{
	struct server *server;
	bool any = false;

	LIST_FOREACH(server, &interrupts.servers, entry)
	{
		uint64_t tag = server->tag;
		if (!tag)
			continue;
		any = true;
		/* `caller` belongs to this request: it was set before the tag, and the tag has not changed. */
		if (server->seen == tag && server->caller && is_dying(server->caller) && server->tag == tag)
			farnova_cancel(interrupts.fs, tag);
		server->seen = tag;
	}
	return any;
}

/* Lock held, released meanwhile. */
static void pause_looking(void)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_nsec += LOOK_NS;
	until.tv_sec += until.tv_nsec / 1000000000;
	until.tv_nsec %= 1000000000;
	while (!interrupts.stop &&
	       pthread_cond_clockwait(&interrupts.wake, &interrupts.lock, CLOCK_MONOTONIC, &until) != ETIMEDOUT)
		;
}

static void *look_after(void *unused)
{
	unsigned idle = 0;

	pthread_mutex_lock(&interrupts.lock);
	while (!interrupts.stop) {
		idle = look() ? 0 : idle + 1;
		if (idle < IDLE_ROUNDS) {
			pause_looking();
			continue;
		}
		interrupts.looking = false;
		/* A request that began before that did not restart the scans; this scan sees it. */
		interrupts.looking = look();
		while (!interrupts.looking && !interrupts.stop)
			pthread_cond_wait(&interrupts.wake, &interrupts.lock);
		idle = 0;
	}
	pthread_mutex_unlock(&interrupts.lock);
	return NULL;
}

int interrupts_start(struct farnova *fs)
{
	interrupts.fs = fs;
	int error = pthread_key_create(&interrupts.key, unlist);
	return error ? -error : -pthread_create(&interrupts.thread, NULL, look_after, NULL);
}

void interrupts_stop(void)
{
	pthread_mutex_lock(&interrupts.lock);
	interrupts.stop = true;
	pthread_cond_signal(&interrupts.wake);
	pthread_mutex_unlock(&interrupts.lock);
	pthread_join(interrupts.thread, NULL);
}
