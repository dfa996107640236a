/*
 * client_format.h -- encodes, decodes and checks the records, page headers and intents of the client table.
 */
#ifndef FARNOVA_NOVA_CLIENT_FORMAT_H
#define FARNOVA_NOVA_CLIENT_FORMAT_H

#include "server/nova/media/format.h"

#include <stdbool.h>

/* An intent, decoded. */
struct intent_values {
	uint32_t sequence;
	uint8_t op;
	uint64_t ino;
	uint32_t generation;
	uint64_t position;  /* of the inode's TAIL after the commit */
	uint64_t result[2]; /* the first 16 bytes of the result; the other two are 0 */
};

struct intent_line {
	le64 words[NOVA_INTENT_WORDS];
} __attribute__((aligned(NOVA_LINE_SIZE)));

enum intent_state {
	INTENT_VOID,   /* no intent, or a store of the line that a crash interrupted */
	INTENT_WHOLE,  /* the line is valid; change/intent.h says whether its commit took place */
	INTENT_DAMAGED /* a word fails its check: it is unknown whether there was a commit */
};

/* intent_slot -- the slot of a line (1..63) of a page. */
static inline uint32_t intent_slot(uint32_t group, uint32_t line)
{
	return group * NOVA_CLIENT_GROUP_SLOTS + line - 1;
}

/* intent_make -- encode the intent of this slot of client `number`; `tag` goes into each word. */
void intent_make(uint64_t number, uint32_t slot, const struct intent_values *values, uint8_t tag,
                 struct intent_line *line);

/* intent_read -- decode a line of the pool. `values` are set only for INTENT_WHOLE. */
enum intent_state intent_read(const le64 *words, uint64_t number, uint32_t slot, struct intent_values *values);

/* intent_next_tag -- a tag that no word of the line has. */
uint8_t intent_next_tag(const le64 *words);

/* intent_void -- the value of word 0 that makes a whole line void. */
uint64_t intent_void(const le64 *words, uint64_t number, uint32_t slot);

/* client_record_make -- encode a record with number 0, which is free. It becomes valid when the number is stored. */
void client_record_make(struct nova_client_record *record, uint64_t number, const uint8_t key_hash[16],
                        int64_t created_ns);

/* client_record_valid -- whether the record is in use and passes its check. GROUPS, a word, has its own check. */
bool client_record_valid(const struct nova_client_record *record);

/* client_page_make -- encode the first line of a page. client_page_valid -- whether it passes its check. */
void client_page_make(struct nova_client_page *page, uint64_t number, uint32_t group);
bool client_page_valid(const struct nova_client_page *page);

#endif
