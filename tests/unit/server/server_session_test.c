/*
 * server_session_test.c -- sessions, slots, layouts and their ends, against a whole server with two workers.
 */
#include "tests/support/raw_client.h"
#include "tests/support/server_fixture.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define READ_WRITE (PROTO_OPEN_READ | PROTO_OPEN_WRITE | PROTO_OPEN_CREATE)

#define RESUMERS 4

static struct running_server *server;
static uint16_t port;

static int start_with(const char *const *flags)
{
	server = server_run(&port, flags);
	return 0;
}

static int start(void **state)
{
	(void)state;
	return start_with((const char *const[]){"--workers", "2", "--lease-ms", "1500", "--share-ms", "20", NULL});
}

/* For what must come long before any lease ends. */
static int start_patient(void **state)
{
	(void)state;
	return start_with((const char *const[]){"--workers", "2", "--lease-ms", "60000", "--share-ms", "20", NULL});
}

static int start_many_workers(void **state)
{
	(void)state;
	return start_with((const char *const[]){"--workers", "4", "--lease-ms", "60000", NULL});
}

static int stop(void **state)
{
	(void)state;
	server_end(server);
	return 0;
}

static struct raw_client *client(void)
{
	struct raw_client *c = raw_connect(TRANSPORT_TCP, "127.0.0.1", port);

	raw_hello(c, NULL);
	return c;
}

static uint64_t open_file(struct raw_client *c, const char *path, uint32_t flags)
{
	struct proto_reply reply;

	assert_int_equal(raw_open(c, path, flags, &reply), 0);
	return reply.open.open;
}

static struct proto_request write_request(uint64_t open, uint64_t offset, const void *data, uint32_t length)
{
	struct proto_request request = {.op = PROTO_WRITE};

	request.write.open = open;
	request.write.offset = offset;
	request.write.data = data;
	request.write.length = length;
	return request;
}

static struct proto_request path_request(struct raw_client *c, uint16_t op, const char *path)
{
	struct proto_request request = {.op = op};

	request.unlink.dir = c->hello.hello.root;
	request.unlink.path = (struct proto_string){.data = path, .length = (uint32_t)strlen(path)};
	return request;
}

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* ---- slots ------------------------------------------------------------------------------------------------------ */

static void request_sent_again_gets_its_reply_again_and_is_not_run_twice(void **state)
{
	struct proto_reply reply;

	(void)state;
	struct raw_client *c = client();
	uint64_t open = open_file(c, "log", READ_WRITE | PROTO_OPEN_APPEND);
	struct proto_request request = write_request(open, 0, "one", 3);
	assert_int_equal(raw_call(c, &request, &reply), 0);
	assert_int_equal(reply.write.size, 3);
	for (int i = 0; i < 3; i++) {
		assert_true(raw_post(c, &request));
		assert_true(raw_reply(c, &reply, 5000));
		assert_int_equal(reply.status, 0);
		assert_int_equal(reply.write.size, 3);
	}
	request = write_request(open, 0, "two", 3);
	assert_int_equal(raw_call(c, &request, &reply), 0);
	assert_int_equal(reply.write.size, 6);
	raw_close(c);
}

static void request_out_of_sequence_ends_the_connection(void **state)
{
	(void)state;
	struct raw_client *c = client();
	struct proto_request request = {.op = PROTO_PING, .sequence = 7};
	assert_true(raw_post(c, &request));
	assert_true(raw_wait_closed(c, 5000));
	raw_close(c);
}

/* ---- resume ----------------------------------------------------------------------------------------------------- */

