/*
 * nova_unsafe_shutdown_test.c -- a device that lost power unsafely under a pool in use: refused, unless accepted.
 */
#include "common/log.h"
#include "server/nova/media/format.h"
#include "server/pool/check/check.h"
#include "tests/support/nova_fixture.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#define SIZE (16 * MIB)

static struct fixture f;

static int mount_as(const struct nova_mount_options *options)
{
	char why[512] = "";
	int err = nova_mount(&f.pm, options, &f.fs, why, sizeof why);

	if (err) {
		f.fs = NULL;
		assert_non_null(strstr(why, "unsafe shutdown"));
		return err;
	}
	assert_int_equal(nova_worker_open(f.fs, &f.worker), 0);
	f.call = (struct nova_call){.worker = f.worker};
	f.root = nova_root(f.fs);
	return 0;
}

static void device(uint64_t id, uint64_t shutdowns)
{
	f.pm.device = id;
	f.pm.unsafe_shutdowns = shutdowns;
}

/* The pool as a crash leaves it. */
static void crash(void)
{
	uint8_t *crashed = malloc(SIZE);

	assert_non_null(crashed);
	memcpy(crashed, f.memory, SIZE);
	fixture_unmount(&f);
	memcpy(f.memory, crashed, SIZE);
	free(crashed);
}

static int begin(void **state)
{
	fixture_open(&f, SIZE);
	log_set_level(LOG_LEVEL_ERROR);
	fixture_unmount(&f);
	device(77, 3);
	assert_int_equal(mount_as(NULL), 0);
	return 0;
}

static int end(void **state)
{
	struct check_report report = {0};

	assert_int_equal(nova_check(f.memory, SIZE, &report), 0);
	fixture_close(&f);
	return 0;
}

static void a_crash_without_an_unsafe_shutdown_is_recovered(void **state)
{
	crash();
	assert_int_equal(mount_as(NULL), 0);
}

static void an_unsafe_shutdown_of_a_pool_not_in_use_does_not_matter(void **state)
{
	fixture_unmount(&f);
	device(77, 4);
	assert_int_equal(mount_as(NULL), 0);
	crash();
	assert_int_equal(mount_as(NULL), 0);
}

static void an_unsafe_shutdown_of_a_pool_in_use_is_refused_until_accepted(void **state)
{
	uint8_t *before = malloc(SIZE);

	assert_non_null(before);
	fixture_create(&f, f.root, "file", S_IFREG | 0600);
	crash();
	device(77, 5);
	memcpy(before, f.memory, SIZE);
	assert_int_equal(mount_as(NULL), -EUCLEAN);
	assert_int_equal(mount_as(NULL), -EUCLEAN);
	assert_memory_equal(before, f.memory, SIZE);
	/* Whoever changes nothing may look. */
	assert_int_equal(mount_as(&(struct nova_mount_options){.rescue = true}), 0);
	fixture_lookup(&f, f.root, "file");
	fixture_unmount(&f);
	assert_memory_equal(before, f.memory, SIZE);
	free(before);
	assert_int_equal(mount_as(&(struct nova_mount_options){.accept_unsafe_shutdown = true}), 0);
	/* Accepted once, it is not asked about again. */
	crash();
	assert_int_equal(mount_as(NULL), 0);
}

static void a_pool_moved_to_another_device_mounts(void **state)
{
	crash();
	device(78, 9);
	assert_int_equal(mount_as(NULL), 0);
	crash();
	device(78, 10);
	assert_int_equal(mount_as(NULL), -EUCLEAN);
	/* On what tells nothing, nothing can be said. */
	device(0, 0);
	assert_int_equal(mount_as(NULL), 0);
	crash();
	device(78, 12);
	assert_int_equal(mount_as(NULL), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(a_crash_without_an_unsafe_shutdown_is_recovered),
	    TEST(an_unsafe_shutdown_of_a_pool_not_in_use_does_not_matter),
	    TEST(an_unsafe_shutdown_of_a_pool_in_use_is_refused_until_accepted),
	    TEST(a_pool_moved_to_another_device_mounts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
