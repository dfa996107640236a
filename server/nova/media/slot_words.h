/*
 * slot_words.h -- the words of an inode's slot, stored as one line.
 *
 * A line stored with non-temporal stores is durable after 0.09 us. A single word that is stored and written back is
 * durable only after 0.16 us: the CPU first fetches its line, then writes it. So a change of one word stores all eight
 * words again. A crash sees no difference: only 8 aligned bytes are atomic, and the other words keep their values.
 */
#ifndef FARNOVA_NOVA_SLOT_WORDS_H
#define FARNOVA_NOVA_SLOT_WORDS_H

#include "server/nova/core.h"

/* The values of a slot's words; both copies of each are equal. */
struct slot_word_values {
	uint64_t life; /* as life_value() makes it */
	uint64_t tail;
	uint64_t head;
};

/* slot_words_line -- make the line of this generation. Call it before a fence, so that it takes no time after that. */
void slot_words_line(uint64_t ino, uint32_t generation, const struct slot_word_values *values,
                     struct nova_slot_words *line);

/* slot_words_store -- make and store the whole line; not fenced. The inode is locked for writing. */
void slot_words_store(struct nova *fs, uint64_t ino, uint32_t generation, const struct slot_word_values *values);

#endif