static void session_is_resumed_on_any_worker_with_opens_and_replies(void **state)
{
	struct proto_reply reply;

	(void)state;
	/* Connections go to the worker with the fewest: with an idle one beside, the next connection goes elsewhere. */
	for (int i = 0; i < 4; i++) {
		struct raw_client *c = client();
		uint64_t open = open_file(c, "resumed", READ_WRITE | PROTO_OPEN_APPEND | PROTO_OPEN_TRUNCATE);
		struct proto_request request = write_request(open, 0, "once", 4);
		assert_int_equal(raw_call(c, &request, &reply), 0);

		struct raw_client *again = raw_connect(TRANSPORT_TCP, "127.0.0.1", port);
		raw_hello(again, c);
		assert_true(again->hello.hello.resumed);
		assert_int_equal(again->hello.hello.session, c->hello.hello.session);
		assert_true(raw_wait_closed(c, 5000));
		raw_close(c);
		/* The reply was lost with the connection: the same request again. */
		assert_true(raw_post(again, &request));
		assert_true(raw_reply(again, &reply, 5000));
		assert_int_equal(reply.status, 0);
		assert_int_equal(reply.write.size, 4);
		request = write_request(open, 0, "more", 4);
		assert_int_equal(raw_call(again, &request, &reply), 0);
		assert_int_equal(reply.write.size, 8);
		raw_close(again);
	}
}

/* Several connections ask for one session at once, each at its own worker. Returns the one that has it in the end. */
static struct raw_client *resume_at_once(const struct raw_client *of, int count)
{
	struct raw_client *all[RESUMERS];
	bool asked[RESUMERS] = {false}, answered[RESUMERS] = {false};
	int left = count;

	for (int i = 0; i < count; i++)
		all[i] = raw_connect(TRANSPORT_TCP, "127.0.0.1", port);
	for (int i = 0; i < count; i++)
		asked[i] = raw_post_hello(all[i], 0, of);
	/* The later takes it from the earlier, whose connection is ended, before or after its answer. */
	for (int64_t begun = now_ms(); left > 1 || !answered[0];) {
		assert_true(now_ms() - begun < 30000);
		for (int i = 0; i < left; i++) {
			if (asked[i] && !answered[i] && raw_reply(all[i], &all[i]->hello, 10)) {
				answered[i] = true;
				assert_int_equal(all[i]->hello.status, 0);
				assert_true(all[i]->hello.hello.resumed);
				assert_int_equal(all[i]->hello.hello.session, of->hello.hello.session);
			}
			if (left > 1 && (all[i]->closed || (answered[i] && raw_wait_closed(all[i], 10)))) {
				raw_close(all[i]);
				left--;
				all[i] = all[left];
				asked[i] = asked[left];
				answered[i] = answered[left];
				break;
			}
		}
	}
	return all[0];
}

static void session_that_several_resume_at_once_is_not_lost(void **state)
{
	struct proto_reply reply;

	(void)state;
	for (int i = 0; i < 150; i++) {
		struct raw_client *c = client();
		uint64_t open = open_file(c, "resumed", READ_WRITE | PROTO_OPEN_APPEND | PROTO_OPEN_TRUNCATE);
		struct proto_request request = write_request(open, 0, "once", 4);
		assert_int_equal(raw_call(c, &request, &reply), 0);

		struct raw_client *again = resume_at_once(c, i % 3 ? 2 : RESUMERS);
		assert_true(raw_post(again, &request));
		assert_true(raw_reply(again, &reply, 5000));
		assert_int_equal(reply.status, 0);
		assert_int_equal(reply.write.size, 4);
		request = write_request(open, 0, "more", 4);
		assert_int_equal(raw_call(again, &request, &reply), 0);
		assert_int_equal(reply.write.size, 8);
		raw_close(again);
		raw_close(c);
	}
}

static void session_is_not_given_to_a_wrong_key_nor_after_its_lease(void **state)
{
	(void)state;
	struct raw_client *c = client();
	c->hello.hello.session_key ^= 1;
	struct raw_client *thief = raw_connect(TRANSPORT_TCP, "127.0.0.1", port);
	raw_hello(thief, c);
	assert_false(thief->hello.hello.resumed);
	assert_int_not_equal(thief->hello.hello.session, c->hello.hello.session);
	c->hello.hello.session_key ^= 1;

	/* A lease grows where the host stood still meanwhile; then it ends when it is next waited for. */
	struct raw_client copy = {.hello = c->hello};
	bool resumed = true;
	raw_close(c);
	for (int i = 0; i < 5 && resumed; i++) {
		usleep(2500000);
		struct raw_client *late = raw_connect(TRANSPORT_TCP, "127.0.0.1", port);
		raw_hello(late, &copy);
		resumed = late->hello.hello.resumed;
		raw_close(late);
	}
	assert_false(resumed);
	raw_close(thief);
}

