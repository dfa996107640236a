/*
 * transport_tcp_test.c -- the tcp transport against peers that do not keep to the protocol, and what only it has.
 *
 * The peer is a bare socket that sends frames made here. An honest connection beside it must not notice anything.
 */
// clang-format off
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/log.h"
#include "common/transport/tcp/tcp_wire.h"
#include "tests/support/transport_fixture.h"

#define BASE 0x10000ull

/* A raw peer, an honest connection on the same queue, and memory that the server lets the raw peer reach. */
struct hostile {
	struct fixture *fixture;
	struct transport_conn *honest_client, *honest_server, *server;
	struct transport_region *shared;
	uint8_t memory[64 * 1024] __attribute__((aligned(4096)));
	int fd;
};

static int raw_socket(const struct fixture *fixture)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
	                              .sin_port = htons(transport_listener_port(fixture->listener)),
	                              .sin_addr = {htonl(INADDR_LOOPBACK)}};
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	assert_true(fd >= 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

static struct transport_pending *next_pending(struct transport_listener *listener, int ms)
{
	struct pollfd ready = {.fd = transport_listener_fd(listener), .events = POLLIN};
	struct transport_pending *pending = NULL;
	int64_t deadline = fixture_now_us() + ms * 1000;

	while (transport_listener_next(listener, &pending) == -EAGAIN && fixture_now_us() < deadline)
		poll(&ready, 1, (int)((deadline - fixture_now_us()) / 1000) + 1);
	return pending;
}

static void send_raw(int fd, const void *bytes, size_t length)
{
	assert_int_equal(send(fd, bytes, length, MSG_NOSIGNAL), length);
}

static void send_frame(int fd, struct tcp_frame frame)
{
	uint8_t header[TCP_HEADER_SIZE];

	tcp_frame_encode(&frame, header);
	send_raw(fd, header, sizeof(header));
}

static void send_hello(int fd, uint32_t operations)
{
	uint8_t hello[TCP_HELLO_SIZE];

	tcp_hello_encode(&(struct transport_hello){.message_size = 1024, .receive_depth = 4, .operations = operations},
	                 hello);
	send_raw(fd, hello, sizeof(hello));
}

static struct hostile *hostile_create(uint32_t operations)
{
	struct transport_options options = {.message_size = 1024, .receive_depth = 4, .operations = 4};
	struct hostile *hostile = aligned_alloc(4096, (sizeof(*hostile) + 4095) & ~4095ul);
	struct transport_pending *pending;
	uint8_t hello[TCP_HELLO_SIZE];

	memset(hostile, 0, sizeof(*hostile));
	hostile->fixture = fixture_create(TRANSPORT_TCP, "127.0.0.1");
	fixture_connect(hostile->fixture, NULL, NULL, &hostile->honest_client, &hostile->honest_server);
	hostile->fd = raw_socket(hostile->fixture);
	send_hello(hostile->fd, operations);
	pending = next_pending(hostile->fixture->listener, 5000);
	assert_non_null(pending);
	assert_int_equal(transport_accept(pending, hostile->fixture->server.queue, &options, &hostile->server), 0);
	assert_int_equal(recv(hostile->fd, hello, sizeof(hello), MSG_WAITALL), sizeof(hello));
	hostile->shared = fixture_share(hostile->server, hostile->memory, sizeof(hostile->memory), BASE,
	                                TRANSPORT_REMOTE_READ | TRANSPORT_REMOTE_WRITE);
	return hostile;
}

static void expect_honest_works(struct hostile *hostile)
{
	assert_int_equal(fixture_send(hostile->honest_client, "hello", 5), 0);
	fixture_expect_message(hostile->fixture, &hostile->fixture->server, hostile->honest_server, "hello", 5);
}

static void hostile_destroy(struct hostile *hostile)
{
	expect_honest_works(hostile);
	close(hostile->fd);
	transport_close(hostile->server);
	transport_close(hostile->honest_client);
	transport_close(hostile->honest_server);
	fixture_destroy(hostile->fixture);
	free(hostile);
}

/* The socket's end, after at most a frame that says why. */
static void expect_end(int fd)
{
	uint8_t bytes[4096];
	struct timeval patience = {.tv_sec = 10};
	ssize_t count;

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	while ((count = recv(fd, bytes, sizeof(bytes), 0)) > 0)
		;
	assert_true(count == 0 || errno == ECONNRESET);
}

static void expect_protocol_error(struct hostile *hostile)
{
	struct transport_event event = fixture_wait(hostile->fixture, &hostile->fixture->server);

	assert_int_equal(event.type, TRANSPORT_CLOSED);
	assert_ptr_equal(event.conn, hostile->server);
	assert_int_equal(event.status, -EPROTO);
	expect_end(hostile->fd);
	hostile_destroy(hostile);
}

/* ---- before the hello ------------------------------------------------------------------------------------------- */

static void garbage_on_the_port_is_turned_away(void **state)
{
	struct fixture *fixture = fixture_create(TRANSPORT_TCP, "127.0.0.1");
	uint8_t hello[TCP_HELLO_SIZE];
	struct transport_conn *client, *server;
	unsigned seed = 1;

	for (int round = 0; round < 200; round++) {
		int fd = raw_socket(fixture);
		uint8_t bytes[200];

		for (size_t i = 0; i < sizeof(bytes); i++)
			bytes[i] = (uint8_t)rand_r(&seed);
		send_raw(fd, bytes, sizeof(bytes));
		while (recv(fd, bytes, 1, MSG_DONTWAIT) < 0 && errno == EAGAIN)
			assert_null(next_pending(fixture->listener, 1));
		expect_end(fd);
		close(fd);
	}
	/* A hello with one byte changed, each byte in turn, is refused but for where any value of it is allowed. */
	for (size_t i = 0; i < 28; i++) {
		int fd = raw_socket(fixture);

		tcp_hello_encode(&(struct transport_hello){.message_size = 1024, .receive_depth = 4, .operations = 4},
		                 hello);
		if (i == 8)
			i += 16; /* the ticket */
		hello[i] ^= 0x80;
		send_raw(fd, hello, sizeof(hello));
		assert_null(next_pending(fixture->listener, 20));
		expect_end(fd);
		close(fd);
	}
	fixture_connect(fixture, NULL, NULL, &client, &server);
	transport_close(client);
	transport_close(server);
	fixture_destroy(fixture);
}

static void a_hello_with_limits_out_of_range_is_refused(void **state)
{
	static const struct {
		uint32_t message_size, receive_depth, operations;
	} bad[] = {
	    {0, 4, 4}, {65537, 4, 4}, {UINT32_MAX, 4, 4}, {1024, 0, 4}, {1024, 65536, 4}, {1024, 4, 0}, {1024, 4, 4097},
	};
	struct fixture *fixture = fixture_create(TRANSPORT_TCP, "127.0.0.1");
	uint8_t hello[TCP_HELLO_SIZE];

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		int fd = raw_socket(fixture);

		tcp_hello_encode(&(struct transport_hello){.message_size = bad[i].message_size,
		                                           .receive_depth = bad[i].receive_depth,
		                                           .operations = bad[i].operations},
		                 hello);
		send_raw(fd, hello, sizeof(hello));
		assert_null(next_pending(fixture->listener, 20));
		expect_end(fd);
		close(fd);
	}
	fixture_destroy(fixture);
}

