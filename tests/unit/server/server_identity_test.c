/*
 * server_identity_test.c -- identities of clients against a whole server: who gets one, that it has one session, and
 * what becomes of requests that are repeated in a new session.
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

#define READ_WRITE (PROTO_OPEN_READ | PROTO_OPEN_WRITE | PROTO_OPEN_CREATE)

static struct running_server *server;
static uint16_t port;

static int start(void **state)
{
	static const char *const flags[] = {"--workers", "2", "--lease-ms", "800", "--recall-ms", "60000", NULL};

	server = server_run(&port, flags);
	return 0;
}

static int start_large(void **state)
{
	static const char *const flags[] = {"--workers", "2", "--lease-ms", "60000", NULL};

	server = server_run_sized(&port, flags, 3ull << 30);
	return 0;
}

static int stop(void **state)
{
	server_end(server);
	return 0;
}

static struct raw_client *connected(void)
{
	return raw_connect(TRANSPORT_TCP, "127.0.0.1", port);
}

static struct raw_client *client(void)
{
	struct raw_client *c = connected();

	raw_hello(c, NULL);
	return c;
}

/* hello -- by an identity and its key, and perhaps a session; the status. */
static int hello(struct raw_client *c, uint64_t identity, uint8_t key, const struct raw_client *session)
{
	struct proto_request request = {.op = PROTO_HELLO, .slot = PROTO_SLOT_NONE};

	request.hello.min_version = request.hello.max_version = PROTO_VERSION;
	request.hello.identity = identity;
	memset(request.hello.identity_key, key, sizeof(request.hello.identity_key));
	if (session) {
		request.hello.session = session->hello.hello.session;
		request.hello.session_key = session->hello.hello.session_key;
	}
	assert_true(raw_post(c, &request));
	assert_true(raw_reply(c, &c->hello, 10000));
	return -(int)c->hello.status;
}

static uint64_t identity_of(const struct raw_client *c)
{
	return c->hello.hello.identity;
}

/* A new session of the client's identity; the sequences go on. */
static struct raw_client *next_session(const struct raw_client *before)
{
	struct raw_client *c = connected();

	assert_int_equal(hello(c, identity_of(before), 0, NULL), 0);
	assert_true(c->hello.hello.known);
	assert_false(c->hello.hello.resumed);
	assert_int_equal(identity_of(c), identity_of(before));
	c->sequence = before->sequence;
	return c;
}

static struct raw_client *after_loss(struct raw_client *before)
{
	struct raw_client copy = *before;

	raw_close(before);
	return next_session(&copy);
}

/* The server is stopped and started; what it knows then is in the pool. */
static struct raw_client *after_restart(struct raw_client *before)
{
	struct raw_client copy = *before;

	raw_close(before);
	server_restart(server, &port);
	return next_session(&copy);
}

static struct proto_string string(const char *text)
{
	return (struct proto_string){.data = text, .length = (uint32_t)strlen(text)};
}

static struct proto_request create(const struct raw_client *c, const char *path, uint32_t mode)
{
	struct proto_request request = {.op = PROTO_CREATE};

	request.create.dir = c->hello.hello.root;
	request.create.mode = mode;
	request.create.path = string(path);
	return request;
}

static struct proto_request removal(const struct raw_client *c, uint16_t op, const char *path)
{
	struct proto_request request = {.op = op};

	request.unlink.dir = c->hello.hello.root;
	request.unlink.path = string(path);
	return request;
}

static struct proto_request append(uint64_t open, const char *text)
{
	struct proto_request request = {.op = PROTO_WRITE};

	request.write.open = open;
	request.write.flags = PROTO_WRITE_APPEND;
	request.write.data = text;
	request.write.length = (uint32_t)strlen(text);
	return request;
}

static uint64_t open_file(struct raw_client *c, const char *path, uint32_t flags)
{
	struct proto_reply reply;

	assert_int_equal(raw_open(c, path, flags, &reply), 0);
	return reply.open.open;
}

