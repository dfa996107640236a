/*
 * client_format.c -- the client table's records, pages and intents.
 */
#include "server/nova/media/client_format.h"

#include "common/crc.h"
#include "server/nova/media/words.h"

#include <string.h>

#define RECORD_CHECKED 48u /* bytes that the CRC covers */

static uint64_t intent_owner(uint64_t number, uint32_t slot)
{
	return number ^ (uint64_t)slot << 48;
}

/* ---- intents -------------------------------------------------------------------------------------------------- */

/* The 40 bytes of struct nova_intent_bytes, five in each word. */
void intent_make(uint64_t number, uint32_t slot, const struct intent_values *values, uint8_t tag,
                 struct intent_line *line)
{
	uint64_t cut[NOVA_INTENT_WORDS] = {
	    values->sequence | (uint64_t)values->op << 32,
	    (values->ino & 0xffffffff) << 8,
	    (values->ino >> 32 & 0xffff) | (uint64_t)(values->generation & 0xffffff) << 16,
	    values->generation >> 24 | (values->position & 0xffffffff) << 8,
	    (values->position >> 32 & 0xffff) | (values->result[0] & 0xffffff) << 16,
	    values->result[0] >> 24,
	    values->result[1] & 0xffffffffff,
	    values->result[1] >> 40,
	};

	for (unsigned i = 0; i < NOVA_INTENT_WORDS; i++)
		cut[i] = cut[i] << 8 | tag;
	word_make_row(NOVA_WORD_INTENT, intent_owner(number, slot), cut, NOVA_INTENT_WORDS, line->words);
}

enum intent_state intent_read(const le64 *words, uint64_t number, uint32_t slot, struct intent_values *values)
{
	const uint64_t owner = intent_owner(number, slot);
	uint64_t cut[NOVA_INTENT_WORDS];
	bool torn = false;

	if (!word_value(NOVA_WORD_INTENT, owner, pm_get8(&words[0]), &cut[0]))
		return INTENT_DAMAGED;
	if ((uint32_t)(cut[0] >> 8) == 0)
		return INTENT_VOID;
	for (unsigned i = 1; i < NOVA_INTENT_WORDS; i++) {
		if (!word_value(NOVA_WORD_INTENT + i, owner, pm_get8(&words[i]), &cut[i]))
			return INTENT_DAMAGED;
		torn |= (uint8_t)cut[i] != (uint8_t)cut[0];
	}
	if (torn)
		return INTENT_VOID;
	for (unsigned i = 0; i < NOVA_INTENT_WORDS; i++)
		cut[i] >>= 8;
	values->sequence = (uint32_t)cut[0];
	values->op = (uint8_t)(cut[0] >> 32);
	values->ino = cut[1] >> 8 | (cut[2] & 0xffff) << 32;
	values->generation = (uint32_t)(cut[2] >> 16 | cut[3] << 24);
	values->position = cut[3] >> 8 | (cut[4] & 0xffff) << 32;
	values->result[0] = cut[4] >> 16 | cut[5] << 24;
	values->result[1] = cut[6] | cut[7] << 40;
	return INTENT_WHOLE;
}

uint8_t intent_next_tag(const le64 *words)
{
	uint8_t tag = (uint8_t)(pm_get8(&words[0]) >> 16);
	bool taken = true;

	while (taken) {
		tag++;
		taken = false;
		for (unsigned i = 0; i < NOVA_INTENT_WORDS; i++)
			taken |= (uint8_t)(pm_get8(&words[i]) >> 16) == tag;
	}
	return tag;
}

uint64_t intent_void(const le64 *words, uint64_t number, uint32_t slot)
{
	uint8_t tag = (uint8_t)(pm_get8(&words[0]) >> 16);

	return word_make(NOVA_WORD_INTENT, intent_owner(number, slot), tag);
}

/* ---- records and pages ---------------------------------------------------------------------------------------- */

void client_record_make(struct nova_client_record *record, uint64_t number, const uint8_t key_hash[16],
                        int64_t created_ns)
{
	memset(record, 0, sizeof *record);
	record->number = le64_of(number);
	memcpy(record->key_hash, key_hash, sizeof record->key_hash);
	record->created_ns = le64_of((uint64_t)created_ns);
	record->crc = le32_of(crc32c(0xffffffff, record, RECORD_CHECKED));
	record->groups = le64_of(word_make(NOVA_WORD_GROUPS, number, 0));
	record->number = le64_of(0);
}

bool client_record_valid(const struct nova_client_record *record)
{
	return le64_get(record->number) && le32_get(record->crc) == crc32c(0xffffffff, record, RECORD_CHECKED);
}

void client_page_make(struct nova_client_page *page, uint64_t number, uint32_t group)
{
	memset(page, 0, sizeof *page);
	page->group = le32_of(group);
	page->number = le64_of(number);
	page->crc = le32_of(crc32c_line(0xffffffff, page));
}

bool client_page_valid(const struct nova_client_page *page)
{
	return le64_get(page->number) && le32_get(page->crc) == crc32c_line(0xffffffff, page);
}
