/*
 * nova_grow_test.c -- growing over the end of a zone, stopped at any store; and pools that move between hosts.
 */
#include "common/log.h"
#include "server/nova/media/format.h"
#include "server/pool/check/check.h"
#include "tests/support/nova_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <cmocka.h>

#define ZONE  ((uint64_t)NOVA_ZONE_BLOCKS * NOVA_BLOCK_SIZE)
#define SMALL (2 * MIB + ZONE / 2)
#define LARGE (2 * MIB + ZONE + 64 * MIB)

/* Only the pages that are touched are there. */
static uint8_t *reserve(uint64_t size)
{
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	assert_true(memory != MAP_FAILED);
	return memory;
}

static void make_small(uint8_t *memory)
{
	struct nova_call call = {0};
	struct nova_attr attr;
	struct nova *fs;
	struct pm pm;

	log_set_level(LOG_LEVEL_ERROR);
	pm_wrap(&pm, memory, SMALL);
	assert_int_equal(nova_format(&pm, NULL), 0);
	assert_int_equal(nova_mount(&pm, NULL, &fs, NULL, 0), 0);
	assert_int_equal(nova_worker_open(fs, &call.worker), 0);
	assert_int_equal(nova_create(&call, nova_root(fs), "file", 4, S_IFREG | 0600, 0, &attr), 0);
	assert_int_equal(nova_write(&call, attr.handle, 0, "hello", 5, 0, NULL), 5);
	nova_worker_close(call.worker);
	nova_unmount(fs);
}

/* Mounts with so many threads and workers; tells the size. */
static uint64_t mount_and_look(uint8_t *memory, uint64_t size, unsigned threads)
{
	struct nova_mount_options options = {.recovery_threads = threads};
	struct nova_call calls[64] = {0};
	struct nova_statfs statfs;
	struct nova_attr attr;
	char back[5], why[256];
	struct nova *fs;
	struct pm pm;

	pm_wrap(&pm, memory, size);
	if (nova_mount(&pm, &options, &fs, why, sizeof why))
		fail_msg("%s", why);
	for (unsigned i = 0; i < threads; i++) {
		char name[16];

		assert_int_equal(nova_worker_open(fs, &calls[i].worker), 0);
		snprintf(name, sizeof name, "n%u", i);
		assert_int_equal(nova_create(&calls[i], nova_root(fs), name, strlen(name), S_IFREG | 0600, 0, &attr),
		                 0);
	}
	assert_int_equal(nova_lookup(&calls[0], nova_root(fs), "file", 4, &attr), 0);
	assert_int_equal(nova_read(&calls[0], attr.handle, 0, back, 5), 5);
	assert_memory_equal(back, "hello", 5);
	for (unsigned i = 0; i < threads; i++) {
		char name[16];

		snprintf(name, sizeof name, "n%u", i);
		assert_int_equal(nova_unlink(&calls[i], nova_root(fs), name, strlen(name), NULL), 0);
	}
	nova_statfs(fs, &statfs);
	for (unsigned i = 0; i < threads; i++)
		nova_worker_close(calls[i].worker);
	nova_unmount(fs);
	return statfs.blocks;
}

static void assert_consistent(uint8_t *memory, uint64_t size)
{
	struct check_report report = {0};

	assert_int_equal(nova_check(memory, size, &report), 0);
}

/* Stops the growth before its n-th store, as a kill would. */
struct stopper {
	struct pm_observer observer;
	unsigned left;
	jmp_buf out;
};

static void stop(struct pm_observer *self, const struct pm_event *event)
{
	struct stopper *stopper = (struct stopper *)(void *)self;

	if (event->type != PM_EV_FENCE && event->type != PM_EV_FLUSH && stopper->left-- == 0)
		longjmp(stopper->out, 1);
}

static bool grow_until(uint8_t *memory, unsigned stores)
{
	static struct stopper stopper;
	uint64_t old_bytes, new_bytes;
	struct pm pm;

	stopper = (struct stopper){.observer = {stop}, .left = stores};
	pm_wrap(&pm, memory, LARGE);
	pm.observer = &stopper.observer;
	if (setjmp(stopper.out))
		return false;
	assert_int_equal(nova_grow(&pm, &old_bytes, &new_bytes, NULL, 0), 0);
	assert_int_equal(old_bytes, SMALL);
	assert_int_equal(new_bytes, LARGE);
	return true;
}

static void growth_into_a_new_zone_may_stop_anywhere_and_be_done_again(void **state)
{
	uint8_t *memory = reserve(LARGE);
	uint64_t small, large;
	unsigned stores = 0;

	make_small(memory);
	small = mount_and_look(memory, LARGE, 2);
	/* Each try goes a few stores further than the last, over what that one left. */
	while (!grow_until(memory, stores)) {
		if (stores % 1999 == 0 || stores < 8) {
			assert_consistent(memory, LARGE);
			assert_int_equal(mount_and_look(memory, LARGE, 2), small);
		}
		stores += stores < 8 ? 1 : 1999;
	}
	assert_consistent(memory, LARGE);
	large = mount_and_look(memory, LARGE, 2);
	assert_int_equal(large, small + (LARGE - SMALL) / NOVA_BLOCK_SIZE - NOVA_ZONE_FIRST_CHUNK);
	munmap(memory, LARGE);
}

static void a_last_zone_without_room_for_a_chunk_is_left_out(void **state)
{
	const uint64_t size = 2 * MIB + ZONE + (uint64_t)NOVA_ZONE_FIRST_CHUNK * NOVA_BLOCK_SIZE;
	uint8_t *memory = reserve(size);
	uint64_t old_bytes, new_bytes;
	struct pm pm;

	make_small(memory);
	pm_wrap(&pm, memory, size);
	assert_int_equal(nova_grow(&pm, &old_bytes, &new_bytes, NULL, 0), 0);
	assert_int_equal(new_bytes, 2 * MIB + ZONE);
	assert_consistent(memory, size);
	mount_and_look(memory, size, 2);
	munmap(memory, size);
}

/* The format knows nothing of CPUs: whoever made the pool, any number of workers and threads can go on with it. */
static void a_copied_pool_mounts_with_any_number_of_cpus(void **state)
{
	static const unsigned cpus[] = {1, 64, 2, 33};
	uint8_t *memory = reserve(SMALL), *copy = reserve(SMALL);

	make_small(memory);
	for (unsigned i = 0; i < sizeof cpus / sizeof cpus[0]; i++) {
		memcpy(copy, memory, 64 * MIB);
		mount_and_look(copy, SMALL, cpus[i]);
		assert_consistent(copy, SMALL);
		memcpy(memory, copy, 64 * MIB);
	}
	munmap(memory, SMALL);
	munmap(copy, SMALL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(growth_into_a_new_zone_may_stop_anywhere_and_be_done_again),
	    cmocka_unit_test(a_last_zone_without_room_for_a_chunk_is_left_out),
	    cmocka_unit_test(a_copied_pool_mounts_with_any_number_of_cpus),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
