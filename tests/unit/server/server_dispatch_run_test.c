/*
 * server_dispatch_run_test.c -- what a handler is given and how its result is sent, which requests are not run, those
 * that wait, and those that an earlier session may have executed.
 */
#include "tests/unit/server/dispatch_double.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
/* cmocka.h wants the above first */
#include <cmocka.h>

/* ---- which requests are run ------------------------------------------------------------------------------------- */

static int refuses(struct request *rq)
{
	return -EDQUOT;
}

static void a_handler_gets_the_request_and_its_error_is_the_status(void **unused)
{
	struct proto_request request = request_of(PROTO_GETATTR, 1);

	stub.handler = refuses;
	request.cred = 1;
	request.getattr.handle.ino = 77;
	arrive(&request);
	assert_answered(0, PROTO_GETATTR, 1, EDQUOT);
	assert_ptr_equal(observed.seen.session, &session);
	assert_ptr_equal(observed.seen.conn, &conn);
	assert_int_equal(observed.seen.in->getattr.handle.ino, 77);
	assert_ptr_equal(observed.seen.call.cred, &other_cred);
	assert_false(observed.asked_as_superuser);
	assert_int_equal(state.returned, 17);
	assert_int_equal(observed.heard, 1);
	assert_int_equal(observed.seals, 1);
	assert_false(observed.may_defer); /* that was for the stub.handler */
}

static void what_cannot_be_run_is_answered_with_the_reason(void **unused)
{
	struct proto_request request = request_of(PROTO_GETATTR, 1);

	request.cred = 2;
	arrive(&request);
	assert_answered(0, PROTO_GETATTR, 1, EINVAL);
	stub.seal_right = false;
	arrives(PROTO_GETATTR, 2);
	assert_answered(1, PROTO_GETATTR, 2, ESTALE);
	assert_true(observed.asked_as_superuser);
	stub.seal_right = true;
	config.read_only = true;
	arrives(PROTO_UNLINK, 3);
	assert_answered(2, PROTO_UNLINK, 3, EROFS);
	assert_int_equal(observed.runs, 0);
	arrives(PROTO_OPEN, 4); /* its stub.handler looks at the flags */
	assert_int_equal(observed.runs, 1);
	/* A body that cannot be read, and an operation that does not exist, cost the sequence but not the connection. */
	request = request_of(PROTO_SEEK, 5);
	request.seek.what = 99;
	arrive(&request);
	assert_int_equal(observed.sent[4].sequence, 5);
	assert_true(observed.sent[4].status != 0);
	request = request_of(UNKNOWN_OP, 6);
	arrive(&request);
	assert_answered(5, UNKNOWN_OP, 6, EOPNOTSUPP);
	assert_int_equal(observed.runs, 1);
	assert_int_equal(observed.fails, 0);
}

static int walks_to_a_dead_inode(struct request *rq)
{
	rq->walked = true;
	assert_non_null(rq->call.cred);
	rq->call.cred = NULL; /* each try has the call anew */
	return observed.runs < 4 ? -ESTALE : 0;
}

static int always_walks_to_a_dead_inode(struct request *rq)
{
	rq->walked = true;
	return -ESTALE;
}

static int walks_where_it_may_not(struct request *rq)
{
	rq->walked = true;
	return -EACCES;
}

static int has_a_stale_handle(struct request *rq)
{
	return -ESTALE;
}

static void a_path_is_walked_again_and_a_stale_handle_is_not(void **unused)
{
	stub.handler = walks_to_a_dead_inode;
	arrives(PROTO_UNLINK, 1);
	assert_int_equal(observed.runs, 4);
	assert_answered(0, PROTO_UNLINK, 1, 0);
	observed.runs = 0;
	stub.handler = always_walks_to_a_dead_inode;
	arrives(PROTO_UNLINK, 2);
	assert_int_equal(observed.runs, 10);
	assert_answered(1, PROTO_UNLINK, 2, ESTALE);
	observed.runs = 0;
	stub.handler = walks_where_it_may_not;
	arrives(PROTO_UNLINK, 3);
	assert_answered(2, PROTO_UNLINK, 3, EACCES);
	assert_int_equal(observed.runs, 1);
	observed.runs = 0;
	stub.handler = has_a_stale_handle;
	arrives(PROTO_UNLINK, 4);
	assert_int_equal(observed.runs, 1);
	assert_answered(3, PROTO_UNLINK, 4, ESTALE);
}

