/*
 * linearize_test.c -- the search for an order: histories whose answer is known, and small ones by chance against a search
 * of all orders.
 */
#include "tests/sim/linearize.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
// clang-format off
#include <cmocka.h>
// clang-format on

#define OPEN UINT64_MAX

/* A register that is written and read. */
struct access {
	bool write;
	uint32_t value;
};

static bool access_step(void *state, const void *argument)
{
	const struct access *access = argument;
	uint32_t *value = state;

	if (access->write)
		*value = access->value;
	return access->write || *value == access->value;
}

static const struct linearize_model model = {sizeof(uint32_t), access_step};
static const struct access write_1 = {true, 1}, write_2 = {true, 2}, read_0 = {false, 0}, read_1 = {false, 1},
                           read_2 = {false, 2};

static enum linearize_result judge(const struct linearize_call *calls, unsigned count)
{
	const uint32_t empty = 0;

	return linearize(&model, &empty, calls, count, 1000000, NULL);
}

static void in_order(void **state)
{
	const struct linearize_call good[] = {
	    {1, 2, false, &write_1}, {3, 4, false, &read_1}, {5, 6, false, &write_2}, {7, 8, false, &read_2}};
	const struct linearize_call stale[] = {{1, 2, false, &write_1}, {3, 4, false, &read_0}};

	assert_int_equal(judge(good, 4), LINEARIZE_YES);
	assert_int_equal(judge(stale, 2), LINEARIZE_NO);
	assert_int_equal(judge(good, 0), LINEARIZE_YES);
}

static void at_once(void **state)
{
	/* Both values may be read while the write is under way, but not the new one first. */
	const struct linearize_call good[] = {{1, 10, false, &write_1}, {2, 3, false, &read_0}, {4, 5, false, &read_1}};
	const struct linearize_call back[] = {{1, 10, false, &write_1}, {2, 3, false, &read_1}, {4, 5, false, &read_0}};

	assert_int_equal(judge(good, 3), LINEARIZE_YES);
	assert_int_equal(judge(back, 3), LINEARIZE_NO);
}

static void left_out(void **state)
{
	/* A call that may have had no effect may stand in its time or not at all; an open one at any time from its begin. */
	const struct linearize_call seen[] = {{1, 4, true, &write_1}, {5, 6, false, &read_1}};
	const struct linearize_call not_seen[] = {{1, 4, true, &write_1}, {5, 6, false, &read_0}};
	const struct linearize_call too_late[] = {
	    {1, 4, true, &write_1}, {5, 6, false, &read_0}, {7, 8, false, &read_1}};
	const struct linearize_call late[] = {
	    {1, OPEN, true, &write_1}, {5, 6, false, &read_0}, {7, 8, false, &read_1}};

	assert_int_equal(judge(seen, 2), LINEARIZE_YES);
	assert_int_equal(judge(not_seen, 2), LINEARIZE_YES);
	assert_int_equal(judge(too_late, 3), LINEARIZE_NO);
	assert_int_equal(judge(late, 3), LINEARIZE_YES);
}

static void too_many_steps(void **state)
{
	const struct linearize_call calls[] = {{1, 2, false, &write_1}, {3, 4, false, &read_1}};
	const uint32_t empty = 0;

	assert_int_equal(linearize(&model, &empty, calls, 2, 1, NULL), LINEARIZE_UNDECIDED);
}

/* ---- all orders ------------------------------------------------------------------------------------------------- */

#define SMALL 6u

static bool may_be_next(const struct linearize_call *calls, unsigned count, unsigned left, unsigned next)
{
	for (unsigned i = 0; i < count; i++)
		if (left & 1u << i && i != next && !calls[i].perhaps && calls[i].ended < calls[next].began)
			return false;
	return true;
}

/* Whether what is left can be put into an order. What is left out has ended before: it may not come later. */
static bool any_order(const struct linearize_call *calls, unsigned count, unsigned left, uint64_t latest,
                      uint32_t value)
{
	bool must = false;

	for (unsigned i = 0; i < count; i++)
		must = must || (left & 1u << i && !calls[i].perhaps);
	if (!must)
		return true;
	for (unsigned i = 0; i < count; i++) {
		uint32_t after = value;

		if (!(left & 1u << i) || calls[i].ended < latest || !may_be_next(calls, count, left, i) ||
		    !access_step(&after, calls[i].call))
			continue;
		if (any_order(calls, count, left & ~(1u << i), calls[i].began > latest ? calls[i].began : latest,
		              after))
			return true;
	}
	return false;
}

static void by_chance(void **state)
{
	unsigned answers[2] = {0};

	srandom(1);
	for (unsigned round = 0; round < 30000; round++) {
		struct linearize_call calls[SMALL];
		struct access accesses[SMALL];
		uint64_t moments[2 * SMALL];

		for (unsigned i = 0; i < 2 * SMALL; i++)
			moments[i] = i + 1;
		for (unsigned i = 2 * SMALL - 1; i > 0; i--) {
			unsigned k = (unsigned)random() % (i + 1);
			uint64_t kept = moments[i];

			moments[i] = moments[k];
			moments[k] = kept;
		}
		for (unsigned i = 0; i < SMALL; i++) {
			uint64_t a = moments[2 * i], b = moments[2 * i + 1];

			accesses[i] = (struct access){random() % 2, (uint32_t)random() % 3};
			calls[i] =
			    (struct linearize_call){a < b ? a : b, a < b ? b : a, random() % 4 == 0, &accesses[i]};
			if (calls[i].perhaps && random() % 2)
				calls[i].ended = OPEN;
		}
		bool expected = any_order(calls, SMALL, (1u << SMALL) - 1, 0, 0);
		assert_int_equal(judge(calls, SMALL), expected ? LINEARIZE_YES : LINEARIZE_NO);
		answers[expected]++;
	}
	assert_true(answers[0] > 1000 && answers[1] > 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(in_order),       cmocka_unit_test(at_once),   cmocka_unit_test(left_out),
	    cmocka_unit_test(too_many_steps), cmocka_unit_test(by_chance),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
