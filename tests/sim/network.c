/*
 * network.c -- what is on its way in the simulated network, what happens where it arrives, and faults of connections.
 */
#include "tests/sim/network.h"

#include "tests/sim/descriptors.h"

#include <stdlib.h>
#include <string.h>

#define PIECE          1024u /* of a one-sided operation that is executed at one moment */
#define IN_FLIGHT_MOST 1024u /* items of one end; more are refused */

static struct network_weather weather = {.least_ns = 2000, .spread_ns = 20000};
static bool refusals_forbidden;
static LIST_HEAD(, link) links = LIST_HEAD_INITIALIZER(links);

void network_forbid_refusals(void)
{
	refusals_forbidden = true;
}

void network_set_weather(const struct network_weather *given)
{
	weather = *given;
}

void *network_allocate(size_t size)
{
	void *memory = calloc(1, size);

	if (!memory)
		sim_failed("out of memory");
	return memory;
}

int64_t network_travel(void)
{
	int64_t ns = weather.least_ns + (int64_t)sim_below(SIM_NETWORK, (uint64_t)weather.spread_ns + 1);

	if (weather.late_in_1024 > 0 && sim_chance(SIM_NETWORK, weather.late_in_1024))
		ns += (int64_t)sim_below(SIM_NETWORK, (uint64_t)weather.late_ns + 1);
	return ns;
}

/* ---- items on their way ----------------------------------------------------------------------------------------- */

struct item *network_item(struct sim_conn *conn, enum item_type type, enum lane lane, size_t data)
{
	struct item *item = network_allocate(sizeof(*item) + data);

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
	int64_t when = sim_now() + network_travel();

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

void network_flush(struct sim_conn *conn)
{
	struct item *item;

	while ((item = TAILQ_FIRST(&conn->held)) != NULL) {
		TAILQ_REMOVE(&conn->held, item, entry);
		launch(conn, item);
	}
}

void network_post(struct sim_conn *conn, struct item *item, unsigned flags)
{
	if (item->lane == REQUESTS && ((flags & TRANSPORT_MORE) || !TAILQ_EMPTY(&conn->held)))
		TAILQ_INSERT_TAIL(&conn->held, item, entry);
	else
		launch(conn, item);
	if (!(flags & TRANSPORT_MORE))
		network_flush(conn);
}

void network_free(struct item *item)
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
	struct item *item = network_item(conn, END, REQUESTS, 0);

	if (conn->over) {
		network_free(item);
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
	network_free(item);
}

/* An end that is not closed learns of the end after some time; what comes before that still comes. */
void network_send_end(struct link *link, unsigned to, int status)
{
	struct item *item;

	if (!link->end[to])
		return;
	item = network_allocate(sizeof(*item));
	item->link = link;
	item->to = to;
	item->type = END;
	item->status = status;
	sim_at(sim_now() + network_travel(), end_arrives, item);
}

/* A fault of one end: it knows at once. */
void network_fail(struct sim_conn *conn, int status, const char *reason)
{
	if (conn->over)
		return;
	if (refusals_forbidden && status == -EACCES)
		sim_failed("%s, though nobody was late in this run", reason);
	sim_note(reason, conn->link->number, conn->side);
	tell_end(conn, status);
	if (!conn->link->cut)
		network_send_end(conn->link, 1 - conn->side, status);
	conn->link->cut = true;
}

/* ---- what arrives ----------------------------------------------------------------------------------------------- */

static struct transport_region *region_of(struct sim_conn *conn, const struct item *item, unsigned right)
{
	struct transport_region *region;

	LIST_FOREACH(region, &conn->base.domain->regions, entry)
	{
		if (region->key == item->key && (region->rights & right) && item->remote >= region->base &&
		    item->remote - region->base < region->length &&
		    item->length <= region->length - (item->remote - region->base))
			return region;
	}
	return NULL;
}

void network_answer(struct sim_conn *conn, struct item *item)
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
		network_free(item);
		network_free(reading->response);
	}
	free(reading);
	go_on(link, to);
}

