/*
 * client_repeat_test.c -- a call that was executed by a server which died before it replied gets its own result from the
 * next server, and is not executed again. Where the identity of the client has been given up it fails with ECONNRESET.
 *
 * The client reaches a real server through a relay, which holds back the replies: when another client
 * sees that the call has been executed, the server is killed and started again.
 */
#include "client/session/session.h"
#include "tests/integration/check.h"
#include "tests/support/client_relay.h"
#include "tests/support/client_server.h"
#include "tests/support/raw_client.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>
/* cmocka.h wants the above first */
#include <cmocka.h>

#define LARGE 20000u

static struct client_server server;
static struct client_relay relay;

static struct farnova *fs;        /* through the relay */
static struct farnova *other;     /* straight to the server */
static struct farnova_file *file; /* "file", open for appending */
static struct farnova_file *plain, *spare;

/* ---- the calls, each of one message: the replies of others before it would be held back, too --------------------------------------------------------------------------------------------------- */

static char data[LARGE];

static int append_small(void)
{
	return (int)farnova_write(file, "abc", 3);
}

static int append_large(void)
{
	return (int)farnova_write(file, data, LARGE);
}

static bool has_size(const char *path, off_t size)
{
	struct stat st;

	CHECK(farnova_stat(other, path, &st) == 0);
	return st.st_size == size;
}

static bool small_is_appended(void)
{
	return has_size("file", LARGE + 3);
}

static bool large_is_appended(void)
{
	return has_size("file", 2 * LARGE);
}

static int collapse(void)
{
	return farnova_fallocate(plain, FALLOC_FL_COLLAPSE_RANGE, 0, 4096);
}

static bool is_collapsed(void)
{
	return has_size("plain", LARGE - 4096);
}

static int exchange(void)
{
	return farnova_rename(fs, "file", "plain", RENAME_EXCHANGE);
}

static bool holds(const char *path, char first)
{
	char byte = 0;
	struct farnova_file *opened = farnova_open(other, path, O_RDONLY, 0);

	CHECK(opened && farnova_pread(opened, &byte, 1, 0) == 1);
	CHECK(farnova_close(opened) == 0);
	return byte == first;
}

static bool is_exchanged(void)
{
	return holds("file", 'p') && holds("plain", 'f');
}

static bool is_there(const char *path)
{
	struct stat st;

	return farnova_lstat(other, path, &st) == 0;
}

static int rename_away(void)
{
	return farnova_rename(fs, "spare", "renamed", 0);
}

static bool is_renamed(void)
{
	return is_there("renamed") && !is_there("spare");
}

static int unlink_spare(void)
{
	return farnova_unlink(fs, "spare");
}

static bool spare_is_gone(void)
{
	return !is_there("spare");
}

static int remove_directory(void)
{
	return farnova_rmdir(fs, "dir");
}

static bool directory_is_gone(void)
{
	return !is_there("dir");
}

static int remove_attribute(void)
{
	return farnova_fremovexattr(spare, "user.a");
}

static bool attribute_is_gone(void)
{
	return farnova_getxattr(other, "spare", "user.a", NULL, 0) < 0;
}

static int make_directory(void)
{
	return farnova_mkdir(fs, "new", 0700);
}

static int make_symlink(void)
{
	return farnova_symlink(fs, "target", "new");
}

static int make_link(void)
{
	return farnova_flink(spare, "new");
}

static int make_exclusively(void)
{
	struct farnova_file *made = farnova_open(fs, "new", O_WRONLY | O_CREAT | O_EXCL, 0600);

	return made ? farnova_close(made) : -1;
}

static int make_if_missing(void)
{
	struct farnova_file *made = farnova_open(fs, "new", O_WRONLY | O_CREAT, 0600);

	return made ? farnova_close(made) : -1;
}

static bool is_made(void)
{
	return is_there("new");
}

static int make_attribute(void)
{
	return farnova_fsetxattr(spare, "user.b", "v", 1, XATTR_CREATE);
}

static bool attribute_is_made(void)
{
	return farnova_getxattr(other, "spare", "user.b", NULL, 0) == 1;
}

static int overwrite(void)
{
	return (int)farnova_pwrite(plain, "x", 1, 0);
}

static bool is_overwritten(void)
{
	return holds("plain", 'x');
}

