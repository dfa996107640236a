/*
 * client_poller_test.c -- threads that wait take turns polling: each is woken by what it waits for, by the end of the
 * connection or by its deadline, and someone always polls.
 *
 * A connection over the tcp transport whose other end this program drives, and a handler that counts what arrives.
 */
#include "client/link/connection.h"
#include "common/clock.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>
/* cmocka.h wants the above first */
#include <cmocka.h>

#define THREADS 6u

static struct connection link_;
static struct transport_queue *queue;
static struct transport_listener *listener;
static struct transport_conn *server;
static struct transport_queue *server_queue;

/* What arrives is the number of the thread it is for. */
static struct waiter *waiting[THREADS];
static bool answered[THREADS];
static unsigned lost;

static void on_message(struct connection *link, const void *data, uint32_t length)
{
	uint8_t number = *(const uint8_t *)data;

	assert_int_equal(length, 1);
	assert_true(number < THREADS);
	answered[number] = true;
	poller_wake(link, waiting[number]);
}

static void on_lost(struct connection *link)
{
	assert_int_equal(link->state, CONNECTION_LOST);
	lost++;
}

static int64_t on_tick(struct connection *link, bool idle)
{
	return CLOCK_NS_PER_S;
}

static void on_reconnect(struct connection *link)
{
}

static const struct connection_handler handler = {
    .on_message = on_message, .on_lost = on_lost, .on_tick = on_tick, .on_reconnect = on_reconnect};

/* accept_one -- in a thread: connecting waits for the other end's hello. */
static void *accept_one(void *argument)
{
	struct transport_pending *pending;

	while (transport_listener_next(listener, &pending) != 0)
		usleep(1000);
	assert_int_equal(transport_accept(pending, server_queue, NULL, &server), 0);
	return argument;
}

static int set_up(void **state)
{
	struct transport_conn *conn;
	pthread_t thread;
	char why[256];

	memset(&link_, 0, sizeof(link_));
	memset(answered, 0, sizeof(answered));
	memset(waiting, 0, sizeof(waiting));
	lost = 0;
	assert_int_equal(connection_init(&link_, &handler), 0);
	assert_int_equal(transport_queue_create(TRANSPORT_TCP, &queue), 0);
	assert_int_equal(transport_queue_create(TRANSPORT_TCP, &server_queue), 0);
	assert_int_equal(transport_listen(TRANSPORT_TCP, "127.0.0.1", 0, &listener, why, sizeof(why)), 0);
	assert_int_equal(pthread_create(&thread, NULL, accept_one, NULL), 0);
	assert_int_equal(transport_connect(queue, "127.0.0.1", transport_listener_port(listener), NULL, 30000, &conn,
	                                   why, sizeof(why)),
	                 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
	connection_lock(&link_);
	connection_up(&link_, queue, conn);
	connection_unlock(&link_);
	return 0;
}

static int tear_down(void **state)
{
	if (server)
		transport_close(server);
	server = NULL;
	transport_queue_destroy(server_queue);
	transport_listener_close(listener);
	connection_end(&link_);
	connection_destroy(&link_);
	return 0;
}

static void answer(uint8_t number)
{
	struct iovec iov = {.iov_base = &number, .iov_len = 1};

	assert_int_equal(transport_send(server, &iov, 1, 0), 0);
}

/* wait_for_waiters -- somebody leads, and `count` threads wait. */
static void wait_for_waiters(unsigned count)
{
	for (;;) {
		unsigned found = 0;
		struct waiter *waiter;
		connection_lock(&link_);
		LIST_FOREACH(waiter, &link_.poller.waiting, entry)
		found++;
		bool polled = link_.poller.leader != NULL;
		connection_unlock(&link_);
		if (found == count && (polled || count == 0))
			return;
		usleep(1000);
	}
}

static void *wait_for_answer(void *argument)
{
	uintptr_t number = (uintptr_t)argument;

	connection_lock(&link_);
	waiting[number] = poller_self();
	while (!answered[number] && link_.state == CONNECTION_UP)
		assert_int_equal(poller_wait(&link_, poller_self(), 0), 0);
	waiting[number] = NULL;
	connection_unlock(&link_);
	return NULL;
}

static void each_gets_its_answer_whoever_polls(void **state)
{
	pthread_t threads[THREADS];

	for (uintptr_t i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, wait_for_answer, (void *)i), 0);
	wait_for_waiters(THREADS);
	/* One after the other, so that each time the leader may be the one that goes, and another must take over. */
	for (unsigned i = 0; i < THREADS; i++) {
		answer((uint8_t)i);
		assert_int_equal(pthread_join(threads[i], NULL), 0);
		wait_for_waiters(THREADS - 1 - i);
	}
	assert_int_equal(lost, 0);
}

static void end_of_the_connection_wakes_all(void **state)
{
	pthread_t threads[THREADS];

	for (uintptr_t i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, wait_for_answer, (void *)i), 0);
	wait_for_waiters(THREADS);
	transport_close(server);
	server = NULL;
	for (unsigned i = 0; i < THREADS; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	assert_int_equal(lost, 1);
	assert_int_equal(link_.state, CONNECTION_LOST);
	assert_non_null(strstr(link_.trouble, "the connection was lost"));
}

static void *wait_in_vain(void *argument)
{
	connection_lock(&link_);
	int error = poller_wait(&link_, poller_self(), clock_now_ns() + 50 * CLOCK_NS_PER_MS);
	connection_unlock(&link_);
	assert_int_equal(error, -ETIMEDOUT);
	return argument;
}

/* Both who leads and who follows; and the lead of one that gave up is taken by one that still waits. */
static void wait_ends_with_its_deadline(void **state)
{
	pthread_t patient, threads[THREADS];

	for (unsigned i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, wait_in_vain, NULL), 0);
	assert_int_equal(pthread_create(&patient, NULL, wait_for_answer, (void *)0), 0);
	for (unsigned i = 0; i < THREADS; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	wait_for_waiters(1);
	answer(0);
	assert_int_equal(pthread_join(patient, NULL), 0);
	assert_int_equal(link_.state, CONNECTION_UP);
}

static int64_t pretended_ns;

static int64_t pretended(void)
{
	return pretended_ns;
}

static void silence_of_a_lease_ends_the_connection(void **state)
{
	const int64_t lease_ns = 10 * CLOCK_NS_PER_S;

	pretended_ns = clock_now_ns();
	clock_set_source(pretended);
	connection_lock(&link_);
	link_.heard = link_.sent = true;
	assert_int_equal(connection_check_silence(&link_, lease_ns), 0);
	pretended_ns += lease_ns;
	assert_int_equal(connection_check_silence(&link_, lease_ns), lease_ns);
	assert_int_equal(link_.state, CONNECTION_UP);
	pretended_ns += 1;
	connection_check_silence(&link_, lease_ns);
	assert_int_equal(link_.state, CONNECTION_LOST);
	connection_unlock(&link_);
	clock_set_source(NULL);
	assert_int_equal(lost, 1);
	assert_non_null(strstr(link_.trouble, "silent"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(each_gets_its_answer_whoever_polls, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(end_of_the_connection_wakes_all, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(wait_ends_with_its_deadline, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(silence_of_a_lease_ends_the_connection, set_up, tear_down),
	};
	alarm(100);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
