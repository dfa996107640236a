/*
 * common_crc_test.c -- CRC32C gives the published values whichever way it is computed.
 */
#include "common/crc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* The definition, bit by bit, with the reflected Castagnoli polynomial. */
static uint32_t crc32c_by_definition(uint32_t crc, const uint8_t *p, size_t len)
{
	for (; len; p++, len--) {
		crc ^= *p;
		for (int bit = 0; bit < 8; bit++)
			crc = (crc >> 1) ^ (crc & 1 ? 0x82f63b78u : 0);
	}
	return crc;
}

static void gives_the_values_of_rfc_3720(void **state)
{
	uint8_t zeros[32] = {0}, ones[32], rising[32];

	memset(ones, 0xff, sizeof(ones));
	for (int i = 0; i < 32; i++)
		rising[i] = (uint8_t)i;
	assert_int_equal(~crc32c(~0u, zeros, 32), 0x8a9136aa);
	assert_int_equal(~crc32c(~0u, ones, 32), 0x62a8ab43);
	assert_int_equal(~crc32c(~0u, rising, 32), 0x46dd794e);
	assert_int_equal(~crc32c(~0u, "123456789", 9), 0xe3069283);
}

static void agrees_with_the_definition_at_every_length_and_alignment(void **state)
{
	static uint8_t data[4200];

	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i * 2654435761u >> 13);
	for (size_t len = 0; len <= 600; len++)
		for (size_t start = 0; start < 8; start += 3)
			assert_int_equal(crc32c(0x1234567, data + start, len),
			                 crc32c_by_definition(0x1234567, data + start, len));
	assert_int_equal(crc32c(7, data + 1, 4096), crc32c_by_definition(7, data + 1, 4096));
}

static void calls_chain(void **state)
{
	uint8_t data[1000];

	memset(data, 0x5a, sizeof(data));
	for (size_t cut = 0; cut <= sizeof(data); cut += 37)
		assert_int_equal(crc32c(crc32c(~0u, data, cut), data + cut, sizeof(data) - cut),
		                 crc32c(~0u, data, 1000));
}

static void a_u64_is_its_eight_little_endian_bytes(void **state)
{
	const uint8_t bytes[8] = {8, 7, 6, 5, 4, 3, 2, 1};

	assert_int_equal(crc32c_u64(99, 0x0102030405060708), crc32c_by_definition(99, bytes, 8));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(gives_the_values_of_rfc_3720),
	    cmocka_unit_test(agrees_with_the_definition_at_every_length_and_alignment),
	    cmocka_unit_test(calls_chain),
	    cmocka_unit_test(a_u64_is_its_eight_little_endian_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
