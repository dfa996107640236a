/*
 * server_slots_test.c -- slots by the hundred, against a whole server: who is granted how many, what becomes of a client
 * that uses others, and that the request of each slot is executed once.
 */
#include "tests/support/session_fixture.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define BATCH       32u
#define DEADLINE_MS 20000

static int start_small(void **state)
{
	(void)state;
	return start_with((const char *const[]){"--workers", "2", "--lease-ms", "60000", "--total-slots", "256", NULL});
}

/* The flags are used again for a restart. */
static int start_wide(void **state)
{
	static const char *const flags[] = {"--workers", "2", "--lease-ms", "60000", NULL};

	(void)state;
	return start_with(flags);
}

static int start_narrow(void **state)
{
	(void)state;
	return start_with((const char *const[]){"--workers", "1", "--lease-ms", "60000", "--max-slots", "100", NULL});
}

/* ---- windows ----------------------------------------------------------------------------------------------------- */

static struct raw_client *client_of(uint32_t wanted)
{
	struct raw_client *c = raw_connect(TRANSPORT_TCP, "127.0.0.1", port);
	struct proto_request request = {.op = PROTO_HELLO, .slot = PROTO_SLOT_NONE};

	request.hello.min_version = request.hello.max_version = PROTO_VERSION;
	request.hello.slots = wanted;
	assert_true(raw_post(c, &request));
	assert_true(raw_reply(c, &c->hello, 10000));
	assert_int_equal(c->hello.status, 0);
	return c;
}

static bool ping_as(struct raw_client *c, uint16_t slot, uint32_t sequence, struct proto_reply *reply)
{
	struct proto_request request = {.op = PROTO_PING, .slot = slot, .sequence = sequence};

	return raw_post(c, &request) && raw_reply(c, reply, 10000);
}

/* A PING in a slot, whose first request it is. */
static bool ping(struct raw_client *c, uint16_t slot, struct proto_reply *reply)
{
	return ping_as(c, slot, 1, reply);
}

static void client_gets_what_it_asks_for_up_to_the_limit(void **state)
{
	static const struct {
		uint32_t wanted, granted;
	} cases[] = {{0, 64}, {2, 2}, {80, 80}, {100, 100}, {101, 100}, {UINT32_MAX, 100}};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct raw_client *c = client_of(cases[i].wanted);
		assert_int_equal(c->hello.slots, cases[i].granted);
		raw_close(c);
	}
}

static void slot_that_was_not_granted_ends_the_connection(void **state)
{
	static const uint16_t hostile[] = {100, 101, 1023, 1024, 4096, 0xfffe};
	struct proto_reply reply;

	(void)state;
	for (size_t i = 0; i < sizeof(hostile) / sizeof(hostile[0]); i++) {
		struct raw_client *c = client_of(1024);
		assert_true(ping(c, 99, &reply));
		assert_int_equal(reply.status, 0);
		assert_false(ping(c, hostile[i], &reply));
		assert_true(c->closed);
		raw_close(c);
	}
	/* The others do not notice. */
	struct raw_client *c = client_of(1024);
	assert_true(ping(c, 0, &reply));
	raw_close(c);
}

/* Until the window that replies tell is so wide. */
static void await_window(struct raw_client *c, uint16_t slots, struct proto_reply *reply)
{
	int64_t begun = now_ms();
	struct proto_request request = {.op = PROTO_PING};

	do {
		assert_true(now_ms() - begun < DEADLINE_MS);
		request.slots_used = 1;
		assert_int_equal(raw_call(c, &request, reply), 0);
		if (reply->slots != slots)
			usleep(5000);
	} while (reply->slots != slots);
}

static void window_follows_the_number_of_sessions(void **state)
{
	static struct proto_reply reply;
	struct raw_client *others[3];

	(void)state;
	struct raw_client *c = client_of(1024);
	assert_int_equal(c->hello.slots, 256);
	for (int i = 0; i < 3; i++) {
		others[i] = client_of(1024);
		assert_true(others[i]->hello.slots <= 128);
	}
	await_window(c, 64, &reply);
	/* As long as the client does not say that it knows, it may have more in flight. */
	assert_true(ping(c, 255, &reply));
	struct proto_request request = {.op = PROTO_PING, .slots_used = 64, .window = reply.window};
	assert_int_equal(raw_call(c, &request, &reply), 0);
	assert_true(ping(c, 63, &reply));
	assert_false(ping(c, 64, &reply));
	assert_true(c->closed);
	raw_close(c);
	/* Who leaves makes room. */
	for (int i = 1; i < 3; i++) {
		request = (struct proto_request){.op = PROTO_BYE, .slot = PROTO_SLOT_NONE};
		assert_true(raw_post(others[i], &request));
		assert_true(raw_reply(others[i], &reply, 10000));
		raw_close(others[i]);
	}
	await_window(others[0], 128, &reply);
	assert_true(ping(others[0], 127, &reply));
	raw_close(others[0]);
}

/* ---- exactly once ------------------------------------------------------------------------------------------------ */

static char names[PROTO_MAX_SLOTS][16];
static struct proto_handle handles[PROTO_MAX_SLOTS];

/* The slot's request with this sequence: it makes a file of its own. */
static struct proto_request creation(const struct raw_client *c, unsigned slot, uint32_t sequence)
{
	struct proto_request request = {.op = PROTO_CREATE, .slot = (uint16_t)slot, .sequence = sequence};

