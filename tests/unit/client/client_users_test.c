/*
 * client_users_test.c -- a program that serves many users: it may use any number of credentials over time, and as many
 * at a time as the protocol allows, against a real server.
 */
#include "client/include/farnova.h"
#include "proto/proto.h"
#include "tests/integration/check.h"
#include "tests/support/client_server.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/stat.h>
/* cmocka.h wants the above first */
#include <cmocka.h>

#define MOST  (PROTO_MAX_CREDS - 1u) /* in use at a time */
#define FIRST 1000u

static struct client_server server;
static struct farnova *fs;

static int become(unsigned user)
{
	return farnova_set_cred(fs, &(struct farnova_cred){.uid = FIRST + user, .gid = FIRST + user});
}

/* make -- make a file as `user`, who must be its owner. */
static struct farnova_file *make(unsigned user)
{
	struct stat st;
	char path[32];

	snprintf(path, sizeof(path), "/all/%u", user);
	CHECK(become(user) == 0);
	struct farnova_file *file = farnova_open(fs, path, O_CREAT | O_RDWR, 0600);
	CHECK(file && farnova_fstat(file, &st) == 0);
	CHECK(st.st_uid == FIRST + user && st.st_gid == FIRST + user);
	return file;
}

static void any_number_of_users_over_time(void **state)
{
	for (unsigned user = 0; user < 2 * PROTO_MAX_CREDS; user++)
		assert_int_equal(farnova_close(make(user)), 0);
	/* Nobody has got the rights of another, also not with a number that was used before. */
	assert_int_equal(become(7), 0);
	assert_null(farnova_open(fs, "/all/8", O_RDONLY, 0));
	assert_int_equal(errno, EACCES);
	struct farnova_file *file = farnova_open(fs, "/all/7", O_RDONLY, 0);
	assert_non_null(file);
	assert_int_equal(farnova_close(file), 0);
}

static void open_files_keep_the_users_they_were_opened_by(void **state)
{
	static struct farnova_file *files[MOST];
	struct stat st;

	for (unsigned user = 0; user < MOST; user++)
		files[user] = make(user);
	assert_int_equal(become(MOST), -1);
	assert_int_equal(errno, EUSERS);
	/* The thread is who it was, and each file works. */
	struct farnova_file *other = farnova_open(fs, "/all/other", O_CREAT | O_RDWR, 0600);
	assert_true(other && farnova_fstat(other, &st) == 0);
	assert_int_equal(st.st_uid, FIRST + MOST - 1);
	for (unsigned user = 0; user < MOST; user++)
		assert_int_equal(farnova_pwrite(files[user], "x", 1, 0), 1);
	assert_int_equal(farnova_close(other), 0);
	assert_int_equal(farnova_close(files[0]), 0);
	assert_int_equal(farnova_close(make(MOST)), 0);
	for (unsigned user = 1; user < MOST; user++)
		assert_int_equal(farnova_close(files[user]), 0);
}

static void *one_user(void *argument)
{
	CHECK(farnova_close(make(*(unsigned *)argument)) == 0);
	return NULL;
}

static void a_thread_that_ends_gives_its_user_back(void **state)
{
	for (unsigned user = 0; user < PROTO_MAX_CREDS + 10; user++) {
		pthread_t thread;
		assert_int_equal(pthread_create(&thread, NULL, one_user, &user), 0);
		assert_int_equal(pthread_join(thread, NULL), 0);
	}
}

/* A restarted server learns the users of open files again, whatever numbers they have. */
static void users_survive_a_restart_of_the_server(void **state)
{
	struct farnova_file *files[40];
	struct stat st;

	for (unsigned i = 0; i < 40; i++)
		files[i] = make(MOST + i);
	client_server_kill(&server);
	client_server_start(&server);
	for (unsigned i = 0; i < 40; i++) {
		assert_int_equal(farnova_pwrite(files[i], "y", 1, 0), 1);
		assert_int_equal(farnova_fstat(files[i], &st), 0);
		assert_int_equal(farnova_close(files[i]), 0);
		assert_int_equal(farnova_close(make(i)), 0);
	}
}

static int begin(void **state)
{
	client_server_create(&server);
	fs = farnova_connect(server.url, NULL);
	return fs && farnova_mkdir(fs, "/all", 0777) == 0 ? 0 : -1;
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
	    cmocka_unit_test(any_number_of_users_over_time),
	    cmocka_unit_test(open_files_keep_the_users_they_were_opened_by),
	    cmocka_unit_test(a_thread_that_ends_gives_its_user_back),
	    cmocka_unit_test(users_survive_a_restart_of_the_server),
	};
	return cmocka_run_group_tests(tests, begin, end);
}
