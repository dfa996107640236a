/*
 * transport.c -- the simulated network beneath the transport's contract.
 *
 * A connection has two lanes in each direction: requests (messages, reads, writes) and answers (what was read,
 * acknowledgements, credits). What is sent in one lane arrives in order; nothing else is ordered.
 */
#include "tests/sim/transport.h"

#include "common/transport/base/internal.h"
#include "tests/sim/descriptors.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PIECE          1024u /* of a one-sided operation that is executed at one moment */
#define OPERATION_MOST (1u << 20)
#define IN_FLIGHT_MOST 1024u /* items of one end; more are refused */
#define LANES          2u
#define PORT           7777u
#define POISON         0xdb

enum item_type { MESSAGE, READ, WRITE, ANSWER, ACK, CREDIT, END };
enum lane { REQUESTS, ANSWERS };

struct sim_conn;

struct item {
	TAILQ_ENTRY(item) entry;  /* in its sender's `held` or `flying`, or the receiver's `arrived` or `taken` */
	TAILQ_ENTRY(item) behind; /* in the link's `waiting` */
	struct link *link;
	unsigned to; /* end of the link */
	enum item_type type;
	enum lane lane;
	uint32_t length;
	uint32_t done; /* of a one-sided operation */
	uint16_t credits;
	int status;
	uint64_t remote, key;
	const uint8_t *source; /* WRITE: the sender's memory, until it lets go of it */
	bool wants_ack;
	uint8_t data[]; /* MESSAGE, ANSWER, WRITE that was let go of */
};

TAILQ_HEAD(items, item);

/* What connects two ends. It stays for the whole run, since items that are on their way refer to it. */
struct link {
	LIST_ENTRY(link) entry;
	struct sim_conn *end[2]; /* NULL: closed, or not there yet */
	struct sim_process *process[2];
	int64_t last[2][LANES]; /* when the last item for this end arrives */
	bool reading[2];        /* a read is being executed at this end; what came after it waits */
	struct items waiting[2];
	uint64_t number;
	bool cut; /* ends are on their way */
};

struct operation {
	uint8_t *local; /* NULL: a write */
	uint32_t length;
	struct transport_region *region;
	void *context;
};

struct sim_conn {
	struct transport_conn base;
	struct link *link;
	unsigned side;
	bool over;           /* the end has arrived, or this side failed: nothing is executed here any more */
	struct items held;   /* posted with TRANSPORT_MORE */
	struct items flying; /* writes that still read this end's memory */
	struct items taken;  /* messages that the program has */
	unsigned in_flight;
	struct operation *operations;
	uint32_t operation_head, operation_answered, operation_tail; /* free running */
	LIST_ENTRY(sim_conn) entry;
};

struct sim_queue {
	struct transport_queue base;
	int fd;
	struct items arrived;
	LIST_HEAD(, sim_conn) conns;
};

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

static struct network_weather weather = {.least_ns = 2000, .spread_ns = 20000};
static LIST_HEAD(, sim_listener) listeners = LIST_HEAD_INITIALIZER(listeners);
static LIST_HEAD(, link) links = LIST_HEAD_INITIALIZER(links);
static LIST_HEAD(, sim_pending) undecided = LIST_HEAD_INITIALIZER(undecided);
static uint64_t link_count;
static uint64_t key_count;

static struct sim_conn *conn_of(struct transport_conn *base)
{
	return (struct sim_conn *)base;
}

static struct sim_queue *queue_of(const struct sim_conn *conn)
{
	return (struct sim_queue *)conn->base.queue;
}

void network_set_weather(const struct network_weather *given)
{
	weather = *given;
}

static void *must_allocate(size_t size)
{
	void *memory = calloc(1, size);

	if (!memory)
		sim_failed("out of memory");
	return memory;
}

static int64_t travel(void)
{
	int64_t ns = weather.least_ns + (int64_t)sim_below(SIM_NETWORK, (uint64_t)weather.spread_ns + 1);

	if (weather.late_in_1024 > 0 && sim_chance(SIM_NETWORK, weather.late_in_1024))
		ns += (int64_t)sim_below(SIM_NETWORK, (uint64_t)weather.late_ns + 1);
	return ns;
}

/* ---- items on their way ----------------------------------------------------------------------------------------- */

static struct item *new_item(struct sim_conn *conn, enum item_type type, enum lane lane, size_t data)
{
	struct item *item = must_allocate(sizeof(*item) + data);

