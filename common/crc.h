/*
 * crc.h -- CRC32C (Castagnoli), by ISA-L or the CPU's own instruction.
 */
#ifndef FARNOVA_COMMON_CRC_H
#define FARNOVA_COMMON_CRC_H

#include <stddef.h>
#include <stdint.h>

/* crc32c -- continue `seed` over `len` bytes; the raw register value, no final inversion, so that calls chain. */
uint32_t crc32c(uint32_t seed, const void *data, size_t len);

/* crc32c_u64 -- the same over the 8 little-endian bytes of `value`. */
uint32_t crc32c_u64(uint32_t seed, uint64_t value);

#endif
