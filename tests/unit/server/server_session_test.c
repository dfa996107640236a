/*
 * server_session_test.c -- sessions: slots, resumption, limits and credentials, against a whole server.
 */
#include "tests/support/session_fixture.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define RESUMERS 4

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
	assert_int_equal(raw_staging(c, true), 0);
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

static void a_staging_ring_is_there_while_it_is_granted(void **state)
{
	static uint8_t data[8192];
	struct proto_reply reply;

	(void)state;
	struct raw_client *c = client();
	struct proto_request request = {.op = PROTO_WRITE_COMMIT};
	request.write_commit.open = open_file(c, "granted", READ_WRITE);
	request.write_commit.length = sizeof(data);
	assert_int_equal(raw_call(c, &request, &reply), -EINVAL);
	assert_int_equal(raw_staging(c, true), 0);
	uint64_t key = c->staging_key, address = c->staging_address;
	assert_int_equal(raw_staging(c, true), 0);
	assert_true(key == c->staging_key && address == c->staging_address);
	memset(data, 'g', sizeof(data));
	assert_int_equal(transport_write(c->conn, data, NULL, address, key, sizeof(data), NULL, TRANSPORT_MORE), 0);
	assert_int_equal(raw_call(c, &request, &reply), 0);
	assert_int_equal(raw_staging(c, false), 0);
	assert_int_equal(raw_staging(c, false), 0);
	assert_int_equal(raw_call(c, &request, &reply), -EINVAL);
	/* Granted again it is empty; what was written is in the file. */
	assert_int_equal(raw_staging(c, true), 0);
	request.write_commit.offset = sizeof(data);
	assert_int_equal(raw_call(c, &request, &reply), 0);
	struct proto_request read = {.op = PROTO_READ};
	read.read.open = request.write_commit.open;
	read.read.offset = sizeof(data) - 1;
	read.read.length = 2;
	assert_int_equal(raw_call(c, &read, &reply), 0);
	assert_memory_equal(reply.read.data, "g", 2);
	/* The key of a ring that was given back is nobody's. */
	key = c->staging_key;
	assert_int_equal(raw_staging(c, false), 0);
	assert_int_equal(transport_write(c->conn, data, NULL, address, key, sizeof(data), NULL, 0), 0);
	assert_true(raw_wait_closed(c, 10000));
	raw_close(c);
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

/* A connection without HELLO is closed after `hello_ms`, or after a tenth of that when there are many. */
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

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, start, stop)
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
	    CASE(a_staging_ring_is_there_while_it_is_granted),
	    CASE(limits_are_kept_and_root_is_squashed),
	    CASE(idle_sessions_make_room_and_those_with_opens_do_not),
	    CASE(connections_without_hello_end_sooner_where_there_are_many),
	    CASE(credentials_by_number_decide_what_is_allowed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
