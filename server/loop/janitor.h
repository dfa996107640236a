/*
 * janitor.h -- a thread that shortens the logs of inodes that are not in use.
 */
#ifndef FARNOVA_SERVER_JANITOR_H
#define FARNOVA_SERVER_JANITOR_H

#include "server/nova/nova.h"

#include <pthread.h>
#include <stdbool.h>

struct janitor {
	struct nova_worker *worker;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	bool running;  /* the thread was started */
	bool stopping; /* under the lock */
};

/* janitor_start -- start the thread. On failure the server runs without it: a warning is logged. */
void janitor_start(struct janitor *janitor, struct nova *nova);

/* janitor_stop -- end the thread and close its worker. Does nothing if janitor_start failed or was not called. */
void janitor_stop(struct janitor *janitor);

#endif
