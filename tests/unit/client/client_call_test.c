/*
 * client_call_test.c -- the life of a call: in which slot and order it is sent, when it is sent again, what it gives
 * back, and which error it ends with.
 *
 * There is no server: sends are recorded, and the test makes the replies, the losses and the sessions.
 */
#include "client/session/call.h"
#include "client/session/open_files.h"
#include "client/session/slots.h"
#include "client/session/staging_ring.h"
#include "common/clock.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
/* cmocka.h wants the above first */
#include <cmocka.h>

#define SLOTS      3u /* slot 0 is the background thread's: two for calls */
#define MOST       32u
#define NOT_ENDED  1
#define FILE_OPEN  77u
#define PIECE      4096u
#define TIMEOUT_MS 10

static struct farnova fs;
static int64_t now;

/* ---- what is sent, and what ends -------------------------------------------------------------------------------- */

static struct sent {
	const struct proto_request *request; /* tells of which call it is */
	uint16_t op, slot;
	uint32_t sequence;
	uint64_t close_first;
	uint64_t open; /* of a READ */
} sent[MOST];
static unsigned sent_count;
static int send_error;
static bool close_loses; /* the connection is lost when a CLOSE is sent */
static unsigned ring_writes;

static struct outcome {
	const struct call *call;
	int status;
} outcomes[MOST];
static unsigned outcome_count;

static unsigned received, received_without_result, received_on_new_connection;
static void (*during_wait)(void);

int __wrap_send_request(struct farnova *to, struct proto_request *request, unsigned flags);
int __wrap_transport_write(struct transport_conn *conn, const void *local, struct transport_region *region,
                           uint64_t remote, uint64_t key, uint32_t length, void *context, unsigned flags);
int __wrap_poller_wait(struct connection *link, struct waiter *waiter, int64_t deadline_ns);

int __wrap_send_request(struct farnova *to, struct proto_request *request, unsigned flags)
{
	if (send_error)
		return send_error;
	assert_int_equal(to->link.state, CONNECTION_UP);
	if (close_loses && request->op == PROTO_CLOSE) {
		to->link.state = CONNECTION_LOST;
		call_lost(to);
		return -ENOTCONN;
	}
	assert_true(sent_count < MOST);
	sent[sent_count++] = (struct sent){
	    .request = request,
	    .op = request->op,
	    .slot = request->slot,
	    .sequence = request->sequence,
	    .close_first = request->close_first,
	    .open = request->op == PROTO_READ ? request->read.open : 0,
	};
	return 0;
}

int __wrap_transport_write(struct transport_conn *conn, const void *local, struct transport_region *region,
                           uint64_t remote, uint64_t key, uint32_t length, void *context, unsigned flags)
{
	ring_writes++;
	return 0;
}

int __wrap_poller_wait(struct connection *link, struct waiter *waiter, int64_t deadline_ns)
{
	during_wait();
	return 0;
}

static int64_t test_now(void)
{
	return now;
}

static int receive(struct farnova *from, struct call *call, const struct proto_reply *reply)
{
	received++;
	received_without_result += call->result == NULL;
	received_on_new_connection += call->on_new_connection;
	return 0;
}

static void on_done(struct farnova *from, struct call *call)
{
	assert_true(outcome_count < MOST);
	outcomes[outcome_count++] = (struct outcome){call, call->status};
	call_free(from, call);
}

/* status_of -- what the call has ended with; its memory may have been used again for a later one. */
static int status_of(const struct call *call)
{
	for (unsigned i = outcome_count; i-- > 0;)
		if (outcomes[i].call == call)
			return outcomes[i].status;
	return NOT_ENDED;
}

/* ---- words of the tests ----------------------------------------------------------------------------------------- */

static struct call *make(uint16_t op)
{
	static int result;
	struct call *call = call_new(&fs, op);

	assert_non_null(call);
	memset(&call->request, 0, sizeof(call->request));
	call->request.op = op;
	call->receive = receive;
	call->result = &result;
	call->on_done = on_done;
	return call;
}