	item->link = conn->link;
	item->to = 1 - conn->side;
	item->type = type;
	item->lane = lane;
	return item;
}

static void arrive(void *argument);

static void schedule(struct item *item)
{
	struct link *link = item->link;
	int64_t *last = &link->last[item->to][item->lane];
	int64_t when = sim_now() + travel();

	if (when <= *last)
		when = *last + 1;
	*last = when;
	sim_at(when, arrive, item);
}

static void launch(struct sim_conn *conn, struct item *item)
{
	if (conn->over) {
		free(item);
		return;
	}
	item->credits = credits_collect(&conn->base.credits);
	conn->in_flight++;
	if (item->type == WRITE && item->source)
		TAILQ_INSERT_TAIL(&conn->flying, item, entry);
	schedule(item);
}

static void flush(struct sim_conn *conn)
{
	struct item *item;

	while ((item = TAILQ_FIRST(&conn->held)) != NULL) {
		TAILQ_REMOVE(&conn->held, item, entry);
		launch(conn, item);
	}
}

static void post(struct sim_conn *conn, struct item *item, unsigned flags)
{
	if (item->lane == REQUESTS && ((flags & TRANSPORT_MORE) || !TAILQ_EMPTY(&conn->held)))
		TAILQ_INSERT_TAIL(&conn->held, item, entry);
	else
		launch(conn, item);
	if (!(flags & TRANSPORT_MORE))
		flush(conn);
}

static void free_item(struct item *item)
{
	memset(item, POISON, sizeof(*item));
	free(item);
}

/* For the program that polls the queue. */
static void put_in(struct sim_conn *conn, struct item *item)
{
	struct sim_queue *queue = queue_of(conn);

	queue->base.activity++;
	TAILQ_INSERT_TAIL(&queue->arrived, item, entry);
	descriptor_set(queue->fd, true);
}

static void tell_end(struct sim_conn *conn, int status)
{
	struct item *item = new_item(conn, END, REQUESTS, 0);

	if (conn->over) {
		free_item(item);
		return;
	}
	item->to = conn->side;
	item->status = status;
	conn->over = true;
	put_in(conn, item);
}

static void end_arrives(void *argument)
{
	struct item *item = argument;
	struct sim_conn *conn = item->link->end[item->to];

	if (conn)
		tell_end(conn, item->status);
	free_item(item);
}

/* An end that is not closed learns of the end after some time; what comes before that still comes. */
static void send_end(struct link *link, unsigned to, int status)
{
	struct item *item;

	if (!link->end[to])
		return;
	item = must_allocate(sizeof(*item));
	item->link = link;
	item->to = to;
	item->type = END;
	item->status = status;
	sim_at(sim_now() + travel(), end_arrives, item);
}

/* A fault of one end: it knows at once. */
static void fail(struct sim_conn *conn, int status, const char *reason)
{
	if (conn->over)
		return;
	sim_note(reason, conn->link->number, conn->side);
	tell_end(conn, status);
	if (!conn->link->cut)
		send_end(conn->link, 1 - conn->side, status);
	conn->link->cut = true;
}

/* ---- what arrives ----------------------------------------------------------------------------------------------- */

static struct transport_region *region_of(struct sim_conn *conn, const struct item *item, unsigned right)
{
	struct transport_region *region;

	LIST_FOREACH(region, &conn->base.regions, entry)
	{
		if (region->key == item->key && (region->rights & right) && item->remote >= region->base &&
		    item->remote - region->base < region->length &&
		    item->length <= region->length - (item->remote - region->base))
			return region;
	}
	return NULL;
}

static void answer(struct sim_conn *conn, struct item *item)
{
	item->lane = ANSWERS;
	launch(conn, item);
}

/* The item goes on in a moment, and what is behind it in its lane after it. Whether it has more to do. */
static bool next_piece(struct item *item, uint32_t *count)
{
	*count = item->length - item->done < PIECE ? item->length - item->done : PIECE;
	return item->length - item->done > PIECE;
}

static void execute(struct link *link, unsigned to, struct item *item);

static void go_on(struct link *link, unsigned to)
{
	struct item *item;

	while (!link->reading[to] && (item = TAILQ_FIRST(&link->waiting[to])) != NULL) {
		TAILQ_REMOVE(&link->waiting[to], item, behind);
		execute(link, to, item);
	}
}

static void execute_read(struct sim_conn *conn, struct item *item, struct item *response);

