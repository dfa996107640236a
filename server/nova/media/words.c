/*
 * words.c -- make and check self-checking words.
 */
#include "server/nova/media/words.h"

#include "common/crc.h"

#include <string.h>

/* The CRC runs over 15 bytes: kind, owner, value. */
static uint16_t word_crc(unsigned kind, uint64_t owner, uint64_t value)
{
	uint64_t rest = owner >> 56 | value << 8;
	uint32_t crc = crc32c_u32(crc32c_u64(0xffffffff, (uint64_t)kind | owner << 8), (uint32_t)rest);
	uint16_t folded;

	crc = crc32c_u8(crc32c_u16(crc, (uint16_t)(rest >> 32)), (uint8_t)(rest >> 48));
	folded = (uint16_t)(crc >> 16 ^ crc);

	return folded ? folded : 0xffff;
}

uint64_t word_make(unsigned kind, uint64_t owner, uint64_t value)
{
	return value << 16 | word_crc(kind, owner, value);
}

void word_make_row(unsigned first, uint64_t owner, const uint64_t *values, unsigned count, le64 *words)
{
	for (unsigned i = 0; i < count; i++)
		words[i] = le64_of(values[i] << 16 | word_crc(first + i, owner, values[i]));
}

bool word_value(unsigned kind, uint64_t owner, uint64_t word, uint64_t *value)
{
	if ((uint16_t)word != word_crc(kind, owner, word >> 16))
		return false;
	*value = word >> 16;
	return true;
}

enum word_state word_read(enum nova_word_kind kind, uint64_t owner, const le64 *first, const le64 *second,
                          uint64_t *value)
{
	uint64_t words[2] = {pm_get8(first), pm_get8(second)};
	uint64_t values[2];
	bool valid[2];

	valid[0] = word_value(kind, owner, words[0], &values[0]);
	if (words[0] == words[1]) {
		*value = words[0] >> 16;
		return valid[0] ? WORD_GOOD : WORD_LOST;
	}
	valid[1] = word_value(kind, owner, words[1], &values[1]);
	if (valid[0] && valid[1]) {
		*value = values[0] > values[1] ? values[0] : values[1];
		return WORD_MOVED;
	}
	if (!valid[0] && !valid[1])
		return WORD_LOST;
	*value = valid[0] ? values[0] : values[1];
	return WORD_HALF;
}

void word_pair_store(struct pm *pm, le64 *pair, uint64_t word)
{
	pm_set8(pm, &pair[0], word);
	pm_set8(pm, &pair[1], word);
	pm_flush(pm, pair, 2 * sizeof *pair);
}