static struct call *start(uint16_t op)
{
	struct call *call = make(op);

	call_start(&fs, call, NULL);
	return call;
}

/* start_waited -- a call that a thread would wait for. */
static struct call *start_waited(uint16_t op)
{
	static struct waiter waiter;
	struct call *call = make(op);

	call->on_done = NULL;
	call_start(&fs, call, &waiter);
	return call;
}

static struct call *start_staged(void)
{
	struct call *call = make(PROTO_WRITE_COMMIT);

	call->memory = buffers_take(&fs.buffers, PIECE);
	call->memory_size = call->staged_length = PIECE;
	call->staging = &call->request.write_commit.staging;
	call_start(&fs, call, NULL);
	return call;
}

static bool reply(uint16_t op, uint16_t slot, uint32_t sequence, uint32_t status)
{
	fs.reply = (struct proto_reply){.op = op, .slot = slot, .sequence = sequence, .status = status};
	return call_reply(&fs, &fs.reply);
}

/* answer -- reply to the message number i, and send what can be sent then, as after each poll. */
static void answer(unsigned i, uint32_t status)
{
	assert_true(reply(sent[i].op, sent[i].slot, sent[i].sequence, status));
	call_pump(&fs);
}

static void assert_sent(unsigned i, const struct call *call, uint16_t slot, uint32_t sequence)
{
	assert_true(i < sent_count);
	assert_ptr_equal(sent[i].request, &call->request);
	assert_int_equal(sent[i].slot, slot);
	assert_int_equal(sent[i].sequence, sequence);
}

static void lose(void)
{
	fs.link.state = CONNECTION_LOST;
	call_lost(&fs);
	staging_ring_lost(&fs);
	staging_init(&fs.staging, fs.staging.size);
	sent_count = 0;
}

static void up(void)
{
	fs.link.state = CONNECTION_UP;
	fs.link.epoch++;
	call_session_resumed(&fs);
}

/* begin_session -- on a new connection. */
static void begin_session(uint64_t identity, uint32_t slots)
{
	fs.session.id++;
	fs.identity.number = identity;
	fs.session.slots = slots;
	call_session_new(&fs);
	up();
}

static void on_lost(struct connection *link)
{
	call_lost(&fs);
}

static const struct connection_handler handler = {.on_lost = on_lost};

static int set_up(void **state)
{
	sent_count = outcome_count = received = received_without_result = received_on_new_connection = 0;
	send_error = 0;
	ring_writes = 0;
	now = CLOCK_NS_PER_S;
	clock_set_source(test_now);
	if (session_init(&fs, &handler))
		return -1;
	begin_session(9, SLOTS);
	return 0;
}

static int tear_down(void **state)
{
	fs.link.state = CONNECTION_ENDED;
	for (unsigned i = 0; i < SLOTS; i++)
		assert_null(fs.slots[i].call);
	assert_true(TAILQ_EMPTY(&fs.unsent));
	session_destroy(&fs);
	clock_set_source(NULL);
	return 0;
}

/* ---- slots and replies ------------------------------------------------------------------------------------------ */

static void the_reply_of_its_slot_and_sequence_ends_a_call(void **state)
{
	struct call *call = start(PROTO_GETATTR);

	assert_int_equal(sent_count, 1);
	assert_sent(0, call, 1, 1);
	assert_false(reply(PROTO_GETATTR, 1, 2, 0));
	assert_false(reply(PROTO_GETATTR, 2, 1, 0));
	assert_false(reply(PROTO_GETATTR, 0, 0, 0));
	assert_false(reply(PROTO_GETATTR, UINT16_MAX, 1, 0));
	assert_false(reply(PROTO_LOOKUP, 1, 1, 0));
	assert_int_equal(status_of(call), NOT_ENDED);
	answer(0, 0);
	assert_int_equal(status_of(call), 0);
	assert_int_equal(received, 1);
	assert_false(reply(PROTO_GETATTR, 1, 1, 0));
	/* The slot is free for the next request, which has the next sequence. */
	call = start(PROTO_GETATTR);
	assert_sent(1, call, 1, 2);
	answer(1, ENOENT);
	assert_int_equal(status_of(call), -ENOENT);
	assert_int_equal(received, 1);
}

