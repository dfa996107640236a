/*
 * random_history.c -- looks for an order of what threads did at once.
 */
#include "tests/model/random_history.h"

#include "tests/crash/snapshot.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

/* Steps of the model before a history is given up; one that is right takes a few dozen. */
#define STEPS_MAX 20000u

struct search {
	struct random_history *history;
	const struct random_slots *slots;
	const struct random_end *end;
	struct random_record *order[RANDOM_SHARERS_MAX * RANDOM_CALLS_MAX];
	unsigned length;
	unsigned next[RANDOM_SHARERS_MAX];
	unsigned steps;
	struct posix_model *found;
};

/* The thread's next call, if it counts. */
static struct random_record *next_of(const struct search *search, unsigned thread)
{
	struct random_record *record;

	if (search->next[thread] == search->history->calls)
		return NULL;
	record = &search->history->records[thread][search->next[thread]];
	return search->end->killed && record->began > search->end->killed ? NULL : record;
}

/* Nothing that had returned before it was called is still to be done. */
static bool may_be_next(const struct search *search, const struct random_record *record)
{
	for (unsigned i = 0; i < search->history->threads; i++) {
		const struct random_record *other = next_of(search, i);

		if (other && other->ended < record->began)
			return false;
	}
	return true;
}

static bool is_complete(const struct search *search)
{
	for (unsigned i = 0; i < search->history->threads; i++) {
		const struct random_record *record = next_of(search, i);

		if (record && (!search->end->killed || record->ended < search->end->killed))
			return false;
	}
	return true;
}

/* The inodes that slots, pins and calls have handles of, one after another, with a name that is the same in both
 * listings. False: there are no more. */
static bool next_held(const struct random_history *history, const struct random_slots *slots, unsigned *at,
                      struct random_slot *held, char path[static 32])
{
	const struct random_record *record;
	unsigned i = (*at)++;

	snprintf(path, 32, "held %u", i);
	if (i < RANDOM_SLOTS) {
		*held = slots->slots[i];
		return true;
	}
	i -= RANDOM_SLOTS;
	if (i < RANDOM_PINS) {
		*held = slots->pins[i];
		if (held->ino.n == 0)
			held->handle.ino.n = 0; /* free */
		return true;
	}
	i -= RANDOM_PINS;
	if (i >= history->threads * history->calls)
		return false;
	record = &history->records[i / history->calls][i % history->calls];
	*held = (struct random_slot){record->answer.handle, record->ino};
	return true;
}

int random_history_list_core(const struct random_history *history, const struct random_slots *slots,
                             const struct nova_call *call, struct listing *listing)
{
	struct random_slot held;
	unsigned at = 0;
	char path[32];
	int rc = 0;

	while (!rc && next_held(history, slots, &at, &held, path))
		if (held.handle.ino.n)
			rc = snapshot_nameless(listing, call, held.handle, path);
	return rc;
}

/* All that there is at the end of an order. */
static uint64_t list_model(const struct search *search, const struct posix_model *model, struct listing *listing)
{
	struct posix_model *end = posix_copy(model);
	struct random_slot held;
	unsigned at = 0;
	uint64_t orphans;
	char path[32];

	if (search->end->killed) {
		posix_restart(end);
		posix_reclaim(end);
	}
	posix_list(end, listing);
	while (next_held(search->history, search->slots, &at, &held, path))
		if (held.handle.ino.n)
			posix_list_nameless(end, held.ino, path, listing);
	orphans = posix_orphans(end);
	posix_free(end);
	return orphans;
}

static bool is_right(const struct search *search, const struct posix_model *model)
{
	struct listing listing = {0};
	uint64_t orphans = list_model(search, model, &listing);
	bool right;

	right = orphans == search->end->orphans && listing_equal(&listing, search->end->tree);
	listing_free(&listing);
	return right;
}

/* What had no room must have changed nothing. Limits are met by whoever comes first, and what another thread holds on
 * to for a moment counts: that is no fault either. */
static bool changed_nothing(const struct random_record *record)
{
	return record->answer.rc == -ENOSPC || record->answer.rc == -EDQUOT;
}