static void a_peer_that_says_nothing_is_dropped_in_time(void **state)
{
	struct fixture *fixture = fixture_create(TRANSPORT_TCP, "127.0.0.1");
	int silent = raw_socket(fixture), half = raw_socket(fixture);
	uint8_t hello[TCP_HELLO_SIZE];
	struct transport_conn *client, *server;

	tcp_hello_encode(&(struct transport_hello){.message_size = 1024, .receive_depth = 4, .operations = 4}, hello);
	send_raw(half, hello, TCP_HELLO_SIZE / 2);
	fixture_connect(fixture, NULL, NULL, &client, &server);
	assert_null(next_pending(fixture->listener, 6500));
	expect_end(silent);
	expect_end(half);
	close(silent);
	close(half);
	transport_close(client);
	transport_close(server);
	fixture_destroy(fixture);
}

static void running_out_of_descriptors_is_survived(void **state)
{
	struct fixture *fixture = fixture_create(TRANSPORT_TCP, "127.0.0.1");
	struct rlimit before, low;
	struct transport_conn *client, *server;
	int fds[8];

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	for (int i = 0; i < 8; i++)
		fds[i] = raw_socket(fixture);
	low = before;
	low.rlim_cur = (rlim_t)fds[7] + 1;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
	assert_null(next_pending(fixture->listener, 100));
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	fixture_connect(fixture, NULL, NULL, &client, &server);
	transport_close(client);
	transport_close(server);
	for (int i = 0; i < 8; i++)
		close(fds[i]);
	fixture_destroy(fixture);
}

