/*
 * janitor.c -- calls nova_gc_step at intervals.
 */
#include "server/loop/janitor.h"

#include "common/clock.h"
#include "common/log.h"

#include <string.h>
#include <time.h>

#define INTERVAL_MS 200u /* between two steps; a log that has not grown meanwhile counts as unused */
#define PAUSE_MS    2u   /* between two steps if there is more to do */
#define STEP_SLICES 32u  /* less than half a millisecond of one CPU */

/* Wait for so long. True: the server is stopping. */
static bool pause_for(struct janitor *janitor, unsigned ms)
{
	struct timespec until = clock_timespec(clock_now_ns() + ms * CLOCK_NS_PER_MS);
	bool stopping;

	pthread_mutex_lock(&janitor->lock);
	while (!janitor->stopping && !pthread_cond_timedwait(&janitor->wake, &janitor->lock, &until))
		;
	stopping = janitor->stopping;
	pthread_mutex_unlock(&janitor->lock);
	return stopping;
}

static void *run(void *argument)
{
	struct janitor *janitor = argument;
	int done = 0;

	while (!pause_for(janitor, done < (int)STEP_SLICES ? INTERVAL_MS : PAUSE_MS))
		done = nova_gc_step(janitor->worker, STEP_SLICES, 0);
	return NULL;
}

void janitor_start(struct janitor *janitor, struct nova *nova)
{
	pthread_condattr_t monotonic;
	int rc = nova_worker_open(nova, &janitor->worker);

	if (rc < 0) {
		log_warn("janitor", "no journal ring is left for a thread that shortens unused logs: %s",
		         strerror(-rc));
		return;
	}
	pthread_mutex_init(&janitor->lock, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&janitor->wake, &monotonic);
	pthread_condattr_destroy(&monotonic);
	rc = pthread_create(&janitor->thread, NULL, run, janitor);
	janitor->running = rc == 0;
	if (rc) {
		log_warn("janitor", "no thread that shortens unused logs: %s", strerror(rc));
		janitor_stop(janitor);
	}
}

void janitor_stop(struct janitor *janitor)
{
	if (!janitor->worker)
		return;
	if (janitor->running) {
		pthread_mutex_lock(&janitor->lock);
		janitor->stopping = true;
		pthread_cond_signal(&janitor->wake);
		pthread_mutex_unlock(&janitor->lock);
		pthread_join(janitor->thread, NULL);
	}
	pthread_cond_destroy(&janitor->wake);
	pthread_mutex_destroy(&janitor->lock);
	nova_worker_close(janitor->worker);
	janitor->worker = NULL;
}
