/*
 * bulk.c -- threads for work that would hold up a loop.
 */
#include "server/state/bulk.h"

#include "common/clock.h"
#include "common/log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

struct bulk_owner {
	TAILQ_ENTRY(bulk_owner) link; /* while it has queued jobs */
	STAILQ_HEAD(, bulk_job) jobs; /* queued */
	int64_t used_ns;
	bool running; /* one of its jobs runs */
	bool ended;   /* to be freed once it has no jobs */
};

/* ---- owners ----------------------------------------------------------------------------------------------------- */

struct bulk_owner *bulk_owner_make(void)
{
	struct bulk_owner *owner = calloc(1, sizeof(*owner));

	if (owner)
		STAILQ_INIT(&owner->jobs);
	return owner;
}

static void free_ended(struct bulk_owner *owner)
{
	if (owner->ended && !owner->running && STAILQ_EMPTY(&owner->jobs))
		free(owner);
}

void bulk_owner_end(struct bulk *bulk, struct bulk_owner *owner)
{
	if (!owner)
		return;
	if (!bulk->started) { /* stopped: nothing runs */
		free(owner);
		return;
	}
	pthread_mutex_lock(&bulk->lock);
	owner->ended = true;
	free_ended(owner);
	pthread_mutex_unlock(&bulk->lock);
}

static void enqueue(struct bulk *bulk, struct bulk_job *job)
{
	struct bulk_owner *owner = job->owner;

	atomic_fetch_add_explicit(&bulk->jobs, 1, memory_order_relaxed);
	job->state = BULK_QUEUED;
	job->used_ns = 0;
	job->waiting = NULL;
	if (STAILQ_EMPTY(&owner->jobs)) {
		TAILQ_INSERT_TAIL(&bulk->owners, owner, link);
		if (!owner->running && owner->used_ns < bulk->used_ns)
			owner->used_ns = bulk->used_ns;
	}
	STAILQ_INSERT_TAIL(&owner->jobs, job, link);
}

/* The job runs no more, or is not run at all. */
static void let_go(struct bulk *bulk, struct bulk_job *job)
{
	atomic_fetch_sub_explicit(&bulk->jobs, 1, memory_order_relaxed);
	job->state = BULK_IDLE;
}

static void dequeue(struct bulk *bulk, struct bulk_job *job)
{
	struct bulk_owner *owner = job->owner;

	STAILQ_REMOVE(&owner->jobs, job, bulk_job, link);
	if (STAILQ_EMPTY(&owner->jobs))
		TAILQ_REMOVE(&bulk->owners, owner, link);
}

/* The next job; NULL if no owner has a queued job and none running. */
static struct bulk_job *take(struct bulk *bulk)
{
	struct bulk_owner *next = NULL, *owner;

	TAILQ_FOREACH(owner, &bulk->owners, link)
	if (!owner->running && (!next || owner->used_ns < next->used_ns))
		next = owner;
	if (!next)
		return NULL;
	struct bulk_job *job = STAILQ_FIRST(&next->jobs);
	dequeue(bulk, job);
	next->running = true;
	job->state = BULK_RUNNING;
	if (bulk->used_ns < next->used_ns)
		bulk->used_ns = next->used_ns;
	return job;
}

/* ---- threads ---------------------------------------------------------------------------------------------------- */

static void post(struct bulk_job *job)
{
	mailbox_post(job->mailbox, &job->mail);
}

static void run_one(struct bulk_thread *self, struct bulk_job *job)
{
	struct bulk *bulk = self->bulk;
	struct bulk_owner *owner = job->owner;

	self->job = job;
	pthread_mutex_unlock(&bulk->lock);
	int64_t from_ns = clock_thread_cpu_ns();
	job->run(job, self->worker);
	int64_t used_ns = clock_thread_cpu_ns() - from_ns;
	pthread_mutex_lock(&bulk->lock);
	self->job = NULL;
	job->used_ns = used_ns > 0 ? used_ns : 1;
	let_go(bulk, job);
	owner->running = false;
	owner->used_ns += job->used_ns;
	struct bulk_job *waiting = job->waiting;
	post(job); /* from here on it belongs to its receiver */
	while (waiting) {
		struct bulk_job *next = waiting->next_waiting;

		post(waiting);
		waiting = next;
	}
	free_ended(owner);
}

