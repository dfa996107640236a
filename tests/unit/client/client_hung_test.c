/*
 * client_hung_test.c -- no call, and neither connecting nor disconnecting, waits longer than `timeout_ms` for a server
 * that hangs, and what a caller gave up harms nobody once the server goes on.
 *
 * A server hangs in two ways: it is stopped, so that not even the transport answers, or it is one of this program that
 * answers HELLO and then no request any more.
 */
#include "client/include/farnova.h"
#include "common/transport/transport.h"
#include "proto/proto.h"
#include "tests/integration/check.h"
#include "tests/support/client_server.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
/* cmocka.h wants the above first */
#include <cmocka.h>

#define TIMEOUT_MS 700
/* What a crowded host may add; without the limit the calls wait for 15 s, a lease, or for ever. */
#define SLACK_MS   6000
#define SIZE       (1u << 20)
#define READERS    30 /* one after the other they take longer than the slack */

static struct client_server server;
static uint8_t data[SIZE];

static int64_t now_ms(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static struct farnova *connect_to(const char *url)
{
	return farnova_connect(url, &(struct farnova_options){.size = sizeof(struct farnova_options),
	                                                      .transport = "tcp",
	                                                      .timeout_ms = TIMEOUT_MS});
}

/* IN_TIME -- the expression ends in time; its value. */
#define IN_TIME(expression)                                                                                            \
	({                                                                                                             \
		int64_t begun = now_ms();                                                                              \
		__typeof__(expression) result = (expression);                                                          \
		int64_t took = now_ms() - begun;                                                                       \
		if (took > TIMEOUT_MS + SLACK_MS)                                                                      \
			print_error("%s took %lld ms\n", #expression, (long long)took);                                \
		CHECK(took <= TIMEOUT_MS + SLACK_MS);                                                                  \
		result;                                                                                                \
	})

#define FAILS_IN_TIME(expression)                                                                                      \
	do {                                                                                                           \
		CHECK(IN_TIME(expression) == -1);                                                                      \
		CHECK(errno == ETIMEDOUT);                                                                             \
	} while (0)

/* ---- a server that is stopped ------------------------------------------------------------------------------------ */

static void continue_server(void)
{
	assert_int_equal(kill(server.pid, SIGCONT), 0);
}

static void calls_give_up_on_a_stopped_server(void **state)
{
	struct farnova *fs = connect_to(server.url);
	struct stat st;

	assert_non_null(fs);
	struct farnova_file *file = farnova_open(fs, "stopped", O_RDWR | O_CREAT | O_TRUNC, 0600);
	struct farnova_file *other = farnova_open(fs, "other", O_RDWR | O_CREAT | O_TRUNC, 0600);
	assert_true(file && other);
	memset(data, 'a', SIZE);
	assert_int_equal(farnova_pwrite(file, data, SIZE, 0), SIZE);
	assert_int_equal(farnova_pread(file, data, 4096, 0), 4096); /* under a layout from now on */
	client_server_freeze(&server);
	FAILS_IN_TIME(farnova_stat(fs, "/", &st));
	FAILS_IN_TIME(farnova_pread(file, data, 4096, 0));
	FAILS_IN_TIME(farnova_pread(file, data, SIZE, 0));
	memset(data, 'b', SIZE);
	FAILS_IN_TIME(farnova_pwrite(other, data, 100, 0));
	FAILS_IN_TIME(farnova_pwrite(other, data, 4096, 0));
	FAILS_IN_TIME(farnova_pwrite(other, data, SIZE, 0));
	FAILS_IN_TIME(farnova_mkdir(fs, "dir", 0700));
	for (int i = 0; i < 3; i++)
		CHECK(!IN_TIME(farnova_open(fs, "stopped", O_RDONLY, 0)) && errno == ETIMEDOUT);
	CHECK(!IN_TIME(connect_to(server.url)));
	assert_int_equal(errno, ETIMEDOUT);
	continue_server();
	/* The same connection goes on, and what was given up has taken no data or slot with it. */
	int64_t begun = now_ms();
	while (farnova_stat(fs, "/", &st) != 0)
		assert_true(now_ms() - begun < 60000);
	for (int i = 0; i < 200; i++) {
		memset(data, i, SIZE);
		size_t size = i % 2 ? SIZE : 5000;
		assert_int_equal(farnova_pwrite(file, data, size, 0), size);
		memset(data, 'x', SIZE);
		assert_int_equal(farnova_pread(file, data, size, 0), size);
		for (size_t k = 0; k < size; k++)
			assert_int_equal(data[k], (uint8_t)i);
	}
	assert_int_equal(farnova_close(file), 0);
	farnova_disconnect(fs);
}

static int disconnect_from(struct farnova *fs)
{
	farnova_disconnect(fs);
	return 0;
}

static void closing_and_disconnecting_end_though_the_server_is_stopped(void **state)
{
	struct farnova *fs = connect_to(server.url);
	static struct farnova_file *files[100];

	assert_non_null(fs);
	for (int i = 0; i < 100; i++)
		assert_non_null(files[i] = farnova_open(fs, "closed", O_RDWR | O_CREAT, 0600));
	client_server_freeze(&server);
	for (int i = 0; i < 36; i++)
		CHECK(IN_TIME(farnova_close(files[i])) == 0);
	CHECK(IN_TIME(disconnect_from(fs)) == 0);
	continue_server();
}

static void *read_shared(void *file)
{
	char byte;

	FAILS_IN_TIME(farnova_read(file, &byte, 1));
	return NULL;
}

/* Each waits for the position at most as long as for the server, not as long as all those before it. */
static void threads_that_share_a_position_give_up_on_it(void **state)
{
	struct farnova *fs = connect_to(server.url);
	pthread_t threads[READERS];

	assert_non_null(fs);
	struct farnova_file *file = farnova_open(fs, "shared", O_RDWR | O_CREAT | O_TRUNC, 0600);
	assert_non_null(file);
	assert_int_equal(farnova_pwrite(file, data, 100, 0), 100);
	client_server_freeze(&server);
	for (unsigned i = 0; i < READERS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, read_shared, file), 0);
	for (unsigned i = 0; i < READERS; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	continue_server();
	CHECK(IN_TIME(disconnect_from(fs)) == 0);
}

/* ---- a server that does not answer ------------------------------------------------------------------------------- */

static struct transport_listener *listener;
static struct transport_queue *queue;
static struct transport_conn *accepted[8];
static unsigned accepted_count;
static pthread_t thread;
static atomic_bool ended;
static atomic_bool says_hello;
static char url[64];

static uint8_t staging[1 << 20];

static void answer_hello(struct transport_conn *conn, const struct proto_request *request)
{
	static struct proto_reply reply;
	uint8_t message[PROTO_MAX_MESSAGE];
	memset(&reply, 0, sizeof(reply));
	reply.op = PROTO_HELLO;
	reply.slot = request->slot;
	reply.sequence = request->sequence;
	reply.hello.version = PROTO_VERSION;
	reply.hello.resumed = request->hello.session != 0;
	reply.hello.session = request->hello.session ? request->hello.session : 77;
	reply.hello.session_key = 1;
	reply.hello.instance = 1;
	reply.slots = 4;
	reply.hello.lease_ms = 60000;
	reply.hello.max_read = reply.hello.max_write = 8192;
	reply.hello.staging_size = sizeof(staging);
	reply.hello.root = (struct proto_handle){.ino = 1, .generation = 1};
	int length = proto_encode_reply(&reply, message, sizeof(message));
	CHECK(length > 0);
	struct iovec iov = {.iov_base = message, .iov_len = (size_t)length};
	CHECK(transport_send(conn, &iov, 1, 0) == 0);
}

static void answer_staging(struct transport_conn *conn)
{
	static struct proto_reply reply;
	uint8_t message[PROTO_MAX_MESSAGE];
	struct transport_region *region;

	CHECK(transport_register(conn, staging, sizeof(staging), (uintptr_t)staging, TRANSPORT_REMOTE_WRITE, &region) ==
	      0);
	reply.op = PROTO_STAGING;
	reply.slot = PROTO_SLOT_NONE;
	reply.staging.granted = true;
	reply.staging.address = (uintptr_t)staging;
	reply.staging.key = transport_region_key(region);
	int length = proto_encode_reply(&reply, message, sizeof(message));
	CHECK(length > 0);
	struct iovec iov = {.iov_base = message, .iov_len = (size_t)length};
	CHECK(transport_send(conn, &iov, 1, 0) == 0);
}

static void *serve(void *argument)
{
	while (!atomic_load(&ended)) {
		struct transport_pending *pending;
		struct transport_event event;
		struct proto_request request;
		const char *why;
		if (accepted_count < 8 && transport_listener_next(listener, &pending) == 0)
			CHECK(transport_accept(pending, queue,
			                       &(struct transport_options){.message_size = PROTO_MESSAGE_SIZE},
			                       &accepted[accepted_count++]) == 0);
		if (transport_poll(queue, &event, 1) == 1 && event.type == TRANSPORT_MESSAGE) {
			int error = proto_decode_request(event.data, event.length, &request, &why);
			if (error == 0 && request.op == PROTO_HELLO && atomic_load(&says_hello))
				answer_hello(event.conn, &request);
			if (error == 0 && request.op == PROTO_STAGING)
				answer_staging(event.conn);
			transport_release(event.conn, event.data);
		}
		poll(NULL, 0, 1);
	}
	return argument;
}

static int start_silent(void **state)
{
	char why[256];

	atomic_store(&ended, false);
	accepted_count = 0;
	assert_int_equal(transport_listen(TRANSPORT_TCP, "127.0.0.1", 0, &listener, why, sizeof(why)), 0);
	assert_int_equal(transport_queue_create(TRANSPORT_TCP, &queue), 0);
	snprintf(url, sizeof(url), "farnova://127.0.0.1:%u/", transport_listener_port(listener));
	assert_int_equal(pthread_create(&thread, NULL, serve, NULL), 0);
	return 0;
}

static int end_silent(void **state)
{
	atomic_store(&ended, true);
	assert_int_equal(pthread_join(thread, NULL), 0);
	for (unsigned i = 0; i < accepted_count; i++)
		transport_close(accepted[i]);
	transport_queue_destroy(queue);
	transport_listener_close(listener);
	return 0;
}

static void connecting_gives_up_on_a_server_that_says_no_hello(void **state)
{
	atomic_store(&says_hello, false);
	CHECK(!IN_TIME(connect_to(url)));
	assert_int_equal(errno, ETIMEDOUT);
}

/* Slots are never given back here: when all are taken, waiting for one ends in time, too. */
static void calls_give_up_on_a_reply_that_never_comes(void **state)
{
	struct stat st;

	atomic_store(&says_hello, true);
	struct farnova *fs = connect_to(url);
	assert_non_null(fs);
	for (int i = 0; i < 5; i++)
		FAILS_IN_TIME(farnova_stat(fs, "/", &st));
	FAILS_IN_TIME(farnova_mkdir(fs, "dir", 0700));
	CHECK(IN_TIME(disconnect_from(fs)) == 0);
}

static int start(void **state)
{
	client_server_create(&server);
	return 0;
}

static int end(void **state)
{
	client_server_destroy(&server);
	return 0;
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(calls_give_up_on_a_stopped_server),
	    cmocka_unit_test(closing_and_disconnecting_end_though_the_server_is_stopped),
	    cmocka_unit_test(threads_that_share_a_position_give_up_on_it),
	    cmocka_unit_test_setup_teardown(connecting_gives_up_on_a_server_that_says_no_hello, start_silent,
	                                    end_silent),
	    cmocka_unit_test_setup_teardown(calls_give_up_on_a_reply_that_never_comes, start_silent, end_silent),
	};
	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	alarm(280);
	return cmocka_run_group_tests(tests, start, end);
}
