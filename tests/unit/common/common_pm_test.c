/*
 * common_pm_test.c -- pools are opened, created, locked and refused as pm.h says, and every store is observed.
 */
#include "common/pm/pm.h"
#include "common/pm/pm_count.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define SIZE (1u << 20)

static char directory[64];
static char path[128];
static char why[256];

static int make_directory(void **state)
{
	strcpy(directory, "/dev/shm/farnova-pm-XXXXXX");
	if (!mkdtemp(directory)) {
		strcpy(directory, "/tmp/farnova-pm-XXXXXX");
		if (!mkdtemp(directory))
			return -1;
	}
	snprintf(path, sizeof(path), "%s/pool", directory);
	return 0;
}

static int remove_directory(void **state)
{
	unlink(path);
	return rmdir(directory);
}

static void a_created_pool_keeps_what_is_stored(void **state)
{
	uint8_t data[4096];
	struct pm pm;

	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i * 7);
	assert_int_equal(pm_create(path, SIZE, false, &pm, why, sizeof(why)), 0);
	assert_int_equal(pm.size, SIZE);
	assert_true(pm.kind == PM_MEMORY || pm.kind == PM_FILE);
	pm_copy(&pm, pm_at(&pm, 0), data, sizeof(data));
	pm_copy(&pm, pm_at(&pm, 8192 + 64), data + 1, 64);
	pm_zero(&pm, pm_at(&pm, 128), 64);
	pm_set8(&pm, pm_at(&pm, 16384), 0x0102030405060708);
	pm_flush(&pm, pm_at(&pm, 16384), 8);
	pm_fence(&pm);
	pm_close(&pm);
	memset(data + 128, 0, 64);

	assert_int_equal(pm_open(path, true, &pm, why, sizeof(why)), 0);
	assert_true(pm.read_only);
	assert_int_equal(pm.size, SIZE);
	assert_memory_equal(pm.base, data, sizeof(data));
	assert_memory_equal(pm.base + 8192 + 64, data + 1, 64);
	assert_int_equal(pm.base[16384], 8);
	assert_int_equal(pm_get8(pm_at(&pm, 16384)), 0x0102030405060708);
	pm_close(&pm);
}

static void tmpfs_and_memfd_are_memory(void **state)
{
	int fd = memfd_create("pool", 0);
	char name[64];
	struct pm pm;

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, SIZE), 0);
	snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	assert_int_equal(pm_open(name, false, &pm, why, sizeof(why)), 0);
	assert_int_equal(pm.kind, PM_MEMORY);
	assert_string_equal(pm_kind_name(pm.kind), "memory");
	pm_close(&pm);
	close(fd);
}

static void a_pool_in_use_is_refused(void **state)
{
	struct pm pm, second;

	assert_int_equal(pm_create(path, SIZE, false, &pm, why, sizeof(why)), 0);
	assert_int_equal(pm_open(path, false, &second, why, sizeof(why)), -EBUSY);
	assert_non_null(strstr(why, "in use"));
	assert_non_null(strstr(why, path));
	assert_int_equal(pm_open(path, true, &second, why, sizeof(why)), -EBUSY);
	/* Nor may --force destroy what a server is using. */
	assert_int_equal(pm_create(path, SIZE / 2, true, &second, why, sizeof(why)), -EBUSY);
	assert_int_equal(lseek(pm.fd, 0, SEEK_END), SIZE);
	pm_close(&pm);
	assert_int_equal(pm_open(path, false, &pm, why, sizeof(why)), 0);
	pm_close(&pm);
}

static void readers_share_a_pool(void **state)
{
	struct pm pm, second;

	assert_int_equal(pm_create(path, SIZE, false, &pm, why, sizeof(why)), 0);
	pm_close(&pm);
	assert_int_equal(pm_open(path, true, &pm, why, sizeof(why)), 0);
	assert_int_equal(pm_open(path, true, &second, why, sizeof(why)), 0);
	pm_close(&second);
	pm_close(&pm);
}

static void an_existing_file_is_overwritten_only_by_force(void **state)
{
	struct pm pm;

	assert_int_equal(pm_create(path, SIZE, false, &pm, why, sizeof(why)), 0);
	memset(pm.base, 0xaa, SIZE);
	pm_close(&pm);
	assert_int_equal(pm_create(path, SIZE, false, &pm, why, sizeof(why)), -EEXIST);
	assert_non_null(strstr(why, "--force"));
	assert_int_equal(pm_create(path, 2 * SIZE, true, &pm, why, sizeof(why)), 0);
	assert_int_equal(pm.size, 2 * SIZE);
	assert_int_equal(pm.base[100], 0);
	pm_close(&pm);
}