static int look_up(struct raw_client *c, const char *path, struct proto_attr *attr)
{
	struct proto_request request = {.op = PROTO_LOOKUP};
	struct proto_reply reply;

	request.lookup.dir = c->hello.hello.root;
	request.lookup.path = string(path);
	int rc = raw_call(c, &request, &reply);
	*attr = reply.lookup.attr;
	return rc;
}

static int again(struct raw_client *c, struct proto_request *request, struct proto_reply *reply)
{
	c->sequence--;
	return raw_call(c, request, reply);
}

/* ---- identities -------------------------------------------------------------------------------------------------- */

static void identity_goes_on_in_other_sessions_and_after_a_restart(void **state)
{
	struct proto_reply reply;

	struct raw_client *c = client();
	assert_int_not_equal(identity_of(c), 0);
	assert_false(c->hello.hello.known);
	struct proto_request request = create(c, "made", S_IFDIR | 0700);
	assert_int_equal(raw_call(c, &request, &reply), 0);
	c = after_loss(c);
	assert_int_equal(again(c, &request, &reply), 0);
	assert_true(S_ISDIR(reply.attr.attr.mode));
	c = after_restart(c);
	assert_int_equal(again(c, &request, &reply), 0);
	/* The next is a new request. */
	assert_int_equal(raw_call(c, &request, &reply), -EEXIST);
	raw_close(c);
}

static void identity_is_refused_to_who_has_not_its_key(void **state)
{
	struct proto_reply reply;
	struct raw_client *c = client(), *other = connected();

	assert_int_equal(hello(other, identity_of(c), 1, NULL), -EACCES);
	assert_true(other->hello.reason.length > 0);
	raw_close(other);
	/* Nor does the session's own key help, or disturb it. */
	other = connected();
	assert_int_equal(hello(other, identity_of(c), 1, c), -EACCES);
	raw_close(other);
	struct proto_request ping = {.op = PROTO_PING};
	assert_int_equal(raw_call(c, &ping, &reply), 0);
	raw_close(c);
}

static void identity_has_one_session(void **state)
{
	struct proto_reply reply;
	struct raw_client *c = client();
	uint64_t open = open_file(c, "file", READ_WRITE);

	/* The one before ends, with its connection and its opens. */
	struct raw_client *next = next_session(c);
	assert_true(raw_wait_closed(c, 10000));
	assert_true(next->hello.hello.session != c->hello.hello.session);
	struct proto_request request = append(open, "abc");
	assert_int_equal(raw_call(next, &request, &reply), -EBADF);
	/* It cannot be resumed either: who tries has the next. */
	struct raw_client *last = connected();
	assert_int_equal(hello(last, identity_of(c), 0, c), 0);
	assert_false(last->hello.hello.resumed);
	assert_true(last->hello.hello.known);
	assert_true(raw_wait_closed(next, 10000));
	raw_close(c);
	raw_close(next);
	raw_close(last);
}

static void session_is_resumed_by_its_own_identity_alone(void **state)
{
	struct raw_client *c = client(), *other = client();
	struct raw_client *thief = connected();

	assert_int_equal(hello(thief, identity_of(other), 0, c), 0);
	assert_false(thief->hello.hello.resumed);
	assert_int_equal(identity_of(thief), identity_of(other));
	raw_close(thief);
	raw_close(other);
	struct raw_client *back = connected();
	assert_int_equal(hello(back, identity_of(c), 0, c), 0);
	assert_true(back->hello.hello.resumed);
	assert_true(back->hello.hello.known);
	raw_close(c);
	raw_close(back);
}

