/*
 * client_cancel_test.c -- farnova_cancel ends the calls and operations of its tag and no others, whatever they wait for;
 * the connection goes on.
 *
 * The server is stopped meanwhile, so that every call waits, and there is no time-out.
 */
#include "client/include/farnova.h"
#include "tests/integration/check.h"
#include "tests/support/client_server.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
/* cmocka.h wants the above first */
#include <cmocka.h>

#define SIZE    (1u << 20)
#define THREADS 120u /* more than there are slots, and than the staging ring holds writes */

static struct client_server server;
static struct farnova *fs;
static struct farnova_file *file;

struct caller {
	pthread_t thread;
	uint64_t tag;
	int kind;
	int result; /* 0, or errno */
	atomic_bool begun, ended;
};

static int call(int kind)
{
	static _Thread_local uint8_t data[SIZE];
	struct stat st;
	char name[64];

	switch (kind % 5) {
	case 0:
		return farnova_stat(fs, "/", &st);
	case 1:
		return farnova_pread(file, data, SIZE, 0) == (ssize_t)SIZE ? 0 : -1;
	case 2:
		return farnova_pwrite(file, data, SIZE, 0) == (ssize_t)SIZE ? 0 : -1;
	case 3:
		return farnova_pwrite(file, data, 100, 0) == 100 ? 0 : -1;
	default:
		snprintf(name, sizeof(name), "made%d", kind);
		return farnova_mkdir(fs, name, 0700);
	}
}

static void *run(void *argument)
{
	struct caller *caller = argument;

	farnova_set_tag(caller->tag);
	caller->begun = true;
	caller->result = call(caller->kind) == 0 ? 0 : errno;
	caller->ended = true;
	return NULL;
}

static void begin(struct caller *caller, uint64_t tag, int kind)
{
	*caller = (struct caller){.tag = tag, .kind = kind};
	CHECK(pthread_create(&caller->thread, NULL, run, caller) == 0);
	while (!caller->begun)
		usleep(1000);
}

static int end(struct caller *caller)
{
	CHECK(pthread_join(caller->thread, NULL) == 0);
	return caller->result;
}

static void continue_server(void)
{
	CHECK(kill(server.pid, SIGCONT) == 0);
}

static void connection_works(void)
{
	static uint8_t out[SIZE], back[SIZE];

	for (int i = 0; i < 100; i++) {
		memset(out, i, SIZE);
		CHECK(farnova_pwrite(file, out, SIZE, 0) == (ssize_t)SIZE);
		CHECK(farnova_pread(file, back, SIZE, 0) == (ssize_t)SIZE);
		CHECK(memcmp(out, back, SIZE) == 0);
	}
}

static int setup(void **state)
{
	client_server_create(&server);
	fs = farnova_connect(
	    server.url,
	    &(struct farnova_options){.size = sizeof(struct farnova_options), .transport = "tcp", .timeout_ms = -1});
	CHECK(fs);
	file = farnova_open(fs, "file", O_RDWR | O_CREAT, 0600);
	CHECK(file && farnova_ftruncate(file, SIZE) == 0);
	connection_works();
	return 0;
}

static int teardown(void **state)
{
	farnova_disconnect(fs);
	client_server_destroy(&server);
	return 0;
}

static void only_calls_of_the_tag_end(void **state)
{
	struct caller callers[10], others[10], unnamed;

	client_server_freeze(&server);
	for (int i = 0; i < 10; i++) {
		begin(&callers[i], 7, i % 2 ? 4 + 5 * i : 0);
		begin(&others[i], 8, 0);
	}
	begin(&unnamed, 0, 0);
	farnova_cancel(fs, 9);
	farnova_cancel(fs, 0);
	usleep(100000);
	for (int i = 0; i < 10; i++)
		assert_false(callers[i].ended || others[i].ended);
	farnova_cancel(fs, 7);
	for (int i = 0; i < 10; i++)
		assert_int_equal(end(&callers[i]), EINTR);
	for (int i = 0; i < 10; i++)
		assert_false(others[i].ended);
	assert_false(unnamed.ended);
	continue_server();
	for (int i = 0; i < 10; i++)
		assert_int_equal(end(&others[i]), 0);
	assert_int_equal(end(&unnamed), 0);
	connection_works();
}

static void calls_end_whatever_they_wait_for(void **state)
{
	static struct caller callers[THREADS];

	client_server_freeze(&server);
	for (unsigned i = 0; i < THREADS; i++)
		begin(&callers[i], 100 + i, (int)i);
	/* Those that would wait are cancelled, too, in the order in which they have not begun. */
	for (unsigned i = THREADS; i-- > 0;) {
		farnova_cancel(fs, 100 + i);
		assert_int_equal(end(&callers[i]), EINTR);
	}
	continue_server();
	connection_works();
}

static void calls_end_while_there_is_no_connection(void **state)
{
	static struct caller callers[THREADS];

	client_server_kill(&server);
	for (unsigned i = 0; i < THREADS; i++)
		begin(&callers[i], 1000 + i, (int)i);
	for (unsigned i = 0; i < THREADS; i++) {
		farnova_cancel(fs, 1000 + i);
		assert_int_equal(end(&callers[i]), EINTR);
	}
	client_server_start(&server);
	connection_works();
}