/* ---- after it --------------------------------------------------------------------------------------------------- */

static void malformed_frames_end_only_their_connection(void **state)
{
	struct tcp_frame bad[] = {
	    {.type = 0},
	    {.type = 9, .length = 1},
	    {.type = 255, .length = 1},
	    {.type = TCP_HELLO, .length = TCP_HELLO_SIZE - TCP_HEADER_SIZE},
	    {.type = TCP_MESSAGE, .length = 0},
	    {.type = TCP_MESSAGE, .length = 1025},
	    {.type = TCP_MESSAGE, .length = UINT32_MAX},
	    {.type = TCP_MESSAGE, .length = 10, .remote = 1},
	    {.type = TCP_MESSAGE, .length = 10, .wants_ack = true},
	    {.type = TCP_MESSAGE, .length = 10, .credits = 1},
	    {.type = TCP_READ_REQUEST, .length = 0, .remote = BASE},
	    {.type = TCP_READ_REQUEST, .length = UINT32_MAX, .remote = BASE},
	    {.type = TCP_WRITE, .length = 0, .remote = BASE},
	    {.type = TCP_WRITE, .length = UINT32_MAX, .remote = BASE},
	    {.type = TCP_READ_RESPONSE, .length = 10},
	    {.type = TCP_WRITE_ACK, .length = 1},
	    {.type = TCP_WRITE_ACK, .length = 0},
	    {.type = TCP_WRITE_ACK, .length = UINT32_MAX},
	    {.type = TCP_CREDIT, .credits = 0},
	    {.type = TCP_CREDIT, .credits = 5},
	    {.type = TCP_CREDIT, .credits = 65535},
	    {.type = TCP_CREDIT, .credits = 1, .length = 1},
	    {.type = TCP_ERROR, .length = 0},
	    {.type = TCP_ERROR, .length = UINT32_MAX},
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct hostile *hostile = hostile_create(4);

		bad[i].key = bad[i].type == TCP_WRITE || bad[i].type == TCP_READ_REQUEST
		                 ? transport_region_key(hostile->shared)
		                 : 0;
		send_frame(hostile->fd, bad[i]);
		expect_protocol_error(hostile);
	}
}

static void a_message_without_a_credit_ends_the_connection(void **state)
{
	struct hostile *hostile = hostile_create(4);

	for (int i = 0; i < 5; i++) {
		send_frame(hostile->fd, (struct tcp_frame){.type = TCP_MESSAGE, .length = 1});
		send_raw(hostile->fd, "x", 1);
	}
	for (int i = 0; i < 4; i++)
		assert_int_equal(fixture_wait(hostile->fixture, &hostile->fixture->server).type, TRANSPORT_MESSAGE);
	expect_protocol_error(hostile);
}

static void more_operations_than_agreed_end_the_connection(void **state)
{
	struct hostile *hostile = hostile_create(4);
	uint64_t key = transport_region_key(hostile->shared);

	/* Nothing is read here, so that no answer gets out in full. */
	for (int i = 0; i < 1000; i++) {
		uint8_t header[TCP_HEADER_SIZE];

		tcp_frame_encode(
		    &(struct tcp_frame){
		        .type = TCP_READ_REQUEST, .length = sizeof(hostile->memory), .remote = BASE, .key = key},
		    header);
		if (send(hostile->fd, header, sizeof(header), MSG_NOSIGNAL) < 0)
			break;
	}
	expect_protocol_error(hostile);
}

