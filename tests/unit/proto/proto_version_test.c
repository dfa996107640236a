/*
 * proto_version_test.c -- the bytes of the messages change only together with the version of the protocol.
 *
 * A peer of another version is refused with a sentence. One that says the same version and means other bytes would be
 * misunderstood.
 */
#include "common/crc.h"
#include "tests/support/messages.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* Of all messages of messages.c. Who changes the bytes increments PROTO_VERSION, and sets both lines. */
#define VERSION  3u
#define CHECKSUM 0x2b4d7e97u

static void bytes_change_with_the_version_only(void **state)
{
	uint32_t checksum = 0;

	for (size_t i = 0; i < request_op_count; i++) {
		struct proto_request q;
		struct proto_reply p;
		uint8_t entries[100];
		size_t used;
		int length;

		fill_request(&q, request_ops[i]);
		length = proto_encode_request(&q, buffer, sizeof(buffer));
		assert_true(length > 0);
		checksum = crc32c(checksum, buffer, (size_t)length);
		if (request_ops[i] == PROTO_LAYOUT_RETURN || request_ops[i] == PROTO_CRED)
			continue; /* notices have no reply */
		fill_reply(&p, request_ops[i], entries, &used);
		length = proto_encode_reply(&p, buffer, sizeof(buffer));
		assert_true(length > 0);
		checksum = crc32c(checksum, buffer, (size_t)length);
	}
	assert_int_equal(PROTO_VERSION, VERSION);
	assert_int_equal(checksum, CHECKSUM);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(bytes_change_with_the_version_only)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
