/*
 * transport_fixture.h -- two ends of connections in one process, driven by one thread, for tests of the transports.
 *
 * A side is a queue with the events taken from it; waiting on one side drives both, as the peer's part of an operation
 * may need the peer's queue to be polled.
 */
#ifndef FARNOVA_TESTS_UNIT_TRANSPORT_FIXTURE_H
#define FARNOVA_TESTS_UNIT_TRANSPORT_FIXTURE_H

#include "common/transport/transport.h"

#define FIXTURE_EVENTS 16384

struct side {
	struct transport_queue *queue;
	struct transport_event events[FIXTURE_EVENTS]; /* taken and not yet looked at */
	int head, tail;
};

struct fixture {
	enum transport_kind kind;
	char host[128];
	struct transport_listener *listener;
	struct side client, server;
	struct transport_ticket ticket; /* of the newest connection */
};

/* fixture_address -- where a listener of this kind can be reached on this host; false where there is no such address
 * (verbs: FARNOVA_TEST_RDMA_ADDR, or the IPv4 address of the first RDMA device). */
bool fixture_address(enum transport_kind kind, char *host, size_t size);

struct fixture *fixture_create(enum transport_kind kind, const char *host);
void fixture_destroy(struct fixture *fixture);

/* fixture_connect -- a connection between the two sides. */
void fixture_connect(struct fixture *fixture, const struct transport_options *client_options,
                     const struct transport_options *server_options, struct transport_conn **client,
                     struct transport_conn **server);

/* fixture_wait -- the next event of `side`, driving both; fails the test after ten seconds without one. */
struct transport_event fixture_wait(struct fixture *fixture, struct side *side);
/* fixture_pump -- poll both sides once and keep what comes. */
void fixture_pump(struct fixture *fixture);
/* fixture_expect_silence -- drive both sides for `ms` and fail if an event comes. */
void fixture_expect_silence(struct fixture *fixture, int ms);
void fixture_expect_closed(struct fixture *fixture, struct side *side, const struct transport_conn *conn);
/* fixture_expect_message -- the next event of `side` is this message; released. */
void fixture_expect_message(struct fixture *fixture, struct side *side, struct transport_conn *conn, const void *data,
                            size_t length);
void fixture_expect_done(struct fixture *fixture, struct side *side, const void *context);

int64_t fixture_now_us(void);
int fixture_send(struct transport_conn *conn, const void *data, size_t length);
/* fixture_local -- memory of the caller as the local end of operations (a region where the kind needs one). */
struct transport_region *fixture_local(struct transport_conn *conn, void *address, size_t length);
/* fixture_share -- register for the peer; fails the test if refused. */
struct transport_region *fixture_share(struct transport_conn *conn, void *address, size_t length, uint64_t base,
                                       unsigned rights);

/* The usual case: one connection, and some memory at each end. */
struct bench {
	struct fixture *fixture;
	struct transport_conn *client, *server;
	uint8_t *near, *far; /* the client's and the server's memory, of `size` bytes */
	size_t size;
	struct transport_region *local; /* on `near` */
};

struct bench bench_create(enum transport_kind kind, const char *host, size_t size,
                          const struct transport_options *client, const struct transport_options *server);
void bench_destroy(struct bench *bench);
/* bench_memory -- pages of zeros; for munmap. */
uint8_t *bench_memory(size_t size);
void bench_fill(uint8_t *bytes, size_t size, uint32_t seed);

/*
 * fixture_main -- call `run` for each kind that this host has: tcp always, verbs where it is available, and what it
 * lacks otherwise is said on stdout. Arguments: the one kind to try (77 if it is not there), and a pattern of test
 * names.
 */
int fixture_main(int argc, char **argv, int (*run)(enum transport_kind kind, const char *host));

#endif
