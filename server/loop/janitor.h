/*
 * janitor.h -- a thread that shortens the logs of inodes while nobody uses them.
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

/* janitor_start -- where no worker or thread can be had the server works without it: a warning is logged. */
void janitor_start(struct janitor *janitor, struct nova *nova);

/* janitor_stop -- ends the thread and closes its worker. Nothing if it was not started. */
void janitor_stop(struct janitor *janitor);

#endif