static bool follows(const struct search *search, struct posix_model *model, struct random_record *record)
{
	struct random_answer answer;

	if (changed_nothing(record) || random_op_skipped(search->slots, &record->op))
		return true;
	answer = random_model_do(model, search->slots, &record->op, record->now, &record->answer, &record->ino);
	return random_answers_agree(&answer, &record->answer);
}

static bool go_on(struct search *search, const struct posix_model *model);

static bool try_next(struct search *search, const struct posix_model *model, unsigned thread)
{
	struct random_record *record = next_of(search, thread);
	struct posix_model *copy;
	bool ok;

	if (!record || !may_be_next(search, record) || search->steps++ >= STEPS_MAX)
		return false;
	copy = posix_copy(model);
	search->order[search->length++] = record;
	search->next[thread]++;
	ok = follows(search, copy, record) && go_on(search, copy);
	if (!ok) {
		search->length--;
		search->next[thread]--;
	}
	posix_free(copy);
	return ok;
}

static bool go_on(struct search *search, const struct posix_model *model)
{
	if (is_complete(search) && is_right(search, model)) {
		search->found = posix_copy(model);
		return true;
	}
	for (unsigned i = 0; i < search->history->threads; i++)
		if (try_next(search, model, i))
			return true;
	return false;
}

enum random_verdict random_history_explain(struct random_history *history, const struct posix_model *model,
                                           struct random_slots *slots, const struct random_end *end,
                                           struct posix_model **after)
{
	struct search search = {.history = history, .slots = slots, .end = end};

	*after = NULL;
	if (!go_on(&search, model))
		return search.steps >= STEPS_MAX ? RANDOM_UNDECIDED : RANDOM_INEXPLICABLE;
	*after = search.found;
	for (unsigned i = 0; i < search.length && !end->killed; i++) {
		struct random_record *record = search.order[i];

		if (!random_op_skipped(slots, &record->op))
			random_slots_keep(slots, &record->op, &record->answer, record->ino);
	}
	return RANDOM_EXPLAINED;
}

bool random_history_overlaps(const struct random_history *history)
{
	for (unsigned i = 0; i < history->threads * history->calls; i++)
		for (unsigned j = 0; j < i - i % history->calls; j++) {
			const struct random_record *a = &history->records[i / history->calls][i % history->calls];
			const struct random_record *b = &history->records[j / history->calls][j % history->calls];

			if (a->began < b->ended && b->began < a->ended)
				return true;
		}
	return false;
}

/* The one that returned first of those that are left. */
static struct random_record *first_returned(struct search *search)
{
	struct random_record *first = NULL;
	unsigned thread = 0;

	for (unsigned i = 0; i < search->history->threads; i++) {
		struct random_record *record = next_of(search, i);

		if (record && (!first || record->ended < first->ended)) {
			first = record;
			thread = i;
		}
	}
	if (first)
		search->next[thread]++;
	return first;
}

static void print_record(FILE *out, const struct random_record *record, bool agrees)
{
	int64_t rc = record->answer.rc;

	fprintf(out, "%s%" PRIu64 " to %" PRIu64 ", answers %" PRId64 " (%s), inode %" PRIu64 ": ",
	        agrees ? "" : "NOT THE MODEL'S ANSWER: ", record->began, record->ended, rc,
	        rc < 0 ? strerror((int)-rc) : "success", record->answer.handle.ino.n);
	random_op_print(out, &record->op);
}

void random_history_print(FILE *out, struct random_history *history, const struct posix_model *model,
                          const struct random_slots *slots, const struct random_end *end)
{
	struct search search = {.history = history, .slots = slots, .end = end};
	struct posix_model *copy = posix_copy(model);
	struct random_record *record;
	struct listing listing = {0};
	uint64_t orphans;

	while ((record = first_returned(&search)))
		print_record(out, record, follows(&search, copy, record));
	orphans = list_model(&search, copy, &listing);
	listing_print_difference(out, "model", &listing, "core", end->tree);
	fprintf(out, "%" PRIu64 " inodes without a name in the model, %" PRIu64 " in the core\n", orphans,
	        end->orphans);
	listing_free(&listing);
	posix_free(copy);
}
