/*
 * server_channel_test.c -- channels, the further connections of a session, against a whole server.
 */
#include "tests/support/session_fixture.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define BLOCK 4096u

/* Open a file with a block of 'a', and get its layout. */
static void hold_layout(struct raw_client *c, const char *path, struct proto_extent *extent)
{
	static char block[BLOCK];
	struct proto_reply reply;

	memset(block, 'a', sizeof(block));
	uint64_t open = open_file(c, path, READ_WRITE);
	struct proto_request request = write_request(open, 0, block, sizeof(block));
	assert_int_equal(raw_call(c, &request, &reply), 0);
	request = (struct proto_request){.op = PROTO_LAYOUT_GET};
	request.layout_get.open = open;
	request.layout_get.length = BLOCK;
	assert_int_equal(raw_call(c, &request, &reply), 0);
	assert_true(reply.layout.granted);
	assert_int_equal(reply.layout.extent_count, 1);
	*extent = reply.layout.extents[0];
}

static bool reads_a(struct raw_client *c, const struct proto_extent *extent)
{
	char block[BLOCK] = {0};

	if (!raw_read(c, block, extent->address, extent->key, BLOCK))
		return false;
	for (unsigned i = 0; i < BLOCK; i++)
		assert_int_equal(block[i], 'a');
	return true;
}

static struct raw_client *channel_of(const struct raw_client *of)
{
	struct raw_client *c = raw_join(of, 0, port);

	assert_int_equal(raw_bind(c, of, 0), 0);
	return c;
}

static void expect_alive(struct raw_client *c)
{
	struct proto_request ping = {.op = PROTO_PING};
	struct proto_reply reply;

	assert_int_equal(raw_call(c, &ping, &reply), 0);
}

static void channel_reads_what_its_session_may_read(void **state)
{
	struct proto_extent extent, later;

	(void)state;
	/* With an idle connection beside, sessions and their channels go to different workers. */
	struct raw_client *beside = client();
	struct raw_client *c = client();
	hold_layout(c, "first", &extent);
	struct raw_client *first = channel_of(c), *second = channel_of(c);
	hold_layout(c, "later", &later);
	for (int i = 0; i < 10; i++) {
		assert_true(reads_a(first, &extent) && reads_a(first, &later));
		assert_true(reads_a(second, &extent) && reads_a(second, &later));
	}
	raw_close(first);
	assert_true(reads_a(second, &extent));
	expect_alive(c);
	raw_close(c);
	assert_true(raw_wait_closed(second, 5000));
	raw_close(second);
	raw_close(beside);
}

static void stranger_binds_nothing_and_reads_nothing(void **state)
{
	struct proto_extent extent;

	(void)state;
	struct raw_client *c = client(), *other = raw_connect(TRANSPORT_TCP, "127.0.0.1", port);
	assert_int_equal(raw_try_hello(other, 1000, NULL), 0);
	hold_layout(c, "private", &extent);

	/* With the number and another key; with a ticket of its own and the number and key of the other; with none. */
	struct raw_client *guess = raw_join(c, 1, port), *own = raw_join(other, 0, port);
	struct raw_client *none = raw_connect(TRANSPORT_TCP, "127.0.0.1", port);
	assert_int_equal(raw_bind(guess, c, 1), -EACCES);
	assert_int_equal(raw_bind(own, c, 0), -EACCES);
	assert_int_equal(raw_bind(none, c, 0), -EACCES);
	assert_false(reads_a(guess, &extent));
	assert_false(reads_a(own, &extent));
	assert_false(reads_a(none, &extent));
	assert_false(reads_a(other, &extent));
	raw_close(guess);
	raw_close(own);
	raw_close(none);
	raw_close(other);

	/* A session whose client is away, or has left, has no channels. */
	struct raw_client left = *c;
	raw_close(c);
	c = raw_join(&left, 0, port);
	assert_true(raw_bind(c, &left, 0) < 0);
	raw_close(c);
}

static void channel_takes_no_other_messages(void **state)
{
	struct proto_request ping = {.op = PROTO_PING, .sequence = 1};

	(void)state;
	struct raw_client *c = client();
	struct raw_client *channel = channel_of(c);
	assert_true(raw_post(channel, &ping));
	assert_true(raw_wait_closed(channel, 5000));
	raw_close(channel);
	channel = raw_join(c, 0, port);
	assert_true(raw_post_hello(channel, 0, NULL));
	assert_true(raw_wait_closed(channel, 5000));
	raw_close(channel);
	assert_int_equal(raw_bind(c, c, 0), -ECONNRESET); /* it has a session */
	raw_close(c);
}

