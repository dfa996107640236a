/*
 * uuid.h -- the UUIDs of pools: 16 random bytes, and how they are written as text.
 */
#ifndef FARNOVA_COMMON_UUID_H
#define FARNOVA_COMMON_UUID_H

#include <stdint.h>
#include <stdio.h>

#define UUID_BYTES 16
#define UUID_TEXT  37 /* with the NUL */

/* uuid_mark -- make a UUID of 16 random bytes: set the bits that say so (RFC 9562, version 4). */
static inline void uuid_mark(uint8_t uuid[UUID_BYTES])
{
	uuid[6] = (uint8_t)((uuid[6] & 0x0f) | 0x40);
	uuid[8] = (uint8_t)((uuid[8] & 0x3f) | 0x80);
}

/* uuid_text -- in hexadecimal, with dashes. */
static inline void uuid_text(const uint8_t uuid[UUID_BYTES], char text[UUID_TEXT])
{
	char *p = text;

	for (int i = 0; i < UUID_BYTES; i++)
		p += sprintf(p, "%02x%s", uuid[i], i == 3 || i == 5 || i == 7 || i == 9 ? "-" : "");
}

#endif
