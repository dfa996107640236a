/*
 * server_worker_test.c -- what a worker takes for time in which it could not run.
 */
#include "server/loop/stall.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void time_without_a_cpu_is_a_stall(void **state)
{
	(void)state;
	assert_int_equal(stall_ms(5000, 0, 100), 5000);
	/* It polled until the tick was due. */
	assert_int_equal(stall_ms(5000, 100, 100), 5000);
}

static void time_that_requests_took_is_none(void **state)
{
	(void)state;
	assert_int_equal(stall_ms(5000, 5100, 100), 0);
	assert_int_equal(stall_ms(5000, 5000, 100), 100);
	/* Half of it was another program's. */
	assert_int_equal(stall_ms(5000, 2600, 100), 2500);
	/* Clocks differ by a little. */
	assert_int_equal(stall_ms(300, 500, 100), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(time_without_a_cpu_is_a_stall),
	    cmocka_unit_test(time_that_requests_took_is_none),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