	snprintf(names[slot], sizeof(names[slot]), "%u.%u", slot, sequence);
	request.create.dir = c->hello.hello.root;
	request.create.mode = S_IFREG | 0600;
	request.create.path = (struct proto_string){.data = names[slot], .length = (uint32_t)strlen(names[slot])};
	return request;
}

static void create_in_all(struct raw_client *c, uint32_t sequence, bool repeated)
{
	static struct proto_reply reply;

	for (unsigned first = 0; first < PROTO_MAX_SLOTS; first += BATCH) {
		for (unsigned slot = first; slot < first + BATCH; slot++) {
			struct proto_request request = creation(c, slot, sequence);
			assert_true(raw_post(c, &request));
		}
		for (unsigned i = 0; i < BATCH; i++) {
			assert_true(raw_reply(c, &reply, 10000));
			assert_int_equal(reply.status, 0);
			if (!repeated)
				handles[reply.slot] = reply.attr.attr.handle;
			assert_int_equal(reply.attr.attr.handle.ino, handles[reply.slot].ino);
		}
	}
	c->sequence = sequence;
}

/* The identity's next session, whose window is narrow. */
static struct raw_client *next_session(const struct raw_client *before, uint16_t used)
{
	struct raw_client *c = raw_connect(TRANSPORT_TCP, "127.0.0.1", port);
	struct proto_request request = {.op = PROTO_HELLO, .slot = PROTO_SLOT_NONE, .slots_used = used};

	request.hello.min_version = request.hello.max_version = PROTO_VERSION;
	request.hello.identity = before->hello.hello.identity;
	request.hello.slots = 16;
	assert_true(raw_post(c, &request));
	assert_true(raw_reply(c, &c->hello, 10000));
	assert_int_equal(c->hello.status, 0);
	assert_true(c->hello.hello.known);
	assert_false(c->hello.hello.resumed);
	assert_int_equal(c->hello.slots, 16);
	return c;
}

static void request_of_any_slot_is_executed_once(void **state)
{
	static struct raw_client before;
	struct proto_reply reply;

	(void)state;
	struct raw_client *c = client();
	assert_int_equal(c->hello.slots, PROTO_MAX_SLOTS);
	create_in_all(c, 1, false);
	create_in_all(c, 2, false);
	create_in_all(c, 2, true);
	/* The session is lost. */
	before = *c;
	raw_close(c);
	c = next_session(&before, PROTO_MAX_SLOTS);
	create_in_all(c, 2, true);
	/* So is the server. What is in flight may be repeated in any slot, whatever the window. */
	before = *c;
	raw_close(c);
	server_restart(server, &port);
	c = next_session(&before, PROTO_MAX_SLOTS);
	create_in_all(c, 2, true);
	create_in_all(c, 3, false);
	before = *c;
	raw_close(c);
	/* A client that had less in flight may repeat no more than that. */
	c = next_session(&before, 500);
	assert_true(ping_as(c, 499, 4, &reply));
	raw_close(c);
	c = next_session(&before, 500);
	assert_false(ping_as(c, 500, 4, &reply));
	raw_close(c);
}

static void request_whose_reply_is_forgotten_is_not_executed_again(void **state)
{
	static struct proto_reply reply;
	int64_t begun = now_ms();
	uint32_t mode = 0600;

	(void)state;
	struct raw_client *c = client();
	create_in_all(c, 1, false);
	/* The reply that is kept has the mode of then; the answer from the intent has that of now. */
	for (unsigned slot = PROTO_MAX_SLOTS - 1; mode == 0600; slot--) {
		assert_true(slot > 0 && now_ms() - begun < DEADLINE_MS);
		struct proto_request request = {.op = PROTO_SETATTR};
		request.setattr.handle = handles[slot];
		request.setattr.mask = PROTO_SET_MODE;
		request.setattr.mode = 0400;
		assert_int_equal(raw_call(c, &request, &reply), 0);
		/* Nothing else is in flight: the server may forget what it keeps for other slots. */
		for (int i = 0; i < 3; i++) {
			request = (struct proto_request){.op = PROTO_PING, .slots_used = 1};
			assert_int_equal(raw_call(c, &request, &reply), 0);
			usleep(110000);
		}
		request = creation(c, slot, 1);
		request.slots_used = (uint16_t)(slot + 1);
		assert_true(raw_post(c, &request));
		assert_true(raw_reply(c, &reply, 10000));
		assert_int_equal(reply.status, 0);
		assert_int_equal(reply.attr.attr.handle.ino, handles[slot].ino);
		mode = reply.attr.attr.mode & 0777;
	}
	assert_int_equal(mode, 0400);
	raw_close(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(client_gets_what_it_asks_for_up_to_the_limit, start_narrow, stop),
	    cmocka_unit_test_setup_teardown(slot_that_was_not_granted_ends_the_connection, start_narrow, stop),
	    cmocka_unit_test_setup_teardown(window_follows_the_number_of_sessions, start_small, stop),
	    cmocka_unit_test_setup_teardown(request_of_any_slot_is_executed_once, start_wide, stop),
	    cmocka_unit_test_setup_teardown(request_whose_reply_is_forgotten_is_not_executed_again, start_wide, stop),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
