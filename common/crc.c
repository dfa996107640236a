/*
 * crc.c -- CRC32C by whichever way is fastest for the length.
 *
 * The CPU's instruction takes 8 bytes in about a nanosecond and costs nothing to start: a 64-byte log entry in 6 ns
 * against 18 ns through ISA-L. ISA-L folds with carry-less multiplication and wins from about 256 bytes up: 4 KiB in
 * 64 ns against 370 ns. Without the instruction ISA-L finds its own fallback.
 */
#include "common/crc.h"

#include <endian.h>
#include <isa-l/crc.h>
#include <limits.h>
#include <stdbool.h>
#include <string.h>

#define SHORT_BYTES 256u

static uint32_t crc32c_isal(uint32_t crc, const uint8_t *p, size_t len)
{
	while (len) {
		int n = len > INT_MAX / 2 ? INT_MAX / 2 : (int)len;

		crc = crc32_iscsi((unsigned char *)p, n, crc);
		p += n;
		len -= (size_t)n;
	}
	return crc;
}

#if defined(__x86_64__)
#include <nmmintrin.h>

static bool have_instruction;

__attribute__((constructor)) static void find_instruction(void)
{
	__builtin_cpu_init();
	have_instruction = __builtin_cpu_supports("sse4.2");
}

__attribute__((target("sse4.2"))) static uint32_t crc32c_short(uint32_t crc, const uint8_t *p, size_t len)
{
	uint64_t c = crc;

	for (; len >= 8; p += 8, len -= 8) {
		uint64_t v;

		memcpy(&v, p, 8);
		c = _mm_crc32_u64(c, v);
	}
	crc = (uint32_t)c;
	if (len & 4) {
		uint32_t v;

		memcpy(&v, p, 4);
		crc = _mm_crc32_u32(crc, v);
		p += 4;
	}
	for (len &= 3; len; p++, len--)
		crc = _mm_crc32_u8(crc, *p);
	return crc;
}

__attribute__((target("sse4.2"))) static uint32_t crc32c_word(uint32_t crc, uint64_t value)
{
	return (uint32_t)_mm_crc32_u64(crc, value);
}
#else
#define have_instruction 0

static uint32_t crc32c_short(uint32_t crc, const uint8_t *p, size_t len)
{
	return crc32c_isal(crc, p, len);
}

static uint32_t crc32c_word(uint32_t crc, uint64_t value)
{
	value = htole64(value);
	return crc32c_isal(crc, (const uint8_t *)&value, sizeof(value));
}
#endif

uint32_t crc32c(uint32_t seed, const void *data, size_t len)
{
	if (have_instruction && len < SHORT_BYTES)
		return crc32c_short(seed, data, len);
	return crc32c_isal(seed, data, len);
}

uint32_t crc32c_u64(uint32_t seed, uint64_t value)
{
	if (have_instruction)
		return crc32c_word(seed, value);
	value = htole64(value);
	return crc32c_isal(seed, (const uint8_t *)&value, sizeof(value));
}
