/*
 * listen.c -- the listeners: which transports are served, and which worker gets a new connection.
 */
#include "server/loop/listen.h"

#include "common/log.h"
#include "server/server.h"
#include "server/state/channel.h"

#include <errno.h>
#include <event2/event.h>
#include <stdio.h>
#include <string.h>

/* Whether this host and this pool can serve the transport. */
static int can_serve(const struct server *server, enum transport_kind kind, char *why, size_t why_size)
{
	int rc = transport_available(kind, why, why_size);

	if (rc < 0 || kind != TRANSPORT_VERBS)
		return rc;
	if (server->config.host[0] == '/') {
		snprintf(why, why_size, "%s is a UNIX socket", server->config.host);
		return -EINVAL;
	}
	if (server->pm.kind == PM_FSDAX || server->pm.kind == PM_FILE) {
		snprintf(
		    why, why_size,
		    "the pool %s is a file on %s, which cannot be pinned for RDMA; put the pool on a devdax device "
		    "(ndctl create-namespace --mode devdax) or use --transport tcp",
		    server->config.pool, server->pm.kind == PM_FSDAX ? "fsdax" : "an ordinary file system");
		return -EOPNOTSUPP;
	}
	return 0;
}

static int open_listener(struct listeners *listeners, enum transport_kind kind, char *why, size_t why_size)
{
	struct server *server = listeners->by_kind[kind].server;
	struct listener *listener = &listeners->by_kind[kind];

	int rc = can_serve(server, kind, why, why_size);
	if (rc == 0)
		rc = transport_listen(kind, server->config.host, listeners->port, &listener->transport, why, why_size);
	if (rc < 0) {
		listener->transport = NULL;
		return rc;
	}
	/* If any port will do, all transports listen on the port that the first one got. */
	listeners->port = transport_listener_port(listener->transport);
	return 0;
}

int listeners_open(struct listeners *listeners, struct server *server, char *why, size_t why_size)
{
	const struct config *config = &server->config;
	enum transport_kind kind;

	*listeners = (struct listeners){.port = config->port};
	for (unsigned i = 0; i < TRANSPORT_KINDS; i++)
		listeners->by_kind[i] = (struct listener){.server = server, .kind = (enum transport_kind)i};
	if (strcmp(config->transport, "auto") != 0) {
		int rc = transport_kind_from_name(config->transport, &kind);
		return rc < 0 ? rc : open_listener(listeners, kind, why, why_size);
	}
	int rc = open_listener(listeners, TRANSPORT_TCP, why, why_size);
	if (rc < 0)
		return rc;
	char reason[512];
	if (open_listener(listeners, TRANSPORT_VERBS, reason, sizeof(reason)) < 0)
		log_info("listen", "serving over tcp only, since verbs is not possible: %s", reason);
	return 0;
}

static struct worker *least_loaded(struct server *server)
{
	struct worker *best = &server->workers[0];

	for (unsigned i = 1; i < server->worker_count; i++) {
		if (atomic_load(&server->workers[i].net.load) < atomic_load(&best->net.load))
			best = &server->workers[i];
	}
	return best;
}

/* A channel belongs to the worker that has its session. */
static struct worker *worker_for(struct server *server, const struct transport_pending *pending)
{
	struct state *state = channel_thread(&server->shared.registry, transport_pending_ticket(pending));

	return state ? worker_of(state) : least_loaded(server);
}

static void on_arrival(evutil_socket_t fd, short what, void *argument)
{
	struct listener *listener = argument;
	struct server *server = listener->server;
	struct transport_pending *pending;

	(void)fd;
	(void)what;
	while (transport_listener_next(listener->transport, &pending) == 0) {
		if (worker_give(worker_for(server, pending), pending, listener->kind) < 0)
			log_warn_limited(
			    "listen", "a connection was refused: there are %zu connections, and max_clients is %llu",
			    atomic_load(&server->admission.count), (unsigned long long)server->config.max_clients);
	}
}

int listeners_watch(struct listeners *listeners, struct event_base *base)
{
	for (unsigned i = 0; i < TRANSPORT_KINDS; i++) {
		struct listener *listener = &listeners->by_kind[i];
		if (!listener->transport)
			continue;
		listener->event = event_new(base, transport_listener_fd(listener->transport), EV_READ | EV_PERSIST,
		                            on_arrival, listener);
		if (!listener->event || event_add(listener->event, NULL) < 0)
			return -ENOMEM;
	}
	return 0;
}

void listeners_close(struct listeners *listeners)
{
	for (unsigned i = 0; i < TRANSPORT_KINDS; i++) {
		if (listeners->by_kind[i].event)
			event_free(listeners->by_kind[i].event);
		if (listeners->by_kind[i].transport)
			transport_listener_close(listeners->by_kind[i].transport);
		listeners->by_kind[i].event = NULL;
		listeners->by_kind[i].transport = NULL;
	}
}
