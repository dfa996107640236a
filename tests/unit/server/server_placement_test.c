/*
 * server_placement_test.c -- workers get CPUs of their own, leave one when told to, and are left alone where CPUs are
 * few.
 */
#include "server/net/placement.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static cpu_set_t all;

static int remember_cpus(void **state)
{
	return sched_getaffinity(0, sizeof(all), &all);
}

static int give_cpus_back(void **state)
{
	return sched_setaffinity(0, sizeof(all), &all);
}

static int cpus_now(void)
{
	cpu_set_t set;

	assert_int_equal(sched_getaffinity(0, sizeof(set), &set), 0);
	return CPU_COUNT(&set);
}

static void a_worker_is_pinned_and_moves_when_told(void **state)
{
	struct placement placement;

	if (CPU_COUNT(&all) < 2)
		skip();
	placement_init(&placement, 1);
	int first = placement_pin_worker(&placement);
	assert_true(first >= 0);
	assert_int_equal(cpus_now(), 1);
	assert_int_equal(sched_getcpu(), first);
	int second = placement_leave(&placement, first);
	assert_int_not_equal(second, first);
	assert_int_equal(sched_getcpu(), second);
	assert_int_not_equal(placement_leave(&placement, second), second);
}

static void two_workers_never_share_a_cpu(void **state)
{
	struct placement placement;

	if (CPU_COUNT(&all) < 2)
		skip();
	placement_init(&placement, 1);
	int first = placement_pin_worker(&placement);
	assert_int_equal(give_cpus_back(state), 0);
	int second = placement_pin_worker(&placement);
	assert_int_not_equal(first, second);
	/* With all CPUs taken nobody can leave. */
	if (CPU_COUNT(&all) == 2)
		assert_int_equal(placement_leave(&placement, second), second);
}

static void too_few_cpus_leave_every_worker_where_it_is(void **state)
{
	struct placement placement;

	placement_init(&placement, (unsigned)CPU_COUNT(&all));
	assert_int_equal(placement_pin_worker(&placement), -1);
	assert_int_equal(cpus_now(), CPU_COUNT(&all));
	assert_int_equal(placement_leave(&placement, -1), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_teardown(a_worker_is_pinned_and_moves_when_told, give_cpus_back),
	    cmocka_unit_test_teardown(two_workers_never_share_a_cpu, give_cpus_back),
	    cmocka_unit_test_teardown(too_few_cpus_leave_every_worker_where_it_is, give_cpus_back),
	};

	return cmocka_run_group_tests(tests, remember_cpus, NULL);
}
