/*
 * transport_wait_test.c -- waiting for events never misses one; and what messages, reads and writes take, over each
 * transport that this host has. Times are medians: on a busy host the mean says more about the others.
 */
// clang-format off
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "tests/support/transport_fixture.h"

#define KIB        1024u
#define BASE       0x7000000000ull
#define ROUNDS_MAX 20000

static enum transport_kind kind;
static char host[128];
static int64_t times[ROUNDS_MAX];

static int64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000 + now.tv_nsec;
}

static int by_value(const void *a, const void *b)
{
	int64_t left = *(const int64_t *)a, right = *(const int64_t *)b;

	return left < right ? -1 : left > right;
}

static double median_us(int count)
{
	qsort(times, (size_t)count, sizeof(times[0]), by_value);
	return (double)times[count / 2] / 1000;
}

struct echo {
	struct transport_queue *queue;
	struct transport_conn *conn;
	int rounds;
	bool waits;
	const char *failure;
};

static bool next_message(struct echo *echo, struct transport_event *event)
{
	struct pollfd ready = {.fd = transport_fd(echo->queue), .events = POLLIN};
	int rc;

	for (;;) {
		rc = transport_poll(echo->queue, event, 1);
		if (rc == 1 && event->type == TRANSPORT_MESSAGE)
			return true;
		if (rc < 0 || (rc == 1 && event->type == TRANSPORT_CLOSED)) {
			echo->failure = "the connection ended";
			return false;
		}
		if (rc == 1 || !echo->waits || transport_arm(echo->queue) != 0)
			continue;
		if (poll(&ready, 1, 5000) == 0) {
			echo->failure = "a wake-up was lost";
			return false;
		}
	}
}

static void *echo_back(void *argument)
{
	struct echo *echo = argument;
	struct transport_event event;

	for (int i = 0; i < echo->rounds && next_message(echo, &event); i++) {
		struct iovec iov = {(void *)event.data, event.length};
		int rc = transport_send(echo->conn, &iov, 1, 0);

		transport_release(echo->conn, event.data);
		if (rc != 0) {
			echo->failure = "send failed";
			break;
		}
	}
	return NULL;
}

static double ping_pong(struct bench *bench, int rounds, uint32_t size, bool waits)
{
	struct echo near = {bench->fixture->client.queue, bench->client, rounds, waits, NULL};
	struct echo far = {bench->fixture->server.queue, bench->server, rounds, waits, NULL};
	struct transport_event event;
	pthread_t thread;

	assert_true(rounds <= ROUNDS_MAX);
	assert_int_equal(pthread_create(&thread, NULL, echo_back, &far), 0);
	for (int i = 0; i < rounds && far.failure == NULL; i++) {
		times[i] = now_ns();
		assert_int_equal(fixture_send(bench->client, bench->near, size), 0);
		if (!next_message(&near, &event))
			break;
		transport_release(bench->client, event.data);
		times[i] = now_ns() - times[i];
	}
	pthread_join(thread, NULL);
	assert_null(near.failure);
	assert_null(far.failure);
	return median_us(rounds);
}

static void no_wake_up_is_ever_lost(void **state)
{
	struct bench bench = bench_create(kind, host, 64 * KIB, NULL, NULL);

	print_message("# %s: 64-byte message and reply, both sides waiting: %.1f us\n", transport_kind_name(kind),
	              ping_pong(&bench, kind == TRANSPORT_TCP ? 20000 : 4000, 64, true));
	bench_destroy(&bench);
}

struct server {
	struct transport_queue *queue;
	bool stop, waits;
};

static void *serve(void *argument)
{
	struct server *server = argument;
	struct pollfd ready = {.fd = transport_fd(server->queue), .events = POLLIN};
	struct transport_event event;
	struct iovec iov = {"done", 4};

	while (!__atomic_load_n(&server->stop, __ATOMIC_ACQUIRE)) {
		/* The device serves reads by itself: a thread that polled would only be in its way. */
		if (server->waits && transport_arm(server->queue) == 0)
			poll(&ready, 1, 10);
		if (transport_poll(server->queue, &event, 1) != 1 || event.type != TRANSPORT_MESSAGE)
			continue;
		transport_release(event.conn, event.data);
		transport_send(event.conn, &iov, 1, 0);
	}
	return NULL;
}

static void wait_for_one(struct transport_queue *queue, struct transport_event *event)
{
	while (transport_poll(queue, event, 1) == 0)
		;
}

static void latency_is_printed(void **state)
{
	struct bench bench = bench_create(kind, host, 64 * KIB, NULL, NULL);
	struct transport_region *shared =
	    fixture_share(bench.server, bench.far, bench.size, BASE, TRANSPORT_REMOTE_READ | TRANSPORT_REMOTE_WRITE);
	struct server server = {.queue = bench.fixture->server.queue, .waits = kind == TRANSPORT_VERBS};
	uint64_t key = transport_region_key(shared);
	struct iovec iov = {"commit", 6};
	struct transport_event event;
	const int rounds = kind == TRANSPORT_TCP ? 2000 : 500; /* enough for a median */
	pthread_t thread;
	int context;
	double read_us;

	print_message("# %s: 64-byte message and reply, both sides polling: %.1f us\n", transport_kind_name(kind),
	              ping_pong(&bench, rounds, 64, false));
	assert_int_equal(pthread_create(&thread, NULL, serve, &server), 0);
	for (int i = 0; i < rounds; i++) {
		times[i] = now_ns();
		assert_int_equal(transport_read(bench.client, bench.near, bench.local, BASE, key, 4096, &context, 0),
		                 0);
		wait_for_one(bench.fixture->client.queue, &event);
		times[i] = now_ns() - times[i];
		assert_int_equal(event.type, TRANSPORT_DONE);
	}
	read_us = median_us(rounds);
	for (int i = 0; i < rounds; i++) {
		times[i] = now_ns();
		assert_int_equal(
		    transport_write(bench.client, bench.near, bench.local, BASE, key, 4096, NULL, TRANSPORT_MORE), 0);
		assert_int_equal(transport_send(bench.client, &iov, 1, 0), 0);
		wait_for_one(bench.fixture->client.queue, &event);
		assert_int_equal(event.type, TRANSPORT_MESSAGE);
		transport_release(bench.client, event.data);
		times[i] = now_ns() - times[i];
	}
	__atomic_store_n(&server.stop, true, __ATOMIC_RELEASE);
	pthread_join(thread, NULL);
	print_message("# %s: read of 4 KiB %.1f us; write of 4 KiB, message and reply %.1f us\n",
	              transport_kind_name(kind), read_us, median_us(rounds));
	bench_destroy(&bench);
}

static int run_over(enum transport_kind which, const char *address)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(no_wake_up_is_ever_lost),
	    cmocka_unit_test(latency_is_printed),
	};

	kind = which;
	snprintf(host, sizeof(host), "%s", address);
	return cmocka_run_group_tests_name(transport_kind_name(which), tests, NULL, NULL);
}

int main(int argc, char **argv)
{
	return fixture_main(argc, argv, run_over);
}
