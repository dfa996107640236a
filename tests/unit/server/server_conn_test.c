/*
 * server_conn_test.c -- a connection: what it receives and sends, what is bounded, and how it ends.
 *
 * The transport is defined here: it takes as many messages as there are credits.
 */
#include "server/net/admission.h"
#include "server/net/conn.h"
#include "server/net/net.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static unsigned credits, sent, released, closed;
static int send_error;
static char last_sent[16];
static void *user;
static uint32_t receives;

int transport_accept(struct transport_pending *pending, struct transport_queue *queue,
                     const struct transport_options *options, struct transport_conn **out)
{
	(void)pending, (void)queue;
	assert_non_null(options);
	/* cppcheck-suppress ctunullpointer; this function takes the transport's place, and another test passes NULL there */
	assert_int_equal(options->receive_depth, CONN_RECEIVES);
	*out = (struct transport_conn *)(void *)&credits;
	return 0;
}

void transport_reject(struct transport_pending *pending, int error)
{
	(void)pending, (void)error;
}

void transport_set_user(struct transport_conn *conn, void *value)
{
	(void)conn;
	user = value;
}

int transport_send(struct transport_conn *conn, const struct iovec *iov, int count, unsigned flags)
{
	(void)conn, (void)flags;
	assert_int_equal(count, 1);
	if (send_error)
		return send_error;
	if (credits == 0)
		return -EAGAIN;
	credits--;
	sent++;
	memcpy(last_sent, iov->iov_base, iov->iov_len);
	return 0;
}

void transport_release(struct transport_conn *conn, const void *data)
{
	(void)conn, (void)data;
	released++;
}

void transport_set_receives(struct transport_conn *conn, uint32_t count)
{
	(void)conn;
	receives = count;
}

void transport_close(struct transport_conn *conn)
{
	(void)conn;
	closed++;
}

const char *transport_peer(const struct transport_conn *conn)
{
	(void)conn;
	return "127.0.0.1:1";
}

uint32_t transport_max_message(const struct transport_conn *peer)
{
	(void)peer;
	return PROTO_MAX_MESSAGE;
}

const char *transport_kind_name(enum transport_kind kind)
{
	return kind == TRANSPORT_TCP ? "tcp" : "verbs";
}

/* ---- cases ------------------------------------------------------------------------------------------------------ */

static struct net net;
static struct guest guest;
static unsigned left;

void admission_leave(struct guest *leaving)
{
	assert_ptr_equal(leaving, &guest);
	left++;
}

void admission_greeted(struct guest *greeted)
{
	(void)greeted;
}

static struct conn *conn;

static int set_up(void **state)
{
	(void)state;
	credits = sent = released = closed = 0;
	send_error = 0;
	left = 0;
	net = (struct net){.load = 1, .message_size = 16896, .now_ms = 1000};
	turns_init(&net.turns);
	assert_int_equal(conn_open(&net, NULL, TRANSPORT_TCP, NULL, &guest, &conn), 0);
	assert_ptr_equal(conn, user);
	assert_ptr_equal(net.conns, conn);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	conn_close(conn);
	assert_null(net.conns);
	assert_int_equal(closed, 1);
	assert_int_equal(net.broken, 0);
	assert_int_equal(net.stalled, 0);
	assert_int_equal(left, 1);
	assert_int_equal(net.load, 0);
	return 0;
}

static void messages_without_credit_wait_and_keep_their_order(void **state)
{
	(void)state;
	credits = 1;
	conn_send(conn, "a", 2, true);
	conn_send(conn, "b", 2, true);
	conn_send(conn, "c", 2, false);
	assert_int_equal(sent, 1);
	assert_int_equal(net.stalled, 1);
	credits = 1;
	assert_true(conn_flush(conn));
	assert_string_equal(last_sent, "b");
	/* What is sent now must not overtake what waits. */
	credits = 1;
	conn_send(conn, "d", 2, false);
	assert_int_equal(sent, 2);
	credits = 2;
	assert_false(conn_flush(conn));
	assert_string_equal(last_sent, "d");
	assert_int_equal(net.stalled, 0);
}

static void client_that_takes_no_replies_is_let_go(void **state)
{
	(void)state;
	conn_set_slots(conn, 2000);
	assert_int_equal(receives, CONN_RECEIVES);
	conn_set_slots(conn, 100);
	assert_int_equal(receives, 100 + CONN_NOTICES);
	for (unsigned i = 0; i < 100 + 4; i++)
		conn_send(conn, "r", 2, true);
	assert_false(conn->broken);
	conn_send(conn, "r", 2, true);
	assert_true(conn->broken);
	assert_int_equal(net.broken, 1);
}

static void failure_is_counted_once_and_ends_all_sending(void **state)
{
	(void)state;
	send_error = -ECONNRESET;
	conn_send(conn, "a", 2, true);
	assert_true(conn->broken);
	conn_fail(conn, "again");
	assert_int_equal(net.broken, 1);
	send_error = 0;
	credits = 1;
	conn_send(conn, "b", 2, true);
	assert_int_equal(sent, 0);
}

static void received_messages_wait_in_order_and_are_bounded(void **state)
{
	static const char data[CONN_RECEIVES + 1];
	struct in_message message;

	(void)state;
	assert_false(conn_waits(conn));
	for (unsigned i = 0; i < CONN_RECEIVES; i++)
		conn_received(conn, &data[i], i);
	assert_true(conn_waits(conn));
	assert_true(turns_waiting(&net.turns));
	for (unsigned i = 0; i < 3; i++) {
		assert_true(conn_take(conn, &message));
		assert_int_equal(message.length, i);
		conn_received(conn, &data[i], CONN_RECEIVES + i);
	}
	/* One more than the client has credits for. */
	conn_received(conn, &data[0], 1);
	assert_true(conn->broken);
	assert_int_equal(released, 1);
}

static void what_was_received_comes_before_the_end(void **state)
{
	struct in_message message;

	(void)state;
	conn_received(conn, "x", 1);
	conn_ended(conn, -ECONNRESET);
	assert_true(conn_waits(conn));
	assert_true(conn_take(conn, &message));
	assert_true(conn_waits(conn));
	assert_false(conn_take(conn, &message));
	assert_int_equal(conn->ended, -ECONNRESET);
}

static void timers_grow_by_a_bounded_time_until_the_client_is_heard(void **state)
{
	(void)state;
	net.now_ms = 100000;
	for (int i = 0; i < 10; i++)
		conn_extend_timers(conn, 400, 1500);
	assert_int_equal(conn->heard_ms, 1000 + 1500);
	conn_heard(conn);
	assert_int_equal(conn->heard_ms, 100000);
	net.now_ms = 200000;
	conn_extend_timers(conn, 400, 1500);
	assert_int_equal(conn->heard_ms, 100400);
	/* Nothing was heard in the future. */
	net.now_ms = 100500;
	conn_extend_timers(conn, 400, 1500);
	assert_int_equal(conn->heard_ms, 100500);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
	    CASE(messages_without_credit_wait_and_keep_their_order),
	    CASE(client_that_takes_no_replies_is_let_go),
	    CASE(failure_is_counted_once_and_ends_all_sending),
	    CASE(received_messages_wait_in_order_and_are_bounded),
	    CASE(what_was_received_comes_before_the_end),
	    CASE(timers_grow_by_a_bounded_time_until_the_client_is_heard),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
