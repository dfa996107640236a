/*
 * intent.h -- the intents of requests: each is a line that the commit of the request stores.
 */
#ifndef FARNOVA_NOVA_INTENT_H
#define FARNOVA_NOVA_INTENT_H

#include "server/nova/change/client_table.h"
#include "server/nova/media/client_format.h"

/* intent_words -- line `line` (1..63) of a page, which has the intent of one slot. */
static inline le64 *intent_words(const struct nova *fs, const struct client_page *page, uint32_t line)
{
	uint8_t *block = block_at(fs, page->block);

	return (le64 *)(void *)(block + line * NOVA_LINE_SIZE);
}

/* intent_store -- store the request's intent, unless it has been stored. The caller fills in `values` except sequence and
 * op. Not fenced: the commit's first fence makes it durable. */
void intent_store(struct nova *fs, struct nova_intent *intent, struct intent_values *values);

/*
 * intent_true -- whether the commit of a whole intent took place. The words of the intent's inode show that, but only
 * after the journal's replay and before anything changes a TAIL or a generation.
 */
bool intent_true(const struct nova *fs, const struct intent_values *values);

#endif
