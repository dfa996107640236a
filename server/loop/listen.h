/*
 * listen.h -- the listeners: which transports are served, and which worker gets a new connection.
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
	struct listener by_kind[TRANSPORT_KINDS]; /* by enum transport_kind */
	uint16_t port;
};

/*
 * listeners_open -- listen according to the configuration. `auto` listens on TCP, and on verbs if possible; if not, the
 * reason is logged. If a transport was chosen by name, its failure is an error: -errno with a sentence in `why`.
 */
int listeners_open(struct listeners *listeners, struct server *server, char *why, size_t why_size);

/* listeners_watch -- from now on give new connections to the workers, in the event loop of `base`. -ENOMEM. */
int listeners_watch(struct listeners *listeners, struct event_base *base);

void listeners_close(struct listeners *listeners);

#endif
