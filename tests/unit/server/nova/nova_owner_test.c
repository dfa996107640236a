/* One server for one pool: two hosts that map the same memory. */
#include "common/clock.h"
#include "server/nova/core.h"
#include "server/nova/media/words.h"
#include "server/nova/mount/owner.h"
#include "server/pool/check/check.h"
#include "server/pool/repair/repair.h"
#include "tests/support/nova_fixture.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#define SIZE     (16 * MIB)
#define WATCH_MS 700

static uint8_t *memory;

/* One host's view of the memory. */
struct host {
	struct pm pm;
	struct nova *fs;
	char why[256];
	bool lost; /* atomic */
};

static void note_lost(void *context)
{
	__atomic_store_n(&((struct host *)context)->lost, true, __ATOMIC_RELEASE);
}

static int mount_as(struct host *h, uint64_t host, uint64_t instance)
{
	const struct nova_mount_options options = {
	    .instance = instance,
	    .host = host,
	    .owner_watch_ms = WATCH_MS,
	    .owner_lost = note_lost,
	    .owner_lost_context = h,
	};

	*h = (struct host){0};
	pm_wrap(&h->pm, memory, SIZE);
	return nova_mount(&h->pm, &options, &h->fs, h->why, sizeof h->why);
}

static struct nova_super *super(unsigned copy)
{
	return (void *)(memory + (copy ? NOVA_SUPER_BLOCK_1 : NOVA_SUPER_BLOCK_0) * 4096ULL);
}

static uint64_t owner(void)
{
	uint64_t value;

	assert_true(word_value(NOVA_WORD_OWNER, 0, pm_get8(&super(0)->owner), &value));
	return value;
}

/* The host dies: what it stored stays, and nothing moves any more. */
static void die(struct host *h)
{
	uint8_t *copy = malloc(SIZE);

	assert_non_null(copy);
	memcpy(copy, memory, SIZE);
	nova_unmount(h->fs);
	memcpy(memory, copy, SIZE);
	free(copy);
}

static int64_t mount_ms(struct host *h, uint64_t host)
{
	int64_t start = clock_now_ms();

	assert_int_equal(mount_as(h, host, 9), 0);
	return clock_now_ms() - start;
}

static int make(void **state)
{
	struct pm pm;

	memory = aligned_alloc(4096, SIZE);
	assert_non_null(memory);
	pm_wrap(&pm, memory, SIZE);
	return nova_format(&pm, NULL);
}

static int drop(void **state)
{
	free(memory);
	return 0;
}

static void a_pool_that_another_host_serves_is_refused(void **state)
{
	struct host one, two;
	uint8_t before[320];

	assert_int_equal(mount_as(&one, 1, 5), 0);
	assert_int_equal(owner(), 5);
	memcpy(before, super(0), sizeof before);
	assert_int_equal(mount_as(&two, 2, 6), -EBUSY);
	assert_non_null(strstr(two.why, "another host serves this pool"));
	/* It has stored nothing: what differs is the beat. */
	super(0)->beat = ((struct nova_super *)(void *)before)->beat;
	assert_memory_equal(before, super(0), sizeof before);
	assert_int_equal(owner(), 5);
	nova_unmount(one.fs);
	assert_int_equal(owner(), 0);
}

static void who_unmounted_is_not_waited_for(void **state)
{
	struct host one, two;

	assert_int_equal(mount_as(&one, 1, 5), 0);
	nova_unmount(one.fs);
	assert_in_range(mount_ms(&two, 2), 0, WATCH_MS / 2);
	nova_unmount(two.fs);
}

static void a_host_that_died_is_waited_for_once(void **state)
{
	struct host one, two;

	assert_int_equal(mount_as(&one, 1, 5), 0);
	die(&one);
	assert_int_equal(owner(), 5);
	/* This host has a file lock for that. */
	assert_in_range(mount_ms(&two, 1), 0, WATCH_MS / 2);
	die(&two);
	assert_in_range(mount_ms(&two, 2), WATCH_MS, 20 * WATCH_MS);
	assert_int_equal(owner(), 9);
	nova_unmount(two.fs);
}

