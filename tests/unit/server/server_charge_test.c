/*
 * server_charge_test.c -- all time that a connection's requests take is its debt: also that of requests which have
 * waited and run again, and that of bulk threads.
 *
 * The calls that add to debts are counted: turns_used by the loop, turns_charge for other threads.
 */
#include "server/net/turns.h"
#include "tests/support/raw_client.h"
#include "tests/support/server_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>

#include <cmocka.h>

#define POOL_BYTES (1100ull << 20)
#define COPY_BYTES (16u << 20)
#define SLICE      (64ull << 20) /* is reserved at a time */
#define SLICES     12u
#define READ_WRITE (PROTO_OPEN_READ | PROTO_OPEN_WRITE | PROTO_OPEN_CREATE)

void __real_turns_used(struct turns *turns, struct conn_turn *turn, int64_t used_ns, int64_t from_ns, int64_t now_ns);
void __wrap_turns_used(struct turns *turns, struct conn_turn *turn, int64_t used_ns, int64_t from_ns, int64_t now_ns);
void __real_turns_charge(struct conn_turn *turn, int64_t used_ns, int64_t now_ns);
void __wrap_turns_charge(struct conn_turn *turn, int64_t used_ns, int64_t now_ns);

static atomic_uint used, charged;
static atomic_int_least64_t charged_ns;

void __wrap_turns_used(struct turns *turns, struct conn_turn *turn, int64_t used_ns, int64_t from_ns, int64_t now_ns)
{
	atomic_fetch_add(&used, 1);
	__real_turns_used(turns, turn, used_ns, from_ns, now_ns);
}

void __wrap_turns_charge(struct conn_turn *turn, int64_t used_ns, int64_t now_ns)
{
	atomic_fetch_add(&charged, 1);
	atomic_fetch_add(&charged_ns, used_ns);
	__real_turns_charge(turn, used_ns, now_ns);
}

static struct running_server *server;
static struct raw_client *client;
static struct proto_reply reply;

static int start(void **state)
{
	static const char *const flags[] = {"--workers", "1", NULL};
	uint16_t port;

	(void)state;
	server = server_run_sized(&port, flags, POOL_BYTES);
	client = raw_connect(TRANSPORT_TCP, "127.0.0.1", port);
	raw_hello(client, NULL);
	return 0;
}

static int stop(void **state)
{
	(void)state;
	raw_close(client);
	server_end(server);
	return 0;
}

static uint64_t open_file(const char *path)
{
	assert_int_equal(raw_open(client, path, READ_WRITE, &reply), 0);
	return reply.open.open;
}

static void reserve(uint64_t open, uint64_t length)
{
	struct proto_request request = {.op = PROTO_FALLOCATE};

	request.fallocate.open = open;
	request.fallocate.offset = 0;
	request.fallocate.length = length;
	request.fallocate.mode = 0;
	assert_int_equal(raw_call(client, &request, &reply), 0);
}

static void what_runs_again_is_charged(void **state)
{
	uint64_t open = open_file("large");

	(void)state;
	atomic_store(&used, 0);
	reserve(open, SLICES * SLICE);
	/* The last may still be about to be counted. */
	assert_in_range(atomic_load(&used), SLICES - 1, 4 * SLICES);
}

static void the_time_of_bulk_threads_is_charged(void **state)
{
	static uint8_t data[4096];
	uint64_t source = open_file("source"), target = open_file("target");
	struct proto_request request = {.op = PROTO_WRITE};

	(void)state;
	for (uint64_t at = 0; at < COPY_BYTES; at += sizeof(data)) {
		request.write.open = source;
		request.write.offset = at;
		request.write.data = data;
		request.write.length = sizeof(data);
		assert_int_equal(raw_call(client, &request, &reply), 0);
	}
	atomic_store(&charged, 0);
	atomic_store(&charged_ns, 0);
	request = (struct proto_request){.op = PROTO_COPY};
	request.copy.from_open = source;
	request.copy.to_open = target;
	request.copy.length = COPY_BYTES;
	assert_int_equal(raw_call(client, &request, &reply), 0);
	assert_true(atomic_load(&charged) >= 1);
	assert_in_range(atomic_load(&charged_ns), 100000, INT64_MAX); /* 16 MiB within 100 us: no memory is so fast */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(what_runs_again_is_charged, start, stop),
	    cmocka_unit_test_setup_teardown(the_time_of_bulk_threads_is_charged, start, stop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