static int truncate_plain(void)
{
	return farnova_ftruncate(plain, 7);
}

static bool is_truncated(void)
{
	return has_size("plain", 7);
}

static const struct {
	const char *name;
	int (*call)(void);
	bool (*executed)(void);
	int expected; /* what it returns */
} cases[] = {
    {"append, by message", append_small, small_is_appended, 3},
    {"append, staged", append_large, large_is_appended, LARGE},
    {"collapse", collapse, is_collapsed, 0},
    {"exchange", exchange, is_exchanged, 0},
    {"rename", rename_away, is_renamed, 0},
    {"unlink", unlink_spare, spare_is_gone, 0},
    {"rmdir", remove_directory, directory_is_gone, 0},
    {"removexattr", remove_attribute, attribute_is_gone, 0},
    {"mkdir", make_directory, is_made, 0},
    {"symlink", make_symlink, is_made, 0},
    {"link", make_link, is_made, 0},
    {"open exclusively", make_exclusively, is_made, 0},
    {"setxattr, create", make_attribute, attribute_is_made, 0},
    {"open", make_if_missing, is_made, 0},
    {"overwrite", overwrite, is_overwritten, 1},
    {"truncate", truncate_plain, is_truncated, 0},
};

/* ---- the tests --------------------------------------------------------------------------------------------------- */

struct outcome {
	int (*call)(void);
	int result, error;
};

static void *run(void *argument)
{
	struct outcome *outcome = argument;

	errno = 0;
	outcome->result = outcome->call();
	outcome->error = errno;
	return NULL;
}

static void fill(const char *name, char byte)
{
	struct farnova_file *made = farnova_open(other, name, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	memset(data, byte, LARGE);
	CHECK(made && farnova_write(made, data, LARGE) == LARGE);
	CHECK(farnova_close(made) == 0);
}

static void prepare(void)
{
	fill("file", 'f');
	fill("plain", 'p');
	fill("spare", 's');
	CHECK(farnova_setxattr(other, "spare", "user.a", "v", 1, 0) == 0);
	CHECK(farnova_mkdir(other, "dir", 0700) == 0);
	CHECK((file = farnova_open(fs, "file", O_WRONLY | O_APPEND, 0)) != NULL);
	CHECK((plain = farnova_open(fs, "plain", O_WRONLY, 0)) != NULL);
	CHECK((spare = farnova_open(fs, "spare", O_RDONLY, 0)) != NULL);
	/* So that it has a staging ring: with the relay mute it could not get one. */
	memset(data, 'p', sizeof(data));
	CHECK(farnova_pwrite(plain, data, LARGE, 0) == (ssize_t)LARGE);
}

static void clean_up(void)
{
	const char *const names[] = {"file", "plain", "spare", "renamed", "new"};

	CHECK(farnova_close(file) == 0 && farnova_close(plain) == 0 && farnova_close(spare) == 0);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		farnova_unlink(other, names[i]);
	farnova_rmdir(other, "dir");
	farnova_rmdir(other, "new");
}

static void call_in_flight_at_a_servers_death_is_not_done_twice(void **state)
{
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct outcome outcome = {.call = cases[i].call};
		pthread_t thread;
		prepare();
		atomic_store(&relay.mute, true);
		CHECK(pthread_create(&thread, NULL, run, &outcome) == 0);
		while (!cases[i].executed())
			usleep(1000);
		client_server_kill(&server);
		atomic_store(&relay.mute, false);
		client_server_start(&server);
		CHECK(pthread_join(thread, NULL) == 0);
		if (outcome.result != cases[i].expected)
			print_error("%s: %d, errno %d\n", cases[i].name, outcome.result, outcome.error);
		assert_int_equal(outcome.result, cases[i].expected);
		/* It is as one execution left it, and the connection is as good as before. */
		assert_true(cases[i].executed());
		assert_int_equal(farnova_pwrite(plain, "y", 1, 0), 1);
		clean_up();
	}
}

