/*
 * server_config_test.c -- flags and configuration files: what is right is taken, what is wrong is refused in words.
 */
#include "server/config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static struct config config;
static char why[4096];

static enum config_result read_with(const char *const *flags)
{
	const char *argv[32] = {"farnovad"};
	int argc = 1;

	while (*flags)
		argv[argc++] = *flags++;
	why[0] = 0;
	return config_read(&config, argc, (char **)(uintptr_t)argv, why, sizeof(why));
}

#define READ(...) read_with((const char *const[]){__VA_ARGS__, NULL})

static void assert_refused(enum config_result result, const char *words)
{
	assert_int_equal(result, CONFIG_BAD);
	if (!strstr(why, words))
		fail_msg("'%s' is not in: %s", words, why);
}

static enum config_result read_file_with(const char *text, const char *flag)
{
	char path[] = "/tmp/farnova-config.XXXXXX";
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
	enum config_result result = flag ? READ("--config", path, flag) : READ("--config", path);
	unlink(path);
	return result;
}

static void flags_are_taken_in_either_form_and_have_defaults(void **state)
{
	(void)state;
	assert_int_equal(READ("--pool", "/p", "--max-clients=7", "--squash-root", "--staging-size", "16M"), CONFIG_OK);
	assert_string_equal(config.pool, "/p");
	assert_int_equal(config.max_clients, 7);
	assert_true(config.squash_root);
	assert_false(config.read_only);
	assert_int_equal(config.staging_size, 16 << 20);
	assert_string_equal(config.host, "127.0.0.1");
	assert_int_equal(config.port, 4910);
	assert_string_equal(config.transport, "auto");
}

static void flags_win_over_the_file_wherever_they_stand(void **state)
{
	(void)state;
	assert_int_equal(read_file_with("# a comment\n\n pool = /from file \nmax_clients=3\nsquash_root = yes\n", NULL),
	                 CONFIG_OK);
	assert_string_equal(config.pool, "/from file");
	assert_int_equal(config.max_clients, 3);
	assert_true(config.squash_root);
	assert_int_equal(read_file_with("pool = /p\nmax_clients = 3\n", "--max-clients=9"), CONFIG_OK);
	assert_int_equal(config.max_clients, 9);
}

static void what_the_core_does_at_mount_is_configured(void **state)
{
	(void)state;
	assert_int_equal(READ("--pool", "/p"), CONFIG_OK);
	assert_false(config.full_scan);
	assert_int_equal(config.cache_bytes, 0);
	assert_int_equal(config.progress_ms, 1000);
	assert_int_equal(read_file_with("pool = /p\nfull_scan = yes\ncache_bytes = 3G\nprogress_ms = 250\n", NULL),
	                 CONFIG_OK);
	assert_true(config.full_scan);
	assert_int_equal(config.cache_bytes, 3ull << 30);
	assert_int_equal(config.progress_ms, 250);
	assert_int_equal(READ("--pool", "/p", "--full-scan", "--cache-bytes=1M"), CONFIG_OK);
	assert_true(config.full_scan);
	assert_int_equal(config.cache_bytes, 1 << 20);
}

