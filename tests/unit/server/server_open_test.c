/*
 * server_open_test.c -- what an open asks for, and that one which fails has changed nothing, against a whole server.
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

#define OWNER      1000
#define OTHER      1001
#define MOST_OPENS 16

static struct running_server *server;
static uint16_t port;
static struct raw_client *client;

static void introduce(uint16_t number)
{
	struct proto_request request = {.op = PROTO_CRED};
	struct proto_reply reply;

	request.cred_set.number = number;
	request.cred_set.uid = request.cred_set.gid = number;
	request.cred_set.group_count = 0;
	assert_int_equal(raw_call(client, &request, &reply), 0);
}

static int start(void **state)
{
	char most[16];

	(void)state;
	snprintf(most, sizeof(most), "%d", MOST_OPENS);
	server = server_run(&port, (const char *const[]){"--workers", "1", "--max-opens", most, NULL});
	client = raw_connect(TRANSPORT_TCP, "127.0.0.1", port);
	raw_hello(client, NULL);
	introduce(OWNER);
	introduce(OTHER);
	return 0;
}

static int stop(void **state)
{
	(void)state;
	raw_close(client);
	server_end(server);
	return 0;
}

static int setattr(struct proto_handle file, uint32_t mask, uint32_t mode, uint32_t owner)
{
	struct proto_request request = {.op = PROTO_SETATTR};
	struct proto_reply reply;

	request.setattr.handle = file;
	request.setattr.mask = mask;
	request.setattr.mode = mode;
	request.setattr.uid = request.setattr.gid = owner;
	return raw_call(client, &request, &reply);
}

static int close_open(uint64_t open)
{
	struct proto_request request = {.op = PROTO_CLOSE};
	struct proto_reply reply;

	request.close.open = open;
	return raw_call(client, &request, &reply);
}

/* A file of `owner` with this mode, not open. */
static struct proto_handle make(const char *path, uint32_t mode, uint32_t owner)
{
	struct proto_reply reply;

	assert_int_equal(raw_open(client, path, PROTO_OPEN_READ | PROTO_OPEN_WRITE | PROTO_OPEN_CREATE, &reply), 0);
	struct proto_handle file = reply.open.attr.handle;
	assert_int_equal(close_open(reply.open.open), 0);
	assert_int_equal(setattr(file, PROTO_SET_UID | PROTO_SET_GID, 0, owner), 0);
	assert_int_equal(setattr(file, PROTO_SET_MODE, mode, 0), 0);
	return file;
}

/* Opened by handle for `who`, and closed again. */
static int reopen(struct proto_handle file, uint32_t flags, uint16_t who)
{
	struct proto_request request = {.op = PROTO_REOPEN, .cred = who};
	struct proto_reply reply;

	request.reopen.handle = file;
	request.reopen.flags = flags;
	int rc = raw_call(client, &request, &reply);
	if (rc == 0)
		assert_int_equal(close_open(reply.open.open), 0);
	return rc;
}

static uint64_t size_of(struct proto_handle file)
{
	struct proto_request request = {.op = PROTO_GETATTR};
	struct proto_reply reply;

	request.getattr.handle = file;
	assert_int_equal(raw_call(client, &request, &reply), 0);
	return reply.attr.attr.size;
}

static int look_up(const char *path)
{
	struct proto_request request = {.op = PROTO_LOOKUP};
	struct proto_reply reply;

	request.lookup.dir = client->hello.hello.root;
	request.lookup.flags = 0;
	request.lookup.path = (struct proto_string){.data = path, .length = (uint32_t)strlen(path)};
	return raw_call(client, &request, &reply);
}

static void executing_asks_for_x_alone(void **state)
{
	const uint32_t execute = PROTO_OPEN_READ | PROTO_OPEN_EXECUTE;
	struct proto_handle readable = make("readable", 0744, 0);
	struct proto_handle secret = make("secret", 0711, 0);
	struct proto_handle nobodys = make("nobodys", 0644, 0);

	(void)state;
	assert_int_equal(reopen(readable, execute, OTHER), -EACCES);
	assert_int_equal(reopen(readable, PROTO_OPEN_READ, OTHER), 0);
	assert_int_equal(reopen(secret, execute, OTHER), 0);
	assert_int_equal(reopen(secret, PROTO_OPEN_READ, OTHER), -EACCES);
	assert_int_equal(reopen(nobodys, execute, 0), -EACCES);
	assert_int_equal(reopen(client->hello.hello.root, execute, 0), -EACCES);
	assert_int_equal(reopen(secret, execute | PROTO_OPEN_WRITE, 0), -EINVAL);
}

static void owners_are_asked_for_the_mode_but_when_they_reclaim(void **state)
{
	struct proto_handle mine = make("mine", 0000, OWNER);
	struct proto_handle written = make("written", 0444, OWNER);

	(void)state;
	assert_int_equal(reopen(mine, PROTO_OPEN_READ, OWNER), -EACCES);
	assert_int_equal(reopen(written, PROTO_OPEN_READ | PROTO_OPEN_WRITE, OWNER), -EACCES);
	assert_int_equal(reopen(written, PROTO_OPEN_READ | PROTO_OPEN_WRITE | PROTO_OPEN_RECLAIM, OWNER), 0);
	assert_int_equal(reopen(written, PROTO_OPEN_READ | PROTO_OPEN_WRITE | PROTO_OPEN_RECLAIM, OTHER), -EACCES);
	assert_int_equal(reopen(written, PROTO_OPEN_WRITE | PROTO_OPEN_TRUNCATE | PROTO_OPEN_RECLAIM, OWNER), -EINVAL);
}

static void opens_beyond_the_limit_change_nothing(void **state)
{
	struct proto_handle file = make("kept", 0644, 0);
	struct proto_request request = {.op = PROTO_SETATTR};
	uint64_t opens[MOST_OPENS];
	struct proto_reply reply;

	(void)state;
	request.setattr.handle = file;
	request.setattr.mask = PROTO_SET_SIZE;
	request.setattr.size = 5;
	assert_int_equal(raw_call(client, &request, &reply), 0);
	for (int i = 0; i < MOST_OPENS; i++) {
		assert_int_equal(raw_open(client, "kept", PROTO_OPEN_READ, &reply), 0);
		opens[i] = reply.open.open;
	}
	assert_int_equal(raw_open(client, "kept", PROTO_OPEN_WRITE | PROTO_OPEN_TRUNCATE, &reply), -EMFILE);
	assert_int_equal(size_of(file), 5);
	assert_int_equal(reopen(file, PROTO_OPEN_WRITE | PROTO_OPEN_TRUNCATE, 0), -EMFILE);
	assert_int_equal(size_of(file), 5);
	assert_int_equal(raw_open(client, "new", PROTO_OPEN_WRITE | PROTO_OPEN_CREATE | PROTO_OPEN_EXCLUSIVE, &reply),
	                 -EMFILE);
	assert_int_equal(look_up("new"), -ENOENT);
	assert_int_equal(close_open(opens[0]), 0);
	assert_int_equal(raw_open(client, "new", PROTO_OPEN_WRITE | PROTO_OPEN_CREATE | PROTO_OPEN_EXCLUSIVE, &reply),
	                 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(executing_asks_for_x_alone, start, stop),
	    cmocka_unit_test_setup_teardown(owners_are_asked_for_the_mode_but_when_they_reclaim, start, stop),
	    cmocka_unit_test_setup_teardown(opens_beyond_the_limit_change_nothing, start, stop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
