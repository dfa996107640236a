/*
 * slot_table.c -- the slots of a session: which of them its client may use, and the replies that they keep.
 */
#include "server/state/slot_table.h"

#include "common/assert.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define USUAL_SLOTS 64u /* of a client that does not care */
#define REPLY_STEP  32u /* replies of about the same size use the same memory */

static uint32_t least(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

static uint16_t window_of(const struct slot_table *table, uint32_t share)
{
	uint32_t slots = least(least(table->wanted, share), PROTO_MAX_SLOTS);

	return (uint16_t)(slots > PROTO_MIN_SLOTS ? slots : PROTO_MIN_SLOTS);
}

void slot_table_wants(struct slot_table *table, uint32_t slots)
{
	table->wanted = slots ? slots : USUAL_SLOTS;
}

void slot_table_init(struct slot_table *table, uint32_t wanted, uint32_t used, uint32_t share)
{
	*table = (struct slot_table){.number = 1};
	slot_table_wants(table, wanted);
	table->window = window_of(table, share);
	table->limit = (uint16_t)least(used > table->window ? used : table->window, PROTO_MAX_SLOTS);
}

void slot_table_free(struct slot_table *table)
{
	for (unsigned page = 0; page < SLOT_TABLE_PAGES; page++) {
		for (unsigned i = 0; table->pages[page] && i < SLOT_TABLE_PAGE; i++)
			free(table->pages[page][i].reply);
		free(table->pages[page]);
	}
}

int slot_table_find(struct slot_table *table, uint32_t number, struct slot **out)
{
	if (number >= table->limit)
		return -EPROTO;
	struct slot **page = &table->pages[number / SLOT_TABLE_PAGE];
	if (!*page)
		*page = calloc(SLOT_TABLE_PAGE, sizeof(**page));
	if (!*page)
		return -ENOMEM;
	*out = &(*page)[number % SLOT_TABLE_PAGE];
	return 0;
}

struct slot *slot_table_get(const struct slot_table *table, uint32_t number)
{
	struct slot *page = table->pages[number / SLOT_TABLE_PAGE];

	fn_assert(page);
	return &page[number % SLOT_TABLE_PAGE];
}

bool slot_table_heard(struct slot_table *table, uint32_t used, uint16_t window)
{
	if (used > table->peak || table->peak == 0)
		table->peak = (uint16_t)(used ? used : 1);
	if (table->limit == table->window || window != table->number || used > table->window)
		return false;
	table->limit = table->window;
	return true;
}

/* Free the memory of the replies in slots from `used` on. */
static void forget_replies(struct slot_table *table, uint32_t used)
{
	for (uint32_t number = used; number < table->replies; number++) {
		struct slot *page = table->pages[number / SLOT_TABLE_PAGE];
		struct slot *slot = page ? &page[number % SLOT_TABLE_PAGE] : NULL;

		if (!slot || !slot->reply)
			continue;
		if (slot->reply_length > 0)
			slot->forgotten = true;
		free(slot->reply);
		slot->reply = NULL;
		slot->reply_length = slot->reply_room = 0;
	}
	table->replies = (uint16_t)used;
}

void slot_table_tick(struct slot_table *table, uint32_t share, bool judged)
{
	uint16_t window = window_of(table, share);

	if (judged && table->peak > 0 && table->peak < table->replies)
		forget_replies(table, table->peak);
	table->peak = 0;
	if (window == table->window)
		return;
	table->window = window;
	table->number++;
	if (table->limit < window)
		table->limit = window;
}

void slot_table_drop(struct slot *slot)
{
	slot->reply_length = 0;
	slot->forgotten = false;
}

void slot_table_keep(struct slot_table *table, uint32_t number, const void *reply, uint32_t length)
{
	struct slot *slot = slot_table_get(table, number);

	slot_table_drop(slot);
	if (length > slot->reply_room) {
		uint32_t room = (length + REPLY_STEP - 1) / REPLY_STEP * REPLY_STEP;
		free(slot->reply);
		slot->reply = malloc(room);
		slot->reply_room = slot->reply ? room & 0x3fff : 0;
	}
	/* Without memory a repeat is judged by the intent. */
	slot->forgotten = !slot->reply;
	if (!slot->reply)
		return;
	memcpy(slot->reply, reply, length);
	slot->reply_length = (uint16_t)length;
	if (number >= table->replies)
		table->replies = (uint16_t)(number + 1);
}
