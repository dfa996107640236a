/*
 * populate.c -- maps the pages of a pool in memory before requests need them.
 *
 * It waits first: a server that was started again has all its clients waiting, and needs the CPU for them. The steps are
 * small, because the map of the process is locked for each, against threads that need memory.
 */
#include "server/loop/populate.h"

#include "common/clock.h"

#define BEGIN_MS 1000
#define STEP     (2ull << 20)

/* stopped_by -- wait until then, or until the thread is to end: true. */
static bool stopped_by(struct populate *populate, int64_t until_ns)
{
	struct timespec until = clock_timespec(until_ns);
	bool stopping;

	pthread_mutex_lock(&populate->lock);
	while (!populate->stopping && clock_now_ns() < until_ns)
		pthread_cond_timedwait(&populate->wake, &populate->lock, &until);
	stopping = populate->stopping;
	pthread_mutex_unlock(&populate->lock);
	return stopping;
}

static void *run(void *argument)
{
	struct populate *populate = argument;
	bool stopping = stopped_by(populate, clock_now_ns() + BEGIN_MS * CLOCK_NS_PER_MS);

	for (uint64_t at = 0; at < populate->pm->size && !stopping; at += STEP) {
		pm_populate(populate->pm, at, STEP);
		stopping = stopped_by(populate, 0);
	}
	return NULL;
}

void populate_start(struct populate *populate, const struct pm *pm)
{
	pthread_condattr_t monotonic;

	populate->pm = pm;
	pthread_mutex_init(&populate->lock, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&populate->wake, &monotonic);
	pthread_condattr_destroy(&monotonic);
	populate->running = pthread_create(&populate->thread, NULL, run, populate) == 0;
	if (!populate->running) {
		pthread_cond_destroy(&populate->wake);
		pthread_mutex_destroy(&populate->lock);
	}
}

void populate_stop(struct populate *populate)
{
	if (!populate->running)
		return;
	pthread_mutex_lock(&populate->lock);
	populate->stopping = true;
	pthread_cond_signal(&populate->wake);
	pthread_mutex_unlock(&populate->lock);
	pthread_join(populate->thread, NULL);
	pthread_cond_destroy(&populate->wake);
	pthread_mutex_destroy(&populate->lock);
	populate->running = false;
}