static int reads_too_much(struct request *rq)
{
	rq->out->read.length = PROTO_MAX_MESSAGE;
	rq->out->read.data = message;
	return 0;
}

static void a_reply_that_is_too_large_is_an_error(void **unused)
{
	struct proto_request request = request_of(PROTO_READ, 1);

	request.read.length = 1;
	stub.handler = reads_too_much;
	arrive(&request);
	assert_answered(0, PROTO_READ, 1, EIO);
}

/* ---- requests that wait ----------------------------------------------------------------------------------------- */

static int waits(struct request *rq)
{
	return DEFERRED;
}

static void a_request_that_waits_is_kept_and_not_answered(void **unused)
{
	stub.handler = waits;
	arrives(PROTO_UNLINK, 1);
	assert_int_equal(observed.keeps, 1);
	assert_int_equal(observed.sent_count, 0);
	assert_int_equal(observed.fails, 0);
	stub.keep_rc = -ENOMEM;
	arrives(PROTO_UNLINK, 2);
	observed.runs = 0;
	assert_failed("out of memory");
}

static void a_request_that_has_waited_is_run_again(void **unused)
{
	struct proto_request request = request_of(PROTO_UNLINK, 1);
	struct deferred deferred = {.session = &session, .state = &state};
	struct slot *slot;

	deferred.length = (uint32_t)proto_encode_request(&request, message, sizeof(message));
	deferred.message = message;
	message_length = deferred.length;
	assert_int_equal(slot_table_find(&session.slots, SLOT, &slot), 0);
	slot->sequence = 1;
	dispatch_resume(&deferred);
	assert_int_equal(observed.runs, 1);
	assert_ptr_equal(observed.seen.deferred, &deferred);
	assert_answered(0, PROTO_UNLINK, 1, 0);
	assert_int_equal(observed.dones, 1);
	/* Without its connection it ends now, one way or the other. */
	session.conn = NULL;
	dispatch_resume(&deferred);
	assert_int_equal(observed.sent_count, 1);
	assert_int_equal(observed.dones, 2);
	assert_true(slot->reply_length > 0);
	stub.handler = waits;
	dispatch_resume(&deferred);
	assert_int_equal(observed.cancels, 1);
	assert_int_equal(observed.keeps, 0);
}

static int is_busy_unless_by_bulk(struct request *rq)
{
	return rq->by_bulk ? 0 : -EBUSY;
}

static int is_busy_while_it_may_be(struct request *rq)
{
	return observed.may_defer ? -EBUSY : 0;
}

static void what_takes_long_is_done_by_a_bulk_thread(void **unused)
{
	/* EBUSY can also be what the operation says. */
	stub.handler = is_busy_unless_by_bulk;
	arrives(PROTO_UNLINK, 1);
	assert_answered(0, PROTO_UNLINK, 1, EBUSY);
	stub.deferral = NOVA_DEFER_LONG;
	arrives(PROTO_UNLINK, 2);
	assert_answered(1, PROTO_UNLINK, 2, 0);
	stub.deferral = NOVA_DEFER_LOAD;
	stub.handler = is_busy_while_it_may_be;
	stub.load_rc = DEFERRED;
	arrives(PROTO_UNLINK, 3);
	assert_int_equal(observed.keeps, 1);
	assert_int_equal(observed.sent_count, 2);
	/* Where no bulk thread takes it, this one does. */
	stub.load_rc = -EAGAIN;
	arrives(PROTO_UNLINK, 4);
	assert_answered(2, PROTO_UNLINK, 4, 0);
	observed.runs = 0;
	stub.deferral = NOVA_DEFER_LONG;
	stub.handler = succeeds;
	arrives(PROTO_UNLINK, 5);
	assert_int_equal(observed.runs, 1);
}