static void a_peer_that_does_not_read_costs_a_bounded_amount(void **state)
{
	struct hostile *hostile = hostile_create(4096);
	uint64_t key = transport_region_key(hostile->shared);
	struct rusage before, after;

	getrusage(RUSAGE_SELF, &before);
	for (int i = 0; i < 4000; i++)
		send_frame(hostile->fd, (struct tcp_frame){.type = TCP_READ_REQUEST,
		                                           .length = sizeof(hostile->memory),
		                                           .remote = BASE,
		                                           .key = key});
	for (int i = 0; i < 2000; i++)
		fixture_pump(hostile->fixture);
	getrusage(RUSAGE_SELF, &after);
	/* 250 MiB were asked for. */
	assert_true(after.ru_maxrss - before.ru_maxrss < 8 * 1024);
	hostile_destroy(hostile);
}

static void frames_that_come_byte_by_byte_are_understood(void **state)
{
	struct hostile *hostile = hostile_create(4);
	uint8_t bytes[3 * TCP_HEADER_SIZE + 300], answer[TCP_HEADER_SIZE + 200];
	uint64_t key = transport_region_key(hostile->shared);
	size_t length = 0;

	tcp_frame_encode(&(struct tcp_frame){.type = TCP_WRITE, .length = 200, .remote = BASE + 5, .key = key}, bytes);
	length += TCP_HEADER_SIZE;
	memset(bytes + length, 0xab, 200);
	length += 200;
	tcp_frame_encode(&(struct tcp_frame){.type = TCP_READ_REQUEST, .length = 200, .remote = BASE + 5, .key = key},
	                 bytes + length);
	length += TCP_HEADER_SIZE;
	tcp_frame_encode(&(struct tcp_frame){.type = TCP_MESSAGE, .length = 100}, bytes + length);
	length += TCP_HEADER_SIZE;
	memset(bytes + length, 0xcd, 100);
	length += 100;
	for (size_t i = 0; i < length; i++) {
		send_raw(hostile->fd, bytes + i, 1);
		if (i < length - 1)
			fixture_expect_silence(hostile->fixture, 0);
		fixture_pump(hostile->fixture);
	}
	fixture_expect_message(hostile->fixture, &hostile->fixture->server, hostile->server, bytes + length - 100, 100);
	assert_int_equal(recv(hostile->fd, answer, sizeof(answer), MSG_WAITALL), sizeof(answer));
	assert_memory_equal(answer + TCP_HEADER_SIZE, bytes + TCP_HEADER_SIZE, 200);
	assert_memory_equal(hostile->memory + 5, bytes + TCP_HEADER_SIZE, 200);
	assert_int_equal(hostile->memory[4], 0);
	assert_int_equal(hostile->memory[205], 0);
	hostile_destroy(hostile);
}

static void a_region_that_goes_while_it_is_written_ends_the_connection(void **state)
{
	struct hostile *hostile = hostile_create(4);
	uint8_t part[1000];

	memset(part, 0x77, sizeof(part));
	send_frame(hostile->fd, (struct tcp_frame){.type = TCP_WRITE,
	                                           .length = 8000,
	                                           .remote = BASE,
	                                           .key = transport_region_key(hostile->shared)});
	send_raw(hostile->fd, part, sizeof(part));
	while (hostile->memory[999] != 0x77)
		fixture_pump(hostile->fixture);
	transport_deregister(hostile->shared);
	fixture_expect_closed(hostile->fixture, &hostile->fixture->server, hostile->server);
	(void)!send(hostile->fd, part, sizeof(part), MSG_NOSIGNAL);
	fixture_expect_silence(hostile->fixture, 20);
	assert_int_equal(hostile->memory[1000], 0);
	hostile_destroy(hostile);
}

static void a_peer_that_stops_half_way_holds_up_nobody(void **state)
{
	struct hostile *hostile = hostile_create(4);

	send_frame(hostile->fd, (struct tcp_frame){.type = TCP_MESSAGE, .length = 1000});
	send_raw(hostile->fd, "half", 4);
	for (int i = 0; i < 10; i++)
		expect_honest_works(hostile);
	fixture_expect_silence(hostile->fixture, 10);
	shutdown(hostile->fd, SHUT_WR);
	fixture_expect_closed(hostile->fixture, &hostile->fixture->server, hostile->server);
	hostile_destroy(hostile);
}

