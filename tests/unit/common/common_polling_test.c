/*
 * common_polling_test.c -- loops go by the one clock, which a test may replace, and poll for as long as waits take.
 */
#include "common/clock.h"
#include "common/container_of.h"
#include "common/poll_policy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <time.h>
/* cmocka.h wants the above first */
#include <cmocka.h>

static int64_t pretended_ns;

static int64_t pretended(void)
{
	return pretended_ns;
}

static int restore_clock(void **state)
{
	clock_set_source(NULL);
	return 0;
}

static void clock_is_the_systems_unless_replaced(void **state)
{
	struct timespec system;
	int64_t first = clock_now_ns();

	clock_gettime(CLOCK_MONOTONIC, &system);
	int64_t between = (int64_t)system.tv_sec * CLOCK_NS_PER_S + system.tv_nsec;
	assert_true(first <= between && between <= clock_now_ns());
	pretended_ns = 7 * CLOCK_NS_PER_S + 5 * CLOCK_NS_PER_MS + 3;
	clock_set_source(pretended);
	assert_int_equal(clock_now_ns(), pretended_ns);
	assert_int_equal(clock_now_ms(), 7005);
	assert_int_equal(clock_timespec(pretended_ns).tv_sec, 7);
	assert_int_equal(clock_timespec(pretended_ns).tv_nsec, 5 * CLOCK_NS_PER_MS + 3);
}

struct outer {
	int before, member;
};

static void container_is_found_by_its_member(void **state)
{
	struct outer outer;

	assert_ptr_equal(container_of(&outer.member, struct outer, member), &outer);
}

static void short_waits_are_polled_for_twice_their_length(void **state)
{
	struct poll_policy policy = {.spin_ns = 50000};

	assert_int_equal(poll_policy_budget(&policy, 1), 50000);
	for (int i = 0; i < 100; i++)
		poll_policy_learn(&policy, 100000);
	assert_in_range(poll_policy_budget(&policy, 1), 190000, 200000);
}

static void long_waits_are_not_polled_for(void **state)
{
	struct poll_policy policy = {.spin_ns = 50000};

	for (int i = 0; i < 100; i++)
		poll_policy_learn(&policy, 30 * CLOCK_NS_PER_S);
	assert_int_equal(poll_policy_budget(&policy, 1), 50000);
	/* A long wait counts for no more than four of the longest that are polled for: the mean recovers soon. */
	for (int i = 0; i < 20; i++)
		poll_policy_learn(&policy, 10000);
	assert_true(poll_policy_budget(&policy, 1) > 50000);
}

static void one_that_must_not_spin_never_does(void **state)
{
	struct poll_policy policy = {.spin_ns = 0};

	for (int i = 0; i < 100; i++)
		poll_policy_learn(&policy, 1000);
	assert_int_equal(poll_policy_budget(&policy, 1), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_teardown(clock_is_the_systems_unless_replaced, restore_clock),
	    cmocka_unit_test(container_is_found_by_its_member),
	    cmocka_unit_test(short_waits_are_polled_for_twice_their_length),
	    cmocka_unit_test(long_waits_are_not_polled_for),
	    cmocka_unit_test(one_that_must_not_spin_never_does),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
