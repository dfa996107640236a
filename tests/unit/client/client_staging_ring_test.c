/*
 * client_staging_ring_test.c -- the library gets the server's staging ring when a write needs it, and gives it back when
 * none has for a lease; also over restarts of the server, and by several threads at a time.
 */
#include "client/include/farnova.h"
#include "common/clock.h"
#include "tests/support/client_server.h"

#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>
/* cmocka.h wants the above first */
#include <cmocka.h>

#define LARGE 300000u

static struct client_server server;
static struct farnova *fs;
static struct farnova_file *file;
static uint8_t data[LARGE], back[LARGE];

static uint64_t stagings(void)
{
	const char *name;
	unsigned number = 0;
	uint64_t count;

	while ((name = farnova_get_operation_stats(fs, &number, &count)) != NULL)
		if (strcmp(name, "STAGING") == 0)
			return count;
	return 0;
}

static void await_stagings(uint64_t count)
{
	int64_t until = clock_now_ms() + 20000;

	while (stagings() < count && clock_now_ms() < until)
		usleep(10000);
	assert_int_equal(stagings(), count);
}

static void write_large(uint8_t byte)
{
	memset(data, byte, sizeof(data));
	assert_int_equal(farnova_pwrite(file, data, sizeof(data), 0), sizeof(data));
	assert_int_equal(farnova_pread(file, back, sizeof(back), 0), sizeof(back));
	assert_memory_equal(data, back, sizeof(data));
}

static int setup(void **state)
{
	client_server_create(&server);
	client_server_kill(&server);
	server.flags[0] = "--lease-ms";
	server.flags[1] = "1000";
	client_server_start(&server);
	fs = farnova_connect(
	    server.url,
	    &(struct farnova_options){.size = sizeof(struct farnova_options), .transport = "tcp", .timeout_ms = 60000});
	assert_non_null(fs);
	file = farnova_open(fs, "file", O_RDWR | O_CREAT, 0600);
	assert_non_null(file);
	return 0;
}

static int teardown(void **state)
{
	farnova_close(file);
	farnova_disconnect(fs);
	client_server_destroy(&server);
	return 0;
}

static void a_ring_is_got_when_needed_and_given_back_when_not(void **state)
{
	assert_int_equal(farnova_pwrite(file, "small", 5, 0), 5);
	assert_int_equal(stagings(), 0);
	for (int i = 1; i < 20; i++)
		write_large((uint8_t)i);
	assert_int_equal(stagings(), 1);
	await_stagings(2);
	for (int i = 20; i < 40; i++)
		write_large((uint8_t)i);
	assert_int_equal(stagings(), 3);
	await_stagings(4);
}

static void *write_often(void *argument)
{
	static const uint8_t bytes[LARGE] = {1};
	struct farnova_file *own = farnova_open(fs, argument, O_RDWR | O_CREAT, 0600);
	intptr_t wrong = own == NULL;

	for (int i = 0; i < 50 && !wrong; i++)
		wrong = farnova_pwrite(own, bytes, sizeof(bytes), 0) != (ssize_t)sizeof(bytes);
	if (own)
		farnova_close(own);
	return (void *)wrong;
}

static void writes_wait_for_a_ring_over_kills_of_the_server(void **state)
{
	static const char *const names[] = {"a", "b", "c", "d", "e", "f", "g", "h"};
	pthread_t threads[8];
	void *wrong;

	for (int i = 0; i < 8; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, write_often, (void *)(uintptr_t)names[i]), 0);
	for (int i = 0; i < 5; i++) {
		usleep(20000);
		client_server_kill(&server);
		client_server_start(&server);
	}
	for (int i = 0; i < 8; i++) {
		assert_int_equal(pthread_join(threads[i], &wrong), 0);
		assert_null(wrong);
	}
	write_large(99);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_ring_is_got_when_needed_and_given_back_when_not),
	    cmocka_unit_test(writes_wait_for_a_ring_over_kills_of_the_server),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
