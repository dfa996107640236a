/*
 * client_recent_test.c -- the mount's replies that answer the next question: by whom, how often, how long, until what.
 */
#include "client/fuse/recent.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include <cmocka.h>

#define ME    11
#define OTHER 12
#define FILE  100u
#define DIR   200u

static struct timespec clock_now = {.tv_sec = 1};

int __wrap_clock_gettime(clockid_t clock, struct timespec *now);
int __wrap_clock_gettime(clockid_t clock, struct timespec *now)
{
	*now = clock_now;
	return 0;
}

static void pass_us(long us)
{
	clock_now.tv_nsec += us * 1000;
	clock_now.tv_sec += clock_now.tv_nsec / 1000000000;
	clock_now.tv_nsec %= 1000000000;
}

static int start(void **state)
{
	*state = recent_new();
	return *state ? 0 : -1;
}

static int stop(void **state)
{
	recent_free(*state);
	return 0;
}

static void tell(struct recent *recent, uint64_t node)
{
	const struct stat st = {.st_mode = node == DIR ? S_IFDIR | 0755 : S_IFREG | 0644, .st_size = 70};

	recent_told(recent, ME, node, recent_moment(recent), &st, true);
}

static bool knows(struct recent *recent, uint64_t node)
{
	struct stat st;

	return recent_attr(recent, ME, node, &st);
}

static void attributes_are_used_once_by_the_thread_that_was_told(void **state)
{
	struct recent *recent = *state;
	struct stat st;
	mode_t mode;
	off_t size;

	tell(recent, FILE);
	assert_false(recent_attr(recent, OTHER, FILE, &st));
	assert_false(recent_attr(recent, ME, FILE + 1, &st));
	assert_true(recent_attr(recent, ME, FILE, &st));
	assert_int_equal(st.st_size, 70);
	assert_false(recent_attr(recent, ME, FILE, &st));
	assert_true(recent_size(recent, ME, FILE, &size) && size == 70);
	assert_false(recent_no_xattrs(recent, OTHER, FILE, &mode));
	assert_true(recent_no_xattrs(recent, ME, FILE, &mode) && S_ISREG(mode));
	assert_false(recent_no_xattrs(recent, ME, FILE, &mode));
	/* Where a name is made its directory is asked for twice. */
	tell(recent, DIR);
	assert_true(knows(recent, DIR) && knows(recent, DIR));
	assert_false(knows(recent, DIR));
	/* No thread: the kernel itself, or another pid namespace. */
	recent_told(recent, 0, FILE, recent_moment(recent), &st, true);
	assert_false(recent_attr(recent, 0, FILE, &st));
}

static void what_is_known_ends_after_a_millisecond(void **state)
{
	struct recent *recent = *state;
	mode_t mode;

	tell(recent, FILE);
	pass_us(1000);
	assert_true(knows(recent, FILE));
	tell(recent, FILE);
	pass_us(1001);
	assert_false(knows(recent, FILE));
	assert_false(recent_no_xattrs(recent, ME, FILE, &mode));
	recent_ended(recent, ME, FILE, recent_moment(recent), 70);
	pass_us(1001);
	assert_false(recent_beyond_end(recent, ME, FILE, 70));
}

static void a_change_ends_what_depends_on_it(void **state)
{
	struct recent *recent = *state;

	tell(recent, FILE);
	tell(recent, DIR);
	recent_changed(recent, FILE);
	assert_false(knows(recent, FILE));
	assert_true(knows(recent, DIR));

	/* Another name of the file may have gone. */
	tell(recent, FILE);
	tell(recent, DIR);
	recent_name_gone(recent, DIR + 1);
	assert_false(knows(recent, FILE));
	assert_true(knows(recent, DIR));
	tell(recent, DIR);
	recent_name_gone(recent, DIR);
	assert_false(knows(recent, DIR));

	tell(recent, FILE);
	tell(recent, DIR);
	recent_names_moved(recent);
	assert_false(knows(recent, FILE) || knows(recent, DIR));

	tell(recent, FILE);
	recent_accessed(recent, FILE);
	assert_false(knows(recent, FILE));
}

static void a_reply_that_was_under_way_beside_a_change_is_not_used(void **state)
{
	struct recent *recent = *state;
	const struct stat st = {.st_mode = S_IFREG | 0644};

	uint64_t moment = recent_moment(recent);
	recent_changed(recent, FILE);
	recent_told(recent, ME, FILE, moment, &st, true);
	assert_false(knows(recent, FILE));
	recent_told(recent, ME, FILE, recent_moment(recent), &st, true);
	assert_true(knows(recent, FILE));
}

static void a_change_tells_unless_another_came_in_between(void **state)
{
	struct recent *recent = *state;
	const struct stat st = {.st_mode = S_IFREG | 0600};
	struct stat got;

	tell(recent, FILE);
	recent_told(recent, OTHER, FILE, recent_moment(recent), &st, true);
	recent_set(recent, ME, FILE, recent_moment(recent), &st, true);
	assert_false(recent_attr(recent, OTHER, FILE, &got));
	assert_true(recent_attr(recent, ME, FILE, &got) && got.st_mode == st.st_mode);
	assert_false(knows(recent, FILE));

	void (*const others[])(struct recent *, uint64_t) = {recent_changed, recent_name_gone};
	for (unsigned i = 0; i < 2; i++) {
		uint64_t moment = recent_moment(recent);
		others[i](recent, FILE);
		recent_set(recent, ME, FILE, moment, &st, true);
		assert_false(knows(recent, FILE));
	}
	uint64_t moment = recent_moment(recent);
	recent_names_moved(recent);
	recent_set(recent, ME, FILE, moment, &st, true);
	assert_false(knows(recent, FILE));
}

static void a_read_beyond_the_end_is_known_once(void **state)
{
	struct recent *recent = *state;

	recent_ended(recent, ME, FILE, recent_moment(recent), 70);
	assert_false(recent_beyond_end(recent, ME, FILE, 69));
	assert_false(recent_beyond_end(recent, OTHER, FILE, 70));
	assert_true(recent_beyond_end(recent, ME, FILE, 70));
	assert_false(recent_beyond_end(recent, ME, FILE, 70));
	recent_ended(recent, ME, FILE, recent_moment(recent), 70);
	recent_accessed(recent, FILE);
	assert_true(recent_beyond_end(recent, ME, FILE, 71));
	recent_ended(recent, ME, FILE, recent_moment(recent), 70);
	recent_changed(recent, FILE);
	assert_false(recent_beyond_end(recent, ME, FILE, 70));
	assert_false(knows(recent, FILE));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(attributes_are_used_once_by_the_thread_that_was_told),
	    TEST(what_is_known_ends_after_a_millisecond),
	    TEST(a_change_ends_what_depends_on_it),
	    TEST(a_reply_that_was_under_way_beside_a_change_is_not_used),
	    TEST(a_change_tells_unless_another_came_in_between),
	    TEST(a_read_beyond_the_end_is_known_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
