/*
 * listen.c -- where clients come in: which transports are served, their listeners, and which worker gets a connection.
 */
#include "server/loop/listen.h"

#include "common/log.h"
#include "server/server.h"

#include <errno.h>
#include <event2/event.h>
#include <stdio.h>
#include <string.h>

/* Connections beside those of sessions: clients that come back before their old connection is known to be dead. */
#define SPARE_CONNECTIONS 64u

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

static int open_gate(struct gates *gates, enum transport_kind kind, char *why, size_t why_size)
{
	struct server *server = gates->gates[kind].server;
	struct gate *gate = &gates->gates[kind];

	int rc = can_serve(server, kind, why, why_size);
	if (rc == 0)
		rc = transport_listen(kind, server->config.host, gates->port, &gate->listener, why, why_size);
	if (rc < 0) {
		gate->listener = NULL;
		return rc;
	}
	/* Where any port was asked for, all transports listen on the one that the first got. */
	gates->port = transport_listener_port(gate->listener);
	return 0;
}

int gates_open(struct gates *gates, struct server *server, char *why, size_t why_size)
{
	const struct config *config = &server->config;
	enum transport_kind kind;

	*gates = (struct gates){.port = config->port};
	for (unsigned i = 0; i < TRANSPORT_KINDS; i++)
		gates->gates[i] = (struct gate){.server = server, .kind = (enum transport_kind)i};
	if (strcmp(config->transport, "auto") != 0) {
		int rc = transport_kind_from_name(config->transport, &kind);
		return rc < 0 ? rc : open_gate(gates, kind, why, why_size);
	}
	int rc = open_gate(gates, TRANSPORT_TCP, why, why_size);
	if (rc < 0)
		return rc;
	char reason[512];
	if (open_gate(gates, TRANSPORT_VERBS, reason, sizeof(reason)) < 0)
		log_info("listen", "serving over tcp only, since verbs is not possible: %s", reason);
	return 0;
}

static struct worker *least_loaded(struct server *server)
{
	struct worker *best = &server->workers[0];

	for (unsigned i = 1; i < server->worker_count; i++) {
		if (atomic_load(&server->workers[i].load) < atomic_load(&best->load))
			best = &server->workers[i];
	}
	return best;
}

static void on_arrival(evutil_socket_t fd, short what, void *argument)
{
	struct gate *gate = argument;
	struct server *server = gate->server;
	struct transport_pending *pending;

	(void)fd;
	(void)what;
	while (transport_listener_next(gate->listener, &pending) == 0) {
		if (atomic_load(&server->connections) >= server->config.max_clients + SPARE_CONNECTIONS) {
			log_warn("listen", "a client is turned away: there are %u connections and max_clients is %llu",
			         atomic_load(&server->connections), (unsigned long long)server->config.max_clients);
			transport_reject(pending);
		} else {
			worker_give(least_loaded(server), pending, gate->kind);
		}
	}
}

int gates_watch(struct gates *gates, struct event_base *base)
{
	for (unsigned i = 0; i < TRANSPORT_KINDS; i++) {
		struct gate *gate = &gates->gates[i];
		if (!gate->listener)
			continue;
		gate->event =
		    event_new(base, transport_listener_fd(gate->listener), EV_READ | EV_PERSIST, on_arrival, gate);
		if (!gate->event || event_add(gate->event, NULL) < 0)
			return -ENOMEM;
	}
	return 0;
}

void gates_close(struct gates *gates)
{
	for (unsigned i = 0; i < TRANSPORT_KINDS; i++) {
		if (gates->gates[i].event)
			event_free(gates->gates[i].event);
		if (gates->gates[i].listener)
			transport_listener_close(gates->gates[i].listener);
		gates->gates[i].event = NULL;
		gates->gates[i].listener = NULL;
	}
}