struct reading {
	struct item *item, *response;
};

static void read_on(void *argument)
{
	struct reading *reading = argument;
	struct item *item = reading->item;
	struct link *link = item->link;
	unsigned to = item->to;
	struct sim_conn *conn = link->end[to];

	link->reading[to] = false;
	if (conn && !conn->over) {
		execute_read(conn, item, reading->response);
	} else {
		free_item(item);
		free_item(reading->response);
	}
	free(reading);
	go_on(link, to);
}

static void execute_read(struct sim_conn *conn, struct item *item, struct item *response)
{
	struct transport_region *region = region_of(conn, item, TRANSPORT_REMOTE_READ);
	uint32_t count;

	if (!region) {
		fail(conn, -EACCES, "a read outside what its key allows");
		free_item(item);
		if (response)
			free_item(response);
		return;
	}
	if (!response) {
		response = new_item(conn, ANSWER, ANSWERS, item->length);
		response->length = item->length;
	}
	bool more = next_piece(item, &count);
	memcpy(response->data + item->done, region->address + (item->remote - region->base) + item->done, count);
	item->done += count;
	if (!more) {
		answer(conn, response);
		free_item(item);
		return;
	}
	struct reading *reading = must_allocate(sizeof(*reading));
	*reading = (struct reading){item, response};
	conn->link->reading[conn->side] = true;
	sim_at(sim_now() + 100 + (int64_t)sim_below(SIM_NETWORK, 400), read_on, reading);
}

static void execute_write(struct sim_conn *conn, struct item *item)
{
	struct transport_region *region = region_of(conn, item, TRANSPORT_REMOTE_WRITE);

	if (!region) {
		fail(conn, -EACCES, "a write outside what its key allows");
		return;
	}
	memcpy(region->address + (item->remote - region->base), item->source ? item->source : item->data, item->length);
	queue_of(conn)->base.activity++;
	if (item->wants_ack)
		answer(conn, new_item(conn, ACK, ANSWERS, 0));
}

/* The oldest operation has its answer. */
static void finish(struct sim_conn *conn, struct item *item)
{
	struct operation *operation = &conn->operations[conn->operation_answered % conn->base.own.operations];

	if (conn->operation_answered == conn->operation_tail || (item->type == ANSWER) != (operation->local != NULL))
		sim_failed("the network has mixed up answers");
	if (item->type == ANSWER)
		memcpy(operation->local, item->data, item->length);
	operation->region = NULL;
	conn->operation_answered++;
	put_in(conn, item);
}

static void execute(struct link *link, unsigned to, struct item *item)
{
	struct sim_conn *sender = link->end[1 - to], *conn = link->end[to];

	if (sender)
		sender->in_flight--;
	if (item->type == WRITE && item->source && sender)
		TAILQ_REMOVE(&sender->flying, item, entry);
	if (!conn || conn->over || link->process[item->to]->dead) {
		free_item(item);
		return;
	}
	if (item->credits > 0 && credits_grant(&conn->base.credits, item->credits) != 0)
		sim_failed("more credits than were taken");
	switch (item->type) {
	case READ:
		execute_read(conn, item, NULL);
		return;
	case WRITE:
		execute_write(conn, item);
		break;
	case MESSAGE:
		put_in(conn, item);
		return;
	case ANSWER:
	case ACK:
		finish(conn, item);
		return;
	case CREDIT:
		queue_of(conn)->base.activity++;
		descriptor_set(queue_of(conn)->fd, true);
		break;
	case END:
		break;
	}
	free_item(item);
}

static void arrive(void *argument)
{
	struct item *item = argument;
	struct link *link = item->link;

	sim_note("arrives", link->number << 8 | item->to << 4 | item->type, item->length);
	if (item->lane == REQUESTS && (link->reading[item->to] || !TAILQ_EMPTY(&link->waiting[item->to])))
		TAILQ_INSERT_TAIL(&link->waiting[item->to], item, behind);
	else
		execute(link, item->to, item);
}

/* ---- queues ----------------------------------------------------------------------------------------------------- */

static int sim_available(char *why, size_t why_size)
{
	return 0;
}

static int sim_queue_create(struct transport_queue **out)
{
	struct sim_queue *queue = must_allocate(sizeof(*queue));

	queue->fd = descriptor_open();
	TAILQ_INIT(&queue->arrived);
	LIST_INIT(&queue->conns);
	*out = &queue->base;
	return 0;
}

