/*
 * janitor.c -- calls nova_gc_step at intervals.
 */
#include "server/loop/janitor.h"

#include "common/log.h"

#include <string.h>
#include <time.h>

#define INTERVAL_MS 200u /* between two looks: a log that has not grown meanwhile counts as unused */
#define PAUSE_MS    2u   /* between two steps where there is more to do */
#define STEP_SLICES 32u  /* under half a millisecond of one CPU */

/* True when the server ends. */
static bool pause_for(struct tidy *tidy, unsigned ms)
{
	struct timespec until;
	bool stopping;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_nsec += (long)ms * 1000000;
	until.tv_sec += until.tv_nsec / 1000000000;
	until.tv_nsec %= 1000000000;
	pthread_mutex_lock(&tidy->lock);
	while (!tidy->stopping && !pthread_cond_timedwait(&tidy->wake, &tidy->lock, &until))
		;
	stopping = tidy->stopping;
	pthread_mutex_unlock(&tidy->lock);
	return stopping;
}

static void *run(void *argument)
{
	struct tidy *tidy = argument;
	int done = 0;

	while (!pause_for(tidy, done < (int)STEP_SLICES ? INTERVAL_MS : PAUSE_MS))
		done = nova_gc_step(tidy->worker, STEP_SLICES, 0);
	return NULL;
}

void tidy_start(struct tidy *tidy, struct nova *nova)
{
	pthread_condattr_t monotonic;
	int rc = nova_worker_open(nova, &tidy->worker);

	if (rc < 0) {
		log_warn("tidy", "no journal ring is left for a thread that shortens unused logs: %s", strerror(-rc));
		return;
	}
	pthread_mutex_init(&tidy->lock, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&tidy->wake, &monotonic);
	pthread_condattr_destroy(&monotonic);
	rc = pthread_create(&tidy->thread, NULL, run, tidy);
	tidy->running = rc == 0;
	if (rc) {
		log_warn("tidy", "no thread that shortens unused logs: %s", strerror(rc));
		tidy_stop(tidy);
	}
}

void tidy_stop(struct tidy *tidy)
{
	if (!tidy->worker)
		return;
	if (tidy->running) {
		pthread_mutex_lock(&tidy->lock);
		tidy->stopping = true;
		pthread_cond_signal(&tidy->wake);
		pthread_mutex_unlock(&tidy->lock);
		pthread_join(tidy->thread, NULL);
	}
	pthread_cond_destroy(&tidy->wake);
	pthread_mutex_destroy(&tidy->lock);
	nova_worker_close(tidy->worker);
	tidy->worker = NULL;
}
