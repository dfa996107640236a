/*
 * server_penalty_test.c -- what it costs a session, and its host, to let others wait for its leases.
 */
#include "server/state/lease/penalty.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void penalty_grows_to_a_minute_with_each_recall_unanswered(void **state)
{
	struct penalty p = {0};
	int64_t expected = PENALTY_FIRST_MS, now = 1000;

	(void)state;
	assert_false(penalty_holds(&p, now));
	for (int i = 0; i < 8; i++) {
		penalty_unanswered(&p, now);
		assert_true(penalty_holds(&p, now + expected - 1));
		assert_false(penalty_holds(&p, now + expected));
		now += expected;
		expected = 2 * expected < PENALTY_MAX_MS ? 2 * expected : PENALTY_MAX_MS;
	}
}

static void penalty_halves_with_recalls_answered_but_not_faster_than_it_lasts(void **state)
{
	struct penalty p = {0};

	(void)state;
	penalty_unanswered(&p, 0);
	penalty_unanswered(&p, 0);
	for (int64_t now = 0; now < 2 * PENALTY_FIRST_MS; now++)
		penalty_answered(&p, 0, now);
	assert_int_equal(p.length_ms, 2 * PENALTY_FIRST_MS);
	penalty_answered(&p, 0, 2 * PENALTY_FIRST_MS);
	assert_int_equal(p.length_ms, PENALTY_FIRST_MS);
	for (int64_t now = 2 * PENALTY_FIRST_MS; now < 5 * PENALTY_FIRST_MS; now++)
		penalty_answered(&p, 0, now);
	assert_int_equal(p.length_ms, 0);
	penalty_unanswered(&p, 100000);
	assert_int_equal(p.length_ms, PENALTY_FIRST_MS);
}

static void late_answer_costs_a_multiple_of_its_delay(void **state)
{
	struct penalty p = {0};

	(void)state;
	penalty_answered(&p, 100, 1000);
	assert_true(penalty_holds(&p, 1000 + 100 * PENALTY_FACTOR - 1));
	assert_false(penalty_holds(&p, 1000 + 100 * PENALTY_FACTOR));
	assert_int_equal(p.length_ms, 0);
	/* One that ends its connection in place of an answer gains nothing. */
	penalty_lost(&p, 200, 2000);
	assert_true(penalty_holds(&p, 2000 + 200 * PENALTY_FACTOR - 1));
}

static void later_sessions_of_a_host_begin_with_its_penalty(void **state)
{
	static struct penalty_table table;
	struct penalty offender = {0}, p;

	(void)state;
	penalty_table_init(&table);
	penalty_unanswered(&offender, 1000);
	penalty_remember(&table, 1, &offender, 1000);
	penalty_begin(&table, 2, &p, 1000);
	assert_false(penalty_holds(&p, 1000));
	penalty_begin(&table, 1, &p, 3000);
	assert_true(penalty_holds(&p, 3000 + PENALTY_FIRST_MS - 1));
	penalty_unanswered(&p, 3000);
	assert_int_equal(p.length_ms, 2 * PENALTY_FIRST_MS);
	penalty_begin(&table, 1, &p, 1000 + PENALTY_FORGET_FACTOR * PENALTY_FIRST_MS);
	assert_false(penalty_holds(&p, 1000 + PENALTY_FORGET_FACTOR * PENALTY_FIRST_MS));
	penalty_table_destroy(&table);
}

static void later_sessions_of_a_host_wait_as_long_as_one_that_was_late(void **state)
{
	static struct penalty_table table;
	struct penalty late = {0}, p;

	(void)state;
	penalty_table_init(&table);
	penalty_lost(&late, 200, 1000);
	penalty_remember(&table, 1, &late, 1000);
	penalty_begin(&table, 1, &p, 1500);
	assert_true(penalty_holds(&p, 1000 + 200 * PENALTY_FACTOR - 1));
	assert_false(penalty_holds(&p, 1000 + 200 * PENALTY_FACTOR));
	assert_int_equal(p.length_ms, 0);
	/* It does not make a host's penalty for recalls unanswered any less. */
	struct penalty offender = {0};
	penalty_unanswered(&offender, 2000);
	penalty_remember(&table, 1, &offender, 2000);
	penalty_remember(&table, 1, &late, 2000);
	penalty_begin(&table, 1, &p, 3000);
	assert_int_equal(p.length_ms, PENALTY_FIRST_MS);
	penalty_table_destroy(&table);
}

static void table_of_hosts_is_bounded_and_forgets_the_oldest_first(void **state)
{
	static struct penalty_table table;
	struct penalty offender = {0}, p;

	(void)state;
	penalty_table_init(&table);
	penalty_unanswered(&offender, 0);
	for (unsigned host = 0; host < PENALTY_HOSTS + 1; host++)
		penalty_remember(&table, host, &offender, host);
	penalty_begin(&table, 0, &p, 1000);
	assert_false(penalty_holds(&p, 1000));
	penalty_begin(&table, 1, &p, 1000);
	assert_true(penalty_holds(&p, 1000));
	penalty_begin(&table, PENALTY_HOSTS, &p, 1000);
	assert_true(penalty_holds(&p, 1000));
	penalty_table_destroy(&table);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(penalty_grows_to_a_minute_with_each_recall_unanswered),
	    cmocka_unit_test(penalty_halves_with_recalls_answered_but_not_faster_than_it_lasts),
	    cmocka_unit_test(late_answer_costs_a_multiple_of_its_delay),
	    cmocka_unit_test(later_sessions_of_a_host_begin_with_its_penalty),
	    cmocka_unit_test(later_sessions_of_a_host_wait_as_long_as_one_that_was_late),
	    cmocka_unit_test(table_of_hosts_is_bounded_and_forgets_the_oldest_first),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
