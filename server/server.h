/*
 * server.h -- the state that all threads of the server share.
 *
 * It is set up before the workers start. After that, fields change only where their own comments or headers say so.
 */
#ifndef FARNOVA_SERVER_SERVER_H
#define FARNOVA_SERVER_SERVER_H

#include "common/pm/pm.h"
#include "server/config.h"
#include "server/loop/janitor.h"
#include "server/loop/listen.h"
#include "server/loop/populate.h"
#include "server/loop/upkeep.h"
#include "server/net/admission.h"
#include "server/net/placement.h"
#include "server/state/bulk.h"
#include "server/state/state.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct reservation;
struct worker;

struct server {
	struct config config;
	struct pm pm;
	struct reservation *reservation; /* of the pool's UUID on this host; may be NULL */
	struct state_shared shared;
	struct janitor janitor;
	struct populate populate;
	struct bulk bulk;
	struct upkeep upkeep;
	struct listeners listeners; /* used by the main thread only */
	struct placement placement; /* of all workers */
	unsigned worker_count;
	struct worker *workers;
	struct admission admission; /* has its own lock */
	atomic_bool stopping;
};

/*
 * server_open -- after `config` was read: map and mount the pool, listen, start the workers. Clients are accepted once
 * listeners_watch was called. -errno with a sentence in `why`; call server_close in any case.
 */
int server_open(struct server *server, char *why, size_t why_size);

/* server_close -- close all connections and unmount cleanly. */
void server_close(struct server *server);

#endif