static void calls_without_a_slot_are_sent_in_the_order_they_were_started_in(void **state)
{
	struct call *calls[5];

	for (unsigned i = 0; i < 5; i++)
		calls[i] = start(PROTO_GETATTR);
	assert_int_equal(sent_count, SLOTS - 1);
	assert_sent(0, calls[0], 1, 1);
	assert_sent(1, calls[1], 2, 1);
	answer(1, 0);
	assert_sent(2, calls[2], 2, 2);
	answer(2, 0);
	assert_sent(3, calls[3], 2, 3);
	answer(0, 0);
	assert_sent(4, calls[4], 1, 2);
	answer(3, 0);
	answer(4, 0);
	assert_int_equal(outcome_count, 5);
}

static void without_credit_a_call_keeps_its_place_and_uses_one_sequence(void **state)
{
	struct call *first, *second;

	send_error = -EAGAIN;
	first = start(PROTO_GETATTR);
	second = start(PROTO_GETATTR);
	call_pump(&fs);
	assert_int_equal(sent_count, 0);
	send_error = 0;
	call_pump(&fs);
	assert_sent(0, first, 1, 1);
	assert_sent(1, second, 2, 1);
	answer(0, 0);
	answer(1, 0);
}

static void a_request_carries_one_close_and_repeats_it(void **state)
{
	closes_add(&fs, 55);
	struct call *call = start(PROTO_GETATTR);
	assert_int_equal(sent_count, 1);
	assert_int_equal(sent[0].close_first, 55);
	lose();
	closes_add(&fs, 56);
	up();
	/* The close that came later has a message of its own. */
	assert_int_equal(sent_count, 2);
	assert_int_equal(sent[0].op, PROTO_CLOSE);
	assert_sent(1, call, 1, 1);
	assert_int_equal(sent[1].close_first, 55);
	answer(0, 0);
	answer(1, 0);
}

/* ---- another connection ----------------------------------------------------------------------------------------- */

static void nothing_follows_a_close_that_lost_the_connection(void **state)
{
	closes_add(&fs, 55);
	closes_add(&fs, 56);
	close_loses = true;
	struct call *call = start(PROTO_GETATTR);
	close_loses = false;
	assert_int_equal(sent_count, 0);
	assert_int_equal(status_of(call), NOT_ENDED);
	up();
	assert_int_equal(sent_count, 2);
	assert_int_equal(sent[0].op, PROTO_PING); /* whether that CLOSE has come */
	assert_sent(1, call, 1, 1);
	answer(1, 0);
	answer(0, 0);
	assert_int_equal(status_of(call), 0);
}

static void after_a_loss_requests_in_flight_go_first_in_their_slots(void **state)
{
	struct call *gone = start(PROTO_GETATTR), *second = start(PROTO_UNLINK), *first, *waiting;

	answer(0, 0);
	first = start(PROTO_UNLINK); /* in the lower slot */
	waiting = start(PROTO_GETATTR);
	assert_int_equal(status_of(gone), 0);
	lose();
	call_pump(&fs);
	assert_int_equal(sent_count, 0);
	up();
	assert_int_equal(sent_count, 2);
	assert_sent(0, first, 1, 2);
	assert_sent(1, second, 2, 1);
	answer(0, 0);
	assert_int_equal(received_on_new_connection, 1);
	assert_sent(2, waiting, 1, 3);
	answer(2, 0);
	assert_int_equal(received_on_new_connection, 1);
	answer(1, 0);
}

