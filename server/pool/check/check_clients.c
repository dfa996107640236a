/*
 * check_clients.c -- checks the client table: its records and pages, and whether each intent is valid and committed.
 */
#include "common/crc.h"
#include "server/pool/check/check_internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define CRC_START      0xffffffffu
#define RECORD_CHECKED 48u
#define ALL_GROUPS     ((1u << NOVA_CLIENT_GROUPS) - 1)

struct client {
	uint64_t number;
	uint32_t groups; /* the groups in its record */
	uint32_t found;  /* the groups whose page was seen */
};

struct table {
	struct check *check;
	struct client *clients;
	size_t count, room;
};

static unsigned long long ull(uint64_t v)
{
	return v;
}

__attribute__((format(printf, 3, 4))) static void say(struct table *t, uint64_t block, const char *format, ...)
{
	char text[200];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	check_say(t->check, "clients", t->check->clients, block, "%s", text);
	check_fix(t->check, FIX_CLIENTS, t->check->clients, 0, 0, 0);
}

static int by_number(const void *a, const void *b)
{
	const struct client *x = a, *y = b;

	return (x->number > y->number) - (x->number < y->number);
}

/* ---- records ------------------------------------------------------------------------------------ */

static void read_record(struct table *t, uint64_t block, unsigned place, const struct nova_client_record *record)
{
	struct client *clients;
	uint64_t groups;

	if (le64_get(record->number) == 0)
		return;
	if (le32_get(record->crc) != crc32c(CRC_START, record, RECORD_CHECKED)) {
		say(t, block, "record %u is damaged: the results of its client's requests are lost", place);
		return;
	}
	if (!image_word_value(NOVA_WORD_GROUPS, le64_get(record->number), record->groups, &groups)) {
		say(t, block, "record %u has a damaged list of its client's pages", place);
		groups = 0;
	} else if (groups & ~(uint64_t)ALL_GROUPS) {
		say(t, block, "record %u names groups of slots that do not exist", place);
	}
	clients = check_grow(t->check, t->clients, t->count, &t->room, sizeof(*clients));
	if (!clients)
		return;
	t->clients = clients;
	clients[t->count++] = (struct client){le64_get(record->number), (uint32_t)groups & ALL_GROUPS, 0};
	t->check->report->clients++;
	if (t->check->report->client)
		t->check->report->client(t->check->report,
		                         &(struct check_client){.number = le64_get(record->number),
		                                                .created_ns = (int64_t)le64_get(record->created_ns),
		                                                .groups = (uint32_t)groups});
}

static void sort_records(struct table *t)
{
	if (t->count)
		qsort(t->clients, t->count, sizeof(*t->clients), by_number);
	for (size_t i = 1; i < t->count; i++)
		if (t->clients[i].number == t->clients[i - 1].number)
			say(t, 0, "client %llx has two records", ull(t->clients[i].number));
}

/* ---- intents ------------------------------------------------------------------------------------ */

enum line { LINE_VOID, LINE_WHOLE, LINE_DAMAGED };

static enum line read_line(const le64 *words, uint64_t owner, uint8_t bytes[NOVA_INTENT_WORDS * NOVA_INTENT_WORD_BYTES])
{
	bool torn = false;
	uint8_t tag = 0;

	for (unsigned i = 0; i < NOVA_INTENT_WORDS; i++) {
		uint64_t value;

		if (!image_word_value((enum nova_word_kind)(NOVA_WORD_INTENT + i), owner, words[i], &value))
			return LINE_DAMAGED;
		if (i == 0)
			tag = (uint8_t)value;
		torn |= (uint8_t)value != tag;
		for (unsigned k = 0; k < NOVA_INTENT_WORD_BYTES; k++)
			bytes[i * NOVA_INTENT_WORD_BYTES + k] = (uint8_t)(value >> (8 + 8 * k));
		if (i == 0 && !(bytes[0] | bytes[1] | bytes[2] | bytes[3]))
			return LINE_VOID;
	}
	return torn ? LINE_VOID : LINE_WHOLE;
}

static uint64_t number_of(const uint8_t *bytes, unsigned count)
{
	uint64_t value = 0;

	while (count--)
		value = value << 8 | bytes[count];
	return value;
}

/* Whether the commit took place. */
static bool is_true(const struct check *check, const struct check_intent *intent)
{
	uint64_t ino = intent->ino;
	uint32_t generation = intent->generation;
	struct image_inode inode;

	if (!image_slot(&check->image, ino) || check->owner[ino / (NOVA_BLOCK_SIZE / NOVA_SLOT_SIZE)] != CHECK_SLOTS ||
	    image_inode(&check->image, ino, &inode))
		return false;
	if (inode.generation != generation)
		return inode.generation > generation;
	if (inode.life == NOVA_LIFE_FREE)
		return true;
	return life_has_log(inode.life) && inode.tail_known && inode.tail >= intent->position;
}

