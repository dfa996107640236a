/*
 * server_reserve_test.c -- a server holds its pool's UUID on this host: who is refused beside it, and who is not.
 */
#include "common/log.h"
#include "server/nova/nova.h"
#include "server/reserve.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define SIZE (16u << 20)

static char directory[64], original[96], copy[96], why[512];

static void copy_pool(void)
{
	char command[256];

	snprintf(command, sizeof(command), "cp '%s' '%s'", original, copy);
	assert_int_equal(system(command), 0);
}

static int make(void **state)
{
	struct pm pm;

	log_set_level(LOG_LEVEL_ERROR);
	strcpy(directory, "/tmp/farnova-reserve-XXXXXX");
	assert_non_null(mkdtemp(directory));
	snprintf(original, sizeof(original), "%s/original", directory);
	snprintf(copy, sizeof(copy), "%s/copy", directory);
	assert_int_equal(pm_create(original, SIZE, false, &pm, NULL, 0), 0);
	assert_int_equal(nova_format(&pm, NULL), 0);
	pm_close(&pm);
	copy_pool();
	return 0;
}

static int drop(void **state)
{
	unlink(original);
	unlink(copy);
	return rmdir(directory);
}

static struct reservation *serve(const char *path, bool read_only, struct pm *pm)
{
	struct reservation *reservation;

	assert_int_equal(pm_open(path, read_only, pm, NULL, 0), 0);
	assert_int_equal(reserve_pool(pm, &reservation, why, sizeof(why)), 0);
	return reservation;
}

static void refused(const char *path, bool read_only)
{
	struct reservation *reservation;
	struct pm pm;
	char pid[32];

	assert_int_equal(pm_open(path, read_only, &pm, NULL, 0), 0);
	why[0] = 0;
	assert_int_equal(reserve_pool(&pm, &reservation, NULL, 0), -EBUSY);
	assert_int_equal(reserve_pool(&pm, &reservation, why, sizeof(why)), -EBUSY);
	assert_null(reservation);
	assert_non_null(strstr(why, "same UUID"));
	assert_non_null(strstr(why, "farnova new-uuid"));
	assert_non_null(strstr(why, "stop that server"));
	snprintf(pid, sizeof(pid), "(process %ld of uid", (long)getpid());
	assert_non_null(strstr(why, pid));
	pm_close(&pm);
}

static void a_copy_is_refused_while_the_original_is_served(void **state)
{
	struct reservation *first, *second;
	struct pm one, two;

	first = serve(original, false, &one);
	assert_non_null(first);
	refused(copy, false);
	refused(copy, true);
	reserve_end(first);
	second = serve(copy, false, &two);
	assert_non_null(second);
	pm_close(&one);
	refused(original, false);
	reserve_end(second);
	pm_close(&two);
}

static void a_copy_of_what_is_served_read_only_is_refused(void **state)
{
	struct reservation *first;
	struct pm one;

	first = serve(original, true, &one);
	assert_non_null(first);
	refused(copy, false);
	refused(copy, true);
	reserve_end(first);
	pm_close(&one);
}

static void two_servers_may_read_one_file(void **state)
{
	struct reservation *first, *second;
	struct pm one, two;

	first = serve(original, true, &one);
	second = serve(original, true, &two);
	assert_non_null(first);
	assert_null(second);
	reserve_end(second);
	reserve_end(first);
	pm_close(&one);
	pm_close(&two);
}

static void a_copy_with_a_uuid_of_its_own_is_served(void **state)
{
	uint8_t old_uuid[16], new_uuid[16];
	struct reservation *first, *second;
	struct pm one, two;

	first = serve(original, false, &one);
	assert_int_equal(pm_open(copy, false, &two, NULL, 0), 0);
	assert_int_equal(nova_new_uuid(&two, old_uuid, new_uuid, NULL, 0), 0);
	pm_close(&two);
	second = serve(copy, false, &two);
	assert_non_null(second);
	reserve_end(second);
	reserve_end(first);
	pm_close(&one);
	pm_close(&two);
}

/* The mount says what is wrong with it, or rescues it. */
static void what_has_no_uuid_is_not_reserved(void **state)
{
	struct reservation *reservation;
	struct pm pm;
	void *memory = calloc(1, SIZE);

	assert_non_null(memory);
	pm_wrap(&pm, memory, SIZE);
	assert_int_equal(reserve_pool(&pm, &reservation, why, sizeof(why)), 0);
	assert_null(reservation);
	free(memory);
	assert_int_equal(pm_open(copy, false, &pm, NULL, 0), 0);
	memset(pm.base, 0, 4096);
	memset(pm.base + 511 * 4096, 0, 4096);
	assert_int_equal(reserve_pool(&pm, &reservation, why, sizeof(why)), 0);
	assert_null(reservation);
	pm_close(&pm);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(a_copy_is_refused_while_the_original_is_served, make, drop),
	    cmocka_unit_test_setup_teardown(a_copy_of_what_is_served_read_only_is_refused, make, drop),
	    cmocka_unit_test_setup_teardown(two_servers_may_read_one_file, make, drop),
	    cmocka_unit_test_setup_teardown(a_copy_with_a_uuid_of_its_own_is_served, make, drop),
	    cmocka_unit_test_setup_teardown(what_has_no_uuid_is_not_reserved, make, drop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
