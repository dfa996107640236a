/*
 * server_slot_table_test.c -- windows of slots and the replies that slots keep.
 */
#include "server/state/slot_table.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static struct slot_table table;

static struct slot *at(uint32_t number)
{
	struct slot *slot;

	assert_int_equal(slot_table_find(&table, number, &slot), 0);
	return slot;
}

static void keep(uint32_t number, const char *reply)
{
	at(number)->sequence++;
	slot_table_keep(&table, number, reply, (uint32_t)strlen(reply) + 1);
}

static void window_is_the_least_of_wish_share_and_limit(void **state)
{
	static const struct {
		uint32_t wanted, share, window;
	} cases[] = {{1024, 1024, 1024}, {5000, 9000, 1024}, {100, 1024, 100}, {1024, 48, 48},
	             {0, 1024, 64},      {0, 16, 16},        {1, 1024, 2},     {UINT32_MAX, UINT32_MAX, 1024}};
	struct slot *slot;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		slot_table_init(&table, cases[i].wanted, 0, cases[i].share);
		assert_int_equal(table.window, cases[i].window);
		assert_int_equal(slot_table_find(&table, cases[i].window - 1, &slot), 0);
		assert_int_equal(slot_table_find(&table, cases[i].window, &slot), -EPROTO);
		assert_int_equal(slot_table_find(&table, UINT32_MAX, &slot), -EPROTO);
		slot_table_free(&table);
	}
}

static void slots_in_flight_from_before_may_be_repeated(void **state)
{
	struct slot *slot;

	(void)state;
	slot_table_init(&table, 1024, 700, 64);
	assert_int_equal(table.window, 64);
	assert_int_equal(slot_table_find(&table, 699, &slot), 0);
	assert_int_equal(slot_table_find(&table, 700, &slot), -EPROTO);
	/* The window applies once nothing is in flight beyond it. */
	assert_false(slot_table_heard(&table, 65, table.number));
	assert_int_equal(slot_table_find(&table, 699, &slot), 0);
	assert_true(slot_table_heard(&table, 64, table.number));
	assert_int_equal(slot_table_find(&table, 64, &slot), -EPROTO);
	slot_table_free(&table);
	slot_table_init(&table, 1024, 5000, 64);
	assert_int_equal(slot_table_find(&table, 1024, &slot), -EPROTO);
	slot_table_free(&table);
}

static void wider_window_is_granted_at_once(void **state)
{
	struct slot *slot;

	(void)state;
	slot_table_init(&table, 1024, 0, 64);
	uint16_t number = table.number;
	slot_table_tick(&table, 64, true);
	assert_int_equal(table.number, number);
	slot_table_tick(&table, 512, true);
	assert_int_equal(table.window, 512);
	assert_int_equal(table.number, (uint16_t)(number + 1));
	assert_int_equal(slot_table_find(&table, 511, &slot), 0);
	slot_table_free(&table);
}

static void narrower_window_holds_once_the_client_knows_it(void **state)
{
	struct slot *slot;

	(void)state;
	slot_table_init(&table, 1024, 0, 1024);
	uint16_t before = table.number;
	slot_table_tick(&table, 32, true);
	assert_int_equal(table.window, 32);
	/* The client has not seen it yet, has more in flight, or knows another one. */
	assert_false(slot_table_heard(&table, 1, before));
	assert_false(slot_table_heard(&table, 33, table.number));
	assert_false(slot_table_heard(&table, 1, (uint16_t)(table.number + 1)));
	assert_int_equal(slot_table_find(&table, 1023, &slot), 0);
	/* It became wide and narrow again meanwhile: what the client says of the first narrow one tells nothing. */
	uint16_t narrow = table.number;
	slot_table_tick(&table, 1024, true);
	slot_table_tick(&table, 32, true);
	assert_false(slot_table_heard(&table, 1, narrow));
	assert_int_equal(slot_table_find(&table, 1023, &slot), 0);
	assert_true(slot_table_heard(&table, 32, table.number));
	assert_int_equal(slot_table_find(&table, 32, &slot), -EPROTO);
	assert_int_equal(slot_table_find(&table, 31, &slot), 0);
	slot_table_free(&table);
}

static void replies_are_kept_until_the_client_uses_fewer_slots(void **state)
{
	(void)state;
	slot_table_init(&table, 1024, 0, 1024);
	for (uint32_t number = 0; number < 1000; number++)
		keep(number, "reply");
	slot_table_heard(&table, 1000, 1);
	slot_table_heard(&table, 3, 1);
	/* While it was busy, what it said last means little. */
	slot_table_tick(&table, 1024, true);
	assert_string_equal((char *)at(999)->reply, "reply");
	/* Nothing was heard, or nobody could judge a repeat. */
	slot_table_tick(&table, 1024, true);
	slot_table_heard(&table, 3, 1);
	slot_table_tick(&table, 1024, false);
	assert_string_equal((char *)at(999)->reply, "reply");
	slot_table_heard(&table, 3, 1);
	slot_table_tick(&table, 1024, true);
	assert_string_equal((char *)at(2)->reply, "reply");
	for (uint32_t number = 3; number < 1000; number++) {
		assert_null(at(number)->reply);
		assert_int_equal(at(number)->reply_length, 0);
		assert_true(at(number)->forgotten);
		assert_int_equal(at(number)->sequence, 1);
	}
	/* The next request of the slot has a reply of its own. */
	slot_table_drop(at(500));
	assert_false(at(500)->forgotten);
	keep(500, "another");
	assert_string_equal((char *)at(500)->reply, "another");
	assert_false(at(500)->forgotten);
	slot_table_free(&table);
}

static void longer_reply_takes_the_place_of_a_shorter_one(void **state)
{
	char longest[SLOT_REPLY_SIZE];

	(void)state;
	memset(longest, 'l', sizeof(longest));
	slot_table_init(&table, 0, 0, 64);
	keep(0, "short");
	slot_table_keep(&table, 0, longest, sizeof(longest));
	assert_int_equal(at(0)->reply_length, sizeof(longest));
	assert_memory_equal(at(0)->reply, longest, sizeof(longest));
	keep(0, "short");
	assert_int_equal(at(0)->reply_length, 6);
	assert_string_equal((char *)at(0)->reply, "short");
	slot_table_free(&table);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(window_is_the_least_of_wish_share_and_limit),
	    cmocka_unit_test(slots_in_flight_from_before_may_be_repeated),
	    cmocka_unit_test(wider_window_is_granted_at_once),
	    cmocka_unit_test(narrower_window_holds_once_the_client_knows_it),
	    cmocka_unit_test(replies_are_kept_until_the_client_uses_fewer_slots),
	    cmocka_unit_test(longer_reply_takes_the_place_of_a_shorter_one),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
