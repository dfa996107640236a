/*
 * server_options_test.c -- what the configuration says of the core's mount gets there.
 */
#include "common/log.h"
#include "server/server.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define FILES 8000

static char pool[64];
static struct server server;
static char why[4096];

static void serve(const char *first, const char *second)
{
	const char *argv[] = {"farnovad",    "--listen", "127.0.0.1:0", "--transport", "tcp", "--workers", "1",
	                      "--log-level", "info",     "--pool",      pool,          first, second,      NULL};
	int argc = 11 + (first != NULL) + (second != NULL);

	memset(&server, 0, sizeof(server));
	assert_int_equal(config_read(&server.config, argc, (char **)(uintptr_t)argv, why, sizeof(why)), CONFIG_OK);
	assert_int_equal(server_open(&server, why, sizeof(why)), 0);
}

/* What the core's memory grows by when all files have been looked at. */
static uint64_t memory_of_all(const char *option)
{
	struct nova_statfs before, after;
	struct nova_call call = {0};
	struct nova_attr attr;
	char name[32];

	serve(option, NULL);
	assert_int_equal(nova_worker_open(server.shared.nova, &call.worker), 0);
	nova_statfs(server.shared.nova, &before);
	for (unsigned i = 0; i < FILES; i++) {
		int length = snprintf(name, sizeof(name), "file%u", i);
		assert_int_equal(nova_lookup(&call, nova_root(server.shared.nova), name, (size_t)length, &attr), 0);
	}
	nova_statfs(server.shared.nova, &after);
	nova_worker_close(call.worker);
	server_close(&server);
	return after.dram_bytes - before.dram_bytes;
}

static void cache_bytes_bounds_what_files_that_are_not_open_take(void **state)
{
	(void)state;
	assert_true(memory_of_all(NULL) > 3 << 20);
	assert_true(memory_of_all("--cache-bytes=1M") < 2 << 20);
}

/* The log of one start. */
static void log_of(const char *first, const char *second, char *text, size_t size)
{
	FILE *file = tmpfile();
	int saved = dup(2);

	dup2(fileno(file), 2);
	serve(first, second);
	server_close(&server);
	dup2(saved, 2);
	close(saved);
	rewind(file);
	text[fread(text, 1, size - 1, file)] = 0;
	fclose(file);
}

static void full_scan_reads_all_logs_after_a_clean_stop(void **state)
{
	char text[8192];

	(void)state;
	log_of(NULL, NULL, text, sizeof(text));
	assert_non_null(strstr(text, "its saved state was used"));
	log_of("--full-scan", NULL, text, sizeof(text));
	assert_non_null(strstr(text, "all logs were read"));
}

static int make(void **state)
{
	const struct nova_format_options options = {.root_mode = 0777};
	struct nova_call call = {0};
	struct nova_attr attr;
	char name[32];
	struct pm pm;

	(void)state;
	strcpy(pool, "/dev/shm/farnova-unit.XXXXXX");
	int fd = mkstemp(pool);
	if (fd < 0) {
		strcpy(pool, "/tmp/farnova-unit.XXXXXX");
		fd = mkstemp(pool);
	}
	close(fd);
	if (pm_create(pool, 64u << 20, true, &pm, why, sizeof(why)) || nova_format(&pm, &options))
		return -1;
	pm_close(&pm);
	serve(NULL, NULL);
	if (nova_worker_open(server.shared.nova, &call.worker))
		return -1;
	for (unsigned i = 0; i < FILES; i++) {
		int length = snprintf(name, sizeof(name), "file%u", i);
		if (nova_create(&call, nova_root(server.shared.nova), name, (size_t)length, S_IFREG | 0644, 0, &attr))
			return -1;
	}
	nova_worker_close(call.worker);
	server_close(&server);
	return 0;
}

static int end(void **state)
{
	(void)state;
	return unlink(pool);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(cache_bytes_bounds_what_files_that_are_not_open_take),
	    cmocka_unit_test(full_scan_reads_all_logs_after_a_clean_stop),
	};

	return cmocka_run_group_tests(tests, make, end);
}
