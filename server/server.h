/*
 * server.h -- what all threads of the server share. Set up before the workers start; afterwards only what says so
 * moves.
 */
#ifndef FARNOVA_SERVER_SERVER_H
#define FARNOVA_SERVER_SERVER_H

#include "common/pm/pm.h"
#include "server/config.h"
#include "server/loop/janitor.h"
#include "server/loop/listen.h"
#include "server/net/admission.h"
#include "server/net/placement.h"
#include "server/state/bulk.h"
#include "server/state/state.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct worker;

struct server {
	struct config config;
	struct pm pm;
	pthread_t populate; /* makes the pool's page-table entries while clients are served already */
	bool populating;
	struct state_shared shared;
	struct janitor janitor;
	struct bulk bulk;
	struct listeners listeners; /* the main thread's */
	struct placement placement; /* for all workers */
	unsigned worker_count;
	struct worker *workers;
	struct admission admission; /* has its own lock */
	atomic_bool stopping;
};

/*
 * server_open -- `config` has been read: map and mount the pool, listen, start the workers. Clients are let in once
 * listeners_watch runs. -errno with a sentence in `why`; call server_close in any case.
 */
int server_open(struct server *server, char *why, size_t why_size);

/* server_close -- let go of all clients, unmount cleanly. */
void server_close(struct server *server);

#endif