static void what_is_no_pool_is_refused_with_its_reason(void **state)
{
	struct pm pm;
	int fd;

	assert_int_equal(pm_open(path, false, &pm, why, sizeof(why)), -ENOENT);
	assert_non_null(strstr(why, "farnova mkfs"));
	assert_int_equal(pm_open(directory, false, &pm, why, sizeof(why)), -EISDIR);
	assert_int_equal(pm_create(directory, SIZE, true, &pm, why, sizeof(why)), -EISDIR);
	assert_int_equal(pm_open("/dev/null", false, &pm, why, sizeof(why)), -EINVAL);
	assert_non_null(strstr(why, "devdax"));
	assert_int_equal(pm_create("/nonexistent/pool", SIZE, false, &pm, why, sizeof(why)), -ENOENT);
	assert_non_null(strstr(why, "directory"));

	fd = open(path, O_CREAT | O_WRONLY, 0600);
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(pm_open(path, false, &pm, why, sizeof(why)), -EINVAL);
	unlink(path);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(pm_open(path, false, &pm, why, sizeof(why)), -EINVAL);
}

static void a_pool_that_cannot_be_made_leaves_no_file(void **state)
{
	struct pm pm;

	assert_int_equal(pm_create(path, 0, false, &pm, why, sizeof(why)), -EINVAL);
	assert_int_equal(access(path, F_OK), -1);
	assert_true(pm_create(path, 1ULL << 60, false, &pm, why, sizeof(why)) < 0);
	assert_int_equal(access(path, F_OK), -1);
}

struct recorder {
	struct pm_observer observer;
	struct pm_event events[8];
	uint8_t before[8]; /* what lay there when the event came */
	struct pm *pm;
	int count;
};

static void record(struct pm_observer *self, const struct pm_event *event)
{
	struct recorder *recorder = (struct recorder *)self;

	recorder->before[recorder->count] = recorder->pm->base[event->offset];
	recorder->events[recorder->count++] = *event;
}

static void an_observer_is_told_of_each_event_before_it_happens(void **state)
{
	static _Alignas(64) uint8_t memory[4096];
	static const enum pm_event_type types[] = {PM_EV_COPY, PM_EV_ZERO, PM_EV_SET8, PM_EV_FLUSH, PM_EV_FENCE};
	static const uint64_t offsets[] = {64, 128, 256, 256, 0}, lengths[] = {64, 128, 8, 8, 0};
	struct recorder recorder = {.observer = {record}};
	uint8_t line[64];
	struct pm pm;

	memset(memory, 1, sizeof(memory));
	memset(line, 9, sizeof(line));
	pm_wrap(&pm, memory, sizeof(memory));
	recorder.pm = &pm;
	pm.observer = &recorder.observer;
	pm_copy(&pm, pm_at(&pm, 64), line, 64);
	pm_zero(&pm, pm_at(&pm, 128), 128);
	pm_set8(&pm, pm_at(&pm, 256), 5);
	pm_flush(&pm, pm_at(&pm, 256), 8);
	pm_fence(&pm);
	pm_close(&pm);

	assert_int_equal(recorder.count, 5);
	for (int i = 0; i < 5; i++) {
		assert_int_equal(recorder.events[i].type, types[i]);
		assert_int_equal(recorder.events[i].offset, offsets[i]);
		assert_int_equal(recorder.events[i].length, lengths[i]);
		assert_non_null(strstr(recorder.events[i].site, "common_pm_test.c:"));
	}
	assert_int_equal(recorder.before[0], 1);
	assert_int_equal(recorder.before[2], 1);
	assert_int_equal(memory[64], 9);
	assert_int_equal(memory[255], 0);
	assert_int_equal(memory[256], 5);
}

static void the_counter_counts_lines_words_and_fences(void **state)
{
	static _Alignas(64) uint8_t memory[4096];
	struct pm_count count;
	struct pm pm;

	pm_wrap(&pm, memory, sizeof(memory));
	pm_count_init(&count);
	pm.observer = &count.observer;
	pm_copy(&pm, pm_at(&pm, 0), memory + 1024, 256);
	pm_zero(&pm, pm_at(&pm, 256), 64);
	pm_set8(&pm, pm_at(&pm, 512), 1);
	pm_flush(&pm, pm_at(&pm, 568), 16); /* crosses a line's end */
	pm_fence(&pm);
	pm_fence(&pm);
	assert_int_equal(count.nt_lines, 5);
	assert_int_equal(count.words, 1);
	assert_int_equal(count.flushed_lines, 2);
	assert_int_equal(count.fences, 2);
	assert_int_equal(count.bytes, 256 + 64 + 8);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(a_created_pool_keeps_what_is_stored, make_directory, remove_directory),
	    cmocka_unit_test(tmpfs_and_memfd_are_memory),
	    cmocka_unit_test_setup_teardown(a_pool_in_use_is_refused, make_directory, remove_directory),
	    cmocka_unit_test_setup_teardown(readers_share_a_pool, make_directory, remove_directory),
	    cmocka_unit_test_setup_teardown(an_existing_file_is_overwritten_only_by_force, make_directory,
	                                    remove_directory),
	    cmocka_unit_test_setup_teardown(what_is_no_pool_is_refused_with_its_reason, make_directory,
	                                    remove_directory),
	    cmocka_unit_test_setup_teardown(a_pool_that_cannot_be_made_leaves_no_file, make_directory,
	                                    remove_directory),
	    cmocka_unit_test(an_observer_is_told_of_each_event_before_it_happens),
	    cmocka_unit_test(the_counter_counts_lines_words_and_fences),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
