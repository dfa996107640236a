/*
 * client_slots_test.c -- hundreds of changes in flight when their server dies are each done once, and get their own
 * results from the next server; also if that one grants fewer slots.
 *
 * The client reaches a real server through a relay, which holds back the replies: when another client sees that all
 * changes have been made, the server is killed and started again.
 */
#include "client/session/session.h"
#include "tests/integration/check.h"
#include "tests/support/client_relay.h"
#include "tests/support/client_server.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
/* cmocka.h wants the above first */
#include <cmocka.h>

#define KINDS   4u  /* of changes; to make one of them again fails */
#define EACH    60u /* changes of each kind */
#define CHANGES (KINDS * EACH)

static struct client_server server;
static struct client_relay relay;
static struct farnova *fs;    /* through the relay */
static struct farnova *other; /* straight to the server */
static struct farnova_queue *queue;
static char paths[CHANGES][32], targets[CHANGES][32];
static struct farnova_operation operations[CHANGES];
static struct farnova_completion completions[CHANGES];

/* Many requests that change nothing: the connection gets the credits that a client with so many in flight has. */
static void warm_up(void)
{
	static struct stat st[CHANGES];

	for (unsigned i = 0; i < CHANGES; i++)
		operations[i] =
		    (struct farnova_operation){.operation = FARNOVA_OP_STAT, .path = "/", .st = &st[i], .user_data = i};
	assert_int_equal(farnova_queue_submit(queue, operations, CHANGES), CHANGES);
	assert_int_equal(farnova_queue_reap(queue, completions, CHANGES, CHANGES, 20000), CHANGES);
}

static void make(const char *path)
{
	struct farnova_file *file = farnova_open(other, path, O_CREAT | O_WRONLY, 0600);

	CHECK(file && farnova_close(file) == 0);
}

static void prepare(unsigned round)
{
	for (unsigned i = 0; i < CHANGES; i++) {
		struct farnova_operation operation = {.path = paths[i], .to = targets[i], .mode = 0700, .user_data = i};
		static const unsigned kinds[KINDS] = {FARNOVA_OP_MKDIR, FARNOVA_OP_OPEN, FARNOVA_OP_UNLINK,
		                                      FARNOVA_OP_RENAME};

		operation.operation = kinds[i % KINDS];
		snprintf(paths[i], sizeof(paths[i]), "/%u-%u", round, i);
		snprintf(targets[i], sizeof(targets[i]), "/%u-%u-renamed", round, i);
		if (operation.operation == FARNOVA_OP_OPEN)
			operation.flags = O_CREAT | O_EXCL | O_WRONLY;
		else if (operation.operation != FARNOVA_OP_MKDIR)
			make(paths[i]);
		operations[i] = operation;
	}
}

static bool is_there(const char *path)
{
	struct stat st;

	return farnova_lstat(other, path, &st) == 0;
}

static bool is_made(unsigned i)
{
	switch (operations[i].operation) {
	case FARNOVA_OP_UNLINK:
		return !is_there(paths[i]);
	case FARNOVA_OP_RENAME:
		return is_there(targets[i]) && !is_there(paths[i]);
	default:
		return is_there(paths[i]);
	}
}

static void all_in_flight_are_done_once(unsigned round)
{
	warm_up();
	prepare(round);
	atomic_store(&relay.mute, true);
	assert_int_equal(farnova_queue_submit(queue, operations, CHANGES), CHANGES);
	for (unsigned i = 0; i < CHANGES; i++)
		while (!is_made(i))
			usleep(1000);
	assert_true(fs->slots_used > CHANGES);
	atomic_store(&relay.shut, true);
	client_server_kill(&server);
	atomic_store(&relay.mute, false);
	client_server_start(&server);
	atomic_store(&relay.shut, false);
	assert_int_equal(farnova_queue_reap(queue, completions, CHANGES, CHANGES, 60000), CHANGES);
	for (unsigned i = 0; i < CHANGES; i++) {
		if (completions[i].result != 0)
			print_error("%s: %zd\n", paths[completions[i].user_data], completions[i].result);
		assert_int_equal(completions[i].result, 0);
		if (completions[i].file)
			assert_int_equal(farnova_close(completions[i].file), 0);
	}
	for (unsigned i = 0; i < CHANGES; i++)
		assert_true(is_made(i));
}

static void hundreds_in_flight_at_a_servers_death_are_done_once(void **state)
{
	(void)state;
	assert_int_equal(fs->session.slots, PROTO_MAX_SLOTS);
	all_in_flight_are_done_once(1);
	assert_int_equal(fs->session.slots, PROTO_MAX_SLOTS);
}

static void more_in_flight_than_the_next_server_grants_are_done_once(void **state)
{
	(void)state;
	server.flags[0] = "--max-slots";
	server.flags[1] = "16";
	all_in_flight_are_done_once(2);
	assert_int_equal(fs->session.slots, 16);
	/* It goes on with those. */
	warm_up();
	assert_true(fs->slots_used <= 16);
}

static int start(void **state)
{
	(void)state;
	client_server_create(&server);
	client_relay_start(&relay, server.port);
	assert_non_null(fs = farnova_connect(relay.url, NULL));
	assert_non_null(other = farnova_connect(server.url, NULL));
	assert_non_null(queue = farnova_queue_create(fs, CHANGES));
	return 0;
}

static int end(void **state)
{
	(void)state;
	farnova_disconnect(fs);
	farnova_disconnect(other);
	client_relay_stop(&relay);
	client_server_destroy(&server);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(hundreds_in_flight_at_a_servers_death_are_done_once),
	    cmocka_unit_test(more_in_flight_than_the_next_server_grants_are_done_once),
	};
	alarm(110);
	return cmocka_run_group_tests(tests, start, end);
}