/* Several connections ask for it at the same time, on both workers. */
static void connections_take_an_identity_from_each_other(void **state)
{
	struct raw_client *first = client();
	struct raw_client copy = *first, *many[6];

	raw_close(first);
	for (int round = 0; round < 20; round++) {
		unsigned alive = 0;
		struct proto_request request = {.op = PROTO_HELLO, .slot = PROTO_SLOT_NONE};
		request.hello.min_version = request.hello.max_version = PROTO_VERSION;
		request.hello.identity = identity_of(&copy);
		for (unsigned i = 0; i < 6; i++)
			many[i] = connected();
		for (unsigned i = 0; i < 6; i++)
			assert_true(raw_post(many[i], &request));
		for (unsigned i = 0; i < 6; i++) {
			/* A connection may be ended before it has its answer. */
			if (!raw_reply(many[i], &many[i]->hello, 10000))
				continue;
			assert_int_equal(many[i]->hello.status, 0);
			assert_true(many[i]->hello.hello.known);
		}
		usleep(20000);
		for (unsigned i = 0; i < 6; i++)
			alive += !raw_wait_closed(many[i], 1);
		assert_int_equal(alive, 1);
		for (unsigned i = 0; i < 6; i++)
			raw_close(many[i]);
	}
}

static void identity_ends_with_bye(void **state)
{
	struct proto_reply reply;
	struct raw_client *c = client(), *next = connected();
	struct proto_request request = create(c, "by the one before", S_IFDIR | 0700);

	assert_int_equal(raw_call(c, &request, &reply), 0);
	struct proto_request bye = {.op = PROTO_BYE, .slot = PROTO_SLOT_NONE};
	assert_true(raw_post(c, &bye));
	assert_true(raw_reply(c, &reply, 10000));
	assert_int_equal(hello(next, identity_of(c), 0, NULL), 0);
	assert_false(next->hello.hello.known);
	assert_true(identity_of(next) != 0 && identity_of(next) != identity_of(c));
	/* What it did is not known any more: the same request is a new one. */
	next->sequence = c->sequence;
	assert_int_equal(again(next, &request, &reply), -EEXIST);
	raw_close(c);
	raw_close(next);
}

/* ---- repeats ----------------------------------------------------------------------------------------------------- */

static void sequence_before_the_one_executed_ends_the_connection(void **state)
{
	struct proto_reply reply;
	struct raw_client *c = client();

	struct proto_request first = create(c, "first", S_IFDIR | 0700), second = create(c, "second", S_IFDIR | 0700);
	assert_int_equal(raw_call(c, &first, &reply), 0);
	assert_int_equal(raw_call(c, &second, &reply), 0);
	c = after_loss(c);
	c->sequence--;
	assert_int_equal(again(c, &first, &reply), -ECONNRESET);
	c->sequence++;
	/* So does another request in the place of the one that was executed. */
	c = after_loss(c);
	struct proto_request other = removal(c, PROTO_RMDIR, "second");
	assert_int_equal(again(c, &other, &reply), -ECONNRESET);
	c->sequence = 2;
	c = after_loss(c);
	assert_int_equal(again(c, &second, &reply), 0);
	raw_close(c);
}

static void ping_in_the_place_of_a_request_takes_its_sequence(void **state)
{
	struct proto_reply reply;
	struct proto_request ping = {.op = PROTO_PING};
	struct raw_client *c = client();

	struct proto_request request = create(c, "given up", S_IFDIR | 0700);
	assert_int_equal(raw_call(c, &request, &reply), 0);
	c = after_restart(c);
	assert_int_equal(again(c, &ping, &reply), 0);
	assert_int_equal(raw_call(c, &request, &reply), -EEXIST);
	raw_close(c);
}

/* A failed request has changed nothing, so it is judged anew. */
static void failed_request_is_executed_anew(void **state)
{
	struct proto_reply reply;
	struct raw_client *c = client(), *other = client();

	struct proto_request request = removal(c, PROTO_UNLINK, "not yet");
	assert_int_equal(raw_call(c, &request, &reply), -ENOENT);
	open_file(other, "not yet", READ_WRITE);
	c = after_loss(c);
	assert_int_equal(again(c, &request, &reply), 0);
	raw_close(c);
	raw_close(other);
}

