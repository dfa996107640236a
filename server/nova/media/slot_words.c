/*
 * slot_words.c -- the line with an inode's words.
 */
#include "server/nova/media/slot_words.h"

#include "server/nova/media/words.h"

struct slot_word_values slot_words_of(const struct nova_inode *inode)
{
	return (struct slot_word_values){
	    .life = life_value(inode->generation, (enum nova_life)inode->life),
	    .tail = inode->tail,
	    .head = inode->head,
	};
}

void slot_words_line(const struct nova_inode *inode, const struct slot_word_values *values,
                     struct nova_slot_words *line)
{
	uint64_t owner = word_owner(inode->ino, inode->generation);

	line->life[0] = line->life[1] = le64_of(word_make(NOVA_WORD_LIFE, inode->ino, values->life));
	line->tail[0] = line->tail[1] = le64_of(word_make(NOVA_WORD_TAIL, owner, values->tail));
	line->head[0] = line->head[1] = le64_of(word_make(NOVA_WORD_HEAD, owner, values->head));
	line->replica[0] = line->replica[1] = le64_of(word_make(NOVA_WORD_REPLICA, owner, 0));
}

void slot_words_store(struct nova *fs, const struct nova_inode *inode, const struct slot_word_values *values)
{
	struct nova_slot_words line __attribute__((aligned(NOVA_LINE_SIZE)));

	slot_words_line(inode, values, &line);
	pm_copy(fs->pm, &slot_at(fs, inode->ino)->words, &line, sizeof line);
}
