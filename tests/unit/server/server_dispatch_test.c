/*
 * server_dispatch_test.c -- which messages end the connection, which are requests to be run, and which get their reply
 * again; and the table of operations.
 */
#include "tests/unit/server/dispatch_double.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
/* cmocka.h wants the above first */
#include <cmocka.h>

/* ---- what is no request of a session ---------------------------------------------------------------------------- */

static void bytes_that_are_no_message_end_the_connection(void **unused)
{
	struct proto_request request = request_of(PROTO_GETATTR, 1);
	int length = proto_encode_request(&request, message, sizeof(message));

	dispatch_message(&state, &conn, message, 0);
	assert_failed("no message of this protocol");
	dispatch_message(&state, &conn, message, PROTO_REQUEST_HEADER - 1);
	assert_failed("no message of this protocol");
	message[0] ^= 1;
	dispatch_message(&state, &conn, message, (uint32_t)length);
	assert_failed("no message of this protocol");
	request.slot = PROTO_MAX_SLOTS;
	arrive(&request);
	assert_failed("no message of this protocol");
	assert_int_equal(observed.logged, 4);
}

static void the_first_message_is_hello(void **unused)
{
	conn.session = NULL;
	arrives(PROTO_GETATTR, 1);
	assert_failed("not HELLO");
	arrives_without_slot(PROTO_HELLO);
	assert_int_equal(observed.hellos, 1);
	/* One that can be read, but has a wrong field, gets an answer. */
	struct proto_request request = {.op = PROTO_HELLO, .slot = PROTO_SLOT_NONE};
	request.hello.min_version = 2;
	request.hello.max_version = 1;
	arrive(&request);
	assert_int_equal(observed.hellos, 1);
	assert_int_equal(observed.sent_count, 1);
	assert_true(observed.sent[0].status != 0);
}

static void a_connection_may_join_a_session_instead(void **unused)
{
	struct proto_request bind = {.op = PROTO_BIND_CONN, .slot = PROTO_SLOT_NONE};

	bind.bind_conn.session = bind.bind_conn.session_key = 1;
	conn.session = NULL;
	stub.bind_rc = -EUSERS;
	arrive(&bind);
	assert_int_equal(observed.binds, 1);
	assert_int_equal(observed.sent_count, 1);
	assert_int_equal(observed.sent[0].status, EUSERS);
	observed.sent_count = 0;
	conn.channel_of = &session;
	arrives_without_slot(PROTO_HELLO);
	assert_failed("joined a session");
	conn.bound = true;
	arrive(&bind);
	assert_failed("on a channel");
	assert_int_equal(observed.binds, 1);
	assert_int_equal(observed.hellos, 0);
}

static void messages_without_a_slot_have_their_own_rules(void **unused)
{
	arrives_without_slot(PROTO_LAYOUT_RETURN);
	assert_int_equal(observed.sent_count, 0);
	assert_int_equal(observed.quiesces, 1);
	struct proto_request request = {.op = PROTO_STAGING, .slot = PROTO_SLOT_NONE, .staging.want = 1};
	arrive(&request);
	assert_int_equal(observed.rings, 1);
	assert_answered(0, PROTO_STAGING, 0, ENOMEM);
	observed.sent_count = 0;
	arrives_without_slot(PROTO_HELLO);
	assert_failed("a first message again");
	arrives_without_slot(PROTO_BYE);
	assert_int_equal(observed.byes, 1);
	assert_answered(0, PROTO_BYE, 0, 0);
	observed.sent_count = 0;
	arrives(PROTO_GETATTR, 1);
	assert_failed("after BYE");
	arrive(&request);
	assert_int_equal(observed.fails, 1);
	assert_int_equal(observed.rings, 1);
}

/* ---- slots ------------------------------------------------------------------------------------------------------ */

static void each_request_of_a_slot_has_the_next_sequence(void **unused)
{
	arrives(PROTO_GETATTR, 0);
	assert_failed("out of its slot's sequence");
	/* The sequences go on from an earlier session: the first may be any but 0. */
	arrives(PROTO_GETATTR, UINT32_MAX);
	assert_answered(0, PROTO_GETATTR, UINT32_MAX, 0);
	arrives(PROTO_GETATTR, 1);
	assert_answered(1, PROTO_GETATTR, 1, 0);
	observed.sent_count = observed.runs = 0;
	arrives(PROTO_GETATTR, 3);
	assert_failed("out of its slot's sequence");
	arrives(PROTO_GETATTR, UINT32_MAX);
	assert_failed("out of its slot's sequence");
	slot_table_get(&session.slots, SLOT)->busy = true;
	arrives(PROTO_GETATTR, 2);
	assert_failed("busy slot");
	arrives(PROTO_GETATTR, 1);
	assert_failed("busy slot");
}

static void a_repeated_change_gets_its_reply_and_a_repeated_look_is_run_again(void **unused)
{
	arrives(PROTO_UNLINK, 1);
	arrives(PROTO_UNLINK, 1);
	assert_int_equal(observed.runs, 1);
	assert_int_equal(observed.sent_count, 2);
	assert_answered(1, PROTO_UNLINK, 1, 0);
	arrives(PROTO_GETATTR, 2);
	arrives(PROTO_GETATTR, 2);
	assert_int_equal(observed.runs, 3);
	assert_int_equal(observed.sent_count, 4);
}

