/*
 * linearize.c -- the search for an order.
 *
 * Beginnings and ends of calls stand in a list by time. The search takes one of the calls whose beginning comes before
 * the first end, does it in the model, and takes it out of the list; when the first entry is the end of a call that was
 * not done yet, it goes back, or leaves the call out where that is possible. Pairs of (set of calls done, state) that were
 * seen lead nowhere a second time.
 */
#include "tests/sim/linearize.h"

#include <stdlib.h>
#include <string.h>

#define SET_WORDS (LINEARIZE_CALLS_MAX / 64)

struct entry {
	struct entry *previous, *next;
	struct entry *end; /* of a beginning: its end, NULL if it is open */
	const struct linearize_call *call;
	unsigned number;
	uint64_t time;
	bool is_end;
};

/* A call that was done or left out, and what was before. */
struct frame {
	struct entry *begin;
	bool left_out;
	uint8_t state[LINEARIZE_STATE_MAX];
};

struct memory {
	uint64_t (*seen)[2];
	uint64_t room, count;
};

struct search {
	const struct linearize_model *model;
	struct entry head;
	struct frame *frames;
	unsigned depth;
	uint64_t done[SET_WORDS];
	uint8_t state[LINEARIZE_STATE_MAX];
	struct memory memory;
};

static uint64_t mix(uint64_t z)
{
	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

static uint64_t hash(const void *data, size_t size, uint64_t seed)
{
	const uint8_t *bytes = data;
	uint64_t word;

	for (size_t at = 0; at < size; at += sizeof(word)) {
		word = 0;
		memcpy(&word, bytes + at, size - at < sizeof(word) ? size - at : sizeof(word));
		seed = mix(seed ^ word) + UINT64_C(0x9e3779b97f4a7c15);
	}
	return seed;
}

static bool place(struct memory *memory, const uint64_t key[2])
{
	uint64_t at = key[0] & (memory->room - 1);

	while (memory->seen[at][0] || memory->seen[at][1]) {
		if (memory->seen[at][0] == key[0] && memory->seen[at][1] == key[1])
			return false;
		at = (at + 1) & (memory->room - 1);
	}
	memcpy(memory->seen[at], key, sizeof(memory->seen[at]));
	memory->count++;
	return true;
}

static bool grow(struct memory *memory)
{
	struct memory larger = {.room = memory->room ? 4 * memory->room : 1024};

	larger.seen = calloc(larger.room, sizeof(*larger.seen));
	if (!larger.seen)
		return false;
	for (uint64_t i = 0; i < memory->room; i++)
		if (memory->seen[i][0] || memory->seen[i][1])
			place(&larger, memory->seen[i]);
	free(memory->seen);
	*memory = larger;
	return true;
}

/* remember -- 1: new; 0: known; -1: no memory. Two hashes of 64 bits stand for the pair. */
static int remember(struct search *search, const uint8_t *state)
{
	uint64_t key[2];

	if (2 * search->memory.count >= search->memory.room && !grow(&search->memory))
		return -1;
	for (unsigned i = 0; i < 2; i++)
		key[i] = hash(state, search->model->state_size, hash(search->done, sizeof(search->done), i + 1)) | 1;
	return place(&search->memory, key);
}

static void unlink_entry(struct entry *entry)
{
	entry->previous->next = entry->next;
	if (entry->next)
		entry->next->previous = entry->previous;
}

static void relink_entry(struct entry *entry)
{
	entry->previous->next = entry;
	if (entry->next)
		entry->next->previous = entry;
}

static void take(struct search *search, struct entry *begin, bool left_out, const uint8_t *state)
{
	struct frame *frame = &search->frames[search->depth++];

	frame->begin = begin;
	frame->left_out = left_out;
	memcpy(frame->state, search->state, search->model->state_size);
	memcpy(search->state, state, search->model->state_size);
	unlink_entry(begin);
	if (begin->end)
		unlink_entry(begin->end);
}

/* The entry to go on with, or NULL: there is nothing left to try. */
static struct entry *go_back(struct search *search)
{
	while (search->depth > 0) {
		struct frame *frame = &search->frames[--search->depth];
		struct entry *begin = frame->begin;

		search->done[begin->number / 64] &= ~(UINT64_C(1) << begin->number % 64);
		memcpy(search->state, frame->state, search->model->state_size);
		if (begin->end)
			relink_entry(begin->end);
		relink_entry(begin);
		if (!frame->left_out)
			return begin->next;
		/* To leave it out was the last thing to try there. */
	}
	return NULL;
}

static void note_end(const struct search *search, struct linearize_end *end)
{
	end->length = search->depth;
	end->next_count = 0;
	memcpy(end->state, search->state, search->model->state_size);
	for (const struct entry *at = search->head.next; at && !at->is_end; at = at->next)
		if (end->next_count < sizeof(end->next) / sizeof(end->next[0]))
			end->next[end->next_count++] = at->call->call;
}

static bool all_open(const struct entry *entry)
{
	for (; entry; entry = entry->next)
		if (entry->is_end)
			return false;
	return true;
}

static enum linearize_result run(struct search *search, uint64_t steps_max, struct linearize_end *end)
{
	struct entry *at = search->head.next;
	uint8_t state[LINEARIZE_STATE_MAX];
	uint64_t steps = 0;

	while (!all_open(search->head.next)) {
		struct entry *begin;
		bool left_out = at->is_end;
		bool good;

		if (steps++ >= steps_max)
			return LINEARIZE_UNDECIDED;
		if (left_out) {
			for (begin = search->head.next; begin->end != at; begin = begin->next)
				;
			good = begin->call->perhaps;
			memcpy(state, search->state, search->model->state_size);
		} else {
			begin = at;
			memcpy(state, search->state, search->model->state_size);
			good = search->model->step(state, begin->call->call);
		}
		if (good) {
			search->done[begin->number / 64] |= UINT64_C(1) << begin->number % 64;
			int fresh = remember(search, state);

			if (fresh < 0)
				return LINEARIZE_UNDECIDED;
			if (fresh) {
				take(search, begin, left_out, state);
				if (search->depth > end->length)
					note_end(search, end);
				at = search->head.next;
				continue;
			}
			search->done[begin->number / 64] &= ~(UINT64_C(1) << begin->number % 64);
		}
		at = left_out ? go_back(search) : at->next;
		if (!at)
			return LINEARIZE_NO;
	}
	return LINEARIZE_YES;
}

static int by_time(const void *a, const void *b)
{
	const struct entry *const *first = a, *const *second = b;

	return (*first)->time < (*second)->time ? -1 : (*first)->time > (*second)->time;
}

static unsigned make_entries(struct entry *entries, struct entry **order, const struct linearize_call *calls,
                             unsigned count)
{
	unsigned made = 0;

	for (unsigned i = 0; i < count; i++) {
		struct entry *begin = &entries[made++];

		*begin = (struct entry){.call = &calls[i], .number = i, .time = calls[i].began};
		if (calls[i].ended == UINT64_MAX)
			continue;
		begin->end = &entries[made++];
		*begin->end = (struct entry){.call = &calls[i], .number = i, .time = calls[i].ended, .is_end = true};
	}
	for (unsigned i = 0; i < made; i++)
		order[i] = &entries[i];
	qsort(order, made, sizeof(struct entry *), by_time);
	return made;
}

enum linearize_result linearize(const struct linearize_model *model, const void *state,
                                const struct linearize_call *calls, unsigned count, uint64_t steps_max,
                                struct linearize_end *end)
{
	struct search search = {.model = model};
	struct entry *entries = calloc(2 * (size_t)count + 1, sizeof(*entries));
	struct entry **order = calloc(2 * (size_t)count + 1, sizeof(struct entry *));
	enum linearize_result result = LINEARIZE_UNDECIDED;
	struct linearize_end ignored;

	if (!end)
		end = &ignored;
	memset(end, 0, sizeof(*end));
	search.frames = calloc((size_t)count + 1, sizeof(*search.frames));
	if (entries && order && search.frames && count <= LINEARIZE_CALLS_MAX &&
	    model->state_size <= LINEARIZE_STATE_MAX) {
		struct entry *last = &search.head;
		unsigned made = make_entries(entries, order, calls, count);

		for (unsigned i = 0; i < made; i++) {
			last->next = order[i];
			order[i]->previous = last;
			last = order[i];
		}
		memcpy(search.state, state, model->state_size);
		result = run(&search, steps_max, end);
	}
	free(search.memory.seen);
	free(search.frames);
	free(order);
	free(entries);
	return result;
}
