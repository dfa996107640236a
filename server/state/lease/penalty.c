/*
 * penalty.c -- how long a session gets no leases because others had to wait for it.
 */
#include "server/state/lease/penalty.h"

#include <stddef.h>

#define NEGLIGIBLE_MS 500 /* a shorter penalty counts as none */

static int64_t smaller(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static int64_t larger(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

static void hold_until(struct penalty *penalty, int64_t until_ms)
{
	penalty->until_ms = larger(penalty->until_ms, until_ms);
}

bool penalty_holds(const struct penalty *penalty, int64_t now_ms)
{
	return now_ms < penalty->until_ms;
}

void penalty_lost(struct penalty *penalty, int64_t took_ms, int64_t now_ms)
{
	hold_until(penalty, now_ms + smaller(PENALTY_FACTOR * took_ms, PENALTY_MAX_MS));
}

void penalty_answered(struct penalty *penalty, int64_t took_ms, int64_t now_ms)
{
	penalty_lost(penalty, took_ms, now_ms);
	if (penalty->length_ms == 0 || now_ms - penalty->changed_ms < penalty->length_ms)
		return;
	penalty->length_ms /= 2;
	if (penalty->length_ms < NEGLIGIBLE_MS)
		penalty->length_ms = 0;
	penalty->changed_ms = now_ms;
}

void penalty_unanswered(struct penalty *penalty, int64_t now_ms)
{
	penalty->length_ms =
	    penalty->length_ms == 0 ? PENALTY_FIRST_MS : smaller(2 * penalty->length_ms, PENALTY_MAX_MS);
	penalty->changed_ms = now_ms;
	hold_until(penalty, now_ms + penalty->length_ms);
}

/* ---- hosts ------------------------------------------------------------------------------------------------------ */

void penalty_table_init(struct penalty_table *table)
{
	*table = (struct penalty_table){0};
	pthread_mutex_init(&table->lock, NULL);
}

void penalty_table_destroy(struct penalty_table *table)
{
	pthread_mutex_destroy(&table->lock);
}

/* The record of the host; if there is none and `make`, a free record or the one with the earliest forget_ms. */
static struct penalty_record *find(struct penalty_table *table, uint64_t host, bool make, int64_t now_ms)
{
	struct penalty_record *first = &table->records[0];

	for (unsigned i = 0; i < PENALTY_HOSTS; i++) {
		struct penalty_record *record = &table->records[i];
		if (now_ms < record->forget_ms && record->host == host)
			return record;
		if (record->forget_ms < first->forget_ms)
			first = record;
	}
	if (!make)
		return NULL;
	*first = (struct penalty_record){.host = host};
	return first;
}

void penalty_remember(struct penalty_table *table, uint64_t host, const struct penalty *penalty, int64_t now_ms)
{
	pthread_mutex_lock(&table->lock);
	struct penalty_record *record = find(table, host, true, now_ms);
	if (penalty->length_ms > 0)
		record->length_ms = penalty->length_ms;
	record->until_ms = larger(record->until_ms, penalty->until_ms);
	record->forget_ms = larger(record->forget_ms, now_ms + PENALTY_FORGET_FACTOR * penalty->length_ms);
	record->forget_ms = larger(record->forget_ms, record->until_ms);
	pthread_mutex_unlock(&table->lock);
}

void penalty_begin(struct penalty_table *table, uint64_t host, struct penalty *penalty, int64_t now_ms)
{
	*penalty = (struct penalty){0};
	pthread_mutex_lock(&table->lock);
	const struct penalty_record *record = find(table, host, false, now_ms);
	if (record) {
		penalty->length_ms = record->length_ms;
		penalty->changed_ms = now_ms;
		penalty->until_ms = larger(now_ms + record->length_ms, record->until_ms);
	}
	pthread_mutex_unlock(&table->lock);
}
