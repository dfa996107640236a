/*
 * client_log_test.c -- the library says nothing on the program's stderr: what it has to say goes to the program's callback.
 *
 * A server of this program says hello as the transport does, and then what no server says.
 */
#include "client/include/farnova.h"
#include "tests/integration/check.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
/* cmocka.h wants the above first */
#include <cmocka.h>

#define HELLO 48 /* bytes that each side of the transport begins with */

static int listener;
static char url[64];

static void *speak_nonsense(void *argument)
{
	char hello[HELLO], nonsense[24];
	int fd = accept(listener, NULL, NULL);

	memset(nonsense, 0xff, sizeof(nonsense));
	CHECK(fd >= 0);
	CHECK(recv(fd, hello, sizeof(hello), MSG_WAITALL) == HELLO);
	CHECK(send(fd, hello, sizeof(hello), MSG_NOSIGNAL) == HELLO);
	CHECK(send(fd, nonsense, sizeof(nonsense), MSG_NOSIGNAL) == sizeof(nonsense));
	while (recv(fd, nonsense, sizeof(nonsense), 0) > 0)
		;
	close(fd);
	return argument;
}

static int lines;
static char last[512];
static int last_level;

static void note(void *context, int level, const char *text)
{
	CHECK(context == &lines);
	lines++;
	last_level = level;
	snprintf(last, sizeof(last), "%s", text);
}

/* connect_to_nonsense -- what came on stderr meanwhile, in bytes. */
static long connect_to_nonsense(void)
{
	struct farnova_options options = {.size = sizeof(options), .transport = "tcp", .timeout_ms = 20000};
	FILE *captured = tmpfile();
	int before = dup(STDERR_FILENO);
	pthread_t thread;

	CHECK(captured && before >= 0);
	CHECK(pthread_create(&thread, NULL, speak_nonsense, NULL) == 0);
	CHECK(dup2(fileno(captured), STDERR_FILENO) == STDERR_FILENO);
	struct farnova *fs = farnova_connect(url, &options);
	CHECK(dup2(before, STDERR_FILENO) == STDERR_FILENO);
	close(before);
	CHECK(!fs);
	CHECK(pthread_join(thread, NULL) == 0);
	long bytes = lseek(fileno(captured), 0, SEEK_END);
	fclose(captured);
	return bytes;
}

static void library_says_nothing_on_stderr(void **state)
{
	assert_int_equal(connect_to_nonsense(), 0);
}

static void callback_is_told_and_only_while_it_is_set(void **state)
{
	farnova_set_log(note, &lines);
	assert_int_equal(connect_to_nonsense(), 0);
	assert_true(lines > 0);
	assert_int_equal(last_level, FARNOVA_LOG_WARN);
	assert_non_null(strstr(last, "unknown frame type"));
	assert_null(strchr(last, '\n'));
	farnova_set_log(NULL, NULL);
	int before = lines;
	assert_int_equal(connect_to_nonsense(), 0);
	assert_int_equal(lines, before);
}

static int start(void **state)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	socklen_t size = sizeof(address);

	listener = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(bind(listener, (struct sockaddr *)&address, size), 0);
	assert_int_equal(listen(listener, 8), 0);
	assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &size), 0);
	snprintf(url, sizeof(url), "farnova://127.0.0.1:%d/", ntohs(address.sin_port));
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(library_says_nothing_on_stderr),
	    cmocka_unit_test(callback_is_told_and_only_while_it_is_set),
	};
	alarm(100);
	return cmocka_run_group_tests(tests, start, NULL);
}