static void wrong_flags_are_refused_with_what_would_be_right(void **state)
{
	(void)state;
	assert_refused(READ("--listen", "127.0.0.1"), "no pool");
	assert_refused(READ("--pool"), "needs a value");
	assert_refused(READ("--poool", "/p"), "no flag");
	assert_refused(READ("/p"), "not a flag");
	assert_refused(READ("--pool", "/p", "--workers", "many"), "number from 0 to 64");
	assert_refused(READ("--pool", "/p", "--workers", "65"), "number from 0 to 64");
	assert_refused(READ("--pool", "/p", "--workers", "-1"), "number from");
	assert_refused(READ("--pool", "/p", "--workers", "1 "), "number from");
	assert_refused(READ("--pool", "/p", "--staging-size", "99999999999999999999"), "number from");
	assert_refused(READ("--pool", "/p", "--staging-size", "18446744073709551615G"), "number from");
	assert_refused(READ("--pool", "/p", "--staging-size", "8MB"), "number from");
	assert_refused(READ("--pool", "/p", "--transport", "udp"), "auto, verbs or tcp");
	assert_refused(READ("--pool", "/p", "--log-level", "loud"), "error, warn, info or debug");
	assert_refused(READ("--pool", "/p", "--squash-root=perhaps"), "yes or no");
	assert_refused(READ("--pool", "/p", "--full-scan=maybe"), "yes or no");
	assert_refused(READ("--pool", "/p", "--cache-bytes", "1048575"), "0 or at least 1M");
	assert_refused(READ("--pool", "/p", "--cache-bytes", "16385G"), "number from 0");
	assert_refused(READ("--pool", "/p", "--progress-ms", "0"), "number from 100");
	assert_refused(READ("--pool", "/p", "--listen", "/run/x", "--transport", "verbs"), "UNIX socket");
	char longer[5000];
	memset(longer, 'x', sizeof(longer));
	longer[4999] = 0;
	assert_refused(READ("--pool", longer), "longer than");
}

static void wrong_lines_are_refused_with_their_number(void **state)
{
	(void)state;
	assert_refused(read_file_with("pool = /p\nnonsense\n", NULL), "line 2");
	assert_refused(read_file_with("pool = /p\n\nworkers = x\n", NULL), "line 3");
	assert_refused(read_file_with("max-clients = 3\n", NULL), "no setting 'max-clients'");
	assert_refused(read_file_with("= 3\n", NULL), "no setting ''");
	assert_refused(READ("--config", "/nonexistent/farnovad.conf"), "No such file");
	assert_refused(READ("--config", "/tmp"), "Is a directory");
}

static void help_and_version_are_asked_for_beside_anything(void **state)
{
	(void)state;
	assert_int_equal(READ("--help"), CONFIG_HELP);
	assert_int_equal(READ("-h"), CONFIG_HELP);
	assert_int_equal(READ("--version"), CONFIG_VERSION);
}

static void addresses_are_split_as_urls_have_them(void **state)
{
	static const struct {
		const char *text, *host;
		int port; /* -1: refused */
	} cases[] = {
	    {"10.0.0.1", "10.0.0.1", 4910},
	    {"10.0.0.1:1", "10.0.0.1", 1},
	    {"host:65535", "host", 65535},
	    {"host:0", "host", 0},
	    {"[::1]:5", "::1", 5},
	    {"[fe80::1%eth0]", "fe80::1%eth0", 4910},
	    {"/run/f.sock", "/run/f.sock", 4910},
	    {"host:65536", NULL, -1},
	    {"host:", NULL, -1},
	    {"host:x", NULL, -1},
	    {":5", NULL, -1},
	    {"", NULL, -1},
	    {"::1", NULL, -1},
	    {"[::1", NULL, -1},
	    {"[]:5", NULL, -1},
	    {"[::1]5", NULL, -1},
	    {"host:5:6", NULL, -1},
	};
	char host[64];
	uint16_t port;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int rc = config_split_address(cases[i].text, host, sizeof(host), &port);
		if (cases[i].port < 0) {
			assert_true(rc < 0);
			continue;
		}
		assert_int_equal(rc, 0);
		assert_string_equal(host, cases[i].host);
		assert_int_equal(port, cases[i].port);
	}
	memset(why, 'h', 100);
	why[100] = 0;
	assert_true(config_split_address(why, host, sizeof(host), &port) < 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(flags_are_taken_in_either_form_and_have_defaults),
	    cmocka_unit_test(flags_win_over_the_file_wherever_they_stand),
	    cmocka_unit_test(what_the_core_does_at_mount_is_configured),
	    cmocka_unit_test(wrong_flags_are_refused_with_what_would_be_right),
	    cmocka_unit_test(wrong_lines_are_refused_with_their_number),
	    cmocka_unit_test(help_and_version_are_asked_for_beside_anything),
	    cmocka_unit_test(addresses_are_split_as_urls_have_them),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
