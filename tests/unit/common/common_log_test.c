/*
 * common_log_test.c -- log lines are whole, levelled, stamped and cannot be forged by what they quote.
 */
#include "common/log.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define THREADS 4
#define LINES   200

static FILE *captured;
static int real_stderr;

static int capture(void **state)
{
	captured = tmpfile();
	real_stderr = dup(STDERR_FILENO);
	if (!captured || real_stderr < 0 || dup2(fileno(captured), STDERR_FILENO) < 0)
		return -1;
	log_set_level(LOG_LEVEL_INFO);
	return 0;
}

static int release(void **state)
{
	dup2(real_stderr, STDERR_FILENO);
	close(real_stderr);
	fclose(captured);
	return 0;
}

static const char *next_line(char *line, size_t size)
{
	static long at;

	if (!line) {
		at = 0;
		return NULL;
	}
	fseek(captured, at, SEEK_SET);
	if (!fgets(line, (int)size, captured))
		return NULL;
	at = ftell(captured);
	fseek(captured, 0, SEEK_END);
	return line;
}

static void a_line_has_time_level_component_and_text(void **state)
{
	char line[4096], level[16], component[16], text[64];
	int year, month, day, hour, minute, second, ms;

	log_warn("pool", "block %d is bad", 7);
	next_line(NULL, 0);
	assert_non_null(next_line(line, sizeof(line)));
	assert_int_equal(sscanf(line, "%4d-%2d-%2dT%2d:%2d:%2d.%3dZ %15s %15[^:]: %63[^\n]", &year, &month, &day, &hour,
	                        &minute, &second, &ms, level, component, text),
	                 10);
	assert_string_equal(level, "warn");
	assert_string_equal(component, "pool");
	assert_string_equal(text, "block 7 is bad");
}

static void lines_above_the_level_are_dropped(void **state)
{
	char line[4096];

	next_line(NULL, 0);
	log_debug("x", "not told");
	assert_null(next_line(line, sizeof(line)));
	log_set_level(LOG_LEVEL_ERROR);
	log_warn("x", "not told");
	log_error("x", "told");
	assert_non_null(next_line(line, sizeof(line)));
	assert_non_null(strstr(line, "error x: told"));
}

static void control_characters_cannot_forge_a_line(void **state)
{
	char line[4096];

	next_line(NULL, 0);
	log_info("rpc", "no file '%s'", "a\n2026-01-01 error \033[2J");
	assert_non_null(next_line(line, sizeof(line)));
	assert_non_null(strstr(line, "a?2026-01-01 error ?[2J"));
	assert_null(next_line(line, sizeof(line)));
}

static void an_endless_text_is_cut_and_ends_its_line(void **state)
{
	char line[8192];
	char *text = malloc(10000);

	memset(text, 'a', 9999);
	text[9999] = '\0';
	next_line(NULL, 0);
	log_info("x", "%s", text);
	log_info("x", "next");
	free(text);
	assert_non_null(next_line(line, sizeof(line)));
	assert_int_equal(line[strlen(line) - 1], '\n');
	assert_in_range(strlen(line), 1000, 2048);
	assert_non_null(next_line(line, sizeof(line)));
	assert_non_null(strstr(line, "x: next"));
}

static void errno_survives(void **state)
{
	errno = EXDEV;
	log_info("x", "%m");
	assert_int_equal(errno, EXDEV);
}

static void *write_lines(void *name)
{
	for (int i = 0; i < LINES; i++)
		log_info("thread", "begin %s %d end", (const char *)name, i);
	return NULL;
}

static void lines_of_threads_never_mix(void **state)
{
	static char names[THREADS][64];
	pthread_t threads[THREADS];
	char line[4096], name[64];
	int lines = 0, number;

	for (int i = 0; i < THREADS; i++) {
		memset(names[i], 'a' + i, sizeof(names[i]) - 1);
		assert_int_equal(pthread_create(&threads[i], NULL, write_lines, names[i]), 0);
	}
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	next_line(NULL, 0);
	while (next_line(line, sizeof(line))) {
		const char *text = strstr(line, "thread: begin ");

		assert_non_null(text);
		assert_int_equal(sscanf(text, "thread: begin %63s %d end\n", name, &number), 2);
		assert_string_equal(name, names[name[0] - 'a']);
		lines++;
	}
	assert_int_equal(lines, THREADS * LINES);
}

static void level_names_are_read(void **state)
{
	assert_int_equal(log_level_from_name("error"), LOG_LEVEL_ERROR);
	assert_int_equal(log_level_from_name("debug"), LOG_LEVEL_DEBUG);
	assert_int_equal(log_level_from_name("loud"), -EINVAL);
}

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void lines_that_a_peer_can_cause_are_limited(void **state)
{
	const struct timespec pause = {.tv_nsec = LOG_INTERVAL_MS * 1100000L};
	static struct log_limits limits;
	unsigned written = 0, told = 0, left_out;
	int64_t from = now_ms();
	char line[4096];

	next_line(NULL, 0);
	while (next_line(line, sizeof(line)))
		continue;
	for (int i = 0; i < 10000; i++)
		log_warn_limited("test", "flood");
	unsigned due = LOG_BURST + (unsigned)((now_ms() - from) / LOG_INTERVAL_MS) + 1;
	/* Another kind of line is not held up by it. */
	log_write_limited(log_limit_of(&limits, "a"), LOG_LEVEL_WARN, "test", "other");
	bool other = false;
	while (next_line(line, sizeof(line))) {
		other = other || strstr(line, "other");
		written += strstr(line, "flood") != NULL;
		if (sscanf(strstr(line, "test: "), "test: %u lines", &left_out) == 1)
			told += left_out;
	}
	assert_true(other);
	assert_in_range(written, LOG_BURST, due);
	/* The next line that may be written tells of all that were not. */
	nanosleep(&pause, NULL);
	for (int i = 0; i < 2; i++) {
		struct log_limit own = {.left_out = 7};
		log_write_limited(&own, LOG_LEVEL_INFO, "test", "again");
		assert_non_null(next_line(line, sizeof(line)));
		assert_non_null(strstr(line, "7 lines like the next were left out"));
		assert_non_null(next_line(line, sizeof(line)));
		assert_non_null(strstr(line, "again"));
	}
	assert_true(written + told <= 10000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(a_line_has_time_level_component_and_text, capture, release),
	    cmocka_unit_test_setup_teardown(lines_above_the_level_are_dropped, capture, release),
	    cmocka_unit_test_setup_teardown(control_characters_cannot_forge_a_line, capture, release),
	    cmocka_unit_test_setup_teardown(an_endless_text_is_cut_and_ends_its_line, capture, release),
	    cmocka_unit_test_setup_teardown(errno_survives, capture, release),
	    cmocka_unit_test_setup_teardown(lines_of_threads_never_mix, capture, release),
	    cmocka_unit_test(level_names_are_read),
	    cmocka_unit_test_setup_teardown(lines_that_a_peer_can_cause_are_limited, capture, release),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
