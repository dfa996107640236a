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
static struct conn_turn conns[64];
static int64_t now;

static int set_up(void **state)
{
	(void)state;
	for (int i = 0; i < 64; i++)
		turns_leave(&turns, &conns[i]);
	turns_init(&turns);
	memset(conns, 0, sizeof(conns));
	for (int i = 0; i < 64; i++)
		assert_int_equal(turns_join(&turns, &conns[i], 1), 0);
	now = 1000LL * MS;
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	for (int i = 0; i < 64; i++)
		turns_leave(&turns, &conns[i]);
	assert_false(turns_waiting(&turns));
	return 0;
}

/* All have host 1 at first. */
static void move_to_host(int conn, uint64_t host)
{
	turns_leave(&turns, &conns[conn]);
	assert_int_equal(turns_join(&turns, &conns[conn], host), 0);
}

static struct conn_turn *serve(int64_t ns)
{
	struct conn_turn *turn = turns_next(&turns, now);

	if (turn) {
		turns_used(&turns, turn, ns, now, now + ns);
		now += ns;
	}
	return turn;
}

static void ready(struct conn_turn *turn)
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
	struct conn_turn *honest = &conns[63];
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
		struct conn_turn *turn = turns_next(&turns, now);
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
	struct conn_turn *honest = &conns[63];
	int64_t flood = 0, began;

	(void)state;
	/* One small request each 10 ms is no reason to hold anybody back for long. */
	began = now;
	for (int i = 0; i < 100; i++) {
		int64_t until = now + 10LL * MS;
		ready(honest);
		while (now < until) {
			ready(&conns[0]);
			struct conn_turn *turn = turns_next(&turns, now);
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
		struct conn_turn *turn = turns_next(&turns, now);
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

/* What the honest client got of its speed, and the others of the time. */
struct shares {
	double speed, flood;
};

/* As a worker does it: arrivals are only seen by polling, at least every 100 us. The honest client is conns[63], and
 * waits for each reply. conns[0] to conns[floods - 1] always have more. */
static struct shares beside_floods(int floods, int64_t request, int64_t flood_request, int64_t think)
{
	struct conn_turn *honest = &conns[63], *turn;
	const int64_t began = now, until = now + 1000LL * MS;
	int64_t comes = now, flood_ns = 0;
	unsigned answered = 0;

	while (now < until) {
		now += 1 * US;
		for (int i = 0; i < floods; i++)
			ready(&conns[i]);
		if (now >= comes)
			ready(honest);
		int64_t poll_ns = now + 100LL * US;
		while (now < poll_ns && (turn = turns_next(&turns, now)) != NULL) {
			int64_t takes = turn == honest ? request : flood_request;
			turns_used(&turns, turn, takes, now, now + takes);
			now += takes;
			if (turn == honest) {
				answered++;
				comes = now + think;
			} else {
				flood_ns += takes;
				ready(turn);
			}
			if (turns_poll_first(&turns))
				break;
		}
	}
	return (struct shares){.speed = (double)answered * (double)(request + think) / (double)(now - began),
	                       .flood = (double)flood_ns / (double)(now - began)};
}

static void a_client_keeps_half_of_its_speed_beside_many_connections_of_another_host(void **state)
{
	static const int64_t floods[] = {2 * US, 8 * US, 100 * US, 3 * MS};

	for (unsigned f = 0; f < 4; f++) {
		for (int think = 5; think <= 50; think *= 10) {
			set_up(state);
			move_to_host(63, 2);
			double speed = beside_floods(48, 5 * US, floods[f], think * US).speed;
			if (speed < 0.45)
				fail_msg("beside requests of %lld us, thinking %d us: %.2f of its speed",
				         (long long)floods[f] / US, think, speed);
		}
	}
}

static void short_requests_of_another_host_are_not_held_back(void **state)
{
	(void)state;
	move_to_host(63, 2);
	struct shares shares = beside_floods(48, 5 * US, 5 * US, 30 * US);
	assert_true(shares.speed > 0.6);
	assert_true(shares.flood > 0.6);
}

static void the_connections_of_one_host_take_turns(void **state)
{
	(void)state;
	assert_true(beside_floods(15, 5 * US, 5 * US, 0).speed > 1.0 / 22);
	set_up(NULL);
	for (int i = 0; i < 64; i++)
		move_to_host(i, 0); /* UNIX sockets: each is a host by itself */
	assert_ptr_not_equal(conns[0].host, conns[1].host);
	assert_true(beside_floods(15, 5 * US, 5 * US, 0).speed > 1.0 / 22);
}

static void hosts_share_the_time_whatever_the_number_of_their_connections(void **state)
{
	int64_t used = 0, began = now;

	(void)state;
	move_to_host(0, 2);
	while (now < began + 1000LL * MS) {
		for (int i = 0; i < 41; i++)
			ready(&conns[i]);
		struct conn_turn *turn = serve(20 * US);
		if (!turn)
			now += 1 * US;
		else if (turn == &conns[0])
			used += 20 * US;
	}
	assert_true((double)used / (double)(now - began) > 0.4);
}

static void a_host_whose_connections_are_held_back_delays_no_other(void **state)
{
	(void)state;
	move_to_host(0, 2);
	/* conns[2] is light, so conns[1] of its host is held back. */
	ready(&conns[2]);
	assert_ptr_equal(serve(1 * US), &conns[2]);
	ready(&conns[1]);
	assert_ptr_equal(serve(20 * MS), &conns[1]);
	ready(&conns[1]);
	assert_null(turns_next(&turns, now));
	assert_in_range(turns_held(&turns, now), 1, 22 * MS);
	ready(&conns[0]);
	assert_ptr_equal(serve(1 * US), &conns[0]);
	assert_null(turns_next(&turns, now));
	now += turns_held(&turns, now);
	assert_ptr_equal(serve(1 * US), &conns[1]);
}

static void a_heavier_host_is_served_while_another_holds_back_its_connections(void **state)
{
	(void)state;
	move_to_host(0, 2);
	ready(&conns[0]);
	assert_ptr_equal(serve(60 * MS), &conns[0]);
	ready(&conns[2]);
	assert_ptr_equal(serve(1 * US), &conns[2]);
	ready(&conns[1]);
	assert_ptr_equal(serve(20 * MS), &conns[1]);
	ready(&conns[1]);
	ready(&conns[0]);
	assert_ptr_equal(serve(1 * US), &conns[0]);
}

static void what_grows_heavy_does_not_hold_back_itself(void **state)
{
	(void)state;
	for (int i = 0; i < 4; i++) {
		ready(&conns[0]);
		assert_ptr_equal(serve(i < 3 ? 10 * US : 1 * MS), &conns[0]);
	}
	ready(&conns[0]);
	assert_ptr_equal(serve(1 * MS), &conns[0]);
}

static void a_connection_that_has_left_is_not_served(void **state)
{
	(void)state;
	move_to_host(0, 2);
	move_to_host(1, 2);
	ready(&conns[0]);
	ready(&conns[1]);
	turns_leave(&turns, &conns[0]);
	assert_ptr_equal(serve(1 * US), &conns[1]);
	ready(&conns[1]);
	turns_leave(&turns, &conns[1]);
	turns_leave(&turns, &conns[1]);
	assert_false(turns_waiting(&turns));
	assert_null(turns_next(&turns, now));
	assert_int_equal(turns_held(&turns, now), 0);
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
	    cmocka_unit_test_setup(a_client_keeps_half_of_its_speed_beside_many_connections_of_another_host, set_up),
	    cmocka_unit_test_setup(short_requests_of_another_host_are_not_held_back, set_up),
	    cmocka_unit_test_setup(the_connections_of_one_host_take_turns, set_up),
	    cmocka_unit_test_setup(hosts_share_the_time_whatever_the_number_of_their_connections, set_up),
	    cmocka_unit_test_setup(a_host_whose_connections_are_held_back_delays_no_other, set_up),
	    cmocka_unit_test_setup(a_heavier_host_is_served_while_another_holds_back_its_connections, set_up),
	    cmocka_unit_test_setup(what_grows_heavy_does_not_hold_back_itself, set_up),
	    cmocka_unit_test_setup(a_connection_that_has_left_is_not_served, set_up),
	};
	return cmocka_run_group_tests(tests, NULL, tear_down);
}
