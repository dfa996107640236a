/*
 * crc.h -- CRC32C (Castagnoli), by ISA-L or the CPU's own instruction.
 */
#ifndef FARNOVA_COMMON_CRC_H
#define FARNOVA_COMMON_CRC_H

#include <endian.h>
#include <stddef.h>
#include <stdint.h>

#if defined(__SSE4_2__)
#include <nmmintrin.h>
#endif

/* crc32c -- continue `seed` over `len` bytes; returns the raw register value without final inversion, so that calls can
 * be chained. */
uint32_t crc32c(uint32_t seed, const void *data, size_t len);

/* crc32c_u64 to crc32c_u8 -- the same over the little-endian bytes of `value`, without storing them in memory. */
#if defined(__SSE4_2__)
#define CRC32C_OF(bits)                                                                                                \
	static inline uint32_t crc32c_u##bits(uint32_t seed, uint##bits##_t value)                                     \
	{                                                                                                              \
		return (uint32_t)_mm_crc32_u##bits(seed, value);                                                       \
	}
#else
#define CRC32C_OF(bits)                                                                                                \
	static inline uint32_t crc32c_u##bits(uint32_t seed, uint##bits##_t value)                                     \
	{                                                                                                              \
		uint64_t bytes = htole64(value);                                                                       \
		return crc32c(seed, &bytes, bits / 8);                                                                 \
	}
#endif
CRC32C_OF(64)
CRC32C_OF(32)
CRC32C_OF(16)
CRC32C_OF(8)
#undef CRC32C_OF

/*
 * crc32c_line -- the same over a 64-byte line, aligned to 8 bytes, without its first four bytes: those hold the line's
 * own CRC.
 */
static inline uint32_t crc32c_line(uint32_t seed, const void *line)
{
#if defined(__SSE4_2__)
	const uint64_t *words = (const uint64_t *)line;
	uint32_t crc = crc32c_u32(seed, (uint32_t)(words[0] >> 32));

	for (unsigned i = 1; i < 8; i++)
		crc = crc32c_u64(crc, words[i]);
	return crc;
#else
	return crc32c(seed, (const uint8_t *)line + 4, 60);
#endif
}

#endif