static void repeats_tell_what_was_done(void **state)
{
	struct proto_reply reply, first;
	struct proto_attr attr;
	struct raw_client *c = client();

	/* Where an append began, and how long it made the file. */
	uint64_t open = open_file(c, "log", READ_WRITE);
	struct proto_request request = append(open, "abc");
	assert_int_equal(raw_call(c, &request, &reply), 0);
	request = append(open, "defg");
	assert_int_equal(raw_call(c, &request, &reply), 0);
	c = after_restart(c);
	uint32_t sequence = c->sequence;
	struct proto_request other_slot = {.op = PROTO_OPEN, .slot = 1, .sequence = 1};
	other_slot.open.dir = c->hello.hello.root;
	other_slot.open.flags = PROTO_OPEN_READ | PROTO_OPEN_WRITE;
	other_slot.open.path = string("log");
	assert_true(raw_post(c, &other_slot) && raw_reply(c, &reply, 10000));
	assert_int_equal(reply.status, 0);
	request.write.open = reply.open.open;
	assert_int_equal(again(c, &request, &reply), 0);
	assert_int_equal(reply.write.offset, 3);
	assert_int_equal(reply.write.size, 7);
	assert_int_equal(c->sequence, sequence);
	assert_int_equal(look_up(c, "log", &attr), 0);
	assert_int_equal(attr.size, 7);

	/* The file that an exclusive open made. */
	assert_int_equal(raw_open(c, "mine", READ_WRITE | PROTO_OPEN_EXCLUSIVE, &first), 0);
	c = after_restart(c);
	c->sequence--;
	assert_int_equal(raw_open(c, "mine", READ_WRITE | PROTO_OPEN_EXCLUSIVE, &reply), 0);
	assert_true(reply.open.created);
	assert_int_equal(reply.open.attr.handle.ino, first.open.attr.handle.ino);
	assert_int_equal(reply.open.attr.handle.generation, first.open.attr.handle.generation);
	request = append(reply.open.open, "abc");
	assert_int_equal(raw_call(c, &request, &reply), 0);

	/* Whether a replaced file has died. */
	request = (struct proto_request){.op = PROTO_RENAME};
	request.rename.from_dir = request.rename.to_dir = c->hello.hello.root;
	request.rename.from = string("log");
	request.rename.to = string("mine");
	assert_int_equal(raw_call(c, &request, &reply), 0);
	assert_true(reply.rename.replaced_died);
	c = after_restart(c);
	assert_int_equal(again(c, &request, &reply), 0);
	assert_true(reply.rename.replaced_died);
	raw_close(c);
}