/* ---- exactly once ----------------------------------------------------------------------------------------------- */

static void have_identity(void)
{
	static char client;

	session.client = (struct nova_client *)(void *)&client;
}

static void a_change_of_an_identity_has_an_intent(void **unused)
{
	arrives(PROTO_UNLINK, 1);
	assert_int_equal(observed.intents, 0);
	assert_null(observed.seen.call.intent);
	have_identity();
	arrives(PROTO_UNLINK, 2);
	assert_int_equal(observed.intents, 1);
	assert_non_null(observed.seen.call.intent);
	arrives(PROTO_GETATTR, 3);
	assert_int_equal(observed.intents, 1);
	assert_null(observed.seen.call.intent);
	/* Without room for it the change is refused. */
	observed.runs = 0;
	stub.intent_rc = -ENOSPC;
	arrives(PROTO_UNLINK, 4);
	assert_answered(3, PROTO_UNLINK, 4, ENOSPC);
	assert_int_equal(observed.runs, 0);
}

static void what_an_earlier_session_executed_is_answered_from_its_intent(void **unused)
{
	have_identity();
	stub.outcome_rc = 1;
	stub.known_outcome.op = PROTO_UNLINK;
	arrives(PROTO_UNLINK, 30);
	assert_int_equal(observed.answers_from_intent, 1);
	assert_answered(0, PROTO_UNLINK, 30, 0);
	assert_int_equal(observed.intents, 0);
	/* Only the first request of the slot can be one of those. */
	arrives(PROTO_UNLINK, 31);
	assert_int_equal(observed.runs, 1);
	assert_int_equal(observed.answers_from_intent, 1);
}

static void a_ping_asks_whether_the_slots_request_is_over(void **unused)
{
	have_identity();
	stub.outcome_rc = 1;
	stub.known_outcome.op = PROTO_UNLINK;
	arrives(PROTO_PING, 30);
	assert_int_equal(observed.answers_from_intent, 0);
	assert_answered(0, PROTO_PING, 30, 0);
}

static void a_damaged_intent_is_econnreset_and_a_wrong_repeat_ends_the_connection(void **unused)
{
	have_identity();
	stub.outcome_rc = -ECONNRESET;
	arrives(PROTO_UNLINK, 30);
	assert_answered(0, PROTO_UNLINK, 30, ECONNRESET);
	assert_int_equal(observed.runs, 0);
	dispatch_set_up(NULL);
	have_identity();
	stub.outcome_rc = -EPROTO;
	arrives(PROTO_UNLINK, 30);
	assert_failed("seen answered");
	dispatch_set_up(NULL);
	have_identity();
	stub.outcome_rc = 1;
	stub.known_outcome.op = PROTO_RMDIR;
	arrives(PROTO_UNLINK, 30);
	assert_failed("another in its place");
}

#define TEST(name) cmocka_unit_test_setup(name, dispatch_set_up)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(a_handler_gets_the_request_and_its_error_is_the_status),
	    TEST(what_cannot_be_run_is_answered_with_the_reason),
	    TEST(a_path_is_walked_again_and_a_stale_handle_is_not),
	    TEST(a_reply_that_is_too_large_is_an_error),
	    TEST(a_request_that_waits_is_kept_and_not_answered),
	    TEST(a_request_that_has_waited_is_run_again),
	    TEST(what_takes_long_is_done_by_a_bulk_thread),
	    TEST(a_change_of_an_identity_has_an_intent),
	    TEST(what_an_earlier_session_executed_is_answered_from_its_intent),
	    TEST(a_ping_asks_whether_the_slots_request_is_over),
	    TEST(a_damaged_intent_is_econnreset_and_a_wrong_repeat_ends_the_connection),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
