/*
 * slot_words.c -- makes and stores the line with an inode's words.
 */
#include "server/nova/media/slot_words.h"

#include "server/nova/media/words.h"

void slot_words_line(uint64_t ino, uint32_t generation, const struct slot_word_values *values,
                     struct nova_slot_words *line)
{
	uint64_t owner = word_owner(ino, generation);

	line->life[0] = line->life[1] = le64_of(word_make(NOVA_WORD_LIFE, ino, values->life));
	line->tail[0] = line->tail[1] = le64_of(word_make(NOVA_WORD_TAIL, owner, values->tail));
	line->head[0] = line->head[1] = le64_of(word_make(NOVA_WORD_HEAD, owner, values->head));
	line->replica[0] = line->replica[1] = le64_of(word_make(NOVA_WORD_REPLICA, owner, 0));
}

void slot_words_store(struct nova *fs, uint64_t ino, uint32_t generation, const struct slot_word_values *values)
{
	struct nova_slot_words line __attribute__((aligned(NOVA_LINE_SIZE)));

	slot_words_line(ino, generation, values, &line);
	pm_copy(fs->pm, &slot_at(fs, ino)->words, &line, sizeof line);
}
