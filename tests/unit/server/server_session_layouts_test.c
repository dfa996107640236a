/*
 * server_session_layouts_test.c -- layouts and opens of several sessions and their ends, against a whole server.
 */
#include "tests/support/session_fixture.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

/* ---- layouts ---------------------------------------------------------------------------------------------------- */

static uint64_t hold_layout(struct raw_client *c, const char *path, struct proto_extent *extent)
{
	static char block[4096];
	struct proto_reply reply;

	memset(block, 'a', sizeof(block));
	uint64_t open = open_file(c, path, READ_WRITE);
	struct proto_request request = write_request(open, 0, block, sizeof(block));
	assert_int_equal(raw_call(c, &request, &reply), 0);
	request = (struct proto_request){.op = PROTO_LAYOUT_GET};
	request.layout_get.open = open;
	request.layout_get.length = 4096;
	assert_int_equal(raw_call(c, &request, &reply), 0);
	assert_true(reply.layout.granted);
	assert_int_equal(reply.layout.extent_count, 1);
	*extent = reply.layout.extents[0];
	return open;
}

static void write_waits_for_a_layout_to_return_and_no_longer(void **state)
{
	struct proto_extent extent;
	struct proto_reply reply;

	(void)state;
	struct raw_client *holder = client();
	struct raw_client *writer = client();
	hold_layout(holder, "shared", &extent);
	struct proto_request request = write_request(open_file(writer, "shared", PROTO_OPEN_WRITE), 0, "b", 1);
	request.sequence = ++writer->sequence;
	assert_true(raw_post(writer, &request));
	for (int64_t begun = now_ms(); holder->recall_count == 0 && now_ms() - begun < 5000;)
		assert_false(raw_reply(holder, &reply, 10));
	assert_int_equal(holder->recall_count, 1);
	assert_false(raw_reply(writer, &reply, 100));

	struct proto_request back = {.op = PROTO_LAYOUT_RETURN, .slot = PROTO_SLOT_NONE};
	back.quiesced = holder->recalls[0].invalidation;
	assert_true(raw_post(holder, &back));
	assert_true(raw_reply(writer, &reply, 5000));
	assert_int_equal(reply.status, 0);
	raw_close(holder);
	raw_close(writer);
}

static void dead_holder_delays_a_write_no_longer_than_its_connection_lives(void **state)
{
	struct proto_extent extent;
	struct proto_reply reply;

	(void)state;
	struct raw_client *holder = client();
	struct raw_client *writer = client();
	hold_layout(holder, "dead", &extent);
	struct proto_request request = write_request(open_file(writer, "dead", PROTO_OPEN_WRITE), 0, "b", 1);
	request.sequence = ++writer->sequence;
	assert_true(raw_post(writer, &request));
	assert_false(raw_reply(writer, &reply, 100));
	raw_close(holder);
	assert_true(raw_reply(writer, &reply, 20000));
	assert_int_equal(reply.status, 0);
	raw_close(writer);
}

static void silent_holder_is_let_go_after_its_lease(void **state)
{
	struct proto_extent extent;
	struct proto_reply reply;

	(void)state;
	struct raw_client *holder = client();
	struct raw_client *writer = client();
	/* The holder is last heard after this, so its lease may not end before 1500 ms from here. */
	int64_t begun = now_ms();
	hold_layout(holder, "silent", &extent);
	struct proto_request request = write_request(open_file(writer, "silent", PROTO_OPEN_WRITE), 0, "b", 1);
	request.sequence = ++writer->sequence;
	assert_true(raw_post(writer, &request));
	/* The writer stays alive meanwhile. */
	struct proto_request ping = {.op = PROTO_PING, .slot = 1};
	while (!raw_reply(writer, &reply, 300) || reply.slot != 0) {
		assert_true(now_ms() - begun < 10000);
		ping.sequence++;
		assert_true(raw_post(writer, &ping));
	}
	assert_int_equal(reply.status, 0);
	assert_true(now_ms() - begun >= 1400); /* a worker reads its clock once a round */
	assert_true(raw_wait_closed(holder, 5000));
	raw_close(holder);
	raw_close(writer);
}

/* As a virtual machine that is paused, or a host that swaps: neither side runs for longer than a lease. */
static void lease_does_not_end_while_the_server_itself_stands_still(void **state)
{
	struct proto_extent extent;
	struct proto_reply reply;
	struct proto_request ping = {.op = PROTO_PING};
	const struct timespec longer = {.tv_sec = 2};

	(void)state;
	struct raw_client *c = client();
	hold_layout(c, "paused", &extent);
	pid_t parent = getpid();
	int64_t begun = now_ms();
	pid_t child = fork();
	if (child == 0) {
		kill(parent, SIGSTOP);
		nanosleep(&longer, NULL);
		kill(parent, SIGCONT);
		_exit(0);
	}
	while (waitpid(child, NULL, WNOHANG) == 0)
		usleep(1000);
	assert_true(now_ms() - begun >= 2000);
	/* The server has run again for some ticks before it hears the client. */
	assert_false(raw_reply(c, &reply, 300));
	assert_false(c->closed);
	assert_int_equal(raw_call(c, &ping, &reply), 0);
	raw_close(c);
}

