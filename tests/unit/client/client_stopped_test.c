/*
 * client_stopped_test.c -- a program that is stopped while it holds a layout delays another's write by no more than the
 * recall time-out, and goes on without an error when it runs again.
 */
#include "client/include/farnova.h"
#include "common/clock.h"
#include "tests/integration/check.h"
#include "tests/support/client_server.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
/* cmocka.h wants the above first */
#include <cmocka.h>

#define BLOCK     4096
#define RECALL_MS 2000  /* the server's default */
#define LEASE_MS  15000 /* as before there was one for recalls */

static struct client_server server;

/* Reads the file without asking the server, says so, and reads it again when told to. */
static int read_twice(int ready, int go)
{
	char first[BLOCK], second[BLOCK], byte = 'r';
	struct farnova *fs = farnova_connect(server.url, NULL);
	struct farnova_file *file = fs ? farnova_open(fs, "shared", O_RDONLY, 0) : NULL;
	struct farnova_stats stats = {.size = sizeof(stats)};

	if (!file || farnova_pread(file, first, BLOCK, 0) != BLOCK || first[0] != 'a')
		return 1;
	if (farnova_get_stats(fs, &stats) != 0 || stats.reads == 0)
		return 2;
	if (write(ready, &byte, 1) != 1 || read(go, &byte, 1) != 1)
		return 3;
	if (farnova_pread(file, second, BLOCK, 0) != BLOCK || second[0] != 'b' || second[BLOCK - 1] != 'b')
		return 4;
	farnova_close(file);
	farnova_disconnect(fs);
	return 0;
}

static void fill(struct farnova_file *file, char byte)
{
	char block[BLOCK];

	memset(block, byte, sizeof(block));
	CHECK(farnova_pwrite(file, block, sizeof(block), 0) == BLOCK);
}

static void stopped_reader_delays_a_write_no_longer_than_the_recall_time_out(void **state)
{
	int ready[2], go[2], status;
	char byte;

	(void)state;
	client_server_create(&server);
	struct farnova *fs = farnova_connect(server.url, NULL);
	CHECK(fs);
	struct farnova_file *file = farnova_open(fs, "shared", O_RDWR | O_CREAT, 0600);
	CHECK(file);
	fill(file, 'a');
	CHECK(pipe(ready) == 0 && pipe(go) == 0);
	pid_t reader = fork();
	if (reader == 0)
		_exit(read_twice(ready[1], go[0]));
	CHECK(read(ready[0], &byte, 1) == 1);
	CHECK(kill(reader, SIGSTOP) == 0);
	CHECK(waitpid(reader, &status, WUNTRACED) == reader && WIFSTOPPED(status));

	int64_t begun = clock_now_ms();
	fill(file, 'b');
	int64_t took = clock_now_ms() - begun;
	CHECK(kill(reader, SIGCONT) == 0);
	CHECK(write(go[1], "g", 1) == 1);
	CHECK(waitpid(reader, &status, 0) == reader);
	assert_int_equal(status, 0);
	assert_in_range(took, RECALL_MS, LEASE_MS - 3000);
	farnova_close(file);
	farnova_disconnect(fs);
	client_server_destroy(&server);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(stopped_reader_delays_a_write_no_longer_than_the_recall_time_out),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