/* Another client has removed or replaced it before the reply was asked for again. */
static void repeat_of_what_is_gone_executes_nothing(void **state)
{
	struct proto_reply reply;
	struct proto_attr attr;
	struct raw_client *c = client();

	struct proto_request request = create(c, "short", S_IFDIR | 0700);
	assert_int_equal(raw_call(c, &request, &reply), 0);
	struct proto_handle handle = reply.attr.attr.handle;
	struct raw_client *other = client();
	struct proto_request gone = removal(other, PROTO_RMDIR, "short");
	assert_int_equal(raw_call(other, &gone, &reply), 0);
	c = after_loss(c);
	assert_int_equal(again(c, &request, &reply), 0);
	assert_int_equal(reply.attr.attr.handle.ino, handle.ino);
	assert_int_equal(reply.attr.attr.nlink, 0);

	/* An exclusive open is lost; another is made by name, anew. */
	for (int exclusive = 0; exclusive < 2; exclusive++) {
		uint32_t flags = READ_WRITE | (exclusive ? PROTO_OPEN_EXCLUSIVE : 0);
		assert_int_equal(raw_open(c, "short-lived", flags, &reply), 0);
		c = after_loss(c); /* its open is closed with the session */
		gone = removal(other, PROTO_UNLINK, "short-lived");
		assert_int_equal(raw_call(other, &gone, &reply), 0);
		c->sequence--;
		assert_int_equal(raw_open(c, "short-lived", flags, &reply), exclusive ? -ECONNRESET : -ESTALE);
		assert_int_equal(look_up(c, "short-lived", &attr), -ENOENT);
	}

	/* An open that truncated a file is of that file, and truncates nothing again. */
	open_file(c, "two", READ_WRITE);
	assert_int_equal(raw_open(c, "one", READ_WRITE, &reply), 0);
	struct proto_handle one = reply.open.attr.handle;
	request = append(reply.open.open, "abc");
	assert_int_equal(raw_call(c, &request, &reply), 0);
	assert_int_equal(raw_open(c, "one", PROTO_OPEN_WRITE | PROTO_OPEN_TRUNCATE, &reply), 0);
	c = after_loss(c);
	uint64_t open = open_file(other, "one", PROTO_OPEN_WRITE);
	request = append(open, "defg");
	assert_int_equal(raw_call(other, &request, &reply), 0);
	request = (struct proto_request){.op = PROTO_RENAME};
	request.rename.from_dir = request.rename.to_dir = c->hello.hello.root;
	request.rename.flags = PROTO_RENAME_EXCHANGE;
	request.rename.from = string("one");
	request.rename.to = string("two");
	assert_int_equal(raw_call(other, &request, &reply), 0);
	c->sequence--;
	assert_int_equal(raw_open(c, "one", PROTO_OPEN_WRITE | PROTO_OPEN_TRUNCATE, &reply), 0);
	assert_int_equal(reply.open.attr.handle.ino, one.ino);
	assert_int_equal(reply.open.attr.size, 4);
	assert_false(reply.open.created);
	raw_close(c);
	raw_close(other);
}

/* A write waits for a layout of another client when its own client is lost, with its session; it is not made twice, and
 * not by the server on its own. */
static void request_that_waited_when_its_session_was_lost_is_executed_once(void **state)
{
	struct proto_reply reply;
	struct proto_attr attr;
	struct raw_client *holder = client(), *c = client();
	struct proto_request ping = {.op = PROTO_PING};

	uint64_t open = open_file(c, "waits", READ_WRITE);
	struct proto_request request = append(open, "abc");
	assert_int_equal(raw_call(c, &request, &reply), 0);
	assert_int_equal(raw_open(holder, "waits", PROTO_OPEN_READ | PROTO_OPEN_LAYOUT, &reply), 0);
	assert_true(reply.open.layout);
	request.slot = 0;
	request.sequence = ++c->sequence;
	assert_true(raw_post(c, &request));
	while (holder->recall_count == 0)
		assert_int_equal(raw_call(holder, &ping, &reply), 0);
	struct raw_client copy = *c;
	raw_close(c);
	/* The writer's session ends with its lease; so does the holder's connection, for which the write waited. */
	usleep(2500000);
	c = connected();
	assert_int_equal(hello(c, identity_of(&copy), 0, &copy), 0);
	assert_false(c->hello.hello.resumed);
	assert_true(c->hello.hello.known);
	struct proto_request other_slot = {.op = PROTO_OPEN, .slot = 1, .sequence = 1};
	other_slot.open.dir = c->hello.hello.root;
	other_slot.open.flags = PROTO_OPEN_READ | PROTO_OPEN_WRITE;
	other_slot.open.path = string("waits");
	assert_true(raw_post(c, &other_slot) && raw_reply(c, &reply, 10000));
	assert_int_equal(reply.status, 0);
	assert_int_equal(reply.open.attr.size, 3);
	request.write.open = reply.open.open;
	c->sequence = copy.sequence;
	assert_int_equal(again(c, &request, &reply), 0);
	assert_int_equal(reply.write.offset, 3);
	assert_int_equal(look_up(c, "waits", &attr), 0);
	assert_int_equal(attr.size, 6);
	raw_close(holder);
	raw_close(c);
}

