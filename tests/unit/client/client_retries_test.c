/*
 * client_retries_test.c -- what a mount holds open for threads whose path led to a dead inode, and when it lets go.
 */
#include "client/fuse/retries.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <time.h>
/* cmocka.h wants the above first */
#include <cmocka.h>

static struct retries *retries;
static int64_t now;
static char files[2 * RETRIES_MAX]; /* each stands for an open file */
static unsigned closed[2 * RETRIES_MAX], closes;

/* In place of the library's. */
int farnova_close(struct farnova_file *file)
{
	closed[(char *)file - files]++;
	closes++;
	return 0;
}

static struct farnova_file *file(unsigned number)
{
	return (struct farnova_file *)(void *)&files[number];
}

int __wrap_clock_gettime(clockid_t clock, struct timespec *time);

int __wrap_clock_gettime(clockid_t clock, struct timespec *time)
{
	*time = (struct timespec){.tv_sec = now / 1000000000, .tv_nsec = now % 1000000000};
	return 0;
}

static int start(void **state)
{
	now = 1000 * RETRIES_NS;
	closes = 0;
	for (unsigned i = 0; i < 2 * RETRIES_MAX; i++)
		closed[i] = 0;
	retries = retries_new();
	assert_non_null(retries);
	return 0;
}

static int end(void **state)
{
	retries_free(retries);
	return 0;
}

static void only_a_thread_that_got_estale_is_held_for(void **state)
{
	assert_false(retries_wanted(retries, 1));
	retries_stale(retries, 1);
	assert_true(retries_wanted(retries, 1));
	assert_false(retries_wanted(retries, 2));
	/* Threads of other PID namespaces cannot be told apart. */
	retries_stale(retries, 0);
	assert_false(retries_wanted(retries, 0));
	retries_done(retries, 1);
	assert_false(retries_wanted(retries, 1));
}

static void what_is_held_is_closed_once_used_or_passed(void **state)
{
	retries_stale(retries, 1);
	retries_hold(retries, 1, file(0));
	retries_hold(retries, 1, file(1)); /* the next component of the path */
	assert_int_equal(closed[0], 1);
	assert_int_equal(closed[1], 0);
	retries_done(retries, 2);
	assert_int_equal(closed[1], 0);
	retries_done(retries, 1);
	assert_int_equal(closed[1], 1);
	/* Given up meanwhile: nothing may stay open. */
	retries_hold(retries, 1, file(2));
	assert_int_equal(closed[2], 1);
	retries_stale(retries, 1);
	retries_hold(retries, 1, file(3));
	retries_stale(retries, 1);
	assert_int_equal(closed[3], 1);
	assert_true(retries_wanted(retries, 1));
}

static void what_is_not_used_is_let_go_after_a_while(void **state)
{
	retries_stale(retries, 1);
	retries_hold(retries, 1, file(0));
	now += RETRIES_NS - 1;
	assert_false(retries_wanted(retries, 2));
	assert_int_equal(closes, 0);
	now += 1;
	assert_false(retries_wanted(retries, 2));
	assert_int_equal(closed[0], 1);
	assert_false(retries_wanted(retries, 1));
}

static void no_more_are_held_than_there_is_room_for(void **state)
{
	for (unsigned i = 0; i < 2 * RETRIES_MAX; i++) {
		now++;
		retries_stale(retries, (pid_t)i + 1);
		retries_hold(retries, (pid_t)i + 1, file(i));
	}
	for (unsigned i = 0; i < 2 * RETRIES_MAX; i++)
		assert_int_equal(closed[i], i < RETRIES_MAX);
	retries_free(retries);
	for (unsigned i = 0; i < 2 * RETRIES_MAX; i++)
		assert_int_equal(closed[i], 1);
	retries = NULL;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(only_a_thread_that_got_estale_is_held_for, start, end),
	    cmocka_unit_test_setup_teardown(what_is_held_is_closed_once_used_or_passed, start, end),
	    cmocka_unit_test_setup_teardown(what_is_not_used_is_let_go_after_a_while, start, end),
	    cmocka_unit_test_setup_teardown(no_more_are_held_than_there_is_room_for, start, end),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
