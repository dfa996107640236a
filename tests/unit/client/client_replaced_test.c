/*
 * client_replaced_test.c -- a call by path that takes two messages works on what has the name, however often another
 * client replaces it, against a real server.
 *
 * The linker puts call_reply of this program before the library's. Before the library gets the reply to a request that
 * walks a path, another client replaces what is there.
 */
#include "client/include/farnova.h"
#include "client/session/call.h"
#include "tests/integration/check.h"
#include "tests/support/client_server.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
/* cmocka.h wants the above first */
#include <cmocka.h>

static struct client_server server;
static struct farnova *fs, *other;
static bool replacing;
static unsigned replaced;

bool __real_call_reply(struct farnova *by, const struct proto_reply *reply);
bool __wrap_call_reply(struct farnova *by, const struct proto_reply *reply);

static void *replace(void *argument)
{
	struct farnova_file *file = farnova_open(other, "/new", O_CREAT | O_RDWR, 0644);

	CHECK(file && farnova_close(file) == 0);
	CHECK(farnova_rename(other, "/new", "/file", 0) == 0);
	CHECK(farnova_symlink(other, "target", "/new") == 0);
	CHECK(farnova_rename(other, "/new", "/link", 0) == 0);
	replaced++;
	return argument;
}

/* In a thread of its own: this one is waiting on the library's connection, with its lock. */
bool __wrap_call_reply(struct farnova *by, const struct proto_reply *reply)
{
	pthread_t thread;

	if (replacing && by == fs && (reply->op == PROTO_LOOKUP || reply->op == PROTO_OPEN)) {
		CHECK(pthread_create(&thread, NULL, replace, NULL) == 0);
		CHECK(pthread_join(thread, NULL) == 0);
	}
	return __real_call_reply(by, reply);
}

/* WORKS -- the call has `result`, though what it works on is replaced each time that it has been found. */
#define WORKS(expression, result)                                                                                      \
	do {                                                                                                           \
		replaced = 0;                                                                                          \
		replacing = true;                                                                                      \
		long got = (long)(expression);                                                                         \
		replacing = false;                                                                                     \
		if (got != (result))                                                                                   \
			print_error("%s: %ld, %s\n", #expression, got, farnova_last_error());                          \
		assert_int_equal(got, result);                                                                         \
		assert_in_range(replaced, 1, 2);                                                                       \
	} while (0)

static void calls_by_path_work_on_a_file_that_is_replaced_all_the_time(void **state)
{
	struct statvfs st;
	char text[64];

	replace(NULL);
	WORKS(farnova_chmod(fs, "/file", 0600), 0);
	WORKS(farnova_chown(fs, "/file", 1, 1), 0);
	WORKS(farnova_lchown(fs, "/link", 1, 1), 0);
	WORKS(farnova_utimens(fs, "/file", NULL, 0), 0);
	WORKS(farnova_utimens(fs, "/link", NULL, AT_SYMLINK_NOFOLLOW), 0);
	WORKS(farnova_truncate(fs, "/file", 100), 0);
	WORKS(farnova_access(fs, "/file", 0), 0);
	WORKS(farnova_setxattr(fs, "/file", "user.a", "b", 1, 0), 0);
	WORKS(farnova_lsetxattr(fs, "/link", "trusted.a", "b", 1, 0), 0);
	WORKS(farnova_listxattr(fs, "/file", text, sizeof(text)), 0);
	WORKS(farnova_setflags(fs, "/file", 0), 0);
	WORKS(farnova_setproject(fs, "/file", 0), 0);
	WORKS(farnova_statvfs_of(fs, "/file", &st), 0);
	WORKS(farnova_readlink(fs, "/link", text, sizeof(text)), (long)strlen("target"));
}

/* queued -- the result of an operation of a queue. */
static ssize_t queued(struct farnova_operation operation)
{
	struct farnova_queue *queue = farnova_queue_create(fs, 1);
	struct farnova_completion completion;

	CHECK(queue && farnova_queue_submit(queue, &operation, 1) == 1);
	CHECK(farnova_queue_reap(queue, &completion, 1, 1, -1) == 1);
	farnova_queue_destroy(queue);
	return completion.result;
}

#define QUEUED(...) WORKS(queued((struct farnova_operation){__VA_ARGS__}), 0)

static void operations_of_a_queue_do_so_too(void **state)
{
	struct statvfs st;

	QUEUED(.operation = FARNOVA_OP_TRUNCATE, .path = "/file", .offset = 100);
	QUEUED(.operation = FARNOVA_OP_ACCESS, .path = "/file");
	QUEUED(.operation = FARNOVA_OP_CHMOD, .path = "/file", .mode = 0600);
	QUEUED(.operation = FARNOVA_OP_CHOWN, .path = "/link", .uid = 1, .gid = 1, .flags = AT_SYMLINK_NOFOLLOW);
	QUEUED(.operation = FARNOVA_OP_UTIMENS, .path = "/file");
	QUEUED(.operation = FARNOVA_OP_SETXATTR, .path = "/file", .name = "user.a", .data = "b", .length = 1);
	QUEUED(.operation = FARNOVA_OP_STATVFS, .path = "/file", .statvfs = &st);
}

static void the_right_error_of_such_a_file(void **state)
{
	char text[64];

	WORKS(farnova_getxattr(fs, "/file", "user.a", text, sizeof(text)), -1);
	assert_int_equal(errno, ENODATA);
	WORKS(farnova_removexattr(fs, "/file", "user.a"), -1);
	assert_int_equal(errno, ENODATA);
	WORKS(farnova_readlink(fs, "/file", text, sizeof(text)), -1);
	assert_int_equal(errno, EINVAL);
}

static int begin(void **state)
{
	client_server_create(&server);
	fs = farnova_connect(server.url, NULL);
	other = farnova_connect(server.url, NULL);
	return fs && other ? 0 : -1;
}

static int end(void **state)
{
	farnova_disconnect(fs);
	farnova_disconnect(other);
	client_server_destroy(&server);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(calls_by_path_work_on_a_file_that_is_replaced_all_the_time),
	    cmocka_unit_test(operations_of_a_queue_do_so_too),
	    cmocka_unit_test(the_right_error_of_such_a_file),
	};
	return cmocka_run_group_tests(tests, begin, end);
}