static int makes_an_open(struct request *rq)
{
	succeeds(rq);
	rq->out->open.open = 3;
	rq->out->open.layout = true;
	rq->out->open.extent_count = 1;
	rq->out->open.extents[0] = (struct proto_extent){.length = 4096, .address = 4096, .key = 1};
	return 0;
}

static int writes(struct request *rq)
{
	rq->out->write.replaced_length = 4096;
	rq->out->write.extent_count = 1;
	rq->out->write.extents[0] = (struct proto_extent){.length = 4096, .address = 4096, .key = 1};
	return 0;
}

/* A repeat comes over another connection, and the layouts ended with the first. */
static void a_repeated_reply_has_no_layout(void **unused)
{
	stub.handler = makes_an_open;
	arrives(PROTO_OPEN, 1);
	arrives(PROTO_OPEN, 1);
	assert_true(observed.sent[0].open.layout);
	assert_int_equal(observed.sent[0].open.extent_count, 1);
	assert_false(observed.sent[1].open.layout);
	assert_int_equal(observed.sent[1].open.extent_count, 0);
	assert_int_equal(observed.sent[1].open.open, 3);

	struct proto_request request = request_of(PROTO_WRITE, 2);
	request.write.data = "x";
	request.write.length = 1;
	memset(&state.reply, 0, sizeof(state.reply));
	stub.handler = writes;
	arrive(&request);
	arrive(&request);
	assert_int_equal(observed.runs, 2);
	assert_false(observed.sent[2].write.dropped);
	assert_int_equal(observed.sent[2].write.extent_count, 1);
	assert_true(observed.sent[3].write.dropped);
	assert_int_equal(observed.sent[3].write.extent_count, 0);
	assert_int_equal(observed.sent[3].write.replaced_length, 0);
}

static void a_close_comes_before_the_request_that_carries_it(void **unused)
{
	struct proto_request request = request_of(PROTO_GETATTR, 1);

	request.close_first = 9;
	arrive(&request);
	assert_int_equal(observed.closes, 1);
	assert_int_equal(observed.closed, 9);
	assert_answered(0, PROTO_GETATTR, 1, 0); /* it is no error that there is no such open */
}

static void what_was_quiesced_counts_before_the_turn(void **unused)
{
	struct proto_request request = request_of(PROTO_GETATTR, 1);

	request.quiesced = 3;
	message_length = (uint32_t)proto_encode_request(&request, message, sizeof(message));
	dispatch_arrived(&conn, message, message_length);
	assert_int_equal(observed.quiesces, 1);
	assert_int_equal(observed.runs, 0);
	conn.broken = true;
	dispatch_arrived(&conn, message, message_length);
	assert_int_equal(observed.quiesces, 1);
	conn.broken = false;
	stub.quiesced_rc = -EPROTO;
	arrive(&request);
	assert_failed("never issued");
	dispatch_arrived(&conn, message, message_length);
	assert_failed("never issued");
}

/* ---- the table of operations ------------------------------------------------------------------------------------ */

static void the_table_has_what_uses_a_slot_and_nothing_else(void **unused)
{
	static const unsigned slotless[] = {
#define PROTO_SLOTLESS(NAME, number) number,
#define PROTO_NOTICE(NAME, number)   number,
#include "proto/ops.def"
	};
	static const unsigned with_slot[] = {
#define PROTO_OPERATION(NAME, number, run, keeps_reply, changes, open) number,
#include "proto/ops.def"
	};

	for (unsigned i = 0; i < sizeof(slotless) / sizeof(slotless[0]); i++)
		assert_null(__real_table_operation(slotless[i]));
	assert_null(__real_table_operation(0));
	assert_null(__real_table_operation(UNKNOWN_OP));
	assert_null(__real_table_operation(UINT16_MAX));
	for (unsigned i = 0; i < sizeof(with_slot) / sizeof(with_slot[0]); i++) {
		const struct operation *operation = __real_table_operation(with_slot[i]);

		assert_non_null(operation);
		assert_non_null(operation->run);
		/* A change must not be made twice. */
		assert_true(operation->keeps_reply || !operation->changes);
	}
}

#define TEST(name) cmocka_unit_test_setup(name, dispatch_set_up)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(bytes_that_are_no_message_end_the_connection),
	    TEST(the_first_message_is_hello),
	    TEST(a_connection_may_join_a_session_instead),
	    TEST(messages_without_a_slot_have_their_own_rules),
	    TEST(each_request_of_a_slot_has_the_next_sequence),
	    TEST(a_repeated_change_gets_its_reply_and_a_repeated_look_is_run_again),
	    TEST(a_repeated_reply_has_no_layout),
	    TEST(a_close_comes_before_the_request_that_carries_it),
	    TEST(what_was_quiesced_counts_before_the_turn),
	    TEST(the_table_has_what_uses_a_slot_and_nothing_else),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