static void a_tag_that_is_set_anew_is_not_cancelled(void **state)
{
	struct stat st;

	farnova_set_tag(50);
	farnova_cancel(fs, 50);
	/* What need not wait succeeds, else it ends. */
	int result = farnova_stat(fs, "/", &st);
	assert_true(result == 0 || errno == EINTR);
	farnova_set_tag(51);
	farnova_cancel(fs, 50);
	for (int i = 0; i < 100; i++)
		assert_int_equal(farnova_stat(fs, "/", &st), 0);
	farnova_set_tag(50);
	for (int i = 0; i < 100; i++)
		assert_int_equal(farnova_stat(fs, "/", &st), 0);
	farnova_set_tag(0);
}

/* submit -- one operation of each way to run: a call, a reading, an open, an action. */
static void submit(struct farnova_queue *queue, uint64_t first)
{
	static uint8_t data[100];
	static struct stat st;
	const struct farnova_operation operations[] = {
	    {.operation = FARNOVA_OP_STAT, .path = "/", .st = &st, .user_data = first},
	    {.operation = FARNOVA_OP_READ, .file = file, .buffer = data, .length = 100, .user_data = first + 1},
	    {.operation = FARNOVA_OP_OPEN, .path = "file", .user_data = first + 2},
	    {.operation = FARNOVA_OP_CHMOD, .path = "file", .mode = 0600, .user_data = first + 3},
	};

	CHECK(farnova_queue_submit(queue, operations, 4) == 4);
}

/* check_reap -- `count` operations from the `first` one on have ended with `error`, and no others. */
static void check_reap(struct farnova_queue *queue, uint64_t first, int count, int error)
{
	struct farnova_completion completions[32];

	assert_int_equal(farnova_queue_reap(queue, completions, 0, 32, 0), count);
	for (int i = 0; i < count; i++) {
		assert_in_range(completions[i].user_data, first, first + (unsigned)count - 1);
		assert_int_equal(completions[i].result, -error);
		assert_null(completions[i].file);
	}
}

static void operations_of_the_tag_end(void **state)
{
	struct farnova_queue *queue = farnova_queue_create(fs, 32), *other = farnova_queue_create(fs, 32);
	struct farnova_completion completions[32];

	assert_true(queue && other);
	client_server_freeze(&server);
	farnova_set_tag(70);
	submit(queue, 0);
	submit(other, 0);
	farnova_set_tag(71);
	submit(queue, 10);
	farnova_set_tag(0);
	submit(queue, 20);
	farnova_cancel(fs, 0);
	farnova_cancel(fs, 72);
	check_reap(queue, 0, 0, 0);
	farnova_cancel(fs, 70);
	check_reap(queue, 0, 4, EINTR);
	check_reap(other, 0, 4, EINTR);
	/* Also in future, as long as the thread has the tag. Closing a file is not cancelled. */
	farnova_set_tag(73);
	farnova_cancel(fs, 73);
	submit(queue, 30);
	check_reap(queue, 30, 4, EINTR);
	const struct farnova_operation sync = {.operation = FARNOVA_OP_FSYNC, .file = file, .user_data = 40};
	CHECK(farnova_queue_submit(queue, &sync, 1) == 1);
	check_reap(queue, 40, 1, 0);
	farnova_set_tag(0);
	continue_server();
	assert_int_equal(farnova_queue_reap(queue, completions, 8, 32, 20000), 8);
	for (unsigned i = 0; i < 8; i++) {
		assert_in_range(completions[i].user_data, 10, 23);
		assert_true(completions[i].result >= 0);
		if (completions[i].file)
			farnova_close(completions[i].file);
	}
	farnova_queue_destroy(queue);
	farnova_queue_destroy(other);
	connection_works();
}

/* The last: nobody waits for this connection any more. */
static void all_end(void **state)
{
	struct farnova_queue *queue = farnova_queue_create(fs, 32);
	struct caller callers[20];

	client_server_freeze(&server);
	for (int i = 0; i < 20; i++)
		begin(&callers[i], i % 2 ? 60 : 0, i);
	submit(queue, 0);
	farnova_cancel_all(fs);
	check_reap(queue, 0, 4, ETIMEDOUT);
	submit(queue, 10);
	check_reap(queue, 10, 4, ETIMEDOUT);
	for (int i = 0; i < 20; i++)
		assert_int_equal(end(&callers[i]), ETIMEDOUT);
	assert_int_equal(call(0), -1);
	assert_int_equal(errno, ETIMEDOUT);
	continue_server();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(only_calls_of_the_tag_end),
	    cmocka_unit_test(calls_end_whatever_they_wait_for),
	    cmocka_unit_test(calls_end_while_there_is_no_connection),
	    cmocka_unit_test(a_tag_that_is_set_anew_is_not_cancelled),
	    cmocka_unit_test(operations_of_the_tag_end),
	    cmocka_unit_test(all_end),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