static void who_was_stopped_and_finds_another_owner_is_told(void **state)
{
	const struct timespec pause = {.tv_nsec = 20 * CLOCK_NS_PER_MS};
	struct host one;

	assert_int_equal(mount_as(&one, 1, 5), 0);
	for (unsigned i = 0; i < 2; i++)
		super(i)->owner = le64_of(word_make(NOVA_WORD_OWNER, 0, 77));
	for (unsigned i = 0; i < 500 && !__atomic_load_n(&one.lost, __ATOMIC_ACQUIRE); i++)
		nanosleep(&pause, NULL);
	assert_true(__atomic_load_n(&one.lost, __ATOMIC_ACQUIRE));
	nova_unmount(one.fs);
}

static void a_mount_without_an_instance_clears_the_owner(void **state)
{
	struct host one;

	assert_int_equal(mount_as(&one, 1, 5), 0);
	die(&one);
	assert_int_equal(mount_as(&one, 1, 0), 0);
	assert_int_equal(owner(), 0);
	nova_unmount(one.fs);
}

static void every_host_has_a_number_and_keeps_it(void **state)
{
	assert_int_not_equal(owner_host(), 0);
	assert_int_equal(owner_host(), owner_host());
	assert_int_equal(owner_host() >> 48, 0);
}

static void words_of_the_owner_are_checked_and_repaired(void **state)
{
	struct repair_report repair = {0};
	struct check_report report = {0};
	struct host one;
	struct pm pm;

	assert_int_equal(nova_check(memory, SIZE, &report), 0);
	assert_int_equal(mount_as(&one, 1, 5), 0);
	nova_unmount(one.fs);
	assert_int_equal(nova_check(memory, SIZE, &report), 0);
	*(uint8_t *)&super(1)->host ^= 1;
	assert_int_equal(nova_check(memory, SIZE, &report), 1);
	pm_wrap(&pm, memory, SIZE);
	assert_int_equal(pool_repair(&pm, &repair), 1);
	assert_int_equal(nova_check(memory, SIZE, &report), 0);
}

/* A power failure in the middle of a first store leaves either copy of any of the three at 0. */
static void a_copy_that_was_never_stored_is_not_damaged(void **state)
{
	struct check_report report = {0};
	struct host one;

	assert_int_equal(mount_as(&one, 1, 5), 0);
	die(&one);
	for (unsigned copy = 0; copy < 2; copy++) {
		le64 *const words[] = {&super(copy)->owner, &super(copy)->beat, &super(copy)->host};

		super(copy)->beat = le64_of(word_make(NOVA_WORD_BEAT, 0, 7));
		super(!copy)->beat = le64_of(0);
		for (unsigned i = 0; i < 3; i++) {
			le64 before = *words[i];

			*words[i] = le64_of(0);
			assert_int_equal(nova_check(memory, SIZE, &report), 0);
			/* A word that is neither 0 nor whole is damaged still. */
			*words[i] = le64_of(1);
			assert_int_equal(nova_check(memory, SIZE, &report), 1);
			*words[i] = before;
		}
	}
	super(0)->owner = super(0)->host = super(1)->beat = le64_of(0);
	assert_int_equal(mount_as(&one, 1, 6), 0);
	assert_int_equal(owner(), 6);
	nova_unmount(one.fs);
	assert_int_equal(nova_check(memory, SIZE, &report), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(a_pool_that_another_host_serves_is_refused, make, drop),
	    cmocka_unit_test_setup_teardown(who_unmounted_is_not_waited_for, make, drop),
	    cmocka_unit_test_setup_teardown(a_host_that_died_is_waited_for_once, make, drop),
	    cmocka_unit_test_setup_teardown(who_was_stopped_and_finds_another_owner_is_told, make, drop),
	    cmocka_unit_test_setup_teardown(a_mount_without_an_instance_clears_the_owner, make, drop),
	    cmocka_unit_test(every_host_has_a_number_and_keeps_it),
	    cmocka_unit_test_setup_teardown(words_of_the_owner_are_checked_and_repaired, make, drop),
	    cmocka_unit_test_setup_teardown(a_copy_that_was_never_stored_is_not_damaged, make, drop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