/* Somebody who has its key says BYE for it, as the server would give it up for want of room. */
static void give_up_identity(void)
{
	struct raw_client *raw = raw_connect(TRANSPORT_TCP, "127.0.0.1", (uint16_t)server.port);
	struct proto_request request = {.op = PROTO_HELLO, .slot = PROTO_SLOT_NONE};
	struct proto_reply reply;

	request.hello.min_version = request.hello.max_version = PROTO_VERSION;
	connection_lock(&fs->link);
	request.hello.identity = fs->identity.number;
	memcpy(request.hello.identity_key, fs->identity.key, sizeof(fs->identity.key));
	connection_unlock(&fs->link);
	CHECK(raw_post(raw, &request) && raw_reply(raw, &reply, 10000));
	CHECK(reply.status == 0 && reply.hello.known && reply.hello.identity == request.hello.identity);
	request = (struct proto_request){.op = PROTO_BYE, .slot = PROTO_SLOT_NONE};
	CHECK(raw_post(raw, &request) && raw_reply(raw, &reply, 10000));
	CHECK(reply.status == 0);
	raw_close(raw);
}

static void call_of_a_client_that_was_given_up_says_so(void **state)
{
	struct outcome outcome = {.call = append_small};
	pthread_t thread;

	prepare();
	uint64_t number = fs->identity.number;
	atomic_store(&relay.mute, true);
	CHECK(pthread_create(&thread, NULL, run, &outcome) == 0);
	while (!small_is_appended())
		usleep(1000);
	atomic_store(&relay.shut, true);
	client_server_kill(&server);
	atomic_store(&relay.mute, false);
	client_server_start(&server);
	give_up_identity();
	atomic_store(&relay.shut, false);
	CHECK(pthread_join(thread, NULL) == 0);
	assert_int_equal(outcome.result, -1);
	assert_int_equal(outcome.error, ECONNRESET);
	assert_true(small_is_appended());
	/* It goes on with another identity, and its sequences. */
	assert_int_equal(farnova_write(file, "abc", 3), 3);
	assert_true(has_size("file", LARGE + 6));
	assert_true(fs->identity.number != number && fs->identity.number != 0);
	clean_up();
}

/* The server lives; what is lost is the session, because the client was away for longer than a lease. */
static void call_in_flight_at_a_sessions_end_is_not_done_twice(void **state)
{
	client_server_kill(&server);
	server.flags[0] = "--lease-ms";
	server.flags[1] = "600";
	client_server_start(&server);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i += 3) { /* each takes more than a lease */
		struct outcome outcome = {.call = cases[i].call};
		pthread_t thread;
		prepare();
		atomic_store(&relay.mute, true);
		CHECK(pthread_create(&thread, NULL, run, &outcome) == 0);
		while (!cases[i].executed())
			usleep(1000);
		uint64_t session = fs->session.id;
		atomic_store(&relay.shut, true);
		usleep(1600000);
		atomic_store(&relay.mute, false);
		atomic_store(&relay.shut, false);
		CHECK(pthread_join(thread, NULL) == 0);
		if (outcome.result != cases[i].expected)
			print_error("%s: %d, errno %d\n", cases[i].name, outcome.result, outcome.error);
		assert_int_equal(outcome.result, cases[i].expected);
		assert_true(fs->session.id != session);
		assert_true(cases[i].executed());
		clean_up();
	}
}

static void call_made_while_the_server_is_away_is_done(void **state)
{
	struct outcome outcome = {.call = append_small};
	pthread_t thread;

	prepare();
	unsigned before = atomic_load(&relay.connections);
	client_server_kill(&server);
	while (atomic_load(&relay.connections) ==
	       before) /* the client knows that it is away once it tries to come back */
		usleep(1000);
	CHECK(pthread_create(&thread, NULL, run, &outcome) == 0);
	client_server_start(&server);
	CHECK(pthread_join(thread, NULL) == 0);
	assert_int_equal(outcome.result, 3);
	assert_true(small_is_appended());
	clean_up();
}

static int start(void **state)
{
	client_server_create(&server);
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
	    cmocka_unit_test(call_in_flight_at_a_servers_death_is_not_done_twice),
	    cmocka_unit_test(call_made_while_the_server_is_away_is_done),
	    cmocka_unit_test(call_of_a_client_that_was_given_up_says_so),
	    cmocka_unit_test(call_in_flight_at_a_sessions_end_is_not_done_twice),
	};
	alarm(280);
	return cmocka_run_group_tests(tests, start, end);
}