/* A reservation of 2 GiB is made by 32 changes: the client is lost after some of them. */
static void reservation_that_was_cut_short_is_completed(void **state)
{
	struct proto_reply reply;
	struct proto_attr attr;
	char path[32];

	for (unsigned i = 0; i < 6; i++) {
		struct raw_client *c = client();
		struct proto_request request = {.op = PROTO_FALLOCATE};
		snprintf(path, sizeof(path), "file %u", i);
		request.fallocate.open = open_file(c, path, READ_WRITE);
		request.fallocate.length = 2ull << 30;
		request.sequence = ++c->sequence;
		assert_true(raw_post(c, &request));
		usleep(100 + i * 70);
		c = after_loss(c);
		struct proto_request other_slot = {.op = PROTO_OPEN, .slot = 1, .sequence = 1};
		other_slot.open.dir = c->hello.hello.root;
		other_slot.open.flags = PROTO_OPEN_READ | PROTO_OPEN_WRITE;
		other_slot.open.path = string(path);
		assert_true(raw_post(c, &other_slot) && raw_reply(c, &reply, 10000));
		request.fallocate.open = reply.open.open;
		assert_int_equal(again(c, &request, &reply), 0);
		assert_int_equal(reply.fallocate.attr.size, 2ull << 30);
		assert_int_equal(look_up(c, path, &attr), 0);
		assert_int_equal(attr.blocks, (2ull << 30) / 4096);
		struct proto_request close = {.op = PROTO_CLOSE};
		close.close.open = request.fallocate.open;
		assert_int_equal(raw_call(c, &close, &reply), 0);
		struct proto_request gone = removal(c, PROTO_UNLINK, path);
		assert_int_equal(raw_call(c, &gone, &reply), 0);
		raw_close(c);
	}
}

/* Twice stopped while clients repeat. */
static void repeat_is_answered_by_the_server_after_the_next(void **state)
{
	struct proto_reply reply;
	struct raw_client *c = client();

	struct proto_request request = create(c, "once", S_IFDIR | 0700);
	assert_int_equal(raw_call(c, &request, &reply), 0);
	for (int i = 0; i < 3; i++) {
		c = after_restart(c);
		assert_int_equal(again(c, &request, &reply), 0);
	}
	c = after_restart(c);
	struct proto_request gone = removal(c, PROTO_RMDIR, "once");
	assert_int_equal(raw_call(c, &gone, &reply), 0);
	c = after_restart(c);
	assert_int_equal(again(c, &gone, &reply), 0);
	raw_close(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(identity_goes_on_in_other_sessions_and_after_a_restart, start, stop),
	    cmocka_unit_test_setup_teardown(identity_is_refused_to_who_has_not_its_key, start, stop),
	    cmocka_unit_test_setup_teardown(identity_has_one_session, start, stop),
	    cmocka_unit_test_setup_teardown(session_is_resumed_by_its_own_identity_alone, start, stop),
	    cmocka_unit_test_setup_teardown(connections_take_an_identity_from_each_other, start, stop),
	    cmocka_unit_test_setup_teardown(identity_ends_with_bye, start, stop),
	    cmocka_unit_test_setup_teardown(sequence_before_the_one_executed_ends_the_connection, start, stop),
	    cmocka_unit_test_setup_teardown(ping_in_the_place_of_a_request_takes_its_sequence, start, stop),
	    cmocka_unit_test_setup_teardown(failed_request_is_executed_anew, start, stop),
	    cmocka_unit_test_setup_teardown(repeats_tell_what_was_done, start, stop),
	    cmocka_unit_test_setup_teardown(repeat_of_what_is_gone_executes_nothing, start, stop),
	    cmocka_unit_test_setup_teardown(request_that_waited_when_its_session_was_lost_is_executed_once, start,
	                                    stop),
	    cmocka_unit_test_setup_teardown(reservation_that_was_cut_short_is_completed, start_large, stop),
	    cmocka_unit_test_setup_teardown(repeat_is_answered_by_the_server_after_the_next, start, stop),
	};
	alarm(280);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
