/*
 * connect.c -- listeners and connections of the simulated network: how they come and go.
 */
#include "tests/sim/network.h"

#include "tests/sim/descriptors.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PORT 7777u

struct sim_listener {
	struct transport_listener base;
	LIST_ENTRY(sim_listener) entry;
	struct sim_process *process;
	int fd;
	TAILQ_HEAD(, sim_pending) pending;
};

struct sim_pending {
	struct transport_pending base;
	TAILQ_ENTRY(sim_pending) entry; /* in its listener's list */
	LIST_ENTRY(sim_pending) listed; /* in `undecided` from when it arrived */
	struct sim_process *at;         /* whose listener it came to */
	const struct transport_ops *ops;
	struct sim_process *process; /* who connects */
	struct transport_queue *queue;
	struct transport_hello own, theirs;
	uint16_t port;
	struct sim_conn *conn; /* the client's, once it was accepted */
	struct link *link;
	bool decided, given_up;
	int error;
};
static LIST_HEAD(, sim_listener) listeners = LIST_HEAD_INITIALIZER(listeners);
static LIST_HEAD(, sim_pending) undecided = LIST_HEAD_INITIALIZER(undecided);
static uint64_t link_count;

int sim_listen(const char *host, uint16_t port, struct transport_listener **out, char *why, size_t why_size)
{
	struct sim_listener *listener = network_allocate(sizeof(*listener));
	struct sim_listener *other;

	listener->base.port = port ? port : PORT;
	LIST_FOREACH(other, &listeners, entry)
	{
		if (other->base.port == listener->base.port && !other->process->dead) {
			free(listener);
			return transport_why(-EADDRINUSE, why, why_size, "port %u is in use", port);
		}
	}
	listener->process = sim_process_current();
	listener->fd = descriptor_open();
	TAILQ_INIT(&listener->pending);
	LIST_INSERT_HEAD(&listeners, listener, entry);
	*out = &listener->base;
	return 0;
}

static void decide(struct sim_pending *pending, int error)
{
	pending->error = error;
	pending->decided = true;
	if (pending->given_up)
		free(pending);
	else
		sim_wake(pending);
}

static void refusal_arrives(void *argument)
{
	struct sim_pending *pending = argument;

	decide(pending, pending->error);
}

void sim_reject(struct transport_pending *base, int error)
{
	struct sim_pending *pending = (struct sim_pending *)base;

	LIST_REMOVE(pending, listed);
	pending->error = -error;
	sim_at(sim_now() + network_travel(), refusal_arrives, pending);
}

void sim_listener_close(struct transport_listener *base)
{
	struct sim_listener *listener = (struct sim_listener *)base;
	struct sim_pending *pending;

	while ((pending = TAILQ_FIRST(&listener->pending)) != NULL) {
		TAILQ_REMOVE(&listener->pending, pending, entry);
		sim_reject(&pending->base, ECONNREFUSED);
	}
	LIST_REMOVE(listener, entry);
	descriptor_close(listener->fd);
	free(listener);
}

int sim_listener_fd(const struct transport_listener *base)
{
	return ((const struct sim_listener *)base)->fd;
}

int sim_listener_next(struct transport_listener *base, struct transport_pending **out)
{
	struct sim_listener *listener = (struct sim_listener *)base;
	struct sim_pending *pending = TAILQ_FIRST(&listener->pending);

	if (!pending)
		return -EAGAIN;
	TAILQ_REMOVE(&listener->pending, pending, entry);
	if (TAILQ_EMPTY(&listener->pending))
		descriptor_set(listener->fd, false);
	*out = &pending->base;
	return 0;
}

static struct sim_conn *new_conn(struct transport_queue *queue, const struct transport_hello *own,
                                 const struct transport_hello *theirs, struct link *link, unsigned side)
{
	struct sim_conn *conn = network_allocate(sizeof(*conn));
	char peer[32];

	snprintf(peer, sizeof(peer), "10.0.0.%u", link->process[1 - side]->number);
	if (transport_conn_init(&conn->base, queue, own, theirs, peer) != 0)
		sim_failed("out of memory");
	conn->link = link;
	conn->side = side;
	TAILQ_INIT(&conn->held);
	TAILQ_INIT(&conn->flying);
	TAILQ_INIT(&conn->taken);
	LIST_INIT(&conn->base.regions);
	conn->operations = network_allocate(own->operations * sizeof(*conn->operations));
	link->end[side] = conn;
	LIST_INSERT_HEAD(&((struct sim_queue *)queue)->conns, conn, entry);
	return conn;
}