static void read_intent(struct table *t, const struct client *client, uint64_t block, uint32_t slot, const le64 *words)
{
	union {
		uint8_t bytes[NOVA_INTENT_WORDS * NOVA_INTENT_WORD_BYTES];
		struct nova_intent_bytes intent;
	} line;
	struct check_intent intent;

	switch (read_line(words, client->number ^ (uint64_t)slot << 48, line.bytes)) {
	case LINE_VOID:
		return;
	case LINE_DAMAGED:
		say(t, block, "the intent of slot %u of client %llx is damaged", slot, ull(client->number));
		return;
	case LINE_WHOLE:
		break;
	}
	intent = (struct check_intent){
	    .number = client->number,
	    .slot = slot,
	    .sequence = (uint32_t)number_of(line.intent.sequence, sizeof(line.intent.sequence)),
	    .op = line.intent.op,
	    .ino = number_of(line.intent.ino, sizeof(line.intent.ino)),
	    .generation = (uint32_t)number_of(line.intent.generation, sizeof(line.intent.generation)),
	    .position = number_of(line.intent.position, sizeof(line.intent.position)),
	    .result = line.intent.result,
	};
	intent.committed = is_true(t->check, &intent);
	if (t->check->report->intent)
		t->check->report->intent(t->check->report, &intent);
	if (intent.committed)
		t->check->report->intents++;
	else if (t->check->report->clean)
		say(t, block, "the intent of slot %u of client %llx was not committed, though the pool is clean", slot,
		    ull(client->number));
}

static void read_page(struct table *t, uint64_t block)
{
	const struct nova_client_page *header = image_block(&t->check->image, block);
	const struct client key = {.number = le64_get(header->number)};
	uint32_t group = le32_get(header->group);
	struct client *client;

	if (le32_get(header->crc) != crc32c(CRC_START, &header->group, sizeof(*header) - sizeof(header->crc)))
		return; /* it belongs to nobody; check_clients reports a client that lacks a page */
	client = t->count ? bsearch(&key, t->clients, t->count, sizeof(key), by_number) : NULL;
	if (!client || group >= NOVA_CLIENT_GROUPS || !(client->groups & 1u << group))
		return; /* free */
	if (client->found & 1u << group) {
		say(t, block, "client %llx has two pages for group %u", ull(client->number), group);
		return;
	}
	client->found |= 1u << group;
	for (uint32_t line = 1; line <= NOVA_CLIENT_GROUP_SLOTS; line++) {
		const uint8_t *at = (const uint8_t *)header + line * NOVA_LINE_SIZE;

		read_intent(t, client, block, group * NOVA_CLIENT_GROUP_SLOTS + line - 1,
		            (const le64 *)(const void *)at);
	}
}

/* ---- all ---------------------------------------------------------------------------------------- */

static void each_block(struct table *t, bool pages)
{
	const struct check *check = t->check;

	for (size_t i = 0; i < check->client_run_count; i++)
		for (uint64_t n = 0; n < check->client_runs[i].count; n++) {
			uint64_t file_block = check->client_runs[i].file_block + n;
			uint64_t block = check->client_runs[i].block + n;
			const struct nova_client_record *records = image_block(&check->image, block);

			if (!records || check->client_runs[i].unwritten ||
			    (file_block >= NOVA_CLIENT_RECORD_BLOCKS) != pages)
				continue;
			for (unsigned k = 0; !pages && k < NOVA_CLIENT_BLOCK_RECORDS; k++)
				read_record(t, block, (unsigned)file_block * NOVA_CLIENT_BLOCK_RECORDS + k,
				            &records[k]);
			if (pages)
				read_page(t, block);
		}
}

void check_clients(struct check *check)
{
	const struct check_inode *inode = check_find(check, check->clients);
	struct table t = {.check = check};

	if (!inode) {
		say(&t, 0, "the inode of the client table is not in use");
		return;
	}
	if (!inode->readable)
		return; /* reported with its log */
	if (inode->type != S_IFREG >> 12 || inode->orphan) {
		say(&t, 0, "the client table is not a file in use");
		return;
	}
	each_block(&t, false);
	sort_records(&t);
	each_block(&t, true);
	for (size_t i = 0; i < t.count; i++)
		if (t.clients[i].groups & ~t.clients[i].found)
			say(&t, 0, "client %llx has no page for groups %#x", ull(t.clients[i].number),
			    t.clients[i].groups & ~t.clients[i].found);
	free(t.clients);
}