static void a_new_session_of_the_identity_repeats_everything(void **state)
{
	struct call *change = start(PROTO_UNLINK), *look = start(PROTO_GETATTR);

	lose();
	begin_session(9, SLOTS);
	assert_sent(0, change, 1, 1);
	assert_sent(1, look, 2, 1);
	answer(0, 0);
	answer(1, 0);
	assert_int_equal(status_of(change), 0);
	assert_int_equal(status_of(look), 0);
}

static void under_another_identity_no_change_is_repeated(void **state)
{
	struct call *change = start(PROTO_UNLINK), *look = start(PROTO_GETATTR), *unsent = start(PROTO_UNLINK);

	lose();
	begin_session(10, SLOTS);
	assert_int_equal(status_of(change), -ECONNRESET);
	/* What the server cannot have seen is sent, in the slot that has become free: the sequence there is used up. */
	assert_int_equal(sent_count, 2);
	assert_sent(0, look, 2, 1);
	assert_sent(1, unsent, 1, 2);
	answer(0, 0);
	answer(1, 0);
}

static void without_an_identity_no_change_is_repeated_in_another_session(void **state)
{
	begin_session(0, SLOTS);
	struct call *change = start(PROTO_UNLINK);
	lose();
	up();
	assert_sent(0, change, 1, 1);
	lose();
	begin_session(0, SLOTS);
	assert_int_equal(status_of(change), -ECONNRESET);
	assert_int_equal(sent_count, 0);
}

static void calls_in_flight_keep_slots_beyond_a_narrower_window(void **state)
{
	struct call *kept = start(PROTO_GETATTR), *beyond = start(PROTO_UNLINK);

	lose();
	begin_session(9, 2);
	assert_int_equal(sent_count, 2);
	assert_sent(0, kept, 1, 1);
	assert_sent(1, beyond, 2, 1);
	assert_int_equal(fs.slots_used, 3);
	/* A new one waits for a slot within it. */
	struct call *waits = start(PROTO_GETATTR);
	answer(1, 0);
	assert_int_equal(status_of(beyond), 0);
	assert_int_equal(sent_count, 2);
	answer(0, 0);
	assert_int_equal(sent_count, 3);
	assert_sent(2, waits, 1, 2);
	assert_int_equal(fs.slots_used, 2);
	answer(2, 0);
}

static void a_wider_window_lets_calls_go_that_wait(void **state)
{
	struct call *calls[5];

	begin_session(9, 2);
	for (int i = 0; i < 5; i++)
		calls[i] = start(PROTO_GETATTR);
	assert_int_equal(sent_count, 1);
	/* One that is older than that of the session changes nothing. */
	slots_window(&fs, 9, (uint16_t)(fs.session.window - 1));
	call_pump(&fs);
	assert_int_equal(sent_count, 1);
	slots_window(&fs, 4, (uint16_t)(fs.session.window + 1));
	call_pump(&fs);
	assert_int_equal(sent_count, 3);
	/* It becomes narrow: what is in flight goes on, and the lowest slots are used. */
	slots_window(&fs, 2, (uint16_t)(fs.session.window + 1));
	answer(1, 0);
	answer(2, 0);
	assert_int_equal(sent_count, 3);
	answer(0, 0);
	answer(3, 0);
	assert_sent(3, calls[3], 1, 2);
	assert_sent(4, calls[4], 1, 3);
	answer(4, 0);
}

static void an_open_that_went_stale_when_repeated_begins_anew(void **state)
{
	struct call *call = start(PROTO_OPEN);

	lose();
	up();
	answer(0, ESTALE);
	assert_int_equal(status_of(call), NOT_ENDED);
	assert_sent(1, call, 1, 2);
	answer(1, ESTALE);
	assert_int_equal(status_of(call), -ESTALE);
}

/* ---- open files ------------------------------------------------------------------------------------------------- */

