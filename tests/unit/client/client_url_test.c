/*
 * client_url_test.c -- URLs are taken apart as documented, and what is none is refused with a reason.
 */
#include "client/link/url.h"
#include "proto/proto.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
/* cmocka.h wants the above first */
#include <cmocka.h>

static void url_has_host_port_and_path(void **state)
{
	static const struct {
		const char *text, *host;
		uint16_t port;
		const char *path;
	} cases[] = {
	    {"farnova://host", "host", PROTO_DEFAULT_PORT, ""},
	    {"farnova://host/", "host", PROTO_DEFAULT_PORT, ""},
	    {"farnova://host:1", "host", 1, ""},
	    {"farnova://10.0.0.1:65535/a/b c%20", "10.0.0.1", 65535, "a/b c%20"},
	    {"farnova://[::1]:5/x", "::1", 5, "x"},
	    {"farnova://[fe80::1%eth0]", "fe80::1%eth0", PROTO_DEFAULT_PORT, ""},
	    {"farnova://[/run/farnova.sock]/d", "/run/farnova.sock", PROTO_DEFAULT_PORT, "d"},
	    {"farnova://host//a//", "host", PROTO_DEFAULT_PORT, "a//"},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct url url;
		const char *why = NULL;
		assert_int_equal(url_parse(cases[i].text, &url, &why), 0);
		assert_string_equal(url.host, cases[i].host);
		assert_int_equal(url.port, cases[i].port);
		assert_string_equal(url.path, cases[i].path);
	}
}

static void what_is_no_url_is_refused_with_a_reason(void **state)
{
	static const char *const cases[] = {
	    "",
	    "host",
	    "http://host/",
	    "farnova:/host",
	    "farnova://",
	    "farnova:///path",
	    "farnova://:4910",
	    "farnova://host:",
	    "farnova://host:0",
	    "farnova://host:65536",
	    "farnova://host:4910x/",
	    "farnova://host:-1",
	    "farnova://::1/",
	    "farnova://[::1",
	    "farnova://[]/",
	    "farnova://[::1]x",
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct url url;
		const char *why = NULL;
		assert_int_equal(url_parse(cases[i], &url, &why), -EINVAL);
		assert_non_null(why);
	}
}

static void lengths_are_bounded(void **state)
{
	char text[8192] = "farnova://";
	struct url url;
	const char *why = NULL;

	memset(text + 10, 'h', 255);
	strcpy(text + 10 + 255, "/");
	assert_int_equal(url_parse(text, &url, &why), 0);
	memset(text + 10, 'h', 256);
	strcpy(text + 10 + 256, "/");
	assert_int_equal(url_parse(text, &url, &why), -EINVAL);

	strcpy(text, "farnova://h/");
	memset(text + 12, 'p', 4095);
	text[12 + 4095] = '\0';
	assert_int_equal(url_parse(text, &url, &why), 0);
	assert_int_equal(strlen(url.path), 4095);
	strcpy(text + 12 + 4095, "p");
	assert_int_equal(url_parse(text, &url, &why), -ENAMETOOLONG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(url_has_host_port_and_path),
	    cmocka_unit_test(what_is_no_url_is_refused_with_a_reason),
	    cmocka_unit_test(lengths_are_bounded),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
