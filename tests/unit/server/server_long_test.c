/*
 * server_long_test.c -- long requests leave the loop: while one is being done a neighbour of the same worker is served.
 *
 * What shows it is how many of the neighbour's requests are answered between the long request and its reply: many, where
 * a loop that does it in one go answers one or two. On a crowded host most tries may fail, since the neighbour does not
 * run.
 */
#include "tests/support/raw_client.h"
#include "tests/support/server_fixture.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#define POOL_BYTES (1100ull << 20)
#define TRIES      40
#define ENOUGH     5  /* tries in which the neighbour was served: one may come about by chance */
#define MANY       8u /* answers */
#define READ_WRITE (PROTO_OPEN_READ | PROTO_OPEN_WRITE | PROTO_OPEN_CREATE)

static struct running_server *server;
static uint16_t port;
static struct raw_client *client;

/* ---- the neighbour ---------------------------------------------------------------------------------------------- */

static struct {
	struct raw_client *client;
	pthread_t thread;
	atomic_bool stop;
	atomic_uint answers;
} neighbour;

static void *ask(void *argument)
{
	struct proto_request request = {.op = PROTO_GETATTR};
	struct proto_reply reply;

	(void)argument;
	request.getattr.handle = neighbour.client->hello.hello.root;
	while (!atomic_load(&neighbour.stop)) {
		if (raw_call(neighbour.client, &request, &reply) != 0)
			abort();
		atomic_fetch_add(&neighbour.answers, 1);
	}
	return NULL;
}

static struct raw_client *connected(void)
{
	struct raw_client *c = raw_connect(TRANSPORT_TCP, "127.0.0.1", port);

	raw_hello(c, NULL);
	return c;
}

static void begin(void)
{
	client = connected();
	neighbour.client = connected();
	atomic_store(&neighbour.stop, false);
	assert_int_equal(pthread_create(&neighbour.thread, NULL, ask, NULL), 0);
}

static void end(void)
{
	atomic_store(&neighbour.stop, true);
	pthread_join(neighbour.thread, NULL);
	raw_close(neighbour.client);
	raw_close(client);
}

static int start(void **state)
{
	static const char *const flags[] = {"--workers", "1", NULL};

	(void)state;
	server = server_run_sized(&port, flags, POOL_BYTES);
	begin();
	return 0;
}

static int stop(void **state)
{
	(void)state;
	end();
	server_end(server);
	return 0;
}

/* ---- requests --------------------------------------------------------------------------------------------------- */

static struct proto_reply reply;

static uint64_t open_file(const char *path, struct proto_handle *handle)
{
	assert_int_equal(raw_open(client, path, READ_WRITE, &reply), 0);
	if (handle)
		*handle = reply.open.attr.handle;
	return reply.open.open;
}

static void write_at(uint64_t open, uint64_t offset, const void *data, uint32_t length)
{
	struct proto_request request = {.op = PROTO_WRITE};

	request.write.open = open;
	request.write.offset = offset;
	request.write.data = data;
	request.write.length = length;
	assert_int_equal(raw_call(client, &request, &reply), 0);
}

static int fallocate(uint64_t open, uint64_t offset, uint64_t length, uint32_t mode)
{
	struct proto_request request = {.op = PROTO_FALLOCATE};

	request.fallocate.open = open;
	request.fallocate.offset = offset;
	request.fallocate.length = length;
	request.fallocate.mode = mode;
	return raw_call(client, &request, &reply);
}

static int copy(uint64_t from, uint64_t to, uint64_t length)
{
	struct proto_request request = {.op = PROTO_COPY};

	request.copy.from_open = from;
	request.copy.to_open = to;
	request.copy.from_offset = request.copy.to_offset = 0;
	request.copy.length = length;
	return raw_call(client, &request, &reply);
}

