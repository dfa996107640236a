/*
 * client_gone_test.c -- a call on a file that cannot be opened again on the next server, because it was removed, gets its
 * own result if it was executed; if not, it fails with ESTALE.
 *
 * The client reaches a real server through a relay, which holds back the replies or the requests. When another client
 * sees that the calls have been executed, the files are removed, and the server is killed and started again.
 */
#include "client/include/farnova.h"
#include "tests/integration/check.h"
#include "tests/support/client_relay.h"
#include "tests/support/client_server.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
/* cmocka.h wants the above first */
#include <cmocka.h>

#define LARGE 20000

static struct client_server server;
static struct client_relay relay;
static struct farnova *fs;    /* through the relay */
static struct farnova *other; /* straight to the server */
static char data[LARGE];

/* A call and its file, and what became of it. */
struct task {
	const char *name;
	int (*call)(struct task *task);
	off_t size;    /* of the file when it was executed */
	int expected;  /* what it returns */
	bool keeps_it; /* its source is removed instead of its file */

	char path[16], from[16];
	struct farnova_file *file, *source;
	struct farnova_handle removed;
	pthread_t thread;
	int result, error;
};

static int append_small(struct task *task)
{
	return (int)farnova_append(task->file, "abc", 3);
}

static int append_large(struct task *task)
{
	return (int)farnova_append(task->file, data, LARGE);
}

static int collapse(struct task *task)
{
	return farnova_fallocate(task->file, FALLOC_FL_COLLAPSE_RANGE, 0, 4096);
}

static int truncate_it(struct task *task)
{
	return farnova_ftruncate(task->file, 7);
}

static int copy(struct task *task)
{
	off_t from = 0, to = LARGE;

	return (int)farnova_copy_file_range(task->source, &from, task->file, &to, 100, 0);
}

static struct task tasks[] = {
    {.name = "append, by message", .call = append_small, .size = LARGE + 3, .expected = 3},
    {.name = "append, staged", .call = append_large, .size = 2 * LARGE, .expected = LARGE},
    {.name = "collapse", .call = collapse, .size = LARGE - 4096},
    {.name = "truncate", .call = truncate_it, .size = 7},
    {.name = "copy to what is removed", .call = copy, .size = LARGE + 100, .expected = 100},
    {.name = "copy of what is removed", .call = copy, .size = LARGE + 100, .expected = 100, .keeps_it = true},
};

#define TASKS (sizeof(tasks) / sizeof(tasks[0]))

static void *run(void *argument)
{
	struct task *task = argument;

	errno = 0;
	task->result = task->call(task);
	task->error = errno;
	return NULL;
}

static struct farnova_file *make(const char *path)
{
	struct farnova_file *file = farnova_open(fs, path, O_RDWR | O_CREAT | O_TRUNC, 0600);

	CHECK(file && farnova_write(file, data, LARGE) == LARGE);
	return file;
}

static void begin(void)
{
	for (unsigned i = 0; i < TASKS; i++) {
		snprintf(tasks[i].path, sizeof(tasks[i].path), "file-%u", i);
		snprintf(tasks[i].from, sizeof(tasks[i].from), "from-%u", i);
		tasks[i].file = make(tasks[i].path);
		tasks[i].source = make(tasks[i].from);
	}
}

static void start_calls(void)
{
	for (unsigned i = 0; i < TASKS; i++)
		CHECK(pthread_create(&tasks[i].thread, NULL, run, &tasks[i]) == 0);
}

/* restart_without_files -- the client finds the next server only when the files are gone for good. */
static void restart_without_files(void)
{
	struct stat st;

	for (unsigned i = 0; i < TASKS; i++) {
		const char *path = tasks[i].keeps_it ? tasks[i].from : tasks[i].path;
		CHECK(farnova_lookup_at(other, farnova_root(other), path, &tasks[i].removed, NULL) == 0);
		CHECK(farnova_unlink(other, path) == 0);
	}
	relay.shut = true;
	client_server_kill(&server);
	relay.mute = relay.swallow = false;
	client_server_start(&server);
	for (unsigned i = 0; i < TASKS; i++) {
		while (farnova_stat_at(other, tasks[i].removed, &st) == 0)
			usleep(1000);
		CHECK(errno == ESTALE);
	}
	relay.shut = false;
}

static void finish(bool executed)
{
	for (unsigned i = 0; i < TASKS; i++) {
		struct task *task = &tasks[i];
		CHECK(pthread_join(task->thread, NULL) == 0);
		int expected = executed ? task->expected : -1;
		if (task->result != expected)
			print_error("%s: %d, errno %d\n", task->name, task->result, task->error);
		assert_int_equal(task->result, expected);
		assert_int_equal(task->error, executed ? 0 : ESTALE);
		/* The next one fails. */
		run(task);
		assert_int_equal(task->result, -1);
		assert_int_equal(task->error, ESTALE);
		CHECK(farnova_close(task->file) == 0 && farnova_close(task->source) == 0);
	}
}

static void call_that_was_executed_gets_its_result(void **state)
{
	struct stat st;

	begin();
	relay.mute = true;
	start_calls();
	for (unsigned i = 0; i < TASKS; i++) {
		do
			CHECK(farnova_stat(other, tasks[i].path, &st) == 0);
		while (st.st_size != tasks[i].size);
	}
	restart_without_files();
	finish(true);
}

static void call_that_was_not_executed_is_estale(void **state)
{
	struct farnova_stats stats = {.size = sizeof(stats)};

	begin();
	CHECK(farnova_get_stats(fs, &stats) == 0);
	uint64_t before = stats.requests;
	unsigned connections = relay.connections;
	relay.swallow = true;
	start_calls();
	/* Where the client is so slow that it comes again meanwhile, fewer have been sent. */
	while (stats.requests < before + TASKS && relay.connections == connections) {
		usleep(1000);
		CHECK(farnova_get_stats(fs, &stats) == 0);
	}
	restart_without_files();
	finish(false);
}

static int start(void **state)
{
	client_server_create(&server);
	client_server_kill(&server);
	server.flags[0] = "--lease-ms"; /* so long a server keeps files that have no name */
	server.flags[1] = "500";
	client_server_start(&server);
	client_relay_start(&relay, server.port);
	assert_non_null(fs = farnova_connect(relay.url, NULL));
	assert_non_null(other = farnova_connect(server.url, NULL));
	return 0;
}

static int end(void **state)
{
	farnova_disconnect(fs);
	farnova_disconnect(other);
	client_relay_stop(&relay);
	client_server_destroy(&server);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(call_that_was_executed_gets_its_result),
	    cmocka_unit_test(call_that_was_not_executed_is_estale),
	};
	alarm(100);
	return cmocka_run_group_tests(tests, start, end);
}
