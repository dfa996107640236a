/*
 * slot_words.c -- the line with an inode's words.
 */
#include "server/nova/media/slot_words.h"

#include "server/nova/media/words.h"

struct home home_of(const struct inode *inode)
{
	return (struct home){
	    .life = life_value(inode->generation, (enum nova_life)inode->life),
	    .tail = inode->tail,
	    .head = inode->head,
	};
}

void home_line(const struct inode *inode, const struct home *home, struct nova_slot_words *line)
{
	uint64_t owner = word_owner(inode->ino, inode->generation);

	line->life[0] = line->life[1] = le64_of(word_make(NOVA_WORD_LIFE, inode->ino, home->life));
	line->tail[0] = line->tail[1] = le64_of(word_make(NOVA_WORD_TAIL, owner, home->tail));
	line->head[0] = line->head[1] = le64_of(word_make(NOVA_WORD_HEAD, owner, home->head));
	line->replica[0] = line->replica[1] = le64_of(word_make(NOVA_WORD_REPLICA, owner, 0));
}

void home_store(struct nova *fs, const struct inode *inode, const struct home *home)
{
	struct nova_slot_words line __attribute__((aligned(NOVA_LINE_SIZE)));

	home_line(inode, home, &line);
	pm_copy(fs->pm, &slot_at(fs, inode->ino)->words, &line, sizeof line);
}