static void execute_read(struct sim_conn *conn, struct item *item, struct item *response)
{
	struct transport_region *region = region_of(conn, item, TRANSPORT_REMOTE_READ);
	uint32_t count;

	if (!region) {
		network_fail(conn, -EACCES, "a read outside what its key allows");
		network_free(item);
		if (response)
			network_free(response);
		return;
	}
	if (!response) {
		response = network_item(conn, ANSWER, ANSWERS, item->length);
		response->length = item->length;
	}
	bool more = next_piece(item, &count);
	memcpy(response->data + item->done, region->address + (item->remote - region->base) + item->done, count);
	item->done += count;
	if (!more) {
		network_answer(conn, response);
		network_free(item);
		return;
	}
	struct reading *reading = network_allocate(sizeof(*reading));
	*reading = (struct reading){item, response};
	conn->link->reading[conn->side] = true;
	sim_at(sim_now() + 100 + (int64_t)sim_below(SIM_NETWORK, 400), read_on, reading);
}

static void execute_write(struct sim_conn *conn, struct item *item)
{
	struct transport_region *region = region_of(conn, item, TRANSPORT_REMOTE_WRITE);

	if (!region) {
		network_fail(conn, -EACCES, "a write outside what its key allows");
		return;
	}
	memcpy(region->address + (item->remote - region->base), item->source ? item->source : item->data, item->length);
	queue_of(conn)->base.activity++;
	if (item->wants_ack)
		network_answer(conn, network_item(conn, ACK, ANSWERS, 0));
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

/* As both transports do: more receive buffers, up to the limit, when the peer has used half of its credits. */
static void receive_message(struct sim_conn *conn, struct item *item)
{
	struct credits *credits = &conn->base.credits;

	put_in(conn, item);
	conn->unreleased++;
	if (credits->depth - credits->owed - conn->unreleased > credits->depth / 2)
		return;
	if (credits->depth < conn->base.receive_limit) {
		credits->owed += conn->base.receive_limit - credits->depth;
		credits->depth = conn->base.receive_limit;
		network_answer(conn, network_item(conn, CREDIT, ANSWERS, 0));
	}
}

static void execute(struct link *link, unsigned to, struct item *item)
{
	struct sim_conn *sender = link->end[1 - to], *conn = link->end[to];

	if (sender)
		sender->in_flight--;
	if (item->type == WRITE && item->source && sender)
		TAILQ_REMOVE(&sender->flying, item, entry);
	if (!conn || conn->over || link->process[item->to]->dead) {
		network_free(item);
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
		receive_message(conn, item);
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
	network_free(item);
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

bool network_has_no_room(const struct sim_conn *conn)
{
	return conn->in_flight >= IN_FLIGHT_MOST ||
	       (weather.refuse_in_1024 > 0 && conn->in_flight > 2 && sim_chance(SIM_NETWORK, weather.refuse_in_1024));
}

/* Writes on their way either have left this end's memory or never will. */
static void detach(struct sim_conn *conn)
{
	struct item *item;

	while ((item = TAILQ_FIRST(&conn->held)) != NULL) {
		TAILQ_REMOVE(&conn->held, item, entry);
		network_free(item);
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
			network_free(item);
		}
	}
	while ((item = TAILQ_FIRST(&conn->taken)) != NULL) {
		TAILQ_REMOVE(&conn->taken, item, entry);
		network_free(item);
	}
}

void network_let_go(struct sim_conn *conn)
{
	detach(conn);
	drop_arrived(conn);
	transport_conn_part(&conn->base);
}

/* ---- faults ----------------------------------------------------------------------------------------------------- */

static void cut(struct link *link, int status)
{
	if (link->cut)
		return;
	link->cut = true;
	sim_note("cut", link->number, 0);
	network_send_end(link, 0, status);
	network_send_end(link, 1, status);
}

static bool concerns(const struct link *link, const struct sim_process *process)
{
	return !link->cut && (link->process[0] == process || link->process[1] == process);
}

bool network_cut(struct sim_process *process)
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
	return chosen != NULL;
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

void network_add_link(struct link *link)
{
	LIST_INSERT_HEAD(&links, link, entry);
}

void network_lost(struct sim_process *process)
{
	struct link *link;

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
