/*
 * server_long_test.c -- long requests leave the loop: others of the same worker are answered while one is being done.
 *
 * A short request is sent right behind a long one. A loop that does the long one in one go cannot answer the short one
 * first. That it can is to be seen in one of some tries: the host may have kept the loop from running until the long one
 * was done.
 */
#include "tests/support/raw_client.h"
#include "tests/support/server_fixture.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define POOL_BYTES (1100ull << 20)
#define TRIES      20
#define SPARSE     (2ull << 20) /* between blocks: such a file has a large index */
#define READ_WRITE (PROTO_OPEN_READ | PROTO_OPEN_WRITE | PROTO_OPEN_CREATE)

static struct running_server *server;
static uint16_t port;
static struct raw_client *client;

static uint32_t other_sequence; /* of slot 1 */

static struct raw_client *connected(void)
{
	struct raw_client *c = raw_connect(TRANSPORT_TCP, "127.0.0.1", port);

	raw_hello(c, NULL);
	return c;
}

static void begin(void)
{
	client = connected();
	other_sequence = 0;
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
	raw_close(client);
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

static struct proto_request fallocate_request(uint64_t open, uint64_t length)
{
	struct proto_request request = {.op = PROTO_FALLOCATE};

	request.fallocate.open = open;
	request.fallocate.offset = 0;
	request.fallocate.length = length;
	request.fallocate.mode = 0;
	return request;
}

static struct proto_request copy_request(uint64_t from, uint64_t to, uint64_t to_offset, uint64_t length)
{
	struct proto_request request = {.op = PROTO_COPY};

	request.copy.from_open = from;
	request.copy.to_open = to;
	request.copy.from_offset = 0;
	request.copy.to_offset = to_offset;
	request.copy.length = length;
	return request;
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

/* Whether a short request that is sent behind `request` is answered before it. `reply` is the long one's. */
static bool overtaken(struct proto_request *request)
{
	struct proto_request other = {.op = PROTO_GETATTR, .slot = 1};
	bool first = false;

	request->slot = 0;
	request->sequence = ++client->sequence;
	other.sequence = ++other_sequence;
	other.quiesced = request->quiesced = client->quiesced;
	other.getattr.handle = client->hello.hello.root;
	assert_true(raw_post(client, request));
	assert_true(raw_post(client, &other));
	for (int answers = 0; answers < 2; answers++) {
		assert_true(raw_reply(client, &reply, 60000));
		assert_int_equal(reply.status, 0);
		first = first || (answers == 0 && reply.slot == 1);
		if (answers == 1 && reply.slot == 1) /* what is left there is the short one's */
			return false;
	}
	return first;
}

static uint64_t source, target;
static struct proto_handle source_file;

static void fill(uint64_t open, uint64_t length)
{
	static uint8_t data[4096];

	for (uint64_t at = 0; at < length; at += sizeof(data)) {
		memset(data, (int)(at >> 12) + 1, sizeof(data));
		write_at(open, at, data, sizeof(data));
	}
}

static void a_long_copy_is_overtaken(void **state)
{
	bool once = false;

	(void)state;
	source = open_file("source", &source_file);
	target = open_file("target", NULL);
	fill(source, 16 << 20);
	for (int i = 0; i < TRIES && !once; i++) {
		struct proto_request request = copy_request(source, target, 0, 16 << 20);

		once = overtaken(&request);
		if (once)
			assert_int_equal(reply.copy.count, 16 << 20);
	}
	assert_true(once);
	/* It did copy. */
	struct proto_request request = {.op = PROTO_READ};
	request.read.open = target;
	request.read.offset = (5 << 12) + 7;
	request.read.length = 1;
	assert_int_equal(raw_call(client, &request, &reply), 0);
	assert_int_equal(*(const uint8_t *)reply.read.data, 6);
}

static uint64_t free_blocks(void)
{
	struct proto_request request = {.op = PROTO_STATFS};

	request.statfs.handle = client->hello.hello.root;
	assert_int_equal(raw_call(client, &request, &reply), 0);
	return reply.statfs.free_blocks;
}

/* What was prepared for it goes back, wherever its request was when it vanished, also when the server stops. */
static void clients_may_vanish_during_a_long_copy(void **state)
{
	(void)state;
	source = open_file("source", &source_file);
	fill(source, 16 << 20);
	uint64_t before = free_blocks();
	for (int i = 0; i < 40; i++) {
		struct raw_client *other = connected();
		struct proto_request request = {.op = PROTO_COPY, .slot = 0, .sequence = 3};
		struct proto_reply answer;

		assert_int_equal(raw_open(other, "source", PROTO_OPEN_READ, &answer), 0);
		request.copy.from_open = answer.open.open;
		assert_int_equal(raw_open(other, "nobodys", READ_WRITE | PROTO_OPEN_TRUNCATE, &answer), 0);
		request.copy.to_open = answer.open.open;
		request.copy.from_offset = request.copy.to_offset = 0;
		request.copy.length = 16 << 20;
		assert_true(raw_post(other, &request));
		for (int k = 0; k < i; k++) /* a little later each time */
			free_blocks();
		raw_close(other);
	}
	assert_int_equal(raw_open(client, "nobodys", READ_WRITE | PROTO_OPEN_TRUNCATE, &reply), 0);
	/* Of each client that vanished a page of what it did is kept. */
	for (int i = 0; i < 10000 && free_blocks() + 16 + 40 < before; i++)
		usleep(1000);
	assert_in_range(free_blocks(), before - 16 - 40, before);

	struct proto_request request = {.op = PROTO_COPY, .slot = 1, .sequence = 1};
	assert_int_equal(raw_open(client, "nobodys", READ_WRITE, &reply), 0);
	request.copy.from_open = source;
	request.copy.to_open = reply.open.open;
	request.copy.from_offset = request.copy.to_offset = 0;
	request.copy.length = 16 << 20;
	assert_true(raw_post(client, &request)); /* stop() stops the server before it is answered */
}

static void a_large_reservation_is_overtaken(void **state)
{
	struct proto_handle file;
	uint64_t open = open_file("large", &file);
	bool once = false;

	(void)state;
	for (int i = 0; i < TRIES && !once; i++) {
		struct proto_request request = fallocate_request(open, 900ull << 20);

		once = overtaken(&request);
		if (once)
			assert_int_equal(reply.fallocate.attr.size, 900ull << 20);
		assert_int_equal(resize(file, 0), 0);
	}
	assert_true(once);
	/* What can never be had is not begun. */
	struct proto_request request = fallocate_request(open, 100ull << 30);
	assert_int_equal(raw_call(client, &request, &reply), -ENOSPC);
	assert_int_equal(raw_open(client, "large", PROTO_OPEN_READ, &reply), 0);
	assert_int_equal(reply.open.attr.blocks, 0);
}

/* A log that GC cannot shorten: every entry lives. */
static void the_first_use_of_a_long_log_is_overtaken(void **state)
{
	uint64_t scattered = open_file("scattered", NULL), open = open_file("long", NULL);
	bool once = false;

	(void)state;
	for (uint64_t at = 0; at < 16 << 20; at += 8192)
		write_at(scattered, at, "x", 1);
	for (uint64_t i = 0; i < 20; i++) {
		struct proto_request request = copy_request(scattered, open, i << 24, 16 << 20);

		assert_int_equal(raw_call(client, &request, &reply), 0);
	}
	for (int i = 0; i < TRIES && !once; i++) {
		struct proto_request request = {.op = PROTO_OPEN};

		raw_close(client);
		server_restart(server, &port);
		begin();
		request.open.dir = client->hello.hello.root;
		request.open.flags = PROTO_OPEN_READ;
		request.open.mode = request.open.umask = 0;
		request.open.path = (struct proto_string){.data = "long", .length = 4};
		once = overtaken(&request);
	}
	assert_true(once);
}

static int start_with_small_cache(void **state)
{
	static const char *const flags[] = {"--workers", "1", "--cache-bytes", "1M", NULL};

	(void)state;
	server = server_run_sized(&port, flags, POOL_BYTES);
	begin();
	return 0;
}

static void make_sparse(const char *name)
{
	uint64_t open = open_file(name, NULL);

	for (uint64_t i = 0; i < 5000; i++)
		write_at(open, i * SPARSE, "x", 1);
}

/* To read its log takes a bulk thread; until then nothing is known of where it lies, which is not to say that it is
 * empty. */
static void a_file_whose_index_has_gone_is_not_told_as_empty(void **state)
{
	static const char *const names[] = {"long0", "long1", "long2"};
	struct proto_request get = {.op = PROTO_LAYOUT_GET};
	uint64_t size = 4999 * SPARSE + 1;

	(void)state;
	for (unsigned file = 0; file < 3; file++)
		make_sparse(names[file]);
	for (unsigned use = 0; use < 12; use++) {
		assert_int_equal(raw_open(client, names[use % 3], PROTO_OPEN_READ | PROTO_OPEN_LAYOUT, &reply), 0);
		assert_int_equal(reply.open.attr.size, size);
		get.layout_get.open = reply.open.open;
		get.layout_get.length = 4096;
		assert_int_equal(raw_call(client, &get, &reply), 0);
		assert_int_equal(reply.layout.size, size);
		assert_true(reply.layout.granted);
	}
}

static void a_long_copy_into_a_file_whose_index_has_gone_is_made(void **state)
{
	(void)state;
	source = open_file("source", NULL);
	fill(source, 1 << 20);
	make_sparse("long0");
	target = open_file("long0", NULL);
	make_sparse("long1"); /* takes the cache */
	struct proto_request request = copy_request(source, target, 0, 1 << 20);
	assert_int_equal(raw_call(client, &request, &reply), 0);
	assert_int_equal(reply.copy.count, 1 << 20);
}

static struct proto_handle create(struct proto_handle dir, const char *name, uint32_t mode)
{
	struct proto_request request = {.op = PROTO_CREATE};

	request.create.dir = dir;
	request.create.mode = mode;
	request.create.umask = request.create.rdev = 0;
	request.create.path = (struct proto_string){.data = name, .length = (uint32_t)strlen(name)};
	assert_int_equal(raw_call(client, &request, &reply), 0);
	return reply.attr.attr.handle;
}

static void a_listing_tells_a_parent_whose_log_is_long(void **state)
{
	struct proto_handle big = create(client->hello.hello.root, "big", S_IFDIR | 0755);
	struct proto_handle sub = create(big, "sub", S_IFDIR | 0755);
	struct proto_request request = {.op = PROTO_READDIR};
	char name[16];

	(void)state;
	for (unsigned i = 0; i < 5000; i++) {
		snprintf(name, sizeof(name), "%u", i);
		create(big, name, S_IFREG | 0644);
	}
	request.readdir.handle = sub;
	request.readdir.size = 4096;
	assert_int_equal(raw_call(client, &request, &reply), 0); /* its access time changes here, not below */
	raw_close(client);
	server_restart(server, &port);
	begin();
	assert_int_equal(raw_call(client, &request, &reply), 0);
	assert_int_equal(reply.readdir.parent, big.ino);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(a_long_copy_is_overtaken, start, stop),
	    cmocka_unit_test_setup_teardown(clients_may_vanish_during_a_long_copy, start, stop),
	    cmocka_unit_test_setup_teardown(a_large_reservation_is_overtaken, start, stop),
	    cmocka_unit_test_setup_teardown(the_first_use_of_a_long_log_is_overtaken, start, stop),
	    cmocka_unit_test_setup_teardown(a_file_whose_index_has_gone_is_not_told_as_empty, start_with_small_cache,
	                                    stop),
	    cmocka_unit_test_setup_teardown(a_long_copy_into_a_file_whose_index_has_gone_is_made,
	                                    start_with_small_cache, stop),
	    cmocka_unit_test_setup_teardown(a_listing_tells_a_parent_whose_log_is_long, start, stop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