static void a_request_names_its_file_as_the_session_does(void **state)
{
	struct farnova_file file = {.fs = &fs, .references = 1, .open = FILE_OPEN};
	struct call *call = make(PROTO_READ);

	call->file = &file;
	call_start(&fs, call, NULL);
	assert_int_equal(file.references, 2);
	assert_int_equal(sent[0].open, FILE_OPEN);
	lose();
	file.open = FILE_OPEN + 1;
	begin_session(9, SLOTS);
	assert_int_equal(sent[0].open, FILE_OPEN + 1);
	answer(0, 0);
	assert_int_equal(file.references, 1);
}

static void a_file_that_could_not_be_reopened_fails_its_calls_unsent(void **state)
{
	struct farnova_file file = {.fs = &fs, .references = 1, .error = -ESTALE};
	struct call *call = make(PROTO_READ);

	call->file = &file;
	call_start(&fs, call, NULL);
	assert_int_equal(status_of(call), -ESTALE);
	assert_int_equal(sent_count, 0);
	assert_int_equal(file.references, 1);
	/* The server has seen nothing: slot and sequence are as before. */
	call = start(PROTO_GETATTR);
	assert_sent(0, call, 1, 1);
	answer(0, 0);
}

/* ---- time limits ------------------------------------------------------------------------------------------------ */

static void pass_deadline(void)
{
	now += (TIMEOUT_MS + 1) * CLOCK_NS_PER_MS;
}

static void answer_first(void)
{
	answer(0, EACCES);
}

static void whoever_waits_gets_the_status(void **state)
{
	fs.timeout_ms = TIMEOUT_MS;
	during_wait = answer_first;
	assert_int_equal(call_finish(&fs, start_waited(PROTO_GETATTR)), -EACCES);
	assert_int_equal(call_run(&fs, NULL), -ENOMEM);
}

static void a_call_given_up_in_flight_keeps_its_slot_until_the_reply(void **state)
{
	fs.timeout_ms = TIMEOUT_MS;
	during_wait = pass_deadline;
	assert_int_equal(call_finish(&fs, start_waited(PROTO_UNLINK)), -ETIMEDOUT);
	struct call *other = start(PROTO_GETATTR);
	assert_sent(1, other, 2, 1);
	answer(1, 0);
	answer(0, 0);
	assert_int_equal(received_without_result, 1);
	other = start(PROTO_GETATTR);
	assert_sent(2, other, 1, 2);
	answer(2, 0);
}

static void a_call_given_up_unsent_is_never_sent(void **state)
{
	fs.timeout_ms = TIMEOUT_MS;
	send_error = -EAGAIN;
	during_wait = pass_deadline;
	assert_int_equal(call_finish(&fs, start_waited(PROTO_UNLINK)), -ETIMEDOUT);
	send_error = 0;
	call_pump(&fs);
	assert_int_equal(sent_count, 0);
	struct call *other = start(PROTO_GETATTR);
	assert_sent(0, other, 1, 1);
	answer(0, 0);
}

/* give_up_in_flight -- a change whose reply nobody waits for any more. */
static void give_up_in_flight(void)
{
	call_abandon(&fs, start_waited(PROTO_UNLINK));
	assert_int_equal(sent_count, 1);
}

static void after_a_loss_a_ping_settles_what_was_given_up(void **state)
{
	give_up_in_flight();
	lose();
	up();
	assert_int_equal(sent_count, 1);
	assert_int_equal(sent[0].op, PROTO_PING);
	assert_int_equal(sent[0].slot, 1);
	assert_int_equal(sent[0].sequence, 1);
	answer(0, 0);
	assert_int_equal(received, 0);
	struct call *other = start(PROTO_GETATTR);
	assert_sent(1, other, 1, 2);
	answer(1, 0);
}

static void what_was_given_up_ends_with_its_session(void **state)
{
	give_up_in_flight();
	lose();
	begin_session(9, SLOTS);
	assert_int_equal(sent_count, 0);
	struct call *other = start(PROTO_GETATTR);
	assert_sent(0, other, 1, 2);
	answer(0, 0);
}

