/*
 * client_keep_test.c -- a change by another client waits until the program has dropped what it keeps of the file.
 */
#include "client/include/farnova.h"
#include "tests/support/client_server.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
/* cmocka.h wants the above first */
#include <cmocka.h>

#define SIZE 65536u

static struct client_server server;
static struct farnova *keeper, *other;
static struct farnova_file *kept_file, *other_file;
static _Atomic(struct farnova_invalidation *) invalidation;
static atomic_uint invalidations;
static atomic_bool written;

static void on_invalidate(void *context, struct farnova_invalidation *given)
{
	assert_ptr_equal(context, &server);
	invalidation = given;
	invalidations++;
}

static void *write_other(void *data)
{
	written = false;
	assert_int_equal(farnova_pwrite(other_file, data, SIZE, 0), SIZE);
	written = true;
	return NULL;
}

/* Read until the data may be kept: after a recall no layout is granted for a while. */
static void keep(uint8_t *data)
{
	bool kept = false;

	for (int tries = 0; !kept && tries < 2000; tries++) {
		assert_int_equal(farnova_pread_kept(kept_file, data, SIZE, 0, &kept), SIZE);
		if (!kept)
			usleep(10000);
	}
	assert_true(kept);
}

static void await(const atomic_bool *what)
{
	for (int i = 0; i < 2000 && !*what; i++)
		usleep(10000);
	assert_true(*what);
}

static struct farnova_invalidation *await_invalidation(void)
{
	for (int i = 0; i < 2000 && !invalidation; i++)
		usleep(10000);
	assert_non_null(invalidation);
	return atomic_exchange(&invalidation, NULL);
}

static void change_waits_for_what_is_kept(void **state)
{
	static uint8_t data[SIZE], seen[SIZE];
	pthread_t writer;

	for (unsigned i = 1; i < 4; i++) {
		keep(seen);
		assert_null(invalidation);
		memset(data, (int)i, SIZE);
		assert_int_equal(pthread_create(&writer, NULL, write_other, data), 0);
		struct farnova_invalidation *given = await_invalidation();
		usleep(200000);
		assert_false(written);
		/* Reads go on meanwhile, and show the state before the change; they may not be kept. */
		bool kept = true;
		assert_int_equal(farnova_pread_kept(kept_file, seen, SIZE, 0, &kept), SIZE);
		assert_false(kept);
		assert_int_equal(seen[0], i - 1);
		farnova_invalidated(keeper, given);
		await(&written);
		pthread_join(writer, NULL);
		assert_int_equal(farnova_pread_kept(kept_file, seen, SIZE, 0, &kept), SIZE);
		assert_int_equal(seen[0], i);
		if (kept) /* the change was long ago */
			assert_null(invalidation);
	}
}

/* A write of its own leaves the layout: nothing is to be dropped, and it waits for nobody. */
static void own_write_invalidates_nothing(void **state)
{
	static uint8_t data[SIZE];

	keep(data);
	unsigned before = invalidations;
	struct farnova_file *file = farnova_open(keeper, "/file", O_WRONLY, 0);
	assert_non_null(file);
	assert_int_equal(farnova_pwrite(file, "own", 3, 10), 3);
	assert_int_equal(farnova_close(file), 0);
	assert_int_equal(invalidations, before);
}

/* When the connection is lost, what is kept must be dropped, and the server waits for nothing. */
static void lost_connection_invalidates(void **state)
{
	static uint8_t data[SIZE];
	pthread_t writer;

	keep(data);
	client_server_kill(&server);
	struct farnova_invalidation *given = await_invalidation();
	client_server_start(&server);
	assert_int_equal(pthread_create(&writer, NULL, write_other, data), 0);
	await(&written);
	pthread_join(writer, NULL);
	farnova_invalidated(keeper, given);
	keep(data);
}

static void closed_file_invalidates_nothing(void **state)
{
	static uint8_t data[SIZE];

	keep(data);
	unsigned before = invalidations;
	assert_int_equal(farnova_close(kept_file), 0);
	memset(data, 9, SIZE);
	write_other(data);
	assert_int_equal(invalidations, before);
	kept_file = farnova_open(keeper, "/file", O_RDONLY, 0);
	assert_non_null(kept_file);
}

/* Without the callback a change waits for nothing, and nothing of what was kept is left. */
static void program_may_end_what_it_keeps(void **state)
{
	static uint8_t data[SIZE];

	keep(data);
	unsigned before = invalidations;
	farnova_set_invalidate(keeper, NULL, NULL);
	write_other(data);
	assert_int_equal(invalidations, before);
	farnova_set_invalidate(keeper, on_invalidate, &server);
}

static void nothing_is_kept_without_a_callback(void **state)
{
	static uint8_t data[SIZE];
	bool kept = true;
	struct farnova_file *file = farnova_open(other, "/file", O_RDONLY, 0);

	assert_non_null(file);
	assert_int_equal(farnova_pread_kept(file, data, SIZE, 0, &kept), SIZE);
	assert_false(kept);
	errno = 0;
	assert_int_equal(farnova_pread_kept(file, data, SIZE, -1, &kept), -1);
	assert_int_equal(errno, EINVAL);
	assert_int_equal(farnova_close(file), 0);
}

static int set_up(void **state)
{
	static uint8_t zeros[SIZE];

	server.flags[0] = "--recall-ms=60000";
	client_server_create(&server);
	keeper = farnova_connect(server.url, NULL);
	other = farnova_connect(server.url, NULL);
	assert_non_null(keeper);
	assert_non_null(other);
	farnova_set_invalidate(keeper, on_invalidate, &server);
	other_file = farnova_open(other, "/file", O_CREAT | O_RDWR, 0600);
	assert_non_null(other_file);
	assert_int_equal(farnova_pwrite(other_file, zeros, SIZE, 0), SIZE);
	kept_file = farnova_open(keeper, "/file", O_RDONLY, 0);
	assert_non_null(kept_file);
	return 0;
}

static int tear_down(void **state)
{
	struct farnova_invalidation *given = atomic_exchange(&invalidation, NULL);

	if (given)
		farnova_invalidated(keeper, given);
	farnova_disconnect(keeper);
	farnova_disconnect(other);
	client_server_destroy(&server);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(change_waits_for_what_is_kept), cmocka_unit_test(own_write_invalidates_nothing),
	    cmocka_unit_test(lost_connection_invalidates),   cmocka_unit_test(closed_file_invalidates_nothing),
	    cmocka_unit_test(program_may_end_what_it_keeps), cmocka_unit_test(nothing_is_kept_without_a_callback),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
