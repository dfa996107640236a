/*
 * server_turns_test.c -- in which order connections are served, by a clock of the test's own.
 */
#include "server/net/turns.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
/* cmocka.h wants the above first */
#include <cmocka.h>

#define US 1000
#define MS 1000000

static struct turns turns;
static struct turn conns[64];
static int64_t now;

static int set_up(void **state)
{
	(void)state;
	turns_init(&turns);
	memset(conns, 0, sizeof(conns));
	now = 1000LL * MS;
	return 0;
}

static struct turn *serve(int64_t ns)
{
	struct turn *turn = turns_next(&turns, now);

	if (turn) {
		turns_used(&turns, turn, ns, now, now + ns);
		now += ns;
	}
	return turn;
}

static void ready(struct turn *turn)
{
	turns_ready(&turns, turn, now);
}

static void light_ones_are_served_in_turn(void **state)
{
	(void)state;
	for (int i = 0; i < 3; i++)
		ready(&conns[i]);
	ready(&conns[0]); /* is waiting already */
	for (int round = 0; round < 4; round++) {
		for (int i = 0; i < 3; i++) {
			assert_ptr_equal(serve(5 * US), &conns[i]);
			ready(&conns[i]);
		}
	}
	turns_leave(&turns, &conns[1]);
	assert_ptr_equal(serve(5 * US), &conns[0]);
	assert_ptr_equal(serve(5 * US), &conns[2]);
	assert_null(serve(5 * US));
	assert_false(turns_waiting(&turns));
}

static void heavy_ones_alone_are_never_held_back(void **state)
{
	(void)state;
	ready(&conns[0]);
	for (int i = 0; i < 100; i++) {
		assert_ptr_equal(serve(8 * MS), &conns[0]);
		ready(&conns[0]);
	}
}

/* A client that waits for each reply and thinks for `think` until it asks again, beside `floods` that always have more. */
static double share_of_time(int floods, int64_t request, int64_t flood_request, int64_t think)
{
	struct turn *honest = &conns[63];
	int64_t comes = 0, until;
	unsigned answered = 0;

	set_up(NULL);
	comes = now;
	until = now + 2000LL * MS;
	while (now < until) {
		for (int i = 0; i < floods; i++)
			ready(&conns[i]);
		if (now >= comes)
			ready(honest);
		struct turn *turn = turns_next(&turns, now);
		if (!turn) {
			now += 1 * US;
			continue;
		}
		int64_t takes = turn == honest ? request : flood_request;
		turns_used(&turns, turn, takes, now, now + takes);
		now += takes;
		if (turn == honest) {
			answered++;
			comes = now + think;
		}
	}
	return (double)answered * (double)(request + think) / (2000.0 * MS);
}

static void a_client_keeps_half_of_its_speed_beside_any_flood(void **state)
{
	static const int64_t requests[] = {2 * US, 10 * US, 50 * US}, floods[] = {5 * US, 100 * US, 3 * MS, 30 * MS},
	                     thinks[] = {5 * US, 50 * US, 500 * US};

	(void)state;
	for (unsigned r = 0; r < 3; r++) {
		for (unsigned f = 0; f < 4; f++) {
			for (unsigned t = 0; t < 3; t++) {
				double share = share_of_time(1, requests[r], floods[f], thinks[t]);
				if (share < 0.45)
					fail_msg("%lld us beside %lld us, thinking %lld us: %.2f of its speed",
					         (long long)requests[r] / US, (long long)floods[f] / US,
					         (long long)thinks[t] / US, share);
			}
		}
	}
}

static void many_floods_are_held_back_together(void **state)
{
	(void)state;
	assert_true(share_of_time(40, 10 * US, 3 * MS, 30 * US) > 0.4);
	assert_true(share_of_time(40, 10 * US, 300 * US, 30 * US) > 0.4);
}

static void a_flood_gets_what_the_others_leave(void **state)
{
	struct turn *honest = &conns[63];
	int64_t flood = 0, began;

	(void)state;
	/* One small request each 10 ms is no reason to hold anybody back for long. */
	began = now;
	for (int i = 0; i < 100; i++) {
		int64_t until = now + 10LL * MS;
		ready(honest);
		while (now < until) {
			ready(&conns[0]);
			struct turn *turn = turns_next(&turns, now);
			if (!turn) {
				now += 10 * US;
				continue;
			}
			int64_t takes = turn == honest ? 10 * US : 500 * US;
			turns_used(&turns, turn, takes, now, now + takes);
			now += takes;
			flood += turn == honest ? 0 : takes;
		}
	}
	assert_true((double)flood / (double)(now - began) > 0.8);
}

static void who_owes_least_is_first_among_the_heavy(void **state)
{
	(void)state;
	for (int i = 0; i < 3; i++)
		ready(&conns[i]);
	serve(60 * MS);
	serve(20 * MS);
	serve(5 * MS);
	for (int i = 0; i < 3; i++)
		ready(&conns[i]);
	for (int i = 2; i >= 0; i--) {
		now += 25LL * MS; /* none of them is held back for longer */
		assert_ptr_equal(serve(1 * US), &conns[i]);
	}
}

/* Of the time, what conns[0] gets with requests of `request` beside `others` that always have more. */
static double share_beside(int64_t request, int others, int64_t others_request)
{
	int64_t began = now, used = 0;

	while (now < began + 4000LL * MS) {
		for (int i = 0; i <= others; i++)
			ready(&conns[i]);
		struct turn *turn = turns_next(&turns, now);
		int64_t from = now;
		if (!turn) {
			now += 10 * US;
			continue;
		}
		now += turn == &conns[0] ? request : others_request;
		turns_used(&turns, turn, now - from, from, now);
		used += turn == &conns[0] ? request : 0;
	}
	return (double)used / (double)(now - began);
}

static void a_heavy_one_is_served_though_light_ones_always_have_more(void **state)
{
	(void)state;
	assert_true(share_beside(400 * US, 5, 10 * US) > 0.1);
	set_up(NULL);
	assert_true(share_beside(50 * MS, 5, 10 * US) > 0.1);
}

static void a_heavier_one_is_served_though_heavy_ones_always_have_more(void **state)
{
	(void)state;
	assert_true(share_beside(50 * MS, 3, 400 * US) > 0.1);
	set_up(NULL);
	assert_true(share_beside(50 * MS, 40, 400 * US) > 0.01);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(light_ones_are_served_in_turn, set_up),
	    cmocka_unit_test_setup(heavy_ones_alone_are_never_held_back, set_up),
	    cmocka_unit_test_setup(a_client_keeps_half_of_its_speed_beside_any_flood, set_up),
	    cmocka_unit_test_setup(many_floods_are_held_back_together, set_up),
	    cmocka_unit_test_setup(a_flood_gets_what_the_others_leave, set_up),
	    cmocka_unit_test_setup(a_heavy_one_is_served_though_light_ones_always_have_more, set_up),
	    cmocka_unit_test_setup(a_heavier_one_is_served_though_heavy_ones_always_have_more, set_up),
	    cmocka_unit_test_setup(who_owes_least_is_first_among_the_heavy, set_up),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