static int resize(struct proto_handle file, uint64_t size)
{
	struct proto_request request = {.op = PROTO_SETATTR};

	request.setattr.handle = file;
	request.setattr.open = 0;
	request.setattr.mask = PROTO_SET_SIZE;
	request.setattr.size = size;
	return raw_call(client, &request, &reply);
}

/* ---- tests ------------------------------------------------------------------------------------------------------ */

/* How many answers the neighbour got while `run` ran. */
static unsigned answers_beside(void (*run)(void))
{
	unsigned before = atomic_load(&neighbour.answers);

	run();
	return atomic_load(&neighbour.answers) - before;
}

static void assert_served(void (*run)(void), void (*again)(void))
{
	unsigned served = 0;

	for (int i = 0; i < TRIES && served < ENOUGH; i++) {
		served += answers_beside(run) >= MANY;
		again();
	}
	assert_true(served >= ENOUGH);
}

static uint64_t source, target;
static struct proto_handle source_file;

static void run_copy(void)
{
	assert_int_equal(copy(source, target, 16 << 20), 0);
	assert_int_equal(reply.copy.count, 16 << 20);
}

static void nothing(void)
{
}

static void fill(uint64_t open, uint64_t length)
{
	static uint8_t data[4096];

	for (uint64_t at = 0; at < length; at += sizeof(data)) {
		memset(data, (int)(at >> 12) + 1, sizeof(data));
		write_at(open, at, data, sizeof(data));
	}
}

static void neighbours_are_served_during_a_long_copy(void **state)
{
	uint8_t bytes[2];

	(void)state;
	source = open_file("source", &source_file);
	target = open_file("target", NULL);
	fill(source, 16 << 20);
	assert_served(run_copy, nothing);
	/* It did copy: some bytes of the last block. */
	struct proto_request request = {.op = PROTO_READ};
	request.read.open = target;
	request.read.offset = (16 << 20) - 2;
	request.read.length = 2;
	assert_int_equal(raw_call(client, &request, &reply), 0);
	memcpy(bytes, reply.read.data, 2);
	assert_int_equal(bytes[1], 0);
	assert_int_equal(reply.read.length, 2);
	request.read.offset = 4096 + 7;
	assert_int_equal(raw_call(client, &request, &reply), 0);
	assert_int_equal(*(const uint8_t *)reply.read.data, 2);
}

static uint64_t large;
static struct proto_handle large_file;

static void run_reserve(void)
{
	assert_int_equal(fallocate(large, 0, 900ull << 20, 0), 0);
	assert_int_equal(reply.fallocate.attr.size, 900ull << 20);
}

static void empty_large(void)
{
	assert_int_equal(resize(large_file, 0), 0);
}

static void neighbours_are_served_while_much_is_reserved(void **state)
{
	(void)state;
	large = open_file("large", &large_file);
	assert_served(run_reserve, empty_large);
	/* What can never be had is not begun. */
	assert_int_equal(fallocate(large, 0, 100ull << 30, 0), -ENOSPC);
	assert_int_equal(raw_open(client, "large", PROTO_OPEN_READ, &reply), 0);
	assert_int_equal(reply.open.attr.blocks, 0);
}

static void run_first_use(void)
{
	assert_int_equal(raw_open(client, "long", PROTO_OPEN_READ, &reply), 0);
}

static void restart(void)
{
	end();
	server_restart(server, &port);
	begin();
}

/* A log that GC cannot shorten: every entry lives. */
static void neighbours_are_served_while_a_long_log_is_read(void **state)
{
	uint64_t open = open_file("long", NULL);

	(void)state;
	for (uint64_t i = 0; i < 30000; i++)
		write_at(open, i * 8192, "x", 1);
	restart();
	assert_served(run_first_use, restart);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(neighbours_are_served_during_a_long_copy, start, stop),
	    cmocka_unit_test_setup_teardown(neighbours_are_served_while_much_is_reserved, start, stop),
	    cmocka_unit_test_setup_teardown(neighbours_are_served_while_a_long_log_is_read, start, stop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
