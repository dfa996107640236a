/*
 * client_format.h -- the client table's records, pages and intents: builds and checks them.
 */
#ifndef FARNOVA_NOVA_CLIENT_FORMAT_H
#define FARNOVA_NOVA_CLIENT_FORMAT_H

#include "server/nova/media/format.h"

#include <stdbool.h>

/* What an intent says. */
struct intent_values {
	uint32_t sequence;
	uint8_t op;
	uint64_t ino;
	uint32_t generation;
	uint64_t position;
	uint64_t result[2]; /* its first 16 bytes; the others are 0 */
};

struct intent_line {
	le64 words[NOVA_INTENT_WORDS];
} __attribute__((aligned(NOVA_LINE_SIZE)));

enum intent_state {
	INTENT_VOID,   /* none, or a store that a crash cut off */
	INTENT_WHOLE,  /* true or not: intent_judge.h */
	INTENT_DAMAGED /* nobody knows */
};

/* intent_slot -- the slot of a line (1..63) of a page. */
static inline uint32_t intent_slot(uint32_t group, uint32_t line)
{
	return group * NOVA_CLIENT_GROUP_SLOTS + line - 1;
}

/* intent_make -- the line as it is stored. */
void intent_make(uint64_t number, uint32_t slot, const struct intent_values *values, uint8_t tag,
                 struct intent_line *line);

/* intent_read -- read a line of the pool; `values` only of a whole one. */
enum intent_state intent_read(const le64 *words, uint64_t number, uint32_t slot, struct intent_values *values);

/* intent_next_tag -- a tag that none of the line's words has. */
uint8_t intent_next_tag(const le64 *words);

/* intent_void -- the word 0 that makes a whole line void. */
uint64_t intent_void(const le64 *words, uint64_t number, uint32_t slot);

/* client_record_make -- the record, still with number 0: storing the number makes it valid. */
void client_record_make(struct nova_client_record *record, uint64_t number, const uint8_t key_hash[16],
                        int64_t created_ns);

/* client_record_valid -- the record is in use and sound, but for its GROUPS word. */
bool client_record_valid(const struct nova_client_record *record);

void client_page_make(struct nova_client_page *page, uint64_t number, uint32_t group);
bool client_page_valid(const struct nova_client_page *page);

#endif
