/*
 * server_janitor_test.c -- the server's thread for unused logs shortens them in time, and ends when it is told to.
 */
#include "server/loop/janitor.h"
#include "tests/support/nova_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include <cmocka.h>

static void a_log_is_shortened_once_nobody_appends_to_it(void **state)
{
	const struct timespec pause = {.tv_nsec = 20000000};
	struct janitor janitor = {0};
	static uint8_t data[4096];
	struct nova_attr file;
	struct fixture f;
	uint64_t before;

	(void)state;
	fixture_open(&f, 64 * MIB);
	file = fixture_create(&f, f.root, "file", S_IFREG | 0644);
	before = fixture_free_blocks(&f);
	janitor_start(&janitor, f.fs);
	assert_true(janitor.running);
	for (unsigned i = 0; i < 500; i++)
		fixture_write(&f, file.handle, 0, data, sizeof data);
	/* Two of its intervals, and much more on a slow machine. */
	for (unsigned i = 0; i < 1500 && before - fixture_free_blocks(&f) > 3; i++)
		nanosleep(&pause, NULL);
	assert_in_range(before - fixture_free_blocks(&f), 1, 3);
	janitor_stop(&janitor);
	janitor_stop(&janitor);
	fixture_assert_same_after_remount(&f);
	fixture_close(&f);
}

static void a_server_without_a_journal_ring_to_spare_works_without_the_thread(void **state)
{
	struct nova_worker *workers[64] = {NULL};
	struct janitor janitor = {0};
	struct fixture f;
	unsigned count = 0;

	(void)state;
	fixture_open(&f, 64 * MIB);
	while (count < 64 && nova_worker_open(f.fs, &workers[count]) == 0)
		count++;
	janitor_start(&janitor, f.fs);
	assert_false(janitor.running);
	janitor_stop(&janitor);
	while (count > 0)
		nova_worker_close(workers[--count]);
	fixture_close(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_log_is_shortened_once_nobody_appends_to_it),
	    cmocka_unit_test(a_server_without_a_journal_ring_to_spare_works_without_the_thread),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