/* ---- staged data ------------------------------------------------------------------------------------------------ */

static void have_ring(void)
{
	staging_init(&fs.staging, PIECE);
	fs.session.ring.state = RING_GRANTED;
}

static void who_waits_for_room_in_the_ring_holds_up_nobody_else(void **state)
{
	have_ring();
	struct call *first = start_staged(), *second = start_staged(), *other = start(PROTO_GETATTR);

	assert_int_equal(sent_count, 2);
	assert_sent(0, first, 1, 1);
	assert_sent(1, other, 2, 1);
	assert_int_equal(ring_writes, 1);
	answer(0, 0);
	assert_sent(2, second, 1, 2);
	answer(1, 0);
	answer(2, 0);
	assert_int_equal(ring_writes, 2);
	assert_int_equal(fs.staging.count, 0);
}

static void after_a_loss_staged_data_are_written_again(void **state)
{
	have_ring();
	struct call *call = start_staged();

	lose();
	up();
	/* The ring is another one now, which has to be asked for. */
	assert_int_equal(sent_count, 1);
	assert_int_equal(sent[0].op, PROTO_STAGING);
	fs.session.ring.state = RING_GRANTED;
	call_pump(&fs);
	assert_int_equal(ring_writes, 2);
	assert_sent(1, call, 1, 1);
	answer(1, 0);
	assert_int_equal(fs.staging.count, 0);
}

static void what_no_ring_can_hold_is_refused(void **state)
{
	have_ring();
	staging_init(&fs.staging, PIECE / 2);
	struct call *call = start_staged();

	assert_int_equal(status_of(call), -EMSGSIZE);
	assert_int_equal(sent_count, 0);
}

static void without_a_ring_only_staged_calls_are_refused(void **state)
{
	staging_init(&fs.staging, PIECE);
	struct call *staged = start_staged();
	send_error = -EAGAIN;
	struct call *other = start(PROTO_GETATTR);

	call_refuse_staged(&fs, -ENOMEM);
	assert_int_equal(status_of(staged), -ENOMEM);
	assert_int_equal(status_of(other), NOT_ENDED);
	send_error = 0;
	call_pump(&fs);
	assert_sent(1, other, 1, 1); /* message 0 asks for the ring */
	answer(1, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(the_reply_of_its_slot_and_sequence_ends_a_call),
	    TEST(calls_without_a_slot_are_sent_in_the_order_they_were_started_in),
	    TEST(without_credit_a_call_keeps_its_place_and_uses_one_sequence),
	    TEST(a_request_carries_one_close_and_repeats_it),
	    TEST(nothing_follows_a_close_that_lost_the_connection),
	    TEST(after_a_loss_requests_in_flight_go_first_in_their_slots),
	    TEST(a_new_session_of_the_identity_repeats_everything),
	    TEST(under_another_identity_no_change_is_repeated),
	    TEST(without_an_identity_no_change_is_repeated_in_another_session),
	    TEST(calls_in_flight_keep_slots_beyond_a_narrower_window),
	    TEST(a_wider_window_lets_calls_go_that_wait),
	    TEST(an_open_that_went_stale_when_repeated_begins_anew),
	    TEST(a_request_names_its_file_as_the_session_does),
	    TEST(a_file_that_could_not_be_reopened_fails_its_calls_unsent),
	    TEST(whoever_waits_gets_the_status),
	    TEST(a_call_given_up_in_flight_keeps_its_slot_until_the_reply),
	    TEST(a_call_given_up_unsent_is_never_sent),
	    TEST(after_a_loss_a_ping_settles_what_was_given_up),
	    TEST(what_was_given_up_ends_with_its_session),
	    TEST(who_waits_for_room_in_the_ring_holds_up_nobody_else),
	    TEST(after_a_loss_staged_data_are_written_again),
	    TEST(what_no_ring_can_hold_is_refused),
	    TEST(without_a_ring_only_staged_calls_are_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