/* A worker or a client on this host that wakes is to have the CPU at once, not after a time slice. */
static void give_way(void)
{
	pid_t self = gettid();

	if (setpriority(PRIO_PROCESS, (id_t)self, getpriority(PRIO_PROCESS, (id_t)self) + BULK_NICE) < 0)
		log_warn("bulk", "cannot lower the priority of a thread for long requests: %s", strerror(errno));
}

static void *serve(void *argument)
{
	struct bulk_thread *self = argument;
	struct bulk *bulk = self->bulk;

	give_way();
	pthread_mutex_lock(&bulk->lock);
	while (!bulk->stopping) {
		struct bulk_job *job = take(bulk);

		if (job)
			run_one(self, job);
		else
			pthread_cond_wait(&bulk->wake, &bulk->lock);
	}
	pthread_mutex_unlock(&bulk->lock);
	return NULL;
}

static int start_one(struct bulk *bulk, struct nova *nova)
{
	struct bulk_thread *thread = &bulk->thread[bulk->threads];
	int rc = nova_worker_open(nova, &thread->worker);

	if (rc < 0)
		return rc;
	thread->bulk = bulk;
	rc = -pthread_create(&thread->thread, NULL, serve, thread);
	if (rc < 0)
		nova_worker_close(thread->worker);
	else
		bulk->threads++;
	return rc;
}

void bulk_start(struct bulk *bulk, struct nova *nova)
{
	int rc = 0;

	*bulk = (struct bulk){.started = true};
	TAILQ_INIT(&bulk->owners);
	pthread_mutex_init(&bulk->lock, NULL);
	pthread_cond_init(&bulk->wake, NULL);
	while (rc == 0 && bulk->threads < BULK_THREADS)
		rc = start_one(bulk, nova);
	if (rc < 0)
		log_warn("bulk", "%u of %u threads for long requests: %s", bulk->threads, BULK_THREADS, strerror(-rc));
}

void bulk_stop(struct bulk *bulk)
{
	struct bulk_owner *owner;

	if (!bulk->started)
		return;
	pthread_mutex_lock(&bulk->lock);
	bulk->stopping = true;
	pthread_cond_broadcast(&bulk->wake);
	pthread_mutex_unlock(&bulk->lock);
	for (unsigned i = 0; i < bulk->threads; i++) {
		pthread_join(bulk->thread[i].thread, NULL);
		nova_worker_close(bulk->thread[i].worker);
	}
	while ((owner = TAILQ_FIRST(&bulk->owners)) != NULL) {
		struct bulk_job *job = STAILQ_FIRST(&owner->jobs);

		dequeue(bulk, job);
		let_go(bulk, job);
		post(job);
		free_ended(owner);
	}
	pthread_cond_destroy(&bulk->wake);
	pthread_mutex_destroy(&bulk->lock);
	bulk->threads = 0;
	bulk->started = false;
}

/* ---- jobs ------------------------------------------------------------------------------------------------------- */

bool bulk_submit(struct bulk *bulk, struct bulk_job *job)
{
	if (bulk->threads == 0)
		return false;
	pthread_mutex_lock(&bulk->lock);
	enqueue(bulk, job);
	pthread_cond_signal(&bulk->wake);
	pthread_mutex_unlock(&bulk->lock);
	return true;
}

bool bulk_cancel(struct bulk *bulk, struct bulk_job *job)
{
	if (!bulk->started)
		return false;
	pthread_mutex_lock(&bulk->lock);
	bool queued = job->state == BULK_QUEUED;
	if (queued) {
		dequeue(bulk, job);
		let_go(bulk, job);
	}
	pthread_mutex_unlock(&bulk->lock);
	return queued;
}

static bool holds(const struct bulk_job *job, nova_ino ino)
{
	for (unsigned i = 0; job && i < BULK_INODES; i++)
		if (job->inodes[i].n == ino.n)
			return true;
	return false;
}

void bulk_wait(struct bulk *bulk, struct bulk_job *job, nova_ino ino)
{
	struct bulk_job *running = NULL;

	pthread_mutex_lock(&bulk->lock);
	for (unsigned i = 0; i < bulk->threads && !running; i++)
		if (holds(bulk->thread[i].job, ino))
			running = bulk->thread[i].job;
	job->used_ns = 0;
	if (running) {
		job->next_waiting = running->waiting;
		running->waiting = job;
	} else {
		post(job);
	}
	pthread_mutex_unlock(&bulk->lock);
}