static void session_has_so_many_channels_and_no_more(void **state)
{
	struct raw_client *channels[PROTO_MAX_CHANNELS];

	(void)state;
	struct raw_client *c = client();
	for (unsigned i = 0; i < PROTO_MAX_CHANNELS; i++)
		channels[i] = channel_of(c);
	struct raw_client *more = raw_join(c, 0, port);
	assert_int_equal(raw_bind(more, c, 0), -EUSERS);
	raw_close(more);
	raw_close(channels[3]);
	/* The server notices the end in its time. */
	for (int rc = -EUSERS; rc == -EUSERS; raw_close(channels[3])) {
		channels[3] = raw_join(c, 0, port);
		rc = raw_bind(channels[3], c, 0);
		assert_true(rc == 0 || rc == -EUSERS);
	}
	for (unsigned i = 0; i < PROTO_MAX_CHANNELS; i++) {
		if (i != 3)
			raw_close(channels[i]);
	}
	expect_alive(c);
	raw_close(c);
}

static void channels_end_with_the_connection_and_not_without_reason(void **state)
{
	struct proto_extent extent;

	(void)state;
	stop(state);
	start_with((const char *const[]){"--workers", "2", "--lease-ms", "60000", "--hello-ms", "200", NULL});
	struct raw_client *c = client();
	hold_layout(c, "kept", &extent);
	struct raw_client *unbound = raw_join(c, 0, port), *channel = channel_of(c);
	/* Who does not say BIND_CONN is sent away as who does not say HELLO; a bound one may be silent. */
	assert_true(raw_wait_closed(unbound, 5000));
	raw_close(unbound);
	assert_true(reads_a(channel, &extent));

	/* The session goes on another connection: its channels, as its layouts, do not. */
	struct raw_client *again = raw_connect(TRANSPORT_TCP, "127.0.0.1", port);
	raw_hello(again, c);
	assert_true(again->hello.hello.resumed);
	assert_true(raw_wait_closed(channel, 5000));
	raw_close(channel);
	raw_close(c);
	channel = channel_of(again);
	hold_layout(again, "kept", &extent);
	assert_true(reads_a(channel, &extent));
	raw_close(channel);
	raw_close(again);
}

/* The change goes on when the holder can READ no more, by none of its connections. */
static void recall_that_is_not_answered_ends_the_channels_first(void **state)
{
	struct proto_extent extent;
	struct proto_reply reply;

	(void)state;
	stop(state);
	start_with((const char *const[]){"--workers", "2", "--lease-ms", "60000", "--recall-ms", "300", NULL});
	struct raw_client *holder = client(), *writer = client();
	hold_layout(holder, "held", &extent);
	struct raw_client *channel = channel_of(holder);
	struct proto_request request = write_request(open_file(writer, "held", PROTO_OPEN_WRITE), 0, "b", 1);
	assert_int_equal(raw_call(writer, &request, &reply), 0);
	assert_false(reads_a(channel, &extent));
	assert_true(raw_wait_closed(holder, 5000));
	raw_close(channel);
	raw_close(holder);
	raw_close(writer);
}

static void channels_go_where_others_need_the_place(void **state)
{
	struct raw_client *crowd[60];

	(void)state;
	stop(state);
	start_with((const char *const[]){"--max-clients", "1", "--max-per-host", "50", "--workers", "2", NULL});
	struct raw_client *c = client();
	struct raw_client *channel = channel_of(c);
	for (int i = 0; i < 60; i++)
		crowd[i] = raw_connect(TRANSPORT_TCP, "127.0.0.1", port);
	assert_true(raw_wait_closed(channel, 5000));
	raw_close(channel);
	expect_alive(c);
	for (int i = 0; i < 60; i++)
		raw_close(crowd[i]);
	raw_close(c);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, start_patient, stop)
	const struct CMUnitTest tests[] = {
	    CASE(channel_reads_what_its_session_may_read),
	    CASE(stranger_binds_nothing_and_reads_nothing),
	    CASE(channel_takes_no_other_messages),
	    CASE(session_has_so_many_channels_and_no_more),
	    CASE(channels_end_with_the_connection_and_not_without_reason),
	    CASE(recall_that_is_not_answered_ends_the_channels_first),
	    CASE(channels_go_where_others_need_the_place),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