static void open_of_another_session_is_refused(void **state)
{
	struct proto_reply reply;

	(void)state;
	struct raw_client *a = client();
	struct raw_client *b = client();
	uint64_t open = open_file(a, "private", READ_WRITE);
	struct proto_request request = write_request(open, 0, "x", 1);
	assert_int_equal(raw_call(b, &request, &reply), -EBADF);
	request = (struct proto_request){.op = PROTO_CLOSE};
	request.close.open = open;
	assert_int_equal(raw_call(b, &request, &reply), -EBADF);
	assert_int_equal(raw_call(a, &request, &reply), 0);
	raw_close(a);
	raw_close(b);
}

static void request_closes_an_open_before_it_runs(void **state)
{
	struct proto_reply reply;

	(void)state;
	struct raw_client *a = client();
	struct raw_client *b = client();
	uint64_t first = open_file(a, "closed-along", READ_WRITE);
	uint64_t second = open_file(a, "closed-along", READ_WRITE);
	struct proto_request request = write_request(first, 0, "x", 1);
	request.close_first = first;
	assert_int_equal(raw_call(a, &request, &reply), -EBADF);
	/* Of what is not there, or another session's, nothing is said. */
	request = write_request(second, 0, "y", 1);
	request.close_first = first;
	assert_int_equal(raw_call(a, &request, &reply), 0);
	request = (struct proto_request){.op = PROTO_PING, .close_first = second};
	assert_int_equal(raw_call(b, &request, &reply), 0);
	request = write_request(second, 0, "z", 1);
	assert_int_equal(raw_call(a, &request, &reply), 0);
	/* Also when the request itself is refused. */
	request = (struct proto_request){.op = PROTO_READ, .close_first = second};
	assert_int_equal(raw_call(a, &request, &reply), -EINVAL);
	request = write_request(second, 0, "z", 1);
	assert_int_equal(raw_call(a, &request, &reply), -EBADF);
	raw_close(a);
	raw_close(b);
}

static void rights_of_an_open_are_checked_at_every_read_and_write(void **state)
{
	struct proto_reply reply;

	(void)state;
	struct raw_client *c = client();
	open_file(c, "rights", READ_WRITE);
	uint64_t reader = open_file(c, "rights", PROTO_OPEN_READ);
	uint64_t writer = open_file(c, "rights", PROTO_OPEN_WRITE);
	struct proto_request request = write_request(reader, 0, "x", 1);
	assert_int_equal(raw_call(c, &request, &reply), -EBADF);
	request = (struct proto_request){.op = PROTO_READ};
	request.read.open = writer;
	request.read.length = 1;
	assert_int_equal(raw_call(c, &request, &reply), -EBADF);
	request.read.open = open_file(c, ".", PROTO_OPEN_READ | PROTO_OPEN_DIRECTORY);
	assert_int_equal(raw_call(c, &request, &reply), -EISDIR);
	assert_int_equal(raw_open(c, ".", PROTO_OPEN_WRITE, &reply), -EISDIR);
	assert_int_equal(raw_open(c, "rights", PROTO_OPEN_READ | PROTO_OPEN_DIRECTORY, &reply), -ENOTDIR);
	raw_close(c);
}

static void staging_range_outside_the_ring_is_refused(void **state)
{
	struct proto_reply reply;

	(void)state;
	struct raw_client *c = client();
	struct proto_request request = {.op = PROTO_WRITE_COMMIT};
	request.write_commit.open = open_file(c, "staged", READ_WRITE);
	request.write_commit.length = 4096;
	request.write_commit.staging = c->hello.hello.staging_size - 4095;
	assert_int_equal(raw_call(c, &request, &reply), -EINVAL);
	request.write_commit.staging = UINT64_MAX - 4096;
	assert_int_equal(raw_call(c, &request, &reply), -EINVAL);
	request.write_commit.staging = c->hello.hello.staging_size - 4096;
	assert_int_equal(raw_call(c, &request, &reply), 0);
	raw_close(c);
}

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

/* ---- limits and credentials ------------------------------------------------------------------------------------- */