/* The client's end is made when the answer arrives, which is before anything that the server has sent since. */
static void acceptance_arrives(void *argument)
{
	struct sim_pending *pending = argument;
	struct link *link = pending->link;

	if (pending->given_up || pending->process->dead) {
		network_send_end(link, 1, -ECONNRESET);
		link->cut = true;
		return;
	}
	if (link->cut) {
		decide(pending, -ECONNRESET);
		return;
	}
	pending->conn = new_conn(pending->queue, &pending->own, &pending->theirs, link, 0);
	decide(pending, 0);
}

int sim_accept(struct transport_pending *base, struct transport_queue *queue, const struct transport_hello *own,
               struct transport_conn *join, struct transport_conn **out)
{
	struct sim_pending *pending = (struct sim_pending *)base;
	struct link *link = network_allocate(sizeof(*link));
	int64_t when = sim_now() + network_travel();

	LIST_REMOVE(pending, listed);
	network_add_link(link);
	TAILQ_INIT(&link->waiting[0]);
	TAILQ_INIT(&link->waiting[1]);
	link->number = ++link_count;
	link->process[0] = pending->process;
	link->process[1] = sim_process_current();
	link->last[0][REQUESTS] = link->last[0][ANSWERS] = when;
	pending->link = link;
	pending->theirs = *own;
	*out = &new_conn(queue, own, &base->hello, link, 1)->base;
	if (join)
		transport_conn_join(*out, join);
	sim_at(when, acceptance_arrives, pending);
	return 0;
}

static void request_arrives(void *argument)
{
	struct sim_pending *pending = argument;
	struct sim_listener *listener;

	LIST_INSERT_HEAD(&undecided, pending, listed);
	LIST_FOREACH(listener, &listeners, entry)
	{
		if (listener->base.port == pending->port && !listener->process->dead) {
			pending->base.ops = pending->ops;
			pending->base.hello = pending->own;
			pending->base.host = pending->process->number;
			pending->at = listener->process;
			TAILQ_INSERT_TAIL(&listener->pending, pending, entry);
			descriptor_set(listener->fd, true);
			return;
		}
	}
	sim_reject(&pending->base, ECONNREFUSED);
}

int sim_connect(struct transport_queue *queue, const char *host, uint16_t port, const struct transport_hello *own,
                int timeout_ms, struct transport_conn **out, char *why, size_t why_size)
{
	struct sim_pending *pending = network_allocate(sizeof(*pending));
	int64_t until = sim_now() + timeout_ms * SIM_NS_PER_MS;
	int error;

	pending->ops = queue->ops;
	pending->process = sim_process_current();
	pending->queue = queue;
	pending->own = *own;
	pending->port = port;
	sim_at(sim_now() + network_travel(), request_arrives, pending);
	while (!pending->decided && sim_now() < until)
		sim_wait(pending, until);
	if (!pending->decided) {
		pending->given_up = true;
		return transport_why(-ETIMEDOUT, why, why_size, "connect to %s: no answer", host);
	}
	error = pending->error;
	if (error == 0)
		*out = &pending->conn->base;
	free(pending);
	return error ? transport_why(error, why, why_size, "connect to %s: %s", host, strerror(-error)) : 0;
}

void sim_close(struct transport_conn *base)
{
	struct sim_conn *conn = conn_of(base);
	struct transport_region *region;

	network_let_go(conn);
	while ((region = LIST_FIRST(&base->regions)) != NULL) {
		transport_region_unlink(region);
		free(region);
	}
	conn->link->end[conn->side] = NULL;
	if (!conn->link->cut)
		network_send_end(conn->link, 1 - conn->side, -ECONNRESET);
	conn->link->cut = true;
	LIST_REMOVE(conn, entry);
	transport_conn_fini(base);
	free(conn->operations);
	memset(conn, POISON, sizeof(*conn));
	free(conn);
}

void network_died(struct sim_process *process)
{
	struct sim_pending *pending, *next;

	for (pending = LIST_FIRST(&undecided); pending; pending = next) {
		next = LIST_NEXT(pending, listed);
		if (pending->at == process)
			sim_reject(&pending->base, ECONNREFUSED);
	}
	network_lost(process);
}
