/*
 * intent.c -- stores intents, answers repeated requests from them, and tells which are true after a crash.
 */
#include "server/nova/change/intent.h"

#include "common/assert.h"
#include "server/nova/media/ro_overlay.h"
#include "server/nova/media/words.h"
#include "server/nova/space/slots.h"

#include <errno.h>

void intent_store(struct nova *fs, struct nova_intent *intent, struct intent_values *values)
{
	uint32_t place = intent->slot % NOVA_CLIENT_GROUP_SLOTS;
	uint16_t *tag = &intent->page->tags[place];
	le64 *words = intent_words(fs, intent->page, place + 1);
	struct intent_line line;

	if (intent->stored)
		return;
	fn_assert(intent->sequence != 0);
	*tag = *tag == CLIENT_TAG_UNKNOWN ? intent_next_tag(words) : (uint8_t)(*tag + 1);
	values->sequence = intent->sequence;
	values->op = intent->op;
	intent_make(intent->client->number, intent->slot, values, (uint8_t)*tag, &line);
	pm_copy(fs->pm, words, &line, sizeof line);
	intent->stored = true;
}

bool intent_true(const struct nova *fs, const struct intent_values *values)
{
	uint64_t owner = word_owner(values->ino, values->generation);
	const struct nova_slot_words *words;
	uint64_t life, tail;

	if (!slots_chunk(fs, values->ino))
		return false;
	words = slot_words(fs, values->ino);
	if (word_read(NOVA_WORD_LIFE, values->ino, &words->life[0], &words->life[1], &life) == WORD_LOST)
		return false;
	if (life >> 8 != values->generation)
		return life >> 8 > values->generation;
	if ((life & 0xff) == NOVA_LIFE_FREE)
		return true;
	return life_has_log((enum nova_life)(life & 0xff)) &&
	       word_read(NOVA_WORD_TAIL, owner, &words->tail[0], &words->tail[1], &tail) != WORD_LOST &&
	       tail >= values->position;
}

static void fill_outcome(const struct intent_values *values, struct nova_outcome *out)
{
	*out = (struct nova_outcome){
	    .op = values->op,
	    .file = {{values->ino}, values->generation},
	    .result =
	        {
	            .offset = values->result[0],
	            .size = values->result[1],
	            .made = {{values->result[0]}, (uint32_t)values->result[1]},
	            .count = values->result[0],
	            .died = values->result[0] != 0,
	        },
	};
}

int nova_client_outcome(const struct nova *fs, struct nova_client *client, uint32_t slot, uint32_t sequence,
                        struct nova_outcome *out)
{
	uint32_t group = slot / NOVA_CLIENT_GROUP_SLOTS;
	const struct client_page *page;
	struct intent_values values;

	if (fs->read_only)
		return -EROFS;
	if (slot >= NOVA_CLIENT_SLOTS || sequence == 0)
		return -EINVAL;
	page = __atomic_load_n(&client->pages[group], __ATOMIC_ACQUIRE);
	if (!page)
		return __atomic_load_n(&client->groups, __ATOMIC_RELAXED) & 1u << group ? -ECONNRESET : 0;
	switch (
	    intent_read(intent_words(fs, page, 1 + slot % NOVA_CLIENT_GROUP_SLOTS), client->number, slot, &values)) {
	case INTENT_WHOLE:
		break;
	case INTENT_VOID:
		return 0;
	default:
		return -ECONNRESET;
	}
	if (values.sequence != sequence)
		return (int32_t)(values.sequence - sequence) < 0 ? 0 : -EPROTO;
	fill_outcome(&values, out);
	return 1;
}