static void limits_are_kept_and_root_is_squashed(void **state)
{
	struct proto_reply reply;

	stop(state);
	start_with((const char *const[]){"--max-clients", "2", "--max-opens", "16", "--squash-root", NULL});
	struct raw_client *a = client();
	for (int i = 0; i < 16; i++)
		open_file(a, "many", READ_WRITE);
	assert_int_equal(raw_open(a, "many", READ_WRITE, &reply), -EMFILE);
	struct proto_request request = {.op = PROTO_LOOKUP};
	request.lookup.dir = a->hello.hello.root;
	request.lookup.path = (struct proto_string){.data = "many", .length = 4};
	assert_int_equal(raw_call(a, &request, &reply), 0);
	assert_int_equal(reply.lookup.attr.uid, 65534);
	assert_int_equal(reply.lookup.attr.gid, 65534);

	struct raw_client *b = client();
	struct raw_client *c = raw_connect(TRANSPORT_TCP, "127.0.0.1", port);
	request = (struct proto_request){.op = PROTO_HELLO, .slot = PROTO_SLOT_NONE};
	request.hello.min_version = request.hello.max_version = PROTO_VERSION;
	assert_true(raw_post(c, &request));
	assert_true(raw_reply(c, &reply, 5000));
	assert_int_equal(reply.status, EUSERS);
	assert_non_null(memmem(reply.reason.data, reply.reason.length, "max_", 4));
	raw_close(a);
	raw_close(b);
	raw_close(c);
}

/* Clients that vanish without BYE keep nobody out for a lease; one that has a file open is waited for. */
static void idle_sessions_make_room_and_those_with_opens_do_not(void **state)
{
	struct proto_reply reply;

	stop(state);
	start_with((const char *const[]){"--max-clients", "4", "--max-per-host", "4", "--workers", "2", "--lease-ms",
	                                 "60000", NULL});
	struct raw_client *owner = client();
	open_file(owner, "kept", READ_WRITE);
	raw_close(raw_connect(TRANSPORT_TCP, "127.0.0.1", port));
	struct raw_client left = *owner;
	raw_close(owner);
	for (int i = 0; i < 40; i++)
		raw_close(client());
	/* Its session is still there, with the open. */
	owner = raw_connect(TRANSPORT_TCP, "127.0.0.1", port);
	raw_hello(owner, &left);
	assert_true(owner->hello.hello.resumed);
	struct proto_request request = {.op = PROTO_PING};
	assert_int_equal(raw_call(owner, &request, &reply), 0);
	raw_close(owner);
}

/* Ends the connection that is made next once it has said nothing for `hello_ms`, or a tenth of that where it is crowded. */
static void connections_without_hello_end_sooner_where_there_are_many(void **state)
{
	struct raw_client *crowd[60];

	stop(state);
	start_with((const char *const[]){"--max-clients", "1", "--max-per-host", "100", "--hello-ms", "5000",
	                                 "--workers", "1", NULL});
	struct raw_client *silent = raw_connect(TRANSPORT_TCP, "127.0.0.1", port);
	assert_false(raw_wait_closed(silent, 1500));
	/* More than three quarters of 1 and the 64 that are let in beside sessions. */
	int64_t from = now_ms();
	for (int i = 0; i < 60; i++)
		crowd[i] = raw_connect(TRANSPORT_TCP, "127.0.0.1", port);
	for (int i = 0; i < 30; i++)
		assert_true(raw_wait_closed(crowd[i], 4000));
	if (now_ms() - from > 4500)
		print_message("this host is too slow to tell a tenth of 5 s from all of it\n");
	raw_close(silent);
	for (int i = 0; i < 60; i++)
		raw_close(crowd[i]);
}

static void credentials_by_number_decide_what_is_allowed(void **state)
{
	struct proto_reply reply;

	(void)state;
	struct raw_client *c = client();
	struct proto_request request = path_request(c, PROTO_CREATE, "secret");
	request.create.mode = S_IFREG | 0600;
	request.create.umask = 0;
	request.create.path = (struct proto_string){.data = "secret", .length = 6};
	assert_int_equal(raw_call(c, &request, &reply), 0);
	request = (struct proto_request){.op = PROTO_OPEN, .cred = 9};
	request.open.dir = c->hello.hello.root;
	request.open.flags = PROTO_OPEN_READ;
	request.open.path = (struct proto_string){.data = "secret", .length = 6};
	assert_int_equal(raw_call(c, &request, &reply), -EINVAL);
	struct proto_request cred = {.op = PROTO_CRED};
	cred.cred_set.number = 9;
	cred.cred_set.uid = cred.cred_set.gid = 1000;
	assert_int_equal(raw_call(c, &cred, &reply), 0);
	assert_int_equal(raw_call(c, &request, &reply), -EACCES);
	request.cred = 0;
	assert_int_equal(raw_call(c, &request, &reply), 0);
	raw_close(c);
}

