/*
 * populate.h -- a thread that maps the pages of a pool in memory before requests need them.
 */
#ifndef FARNOVA_SERVER_POPULATE_H
#define FARNOVA_SERVER_POPULATE_H

#include "common/pm/pm.h"

#include <pthread.h>
#include <stdbool.h>

/* private to populate.c */
struct populate {
	const struct pm *pm;
	pthread_t thread;
	bool running;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	bool stopping; /* under the lock */
};

/* populate_start -- begin when the clients of a server that was started again have had time to come back. Without a
 * thread the first access to each page costs a page fault in a request, and nothing else. */
void populate_start(struct populate *populate, const struct pm *pm);

/* populate_stop -- end the thread; also where it was not started. */
void populate_stop(struct populate *populate);

#endif