static void waiting_write_is_run_once_when_its_client_comes_back(void **state)
{
	struct proto_extent extent;
	struct proto_reply reply;

	(void)state;
	struct raw_client *holder = client();
	struct raw_client *writer = client();
	hold_layout(holder, "again", &extent);
	uint64_t open = open_file(writer, "again", PROTO_OPEN_WRITE | PROTO_OPEN_APPEND);
	struct proto_request request = write_request(open, 0, "b", 1);
	request.sequence = ++writer->sequence;
	assert_true(raw_post(writer, &request));
	assert_false(raw_reply(writer, &reply, 100));

	struct raw_client *again = raw_connect(TRANSPORT_TCP, "127.0.0.1", port);
	raw_hello(again, writer);
	assert_true(again->hello.hello.resumed);
	assert_true(raw_post(again, &request));
	assert_false(raw_reply(again, &reply, 100));
	raw_close(holder);
	assert_true(raw_reply(again, &reply, 20000));
	assert_int_equal(reply.status, 0);
	assert_int_equal(reply.write.size, 4097);
	raw_close(writer);
	raw_close(again);
}

static void own_write_replaces_extents_and_the_old_block_stays_until_quiesced(void **state)
{
	struct proto_extent old;
	struct proto_reply reply;
	struct transport_event event;
	static char block[4096], back[4096];

	(void)state;
	struct raw_client *c = client();
	uint64_t open = hold_layout(c, "own", &old);
	memset(block, 'b', sizeof(block));
	struct proto_request request = write_request(open, 0, block, sizeof(block));
	assert_int_equal(raw_call(c, &request, &reply), 0);
	assert_int_equal(reply.write.replaced_offset, 0);
	assert_int_equal(reply.write.replaced_length, 4096);
	assert_int_equal(reply.write.extent_count, 1);
	assert_true(reply.invalidation > 0);

	const struct proto_extent extents[2] = {old, reply.write.extents[0]};
	for (int i = 0; i < 2; i++) {
		assert_int_equal(transport_read(c->conn, back, NULL, extents[i].address, extents[i].key, 4096, back, 0),
		                 0);
		do
			event.type = TRANSPORT_MESSAGE;
		while (transport_poll(c->queue, &event, 1) == 0);
		assert_int_equal(event.type, TRANSPORT_DONE);
		assert_int_equal(back[4095], 'a' + i);
	}
	/* Once it has quiesced, the old key is no good any more: using it ends the connection. */
	c->quiesced = reply.invalidation;
	request = (struct proto_request){.op = PROTO_PING};
	assert_int_equal(raw_call(c, &request, &reply), 0);
	assert_int_equal(transport_read(c->conn, back, NULL, old.address, old.key, 4096, back, 0), 0);
	assert_true(raw_wait_closed(c, 5000));
	raw_close(c);
}

static bool reads_from(struct raw_client *c, const struct proto_extent *extent, char first)
{
	static char back[4096];
	struct transport_event event;

	if (transport_read(c->conn, back, NULL, extent->address, extent->key, sizeof(back), back, 0) != 0)
		return false;
	do
		event.type = TRANSPORT_MESSAGE;
	while (transport_poll(c->queue, &event, 1) == 0);
	return event.type == TRANSPORT_DONE && back[0] == first;
}

