/*
 * slots.c -- the slots of a session, and the requests that nobody waits for: CLOSE, PING.
 */
#include "client/session/slots.h"

#include "client/session/send.h"

#include <stdlib.h>

/* made_busy, made_free -- keep free_slots and slots_used up to date. Slot 0 is never in free_slots. */
static void made_busy(struct farnova *fs, uint16_t number)
{
	fs->free_slots[number / 64] &= ~(1ull << number % 64);
	if (number >= fs->slots_used)
		fs->slots_used = (uint16_t)(number + 1);
}

static void made_free(struct farnova *fs, uint16_t number)
{
	if (number != 0)
		fs->free_slots[number / 64] |= 1ull << number % 64;
	while (fs->slots_used > 1 && !fs->slots[fs->slots_used - 1].busy)
		fs->slots_used--;
}

bool slot_take(struct farnova *fs, uint16_t *number)
{
	unsigned word = 0;

	while (word < PROTO_MAX_SLOTS / 64 && fs->free_slots[word] == 0)
		word++;
	if (word == PROTO_MAX_SLOTS / 64)
		return false;
	unsigned lowest = word * 64 + (unsigned)__builtin_ctzll(fs->free_slots[word]);
	if (lowest >= fs->session.slots)
		return false;
	*number = (uint16_t)lowest;
	fs->slots[lowest].busy = true;
	fs->slots[lowest].sequence = proto_next_sequence(fs->slots[lowest].sequence);
	made_busy(fs, *number);
	return true;
}

void slot_free(struct farnova *fs, uint16_t number)
{
	struct slot *slot = &fs->slots[number];
	slot->busy = slot->unsettled = false;
	slot->call = NULL;
	slot->closes = 0;
	made_free(fs, number);
}

void slot_set(struct farnova *fs, uint16_t number, struct call *call)
{
	struct slot *slot = &fs->slots[number];

	slot->busy = call != NULL;
	slot->call = call;
	slot->closes = 0;
	if (call)
		made_busy(fs, number);
	else
		made_free(fs, number);
}

void slots_window(struct farnova *fs, uint16_t slots, uint16_t window)
{
	/* A reply that the server has kept may have an older one. */
	if ((int16_t)(uint16_t)(window - fs->session.window) <= 0 || slots < PROTO_MIN_SLOTS)
		return;
	fs->session.slots = slots;
	fs->session.window = window;
}

/* closes_add -- note an open to be closed with the next requests. Without memory it is closed with its session. */
void closes_add(struct farnova *fs, uint64_t open)
{
	if (fs->close_count == fs->close_capacity) {
		unsigned capacity = fs->close_capacity ? 2 * fs->close_capacity : CLOSES_DEFERRED;
		uint64_t *larger = realloc(fs->closes, capacity * sizeof(*larger));
		if (!larger)
			return;
		fs->closes = larger;
		fs->close_capacity = capacity;
	}
	fs->closes[fs->close_count++] = open;
}

static bool send_close(struct farnova *fs, uint16_t number, unsigned flags)
{
	struct proto_request request;

	request.op = PROTO_CLOSE;
	request.slot = number;
	request.sequence = fs->slots[number].sequence;
	request.cred = 0;
	request.close_first = 0;
	request.close.open = fs->slots[number].closes;
	return send_request(fs, &request, flags) == 0;
}

void slots_flush_closes(struct farnova *fs, unsigned flags)
{
	uint16_t number;

	while (fs->link.state == CONNECTION_UP && fs->close_count > 0 && slot_take(fs, &number)) {
		fs->slots[number].closes = fs->closes[fs->close_count - 1];
		if (!send_close(fs, number, flags)) {
			if (fs->link.state != CONNECTION_UP)
				return; /* it may have arrived: repeat it in its slot */
			fs->slots[number].sequence--;
			slot_free(fs, number);
			return;
		}
		fs->close_count--;
	}
}

void slots_ping(struct farnova *fs)
{
	struct slot *slot = &fs->slots[0];
	struct proto_request request;

	if (slot->busy)
		return;
	request.op = PROTO_PING;
	request.slot = 0;
	request.sequence = proto_next_sequence(slot->sequence);
	request.cred = 0;
	request.close_first = 0;
	if (send_request(fs, &request, 0) == 0) {
		slot->sequence = request.sequence;
		slot->busy = true;
	}
}

/* slots_settle -- the server may or may not have seen the last requests of some slots that nobody waits for. A PING
 * with the same sequence number gets a reply in both cases. False: without credit or connection. */
bool slots_settle(struct farnova *fs)
{
	for (uint16_t i = 0; i < fs->slots_used && fs->unsettled > 0; i++) {
		struct slot *slot = &fs->slots[i];
		struct proto_request request;

		if (!slot->unsettled)
			continue;
		request.op = PROTO_PING;
		request.slot = i;
		request.sequence = slot->sequence;
		request.cred = 0;
		request.close_first = slot->closes;
		if (send_request(fs, &request, 0) != 0)
			return false;
		slot->unsettled = false;
		fs->unsettled--;
	}
	return true;
}
