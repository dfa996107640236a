/*
 * common_polling_test.c -- loops go by the one clock, which a test may replace, poll for as long as waits take, and not
 * where others want the CPU; a CPU that the hypervisor took away is not taken for that.
 */
#include "common/clock.h"
#include "common/container_of.h"
#include "common/poll_policy.h"

#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
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

/* ---- the share of the CPU --------------------------------------------------------------------------------------- */

#define LATE (3 * CLOCK_NS_PER_MS)

/* What the next yield takes, and for how much of that others have this CPU. */
static int64_t next_took_ns, next_waited_ns;
static int64_t pretended_delay_ns;
static unsigned readings;
static bool pretending;

int __wrap_sched_yield(void);
int __real_sched_yield(void);

int __wrap_sched_yield(void)
{
	if (!pretending)
		return __real_sched_yield();
	pretended_ns += next_took_ns;
	pretended_delay_ns += next_waited_ns;
	return 0;
}

static int64_t pretended_delay(void)
{
	readings++;
	return pretended_delay_ns;
}

static int64_t untold_delay(void)
{
	return -2;
}

static int pretend(void **state)
{
	pretended_ns = 1000 * CLOCK_NS_PER_S;
	pretended_delay_ns = 7 * CLOCK_NS_PER_S;
	readings = 0;
	clock_set_source(pretended);
	cpu_share_set_source(pretended_delay);
	pretending = true;
	return 0;
}

static int end_pretending(void **state)
{
	pretending = false;
	cpu_share_set_source(NULL);
	clock_set_source(NULL);
	return 0;
}

static bool yield_for(struct cpu_share *share, int64_t took_ns, int64_t waited_ns)
{
	next_took_ns = took_ns;
	next_waited_ns = waited_ns;
	return cpu_share_yield(share);
}

static void late_yields_by_others_turn_polling_off_for_a_while(void **state)
{
	struct poll_policy policy = {.spin_ns = 50000};

	assert_false(yield_for(&policy.cpu, LATE, LATE));
	assert_int_equal(poll_policy_budget(&policy, pretended_ns), 50000);
	/* A scheduler may give the CPU back at once for as long as it was away. */
	for (int i = 0; i < 400; i++)
		assert_false(yield_for(&policy.cpu, 1000, 0));
	assert_true(yield_for(&policy.cpu, LATE, LATE - 50000));
	assert_int_equal(poll_policy_budget(&policy, pretended_ns), 0);
	assert_int_equal(poll_policy_budget(&policy, pretended_ns + CPU_SHARE_CROWDED_NS - 1), 0);
	pretended_ns += CPU_SHARE_CROWDED_NS;
	assert_int_equal(poll_policy_budget(&policy, pretended_ns), 50000);
	/* Then the first late one is enough. */
	assert_true(yield_for(&policy.cpu, LATE, LATE));
	assert_int_equal(poll_policy_budget(&policy, pretended_ns), 0);
}

static void late_yields_by_the_hypervisor_do_not(void **state)
{
	struct poll_policy policy = {.spin_ns = 50000};

	for (int i = 0; i < 2000; i++) {
		/* What piled up meanwhile is run by others, and so are peers between two of them, but not for long. */
		assert_false(yield_for(&policy.cpu, 10 * LATE, i % 2 ? 400000 : 0));
		for (int j = 0; j < i % 3; j++)
			assert_false(yield_for(&policy.cpu, 900000, 890000));
		assert_int_equal(poll_policy_budget(&policy, pretended_ns), 50000);
	}
}

static void run_delay_is_not_read_while_yields_are_short(void **state)
{
	struct cpu_share share = {0};

	for (int i = 0; i < 10000; i++)
		assert_false(yield_for(&share, 900000, 900000));
	assert_int_equal(readings, 0);
	assert_false(yield_for(&share, LATE, 0));
	for (int i = 0; i < 10000; i++)
		assert_false(yield_for(&share, 1000, 0));
	assert_in_range(readings, 1, CPU_SHARE_WATCHED);
	/* That a reading has become old is no reason to trust it. */
	unsigned before = readings;
	assert_false(yield_for(&share, LATE, LATE));
	assert_int_equal(readings, before);
}

static void late_yields_count_as_crowded_where_the_kernel_does_not_tell(void **state)
{
	struct cpu_share share = {0};

	cpu_share_set_source(untold_delay);
	assert_false(yield_for(&share, LATE, 0));
	assert_true(yield_for(&share, LATE, 0));
	assert_true(cpu_share_crowded(&share, pretended_ns));
}

/* Beside a program that only computes, on the same CPU and by the kernel's own readings. */
static void busy_program_on_the_same_cpu_makes_it_crowded(void **state)
{
	struct cpu_share share = {0};
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(sched_getcpu(), &set);
	assert_int_equal(sched_setaffinity(0, sizeof(set), &set), 0);
	pid_t busy = fork();
	assert_true(busy >= 0);
	if (busy == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (volatile unsigned i = 0;; i++)
			;
	}
	int64_t until_ns = clock_now_ns() + 60 * CLOCK_NS_PER_S;
	bool crowded = false;
	while (!crowded && clock_now_ns() < until_ns)
		crowded = cpu_share_yield(&share);
	int64_t delay_ns = cpu_share_run_delay_ns();
	kill(busy, SIGKILL);
	waitpid(busy, NULL, 0);
	assert_true(crowded);
	assert_true(cpu_share_crowded(&share, clock_now_ns()));
	assert_true(delay_ns >= CPU_SHARE_LATE_NS / 2);
}

int main(void)
{
#define PRETENDING(name) cmocka_unit_test_setup_teardown(name, pretend, end_pretending)
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_teardown(clock_is_the_systems_unless_replaced, restore_clock),
	    cmocka_unit_test(container_is_found_by_its_member),
	    cmocka_unit_test(short_waits_are_polled_for_twice_their_length),
	    cmocka_unit_test(long_waits_are_not_polled_for),
	    cmocka_unit_test(one_that_must_not_spin_never_does),
	    PRETENDING(late_yields_by_others_turn_polling_off_for_a_while),
	    PRETENDING(late_yields_by_the_hypervisor_do_not),
	    PRETENDING(run_delay_is_not_read_while_yields_are_short),
	    PRETENDING(late_yields_count_as_crowded_where_the_kernel_does_not_tell),
	    cmocka_unit_test(busy_program_on_the_same_cpu_makes_it_crowded),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