static void own_punch_and_copy_leave_the_rest_of_the_layout(void **state)
{
	const uint64_t far = 1u << 20;
	struct proto_extent near, rest;
	struct proto_reply reply;
	static char block[4096];

	(void)state;
	struct raw_client *c = client();
	uint64_t open = hold_layout(c, "punched", &near);
	memset(block, 'z', sizeof(block));
	struct proto_request request = write_request(open, far, block, sizeof(block));
	assert_int_equal(raw_call(c, &request, &reply), 0);
	assert_int_equal(reply.write.extent_count, 3); /* with the block before, and the hole between them */
	rest = reply.write.extents[2];
	assert_int_equal(rest.offset, far);

	request = (struct proto_request){.op = PROTO_FALLOCATE};
	request.fallocate.open = open;
	request.fallocate.length = 100; /* of a block, which is written anew */
	request.fallocate.mode = PROTO_FALLOCATE_PUNCH_HOLE | PROTO_FALLOCATE_KEEP_SIZE;
	assert_int_equal(raw_call(c, &request, &reply), 0);
	assert_int_equal(reply.fallocate.attr.size, far + 4096);
	assert_int_equal(reply.fallocate.replaced_offset, 0);
	assert_int_equal(reply.fallocate.replaced_length, 4096);
	c->quiesced = reply.invalidation;

	request = (struct proto_request){.op = PROTO_COPY};
	request.copy.from_open = request.copy.to_open = open;
	request.copy.from_offset = far;
	request.copy.to_offset = 8192;
	request.copy.length = 4096;
	assert_int_equal(raw_call(c, &request, &reply), 0);
	assert_int_equal(reply.copy.count, 4096);
	assert_int_equal(reply.copy.replaced_offset, 8192);
	assert_int_equal(reply.copy.replaced_length, 4096);
	c->quiesced = reply.invalidation;
	request = (struct proto_request){.op = PROTO_PING};
	assert_int_equal(raw_call(c, &request, &reply), 0);
	assert_int_equal(c->recall_count, 0);
	assert_true(reads_from(c, &rest, 'z'));

	/* What moves blocks ends it. */
	request = (struct proto_request){.op = PROTO_FALLOCATE};
	request.fallocate.open = open;
	request.fallocate.length = 4096;
	request.fallocate.mode = PROTO_FALLOCATE_COLLAPSE_RANGE;
	assert_int_equal(raw_call(c, &request, &reply), 0);
	assert_int_equal(reply.fallocate.replaced_length, 0);
	assert_int_equal(c->recall_count, 1);
	c->quiesced = c->recalls[0].invalidation;
	request = (struct proto_request){.op = PROTO_PING};
	assert_int_equal(raw_call(c, &request, &reply), 0);
	assert_int_equal(transport_read(c->conn, block, NULL, rest.address, rest.key, 4096, block, 0), 0);
	assert_true(raw_wait_closed(c, 5000));
	raw_close(c);
}

static void layouts_end_with_the_connection_and_opens_do_not(void **state)
{
	struct proto_extent extent;
	struct proto_reply reply;

	(void)state;
	struct raw_client *c = client();
	uint64_t open = hold_layout(c, "lost", &extent);
	struct raw_client *again = raw_connect(TRANSPORT_TCP, "127.0.0.1", port);
	raw_hello(again, c);
	struct raw_client *writer = client();
	struct proto_request request = write_request(open_file(writer, "lost", PROTO_OPEN_WRITE), 0, "b", 1);
	assert_int_equal(raw_call(writer, &request, &reply), 0);
	request = (struct proto_request){.op = PROTO_READ};
	request.read.open = open;
	request.read.length = 1;
	assert_int_equal(raw_call(again, &request, &reply), 0);
	assert_memory_equal(reply.read.data, "b", 1);
	raw_close(c);
	raw_close(again);
	raw_close(writer);
}

static void file_that_is_unlinked_while_open_lives_until_its_close(void **state)
{
	struct proto_extent extent;
	struct proto_reply reply;

	(void)state;
	struct raw_client *a = client();
	struct raw_client *b = client();
	uint64_t open = hold_layout(a, "doomed", &extent);
	struct proto_request request = path_request(b, PROTO_UNLINK, "doomed");
	assert_int_equal(raw_call(b, &request, &reply), 0);
	request = (struct proto_request){.op = PROTO_READ};
	request.read.open = open;
	request.read.length = 1;
	assert_int_equal(raw_call(a, &request, &reply), 0);
	assert_memory_equal(reply.read.data, "a", 1);
	request = (struct proto_request){.op = PROTO_CLOSE};
	request.close.open = open;
	assert_int_equal(raw_call(a, &request, &reply), 0);
	raw_close(a);
	raw_close(b);
}

int main(void)
{
#define CASE(name)    cmocka_unit_test_setup_teardown(name, start, stop)
#define PATIENT(name) cmocka_unit_test_setup_teardown(name, start_patient, stop)
	const struct CMUnitTest tests[] = {
	    PATIENT(write_waits_for_a_layout_to_return_and_no_longer),
	    PATIENT(dead_holder_delays_a_write_no_longer_than_its_connection_lives),
	    CASE(silent_holder_is_let_go_after_its_lease),
	    CASE(lease_does_not_end_while_the_server_itself_stands_still),
	    PATIENT(waiting_write_is_run_once_when_its_client_comes_back),
	    CASE(own_write_replaces_extents_and_the_old_block_stays_until_quiesced),
	    CASE(own_punch_and_copy_leave_the_rest_of_the_layout),
	    CASE(layouts_end_with_the_connection_and_opens_do_not),
	    CASE(file_that_is_unlinked_while_open_lives_until_its_close),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