/* ---- UNIX sockets ----------------------------------------------------------------------------------------------- */

static void a_unix_socket_serves_and_leaves_nothing_behind(void **state)
{
	struct transport_listener *second;
	struct transport_conn *client, *server;
	struct fixture *fixture;
	char path[64], why[256];
	struct stat status;

	snprintf(path, sizeof(path), "/tmp/transport-test-%d.sock", getpid());
	fixture = fixture_create(TRANSPORT_TCP, path);
	fixture_connect(fixture, NULL, NULL, &client, &server);
	assert_int_equal(fixture_send(client, "over a path", 11), 0);
	fixture_expect_message(fixture, &fixture->server, server, "over a path", 11);
	assert_int_equal(transport_listen(TRANSPORT_TCP, path, 0, &second, why, sizeof(why)), -EADDRINUSE);
	transport_close(client);
	transport_close(server);
	fixture_destroy(fixture);
	assert_int_equal(stat(path, &status), -1);
}

static void a_socket_file_of_a_dead_process_is_replaced(void **state)
{
	struct sockaddr_un {
		sa_family_t family;
		char path[108];
	} address = {.family = AF_UNIX};
	struct fixture *fixture;
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	snprintf(address.path, sizeof(address.path), "/tmp/transport-stale-%d.sock", getpid());
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	close(fd);
	fixture = fixture_create(TRANSPORT_TCP, address.path);
	fixture_destroy(fixture);
}

static void addresses_that_cannot_be_get_a_sentence(void **state)
{
	struct transport_listener *listener;
	struct transport_queue *queue;
	struct transport_conn *conn;
	char why[256] = "", path[300];

	assert_int_equal(transport_queue_create(TRANSPORT_TCP, &queue), 0);
	assert_true(transport_listen(TRANSPORT_TCP, "192.0.2.1", 0, &listener, why, sizeof(why)) < 0);
	assert_non_null(strstr(why, "192.0.2.1"));
	assert_true(transport_connect(queue, "no.such.host.invalid", 1, NULL, 1000, &conn, why, sizeof(why)) < 0);
	assert_non_null(strstr(why, "no.such.host.invalid"));
	assert_int_equal(transport_connect(queue, "/tmp/no/such.sock", 0, NULL, 1000, &conn, why, sizeof(why)),
	                 -ENOENT);
	assert_non_null(strstr(why, "/tmp/no/such.sock"));
	memset(path, 'a', sizeof(path) - 1);
	path[0] = '/';
	path[sizeof(path) - 1] = '\0';
	assert_int_equal(transport_connect(queue, path, 0, NULL, 1000, &conn, why, sizeof(why)), -ENAMETOOLONG);
	assert_int_equal(transport_listen(TRANSPORT_TCP, path, 0, &listener, why, sizeof(why)), -ENAMETOOLONG);
	transport_queue_destroy(queue);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(garbage_on_the_port_is_turned_away),
	    cmocka_unit_test(a_hello_with_limits_out_of_range_is_refused),
	    cmocka_unit_test(a_peer_that_says_nothing_is_dropped_in_time),
	    cmocka_unit_test(running_out_of_descriptors_is_survived),
	    cmocka_unit_test(malformed_frames_end_only_their_connection),
	    cmocka_unit_test(a_message_without_a_credit_ends_the_connection),
	    cmocka_unit_test(more_operations_than_agreed_end_the_connection),
	    cmocka_unit_test(a_peer_that_does_not_read_costs_a_bounded_amount),
	    cmocka_unit_test(frames_that_come_byte_by_byte_are_understood),
	    cmocka_unit_test(a_region_that_goes_while_it_is_written_ends_the_connection),
	    cmocka_unit_test(a_peer_that_stops_half_way_holds_up_nobody),
	    cmocka_unit_test(a_unix_socket_serves_and_leaves_nothing_behind),
	    cmocka_unit_test(a_socket_file_of_a_dead_process_is_replaced),
	    cmocka_unit_test(addresses_that_cannot_be_get_a_sentence),
	};

	log_set_level(LOG_LEVEL_ERROR);
	return cmocka_run_group_tests_name("transport_tcp", tests, NULL, NULL);
}