/* ---- many at once ----------------------------------------------------------------------------------------------- */

#define THREADS      4
#define FILES        3
#define BLOCKS       8
#define STRESS_MS    2000
#define STRESS_CHUNK 4096

/*
 * Each file holds only its own letter. Threads read under layouts as the library does and write in between; whatever
 * lands in a buffer must be the file's own, though its blocks move at every write.
 */
struct stress {
	struct raw_client *client;
	unsigned seed;
	uint64_t reads, bad;
	atomic_uint *running; /* threads that may still make others return their layouts */
};

static void obey(struct raw_client *c, bool *known, uint64_t invalidation)
{
	if (c->recall_count > 0) {
		memset(known, 0, FILES * sizeof(*known));
		c->quiesced = c->recalls[(c->recall_count - 1) % RAW_RECALLS].invalidation;
		c->recall_count = 0;
	}
	if (invalidation > c->quiesced)
		c->quiesced = invalidation;
}

static void answer_recalls(struct raw_client *c, bool *known)
{
	struct proto_request back = {.op = PROTO_LAYOUT_RETURN, .slot = PROTO_SLOT_NONE};

	if (c->recall_count == 0)
		return;
	obey(c, known, 0);
	back.quiesced = c->quiesced;
	raw_post(c, &back);
}

/* Between calls, when no reply is due that this could take. */
static void give_back(struct raw_client *c, bool *known)
{
	struct proto_reply none;

	raw_reply(c, &none, 0);
	answer_recalls(c, known);
}

/* As raw_call, but recalls that come while it waits are answered. */
static int call_and_obey(struct raw_client *c, bool *known, struct proto_request *request, struct proto_reply *reply)
{
	request->slot = 0;
	request->sequence = ++c->sequence;
	request->quiesced = c->quiesced;
	if (!raw_post(c, request))
		return -ECONNRESET;
	for (int i = 0; i < 20000; i++) {
		if (raw_reply(c, reply, 1)) {
			obey(c, known, reply->invalidation);
			return -(int)reply->status;
		}
		answer_recalls(c, known);
	}
	return -ETIMEDOUT;
}

static void *stress_main(void *argument)
{
	struct stress *s = argument;
	struct raw_client *c = s->client;
	struct proto_extent extents[FILES];
	bool known[FILES] = {false};
	uint64_t opens[FILES];
	struct proto_reply reply;
	struct proto_request request;
	static _Thread_local char block[STRESS_CHUNK];
	int64_t end = now_ms() + STRESS_MS;

	for (int f = 0; f < FILES; f++) {
		char path[] = {(char)('a' + f), 0};
		if (raw_open(c, path, READ_WRITE, &reply) < 0)
			s->bad++;
		opens[f] = reply.open.open;
	}
	/* On a crowded host longer, until it has read at all. */
	while ((now_ms() < end || (s->reads == 0 && now_ms() < end + 20000)) && s->bad == 0) {
		int f = rand_r(&s->seed) % FILES;
		unsigned what = rand_r(&s->seed) % 8;
		give_back(c, known);
		if (what == 0) {
			memset(block, 'a' + f, sizeof(block));
			request = write_request(opens[f], (uint64_t)(rand_r(&s->seed) % BLOCKS) * STRESS_CHUNK, block,
			                        sizeof(block));
			s->bad += call_and_obey(c, known, &request, &reply) < 0;
			known[f] = false;
		} else if (!known[f]) {
			request = (struct proto_request){.op = PROTO_LAYOUT_GET};
			request.layout_get.open = opens[f];
			request.layout_get.length = BLOCKS * STRESS_CHUNK;
			s->bad += call_and_obey(c, known, &request, &reply) < 0;
			known[f] = reply.layout.granted && reply.layout.extent_count > 0 && reply.layout.extents[0].key;
			extents[f] = reply.layout.extents[0];
		} else {
			struct transport_event event = {.type = TRANSPORT_MESSAGE};
			if (transport_read(c->conn, block, NULL, extents[f].address, extents[f].key, STRESS_CHUNK,
			                   block, 0))
				s->bad++;
			while (event.type == TRANSPORT_MESSAGE && now_ms() < end + 20000) {
				const char *why;
				if (transport_poll(c->queue, &event, 1) <= 0 || event.type != TRANSPORT_MESSAGE)
					continue;
				/* Only recalls come here: acted on once this READ is done. */
				proto_decode_recall(event.data, event.length,
				                    &c->recalls[c->recall_count++ % RAW_RECALLS], &why);
				transport_release(event.conn, event.data);
			}
			s->bad += event.type != TRANSPORT_DONE;
			for (size_t i = 0; i < sizeof(block); i++)
				s->bad += block[i] != 'a' + f;
			s->reads++;
		}
	}
	/*
	 * A holder that no longer answered would hold up the others' writes for a lease. The recall that came with the
	 * last reply is not answered yet: no request that would carry it follows.
	 */
	request = (struct proto_request){.op = PROTO_LAYOUT_RETURN, .slot = PROTO_SLOT_NONE, .quiesced = c->quiesced};
	raw_post(c, &request);
	atomic_fetch_sub(s->running, 1);
	while (atomic_load(s->running) > 0 && !c->closed)
		give_back(c, known);
	return NULL;
}

