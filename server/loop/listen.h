/*
 * listen.h -- where clients come in: which transports are served, their listeners, and which worker gets a connection.
 *
 * Used by the main thread, in its event loop.
 */
#ifndef FARNOVA_SERVER_LISTEN_H
#define FARNOVA_SERVER_LISTEN_H

#include "common/transport/transport.h"
#include "server/loop/worker.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct event_base;
struct server;

struct listener {
	struct server *server;
	enum transport_kind kind;
	struct transport_listener *transport; /* NULL: not in use */
	struct event *event;
};

struct listeners {
	struct listener by_kind[TRANSPORT_KINDS]; /* by enum transport_kind; those in use have a listener */
	uint16_t port;
};

/*
 * listeners_open -- listen as the configuration says. `auto` serves verbs beside TCP where that is possible, and logs
 * why where it is not; a transport asked for by name that cannot be served is an error, with a sentence in `why`.
 */
int listeners_open(struct listeners *listeners, struct server *server, char *why, size_t why_size);

/* listeners_watch -- hand what comes in to the workers, in the event loop of `base`. */
int listeners_watch(struct listeners *listeners, struct event_base *base);

void listeners_close(struct listeners *listeners);

#endif
