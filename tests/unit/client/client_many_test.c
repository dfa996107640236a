/*
 * client_many_test.c -- many connections of one process, against a real server: each is its own, and what runs out is
 * said.
 */
#include "client/include/farnova.h"
#include "tests/support/client_server.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
/* cmocka.h wants the above first */
#include <cmocka.h>

#define CONNECTIONS 700 /* more than there could be with a key or two of a thread's data for each: 1024 keys */
#define DESCRIPTORS 4   /* of each */

static struct client_server server;

static struct farnova *connected(void)
{
	struct farnova *fs = farnova_connect(
	    server.url, &(struct farnova_options){.size = sizeof(struct farnova_options), .transport = "tcp"});
	if (!fs)
		print_error("%s\n", farnova_last_error());
	assert_non_null(fs);
	return fs;
}

static void make_file(struct farnova *fs, const char *path, mode_t expected)
{
	struct stat st;
	struct farnova_file *file = farnova_open(fs, path, O_CREAT | O_WRONLY, 0777);

	assert_non_null(file);
	assert_int_equal(farnova_close(file), 0);
	assert_int_equal(farnova_stat(fs, path, &st), 0);
	assert_int_equal(st.st_mode & 07777, expected);
}

static void *in_another_thread(void *fs)
{
	make_file(fs, "/other-thread", 0777);
	return NULL;
}

static void one_process_has_many_connections_each_with_its_own_umask(void **state)
{
	static struct farnova *list[CONNECTIONS];
	char path[32];
	pthread_t thread;

	(void)state;
	for (unsigned i = 0; i < CONNECTIONS; i++) {
		list[i] = connected();
		assert_int_equal(farnova_set_umask(list[i], i & 077), 0);
	}
	for (unsigned i = 0; i < CONNECTIONS; i += 37) {
		snprintf(path, sizeof(path), "/many-%u", i);
		make_file(list[i], path, 0777 & ~(i & 077));
	}
	/* The choice is the thread's. */
	assert_int_equal(pthread_create(&thread, NULL, in_another_thread, list[63]), 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
	/* A connection that takes the place of one that has ended begins anew. */
	farnova_disconnect(list[63]);
	list[63] = connected();
	make_file(list[63], "/many-again", 0777);
	for (unsigned i = 0; i < CONNECTIONS; i++)
		farnova_disconnect(list[i]);
}

static void without_descriptors_the_error_says_so(void **state)
{
	struct rlimit before, few;
	int next = dup(0);

	(void)state;
	assert_true(next >= 0);
	close(next);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	for (rlim_t left = 0; left < DESCRIPTORS; left++) {
		few = (struct rlimit){.rlim_cur = (rlim_t)next + left, .rlim_max = before.rlim_max};
		assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
		assert_null(farnova_connect(
		    server.url, &(struct farnova_options){.size = sizeof(struct farnova_options), .transport = "tcp"}));
		assert_int_equal(errno, EMFILE);
		assert_non_null(strstr(farnova_last_error(), "ulimit -n"));
	}
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	farnova_disconnect(connected());
}

static void a_full_server_says_so_and_what_to_do(void **state)
{
	const struct farnova_options options = {.size = sizeof(options), .transport = "tcp"};

	(void)state;
	client_server_kill(&server);
	server.flags[0] = "--max-clients";
	server.flags[1] = "2";
	client_server_start(&server);
	struct farnova *first = connected(), *second = connected();
	assert_null(farnova_connect(server.url, &options));
	assert_int_equal(errno, EUSERS);
	assert_non_null(strstr(farnova_last_error(), "sessions as max_"));
	assert_non_null(strstr(farnova_last_error(), "raise max_clients or max_per_host"));
	farnova_disconnect(first);
	first = connected();
	farnova_disconnect(first);
	farnova_disconnect(second);
}

static int begin(void **state)
{
	struct rlimit limit;

	(void)state;
	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return -1;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
	if (limit.rlim_cur < CONNECTIONS * DESCRIPTORS + 100) {
		print_error("this test needs %d descriptors: raise the hard limit of open files\n",
		            CONNECTIONS * DESCRIPTORS + 100);
		return -1;
	}
	client_server_create(&server);
	return 0;
}

static int end(void **state)
{
	(void)state;
	client_server_destroy(&server);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(one_process_has_many_connections_each_with_its_own_umask),
	    cmocka_unit_test(without_descriptors_the_error_says_so),
	    cmocka_unit_test(a_full_server_says_so_and_what_to_do),
	};
	return cmocka_run_group_tests(tests, begin, end);
}