static void sim_queue_destroy(struct transport_queue *base)
{
	struct sim_queue *queue = (struct sim_queue *)base;

	if (!LIST_EMPTY(&queue->conns))
		sim_failed("a queue is destroyed before its connections");
	descriptor_close(queue->fd);
	free(queue);
}

static void take_item(struct sim_conn *conn, struct item *item)
{
	if (item->type == MESSAGE) {
		TAILQ_INSERT_TAIL(&conn->taken, item, entry);
		transport_push_message(&conn->base, item->data, item->length);
		return;
	}
	if (item->type == END) {
		transport_conn_failed(&conn->base, item->status);
	} else {
		struct operation *operation = &conn->operations[conn->operation_head++ % conn->base.own.operations];

		if (operation->context)
			transport_push_done(&conn->base, operation->context);
	}
	free_item(item);
}

static int sim_work(struct transport_queue *base, int max)
{
	struct sim_queue *queue = (struct sim_queue *)base;
	struct sim_conn *conn;
	struct item *item;

	LIST_FOREACH(conn, &queue->conns, entry)
	flush(conn);
	for (; max > 0 && (item = TAILQ_FIRST(&queue->arrived)) != NULL; max--) {
		TAILQ_REMOVE(&queue->arrived, item, entry);
		take_item(item->link->end[item->to], item);
	}
	if (TAILQ_EMPTY(&queue->arrived))
		descriptor_set(queue->fd, false);
	return 0;
}

static int sim_fd(const struct transport_queue *base)
{
	return ((const struct sim_queue *)base)->fd;
}

static int sim_arm(struct transport_queue *base)
{
	struct sim_queue *queue = (struct sim_queue *)base;

	if (!TAILQ_EMPTY(&queue->arrived))
		return 1;
	descriptor_set(queue->fd, false);
	return 0;
}

/* ---- connections ------------------------------------------------------------------------------------------------ */

