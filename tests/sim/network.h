/*
 * network.h -- what the parts of the simulated network know of each other.
 *
 * network.c has what is on its way, connect.c how connections come and go, and transport.c the rest of the transport's
 * contract. A connection has two lanes in each direction: requests (messages, reads, writes) and answers (what was
 * read, acknowledgements, credits). What is sent in one lane arrives in order; nothing else is ordered.
 */
#ifndef FARNOVA_TESTS_SIM_NETWORK_H
#define FARNOVA_TESTS_SIM_NETWORK_H

#include "common/transport/base/internal.h"
#include "tests/sim/transport.h"

#define LANES 2u

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
	uint32_t unreleased; /* messages that have arrived and were not released */
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

static inline struct sim_conn *conn_of(struct transport_conn *base)
{
	return (struct sim_conn *)base;
}

static inline struct sim_queue *queue_of(const struct sim_conn *conn)
{
	return (struct sim_queue *)conn->base.queue;
}

#define POISON 0xdb /* what was freed is filled with */

/* network_allocate -- zeroed memory, or the run fails. network_travel -- how long an item is on its way. */
void *network_allocate(size_t size);
int64_t network_travel(void);

/* network_item -- an item from `conn` to the other end. network_post -- send it, with `flags` as transport_send has
 * them; network_answer -- send it among the answers. network_flush -- send what was held back. */
struct item *network_item(struct sim_conn *conn, enum item_type type, enum lane lane, size_t data);
void network_post(struct sim_conn *conn, struct item *item, unsigned flags);
void network_answer(struct sim_conn *conn, struct item *item);
void network_flush(struct sim_conn *conn);
void network_free(struct item *item);
/* network_has_no_room -- a post gets -EAGAIN now. */
bool network_has_no_room(const struct sim_conn *conn);
/* network_let_go -- `conn` is closed: what is on its way from it no longer reads its memory, what has come is dropped. */
void network_let_go(struct sim_conn *conn);

/* network_add_link -- a link that faults may concern. network_send_end -- an end that is not closed learns of the end
 * after some time. network_fail -- a fault of one end, which knows at once. network_lost -- `process` was killed: its
 * ends are gone. */
void network_add_link(struct link *link);
void network_send_end(struct link *link, unsigned to, int status);
void network_fail(struct sim_conn *conn, int status, const char *reason);
void network_lost(struct sim_process *process);

/* connect.c: this part of the transport's contract. */
int sim_listen(const char *host, uint16_t port, struct transport_listener **out, char *why, size_t why_size);
void sim_listener_close(struct transport_listener *base);
int sim_listener_fd(const struct transport_listener *base);
int sim_listener_next(struct transport_listener *base, struct transport_pending **out);
int sim_accept(struct transport_pending *base, struct transport_queue *queue, const struct transport_hello *own,
               struct transport_conn *join, struct transport_conn **out);
void sim_reject(struct transport_pending *base, int error);
int sim_connect(struct transport_queue *queue, const char *host, uint16_t port, const struct transport_hello *own,
                int timeout_ms, struct transport_conn **out, char *why, size_t why_size);
void sim_close(struct transport_conn *base);

#endif
