/*
 * words.h -- self-checking words: 48 bits of value and a CRC that is seeded with the word's kind and owner.
 */
#ifndef FARNOVA_NOVA_WORDS_H
#define FARNOVA_NOVA_WORDS_H

#include "common/pm/pm.h"
#include "server/nova/media/format.h"

#include <stdbool.h>

#define WORD_VALUE_MAX ((1ULL << 48) - 1)

/* word_make -- the word as it is stored. */
uint64_t word_make(unsigned kind, uint64_t owner, uint64_t value);

/* word_make_row -- `count` words of one owner, of the kinds `first`, first + 1 ... */
void word_make_row(unsigned first, uint64_t owner, const uint64_t *values, unsigned count, le64 *words);

/* word_value -- true and the value if the word is valid. */
bool word_value(unsigned kind, uint64_t owner, uint64_t word, uint64_t *value);

/* The result of reading two copies of a word. */
enum word_state {
	WORD_GOOD,  /* both valid and equal */
	WORD_MOVED, /* both valid, of different values: `value` is the greater */
	WORD_HALF,  /* one copy is damaged: `value` is the other's */
	WORD_LOST,  /* both are damaged */
};

enum word_state word_read(enum nova_word_kind kind, uint64_t owner, const le64 *first, const le64 *second,
                          uint64_t *value);

static inline uint64_t word_owner(uint64_t number, uint32_t generation)
{
	return number ^ (uint64_t)generation << 32;
}

static inline uint64_t life_value(uint32_t generation, enum nova_life state)
{
	return (uint64_t)generation << 8 | state;
}

/* word_pair_store -- store two adjacent copies of a word; flushed, not fenced. */
void word_pair_store(struct pm *pm, le64 *pair, uint64_t word);

#endif