static int sim_listen(const char *host, uint16_t port, struct transport_listener **out, char *why, size_t why_size)
{
	struct sim_listener *listener = must_allocate(sizeof(*listener));
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

static void sim_reject(struct transport_pending *base, int error)
{
	struct sim_pending *pending = (struct sim_pending *)base;

	LIST_REMOVE(pending, listed);
	pending->error = -error;
	sim_at(sim_now() + travel(), refusal_arrives, pending);
}

static void sim_listener_close(struct transport_listener *base)
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

static int sim_listener_fd(const struct transport_listener *base)
{
	return ((const struct sim_listener *)base)->fd;
}

static int sim_listener_next(struct transport_listener *base, struct transport_pending **out)
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
	struct sim_conn *conn = must_allocate(sizeof(*conn));
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
	conn->operations = must_allocate(own->operations * sizeof(*conn->operations));
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
		send_end(link, 1, -ECONNRESET);
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

static int sim_accept(struct transport_pending *base, struct transport_queue *queue, const struct transport_hello *own,
                      struct transport_conn **out)
{
	struct sim_pending *pending = (struct sim_pending *)base;
	struct link *link = must_allocate(sizeof(*link));
	int64_t when = sim_now() + travel();

	LIST_REMOVE(pending, listed);
	LIST_INSERT_HEAD(&links, link, entry);
	TAILQ_INIT(&link->waiting[0]);
	TAILQ_INIT(&link->waiting[1]);
	link->number = ++link_count;
	link->process[0] = pending->process;
	link->process[1] = sim_process_current();
	link->last[0][REQUESTS] = link->last[0][ANSWERS] = when;
	pending->link = link;
	pending->theirs = *own;
	*out = &new_conn(queue, own, &base->hello, link, 1)->base;
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

static int sim_connect(struct transport_queue *queue, const char *host, uint16_t port,
                       const struct transport_hello *own, int timeout_ms, struct transport_conn **out, char *why,
                       size_t why_size)
{
	struct sim_pending *pending = must_allocate(sizeof(*pending));
	int64_t until = sim_now() + timeout_ms * SIM_NS_PER_MS;
	int error;

	pending->ops = queue->ops;
	pending->process = sim_process_current();
	pending->queue = queue;
	pending->own = *own;
	pending->port = port;
	sim_at(sim_now() + travel(), request_arrives, pending);
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

/* Writes on their way either have left this end's memory or never will. */
static void let_go(struct sim_conn *conn)
{
	struct item *item;

	while ((item = TAILQ_FIRST(&conn->held)) != NULL) {
		TAILQ_REMOVE(&conn->held, item, entry);
		free_item(item);
	}
	while ((item = TAILQ_FIRST(&conn->flying)) != NULL) {
		TAILQ_REMOVE(&conn->flying, item, entry);
		memcpy(item->data, item->source, item->length);
		item->source = NULL;
	}
}

static void drop_arrived(struct sim_conn *conn)
{
	struct sim_queue *queue = queue_of(conn);
	struct item *item, *next;

	for (item = TAILQ_FIRST(&queue->arrived); item; item = next) {
		next = TAILQ_NEXT(item, entry);
		if (item->link == conn->link && item->to == conn->side) {
			TAILQ_REMOVE(&queue->arrived, item, entry);
			free_item(item);
		}
	}
	while ((item = TAILQ_FIRST(&conn->taken)) != NULL) {
		TAILQ_REMOVE(&conn->taken, item, entry);
		free_item(item);
	}
}

static void sim_close(struct transport_conn *base)
{
	struct sim_conn *conn = conn_of(base);
	struct transport_region *region;

	let_go(conn);
	drop_arrived(conn);
	while ((region = LIST_FIRST(&base->regions)) != NULL) {
		transport_region_unlink(region);
		free(region);
	}
	conn->link->end[conn->side] = NULL;
	if (!conn->link->cut)
		send_end(conn->link, 1 - conn->side, -ECONNRESET);
	conn->link->cut = true;
	LIST_REMOVE(conn, entry);
	transport_conn_fini(base);
	free(conn->operations);
	memset(conn, POISON, sizeof(*conn));
	free(conn);
}

/* ---- messages and memory ---------------------------------------------------------------------------------------- */

static bool has_no_room(const struct sim_conn *conn)
{
	return conn->in_flight >= IN_FLIGHT_MOST ||
	       (weather.refuse_in_1024 > 0 && conn->in_flight > 2 && sim_chance(SIM_NETWORK, weather.refuse_in_1024));
}

static int sim_send(struct transport_conn *base, const struct iovec *iov, int count, uint32_t length, unsigned flags)
{
	struct sim_conn *conn = conn_of(base);
	struct item *item;
	size_t at = 0;

	if (has_no_room(conn))
		return -EAGAIN;
	base->credits.available--;
	item = new_item(conn, MESSAGE, REQUESTS, length);
	item->length = length;
	for (int i = 0; i < count; at += iov[i++].iov_len)
		memcpy(item->data + at, iov[i].iov_base, iov[i].iov_len);
	post(conn, item, flags);
	return 0;
}

static void sim_flush(struct transport_conn *base)
{
	flush(conn_of(base));
}

static void sim_release(struct transport_conn *base, const void *data)
{
	struct item *item = (struct item *)((uintptr_t)data - offsetof(struct item, data));
	struct sim_conn *conn = conn_of(base);

	TAILQ_REMOVE(&conn->taken, item, entry);
	memset(item->data, POISON, item->length);
	free_item(item);
	if (credits_overdue(&base->credits) && !conn->over)
		answer(conn, new_item(conn, CREDIT, ANSWERS, 0));
}

static int sim_register(struct transport_conn *base, void *address, size_t length, uint64_t remote_base,
                        unsigned rights, struct transport_region **out)
{
	struct transport_region *region = must_allocate(sizeof(*region));

	region->address = address;
	region->length = length;
	region->base = remote_base;
	region->rights = rights;
	region->key = ++key_count << 8 | (sim_random(SIM_SECRETS) & 0xff);
	transport_region_link(region, base);
	*out = region;
	return 0;
}

static bool is_used(const struct sim_conn *conn, const struct transport_region *region)
{
	for (uint32_t i = conn->operation_head; i != conn->operation_tail; i++)
		if (conn->operations[i % conn->base.own.operations].region == region)
			return true;
	return false;
}

static void sim_deregister(struct transport_region *region)
{
	struct sim_conn *conn = conn_of(region->conn);

	if (is_used(conn, region))
		fail(conn, -EFAULT, "a registration ended while an operation of this side was using it");
	transport_region_unlink(region);
	free(region);
}

static int remember(struct sim_conn *conn, void *local, struct transport_region *region, uint32_t length, void *context)
{
	if (conn->operation_tail - conn->operation_head >= conn->base.own.operations)
		return -EAGAIN;
	conn->operations[conn->operation_tail++ % conn->base.own.operations] =
	    (struct operation){.local = local, .length = length, .region = region, .context = context};
	return 0;
}

static int sim_read(struct transport_conn *base, void *local, struct transport_region *region, uint64_t remote,
                    uint64_t key, uint32_t length, void *context, unsigned flags)
{
	struct sim_conn *conn = conn_of(base);
	struct item *item;

	if (length > OPERATION_MOST)
		return -EMSGSIZE;
	if (has_no_room(conn) || remember(conn, local, region, length, context) != 0)
		return -EAGAIN;
	item = new_item(conn, READ, REQUESTS, 0);
	item->length = length;
	item->remote = remote;
	item->key = key;
	post(conn, item, flags);
	return 0;
}

static int sim_write(struct transport_conn *base, const void *local, struct transport_region *region, uint64_t remote,
                     uint64_t key, uint32_t length, void *context, unsigned flags)
{
	struct sim_conn *conn = conn_of(base);
	struct item *item;

	if (length > OPERATION_MOST)
		return -EMSGSIZE;
	if (has_no_room(conn) || (context && remember(conn, NULL, region, length, context) != 0))
		return -EAGAIN;
	item = new_item(conn, WRITE, REQUESTS, length);
	item->length = length;
	item->remote = remote;
	item->key = key;
	item->source = local;
	item->wants_ack = context != NULL;
	post(conn, item, flags);
	return 0;
}

/* ---- faults ----------------------------------------------------------------------------------------------------- */

static void cut(struct link *link, int status)
{
	if (link->cut)
		return;
	link->cut = true;
	sim_note("cut", link->number, 0);
	send_end(link, 0, status);
	send_end(link, 1, status);
}

static bool concerns(const struct link *link, const struct sim_process *process)
{
	return !link->cut && (link->process[0] == process || link->process[1] == process);
}

void network_cut(struct sim_process *process)
{
	struct link *link, *chosen = NULL;
	unsigned count = 0;

	LIST_FOREACH(link, &links, entry)
	{
		if (concerns(link, process) && sim_below(SIM_FAULTS, ++count) == 0)
			chosen = link;
	}
	if (chosen)
		cut(chosen, -ECONNRESET);
}

void network_stall(struct sim_process *process, int64_t until)
{
	struct link *link;

	LIST_FOREACH(link, &links, entry)
	{
		for (unsigned to = 0; to < 2 && concerns(link, process); to++)
			for (unsigned lane = 0; lane < LANES; lane++)
				if (link->last[to][lane] < until)
					link->last[to][lane] = until;
	}
}

void network_died(struct sim_process *process)
{
	struct sim_pending *pending, *next;
	struct link *link;

	for (pending = LIST_FIRST(&undecided); pending; pending = next) {
		next = LIST_NEXT(pending, listed);
		if (pending->at == process)
			sim_reject(&pending->base, ECONNREFUSED);
	}

	LIST_FOREACH(link, &links, entry)
	{
		for (unsigned side = 0; side < 2; side++) {
			if (link->process[side] != process || !link->end[side])
				continue;
			/* Its memory stays: what was on its way from it still may arrive. */
			link->end[side]->over = true;
			link->end[side] = NULL;
			cut(link, -ECONNRESET);
		}
	}
}

/* ---- the table -------------------------------------------------------------------------------------------------- */

#define SIMULATED(of, wants_region)                                                                                    \
	{                                                                                                              \
		.kind = of, .needs_region = wants_region, .available = sim_available,                                  \
		.queue_create = sim_queue_create, .queue_destroy = sim_queue_destroy, .work = sim_work, .fd = sim_fd,  \
		.arm = sim_arm, .listen = sim_listen, .listener_close = sim_listener_close,                            \
		.listener_fd = sim_listener_fd, .listener_next = sim_listener_next, .accept = sim_accept,              \
		.reject = sim_reject, .connect = sim_connect, .close = sim_close, .send = sim_send,                    \
		.flush = sim_flush, .release = sim_release, .register_ = sim_register, .deregister = sim_deregister,   \
		.read = sim_read, .write = sim_write                                                                   \
	}

static const struct transport_ops as_tcp = SIMULATED(TRANSPORT_TCP, false);
static const struct transport_ops as_verbs = SIMULATED(TRANSPORT_VERBS, true);

const struct transport_ops *const transport_kinds[TRANSPORT_KINDS] = {
    [TRANSPORT_TCP] = &as_tcp,
    [TRANSPORT_VERBS] = &as_verbs,
};
