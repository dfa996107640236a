/*
 * server_populate_test.c -- the thread that maps a pool's pages: not while a server has just begun to serve, then all.
 */
#include "server/loop/populate.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>
/* cmocka.h wants the above first */
#include <cmocka.h>

#define BYTES (5u << 20)
#define PAGE  4096u

static struct pm pm;

static int setup(void **state)
{
	void *memory = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)state;
	pm_wrap(&pm, memory, BYTES);
	return memory == MAP_FAILED;
}

static int teardown(void **state)
{
	(void)state;
	return munmap(pm.base, BYTES);
}

static unsigned mapped_pages(void)
{
	unsigned char resident[BYTES / PAGE];
	unsigned count = 0;

	assert_int_equal(mincore(pm.base, BYTES, resident), 0);
	for (unsigned i = 0; i < BYTES / PAGE; i++)
		count += resident[i] & 1;
	return count;
}

static void test_all_pages_are_mapped(void **state)
{
	struct populate populate = {0};

	(void)state;
	populate_start(&populate, &pm);
	while (mapped_pages() < BYTES / PAGE)
		usleep(1000);
	populate_stop(&populate);
}

static void test_a_server_that_has_just_begun_has_the_cpu(void **state)
{
	struct populate populate = {0};

	(void)state;
	populate_start(&populate, &pm);
	usleep(50000);
	populate_stop(&populate);
	assert_int_equal(mapped_pages(), 0);
}

static void test_a_stop_without_a_start(void **state)
{
	struct populate populate = {0};

	(void)state;
	populate_stop(&populate);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_all_pages_are_mapped, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_a_server_that_has_just_begun_has_the_cpu, setup, teardown),
	    cmocka_unit_test(test_a_stop_without_a_start),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
