/*
 * le.h -- little-endian integers for media and wire.
 *
 * Structures that are stored or sent contain only these types. Each is a structure with one member, so that the
 * compiler rejects raw integers and unconverted values. They have alignment 1, so that a structure of them has no
 * padding and may be at any address.
 */
#ifndef FARNOVA_COMMON_LE_H
#define FARNOVA_COMMON_LE_H

#include <endian.h>
#include <stdint.h>

typedef struct __attribute__((packed)) {
	uint16_t raw;
} le16;
typedef struct __attribute__((packed)) {
	uint32_t raw;
} le32;
typedef struct __attribute__((packed)) {
	uint64_t raw;
} le64;

static inline uint16_t le16_get(le16 v)
{
	return le16toh(v.raw);
}

static inline uint32_t le32_get(le32 v)
{
	return le32toh(v.raw);
}

static inline uint64_t le64_get(le64 v)
{
	return le64toh(v.raw);
}

static inline le16 le16_of(uint16_t v)
{
	return (le16){htole16(v)};
}

static inline le32 le32_of(uint32_t v)
{
	return (le32){htole32(v)};
}

static inline le64 le64_of(uint64_t v)
{
	return (le64){htole64(v)};
}

#endif
