/*
 * intent.h -- the intent of a request: its line, stored with the commit of its effect, and read again.
 */
#ifndef FARNOVA_NOVA_INTENT_H
#define FARNOVA_NOVA_INTENT_H

#include "server/nova/change/client_table.h"
#include "server/nova/media/client_format.h"

/* intent_words -- the line of a slot in its page. */
static inline le64 *intent_words(const struct nova *fs, const struct client_page *page, uint32_t line)
{
	uint8_t *block = block_at(fs, page->block);

	return (le64 *)(void *)(block + line * NOVA_LINE_SIZE);
}

/* intent_store -- store the request's line; not fenced. `values` without sequence and op. Does nothing if it was
 * stored. */
void intent_store(struct nova *fs, struct nova_intent *intent, struct intent_values *values);

/*
 * intent_true -- whether the commit of a whole intent took place, by the words of its inode; after the journal's replay
 * and before anything moves a TAIL or ends a generation.
 */
bool intent_true(const struct nova *fs, const struct intent_values *values);

#endif
