/*
 * slot_words.h -- the words of an inode's slot, stored as one line.
 *
 * A line that is streamed past the caches is durable 0.09 us after it was stored, a word that is stored and written
 * back only after 0.16 us: its line has to be fetched first, then written. So what changes one word stores all eight
 * again. That is the same to a crash: 8 aligned bytes are the only atom, and what a word said before it says again.
 */
#ifndef FARNOVA_NOVA_SLOT_WORDS_H
#define FARNOVA_NOVA_SLOT_WORDS_H

#include "server/nova/core.h"

/* What the words of a slot say; both copies of each say the same. */
struct slot_word_values {
	uint64_t life; /* as life_value() makes it */
	uint64_t tail;
	uint64_t head;
};

/* slot_words_line -- make the line, of this generation. Before a fence, so that it costs no time after it. */
void slot_words_line(uint64_t ino, uint32_t generation, const struct slot_word_values *values,
                     struct nova_slot_words *line);

/* slot_words_store -- make and store the whole line; not fenced. The inode is locked for writing. */
void slot_words_store(struct nova *fs, uint64_t ino, uint32_t generation, const struct slot_word_values *values);

#endif