static void readers_never_see_another_files_bytes_while_others_write(void **state)
{
	pthread_t threads[THREADS];
	struct stress stress[THREADS];
	atomic_uint running = THREADS;
	uint64_t reads = 0;

	(void)state;
	for (int i = 0; i < THREADS; i++) {
		stress[i] = (struct stress){.client = client(), .seed = (unsigned)i + 1, .running = &running};
		pthread_create(&threads[i], NULL, stress_main, &stress[i]);
	}
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	for (int i = 0; i < THREADS; i++) {
		assert_int_equal(stress[i].bad, 0);
		reads += stress[i].reads;
		raw_close(stress[i].client);
	}
	assert_true(reads > 0);
}

int main(void)
{
#define CASE(name)    cmocka_unit_test_setup_teardown(name, start, stop)
#define PATIENT(name) cmocka_unit_test_setup_teardown(name, start_patient, stop)
	const struct CMUnitTest tests[] = {
	    CASE(request_sent_again_gets_its_reply_again_and_is_not_run_twice),
	    CASE(request_out_of_sequence_ends_the_connection),
	    CASE(session_is_resumed_on_any_worker_with_opens_and_replies),
	    cmocka_unit_test_setup_teardown(session_that_several_resume_at_once_is_not_lost, start_many_workers, stop),
	    CASE(session_is_not_given_to_a_wrong_key_nor_after_its_lease),
	    CASE(open_of_another_session_is_refused),
	    CASE(request_closes_an_open_before_it_runs),
	    CASE(rights_of_an_open_are_checked_at_every_read_and_write),
	    CASE(staging_range_outside_the_ring_is_refused),
	    PATIENT(write_waits_for_a_layout_to_return_and_no_longer),
	    PATIENT(dead_holder_delays_a_write_no_longer_than_its_connection_lives),
	    CASE(silent_holder_is_let_go_after_its_lease),
	    CASE(lease_does_not_end_while_the_server_itself_stands_still),
	    PATIENT(waiting_write_is_run_once_when_its_client_comes_back),
	    CASE(own_write_replaces_extents_and_the_old_block_stays_until_quiesced),
	    CASE(own_punch_and_copy_leave_the_rest_of_the_layout),
	    CASE(layouts_end_with_the_connection_and_opens_do_not),
	    CASE(file_that_is_unlinked_while_open_lives_until_its_close),
	    CASE(limits_are_kept_and_root_is_squashed),
	    CASE(idle_sessions_make_room_and_those_with_opens_do_not),
	    CASE(connections_without_hello_end_sooner_where_there_are_many),
	    CASE(credentials_by_number_decide_what_is_allowed),
	    PATIENT(readers_never_see_another_files_bytes_while_others_write),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
