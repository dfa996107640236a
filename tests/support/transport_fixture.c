/* transport_fixture.c -- two ends of connections in one process, for tests of the transports. */
// clang-format off
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on
#include "tests/support/transport_fixture.h"

#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#if FARNOVA_HAS_VERBS
#include <infiniband/verbs.h>
#endif

#define PATIENCE_US 10000000

int64_t fixture_now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

#if FARNOVA_HAS_VERBS
/* The IPv4 address of the device is in its table of GIDs, as ::ffff:a.b.c.d. */
static bool device_address(struct ibv_context *device, char *host, size_t size)
{
	static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
	union ibv_gid gid;

	for (int i = 0; i < 16 && ibv_query_gid(device, 1, i, &gid) == 0; i++)
		if (memcmp(gid.raw, mapped, sizeof(mapped)) == 0 && gid.raw[12] != 0)
			return inet_ntop(AF_INET, gid.raw + 12, host, (socklen_t)size) != NULL;
	return false;
}

static bool verbs_address(char *host, size_t size)
{
	struct ibv_device **devices;
	bool found = false;
	int count = 0;

	devices = ibv_get_device_list(&count);
	for (int i = 0; devices != NULL && i < count && !found; i++) {
		struct ibv_context *device = ibv_open_device(devices[i]);

		found = device != NULL && device_address(device, host, size);
		if (device != NULL)
			ibv_close_device(device);
	}
	if (devices != NULL)
		ibv_free_device_list(devices);
	return found;
}
#else
static bool verbs_address(char *host, size_t size)
{
	return false;
}
#endif

bool fixture_address(enum transport_kind kind, char *host, size_t size)
{
	const char *chosen = getenv("FARNOVA_TEST_RDMA_ADDR");

	if (kind == TRANSPORT_TCP || chosen != NULL) {
		snprintf(host, size, "%s", kind == TRANSPORT_TCP ? "127.0.0.1" : chosen);
		return true;
	}
	return verbs_address(host, size);
}

struct fixture *fixture_create(enum transport_kind kind, const char *host)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));
	char why[256] = "";

	assert_non_null(fixture);
	fixture->kind = kind;
	snprintf(fixture->host, sizeof(fixture->host), "%s", host);
	if (transport_listen(kind, host, 0, &fixture->listener, why, sizeof(why)) != 0)
		fail_msg("listen: %s", why);
	assert_int_equal(transport_queue_create(kind, &fixture->client.queue), 0);
	assert_int_equal(transport_queue_create(kind, &fixture->server.queue), 0);
	return fixture;
}

void fixture_destroy(struct fixture *fixture)
{
	transport_queue_destroy(fixture->client.queue);
	transport_queue_destroy(fixture->server.queue);
	transport_listener_close(fixture->listener);
	free(fixture);
}

struct accepting {
	struct fixture *fixture;
	const struct transport_options *options;
	struct transport_conn *conn;
	int rc;
};

static void *accept_one(void *argument)
{
	struct accepting *accepting = argument;
	struct transport_pending *pending;
	struct pollfd ready = {.fd = transport_listener_fd(accepting->fixture->listener), .events = POLLIN};

	do {
		poll(&ready, 1, 10000);
		accepting->rc = transport_listener_next(accepting->fixture->listener, &pending);
	} while (accepting->rc == -EAGAIN);
	if (accepting->rc != 0)
		return NULL;
	accepting->fixture->ticket = transport_pending_ticket(pending);
	accepting->rc =
	    transport_accept(pending, accepting->fixture->server.queue, accepting->options, &accepting->conn);
	return NULL;
}

void fixture_connect(struct fixture *fixture, const struct transport_options *client_options,
                     const struct transport_options *server_options, struct transport_conn **client,
                     struct transport_conn **server)
{
	struct accepting accepting = {.fixture = fixture, .options = server_options};
	char why[256] = "";
	pthread_t thread;
	int rc;

	assert_int_equal(pthread_create(&thread, NULL, accept_one, &accepting), 0);
	rc = transport_connect(fixture->client.queue, fixture->host, transport_listener_port(fixture->listener),
	                       client_options, 10000, client, why, sizeof(why));
	if (rc != 0)
		fail_msg("connect: %s", why);
	pthread_join(thread, NULL);
	assert_int_equal(accepting.rc, 0);
	*server = accepting.conn;
}

static void take(struct side *side)
{
	int count;

	if (side->head == side->tail)
		side->head = side->tail = 0;
	assert_true(side->tail + 64 <= FIXTURE_EVENTS);
	count = transport_poll(side->queue, side->events + side->tail, 64);
	assert_true(count >= 0);
	side->tail += count;
}

void fixture_pump(struct fixture *fixture)
{
	take(&fixture->client);
	take(&fixture->server);
}

