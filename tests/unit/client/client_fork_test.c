/*
 * client_fork_test.c -- a child of fork cannot use the connections of its parent, is told so, and harms nobody, against
 * a real server. Threads of the parent use the connection meanwhile.
 */
#include "client/include/farnova.h"
#include "tests/integration/check.h"
#include "tests/support/client_server.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
/* cmocka.h wants the above first */
#include <cmocka.h>

#if defined(__SANITIZE_ADDRESS__)
#define UNDER_ASAN
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define UNDER_ASAN
#endif
#endif

#define THREADS 3u
#define FORKS   60u

static struct client_server server;
static struct farnova *fs;
static struct farnova_file *file;
static struct farnova_dir *dir;
static struct farnova_queue *queue;
static atomic_bool ended;

static void *busy(void *argument)
{
	char block[4096] = "";
	struct stat st;

	while (!ended) {
		CHECK(farnova_pwrite(file, block, sizeof(block), 0) == sizeof(block));
		CHECK(farnova_pread(file, block, sizeof(block), 0) == sizeof(block));
		CHECK(farnova_stat(fs, "/file", &st) == 0);
	}
	return argument;
}

/* REFUSED -- the call fails, and the text says why. */
#define REFUSED(expression)                                                                                            \
	do {                                                                                                           \
		errno = 0;                                                                                             \
		CHECK((expression) && errno == ECHILD && strstr(farnova_last_error(), "fork"));                        \
	} while (0)

static void child(void)
{
	struct farnova_operation operation = {.operation = FARNOVA_OP_FSYNC, .file = file};
	struct farnova_completion completion;
	struct farnova_file *other;
	struct stat st;
	char byte = 0;

	alarm(60);
	REFUSED(farnova_stat(fs, "/file", &st) == -1);
	REFUSED(farnova_pread(file, &byte, 1, 0) == -1);
	REFUSED(farnova_pwrite(file, &byte, 1, 0) == -1);
	REFUSED(farnova_read(file, &byte, 1) == -1);
	REFUSED(farnova_fstat(file, &st) == -1);
	REFUSED(!(other = farnova_open(fs, "/file", O_RDONLY, 0)));
	REFUSED(farnova_setxattr(fs, "/file", "user.a", "b", 1, 0) == -1);
	REFUSED(!farnova_readdir(dir));
	REFUSED(!farnova_queue_create(fs, 4));
	REFUSED(farnova_queue_submit(queue, &operation, 1) == -1);
	REFUSED(farnova_queue_reap(queue, &completion, 1, 1, -1) == -1);
	CHECK(farnova_close(file) == 0);
	farnova_disconnect(fs);
	/* A connection of its own works. (It allocates memory in two threads; ASan's allocator may have been locked by
	 * another thread at the fork.) */
#ifndef UNDER_ASAN
	struct farnova *own = farnova_connect(server.url, NULL);
	CHECK(own && farnova_stat(own, "/file", &st) == 0);
	farnova_disconnect(own);
#endif
	_exit(0);
}

static void a_child_cannot_use_the_connections_of_its_parent(void **state)
{
	pthread_t threads[THREADS];
	struct stat st;

	for (unsigned i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, busy, NULL), 0);
	for (unsigned i = 0; i < FORKS; i++) {
		int status;
		pid_t pid = fork();
		assert_true(pid >= 0);
		if (pid == 0)
			child();
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_int_equal(status, 0);
	}
	ended = true;
	for (unsigned i = 0; i < THREADS; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	/* The session of the parent is the same. */
	struct farnova_stats stats = {.size = sizeof(stats)};
	assert_int_equal(farnova_get_stats(fs, &stats), 0);
	assert_int_equal(stats.connections, 1);
	assert_int_equal(farnova_fstat(file, &st), 0);
}

static int begin(void **state)
{
	client_server_create(&server);
	fs = farnova_connect(server.url, NULL);
	file = fs ? farnova_open(fs, "/file", O_CREAT | O_RDWR, 0600) : NULL;
	dir = file ? farnova_opendir(fs, "/") : NULL;
	queue = dir ? farnova_queue_create(fs, 4) : NULL;
	return queue ? 0 : -1;
}

static int end(void **state)
{
	farnova_disconnect(fs);
	client_server_destroy(&server);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_child_cannot_use_the_connections_of_its_parent),
	};
	return cmocka_run_group_tests(tests, begin, end);
}