struct transport_event fixture_wait(struct fixture *fixture, struct side *side)
{
	int64_t deadline = fixture_now_us() + PATIENCE_US;

	while (side->head == side->tail) {
		fixture_pump(fixture);
		if (fixture_now_us() > deadline)
			fail_msg("no event in %d s", PATIENCE_US / 1000000);
	}
	return side->events[side->head++];
}

void fixture_expect_silence(struct fixture *fixture, int ms)
{
	int64_t deadline = fixture_now_us() + ms * 1000;

	while (fixture_now_us() < deadline)
		fixture_pump(fixture);
	assert_int_equal(fixture->client.head, fixture->client.tail);
	assert_int_equal(fixture->server.head, fixture->server.tail);
}

void fixture_expect_closed(struct fixture *fixture, struct side *side, const struct transport_conn *conn)
{
	struct transport_event event = fixture_wait(fixture, side);

	assert_int_equal(event.type, TRANSPORT_CLOSED);
	assert_ptr_equal(event.conn, conn);
	assert_true(event.status < 0);
}

void fixture_expect_message(struct fixture *fixture, struct side *side, struct transport_conn *conn, const void *data,
                            size_t length)
{
	struct transport_event event = fixture_wait(fixture, side);

	assert_int_equal(event.type, TRANSPORT_MESSAGE);
	assert_ptr_equal(event.conn, conn);
	assert_int_equal(event.length, length);
	assert_memory_equal(event.data, data, length);
	transport_release(conn, event.data);
}

void fixture_expect_done(struct fixture *fixture, struct side *side, const void *context)
{
	struct transport_event event = fixture_wait(fixture, side);

	assert_int_equal(event.type, TRANSPORT_DONE);
	assert_ptr_equal(event.context, context);
	assert_int_equal(event.status, 0);
}

int fixture_send(struct transport_conn *conn, const void *data, size_t length)
{
	struct iovec iov = {(void *)data, length};

	return transport_send(conn, &iov, 1, 0);
}

struct transport_region *fixture_share(struct transport_conn *conn, void *address, size_t length, uint64_t base,
                                       unsigned rights)
{
	struct transport_region *region = NULL;

	assert_int_equal(transport_register(conn, address, length, base, rights, &region), 0);
	return region;
}

struct transport_region *fixture_local(struct transport_conn *conn, void *address, size_t length)
{
	return transport_needs_region(conn) ? fixture_share(conn, address, length, 0, TRANSPORT_LOCAL_WRITE) : NULL;
}

/* ---- one connection with memory at each end -------------------------------------------------------------------- */

uint8_t *bench_memory(size_t size)
{
	void *address = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	assert_true(address != MAP_FAILED);
	return address;
}

void bench_fill(uint8_t *bytes, size_t size, uint32_t seed)
{
	for (size_t i = 0; i < size; i++) {
		seed = seed * 1664525u + 1013904223u;
		bytes[i] = (uint8_t)(seed >> 24);
	}
}

struct bench bench_create(enum transport_kind kind, const char *host, size_t size,
                          const struct transport_options *client, const struct transport_options *server)
{
	struct bench bench = {.fixture = fixture_create(kind, host), .size = size};

	fixture_connect(bench.fixture, client, server, &bench.client, &bench.server);
	bench.near = bench_memory(size);
	bench.far = bench_memory(size);
	bench.local = fixture_local(bench.client, bench.near, size);
	return bench;
}

void bench_destroy(struct bench *bench)
{
	transport_close(bench->client);
	transport_close(bench->server);
	fixture_destroy(bench->fixture);
	munmap(bench->near, bench->size);
	munmap(bench->far, bench->size);
}

/* ---- kinds ------------------------------------------------------------------------------------------------------ */

int fixture_main(int argc, char **argv, int (*run)(enum transport_kind kind, const char *host))
{
	char why[256] = "the RDMA device has no IPv4 address; set FARNOVA_TEST_RDMA_ADDR", host[128];
	int failed = 0;

	if (argc > 2)
		cmocka_set_test_filter(argv[2]);
	if ((argc < 2 || strcmp(argv[1], "tcp") == 0) && fixture_address(TRANSPORT_TCP, host, sizeof(host)))
		failed += run(TRANSPORT_TCP, host);
	if (argc < 2 || strcmp(argv[1], "verbs") == 0) {
		if (transport_available(TRANSPORT_VERBS, why, sizeof(why)) != 0 ||
		    !fixture_address(TRANSPORT_VERBS, host, sizeof(host))) {
			printf("verbs not tried: %s\n", why);
			return argc > 1 ? 77 : failed != 0;
		}
		failed += run(TRANSPORT_VERBS, host);
	}
	return failed != 0;
}
